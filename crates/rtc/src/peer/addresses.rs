//! The addresses to bind: the configured ones, or those of the interfaces.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    vec,
};

/// Addresses taken from the interfaces: each costs a socket, and pairs with every address of the
/// peer. A laptop with several networks, a VPN and IPv6 has about ten.
const MAX_INTERFACES: usize = 16;

/// Resolved anew at every bind, so that an ICE restart follows the machine to another network.
#[derive(Debug, Clone)]
pub(super) struct Addresses(Vec<IpAddr>);

impl Addresses {
    /// Exactly these, or, when there are none, every usable one of the machine.
    pub(super) const fn new(configured: Vec<IpAddr>) -> Self {
        Self(configured)
    }

    /// Whether nothing beyond this machine can be reached.
    pub(super) fn are_loopback(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(IpAddr::is_loopback)
    }
}

impl ToSocketAddrs for Addresses {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addresses = if self.0.is_empty() {
            let interfaces = if_addrs::get_if_addrs()?;
            usable(interfaces.iter().map(if_addrs::Interface::ip))
        } else {
            self.0.clone()
        };
        let sockets: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(sockets.into_iter())
    }
}

/// The addresses that a peer can reach; without any, those that only this machine can, so that a
/// demonstration needs no network.
fn usable(interfaces: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in interfaces {
        // A link-local IPv6 address means nothing without its zone, which no candidate carries.
        let link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let usable = !(ip.is_loopback() || ip.is_unspecified() || link_local);
        if usable && !found.contains(&ip) && found.len() < MAX_INTERFACES {
            found.push(ip);
        }
    }
    if found.is_empty() {
        found = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_and_link_local_addresses_are_left_out() {
        let all = ["127.0.0.1", "::1", "192.0.2.7", "169.254.1.1", "fe80::1", "2001:db8::7"];
        assert_eq!(usable(all.map(ip).into_iter()), [ip("192.0.2.7"), ip("2001:db8::7")]);
    }

    #[test]
    fn a_machine_without_a_network_has_its_loopback() {
        assert_eq!(usable(["127.0.0.1"].map(ip).into_iter()), [ip("127.0.0.1"), ip("::1")]);
    }

    #[test]
    fn configured_addresses_are_taken_as_they_are() {
        let addresses = Addresses::new(vec![ip("127.0.0.1")]);
        let bound: Vec<_> = addresses.to_socket_addrs().unwrap().collect();
        assert_eq!(bound, ["127.0.0.1:0".parse::<SocketAddr>().unwrap()]);
    }
}

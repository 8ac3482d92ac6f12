//! Whom a relay relays to. It sends from the host's own address, so that whoever it relays for would
//! otherwise stand in the host's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which peers are allowed, beside the relay's own other ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerPolicy {
    /// Those on the internet.
    Public,
    /// Also those in private networks and on this machine: for a network of one's own, and tests.
    AlsoPrivate,
}

impl PeerPolicy {
    /// Whether a relay sends there.
    #[must_use]
    pub fn allows(self, ip: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes is what it is beneath.
        let ip = ip.to_canonical();
        let never = match ip {
            IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0,
            IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
        };
        let private = match ip {
            IpAddr::V4(ip) => is_private_v4(ip),
            IpAddr::V6(ip) => is_private_v6(ip),
        };
        !never && (self == Self::AlsoPrivate || !private)
    }
}

/// Not on the internet (IANA's registry of special addresses), but for those of documentation, which
/// nobody has.
fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xc0 == 64; // RFC 6598
    let assignments = (a, b, c) == (192, 0, 0); // RFC 6890
    let benchmark = a == 198 && b & 0xfe == 18; // RFC 2544
    let reserved = a >= 240; // RFC 1112
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || shared
        || assignments
        || benchmark
        || reserved
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    // Whatever else hides an IPv4 address: translated (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo
    // (RFC 4380) and the old compatible ones. No peer of a call is behind these only.
    let translated = ip.segments()[..2] == [0x64, 0xff9b];
    let tunnelled = first == 0x2002 || ip.segments()[..2] == [0x2001, 0];
    let compatible = ip.segments()[..6] == [0; 6];
    let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0;
    let discarded = ip.segments()[..4] == [0x100, 0, 0, 0];
    ip.is_loopback() || translated || tunnelled || compatible || local || discarded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: PeerPolicy, ip: &str) -> bool {
        policy.allows(ip.parse().unwrap())
    }

    #[test]
    fn the_hosts_own_network_is_out_of_reach() {
        for ip in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001:0:1::1",
            "fe80::1",
            "fc00::1",
            "fdff::1",
        ] {
            assert!(!allows(PeerPolicy::Public, ip), "{ip}");
            assert!(allows(PeerPolicy::AlsoPrivate, ip), "{ip}");
        }
    }

    #[test]
    fn many_at_once_and_nobody_are_never_sent_to() {
        for ip in
            ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::", "ff02::1"]
        {
            assert!(!allows(PeerPolicy::Public, ip), "{ip}");
            assert!(!allows(PeerPolicy::AlsoPrivate, ip), "{ip}");
        }
    }

    #[test]
    fn the_internet_is_reached() {
        for ip in ["192.0.2.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::1", "2a00::1"] {
            assert!(allows(PeerPolicy::Public, ip), "{ip}");
        }
    }
}

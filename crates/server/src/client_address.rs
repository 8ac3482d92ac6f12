//! Where a request comes from: the other end of the connection or, behind a proxy, whom the proxy
//! names. Only for limits; nothing of it is kept or logged.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The de-facto standard of proxies; each one adds at the right end from whom it has the request.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Hops that are looked at: nobody has more proxies of their own, and a header may be 8 KiB long.
const MAX_HOPS: usize = 16;

/// The other end of a TCP connection; an extension of each request on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Proxies whose word about an address is believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// A proxy seems to be there, and nobody has said that it is to be trusted. Far away it may be
    /// the client's own, or its invention.
    pub(crate) fn is_missing(&self, Peer(peer): Peer, headers: &HeaderMap) -> bool {
        self.0.is_empty() && is_forwarded(headers) && is_near(peer.to_canonical())
    }

    /// The client's address: from the right, the first that is no proxy of ours. What stands to the
    /// left of it, the client may have invented.
    pub(crate) fn client(&self, Peer(peer): Peer, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        // Several headers are one list (RFC 9110 §5.3).
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(MAX_HOPS) {
            if !self.trusts(client) {
                break;
            }
            // An unreadable one was written by a proxy that has nothing better: it stands for all
            // behind it.
            let Some(address) = parse(hop) else { break };
            client = address;
        }
        client
    }
}

/// Whether a proxy, ours or not, passed the request on.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR) || headers.contains_key("forwarded")
}

/// This machine, or a network such as those of one's own.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// An address as proxies write it: bare, or with a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()))
        .or_else(|error| {
            let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            bare.ok_or(error)?.parse::<std::net::Ipv6Addr>().map(IpAddr::V6)
        });
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"];
        let proxies = TrustedProxies::new(trusted.map(|text| text.parse().unwrap()).into());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client(Peer(peer.parse().unwrap()), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_invent_an_address() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["127.0.0.1, 203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn proxies_of_ours_are_looked_through() {
        assert_eq!(client("127.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.7, 10.1.2.3"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.7", "10.1.2.3, fd00::7"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.7, 10.2.0.1"]), "10.2.0.1");
        assert_eq!(client("::ffff:127.0.0.1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn what_proxies_write_is_understood() {
        for (written, meant) in [
            (" 203.0.113.7\t", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(client("127.0.0.1", &[written]), meant);
        }
    }

    #[test]
    fn what_is_no_address_is_its_writers() {
        for nonsense in ["", "unknown", "203.0.113", ",", "203.0.113.7, _hidden", "[203.0.113.7]"] {
            assert_eq!(client("127.0.0.1", &[nonsense]), "127.0.0.1", "{nonsense}");
        }
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn a_proxy_that_nobody_named_is_noticed_when_it_is_near() {
        let mut headers = HeaderMap::new();
        let missing = |proxies: &TrustedProxies, peer: &str, headers: &HeaderMap| {
            proxies.is_missing(Peer(peer.parse().unwrap()), headers)
        };
        let none = TrustedProxies::default();
        assert!(!missing(&none, "127.0.0.1", &headers));
        headers.insert(FORWARDED_FOR, "203.0.113.7".parse().unwrap());
        for near in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1"] {
            assert!(missing(&none, near, &headers), "{near}");
        }
        for far in ["203.0.113.7", "2001:db8::1"] {
            assert!(!missing(&none, far, &headers), "{far}");
        }
        let some = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert!(!missing(&some, "127.0.0.1", &headers));
    }

    #[test]
    fn a_list_without_an_end_is_not_followed() {
        let endless = vec!["10.1.0.1"; 5_000].join(",");
        assert_eq!(client("127.0.0.1", &[&format!("203.0.113.7,{endless}")]), "10.1.0.1");
    }
}

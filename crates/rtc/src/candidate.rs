//! Which of a peer's ICE candidates are taken.

use std::net::IpAddr;

use crate::peer::is_stand_in;

/// Candidates taken for one ICE generation; a machine with every kind of interface has about 20.
pub(crate) const MAX_REMOTE_CANDIDATES: usize = 64;
/// The longest `.local` name: browsers write a UUID, 42 bytes with the ending (RFC 8828 has the
/// reason, draft-ietf-mmusic-mdns-ice-candidates the form).
const MAX_MDNS_NAME: usize = 64;

/// Whether this `candidate:` line (RFC 8839 §5.1) is one that a link can use: the only component
/// (RTP and RTCP share it), UDP, a plain address or an mDNS name.
///
/// The rest is refused before the library sees it: for TCP it would open a connection to wherever
/// the peer says.
pub(crate) fn is_usable(line: &str) -> bool {
    let line = line.strip_prefix("a=").unwrap_or(line);
    let Some(line) = line.strip_prefix("candidate:") else { return false };
    let mut fields = line.split_ascii_whitespace();
    let mut next = || fields.next().unwrap_or_default();
    let (_foundation, component, transport) = (next(), next(), next());
    let (priority, address, port) = (next(), next(), next());
    let (typ, kind) = (next(), next());
    component == "1"
        && transport.eq_ignore_ascii_case("udp")
        && priority.parse::<u32>().is_ok()
        && is_usable_address(address)
        && port.parse::<u16>().is_ok_and(|port| port != 0)
        && typ == "typ"
        && matches!(kind, "host" | "srflx" | "prflx" | "relay")
}

fn is_usable_address(address: &str) -> bool {
    match address.parse::<IpAddr>() {
        // What is sent to a stand-in goes to a TURN server. Broadcast is among them.
        Ok(ip) => !ip.is_unspecified() && !ip.is_multicast() && !is_stand_in(ip),
        Err(_) => {
            address.len() <= MAX_MDNS_NAME
                && address.ends_with(".local")
                && address.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        }
    }
}

/// A candidate of our own as the peer is to see it. To a relayed one belongs the address that the
/// relay was asked from, which is of no use to the peer (RFC 8839 §5.1), and which whoever uses
/// relays only wants to keep to themselves.
pub(crate) fn without_base(line: &str) -> String {
    let mut fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if fields.windows(2).any(|pair| pair == ["typ", "relay"]) {
        for place in 0..fields.len().saturating_sub(1) {
            match fields[place] {
                "raddr" => {
                    let v6 = fields[place + 1].contains(':');
                    fields[place + 1] = if v6 { "::" } else { "0.0.0.0" };
                }
                "rport" => fields[place + 1] = "0",
                _ => {}
            }
        }
    }
    fields.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relayed_candidate_does_not_tell_where_it_was_asked_from() {
        let told = |address, base| {
            without_base(&format!(
                "candidate:1 1 udp 7 {address} typ relay raddr {base} rport 9 x y"
            ))
        };
        let v4 = "candidate:1 1 udp 7 203.0.113.7 1 typ relay raddr 0.0.0.0 rport 0 x y";
        assert_eq!(told("203.0.113.7 1", "192.168.0.7"), v4);
        let v6 = "candidate:1 1 udp 7 2001:db8::1 1 typ relay raddr :: rport 0 x y";
        assert_eq!(told("2001:db8::1 1", "fe80::1"), v6);
        let srflx = "candidate:1 1 udp 7 203.0.113.7 1 typ srflx raddr 192.168.0.7 rport 9";
        assert_eq!(without_base(srflx), srflx);
    }

    #[test]
    fn ordinary_candidates_are_taken() {
        for line in [
            "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host",
            "candidate:1 1 UDP 2130706431 2001:db8::7 50000 typ host generation 0 ufrag abcd",
            "candidate:2 1 udp 1694498815 198.51.100.7 50000 typ srflx raddr 0.0.0.0 rport 0",
            "candidate:3 1 udp 16777215 203.0.113.7 50000 typ relay raddr 0.0.0.0 rport 0",
            "candidate:4 1 udp 2113937151 8b7b1b1e-6f0e-4b0e-9a53-0c1f4e0e2a11.local 50000 typ host",
        ] {
            assert!(is_usable(line), "{line}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for line in [
            "",
            "candidate:",
            "candidate:1 2 udp 2130706431 192.0.2.7 50000 typ host",
            "candidate:1 1 tcp 1518280447 192.0.2.7 80 typ host tcptype passive",
            "candidate:1 1 udp 2130706431 intranet.example 80 typ host",
            "candidate:1 1 udp 2130706431 ../x.local 80 typ host",
            "candidate:1 1 udp 2130706431 224.0.0.251 5353 typ host",
            "candidate:1 1 udp 2130706431 0.0.0.0 50000 typ host",
            "candidate:1 1 udp 2130706431 255.255.255.255 50000 typ host",
            "candidate:1 1 udp 2130706431 240.0.0.1 3001 typ host",
            "candidate:1 1 udp 2130706431 100::1 3001 typ host",
            "candidate:1 1 udp 2130706431 192.0.2.7 0 typ host",
            "candidate:1 1 udp 99999999999 192.0.2.7 50000 typ host",
            "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ",
            "candidate:1 1 udp 2130706431 192.0.2.7 50000",
        ] {
            assert!(!is_usable(line), "{line}");
        }
    }
}

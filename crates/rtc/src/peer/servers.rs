//! STUN and TURN servers, with their names resolved.
//!
//! The library resolves a name inside the task that drives the connection, where a DNS server that
//! does not answer would hold up everything: it gets addresses instead. No certificate is checked
//! against the name, for only UDP is supported.

use std::{net::SocketAddr, time::Duration};

use quartet_proto::IceServer;
use tokio::{task::JoinSet, time::timeout_at};
use webrtc::peer_connection::RTCIceServer;

/// Servers that are used: each is asked from each address of the machine.
const MAX_URLS: usize = 8;
/// How long opening a link may wait for names. Without them the link does without their servers.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(1);
/// The port of `stun:` and `turn:` (RFC 7064 §3.2, RFC 7065 §3.1).
const DEFAULT_PORT: u16 = 3478;

/// The servers that the library can use; the others are left out, and said so.
pub(super) async fn resolve(servers: &[IceServer]) -> Vec<RTCIceServer> {
    let deadline = tokio::time::Instant::now() + RESOLVE_DEADLINE;
    let mut lookups = JoinSet::new();
    let urls = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    for (order, (server, url)) in urls.take(MAX_URLS).enumerate() {
        let Some(url) = Url::parse(url) else {
            tracing::warn!(order, "an ICE server is left out: only stun: and turn: over UDP work");
            continue;
        };
        let username = server.username.clone().unwrap_or_default();
        let credential = server.credential.clone().unwrap_or_default();
        if url.relay && (username.is_empty() || credential.is_empty()) {
            tracing::warn!(order, "an ICE server is left out: it has no credentials");
            continue;
        }
        lookups.spawn(async move {
            let found = timeout_at(deadline, tokio::net::lookup_host((&*url.host, url.port))).await;
            let Ok(Ok(addresses)) = found else {
                tracing::warn!(order, "an ICE server is left out: its name cannot be resolved");
                return (order, None);
            };
            let urls = url.at(addresses);
            (order, Some(RTCIceServer { urls, username, credential }))
        });
    }
    let mut resolved: Vec<_> = lookups.join_all().await;
    resolved.sort_by_key(|(order, _)| *order);
    resolved.into_iter().filter_map(|(_, server)| server).collect()
}

/// Whether a server relays.
pub(super) fn is_relay(server: &RTCIceServer) -> bool {
    server.urls.iter().any(|url| url.starts_with("turn:"))
}

/// A `stun:` or `turn:` URI.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    relay: bool,
    host: String,
    port: u16,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let relay = match scheme {
            "stun" => false,
            "turn" => true,
            _ => return None,
        };
        let (authority, query) = rest.split_once('?').unwrap_or((rest, "transport=udp"));
        if query != "transport=udp" {
            return None;
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| Self { relay, host: host.to_owned(), port })
    }

    /// One URI for each address family: the library takes, of several, the first that fits.
    fn at(&self, addresses: impl Iterator<Item = SocketAddr>) -> Vec<String> {
        let scheme = if self.relay { "turn" } else { "stun" };
        let query = if self.relay { "?transport=udp" } else { "" };
        let addresses: Vec<_> = addresses.collect();
        let v4 = addresses.iter().find(|address| address.is_ipv4());
        let v6 = addresses.iter().find(|address| address.is_ipv6());
        v4.into_iter().chain(v6).map(|address| format!("{scheme}:{address}{query}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(relay: bool, host: &str, port: u16) -> Option<Url> {
        Some(Url { relay, host: host.to_owned(), port })
    }

    #[test]
    fn the_forms_of_a_url_are_understood() {
        assert_eq!(Url::parse("stun:stun.example"), url(false, "stun.example", 3478));
        assert_eq!(Url::parse("turn:192.0.2.7:99"), url(true, "192.0.2.7", 99));
        assert_eq!(Url::parse("turn:[2001:db8::7]:99"), url(true, "2001:db8::7", 99));
        assert_eq!(Url::parse("turn:[2001:db8::7]?transport=udp"), url(true, "2001:db8::7", 3478));
        for bad in ["", "stun:", "turns:x", "turn:x?transport=tcp", "turn:x:y", "turn:[x", "x"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_left_out() {
        let server = |url: &str, user: Option<&str>| IceServer {
            urls: vec![url.to_owned()],
            username: user.map(str::to_owned),
            credential: user.map(str::to_owned),
        };
        let servers = [
            server("turns:192.0.2.7", Some("u")),
            server("turn:192.0.2.7", None),
            server("stun:[::1]:7", None),
            server("turn:127.0.0.1:7", Some("u")),
        ];
        let urls: Vec<_> = resolve(&servers).await.into_iter().flat_map(|s| s.urls).collect();
        assert_eq!(urls, ["stun:[::1]:7", "turn:127.0.0.1:7?transport=udp"]);
    }
}

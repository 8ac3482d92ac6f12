//! STUN and TURN servers, with their names resolved.
//!
//! The library resolves a name inside the task that drives the connection, where a DNS server that
//! does not answer would hold up everything: it gets addresses instead. Those that are reached by
//! TCP or TLS it knows under stand-ins only ([`super::tunnel`]).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quartet_proto::IceServer;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{task::JoinSet, time::timeout_at};
use webrtc::peer_connection::RTCIceServer;

use super::tunnel::{TunnelServer, stand_in};

/// Servers that are used: each is asked from each address of the machine.
const MAX_URLS: usize = 8;
/// How long opening a link may wait for names. Without them the link does without their servers.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(1);
/// The ports of `stun:` and `turn:`, and of `turns:` (RFC 7064 §3.2, RFC 7065 §3.1).
const DEFAULT_PORT: u16 = 3478;
const DEFAULT_TLS_PORT: u16 = 5349;
/// In a stream one lost packet holds up all that follow: relays by UDP have this long to be found
/// (longer than [`super::RELAY_HEAD_START`], after which the first one that works is taken).
const UDP_HEAD_START: Duration = Duration::from_millis(500);

/// The servers of a link.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// As the library is to know them.
    pub(super) known: Vec<RTCIceServer>,
    /// Those among them that have a stand-in.
    pub(super) tunnels: Vec<TunnelServer>,
}

/// The servers that can be used; the others are left out, and said so.
pub(super) async fn resolve(servers: &[IceServer], certificates: &[Vec<u8>]) -> Servers {
    let deadline = tokio::time::Instant::now() + RESOLVE_DEADLINE;
    let mut lookups = JoinSet::new();
    let urls = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    for (order, (server, url)) in urls.take(MAX_URLS).enumerate() {
        let Some(url) = Url::parse(url) else {
            tracing::warn!(order, "an ICE server is left out: it is of an unknown kind");
            continue;
        };
        let username = server.username.clone().unwrap_or_default();
        let credential = server.credential.clone().unwrap_or_default();
        if url.relays() && (username.is_empty() || credential.is_empty()) {
            tracing::warn!(order, "an ICE server is left out: it has no credentials");
            continue;
        }
        lookups.spawn(async move {
            let found = timeout_at(deadline, tokio::net::lookup_host((&*url.host, url.port))).await;
            let Ok(Ok(addresses)) = found.map(|found| found.map(one_of_each_family)) else {
                tracing::warn!(order, "an ICE server is left out: its name cannot be resolved");
                return (order, None);
            };
            (order, Some((url, addresses, username, credential)))
        });
    }
    let mut resolved: Vec<_> = lookups.join_all().await;
    resolved.sort_by_key(|(order, _)| *order);
    let found: Vec<_> = resolved.into_iter().filter_map(|(_, server)| server).collect();
    let relay_by_udp = found.iter().any(|(url, ..)| url.kind == Kind::TurnUdp);
    let head_start = if relay_by_udp { UDP_HEAD_START } else { Duration::ZERO };
    let mut tls = None;
    let mut servers = Servers::default();
    for (url, mut addresses, username, credential) in found {
        if matches!(url.kind, Kind::TurnTcp | Kind::TurnTls) {
            let tls = match url.kind {
                Kind::TurnTls => {
                    let Ok(name) = ServerName::try_from(url.host.clone()) else { continue };
                    let config = tls.get_or_insert_with(|| client_config(certificates));
                    Some((Arc::clone(config), name))
                }
                _ => None,
            };
            for address in &mut addresses {
                // At most two for each of `MAX_URLS`.
                let number = servers.tunnels.len() as u8 + 1;
                let stand_in = stand_in(number, *address);
                let tls = tls.clone();
                servers.tunnels.push(TunnelServer { stand_in, address: *address, tls, head_start });
                *address = stand_in;
            }
        }
        let urls = addresses.iter().map(|address| url.at(*address)).collect();
        servers.known.push(RTCIceServer { urls, username, credential });
    }
    servers
}

/// Whether a server relays.
pub(super) fn is_relay(server: &RTCIceServer) -> bool {
    server.urls.iter().any(|url| url.starts_with("turn:"))
}

/// The library takes, of several addresses, the first of the family that fits.
fn one_of_each_family(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let v4 = addresses.iter().find(|address| address.is_ipv4());
    let v6 = addresses.iter().find(|address| address.is_ipv6());
    v4.into_iter().chain(v6).copied().collect()
}

/// Trusts the usual authorities and these; one that is no certificate vouches for nobody.
fn client_config(certificates: &[Vec<u8>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(certificates.iter().map(|der| CertificateDer::from(&**der)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// What a URI asks for, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stun,
    TurnUdp,
    TurnTcp,
    TurnTls,
}

/// A `stun:`, `turn:` or `turns:` URI.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    kind: Kind,
    host: String,
    port: u16,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        // `stuns:` tells an address that a stream has, which is of no use here; a relay by DTLS is
        // what no usual server offers by default.
        let kind = match (scheme, query) {
            ("stun", None) => Kind::Stun,
            ("turn", None | Some("transport=udp")) => Kind::TurnUdp,
            ("turn", Some("transport=tcp")) => Kind::TurnTcp,
            ("turns", None | Some("transport=tcp")) => Kind::TurnTls,
            _ => return None,
        };
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
        let default = if kind == Kind::TurnTls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        let port = port.map_or(Some(default), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| Self { kind, host: host.to_owned(), port })
    }

    fn relays(&self) -> bool {
        self.kind != Kind::Stun
    }

    /// As the library is to know it, at this address.
    fn at(&self, address: SocketAddr) -> String {
        if self.relays() {
            format!("turn:{address}?transport=udp")
        } else {
            format!("stun:{address}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(kind: Kind, host: &str, port: u16) -> Option<Url> {
        Some(Url { kind, host: host.to_owned(), port })
    }

    #[test]
    fn the_forms_of_a_url_are_understood() {
        use Kind::{Stun, TurnTcp, TurnTls, TurnUdp};
        assert_eq!(Url::parse("stun:stun.example"), url(Stun, "stun.example", 3478));
        assert_eq!(Url::parse("turn:192.0.2.7:99"), url(TurnUdp, "192.0.2.7", 99));
        assert_eq!(Url::parse("turn:[2001:db8::7]:99"), url(TurnUdp, "2001:db8::7", 99));
        let v6 = Url::parse("turn:[2001:db8::7]?transport=udp");
        assert_eq!(v6, url(TurnUdp, "2001:db8::7", 3478));
        assert_eq!(Url::parse("turn:x?transport=tcp"), url(TurnTcp, "x", 3478));
        assert_eq!(Url::parse("turns:x"), url(TurnTls, "x", 5349));
        assert_eq!(Url::parse("turns:x:443?transport=tcp"), url(TurnTls, "x", 443));
        for bad in [
            "",
            "stun:",
            "stuns:x",
            "turns:x?transport=udp",
            "turn:x?transport=sctp",
            "turn:x:y",
            "turn:[x",
            "x",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    fn server(url: &str, user: Option<&str>) -> IceServer {
        IceServer {
            urls: vec![url.to_owned()],
            username: user.map(str::to_owned),
            credential: user.map(str::to_owned),
        }
    }

    fn urls(servers: Servers) -> Vec<String> {
        servers.known.into_iter().flat_map(|server| server.urls).collect()
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_left_out() {
        let servers = [
            server("stuns:192.0.2.7", None),
            server("turn:192.0.2.7", None),
            server("turns:192.0.2.7", None),
            server("stun:[::1]:7", None),
            server("turn:127.0.0.1:7", Some("u")),
        ];
        let resolved = resolve(&servers, &[]).await;
        assert!(resolved.tunnels.is_empty());
        assert_eq!(urls(resolved), ["stun:[::1]:7", "turn:127.0.0.1:7?transport=udp"]);
    }

    #[tokio::test]
    async fn servers_that_are_reached_by_a_stream_have_stand_ins() {
        let servers = [
            server("turn:127.0.0.1:7?transport=tcp", Some("u")),
            server("turns:[::1]:7", Some("u")),
        ];
        let resolved = resolve(&servers, &[]).await;
        let real: Vec<_> = resolved.tunnels.iter().map(|it| it.address.to_string()).collect();
        assert_eq!(real, ["127.0.0.1:7", "[::1]:7"]);
        assert_eq!(resolved.tunnels.iter().filter(|it| it.tls.is_some()).count(), 1);
        assert!(resolved.tunnels.iter().all(|it| it.head_start.is_zero()));
        let stand_ins = ["turn:240.0.0.1:3001?transport=udp", "turn:[100::2]:3002?transport=udp"];
        assert_eq!(urls(resolved), stand_ins);
    }

    #[tokio::test]
    async fn a_relay_by_udp_comes_first() {
        let servers = ["turn:127.0.0.1:7?transport=tcp", "turn:127.0.0.1:7"];
        let resolved = resolve(&servers.map(|url| server(url, Some("u"))), &[]).await;
        assert!(resolved.tunnels.iter().all(|it| it.head_start == UDP_HEAD_START));
        assert_eq!(resolved.tunnels.len(), 1);
    }
}

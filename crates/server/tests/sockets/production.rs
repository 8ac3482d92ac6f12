//! What a server on the open internet needs: limits, proxies, TLS, figures, a quiet end and a quiet
//! log.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use futures_util::SinkExt as _;
use quartet_proto::{ClientMessage, ErrorCode, MediaState, RoomPolicy, ServerMessage};
use quartet_server::{Limits, Server, ServerConfig, TlsFiles};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tungstenite::Message;

use crate::client::{Client, PATIENCE, http, http_with, key, room};

const A: &str = "203.0.113.7";
const B: &str = "203.0.113.8";

fn config() -> ServerConfig {
    ServerConfig::at("127.0.0.1:0".parse().unwrap())
}

/// Behind a proxy on this machine, with room for two sockets and three joins an address.
fn tight() -> ServerConfig {
    let limits = Limits { connections_per_address: 2, joins_per_minute: 3, ..Limits::default() };
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    ServerConfig { limits, trusted_proxies, ..config() }
}

#[tokio::test]
async fn an_address_has_so_many_sockets_and_the_next_is_told_so() {
    let server = Server::start(tight()).unwrap();
    let address = server.local_addr();
    let mut first = Client::forwarded(address, A).await;
    let second = Client::forwarded(address, A).await;
    // What a client invents stands to the left of what the proxy says.
    let mut third = Client::forwarded(address, &format!("{B}, {A}")).await;
    third.expect_error(ErrorCode::AddressLimited).await;
    third.expect_close().await;
    let mut other = Client::forwarded(address, B).await;
    other.greet().await;
    first.greet().await;
    drop(second);
    // Its end is on the way: until then the address is full.
    let again = async {
        loop {
            let mut client = Client::forwarded(address, A).await;
            let ping = r#"{"type":"ping","nonce":1}"#;
            let _ = client.socket.send(Message::text(ping)).await;
            // Whoever is let in is told to say hello first.
            let answer = client.try_next().await;
            let Some(ServerMessage::Error { code, .. }) = answer else { continue };
            if code == ErrorCode::NotJoined {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("a place again");
    server.stop().await;
}

#[tokio::test]
async fn an_address_joins_so_often_in_a_minute_and_stays_connected() {
    let server = Server::start(tight()).unwrap();
    let mut client = Client::forwarded(server.local_addr(), A).await;
    client.greet().await;
    for _ in 0..3 {
        client.join(room(1), key(1)).await;
        client.send(ClientMessage::Leave).await;
    }
    let (policy, members, media) = (RoomPolicy::Open, None, MediaState::default());
    let name = "Ann".to_owned();
    let join = ClientMessage::Join { room: room(1), key: key(1), name, media, policy, members };
    client.send(join).await;
    client.expect_error(ErrorCode::AddressLimited).await;
    client.expect_alive().await;
    let mut other = Client::forwarded(server.local_addr(), B).await;
    other.greet().await;
    other.join(room(1), key(2)).await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_trusted_proxy_nobody_is_believed() {
    let server = Server::start(ServerConfig { trusted_proxies: Vec::new(), ..tight() }).unwrap();
    // All of them come from this machine, which is not limited.
    for _ in 0..5 {
        Client::forwarded(server.local_addr(), A).await.greet().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn figures_are_for_this_machine_or_at_their_own_port() {
    let metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    let server = Server::start(ServerConfig { metrics_listen, ..config() }).unwrap();
    let _client = Client::joined(server.local_addr(), room(1), 1).await;
    for address in [server.local_addr(), server.metrics_addr().unwrap()] {
        let page = http(address, "GET", "/metrics").await;
        assert_eq!(page.status, 200);
        assert!(page.headers["content-type"].starts_with("text/plain; version=0.0.4"));
        for line in ["quartet_connections 1", "quartet_participants 1", "quartet_rooms 1"] {
            assert!(page.body.lines().any(|it| it == line), "{}", page.body);
        }
    }
    let through = |header: &'static str| http_with(server.local_addr(), "GET", "/metrics", header);
    assert_eq!(through("X-Forwarded-For: 127.0.0.1\r\n").await.status, 404);
    assert_eq!(through("Forwarded: for=127.0.0.1\r\n").await.status, 404);
    // And nothing else is there.
    assert_eq!(http(server.metrics_addr().unwrap(), "GET", "/healthz").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_drains_keeps_its_calls_and_begins_none() {
    let server = Server::start(config()).unwrap();
    let address = server.local_addr();
    assert_eq!(http(address, "GET", "/readyz").await.status, 200);
    let mut a = Client::joined(address, room(1), 1).await;
    server.drain();
    assert_eq!(http(address, "GET", "/readyz").await.status, 503);
    assert_eq!(http(address, "GET", "/healthz").await.status, 200);
    // Somebody who comes back, or late, still gets into the call that is there.
    let _b = Client::joined(address, room(1), 2).await;
    a.expect_peer_joined(key(2).peer_id()).await;
    let mut late = Client::greeted(address).await;
    late.send(ClientMessage::Watch { room: room(2) }).await;
    late.expect_error(ErrorCode::ShuttingDown).await;
    late.expect_close().await;
    a.expect_alive().await;
    server.stop().await;
    a.expect_error(ErrorCode::ShuttingDown).await;
}

/// Writes a new certificate, and gives it back.
fn issue(files: &TlsFiles) -> CertificateDer<'static> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&files.key, own.signing_key.serialize_pem()).unwrap();
    fs::write(&files.certificate, own.cert.pem()).unwrap();
    own.cert.der().clone()
}

/// What a request over TLS is answered, by a client that trusts this certificate only.
async fn https(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&tokio_rustls::rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await?;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_certificate_is_read_again_and_a_bad_one_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let files = TlsFiles { certificate: file("cert.pem"), key: file("key.pem") };
    let first = issue(&files);
    let server = Server::start(ServerConfig { tls: Some(files.clone()), ..config() }).unwrap();
    let address = server.local_addr();
    assert!(server.url().starts_with("https://"));
    assert!(https(address, &first).await.unwrap().ends_with("\r\n\r\nok\n"));
    // Half of another pair, as between two writes.
    let key_before = fs::read(&files.key).unwrap();
    let second = issue(&files);
    let key_after = fs::read(&files.key).unwrap();
    fs::write(&files.key, &key_before).unwrap();
    server.reload_certificate();
    assert!(https(address, &first).await.is_ok());
    fs::write(&files.key, &key_after).unwrap();
    server.reload_certificate();
    let renewed = async { while https(address, &second).await.is_err() {} };
    timeout(PATIENCE, renewed).await.expect("the new certificate");
    assert!(https(address, &first).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_a_plain_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let files = TlsFiles { certificate: file("cert.pem"), key: file("key.pem") };
    let refused = |what: &str| {
        let error = Server::start(ServerConfig { tls: Some(files.clone()), ..config() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused("cert.pem");
    issue(&files);
    fs::write(&files.key, "nonsense").unwrap();
    refused("key.pem");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
    refused("cannot be used");
}

#[tokio::test]
async fn slow_tls_handshakes_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let files = TlsFiles { certificate: file("cert.pem"), key: file("key.pem") };
    let own = issue(&files);
    let server = Server::start(ServerConfig { tls: Some(files), ..config() }).unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.local_addr()).await.unwrap());
    }
    let answer = timeout(PATIENCE, https(server.local_addr(), &own)).await;
    assert!(answer.expect("in time").is_ok());
    server.stop().await;
}

/// nginx in front of a server, as docs/server.md sets it up; ends with its value.
struct Nginx {
    process: std::process::Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    async fn before(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "daemon off; master_process off; pid {pid}; error_log {log};
             events {{}}
             http {{
               access_log off; client_body_temp_path {body}; proxy_temp_path {proxy};
               fastcgi_temp_path {body}; uwsgi_temp_path {body}; scgi_temp_path {body};
               server {{
                 listen {address};
                 location / {{
                   proxy_pass http://{server};
                   proxy_http_version 1.1;
                   proxy_set_header Host $host;
                   proxy_set_header Upgrade $http_upgrade;
                   proxy_set_header Connection \"upgrade\";
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                   proxy_bind 127.0.0.2;
                 }}
               }}
             }}",
            pid = at("pid"),
            log = at("log"),
            body = at("body"),
            proxy = at("proxy"),
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config).unwrap();
        let process = std::process::Command::new(nginx())
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&path)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("nginx cannot be started: install the package nginx-light");
        let nginx = Self { process, address, _folder: folder };
        let up = async { while TcpStream::connect(address).await.is_err() {} };
        timeout(PATIENCE, up).await.expect("nginx listens");
        nginx
    }
}

/// Not everybody's path has it.
fn nginx() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn behind_nginx_the_address_is_the_one_that_nginx_saw() {
    // Whoever is before nginx may say what they like of themselves: nginx adds this machine, which
    // is not limited.
    let trusted_proxies = vec!["127.0.0.2".parse::<std::net::IpAddr>().unwrap().into()];
    let server = Server::start(ServerConfig { trusted_proxies, ..tight() }).unwrap();
    let nginx = Nginx::before(server.local_addr()).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut client = Client::forwarded(nginx.address, A).await;
        client.greet().await;
        held.push(client);
    }
    assert_eq!(http(nginx.address, "GET", "/readyz").await.body, "ready\n");
    assert_eq!(http(nginx.address, "GET", "/metrics").await.status, 404);
    server.stop().await;
    // With a proxy before nginx that is ours, too, the client is the one that it names.
    let server = Server::start(tight()).unwrap();
    let nginx = Nginx::before(server.local_addr()).await;
    let _two =
        [Client::forwarded(nginx.address, A).await, Client::forwarded(nginx.address, A).await];
    let mut third = Client::forwarded(nginx.address, A).await;
    third.expect_error(ErrorCode::AddressLimited).await;
    server.stop().await;
}

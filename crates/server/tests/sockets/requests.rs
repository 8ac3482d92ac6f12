//! Requests as nobody sends them: at random, with a printed seed.

use std::collections::BTreeSet;

use fastrand::Rng;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::{PATIENCE, http, http_with},
    site::start,
};

const REQUESTS: u64 = 600;
/// Of the head of an answer.
const MAX_HEAD: usize = 2048;

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "PRI",
    "X", "G\u{0}T", "",
];
const PARTS: &[&str] = &[
    "/",
    "/j",
    "/ws",
    "/assets/",
    "assets",
    "/healthz",
    "/readyz",
    "/metrics",
    "/..",
    "/.",
    "//",
    "%2e%2e",
    "%2F",
    "%00",
    "%",
    "%zz",
    "?a=b",
    "#x",
    "\\",
    ";",
    "*",
    "index.html",
    "plain/",
    "~",
    "http://a/",
    "\u{e9}",
    "ก",
    " ",
    "etc/passwd",
];
const HEADERS: &[&str] = &[
    "Host",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Range",
    "Accept-Encoding",
    "If-None-Match",
    "Transfer-Encoding",
    "Content-Length",
    "Expect",
    "Cookie",
    "X-Forwarded-For",
    "Forwarded",
    "Origin",
    "Sec-WebSocket-Protocol",
    "",
    "\u{7f}",
];
const VALUES: &[&str] = &[
    "",
    "a",
    "127.0.0.1",
    "keep-alive",
    "Upgrade",
    "websocket",
    "h2c",
    "13",
    "99",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "chunked",
    "gzip;q=0",
    "*",
    "W/\"x\"",
    "0",
    "5",
    "-1",
    "18446744073709551616",
    "bytes=0-",
    "100-continue",
    "'\"><script>",
    "\u{0}",
    "\u{ff}",
    "a.example; default-src *",
    "203.0.113.7, 10.0.0.1",
];

fn request(rng: &mut Rng) -> Vec<u8> {
    let pick = |rng: &mut Rng, from: &[&str]| from[rng.usize(..from.len())].to_owned();
    // Half of each as it should be, so that some get through.
    let path = if rng.bool() {
        ["/", "/j", "/healthz", "/readyz", "/metrics", "/ws"][rng.usize(..6)].to_owned()
    } else {
        (0..rng.usize(1..5)).map(|_| pick(rng, PARTS)).collect()
    };
    let method = if rng.bool() { "GET".to_owned() } else { pick(rng, METHODS) };
    let path = if rng.u8(..20) == 0 { path.repeat(rng.usize(1..4_000)) } else { path };
    let version =
        if rng.u8(..10) > 0 { "HTTP/1.1" } else { ["HTTP/1.0", "HTTP/9", ""][rng.usize(..3)] };
    let mut text = format!("{method} {path} {version}\r\n");
    if rng.bool() {
        text += "Host: a\r\n";
    }
    let many = if rng.u8(..20) == 0 { 200 } else { 6 };
    for _ in 0..rng.usize(0..many) {
        text += &format!("{}: {}\r\n", pick(rng, HEADERS), pick(rng, VALUES));
    }
    text += "Connection: close\r\n\r\n";
    let mut bytes = text.into_bytes();
    // And some that are no text any more.
    if rng.u8(..4) == 0 {
        for _ in 0..rng.usize(1..8) {
            let place = rng.usize(..bytes.len());
            bytes[place] = rng.u8(..);
        }
    }
    bytes
}

/// Everything that is served, each as it is, with what figures look like.
async fn all_that_is_there(address: std::net::SocketAddr) -> BTreeSet<Vec<u8>> {
    let page = http(address, "GET", "/").await.body;
    let mut known = BTreeSet::new();
    let assets = page.split('"').filter_map(|part| part.strip_prefix("./"));
    for path in assets.chain(["", "healthz", "readyz"]) {
        let path = format!("/{path}");
        known.insert(http(address, "GET", &path).await.bytes);
        known.insert(http_with(address, "GET", &path, "Accept-Encoding: gzip\r\n").await.bytes);
    }
    known
}

#[tokio::test]
async fn whatever_is_asked_for_nothing_else_comes_and_nothing_fails() {
    let server = start();
    let address = server.local_addr();
    let known = all_that_is_there(address).await;
    let (mut statuses, mut bodies) = (BTreeSet::new(), 0);
    for seed in 0..REQUESTS {
        let request = request(&mut Rng::with_seed(seed));
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be answered, and closed, before it is whole.
        let _ = stream.write_all(&request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "seed {seed} is kept waiting: {shown}");
        let Some(end) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
            assert!(answer.is_empty(), "seed {seed}: {shown}");
            continue;
        };
        let head = str::from_utf8(&answer[..end]).expect("a head is text");
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(status < 500 && status != 101, "seed {seed}: {status} for {shown}");
        assert!(head.len() <= MAX_HEAD, "seed {seed}: {head}");
        assert!(
            !head.contains("script>") && !head.contains("default-src *"),
            "seed {seed}: {head}"
        );
        statuses.insert(status);
        let body = &answer[end + 4..];
        if status == 200 && !body.is_empty() {
            bodies += 1;
            let is_figures = body.starts_with(b"# HELP quartet_");
            assert!(is_figures || known.contains(body), "seed {seed}: {head} for {shown}");
        } else {
            assert!(body.len() < 256, "seed {seed}: {head} for {shown}");
        }
    }
    println!("{statuses:?}, {bodies} with something in them");
    // Random requests that all bounce off at the first look would prove little.
    assert!(bodies > 20 && statuses.is_superset(&[200, 400, 404, 405].into()), "{statuses:?}");
    assert_eq!(http(address, "GET", "/healthz").await.body, "ok\n");
    server.stop().await;
}

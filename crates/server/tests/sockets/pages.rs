//! What is served over HTTP.

use std::{io::Read as _, time::Instant};

use flate2::read::GzDecoder;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::{HttpAnswer, PATIENCE, http, http_with},
    site::start,
};

#[tokio::test]
async fn health_is_plain() {
    let server = start();
    let answer = http(server.local_addr(), "GET", "/healthz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    server.stop().await;
}

/// Asset names in the page; there are some when the page was built before this test.
fn assets(page: &str) -> Vec<String> {
    let parts = page.split('"').filter_map(|part| part.strip_prefix("./assets/"));
    let names: Vec<String> = parts.map(|name| format!("/assets/{name}")).collect();
    assert!(!names.is_empty(), "build the page first: cargo xtask build");
    names
}

fn is_protected(answer: &HttpAnswer, address: std::net::SocketAddr) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         font-src 'self'; connect-src 'self' ws://{address} wss://{address}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let permissions = "camera=(self), microphone=(self), display-capture=(self), \
         geolocation=(), payment=(), usb=()";
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("permissions-policy", permissions),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_comes_once() {
    let server = start();
    let address = server.local_addr();
    let page = http(address, "GET", "/j").await;
    assert_eq!(page.status, 200);
    assert_eq!(http(address, "GET", "/").await.body, page.body, "one page for both");
    is_protected(&page, address);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["cache-control"], "no-cache");
    // All code and style come from files: the policy would refuse anything else.
    assert!(!page.body.contains("<style") && !page.body.contains(" style="));
    assert_eq!(page.body.matches("<script").count(), page.body.matches(" src=").count());

    let tag = &page.headers["etag"];
    let again = http_with(address, "GET", "/j", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    assert_eq!(&again.headers["etag"], tag);
    is_protected(&again, address);
    let other = http_with(address, "GET", "/j", "If-None-Match: \"other\"\r\n").await;
    assert_eq!(other.body, page.body);
    server.stop().await;
}

#[tokio::test]
async fn what_belongs_to_the_page_is_kept_for_ever() {
    let server = start();
    let address = server.local_addr();
    let page = http(address, "GET", "/").await.body;
    for name in assets(&page) {
        let asset = http(address, "GET", &name).await;
        assert_eq!(asset.status, 200, "{name}");
        is_protected(&asset, address);
        let policy = "public, max-age=31536000, immutable";
        assert_eq!(asset.headers["cache-control"], policy, "{name}");
        let content_type = match name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        assert_eq!(asset.headers["content-type"], content_type, "{name}");
        assert!(!asset.headers.contains_key("content-encoding"));

        let small = http_with(address, "GET", &name, "Accept-Encoding: br, gzip\r\n").await;
        assert_eq!(small.headers["content-encoding"], "gzip", "{name}");
        assert_eq!(small.headers["vary"], "accept-encoding");
        assert!(small.bytes.len() < asset.bytes.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(small.bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, asset.bytes, "{name}");

        let head = http(address, "HEAD", &name).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
        assert_eq!(head.headers["content-length"], asset.bytes.len().to_string());
    }
    server.stop().await;
}

/// A page comes over one connection, with pauses between its parts; a connection that only stays,
/// or never finishes what it asks for, is closed.
#[tokio::test]
async fn connections_that_only_stay_are_closed() {
    let server = start();
    let start = Instant::now();
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut slow = TcpStream::connect(server.local_addr()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let mut idle = TcpStream::connect(server.local_addr()).await.unwrap();
    idle.write_all(b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    for (name, stream) in [("silent", &mut silent), ("slow", &mut slow), ("idle", &mut idle)] {
        let mut rest = Vec::new();
        // However it ends: with an end, or reset with an answer unread.
        let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "{name} was kept for {:?}", start.elapsed());
    }
    assert!(start.elapsed().as_secs() >= 4, "closed too soon: {:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn nothing_else_is_there() {
    let server = start();
    for path in [
        "/assets/",
        "/assets",
        "/assets/../index.html",
        "/assets/..%2findex.html",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/.built",
        "/assets//etc/passwd",
        "/plain/index.html",
        "/j.js",
    ] {
        assert_eq!(http(server.local_addr(), "GET", path).await.status, 404, "{path}");
    }
    for path in ["/j/", "/index.html", "/healthz/", "/j.html", "/../Cargo.toml", "/%2e%2e/"] {
        assert_eq!(http(server.local_addr(), "GET", path).await.status, 404, "{path}");
    }
    for path in ["/", "/j", "/assets/index.js"] {
        assert_eq!(http(server.local_addr(), "POST", path).await.status, 405, "{path}");
        assert_eq!(http(server.local_addr(), "OPTIONS", path).await.status, 405, "{path}");
    }
    assert_eq!(http(server.local_addr(), "GET", "/ws").await.status, 400);
    server.stop().await;
}

//! What is served over HTTP.

use crate::client::{http, start};

#[tokio::test]
async fn health_is_plain() {
    let server = start();
    let answer = http(server.local_addr(), "GET", "/healthz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    server.stop().await;
}

#[tokio::test]
async fn the_page_behind_a_link_keeps_its_secret() {
    let server = start();
    for (path, content_type) in
        [("/j", "text/html"), ("/j.js", "text/javascript"), ("/j.css", "text/css")]
    {
        let answer = http(server.local_addr(), "GET", path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], format!("{content_type}; charset=utf-8"));
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
    let page = http(server.local_addr(), "GET", "/j").await.body;
    // All code and style come from files: the policy would refuse anything else.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains(r#"<script src="/j.js" defer></script>"#));
    assert!(!page.contains("<style") && !page.contains(" style="));
    for handler in [" onclick", " onload", " onerror"] {
        assert!(!page.contains(handler));
    }
    assert!(page.contains("You are invited") && page.contains("คุณได้รับเชิญ"));
    let script = http(server.local_addr(), "GET", "/j.js").await.body;
    for way_out in ["fetch", "XMLHttpRequest", "WebSocket", "sendBeacon", "import", "innerHTML"] {
        assert!(!script.contains(way_out), "{way_out}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_else_is_there() {
    let server = start();
    for path in ["/", "/j/", "/index.html", "/healthz/", "/j.html", "/../Cargo.toml", "/%2e%2e/"] {
        assert_eq!(http(server.local_addr(), "GET", path).await.status, 404, "{path}");
    }
    assert_eq!(http(server.local_addr(), "POST", "/j").await.status, 405);
    assert_eq!(http(server.local_addr(), "GET", "/ws").await.status, 400);
    server.stop().await;
}

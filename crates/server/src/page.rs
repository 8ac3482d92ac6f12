//! The page behind join links: the same user interface as the app's, embedded when this was built.
//!
//! Its files are in the program, each as it is and compressed; nothing is looked up on a disk, so
//! no path leads anywhere else. `build.rs` says which files these are.

use std::borrow::Cow;

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Names of assets have a hash of their content: what such a name once was, it always is. A year is
/// the most that caches honour (RFC 9111 leaves it to them).
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The page itself names the assets of the server's version: to be asked for each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Camera, microphone and screen are for the page alone, and it needs nothing else of this kind.
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), \
     geolocation=(), payment=(), usb=()";
/// Longest name of a host, with its port (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253 + ":65535".len();

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/page"]
struct Built;

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(index))
        .route("/j", get(index))
        .route("/assets/{*name}", get(asset))
}

async fn index(request: HeaderMap) -> Response {
    let file = Built::get("plain/index.html").expect("the build script put it there");
    let tag = entity_tag(&file);
    let common = [
        (header::CACHE_CONTROL, ASK_AGAIN),
        (header::ETAG, HeaderValue::from_str(&tag).expect("hexadecimal")),
    ];
    if is_known(&request, &tag) {
        return (StatusCode::NOT_MODIFIED, protection(&request), common).into_response();
    }
    (protection(&request), common, content("index.html", file, &request)).into_response()
}

async fn asset(Path(name): Path<String>, request: HeaderMap) -> Response {
    let name = format!("assets/{name}");
    match Built::get(&format!("plain/{name}")) {
        Some(file) => {
            let common = [(header::CACHE_CONTROL, FOREVER)];
            (protection(&request), common, content(&name, file, &request)).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A file in the form that the client takes, with what says which form that is.
fn content(name: &str, plain: EmbeddedFile, request: &HeaderMap) -> Response {
    let what = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(name))),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    let compressed = Built::get(&format!("gzip/{name}")).filter(|_| takes_gzip(request));
    match compressed {
        Some(file) => {
            let how = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
            (what, how, bytes(file)).into_response()
        }
        None => (what, bytes(plain)).into_response(),
    }
}

fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// The page has the secret of a call in its address: it runs only our own code, talks to its own
/// server only, is framed by nobody, and tells nobody where it came from.
fn protection(request: &HeaderMap) -> HeaderMap {
    let policy = HeaderValue::from_str(&content_security_policy(host(request)));
    let headers: [(HeaderName, HeaderValue); 6] = [
        (header::CONTENT_SECURITY_POLICY, policy.expect("a host is plain")),
        (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    headers.into_iter().collect()
}

fn content_security_policy(host: Option<&str>) -> String {
    // Safari counts a WebSocket of the same host as another origin unless it is named.
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         font-src 'self'; connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// The host that the client named, as long as it is written as hosts are: it becomes a part of the
/// policy, where other characters have a meaning.
fn host(request: &HeaderMap) -> Option<&str> {
    let host = request.get(header::HOST)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (!host.is_empty() && host.len() <= MAX_HOST_BYTES && host.bytes().all(plain)).then_some(host)
}

/// Whether the client has named `gzip` and not refused it (RFC 9110 §12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(0.0)
    })
}

/// Weak, since the compressed form is another sequence of bytes (RFC 9110 §8.8.1).
fn entity_tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hash: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{hash}\"")
}

/// Whether the client has this version already (RFC 9110 §13.1.2, weak comparison).
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    lists.flat_map(|list| list.split(',')).any(|it| it.trim() == "*" || bare(it) == bare(tag))
}

/// By the end of the name; what the page's build does not make has no type here.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;

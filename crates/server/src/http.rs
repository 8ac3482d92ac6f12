//! What is served over HTTP: a sign of health, the page behind join links, and the way in.

use axum::{
    Router,
    extract::{State, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use quartet_proto::limits::MAX_MESSAGE_BYTES;

use crate::{page, server::Door, socket};

/// Bytes of a message that are still read. What is a little too large is read whole and thrown
/// away, so that the connection can be closed in an orderly way; of more, only the header is read.
const MAX_READ_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
/// Bytes of a connection's read buffer; the library's own 128 KiB for each would be a lot.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// The page has the secret of a call in its address: it runs only our script, talks to nobody, is
/// framed by nobody, and tells nobody where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes(door: Door) -> Router {
    Router::new()
        .route("/healthz", get(async || asset("text/plain; charset=utf-8", "ok\n")))
        .route("/j", get(async || asset("text/html; charset=utf-8", include_str!("page/j.html"))))
        .route(
            "/j.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("page/j.js"))),
        )
        .route("/j.css", get(async || asset("text/css; charset=utf-8", include_str!("page/j.css"))))
        .merge(page::routes())
        .route("/ws", any(upgrade))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(door)
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    let headers: [(HeaderName, &str); 6] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The page belongs to the server's version, and is small.
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers: HeaderMap =
        headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    (headers, body).into_response()
}

async fn upgrade(State(door): State<Door>, request: WebSocketUpgrade) -> Response {
    // axum spawns what follows by itself: the token counts it among our tasks.
    let token = door.tasks.token();
    request
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(MAX_READ_BYTES)
        .max_frame_size(MAX_READ_BYTES)
        .on_upgrade(|socket| async move {
            socket::serve(socket, door).await;
            drop(token);
        })
}

//! What is served over HTTP: a sign of health, the page, and the way in.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{State, ws::WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use quartet_proto::{ErrorCode, limits::MAX_MESSAGE_BYTES};
use tokio::{sync::oneshot, time::timeout};
use tracing::warn;

use crate::{
    client_address::{Peer, is_forwarded},
    metrics::Metrics,
    page,
    server::{Door, Event},
    socket::{self, Arrival},
    source_limiter::{Admission, Source},
};

/// The hub answers within a millisecond; without an answer the figures come without a census.
const CENSUS_DEADLINE: Duration = Duration::from_secs(1);

/// Bytes of a message that are still read. What is a little too large is read whole and thrown
/// away, so that the connection can be closed in an orderly way; of more, only the header is read.
const MAX_READ_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
/// Bytes of a connection's read buffer, which it keeps while nothing comes: most of what a connection
/// takes. A ping or a candidate fits; a description takes some more calls to read.
const READ_BUFFER_BYTES: usize = 1024;

/// Bytes that a connection has encoded and not yet written: of ours it is one message at a time, the
/// rest are answers to pings of the library's, for a client that sends those and does not read. Beyond
/// it, it is cut off.
const MAX_WRITE_BYTES: usize = 512 * 1024;

pub(crate) fn routes(door: Door) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(local_metrics))
        .merge(page::routes())
        .route("/ws", any(upgrade))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(door)
}

/// What a machine of its own is asked for figures with.
pub(crate) fn metrics_routes(door: Door) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(door)
}

/// Whether newcomers should be sent here.
async fn ready(State(door): State<Door>) -> (StatusCode, &'static str) {
    if door.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if door.is_cut_off.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "Redis is away\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

/// For this machine only, and not through a proxy on it.
async fn local_metrics(
    State(door): State<Door>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if peer.to_canonical().is_loopback() && !is_forwarded(&headers) {
        metrics(State(door)).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

async fn metrics(State(door): State<Door>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let (answer, census) = oneshot::channel();
    let census = async {
        door.events.send(Event::Census(answer)).await.ok()?;
        census.await.ok()
    };
    let census = timeout(CENSUS_DEADLINE, census).await.ok().flatten();
    (kind, door.metrics.page(census.as_ref())).into_response()
}

async fn upgrade(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    request: WebSocketUpgrade,
) -> Response {
    if door.proxies.is_missing(peer, &headers) && !door.has_warned.swap(true, Ordering::Relaxed) {
        warn!(
            "people come through a proxy that --trusted-proxy does not name: limits by address \
             take all of them for one, or for this machine"
        );
    }
    let source = Source::of(door.proxies.client(peer, &headers));
    let (place, refusal) = match door.limiter.socket(Instant::now(), source) {
        Admission::Taken(place) => (place, None),
        Admission::Refused(place, code) => (place, Some(code)),
        Admission::TurnedAway(code) => {
            Metrics::count(&door.metrics.turned_away);
            let status = match code {
                ErrorCode::AddressLimited => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            return status.into_response();
        }
    };
    let arrival = Arrival { source, refusal };
    // axum spawns what follows by itself: the token counts it among our tasks.
    let token = door.tasks.token();
    request
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BYTES)
        .max_message_size(MAX_READ_BYTES)
        .max_frame_size(MAX_READ_BYTES)
        .on_upgrade(move |socket| async move {
            socket::serve(socket, door, arrival).await;
            drop((place, token));
        })
}

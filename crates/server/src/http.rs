//! What is served over HTTP: a sign of health, the page, and the way in.

use axum::{
    Router,
    extract::{State, ws::WebSocketUpgrade},
    http::StatusCode,
    response::Response,
    routing::{any, get},
};
use quartet_proto::limits::MAX_MESSAGE_BYTES;

use crate::{page, server::Door, socket};

/// Bytes of a message that are still read. What is a little too large is read whole and thrown
/// away, so that the connection can be closed in an orderly way; of more, only the header is read.
const MAX_READ_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
/// Bytes of a connection's read buffer, which it keeps while nothing comes: most of what a connection
/// takes. A ping or a candidate fits; a description takes some more calls to read.
const READ_BUFFER_BYTES: usize = 1024;

pub(crate) fn routes(door: Door) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .merge(page::routes())
        .route("/ws", any(upgrade))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(door)
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

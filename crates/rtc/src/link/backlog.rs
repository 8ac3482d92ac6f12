//! How much waits in a channel that others are not to wait behind.

use std::time::Duration;

use tokio::time::sleep;
use webrtc::data_channel::DataChannel;

/// Bytes that are sent on a channel without the peer's having acknowledged them, when a message more
/// may still be sent: what waits there, a voice on the same path may have to wait for. (The library
/// has one limit for all channels, which is that of the files.)
const BACKLOG: usize = 4 * 1024;
/// The library does not say when there is room: it is looked for. Words are rare, and this is less
/// than anybody notices.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until a message may be sent. The error is that the channel has ended.
pub(super) async fn has_room(channel: &dyn DataChannel) -> webrtc::error::Result<()> {
    while channel.outstanding_bytes().await? >= BACKLOG {
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

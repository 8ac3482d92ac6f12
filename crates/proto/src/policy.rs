//! Who gets into a room.

use serde::{Deserialize, Serialize};

/// Who of those who have the link gets into a room; the later, the stricter.
///
/// Chosen by whoever makes the room, and changed by anybody in it. It concerns newcomers only:
/// whoever was in the room and comes back with the same key, after a lost connection, passes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RoomPolicy {
    /// Everybody.
    #[default]
    Open,
    /// Whom somebody inside lets in.
    Knock,
    /// Nobody.
    Locked,
}

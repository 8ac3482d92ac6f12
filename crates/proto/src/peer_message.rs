//! What two participants say to each other past the server, on a data channel.

use serde::{Deserialize, Serialize};

use crate::{PeerId, RoomPolicy};

/// One message: JSON text on the data channel that both ends open with id 0 and the label
/// `quartet` (negotiated out of band, RFC 8832 is not used). Unknown types are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerMessage {
    /// How large the receiver shows the sender's picture: no more is worth sending.
    View {
        /// Pixels of the screen; 0 when it is not shown at all.
        height: u16,
    },
    /// Whom the sender takes for a participant, so that the server alone cannot let anybody in.
    Room {
        /// Who gets in.
        policy: RoomPolicy,
        /// How many times that was changed: the higher number is the newer word.
        change: u32,
        /// Whom the sender is, or would be, connected with.
        admitted: Vec<PeerId>,
        /// Whom the sender itself put out.
        removed: Vec<PeerId>,
    },
}

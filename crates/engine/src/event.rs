//! What the engine says.

use std::{path::PathBuf, time::Duration};

pub use quartet_core::{
    chat::{ChatId, ChatLine, Witness},
    session::{Connection, Mark, Trust},
    transfer::{FileFault, FilePhase, FileState},
};
use quartet_media::DeviceError;
pub use quartet_proto::{Condition, PictureLimit};
use quartet_proto::{ErrorCode, FileId, MediaState, PeerId, PeerInfo, Reaction, RoomPolicy};

/// A device or test source of the own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Pictures.
    Camera,
    /// The own voice.
    Microphone,
    /// The others' voices.
    Speaker,
    /// What is shared beside the camera. When it fails, a window was closed say, nothing is shared
    /// any more.
    Screen,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// The server refused.
    Refused(ErrorCode),
    /// The server cannot be reached; tried again by itself once in a call.
    ServerUnreachable,
    /// Something that should not happen.
    Internal,
}

impl FailureCode {
    /// The stable word of the JSON events.
    #[must_use]
    pub fn as_str(self) -> String {
        match self {
            Self::Refused(code) => serde_json::to_value(code)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
            Self::ServerUnreachable => "server_unreachable".to_owned(),
            Self::Internal => "internal".to_owned(),
        }
    }
}

/// Why the call is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// [`crate::Command::Leave`].
    Left,
    /// It could not begin, or was ended by the server.
    Failed {
        /// The stable word.
        code: FailureCode,
        /// For people.
        message: String,
    },
}

/// What the engine says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Who is in the watched room, and who gets in.
    Roster(Vec<PeerInfo>, RoomPolicy),
    /// The watched room's server cannot be reached; tried again by itself.
    RosterUnknown,
    /// In the room.
    Joined {
        /// The own id.
        you: PeerId,
        /// Who was there before. Each of them follows as [`Self::PeerJoined`], too.
        present: Vec<PeerInfo>,
    },
    /// Somebody inside has to let this participant in; `Joined` or `Ended` follows.
    Waiting,
    /// Somebody wants to come in.
    Knock(PeerInfo),
    /// They do not wait for an answer any more.
    KnockOver(PeerId),
    /// Who gets in has changed.
    Policy {
        /// From now on.
        policy: RoomPolicy,
        /// Who changed it, if that is known.
        by: Option<PeerId>,
    },
    /// Somebody was put out; `PeerLeft` follows.
    PeerRemoved {
        /// Who.
        peer: PeerId,
        /// By whom, if that is known.
        by: Option<PeerId>,
    },
    /// The signalling server is gone (false) or back (true); the media goes on.
    Signalling {
        /// It answers.
        online: bool,
    },
    /// Somebody came.
    PeerJoined(PeerInfo),
    /// Somebody is gone.
    PeerLeft(PeerInfo),
    /// What somebody sends has changed.
    PeerMedia(PeerId, MediaState),
    /// The connection to somebody has changed.
    PeerConnection(PeerId, Connection),
    /// What is known of somebody's identity has changed; at first nothing is.
    PeerTrust(PeerId, Trust),
    /// A path to somebody was found: the candidate types of both ends.
    Connected {
        /// Who.
        peer: PeerId,
        /// `host`, `srflx`, `prflx` or `relay`.
        local: String,
        /// The same.
        remote: String,
    },
    /// Somebody's first voice packet is there.
    FirstAudio(PeerId),
    /// Somebody's first picture is complete.
    FirstVideo(PeerId),
    /// A device does not work (any more); the call goes on without it.
    SourceFailed(SourceKind, DeviceError),
    /// A device works (again).
    SourceRunning(SourceKind),
    /// The machine does not keep up with encoding or decoding: pictures are smaller for now (true),
    /// or no longer (false).
    MachineBusy(bool),
    /// Loudness, 0..=1, ten times a second: the own voice and everybody's.
    Levels {
        /// Before muting, so that one can be told that one speaks muted.
        own: f32,
        /// In no order.
        peers: Vec<(PeerId, f32)>,
    },
    /// Whose hands are up now, in the order in which they were raised; the own one is among them.
    Hands(Vec<PeerId>),
    /// Somebody reacts, or the own side does.
    Reaction(PeerId, Reaction),
    /// Something was said in the chat, by the own side too; it takes the place of an earlier line of
    /// the same id.
    Chat(ChatLine),
    /// How far a file is that somebody offers, or is offered; it takes the place of what was said of
    /// the same file, person and direction.
    File(FileState),
    /// A file of the own side is being read, before it is offered; over when all of it is.
    FileHashing {
        /// What it is called.
        name: String,
        /// Bytes read.
        bytes: u64,
        /// Of so many.
        of: u64,
    },
    /// A file of the own side cannot be offered: it cannot be read, is too large, or too many are.
    FileNotOffered {
        /// What it is called.
        name: String,
    },
    /// A file that came is there, whole; [`Self::File`] follows.
    FileSaved {
        /// Which.
        file: FileId,
        /// Under which name.
        path: PathBuf,
    },
    /// Figures, once a second in a call.
    Stats(Stats),
    /// Something was refused or failed; the call goes on.
    Error {
        /// The stable word.
        code: FailureCode,
        /// For people.
        message: String,
    },
    /// The call is over; the engine can join again.
    Ended(EndReason),
}

/// One running encoder, over the time since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EncodeStats {
    /// What it aims at, kilobits a second.
    pub target_kbps: f32,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second.
    pub fps: f32,
    /// Kilobits a second.
    pub kbps: f32,
    /// CPU time of the encoder thread for this encoding, in milliseconds, since the engine started.
    pub cpu_ms: f64,
}

/// Pictures from somebody. A freeze is a gap between shown pictures longer than
/// max(3 × the average gap, the average + 150 ms).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoInStats {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second, since the last report.
    pub fps: f32,
    /// Kilobits a second, since the last report.
    pub kbps: f32,
    /// Since the call began.
    pub frames: u64,
    /// Since the call began.
    pub freezes: u64,
    /// Time frozen since the call began.
    pub frozen: Duration,
    /// The longest freeze since the call began.
    pub longest_freeze: Duration,
}

/// Pictures to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoOutStats {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second, since the last report.
    pub fps: f32,
    /// Kilobits a second, since the last report.
    pub kbps: f32,
    /// What the encoder aims at.
    pub target_kbps: f32,
    /// Why no more is sent.
    pub limited_by: PictureLimit,
}

/// A voice from somebody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioInStats {
    /// Kilobits a second, since the last report.
    pub kbps: f32,
    /// Since the call began.
    pub packets: u64,
    /// Since the call began.
    pub lost: u64,
    /// Share of the played time that was invented, 0..=1, since the call began.
    pub concealed_ratio: f32,
    /// Time played since the call began…
    pub played: Duration,
    /// …and how much of it was invented.
    pub concealed: Duration,
    /// How long a packet waits before it is played, now.
    pub delay: Duration,
}

/// The own voice to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioOutStats {
    /// Kilobits a second, since the last report.
    pub kbps: f32,
    /// Since the call began.
    pub packets: u64,
}

/// The way that packets take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStats {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub local: String,
    /// The same.
    pub remote: String,
    /// The own relay is reached by TCP or TLS: UDP does not get through.
    pub by_stream: bool,
}

/// The figures of one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStats {
    /// Who.
    pub peer: PeerId,
    /// Once it is found.
    pub path: Option<PathStats>,
    /// How the peer is doing, once it has said so.
    pub condition: Option<Condition>,
    /// Round trip of the path.
    pub rtt: Option<Duration>,
    /// What the path to there carries, kilobits a second, once that is known.
    pub estimate_kbps: Option<f32>,
    /// Share of the packets to there that did not arrive, 0..=1, lately.
    pub loss: f32,
    /// Share of the packets from there that did not arrive, 0..=1, since the last report.
    pub loss_in: f32,
    /// Pictures from there.
    pub video_in: VideoInStats,
    /// Pictures to there.
    pub video_out: VideoOutStats,
    /// The screen that is shared there.
    pub screen_in: VideoInStats,
    /// The own screen to there.
    pub screen_out: VideoOutStats,
    /// The voice from there.
    pub audio_in: AudioInStats,
    /// The voice to there.
    pub audio_out: AudioOutStats,
}

/// The figures of the call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// The running encoders, the smallest picture first.
    pub encode: Vec<EncodeStats>,
    /// Share of the time between two pictures that the encoder's thread works, 0 and up.
    pub encoder_load: f32,
    /// CPU time of the encoder's thread, in milliseconds, since the camera was opened.
    pub encoder_cpu_ms: f64,
    /// Pictures of the camera that the encoder was too slow for, since it was opened.
    pub fell_out: u64,
    /// The machine does not keep up: pictures are smaller for now.
    pub busy: bool,
    /// The connections.
    pub peers: Vec<PeerStats>,
}

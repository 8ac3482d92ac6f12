//! What the engine can be told.

use std::{fmt, path::PathBuf, sync::Arc};

use quartet_core::EncodedFrame;
use quartet_media::{AudioInput, AudioOutput, I420Frame, PcmFrame, VideoInput};
use quartet_proto::{Code, FileId, JoinLink, PeerId, Reaction, RoomPolicy, Sharing};
use quartet_rtc::IceConfig;

/// A picture on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileId {
    /// The own camera, as it is sent.
    Own,
    /// Somebody else's.
    Peer(PeerId),
    /// The screen that somebody else shares.
    Screen(PeerId),
}

/// The height of a picture that nobody has said anything of with [`Command::View`], in pixels of
/// the screen: whoever only takes pictures, a recorder say, wants them good.
pub const DEFAULT_VIEW: u16 = 720;

/// Takes the pictures of a tile, on whatever thread makes them: may neither block nor take long.
///
/// Returns false when it has no room: the engine then gives it nothing until [`Command::Refresh`],
/// which whoever made the sink sends once there is room again. (Asking for a key frame right away
/// would make a viewer that hangs cost everybody a key frame again and again.)
///
/// The engine drops it when it is replaced, detached, or its person is gone; that may not take long
/// either.
pub trait TileSink: Send + Sync + fmt::Debug {
    /// The first is a key frame.
    fn picture(&self, frame: &EncodedFrame) -> bool;
}

/// Takes somebody's voice as it is mixed, on the thread of the speaker: may neither block nor take
/// long.
pub trait VoiceTap: Send + Sync + fmt::Debug {
    /// The next 10 ms, silence included.
    fn voice(&self, frame: &PcmFrame);
}

/// Takes the own pictures as the source gives them, on the encoder's thread: may neither block nor
/// take long.
pub trait CaptureTap: Send + Sync + fmt::Debug {
    /// A picture that is about to be encoded.
    fn captured(&self, frame: &I420Frame);
}

/// The devices or test sources in use; `None` is none.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// Pictures.
    pub video: Option<Arc<dyn VideoInput>>,
    /// The own voice.
    pub audio: Option<Arc<dyn AudioInput>>,
    /// The others' voices; without one they are decoded, counted, and not heard.
    pub speaker: Option<Arc<dyn AudioOutput>>,
}

/// Something to share beside the camera.
#[derive(Debug, Clone)]
pub struct Share {
    /// Gives its pictures.
    pub input: Arc<dyn VideoInput>,
    /// What the others are told that it is.
    pub what: Sharing,
}

/// Something to say. Its `Debug`, which is for logs, leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatText(pub String);

impl fmt::Debug for ChatText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChatText({} bytes)", self.0.len())
    }
}

/// A path on this machine. Its `Debug`, which is for logs, leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePath(pub PathBuf);

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilePath(…)")
    }
}

/// How to enter a room.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Where.
    pub link: JoinLink,
    /// As whom.
    pub name: String,
    /// How paths are found; the server's own STUN and TURN servers come on top.
    pub ice: IceConfig,
    /// Who gets into the room, if nobody is in it.
    pub policy: RoomPolicy,
}

/// What the engine can be told.
#[derive(Debug)]
pub enum Command {
    /// Use these devices from now on; what is unchanged (the same `Arc`) runs on.
    Select(Selected),
    /// The own voice is withheld.
    Mute(bool),
    /// The own camera is closed.
    CameraOff(bool),
    /// Share this from now on, in place of what was shared before; `None` ends it, and so does the
    /// end of the call. Outside a call it does nothing.
    Share(Option<Share>),
    /// Echo cancellation, noise suppression and gain control.
    ProcessVoice(bool),
    /// Play the own voice on the own speaker, as the others hear it, where a microphone is open; so
    /// that a person can try both.
    HearSelf(bool),
    /// Say who is in a room ([`crate::Event::Roster`]) until a join, [`Command::Leave`] or the
    /// next `Watch`.
    Watch(JoinLink),
    /// Enter a room.
    Join(JoinRequest),
    /// Leave the room, or stop watching; the devices stay open.
    Leave,
    /// Who gets into the room from now on.
    SetPolicy(RoomPolicy),
    /// Let somebody in, of whom [`crate::Event::Knock`] told.
    Admit(PeerId),
    /// Turn them away.
    Refuse(PeerId),
    /// Put somebody out of the room.
    Remove(PeerId),
    /// Send a tile's pictures here; replaces an earlier sink of that tile.
    Attach(TileId, Arc<dyn TileSink>),
    /// Send them nowhere.
    Detach(TileId),
    /// The viewer of a tile has lost its way: begin again with a key frame.
    Refresh(TileId),
    /// A tile's whole picture is now so high, in pixels of the screen; 0 while nobody can see it.
    /// Its sender is told, who then sends no more than that; before anything is said,
    /// [`crate::DEFAULT_VIEW`]. Of the own tile it counts while a sink is attached.
    View(TileId, u16),
    /// Give somebody's voice to this as well, for a recording, until that person is gone.
    TapVoice(PeerId, Arc<dyn VoiceTap>),
    /// Give the own pictures to this as well, for a recording; `None` ends it.
    TapCapture(Option<Arc<dyn CaptureTap>>),
    /// Say this in the chat of the call, to everybody who is there or comes later; it follows as
    /// [`crate::Event::Chat`]. To be checked with [`quartet_proto::chat_text`] before: what cannot
    /// be said is dropped.
    Say(ChatText),
    /// Raise the own hand, or lower it; [`crate::Event::Hands`] follows.
    RaiseHand(bool),
    /// React to what is said. [`crate::Event::Reaction`] follows, unless that was too often.
    React(Reaction),
    /// Play somebody so many times as loud as they come, between 0 and [`quartet_media::MAX_GAIN`];
    /// it holds for the rest of the call, also when they have to come back.
    Volume(PeerId, f32),
    /// Offer a file of this machine, to somebody or to everybody who is or will be in the call; it
    /// is read once before that. [`crate::Event::File`] follows, or
    /// [`crate::Event::FileNotOffered`].
    OfferFile(FilePath, Option<PeerId>),
    /// Take the offer of a file back from somebody.
    WithdrawFile(FileId, PeerId),
    /// Hold back (true) what is sent of a file, or go on.
    HoldFile(FileId, bool),
    /// Take a file that is offered, into this folder; also again after it failed.
    AcceptFile(FileId, FilePath),
    /// Refuse a file that is offered, or give up one that is coming.
    CancelFile(FileId),
    /// Stop (true) a file that is coming for a while, or go on.
    PauseFile(FileId, bool),
    /// The user has compared somebody's code with them ([`crate::Event::PeerTrust`]), or takes that
    /// back; nothing happens if it is no longer the present one.
    ConfirmCode {
        /// With whom.
        peer: PeerId,
        /// The code that the user has seen.
        code: Code,
        /// It is the same there.
        matches: bool,
    },
    /// The machine's addresses may have changed: look for new paths.
    NetworkChanged,
}

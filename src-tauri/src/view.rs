//! What the page is told, in its own types: nothing below this file is the page's business.
//!
//! `ui/src/bindings.ts` is written from these by `cargo xtask bindings`; a test fails when it is
//! stale.
//!
//! Long because it is a list of plain types.

mod figures;

use quartet_devices::{Screen, ScreenError, ScreenKind};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use self::figures::{ConditionView, Figures, LimitView, PathView, PeerFigures, PictureFigures};

/// Where the person is in the app.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum PhaseView {
    /// Nothing has begun.
    #[default]
    Home,
    /// In front of a room.
    GreenRoom,
    /// Join was pressed, the server has not answered yet.
    Joining,
    /// Somebody inside has to let the person in.
    Waiting,
    /// In the room.
    InCall {
        /// The server answers; if not, the call goes on and nobody can come in.
        signalling_online: bool,
    },
    /// The call is over.
    Left {
        /// Why, when it was not the person's own wish.
        failure: Option<FailureView>,
    },
}

/// Something that went wrong: a stable code that the page has words for, and the original words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FailureView {
    /// `room_full`, `server_unreachable`, `invalid_link`, `replaced`, …
    pub code: String,
    /// English, for a code that the page does not know.
    pub message: String,
}

/// How the connection to one person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionView {
    /// For the first time.
    Connecting,
    /// Picture and voice can flow.
    Connected,
    /// It was lost and is being repaired.
    Reconnecting,
    /// Every try so far failed; the next one comes by itself.
    Failed,
    /// Whoever is there could not prove to have the link.
    Untrusted,
}

/// What somebody shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SharingView {
    /// A whole screen.
    Screen,
    /// One window.
    Window,
}

/// A screen or a window that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ScreenView {
    /// Names it as long as it is there.
    pub id: String,
    /// What it is.
    pub is: SharingView,
    /// The window's title: a stranger's text.
    pub title: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl From<Screen> for ScreenView {
    fn from(screen: Screen) -> Self {
        let Screen { id, kind, title, width, height } = screen;
        let is = match kind {
            ScreenKind::Screen => SharingView::Screen,
            ScreenKind::Window => SharingView::Window,
        };
        Self { id, is, title, width, height }
    }
}

impl From<ScreenError> for FailureView {
    fn from(error: ScreenError) -> Self {
        let code = match error {
            ScreenError::Unsupported(_) => "sharing_unsupported",
            ScreenError::Gone => "sharing_closed",
            ScreenError::System(_) => "sharing_failed",
        };
        Self { code: code.to_owned(), message: error.to_string() }
    }
}

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PeerView {
    /// 16 hexadecimal digits.
    pub id: String,
    /// A stranger's text.
    pub name: String,
    /// The voice is withheld.
    pub muted: bool,
    /// There is no picture.
    pub camera_off: bool,
    /// What is shared beside the camera.
    pub sharing: Option<SharingView>,
    /// How well connected.
    pub connection: ConnectionView,
    /// How sure it is that nobody stands between.
    pub trust: TrustView,
    /// How loud this person is to be heard, in percent of how they come: 0 to 200.
    pub volume: u16,
}

/// What the person has made of somebody's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MarkView {
    /// Nothing yet.
    #[default]
    Unconfirmed,
    /// It is the same there.
    Confirmed,
    /// It was, and now somebody else is in that person's place.
    Changed,
}

/// How sure it is that nobody stands between.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct TrustView {
    /// Four places in the page's table of emoji, the same at both ends; `null` before both have
    /// described themselves.
    pub code: Option<[u8; 4]>,
    /// What the person has made of it.
    pub mark: MarkView,
}

/// Who gets into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PolicyView {
    /// Everybody who has the link.
    #[default]
    Open,
    /// Whom somebody inside lets in.
    Knock,
    /// Nobody.
    Locked,
}

/// Somebody who wants to come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct KnockView {
    /// 16 hexadecimal digits.
    pub id: String,
    /// A stranger's text.
    pub name: String,
}

/// Somebody who was put out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RemovedView {
    /// Who it was.
    pub id: String,
    /// A peer's id, `own`, or `null` when that is not known.
    pub by: Option<String>,
}

/// The way into a room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct DoorView {
    /// Who gets in.
    pub policy: PolicyView,
    /// Who changed that last: a peer's id, `own`, or `null` when that is not known.
    pub by: Option<String>,
    /// In the call: who wants to come in.
    pub knocking: Vec<KnockView>,
    /// In the call: who was put out last.
    pub removed: Option<RemovedView>,
}

/// The room that the person is in, or in front of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RoomView {
    /// The link to send to others.
    pub link: String,
    /// The signalling server's host and port.
    pub server: String,
    /// The server runs inside this app.
    pub server_is_here: bool,
    /// In the green room: the names of those inside; `null` while that is not known.
    pub waiting: Option<Vec<String>>,
    /// In the call: the others.
    pub peers: Vec<PeerView>,
    /// Who gets in.
    pub door: DoorView,
    /// In the call: whose hands are up, in the order in which they were raised; peers' ids and
    /// `own`.
    pub hands: Vec<String>,
}

/// An own device, as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum DeviceState {
    /// None is chosen, or there is none.
    #[default]
    None,
    /// It is being opened.
    Starting,
    /// It works.
    Running,
    /// It does not.
    Failed {
        /// `missing`, `busy`, `denied`, `file` or `failed`.
        code: String,
        /// English.
        message: String,
    },
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Pictures.
    Camera,
    /// The own voice.
    Microphone,
    /// The others' voices.
    Speaker,
}

/// The person's own side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct MeView {
    /// The microphone is muted by the person.
    pub muted: bool,
    /// The camera is switched off by the person.
    pub camera_off: bool,
    /// What the person shares beside it.
    pub sharing: Option<SharingView>,
    /// The camera.
    pub camera: DeviceState,
    /// The microphone.
    pub microphone: DeviceState,
    /// The speaker.
    pub speaker: DeviceState,
    /// The machine does not keep up: pictures are smaller for now.
    pub busy: bool,
    /// Where the chosen device is not there, and the system's own is used meanwhile.
    pub stand_ins: Vec<DeviceKind>,
}

/// Everything that the page shows; sent whole whenever something in it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct AppView {
    /// Where the person is.
    pub phase: PhaseView,
    /// The room, in every phase but `home`; after the call, the one that was left.
    pub room: Option<RoomView>,
    /// The own side.
    pub me: MeView,
    /// What can be chosen.
    pub devices: DevicesView,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DeviceView {
    /// What `Settings` keeps: `camera`, `camera:…`, `pattern`, `mic`, `mic:…`, `tone`, `speaker`,
    /// `speaker:…`, a file's path, `none`, …; `file` lets the person pick one.
    pub id: String,
    /// For people; the page has its own words for `none`, `pattern`, `tone`, and for `camera`,
    /// `mic` and `speaker`, which are the system's own choice.
    pub label: String,
}

/// What can be chosen; the first entries are the real devices, then the test sources, then none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct DevicesView {
    /// Pictures.
    pub cameras: Vec<DeviceView>,
    /// The own voice.
    pub microphones: Vec<DeviceView>,
    /// The others' voices.
    pub speakers: Vec<DeviceView>,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct IceServerSetting {
    /// `stun:HOST`, `turn:HOST:PORT`.
    pub url: String,
    /// For TURN; else empty.
    pub username: String,
    /// For TURN; else empty.
    pub credential: String,
}

/// The language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// As the system says, English when it says neither.
    #[default]
    System,
    /// English.
    En,
    /// Thai.
    Th,
}

/// What the space bar does while it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SpaceKey {
    /// Lets a muted person speak.
    #[default]
    Talk,
    /// Mutes a person who is not.
    Mute,
    /// Nothing.
    Nothing,
}

/// What is kept between starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Settings {
    /// The display name.
    pub name: String,
    /// The language.
    pub language: Language,
    /// A [`DeviceView::id`].
    pub camera: String,
    /// A [`DeviceView::id`].
    pub microphone: String,
    /// A [`DeviceView::id`].
    pub speaker: String,
    /// Start with the microphone muted.
    pub start_muted: bool,
    /// Start with the camera off.
    pub start_camera_off: bool,
    /// Echo cancellation, noise suppression and gain control.
    pub process_voice: bool,
    /// What the space bar does in a call.
    pub space: SpaceKey,
    /// The signalling server for new calls; empty for the one inside this app.
    pub server: String,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServerSetting>,
    /// Relay only: the others never learn this machine's addresses.
    pub relay_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            language: Language::System,
            camera: "camera".to_owned(),
            microphone: "mic".to_owned(),
            speaker: "speaker".to_owned(),
            start_muted: false,
            start_camera_off: false,
            process_voice: true,
            space: SpaceKey::Talk,
            server: String::new(),
            ice_servers: Vec::new(),
            relay_only: false,
        }
    }
}

/// How somebody reacts without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReactionKind {
    /// 👍
    ThumbsUp,
    /// ❤️
    Heart,
    /// 👏
    Clap,
    /// 😂
    Laugh,
    /// 😮
    Wow,
    /// 🎉
    Party,
}

/// Somebody reacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ReactionView {
    /// A peer's id, or `own`.
    pub tile: String,
    /// How.
    pub kind: ReactionKind,
}

/// Loudness of one person, 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct LevelView {
    /// A peer's id, or `own`.
    pub tile: String,
    /// 0..=1.
    pub level: f32,
}

/// Something that was said in the chat. Lines are shown in the order of `clock`, then `author`,
/// then `seq`: the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ChatLineView {
    /// What comes first in the order.
    #[ts(type = "number")]
    pub clock: u64,
    /// Who said it, 16 hexadecimal digits; together with `seq` the line's name.
    pub author: String,
    /// Counts the author's lines.
    pub seq: u32,
    /// It was said here.
    pub own: bool,
    /// What the author is or was called; a stranger's text.
    pub name: String,
    /// A stranger's text.
    pub text: String,
    /// The name of the person on whose word the author, who is gone, has said this; a stranger's
    /// text. `null` when it came from the author.
    pub passed_on_by: Option<String>,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FilePhaseView {
    /// Waits for whom it is offered to.
    Offered,
    /// Wanted; nothing comes at the moment.
    Accepted,
    /// On its way.
    Sending,
    /// Stopped for a while.
    Paused,
    /// There, whole and verified.
    Done,
    /// Over; see `error`.
    Failed,
}

/// A file between the own side and somebody. `file`, `peer` and `outgoing` together name it; one
/// that comes is the same whoever it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FileView {
    /// What it is.
    pub file: String,
    /// To whom it goes, or from whom it comes: 16 hexadecimal digits.
    pub peer: String,
    /// It goes.
    pub outgoing: bool,
    /// As it is or will be called here; made of a stranger's text.
    pub name: String,
    /// Bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// Its media type, or empty; a stranger's text.
    pub kind: String,
    /// Bytes that are there.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Bytes a second, lately.
    #[ts(type = "number")]
    pub rate: u64,
    /// How far it is.
    pub phase: FilePhaseView,
    /// When it is over: `refused`, `cancelled`, `withdrawn`, `gone`, `changed`, `unreadable`,
    /// `corrupt`, `disk_full` or `unwritable`.
    pub error: Option<String>,
    /// Paused by the other side.
    pub held: bool,
}

/// A file that is being read, before it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct HashingView {
    /// What it is called.
    pub name: String,
    /// Bytes read.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Of so many; it is over when all of them are.
    #[ts(type = "number")]
    pub of: u64,
}

/// What the app says to the page.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum UiEvent {
    /// The new whole.
    View(Box<AppView>),
    /// Ten times a second while anything can be heard.
    Levels(Vec<LevelView>),
    /// New lines of the chat; each takes the place of an earlier one of the same name.
    Chat(Vec<ChatLineView>),
    /// To be shown for a moment.
    Reaction(ReactionView),
    /// The figures of the call, once a second.
    Figures(Figures),
    /// News of files; each takes the place of what was said of the same one.
    Files(Vec<FileView>),
    /// How far the reading of a file is that is to be offered.
    FileHashing(HashingView),
    /// So many files were dropped on the window: to be offered to whomever the person chose.
    FilesDropped(u32),
    /// To be said once, in passing.
    Notice(FailureView),
}

/// What the page needs at its start.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Boot {
    /// What was kept.
    pub settings: Settings,
    /// `en` or `th`: the system's language, for [`Language::System`].
    pub system_language: String,
    /// The app's version.
    pub version: String,
    /// The machine draws without a graphics card; the page keeps its effects plain.
    pub software_rendering: bool,
}

/// The page's types, as TypeScript.
#[must_use]
pub fn bindings() -> String {
    let config = ts_rs::Config::default();
    let declarations = [
        PhaseView::decl(&config),
        FailureView::decl(&config),
        ConnectionView::decl(&config),
        MarkView::decl(&config),
        TrustView::decl(&config),
        SharingView::decl(&config),
        ScreenView::decl(&config),
        PeerView::decl(&config),
        PolicyView::decl(&config),
        KnockView::decl(&config),
        RemovedView::decl(&config),
        DoorView::decl(&config),
        RoomView::decl(&config),
        DeviceState::decl(&config),
        DeviceKind::decl(&config),
        MeView::decl(&config),
        AppView::decl(&config),
        DeviceView::decl(&config),
        DevicesView::decl(&config),
        IceServerSetting::decl(&config),
        Language::decl(&config),
        SpaceKey::decl(&config),
        Settings::decl(&config),
        LevelView::decl(&config),
        ChatLineView::decl(&config),
        ReactionKind::decl(&config),
        ReactionView::decl(&config),
        LimitView::decl(&config),
        PathView::decl(&config),
        ConditionView::decl(&config),
        PictureFigures::decl(&config),
        PeerFigures::decl(&config),
        Figures::decl(&config),
        FilePhaseView::decl(&config),
        FileView::decl(&config),
        HashingView::decl(&config),
        UiEvent::decl(&config),
        Boot::decl(&config),
    ];
    let mut text = "// Written by `cargo xtask bindings` from src-tauri/src/view.rs.\n".to_owned();
    for declaration in declarations {
        text.push_str("\nexport ");
        text.push_str(&declaration);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_pages_bindings_are_those_of_the_types() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/bindings.ts");
        if std::env::var_os("QUARTET_WRITE_BINDINGS").is_some() {
            std::fs::write(&file, bindings()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written == bindings(), "stale: run `cargo xtask bindings`");
    }
}

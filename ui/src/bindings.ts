// Written by `cargo xtask bindings` from src-tauri/src/view.rs.

export type PhaseView = { "at": "home" } | { "at": "green_room" } | { "at": "joining" } | { "at": "waiting" } | { "at": "in_call", 
/**
 * The server answers; if not, the call goes on and nobody can come in.
 */
signalling_online: boolean, } | { "at": "left", 
/**
 * Why, when it was not the person's own wish.
 */
failure: FailureView | null, };

export type FailureView = { 
/**
 * `room_full`, `server_unreachable`, `invalid_link`, `replaced`, …
 */
code: string, 
/**
 * English, for a code that the page does not know.
 */
message: string, };

export type ConnectionView = "connecting" | "connected" | "reconnecting" | "failed" | "untrusted";

export type MarkView = "unconfirmed" | "confirmed" | "changed";

export type TrustView = { 
/**
 * Four places in the page's table of emoji, the same at both ends; `null` before both have
 * described themselves.
 */
code: [number, number, number, number] | null, 
/**
 * What the person has made of it.
 */
mark: MarkView, };

export type SharingView = "screen" | "window";

export type ScreenView = { 
/**
 * Names it as long as it is there.
 */
id: string, 
/**
 * What it is.
 */
is: SharingView, 
/**
 * The window's title: a stranger's text.
 */
title: string, 
/**
 * Pixels.
 */
width: number, 
/**
 * Pixels.
 */
height: number, };

export type PeerView = { 
/**
 * 16 hexadecimal digits.
 */
id: string, 
/**
 * A stranger's text.
 */
name: string, 
/**
 * The voice is withheld.
 */
muted: boolean, 
/**
 * There is no picture.
 */
camera_off: boolean, 
/**
 * What is shared beside the camera.
 */
sharing: SharingView | null, 
/**
 * How well connected.
 */
connection: ConnectionView, 
/**
 * How sure it is that nobody stands between.
 */
trust: TrustView, 
/**
 * How loud this person is to be heard, in percent of how they come: 0 to 200.
 */
volume: number, };

export type PolicyView = "open" | "knock" | "locked";

export type KnockView = { 
/**
 * 16 hexadecimal digits.
 */
id: string, 
/**
 * A stranger's text.
 */
name: string, };

export type RemovedView = { 
/**
 * Who it was.
 */
id: string, 
/**
 * A peer's id, `own`, or `null` when that is not known.
 */
by: string | null, };

export type DoorView = { 
/**
 * Who gets in.
 */
policy: PolicyView, 
/**
 * Who changed that last: a peer's id, `own`, or `null` when that is not known.
 */
by: string | null, 
/**
 * In the call: who wants to come in.
 */
knocking: Array<KnockView>, 
/**
 * In the call: who was put out last.
 */
removed: RemovedView | null, };

export type RoomView = { 
/**
 * The link to send to others.
 */
link: string, 
/**
 * The signalling server's host and port.
 */
server: string, 
/**
 * The server runs inside this app.
 */
server_is_here: boolean, 
/**
 * In the green room: the names of those inside; `null` while that is not known.
 */
waiting: Array<string> | null, 
/**
 * In the call: the others.
 */
peers: Array<PeerView>, 
/**
 * Who gets in.
 */
door: DoorView, 
/**
 * In the call: whose hands are up, in the order in which they were raised; peers' ids and
 * `own`.
 */
hands: Array<string>, };

export type DeviceState = { "is": "none" } | { "is": "starting" } | { "is": "running" } | { "is": "failed", 
/**
 * `missing`, `busy`, `denied`, `file` or `failed`.
 */
code: string, 
/**
 * English.
 */
message: string, };

export type DeviceKind = "camera" | "microphone" | "speaker";

export type MeView = { 
/**
 * The microphone is muted by the person.
 */
muted: boolean, 
/**
 * The camera is switched off by the person.
 */
camera_off: boolean, 
/**
 * What the person shares beside it.
 */
sharing: SharingView | null, 
/**
 * The camera.
 */
camera: DeviceState, 
/**
 * The microphone.
 */
microphone: DeviceState, 
/**
 * The speaker.
 */
speaker: DeviceState, 
/**
 * The machine does not keep up: pictures are smaller for now.
 */
busy: boolean, 
/**
 * Where the chosen device is not there, and the system's own is used meanwhile.
 */
stand_ins: Array<DeviceKind>, };

export type AppView = { 
/**
 * Where the person is.
 */
phase: PhaseView, 
/**
 * The room, in every phase but `home`; after the call, the one that was left.
 */
room: RoomView | null, 
/**
 * The own side.
 */
me: MeView, 
/**
 * What can be chosen.
 */
devices: DevicesView, };

export type DeviceView = { 
/**
 * What `Settings` keeps: `camera`, `camera:…`, `pattern`, `mic`, `mic:…`, `tone`, `speaker`,
 * `speaker:…`, a file's path, `none`, …; `file` lets the person pick one.
 */
id: string, 
/**
 * For people; the page has its own words for `none`, `pattern`, `tone`, and for `camera`,
 * `mic` and `speaker`, which are the system's own choice.
 */
label: string, };

export type DevicesView = { 
/**
 * Pictures.
 */
cameras: Array<DeviceView>, 
/**
 * The own voice.
 */
microphones: Array<DeviceView>, 
/**
 * The others' voices.
 */
speakers: Array<DeviceView>, };

export type IceServerSetting = { 
/**
 * `stun:HOST`, `turn:HOST:PORT`.
 */
url: string, 
/**
 * For TURN; else empty.
 */
username: string, 
/**
 * For TURN; else empty.
 */
credential: string, };

export type Language = "system" | "en" | "th";

export type SpaceKey = "talk" | "mute" | "nothing";

export type Settings = { 
/**
 * The display name.
 */
name: string, 
/**
 * The language.
 */
language: Language, 
/**
 * A [`DeviceView::id`].
 */
camera: string, 
/**
 * A [`DeviceView::id`].
 */
microphone: string, 
/**
 * A [`DeviceView::id`].
 */
speaker: string, 
/**
 * Start with the microphone muted.
 */
start_muted: boolean, 
/**
 * Start with the camera off.
 */
start_camera_off: boolean, 
/**
 * Echo cancellation, noise suppression and gain control.
 */
process_voice: boolean, 
/**
 * What the space bar does in a call.
 */
space: SpaceKey, 
/**
 * The signalling server for new calls; empty for the one inside this app.
 */
server: string, 
/**
 * STUN and TURN servers.
 */
ice_servers: Array<IceServerSetting>, 
/**
 * Relay only: the others never learn this machine's addresses.
 */
relay_only: boolean, };

export type LevelView = { 
/**
 * A peer's id, or `own`.
 */
tile: string, 
/**
 * 0..=1.
 */
level: number, };

export type ChatLineView = { 
/**
 * What comes first in the order.
 */
clock: number, 
/**
 * Who said it, 16 hexadecimal digits; together with `seq` the line's name.
 */
author: string, 
/**
 * Counts the author's lines.
 */
seq: number, 
/**
 * It was said here.
 */
own: boolean, 
/**
 * What the author is or was called; a stranger's text.
 */
name: string, 
/**
 * A stranger's text.
 */
text: string, 
/**
 * The name of the person on whose word the author, who is gone, has said this; a stranger's
 * text. `null` when it came from the author.
 */
passed_on_by: string | null, };

export type ReactionKind = "thumbs_up" | "heart" | "clap" | "laugh" | "wow" | "party";

export type ReactionView = { 
/**
 * A peer's id, or `own`.
 */
tile: string, 
/**
 * How.
 */
kind: ReactionKind, };

export type LimitView = "none" | "bandwidth" | "cpu" | "view";

export type PathView = { 
/**
 * `host`, `srflx`, `prflx` or `relay`.
 */
local: string, 
/**
 * The same.
 */
remote: string, 
/**
 * The own relay is reached by TCP or TLS.
 */
by_stream: boolean, };

export type ConditionView = { 
/**
 * Why what they send here is no better.
 */
limited_by: LimitView, 
/**
 * Their machine does not keep up.
 */
busy: boolean, };

export type PictureFigures = { 
/**
 * Pixels.
 */
width: number, 
/**
 * Pixels.
 */
height: number, 
/**
 * Pictures a second.
 */
fps: number, 
/**
 * Kilobits a second.
 */
kbps: number, };

export type PeerFigures = { 
/**
 * 16 hexadecimal digits.
 */
id: string, 
/**
 * Once it is found.
 */
path: PathView | null, 
/**
 * There and back, milliseconds.
 */
rtt_ms: number | null, 
/**
 * What the line to there carries, kilobits a second, once that is known.
 */
estimate_kbps: number | null, 
/**
 * Share of the packets to there that did not arrive, 0..=1.
 */
loss_out: number, 
/**
 * Share of the packets from there that did not arrive, 0..=1.
 */
loss_in: number, 
/**
 * Pictures from there.
 */
picture_in: PictureFigures, 
/**
 * Time in which the picture stood still since the call began, milliseconds.
 */
frozen_ms: number, 
/**
 * Pictures to there.
 */
picture_out: PictureFigures, 
/**
 * Why those are no better.
 */
limited_by: LimitView, 
/**
 * The voice from there, kilobits a second.
 */
voice_in_kbps: number, 
/**
 * Voice that was played since the call began, milliseconds…
 */
played_ms: number, 
/**
 * …and how much of that was invented.
 */
concealed_ms: number, 
/**
 * How long a voice packet waits before it is played, milliseconds.
 */
voice_delay_ms: number, 
/**
 * The own voice to there, kilobits a second.
 */
voice_out_kbps: number, 
/**
 * How they are doing, once they have said so.
 */
condition: ConditionView | null, };

export type Figures = { 
/**
 * The share of its time that the encoder works, 0 and up; `null` where that is not known.
 */
load: number | null, 
/**
 * The connections.
 */
peers: Array<PeerFigures>, };

export type FilePhaseView = "offered" | "accepted" | "sending" | "paused" | "done" | "failed";

export type FileView = { 
/**
 * What it is.
 */
file: string, 
/**
 * To whom it goes, or from whom it comes: 16 hexadecimal digits.
 */
peer: string, 
/**
 * It goes.
 */
outgoing: boolean, 
/**
 * As it is or will be called here; made of a stranger's text.
 */
name: string, 
/**
 * Bytes.
 */
size: number, 
/**
 * Its media type, or empty; a stranger's text.
 */
kind: string, 
/**
 * Bytes that are there.
 */
bytes: number, 
/**
 * Bytes a second, lately.
 */
rate: number, 
/**
 * How far it is.
 */
phase: FilePhaseView, 
/**
 * When it is over: `refused`, `cancelled`, `withdrawn`, `gone`, `changed`, `unreadable`,
 * `corrupt`, `disk_full` or `unwritable`.
 */
error: string | null, 
/**
 * Paused by the other side.
 */
held: boolean, };

export type HashingView = { 
/**
 * What it is called.
 */
name: string, 
/**
 * Bytes read.
 */
bytes: number, 
/**
 * Of so many; it is over when all of them are.
 */
of: number, };

export type UiEvent = { "type": "view", "data": AppView } | { "type": "levels", "data": Array<LevelView> } | { "type": "chat", "data": Array<ChatLineView> } | { "type": "reaction", "data": ReactionView } | { "type": "figures", "data": Figures } | { "type": "files", "data": Array<FileView> } | { "type": "file_hashing", "data": HashingView } | { "type": "files_dropped", "data": number } | { "type": "notice", "data": FailureView };

export type Boot = { 
/**
 * What was kept.
 */
settings: Settings, 
/**
 * `en` or `th`: the system's language, for [`Language::System`].
 */
system_language: string, 
/**
 * The app's version.
 */
version: string, 
/**
 * The machine draws without a graphics card; the page keeps its effects plain.
 */
software_rendering: boolean, };

//! The page's commands: each a line or two into [`App`].

use std::{path::PathBuf, sync::Arc};

use quartet_engine::{SourceKind, TileId};
use quartet_proto::{Code, FileId, PeerId};
use tauri::{
    AppHandle, Manager as _, State, command,
    ipc::{Channel, InvokeBody, InvokeResponseBody, Request, Response},
};
use tauri_plugin_clipboard_manager::ClipboardExt as _;
use tauri_plugin_dialog::DialogExt as _;

use crate::{
    app::App,
    browser,
    view::{Boot, FailureView, PolicyView, ReactionKind, ScreenView, Settings, UiEvent},
};

type Shared<'a> = State<'a, Arc<App>>;

#[command]
pub(crate) fn connect(app: Shared<'_>, events: Channel<UiEvent>) -> Boot {
    app.connect(events)
}

#[command]
pub(crate) async fn new_call(app: Shared<'_>) -> Result<(), FailureView> {
    app.new_call().await
}

#[command]
pub(crate) async fn open_link(app: Shared<'_>, link: String) -> Result<(), FailureView> {
    app.open_link(&link).await
}

#[command]
pub(crate) fn join(app: Shared<'_>, name: String, ask_first: bool) -> Result<(), FailureView> {
    app.join(name, ask_first)
}

#[command]
pub(crate) fn set_policy(app: Shared<'_>, policy: PolicyView) {
    app.set_policy(policy);
}

#[command]
pub(crate) fn answer_knock(app: Shared<'_>, peer: String, admit: bool) -> Result<(), FailureView> {
    app.answer_knock(peer_id(&peer)?, admit);
    Ok(())
}

#[command]
pub(crate) fn remove(app: Shared<'_>, peer: String) -> Result<(), FailureView> {
    app.remove(peer_id(&peer)?);
    Ok(())
}

#[command]
pub(crate) fn raise_hand(app: Shared<'_>, up: bool) {
    app.raise_hand(up);
}

#[command]
pub(crate) fn react(app: Shared<'_>, kind: ReactionKind) {
    app.react(kind);
}

#[command]
pub(crate) fn set_volume(app: Shared<'_>, peer: String, volume: u16) -> Result<(), FailureView> {
    app.set_volume(peer_id(&peer)?, volume);
    Ok(())
}

#[command]
pub(crate) fn leave(app: Shared<'_>) {
    app.leave();
}

#[command]
pub(crate) fn go_home(app: Shared<'_>) {
    app.leave();
}

#[command]
pub(crate) fn set_muted(app: Shared<'_>, muted: bool) {
    app.set_muted(muted);
}

#[command]
pub(crate) fn set_camera_off(app: Shared<'_>, camera_off: bool) {
    app.set_camera_off(camera_off);
}

#[command]
pub(crate) fn hear_self(app: Shared<'_>, on: bool) {
    app.hear_self(on);
}

#[command]
pub(crate) async fn list_screens() -> Result<Vec<ScreenView>, FailureView> {
    let screens = off_this_thread(quartet_devices::list_screens).await??;
    Ok(screens.into_iter().map(ScreenView::from).collect())
}

/// The picture of one of them: two bytes of width, two of height, the lower first, then RGBA.
#[command]
pub(crate) async fn screen_thumbnail(id: String) -> Result<Response, FailureView> {
    let small = off_this_thread(move || quartet_devices::thumbnail(&id)).await??;
    let mut bytes = Vec::with_capacity(4 + small.rgba.len());
    bytes.extend_from_slice(&small.width.to_le_bytes());
    bytes.extend_from_slice(&small.height.to_le_bytes());
    bytes.extend_from_slice(&small.rgba);
    Ok(Response::new(bytes))
}

#[command]
pub(crate) fn share(app: Shared<'_>, id: Option<String>) -> Result<(), FailureView> {
    app.share(id.as_deref())
}

#[command]
pub(crate) fn stop_sharing(app: Shared<'_>) {
    app.stop_sharing();
}

#[command]
pub(crate) async fn choose(
    handle: AppHandle,
    app: Shared<'_>,
    kind: String,
    id: String,
) -> Result<String, FailureView> {
    let (kind, ending) = match kind.as_str() {
        "camera" => (SourceKind::Camera, "y4m"),
        "microphone" => (SourceKind::Microphone, "wav"),
        "speaker" => (SourceKind::Speaker, ""),
        _ => return Err(misuse("kind")),
    };
    let id = if id == "file" { pick_file(&handle, ending).await } else { Some(id) };
    Ok(app.choose(kind, id))
}

#[command]
pub(crate) fn save_settings(app: Shared<'_>, settings: Settings) -> Result<Settings, FailureView> {
    app.save_settings(settings)
}

#[command]
pub(crate) fn copy_link(handle: AppHandle, app: Shared<'_>) -> Result<(), FailureView> {
    let link = app.link().ok_or_else(|| misuse("room"))?;
    handle
        .clipboard()
        .write_text(link)
        .map_err(|error| FailureView { code: "clipboard".to_owned(), message: error.to_string() })
}

#[command]
pub(crate) fn say(app: Shared<'_>, text: String) -> Result<(), FailureView> {
    app.say(&text)
}

#[command]
pub(crate) fn open_url(url: String) -> Result<(), FailureView> {
    browser::open(&url)
        .map_err(|error| FailureView { code: "open_url".to_owned(), message: error.to_string() })
}

#[command]
pub(crate) fn attach_tile(
    app: Shared<'_>,
    tile: String,
    frames: Channel<InvokeResponseBody>,
    decoded: bool,
) -> Result<(), FailureView> {
    app.attach_tile(tile_id(&tile)?, frames, decoded)
}

#[command]
pub(crate) fn detach_tile(app: Shared<'_>, tile: String) -> Result<(), FailureView> {
    app.detach_tile(tile_id(&tile)?);
    Ok(())
}

#[command]
pub(crate) fn tile_shown(app: Shared<'_>, tile: String, count: u64) -> Result<(), FailureView> {
    app.tile_shown(tile_id(&tile)?, count);
    Ok(())
}

#[command]
pub(crate) fn refresh_tile(app: Shared<'_>, tile: String) -> Result<(), FailureView> {
    app.refresh_tile(tile_id(&tile)?);
    Ok(())
}

#[command]
pub(crate) fn view_tile(app: Shared<'_>, tile: String, height: u16) -> Result<(), FailureView> {
    app.view_tile(tile_id(&tile)?, height);
    Ok(())
}

#[command]
pub(crate) fn confirm_code(
    app: Shared<'_>,
    peer: String,
    code: [u8; 4],
    matches: bool,
) -> Result<(), FailureView> {
    let peer = peer.parse().map_err(|_| misuse("person"))?;
    let code = Code::from_places(code).ok_or_else(|| misuse("code"))?;
    app.confirm_code(peer, code, matches);
    Ok(())
}

#[command]
pub(crate) async fn pick_files(
    handle: AppHandle,
    app: Shared<'_>,
    to: Option<String>,
) -> Result<(), FailureView> {
    let to = recipient(to)?;
    let (picked, answer) = tokio::sync::oneshot::channel();
    handle.dialog().file().pick_files(move |files| {
        // Nobody waits any more when the app is closing.
        let _ = picked.send(files);
    });
    let files = answer.await.ok().flatten().unwrap_or_default();
    let paths = files.into_iter().filter_map(|file| file.into_path().ok()).collect();
    app.offer_files(paths, to)
}

#[command]
pub(crate) fn offer_dropped(app: Shared<'_>, to: Option<String>) -> Result<(), FailureView> {
    app.offer_dropped(recipient(to)?)
}

/// The bytes are the whole body; the rest is in headers, percent-encoded.
#[command]
pub(crate) async fn offer_pasted(app: Shared<'_>, request: Request<'_>) -> Result<(), FailureView> {
    let header = |name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        percent_encoding::percent_decode_str(value).decode_utf8().ok().map(String::from)
    };
    let InvokeBody::Raw(content) = request.body() else { return Err(misuse("file")) };
    let name = header("quartet-name").ok_or_else(|| misuse("name"))?;
    app.offer_pasted(&name, content, recipient(header("quartet-to"))?)
}

/// Into the folder for downloads, or into one that the person chooses.
#[command]
pub(crate) async fn accept_file(
    handle: AppHandle,
    app: Shared<'_>,
    file: String,
    choose: bool,
) -> Result<(), FailureView> {
    let file = file_id(&file)?;
    let folder = if choose { pick_folder(&handle).await } else { downloads(&handle) };
    if let Some(folder) = folder {
        app.accept_file(file, folder);
    } else if !choose {
        return Err(misuse("folder"));
    }
    Ok(())
}

#[command]
pub(crate) fn cancel_file(app: Shared<'_>, file: String) -> Result<(), FailureView> {
    app.cancel_file(file_id(&file)?);
    Ok(())
}

#[command]
pub(crate) fn pause_file(app: Shared<'_>, file: String, paused: bool) -> Result<(), FailureView> {
    app.pause_file(file_id(&file)?, paused);
    Ok(())
}

#[command]
pub(crate) fn withdraw_file(
    app: Shared<'_>,
    file: String,
    peer: String,
) -> Result<(), FailureView> {
    app.withdraw_file(file_id(&file)?, peer_id(&peer)?);
    Ok(())
}

#[command]
pub(crate) fn hold_file(app: Shared<'_>, file: String, held: bool) -> Result<(), FailureView> {
    app.hold_file(file_id(&file)?, held);
    Ok(())
}

/// Shows the folder that a file lies in. Never the file itself: that could be a program.
#[command]
pub(crate) fn show_file(app: Shared<'_>, file: String) -> Result<(), FailureView> {
    let folder = app.folder_of(file_id(&file)?).ok_or_else(|| misuse("file"))?;
    open::that_detached(folder)
        .map_err(|error| FailureView { code: "open_folder".to_owned(), message: error.to_string() })
}

fn recipient(to: Option<String>) -> Result<Option<PeerId>, FailureView> {
    to.filter(|to| !to.is_empty()).map(|to| peer_id(&to)).transpose()
}

fn file_id(text: &str) -> Result<FileId, FailureView> {
    text.parse().map_err(|_| misuse("file"))
}

/// Where downloads go here; else the person's own folder.
fn downloads(handle: &AppHandle) -> Option<PathBuf> {
    let path = handle.path();
    path.download_dir().or_else(|_| path.home_dir()).ok()
}

async fn pick_folder(handle: &AppHandle) -> Option<PathBuf> {
    let (picked, answer) = tokio::sync::oneshot::channel();
    handle.dialog().file().pick_folder(move |folder| {
        let _ = picked.send(folder);
    });
    answer.await.ok()??.into_path().ok()
}

fn tile_id(text: &str) -> Result<TileId, FailureView> {
    match text {
        "own" => Ok(TileId::Own),
        other => {
            let id = |peer: &str| peer.parse().map_err(|_| misuse("tile"));
            match other.strip_prefix("screen:") {
                Some(peer) => id(peer).map(TileId::Screen),
                None => id(other).map(TileId::Peer),
            }
        }
    }
}

fn peer_id(text: &str) -> Result<PeerId, FailureView> {
    text.parse().map_err(|_| misuse("person"))
}

/// Asks the system something that may take a while.
async fn off_this_thread<T: Send + 'static>(
    ask: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FailureView> {
    tauri::async_runtime::spawn_blocking(ask)
        .await
        .map_err(|error| FailureView { code: "internal".to_owned(), message: error.to_string() })
}

fn misuse(what: &str) -> FailureView {
    FailureView { code: "internal".to_owned(), message: format!("the page named no valid {what}") }
}

/// Lets the person pick a file; `None` when they do not.
async fn pick_file(handle: &AppHandle, ending: &str) -> Option<String> {
    let (picked, answer) = tokio::sync::oneshot::channel();
    handle.dialog().file().add_filter(ending, &[ending]).pick_file(move |file| {
        // Nobody waits any more when the app is closing.
        let _ = picked.send(file);
    });
    let path = answer.await.ok()??.into_path().ok()?;
    path.into_os_string().into_string().ok()
}

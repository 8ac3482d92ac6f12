//! The app: the engine, the settings and the model, and what the page's commands do with them.
//!
//! Commands come on tokio threads, events of the engine in one task. The lock is held for moments
//! only, never across an await.
//!
//! Long because every command of the page ends here, each in a few lines.

mod files;
mod voices;

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use quartet_devices::{DeviceList, ScreenInput, ScreenKind, Watch};
use quartet_engine::{
    ChatText, Command, Engine, EngineConfig, Event, EventReceiver, JoinRequest, Selected, Share,
    SourceKind, TileId,
};
use quartet_proto::{
    Code, IceServer, InvalidChatText, JoinLink, LinkSecret, MediaState, PeerId, RoomPolicy,
    ServerUrl, Sharing, chat_text,
};
use quartet_rtc::{IceConfig, IcePolicy};
use rand::TryRngCore as _;
use tauri::ipc::{Channel, InvokeResponseBody};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    devices::{self, Used},
    host::Host,
    model::Model,
    settings::SettingsFile,
    tiles::Tiles,
    transfers::Transfers,
    view::{Boot, DeviceState, DoorView, FailureView, PolicyView, RoomView, Settings, UiEvent},
};

/// Everything behind the window.
pub(crate) struct App {
    engine: Engine,
    tiles: Tiles,
    host: AsyncMutex<Host>,
    watch: Mutex<Option<Watch>>,
    /// For what was pasted; there while the app runs.
    pasted: PathBuf,
    state: Mutex<State>,
}

struct State {
    model: Model,
    settings: Settings,
    file: SettingsFile,
    found: DeviceList,
    selected: Selected,
    /// What was opened last of each kind, as in the settings.
    used: HashMap<SourceKind, String>,
    /// In front of a room or in it: what is chosen is in use.
    devices_open: bool,
    media: MediaState,
    link: Option<JoinLink>,
    /// Files that were taken.
    transfers: Transfers,
    /// Files that were dropped on the window, until it is said whom they are for.
    dropped: Vec<PathBuf>,
    page: Option<Channel<UiEvent>>,
    /// What a page that has not come up yet is to be told.
    unsaid: Option<FailureView>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// Starts the engine; call it inside the runtime. The events go to [`Self::run`].
    pub(crate) fn start(
        file: SettingsFile,
        transfers: Transfers,
        pasted: PathBuf,
    ) -> (Arc<Self>, EventReceiver) {
        let (engine, events) = Engine::start(EngineConfig::default());
        let refresher = engine.clone();
        let settings = file.load();
        let media = MediaState {
            muted: settings.start_muted,
            camera_off: settings.start_camera_off,
            ..MediaState::default()
        };
        let mut model = Model::default();
        model.set_own(media);
        let state = State {
            model,
            settings,
            file,
            found: DeviceList::default(),
            selected: Selected::default(),
            used: HashMap::new(),
            devices_open: false,
            media,
            link: None,
            transfers,
            dropped: Vec::new(),
            page: None,
            unsaid: None,
        };
        let app = Self {
            engine,
            tiles: Tiles::new(Arc::new(move |tile| refresher.send(Command::Refresh(tile)))),
            host: AsyncMutex::default(),
            watch: Mutex::new(None),
            pasted,
            state: Mutex::new(state),
        };
        (Arc::new(app), events)
    }

    /// Keeps the page's picture true until the engine ends.
    pub(crate) async fn run(self: Arc<Self>, mut events: EventReceiver) {
        while let Some(event) = events.recv().await {
            let mut state = self.state.lock();
            let was_in_call = state.model.is_in_call();
            self.follow_file(&mut state, &event);
            let sharing_failed = matches!(event, Event::SourceFailed(SourceKind::Screen, _));
            let told = state.model.apply(event);
            if was_in_call && !state.model.is_in_call() {
                self.close_devices(&mut state);
                state.show();
                continue;
            }
            if sharing_failed {
                state.show();
            }
            if let (Some(told), Some(page)) = (told, &state.page) {
                // A page that is being reloaded asks for everything again.
                let _ = page.send(told);
            }
        }
    }

    /// A page has come up: from now on it is told everything.
    pub(crate) fn connect(self: &Arc<Self>, page: Channel<UiEvent>) -> Boot {
        self.watch_devices();
        // Its switch is off on a new page.
        self.engine.send(Command::HearSelf(false));
        // After a reload nobody takes the pictures of the page before.
        for tile in self.tiles.detach_all() {
            self.engine.send(Command::Detach(tile));
        }
        let mut state = self.state.lock();
        if let Some(unsaid) = state.unsaid.take() {
            // The page has just come up.
            let _ = page.send(UiEvent::Notice(unsaid));
        }
        state.page = Some(page);
        state.show();
        if state.model.is_in_call()
            && let Some(page) = &state.page
        {
            let _ = page.send(UiEvent::Chat(state.model.chat()));
            let _ = page.send(UiEvent::Files(state.model.files()));
        }
        Boot {
            settings: state.settings.clone(),
            system_language: crate::platform::system_language(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            software_rendering: crate::platform::draws_in_software(),
        }
    }

    /// A new room on the chosen server, or on the one in this app.
    pub(crate) async fn new_call(&self) -> Result<(), FailureView> {
        let chosen = self.state.lock().settings.server.trim().to_owned();
        let mut host = self.host.lock().await;
        let server = if chosen.is_empty() {
            host.url().map_err(|error| failure("server_not_started", &error))?
        } else {
            ServerUrl::parse(&chosen).map_err(|error| failure("invalid_server", &error))?
        };
        let mut secret = [0; 16];
        rand::rngs::OsRng
            .try_fill_bytes(&mut secret)
            .map_err(|error| failure("internal", &error))?;
        let is_here = host.is(&server);
        drop(host);
        self.enter(JoinLink { server, secret: LinkSecret::from_bytes(secret) }, is_here, false)
    }

    /// A link that the person typed or pasted.
    pub(crate) async fn open_link(&self, text: &str) -> Result<(), FailureView> {
        let link = JoinLink::parse(text).map_err(|error| failure("invalid_link", &error))?;
        let is_here = self.host.lock().await.is(&link.server);
        self.enter(link, is_here, false)
    }

    /// A link that came from outside the app, perhaps without the person's wish: the camera stays
    /// off until it is switched on here, and a running call is not left for it.
    pub(crate) async fn open_outside_link(&self, text: &str) {
        let link = match JoinLink::parse(text) {
            Ok(link) => link,
            Err(error) => return self.notice(failure("invalid_link", &error)),
        };
        let is_here = self.host.lock().await.is(&link.server);
        if self.is_in_call_of(&link) {
            // The window came to the front; there is nothing else to do.
            return;
        }
        if let Err(failure) = self.enter(link, is_here, true) {
            self.notice(failure);
        }
    }

    fn is_in_call_of(&self, link: &JoinLink) -> bool {
        let state = self.state.lock();
        state.model.is_in_call() && state.link.as_ref() == Some(link)
    }

    /// To the green room of a link, unless there is a call: only the person ends one.
    fn enter(
        &self,
        link: JoinLink,
        server_is_here: bool,
        camera_off: bool,
    ) -> Result<(), FailureView> {
        let mut state = self.state.lock();
        if state.model.is_in_call() {
            return Err(failure("already_in_call", &"leave the call first"));
        }
        state.model.enter_green_room(RoomView {
            link: link.to_web_url(),
            server: link.server.authority(),
            server_is_here,
            waiting: None,
            peers: Vec::new(),
            door: DoorView::default(),
            hands: Vec::new(),
        });
        let media = MediaState {
            muted: state.settings.start_muted,
            camera_off: camera_off || state.settings.start_camera_off,
            ..MediaState::default()
        };
        self.set_media(&mut state, media);
        self.open_devices(&mut state);
        state.link = Some(link.clone());
        self.engine.send(Command::Watch(link));
        state.show();
        Ok(())
    }

    /// Into the room of the green room.
    pub(crate) fn join(&self, name: String, ask_first: bool) -> Result<(), FailureView> {
        let mut state = self.state.lock();
        let Some(link) = state.link.clone().filter(|_| state.model.start_joining()) else {
            return Err(failure("no_room", &"there is no room to join"));
        };
        if state.settings.name != name {
            state.settings.name.clone_from(&name);
            state.save();
        }
        let ice = ice_config(&state.settings);
        let policy = if ask_first { RoomPolicy::Knock } else { RoomPolicy::Open };
        self.engine.send(Command::Join(JoinRequest { link, name, ice, policy }));
        state.show();
        Ok(())
    }

    /// Out of the call, or out of the green room.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        self.engine.send(Command::Leave);
        // Of a call, the rest happens when the engine has left.
        if !state.model.is_in_call() {
            state.model.go_home();
            state.link = None;
            self.close_devices(&mut state);
            state.show();
        }
    }

    /// Who gets into the room from now on.
    pub(crate) fn set_policy(&self, policy: PolicyView) {
        self.engine.send(Command::SetPolicy(match policy {
            PolicyView::Open => RoomPolicy::Open,
            PolicyView::Knock => RoomPolicy::Knock,
            PolicyView::Locked => RoomPolicy::Locked,
        }));
    }

    /// The answer to a knock.
    pub(crate) fn answer_knock(&self, peer: PeerId, admit: bool) {
        self.engine.send(if admit { Command::Admit(peer) } else { Command::Refuse(peer) });
    }

    pub(crate) fn remove(&self, peer: PeerId) {
        self.engine.send(Command::Remove(peer));
    }

    pub(crate) fn set_muted(&self, muted: bool) {
        let mut state = self.state.lock();
        let media = MediaState { muted, ..state.media };
        self.set_media(&mut state, media);
        state.show();
    }

    pub(crate) fn set_camera_off(&self, camera_off: bool) {
        let mut state = self.state.lock();
        let media = MediaState { camera_off, ..state.media };
        self.set_media(&mut state, media);
        state.show();
    }

    /// Says something in the chat.
    pub(crate) fn say(&self, text: &str) -> Result<(), FailureView> {
        let text = chat_text(text).map_err(|error| match error {
            InvalidChatText::Empty | InvalidChatText::Character => failure("chat_text", &error),
            InvalidChatText::TooLong => failure("chat_too_long", &error),
        })?;
        if !self.state.lock().model.is_in_call() {
            return Err(failure("chat_not_in_call", &"there is no call"));
        }
        self.engine.send(Command::Say(ChatText(text.to_owned())));
        Ok(())
    }

    /// Shares a screen or a window from now on; `None` is the main screen.
    pub(crate) fn share(&self, id: Option<&str>) -> Result<(), FailureView> {
        let mut state = self.state.lock();
        if !state.model.is_in_call() {
            return Err(failure("sharing_not_in_call", &"there is no call"));
        }
        let input = ScreenInput::new(id);
        let what = match input.kind() {
            ScreenKind::Screen => Sharing::Screen,
            ScreenKind::Window => Sharing::Window,
        };
        let share = Share { input: Arc::new(input), what };
        self.engine.send(Command::Share(Some(share)));
        state.model.set_sharing(Some(what));
        state.show();
        Ok(())
    }

    pub(crate) fn stop_sharing(&self) {
        let mut state = self.state.lock();
        self.engine.send(Command::Share(None));
        state.model.set_sharing(None);
        state.show();
    }

    /// Uses another device from now on, and keeps the choice; without one, all stays as it is.
    /// Gives what is chosen now.
    pub(crate) fn choose(&self, kind: SourceKind, id: Option<String>) -> String {
        let mut state = self.state.lock();
        let place = match kind {
            SourceKind::Camera => &mut state.settings.camera,
            SourceKind::Microphone => &mut state.settings.microphone,
            SourceKind::Speaker => &mut state.settings.speaker,
            // Chosen anew each time, and never kept.
            SourceKind::Screen => return String::new(),
        };
        let Some(id) = id else { return place.clone() };
        place.clone_from(&id);
        state.save();
        state.offer_devices();
        if state.devices_open {
            self.open(&mut state, kind);
            self.engine.send(Command::Select(state.selected.clone()));
        }
        state.show();
        id
    }

    /// Keeps what the settings screen says; what concerns a running call takes effect in it where
    /// it can.
    pub(crate) fn save_settings(&self, settings: Settings) -> Result<Settings, FailureView> {
        if !settings.server.trim().is_empty() {
            ServerUrl::parse(settings.server.trim())
                .map_err(|error| failure("invalid_server", &error))?;
        }
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut state.settings, settings);
        state.save();
        state.offer_devices();
        self.engine.send(Command::ProcessVoice(state.settings.process_voice));
        if state.devices_open {
            let changed = [
                (SourceKind::Camera, before.camera != state.settings.camera),
                (SourceKind::Microphone, before.microphone != state.settings.microphone),
                (SourceKind::Speaker, before.speaker != state.settings.speaker),
            ];
            for (kind, _) in changed.into_iter().filter(|(_, changed)| *changed) {
                self.open(&mut state, kind);
            }
            self.engine.send(Command::Select(state.selected.clone()));
        }
        state.show();
        Ok(state.settings.clone())
    }

    /// The link of the room, for the clipboard.
    pub(crate) fn link(&self) -> Option<String> {
        self.state.lock().link.as_ref().map(JoinLink::to_web_url)
    }

    pub(crate) fn attach_tile(
        &self,
        tile: TileId,
        frames: Channel<InvokeResponseBody>,
        decoded: bool,
    ) -> Result<(), FailureView> {
        let sink = self
            .tiles
            .attach(tile, frames, decoded)
            .map_err(|error| failure("internal", &error))?;
        self.engine.send(Command::Attach(tile, sink));
        Ok(())
    }

    pub(crate) fn detach_tile(&self, tile: TileId) {
        self.tiles.detach(tile);
        self.engine.send(Command::Detach(tile));
    }

    pub(crate) fn tile_shown(&self, tile: TileId, count: u64) {
        self.tiles.shown(tile, count);
    }

    pub(crate) fn refresh_tile(&self, tile: TileId) {
        self.engine.send(Command::Refresh(tile));
    }

    pub(crate) fn view_tile(&self, tile: TileId, height: u16) {
        self.engine.send(Command::View(tile, height));
    }

    pub(crate) fn confirm_code(&self, peer: PeerId, code: Code, matches: bool) {
        self.engine.send(Command::ConfirmCode { peer, code, matches });
    }

    /// Ends everything; returns when it has ended, or at the engine's deadline.
    pub(crate) async fn stop(&self) {
        // A look at the devices that is under way may take as long as everything else.
        let watch = self.watch.lock().take();
        let watch = tokio::task::spawn_blocking(move || drop(watch));
        self.engine.shutdown().await;
        // Last, so that even those who are in a call on it learn that this one has left.
        self.host.lock().await.stop().await;
        self.tiles.stop();
        self.forget_pasted();
        if let Err(error) = watch.await {
            tracing::error!(%error, "the watch over the devices did not end well");
        }
    }

    fn notice(&self, failure: FailureView) {
        let mut state = self.state.lock();
        match &state.page {
            // A page that is being reloaded has missed it; nothing depends on it.
            Some(page) => drop(page.send(UiEvent::Notice(failure))),
            None => state.unsaid = Some(failure),
        }
    }

    fn watch_devices(self: &Arc<Self>) {
        let mut watch = self.watch.lock();
        if watch.is_none() {
            let app = Arc::downgrade(self);
            *watch = quartet_devices::watch(move |found| {
                if let Some(app) = app.upgrade() {
                    app.devices_changed(found.clone());
                }
            })
            .inspect_err(|error| tracing::warn!(%error, "devices are not watched"))
            .ok();
        }
    }

    /// Something was plugged in or pulled out: what failed for want of it is tried again.
    fn devices_changed(&self, found: DeviceList) {
        let mut state = self.state.lock();
        state.found = found;
        state.offer_devices();
        if state.devices_open {
            let me = state.model.view().me.clone();
            let shown = [
                (SourceKind::Camera, me.camera),
                (SourceKind::Microphone, me.microphone),
                (SourceKind::Speaker, me.speaker),
            ];
            for (kind, device) in shown {
                let failed = matches!(device, DeviceState::Failed { .. });
                // What was chosen has gone, or is back.
                let another = state.used.get(&kind) != Some(&state.used(kind).id);
                if failed || another {
                    self.open(&mut state, kind);
                }
            }
            self.engine.send(Command::Select(state.selected.clone()));
        }
        state.show();
    }

    fn set_media(&self, state: &mut State, media: MediaState) {
        state.media = media;
        state.model.set_own(media);
        self.engine.send(Command::Mute(media.muted));
        self.engine.send(Command::CameraOff(media.camera_off));
    }

    fn open_devices(&self, state: &mut State) {
        if !std::mem::replace(&mut state.devices_open, true) {
            for kind in [SourceKind::Camera, SourceKind::Microphone, SourceKind::Speaker] {
                self.open(state, kind);
            }
        }
        self.engine.send(Command::ProcessVoice(state.settings.process_voice));
        self.engine.send(Command::Select(state.selected.clone()));
    }

    fn close_devices(&self, state: &mut State) {
        state.devices_open = false;
        self.engine.send(Command::HearSelf(false));
        state.selected = Selected::default();
        state.model.set_sharing(None);
        self.engine.send(Command::Select(Selected::default()));
        for kind in [SourceKind::Camera, SourceKind::Microphone, SourceKind::Speaker] {
            state.model.set_device(kind, DeviceState::None);
        }
    }

    /// Makes the chosen device of this kind the selected one; the engine opens it.
    fn open(&self, state: &mut State, kind: SourceKind) {
        let id = state.used(kind).id;
        let opened = match kind {
            SourceKind::Camera => quartet_devices::parse_video(&id).map(|video| {
                state.selected.video = video;
                state.selected.video.is_some()
            }),
            SourceKind::Microphone => quartet_devices::parse_audio(&id).map(|mic| {
                state.selected.audio = mic;
                state.selected.audio.is_some()
            }),
            SourceKind::Speaker => quartet_devices::parse_speaker(&id).map(|speaker| {
                state.selected.speaker = speaker;
                state.selected.speaker.is_some()
            }),
            SourceKind::Screen => return,
        };
        let shown = match opened {
            Ok(true) => DeviceState::Starting,
            Ok(false) => DeviceState::None,
            Err(error) => {
                // What was used before is not what the person sees as chosen.
                match kind {
                    SourceKind::Camera => state.selected.video = None,
                    SourceKind::Microphone => state.selected.audio = None,
                    SourceKind::Speaker => state.selected.speaker = None,
                    SourceKind::Screen => {}
                }
                DeviceState::Failed { code: "missing".to_owned(), message: error.to_string() }
            }
        };
        state.used.insert(kind, id);
        state.model.set_device(kind, shown);
    }
}

impl State {
    /// What is to be used of a kind now.
    fn used(&self, kind: SourceKind) -> Used {
        devices::used(&self.found, &self.settings, kind)
    }

    fn offer_devices(&mut self) {
        self.model.set_devices(devices::choices(&self.found, &self.settings));
        self.model.set_stand_ins(devices::stand_ins(&self.found, &self.settings));
    }

    fn save(&self) {
        if let Err(error) = self.file.save(&self.settings) {
            tracing::warn!(%error, "the settings were not kept");
            if let Some(page) = &self.page {
                let message = format!("the settings could not be kept ({error})");
                // A page that is being reloaded has missed it; nothing depends on it.
                let _ = page.send(UiEvent::Notice(failure("not_kept", &message)));
            }
        }
    }

    fn show(&self) {
        self.tell(UiEvent::View(Box::new(self.model.view().clone())));
    }

    fn tell(&self, event: UiEvent) {
        if let Some(page) = &self.page {
            // A page that is being reloaded asks for everything again.
            let _ = page.send(event);
        }
    }
}

fn failure(code: &str, error: &dyn fmt::Display) -> FailureView {
    FailureView { code: code.to_owned(), message: error.to_string() }
}

fn ice_config(settings: &Settings) -> IceConfig {
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    let servers = settings.ice_servers.iter().filter(|server| !server.url.trim().is_empty());
    IceConfig {
        servers: servers
            .map(|server| IceServer {
                urls: vec![server.url.trim().to_owned()],
                username: filled(&server.username),
                credential: filled(&server.credential),
            })
            .collect(),
        policy: if settings.relay_only { IcePolicy::Relay } else { IcePolicy::All },
        bind: Vec::new(),
        certificates: Vec::new(),
    }
}

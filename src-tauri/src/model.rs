//! The page's picture of the app, kept true by what the engine says. Pure: no I/O, no clock.

mod files;

use std::{collections::BTreeMap, path::Path};

use quartet_engine::{ChatId, ChatLine, Connection, EndReason, Event, Mark, SourceKind, Trust};
use quartet_media::DeviceError;
use quartet_proto::{Code, FileId, MediaState, PeerId, PeerInfo, Reaction, RoomPolicy, Sharing};

use crate::view::{
    AppView, ChatLineView, ConnectionView, DeviceKind, DeviceState, DevicesView, DoorView,
    FailureView, FileView, HashingView, KnockView, LevelView, MarkView, PeerView, PhaseView,
    PolicyView, ReactionKind, ReactionView, RemovedView, RoomView, SharingView, TrustView, UiEvent,
};

/// The view, and the few rules by which it changes.
#[derive(Debug, Default)]
pub(crate) struct Model {
    view: AppView,
    /// In the present call.
    own: Option<PeerId>,
    /// The chat of the present call, for a page that is loaded again.
    chat: BTreeMap<ChatId, ChatLineView>,
    /// How loud people are to be heard in the present call, those included who may come back.
    volumes: BTreeMap<PeerId, u16>,
    files: files::Files,
}

/// Percent: as somebody comes.
const USUAL_VOLUME: u16 = 100;

/// Lines of the chat that are kept for a page that is loaded again; then the oldest goes.
const MAX_CHAT_LINES: usize = 2_000;

impl Model {
    /// What the page shows now.
    pub(crate) fn view(&self) -> &AppView {
        &self.view
    }

    /// In front of a room.
    pub(crate) fn enter_green_room(&mut self, room: RoomView) {
        self.view.phase = PhaseView::GreenRoom;
        self.view.room = Some(room);
    }

    /// Join was pressed; false where there is no room to join.
    pub(crate) fn start_joining(&mut self) -> bool {
        let ready = self.view.phase == PhaseView::GreenRoom && self.view.room.is_some();
        if ready {
            self.view.phase = PhaseView::Joining;
        }
        ready
    }

    /// Back to the beginning.
    pub(crate) fn go_home(&mut self) {
        self.view.phase = PhaseView::Home;
        self.view.room = None;
    }

    /// In, or on the way into, a call.
    pub(crate) fn is_in_call(&self) -> bool {
        matches!(
            self.view.phase,
            PhaseView::Joining | PhaseView::Waiting | PhaseView::InCall { .. }
        )
    }

    /// The person's own switches.
    pub(crate) fn set_own(&mut self, media: MediaState) {
        self.view.me.muted = media.muted;
        self.view.me.camera_off = media.camera_off;
    }

    /// What can be chosen.
    pub(crate) fn set_devices(&mut self, devices: DevicesView) {
        self.view.devices = devices;
    }

    /// Where the system's own device stands in for the chosen one.
    pub(crate) fn set_stand_ins(&mut self, kinds: Vec<DeviceKind>) {
        self.view.me.stand_ins = kinds;
    }

    /// A device is being opened, or none is used.
    pub(crate) fn set_device(&mut self, kind: SourceKind, state: DeviceState) {
        match kind {
            SourceKind::Camera => self.view.me.camera = state,
            SourceKind::Microphone => self.view.me.microphone = state,
            SourceKind::Speaker => self.view.me.speaker = state,
            // It is shared or it is not: see `set_sharing`.
            SourceKind::Screen => {}
        }
    }

    /// What the person shares now.
    pub(crate) fn set_sharing(&mut self, sharing: Option<Sharing>) {
        self.view.me.sharing = sharing.map(sharing_view);
    }

    /// How loud somebody is to be heard, in percent; false where they are not in the call.
    pub(crate) fn set_volume(&mut self, peer: PeerId, volume: u16) -> bool {
        let mut known = false;
        self.change_peer(peer, |view| {
            view.volume = volume;
            known = true;
        });
        if known {
            self.volumes.insert(peer, volume);
        }
        known
    }

    /// What the engine says; returns what the page is to be told.
    pub(crate) fn apply(&mut self, event: Event) -> Option<UiEvent> {
        match event {
            Event::Levels { own, peers } => return Some(levels(own, peers)),
            Event::Error { code, message } => {
                return Some(UiEvent::Notice(FailureView { code: code.as_str(), message }));
            }
            Event::Stats(stats) if matches!(self.view.phase, PhaseView::InCall { .. }) => {
                return Some(UiEvent::Figures(stats.into()));
            }
            Event::Stats(_) | Event::Connected { .. } | Event::FirstAudio(_) => return None,
            Event::FirstVideo(_) => return None,
            Event::Roster(peers, policy) => {
                self.set_waiting(Some(peers.into_iter().map(|peer| peer.name).collect()));
                self.change_door(|door| door.policy = policy_view(policy));
            }
            Event::RosterUnknown => self.set_waiting(None),
            // Joined too late: the person has left before it was said.
            Event::Joined { .. } | Event::Waiting if !self.is_on_the_way() => return None,
            Event::Chat(line) if matches!(self.view.phase, PhaseView::InCall { .. }) => {
                return Some(UiEvent::Chat(vec![self.chat_line(line)]));
            }
            // Of a call that the person has left.
            Event::Chat(_) => return None,
            Event::Reaction(peer, reaction) => {
                let tile = self.whom(peer);
                let kind = reaction_kind(reaction);
                return Some(UiEvent::Reaction(ReactionView { tile, kind }));
            }
            Event::Hands(peers) => {
                let hands = peers.into_iter().map(|peer| self.whom(peer)).collect();
                if let Some(room) = &mut self.view.room {
                    room.hands = hands;
                }
            }
            Event::File(state) if matches!(self.view.phase, PhaseView::InCall { .. }) => {
                return Some(UiEvent::Files(vec![self.files.take(state)]));
            }
            Event::FileHashing { name, bytes, of } => {
                return Some(UiEvent::FileHashing(HashingView { name, bytes, of }));
            }
            Event::FileNotOffered { name } => {
                let code = "file_not_offered".to_owned();
                return Some(UiEvent::Notice(FailureView { code, message: name }));
            }
            Event::FileSaved { file, path } => {
                self.files.saved(file, path);
                return None;
            }
            // Of a call that the person has left.
            Event::File(_) => return None,
            Event::Waiting => self.view.phase = PhaseView::Waiting,
            Event::Joined { you, present } => {
                self.own = Some(you);
                self.chat.clear();
                self.volumes.clear();
                self.files.clear();
                self.change_door(|door| *door = DoorView::default());
                self.view.phase = PhaseView::InCall { signalling_online: true };
                if let Some(room) = &mut self.view.room {
                    room.peers.clear();
                    room.hands.clear();
                }
                present.into_iter().for_each(|info| self.add_peer(info));
            }
            Event::Signalling { online } => {
                if matches!(self.view.phase, PhaseView::InCall { .. }) {
                    self.view.phase = PhaseView::InCall { signalling_online: online };
                }
            }
            Event::PeerJoined(info) => self.add_peer(info),
            Event::PeerLeft(info) => {
                if let Some(room) = &mut self.view.room {
                    let id = info.id.to_string();
                    room.peers.retain(|peer| peer.id != id);
                }
            }
            Event::PeerMedia(id, media) => self.change_peer(id, |peer| {
                peer.muted = media.muted;
                peer.camera_off = media.camera_off;
                peer.sharing = media.sharing.map(sharing_view);
            }),
            Event::PeerConnection(id, connection) => {
                self.change_peer(id, |peer| peer.connection = connection_view(connection));
            }
            Event::PeerTrust(id, trust) => {
                self.change_peer(id, |peer| peer.trust = trust_view(trust));
            }
            Event::Knock(info) => self.change_door(|door| {
                door.knocking.push(KnockView { id: info.id.to_string(), name: info.name });
            }),
            Event::KnockOver(peer) => {
                let peer = peer.to_string();
                self.change_door(|door| door.knocking.retain(|knock| knock.id != peer));
            }
            Event::Policy { policy, by } => {
                let by = by.map(|by| self.whom(by));
                self.change_door(|door| {
                    door.policy = policy_view(policy);
                    door.by = by;
                });
            }
            Event::PeerRemoved { peer, by } => {
                let removed = RemovedView { id: peer.to_string(), by: by.map(|by| self.whom(by)) };
                self.change_door(|door| door.removed = Some(removed));
            }
            Event::MachineBusy(busy) => self.view.me.busy = busy,
            Event::SourceFailed(SourceKind::Screen, error) => {
                self.view.me.sharing = None;
                return Some(UiEvent::Notice(sharing_failed(&error)));
            }
            Event::SourceRunning(SourceKind::Screen) => return None,
            Event::SourceFailed(kind, error) => self.set_device(kind, failed(&error)),
            Event::SourceRunning(kind) => self.set_device(kind, DeviceState::Running),
            Event::Ended(reason) => self.end(reason),
        }
        Some(UiEvent::View(Box::new(self.view.clone())))
    }

    /// The chat so far.
    pub(crate) fn chat(&self) -> Vec<ChatLineView> {
        self.chat.values().cloned().collect()
    }

    /// The files so far.
    pub(crate) fn files(&self) -> Vec<FileView> {
        self.files.all()
    }

    /// Where a file that has come is.
    pub(crate) fn saved(&self, file: FileId) -> Option<&Path> {
        self.files.path(file)
    }

    fn chat_line(&mut self, line: ChatLine) -> ChatLineView {
        let view = ChatLineView {
            clock: line.clock,
            author: line.id.author.to_string(),
            seq: line.id.seq,
            own: Some(line.id.author) == self.own,
            name: line.name,
            text: line.text,
            passed_on_by: line.passed_on_by.map(|witness| witness.name),
        };
        self.chat.insert(line.id, view.clone());
        if self.chat.len() > MAX_CHAT_LINES {
            let oldest = self.chat.iter().min_by_key(|(id, line)| (line.clock, **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.chat.remove(&oldest);
            }
        }
        view
    }

    fn end(&mut self, reason: EndReason) {
        let failure = match reason {
            EndReason::Left => None,
            EndReason::Failed { code, message } => {
                Some(FailureView { code: code.as_str(), message })
            }
        };
        // A person who went home before the engine was done leaving is at home.
        if self.is_in_call() {
            self.view.phase = PhaseView::Left { failure };
            if let Some(room) = &mut self.view.room {
                room.peers.clear();
                room.hands.clear();
                room.waiting = None;
                room.door = DoorView::default();
            }
        }
    }

    fn set_waiting(&mut self, names: Option<Vec<String>>) {
        if let Some(room) = &mut self.view.room {
            room.waiting = names;
        }
    }

    /// Between the green room and the call.
    fn is_on_the_way(&self) -> bool {
        matches!(self.view.phase, PhaseView::Joining | PhaseView::Waiting)
    }

    fn change_door(&mut self, change: impl FnOnce(&mut DoorView)) {
        if let Some(room) = &mut self.view.room {
            change(&mut room.door);
        }
    }

    /// In the page's words.
    fn whom(&self, peer: PeerId) -> String {
        if Some(peer) == self.own { "own".to_owned() } else { peer.to_string() }
    }

    fn add_peer(&mut self, info: PeerInfo) {
        let Some(room) = &mut self.view.room else { return };
        let peer = PeerView {
            id: info.id.to_string(),
            name: info.name,
            muted: info.media.muted,
            camera_off: info.media.camera_off,
            sharing: info.media.sharing.map(sharing_view),
            connection: ConnectionView::Connecting,
            trust: TrustView::default(),
            volume: self.volumes.get(&info.id).copied().unwrap_or(USUAL_VOLUME),
        };
        match room.peers.iter_mut().find(|known| known.id == peer.id) {
            // What is known of the connection stays true.
            Some(known) => {
                let (connection, trust) = (known.connection, known.trust.clone());
                *known = PeerView { connection, trust, ..peer };
            }
            None => room.peers.push(peer),
        }
    }

    fn change_peer(&mut self, id: PeerId, change: impl FnOnce(&mut PeerView)) {
        let id = id.to_string();
        let room = self.view.room.as_mut();
        if let Some(peer) = room.and_then(|room| room.peers.iter_mut().find(|peer| peer.id == id)) {
            change(peer);
        }
    }
}

/// Why nothing is shared any more.
fn sharing_failed(error: &DeviceError) -> FailureView {
    let code = match error {
        DeviceError::Closed(_) => "sharing_closed",
        DeviceError::Denied(_) => "sharing_denied",
        _ => "sharing_failed",
    };
    FailureView { code: code.to_owned(), message: error.to_string() }
}

fn sharing_view(sharing: Sharing) -> SharingView {
    match sharing {
        Sharing::Screen => SharingView::Screen,
        Sharing::Window => SharingView::Window,
    }
}

/// A device error in the page's terms.
pub(crate) fn failed(error: &DeviceError) -> DeviceState {
    let code = match error {
        DeviceError::Missing(_) | DeviceError::Closed(_) => "missing",
        DeviceError::Busy(_) => "busy",
        DeviceError::Denied(_) => "denied",
        DeviceError::File { .. } => "file",
        DeviceError::Failed { .. } => "failed",
    };
    DeviceState::Failed { code: code.to_owned(), message: error.to_string() }
}

fn policy_view(policy: RoomPolicy) -> PolicyView {
    match policy {
        RoomPolicy::Open => PolicyView::Open,
        RoomPolicy::Knock => PolicyView::Knock,
        RoomPolicy::Locked => PolicyView::Locked,
    }
}

fn reaction_kind(reaction: Reaction) -> ReactionKind {
    match reaction {
        Reaction::ThumbsUp => ReactionKind::ThumbsUp,
        Reaction::Heart => ReactionKind::Heart,
        Reaction::Clap => ReactionKind::Clap,
        Reaction::Laugh => ReactionKind::Laugh,
        Reaction::Wow => ReactionKind::Wow,
        Reaction::Party => ReactionKind::Party,
    }
}

fn connection_view(connection: Connection) -> ConnectionView {
    match connection {
        Connection::Connecting => ConnectionView::Connecting,
        Connection::Connected => ConnectionView::Connected,
        Connection::Reconnecting => ConnectionView::Reconnecting,
        Connection::Failed => ConnectionView::Failed,
        Connection::Untrusted => ConnectionView::Untrusted,
    }
}

fn trust_view(trust: Trust) -> TrustView {
    let mark = match trust.mark {
        Mark::Unconfirmed => MarkView::Unconfirmed,
        Mark::Confirmed => MarkView::Confirmed,
        Mark::Changed => MarkView::Changed,
    };
    TrustView { code: trust.code.map(Code::places), mark }
}

fn levels(own: f32, peers: Vec<(PeerId, f32)>) -> UiEvent {
    let own = LevelView { tile: "own".to_owned(), level: own };
    let peers = peers.into_iter().map(|(id, level)| LevelView { tile: id.to_string(), level });
    UiEvent::Levels(std::iter::once(own).chain(peers).collect())
}

#[cfg(test)]
mod tests {
    use quartet_engine::FailureCode;
    use quartet_proto::ErrorCode;

    use super::*;

    fn in_front_of_a_room() -> Model {
        let mut model = Model::default();
        model.enter_green_room(RoomView {
            link: "http://127.0.0.1:1/j#AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            server: "127.0.0.1:1".to_owned(),
            server_is_here: true,
            waiting: None,
            peers: Vec::new(),
            door: DoorView::default(),
            hands: Vec::new(),
        });
        model
    }

    fn somebody(id: u64) -> PeerInfo {
        PeerInfo {
            id: PeerId::from_u64(id),
            name: format!("Number {id}"),
            media: MediaState::default(),
        }
    }

    #[test]
    fn a_peer_comes_changes_and_goes() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        model.apply(Event::Joined { you: PeerId::from_u64(1), present: Vec::new() });
        model.apply(Event::PeerJoined(somebody(2)));
        model.apply(Event::PeerConnection(PeerId::from_u64(2), Connection::Connected));
        let media = MediaState { muted: true, ..MediaState::default() };
        model.apply(Event::PeerMedia(PeerId::from_u64(2), media));
        let peers = &model.view().room.as_ref().unwrap().peers;
        assert_eq!(peers.len(), 1);
        assert!(peers[0].muted && !peers[0].camera_off);
        assert_eq!(peers[0].connection, ConnectionView::Connected);
        model.apply(Event::PeerLeft(somebody(2)));
        assert!(model.view().room.as_ref().unwrap().peers.is_empty());
    }

    #[test]
    fn those_who_are_there_already_are_shown_at_once_and_announced_without_change() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        let present = vec![somebody(2), somebody(3)];
        model.apply(Event::Joined { you: PeerId::from_u64(1), present });
        let peers = |model: &Model| model.view().room.as_ref().unwrap().peers.clone();
        let names: Vec<_> = peers(&model).into_iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["Number 2", "Number 3"]);
        model.apply(Event::PeerConnection(PeerId::from_u64(2), Connection::Connected));
        let media = MediaState { muted: true, ..MediaState::default() };
        model.apply(Event::PeerJoined(PeerInfo { media, ..somebody(2) }));
        assert_eq!(peers(&model).len(), 2);
        assert!(peers(&model)[0].muted);
        assert_eq!(peers(&model)[0].connection, ConnectionView::Connected);
    }

    #[test]
    fn a_refusal_ends_on_the_left_screen_with_its_code() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        model.apply(Event::Ended(EndReason::Failed {
            code: FailureCode::Refused(ErrorCode::RoomFull),
            message: "full".to_owned(),
        }));
        let failure = FailureView { code: "room_full".to_owned(), message: "full".to_owned() };
        assert_eq!(model.view().phase, PhaseView::Left { failure: Some(failure) });
        assert!(model.view().room.is_some(), "the link is kept for another try");
    }

    #[test]
    fn an_end_that_comes_after_going_home_changes_nothing() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        model.go_home();
        model.apply(Event::Ended(EndReason::Left));
        assert_eq!(model.view().phase, PhaseView::Home);
    }

    #[test]
    fn a_call_that_begins_after_going_home_does_not_show() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        model.go_home();
        let late = Event::Joined { you: PeerId::from_u64(1), present: Vec::new() };
        assert_eq!(model.apply(late), None);
        assert_eq!(model.view().phase, PhaseView::Home);
    }

    fn said(author: u64, seq: u32, clock: u64) -> Event {
        Event::Chat(ChatLine {
            id: ChatId { author: PeerId::from_u64(author), seq },
            clock,
            name: format!("Number {author}"),
            text: "hello".to_owned(),
            passed_on_by: None,
        })
    }

    #[test]
    fn the_chat_of_a_call_is_kept_until_the_next_one() {
        let mut model = in_front_of_a_room();
        assert_eq!(model.apply(said(2, 1, 1)), None, "there is no call");
        assert!(model.start_joining());
        model.apply(Event::Joined { you: PeerId::from_u64(1), present: Vec::new() });
        let Some(UiEvent::Chat(lines)) = model.apply(said(1, 1, 1)) else { panic!("no line") };
        assert!(lines[0].own);
        model.apply(said(2, 1, 2));
        model.apply(said(2, 1, 2));
        let chat = model.chat();
        assert_eq!(chat.iter().map(|line| line.own).collect::<Vec<_>>(), [true, false]);
        model.apply(Event::Ended(EndReason::Left));
        model.enter_green_room(model.view().room.clone().unwrap());
        assert!(model.start_joining());
        model.apply(Event::Joined { you: PeerId::from_u64(3), present: Vec::new() });
        assert!(model.chat().is_empty());
    }

    #[test]
    fn no_chat_grows_without_end() {
        let mut model = in_front_of_a_room();
        assert!(model.start_joining());
        model.apply(Event::Joined { you: PeerId::from_u64(1), present: Vec::new() });
        let lines = u32::try_from(MAX_CHAT_LINES).unwrap();
        (1..=lines + 1).for_each(|seq| drop(model.apply(said(2, seq, seq.into()))));
        assert_eq!(model.chat().len(), MAX_CHAT_LINES);
        assert_eq!(model.chat()[0].seq, 2);
    }

    #[test]
    fn who_knocks_waits_and_who_changes_the_door_is_named() {
        let mut model = in_front_of_a_room();
        model.apply(Event::Roster(Vec::new(), RoomPolicy::Knock));
        let door = |model: &Model| model.view().room.as_ref().unwrap().door.clone();
        assert_eq!(door(&model).policy, PolicyView::Knock);
        assert!(model.start_joining());
        model.apply(Event::Waiting);
        assert_eq!(model.view().phase, PhaseView::Waiting);
        assert!(model.is_in_call(), "leaving it is leaving the call");
        let (you, other) = (PeerId::from_u64(1), PeerId::from_u64(2));
        model.apply(Event::Joined { you, present: vec![somebody(2)] });
        assert_eq!(door(&model), DoorView::default());
        model.apply(Event::Policy { policy: RoomPolicy::Locked, by: Some(other) });
        assert_eq!(door(&model).by, Some(other.to_string()));
        model.apply(Event::Policy { policy: RoomPolicy::Knock, by: Some(you) });
        assert_eq!(door(&model).by.as_deref(), Some("own"));
        model.apply(Event::Knock(somebody(3)));
        assert_eq!(door(&model).knocking[0].name, "Number 3");
        model.apply(Event::KnockOver(PeerId::from_u64(3)));
        assert!(door(&model).knocking.is_empty());
        model.apply(Event::PeerRemoved { peer: other, by: Some(you) });
        let removed = RemovedView { id: other.to_string(), by: Some("own".to_owned()) };
        assert_eq!(door(&model).removed, Some(removed));
    }

    #[test]
    fn a_busy_machine_is_shown_until_it_is_so_no_more() {
        let mut model = Model::default();
        assert!(model.apply(Event::MachineBusy(true)).is_some());
        assert!(model.view().me.busy);
        assert!(model.apply(Event::MachineBusy(false)).is_some());
        assert!(!model.view().me.busy);
    }

    #[test]
    fn joining_needs_a_green_room() {
        assert!(!Model::default().start_joining());
    }
}

//! The call: carries out what the session wants, and tells it what happens. Its links are in
//! `links.rs`.

use std::{collections::HashMap, sync::Arc, time::Instant};

use quartet_core::{
    chat::{Chat, Input as ChatInput},
    gestures::Gestures,
    session::{
        Input as SessionInput, Output as SessionOutput, Session, SessionConfig, SessionEnd,
        SessionEvent,
    },
    transfer::Input as FilesInput,
};
use quartet_proto::{
    ClientMessage, MediaState, NonceSeed, PeerId, PeerInfo, PeerMessage, ServerUrl, SessionKey,
};
use quartet_rtc::{Certificate, IceConfig};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Actor, files::Files, links::Peer};
use crate::{
    DEFAULT_VIEW, EndReason, Event, FailureCode, JoinRequest, PeerStats,
    figures::PeerMeter,
    input::{Generation, SocketNews},
    intake::Intake,
    network::Network,
    socket::{self, SocketError},
    tasks::TaskId,
};

/// One visit to a room.
#[derive(Debug)]
pub(super) struct Call {
    session: Session,
    /// What the session was last told that is sent.
    media: MediaState,
    server: ServerUrl,
    pub(super) ice: IceConfig,
    /// The same for all links of the visit.
    pub(super) certificate: Certificate,
    pub(super) socket: Option<SocketHandle>,
    pub(super) peers: HashMap<PeerId, Peer>,
    pub(super) chat: Chat,
    pub(super) own: PeerId,
    pub(super) gestures: Gestures,
    /// How loud people are to be heard, those included who may come back.
    pub(super) gains: HashMap<PeerId, f32>,
    pub(super) files: Files,
    /// Why there was no connection to the server when it was last tried.
    trouble: Option<SocketError>,
    ended: Option<EndReason>,
}

#[derive(Debug)]
pub(super) struct SocketHandle {
    pub(super) generation: Generation,
    /// Dropping it lets the task say what is left, and end.
    pub(super) outgoing: mpsc::Sender<ClientMessage>,
    pub(super) hang_up: CancellationToken,
}

impl Call {
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }

    pub(super) fn has_peers(&self) -> bool {
        !self.peers.is_empty()
    }

    pub(super) fn levels(&self) -> Vec<(PeerId, f32)> {
        self.peers.iter().map(|(&peer, it)| (peer, it.intake.level())).collect()
    }

    pub(super) fn figures(&self) -> Vec<PeerStats> {
        let linked = self.peers.values().filter(|peer| peer.link.is_some());
        linked.map(|peer| peer.meter.figures().clone()).collect()
    }

    /// True when the session has to be told that this is sent now.
    pub(super) fn announces(&mut self, media: MediaState) -> bool {
        let changed = self.media != media;
        self.media = media;
        changed
    }
}

impl Actor {
    pub(super) fn join(&mut self, request: JoinRequest) {
        let now = Instant::now();
        let media = self.sources.media();
        let certificate = match Certificate::generate() {
            Ok(certificate) => certificate,
            Err(error) => {
                let (code, message) = (FailureCode::Internal, error.to_string());
                return self.events.send(Event::Ended(EndReason::Failed { code, message }));
            }
        };
        let config = SessionConfig {
            room: request.link.secret.room_id(),
            // From the thread's ChaCha generator, which the system seeds.
            key: SessionKey::from_bytes(rand::random()),
            auth: request.link.secret.auth_key(),
            seed: NonceSeed::from_bytes(rand::random()),
            name: request.name,
            media,
            policy: request.policy,
        };
        let own = config.key.peer_id();
        self.call = Some(Call {
            session: Session::new(config, now),
            media,
            server: request.link.server,
            ice: request.ice,
            certificate,
            socket: None,
            peers: HashMap::new(),
            chat: Chat::new(own),
            own,
            gestures: Gestures::new(own),
            gains: HashMap::new(),
            files: Files::default(),
            trouble: None,
            ended: None,
        });
        self.stats_at = now + super::STATS_INTERVAL;
        self.network = Network::now();
        self.levels_at = now;
    }

    /// Ends the call, if there is one; what is left to do is done by owned tasks.
    pub(super) fn leave(&mut self) {
        self.tell_session(SessionInput::Leave);
        self.carry_out();
        // The session always agrees; without it nothing may stay.
        self.drop_call();
    }

    pub(super) fn tell_session(&mut self, input: SessionInput) {
        if let Some(call) = &mut self.call {
            call.session.handle(Instant::now(), input);
        }
    }

    pub(super) fn session_timeout(&mut self, now: Instant) {
        if let Some(call) = &mut self.call {
            call.session.handle_timeout(now);
        }
    }

    /// Does everything that the session wants now.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.call.as_mut().and_then(|call| call.session.poll()) {
            match output {
                SessionOutput::OpenSocket => self.open_socket(),
                SessionOutput::CloseSocket => self.close_socket(),
                SessionOutput::Send(message) => self.send(message),
                SessionOutput::OpenLink { peer, epoch, offerer, ice_servers } => {
                    self.open_link(peer, epoch, offerer, ice_servers);
                }
                SessionOutput::Link { peer, epoch, action } => self.act(peer, epoch, action),
                SessionOutput::CloseLink { peer, epoch } => self.close_link(peer, epoch),
                SessionOutput::Tell { peer, message } => self.tell_peer(peer, message),
                SessionOutput::Event(event) => self.session_event(event),
            }
        }
        if self.call.as_ref().is_some_and(|call| call.ended.is_some()) {
            self.drop_call();
        }
    }

    /// Says an event of a peer who is still there.
    pub(super) fn say_of(&self, peer: PeerId, event: fn(PeerId) -> Event) {
        if self.call.as_ref().is_some_and(|call| call.peers.contains_key(&peer)) {
            self.events.send(event(peer));
        }
    }

    pub(super) fn intake(&self, peer: PeerId) -> Option<&Arc<Intake>> {
        self.call.as_ref()?.peers.get(&peer).map(|peer| &peer.intake)
    }

    // The signalling socket.

    pub(super) fn socket_news(&mut self, generation: Generation, news: SocketNews) {
        if self.socket().is_none_or(|socket| socket.generation != generation) {
            return;
        }
        match news {
            SocketNews::Opened => {
                if let Some(call) = &mut self.call {
                    call.trouble = None;
                }
                self.tell_session(SessionInput::SocketOpened);
            }
            SocketNews::Message(message) => {
                self.tell_session(SessionInput::SocketMessage(message));
            }
            SocketNews::Unreadable => {
                let text = "the server said something that this version does not understand";
                self.fail(FailureCode::Internal, text);
            }
            SocketNews::Failed(error) => {
                if let Some(call) = &mut self.call {
                    call.trouble = Some(error);
                }
            }
        }
    }

    pub(super) fn socket_ended(&mut self, generation: Generation) {
        if self.socket().is_some_and(|socket| socket.generation == generation) {
            self.close_socket();
            self.tell_session(SessionInput::SocketClosed);
        }
    }

    fn socket(&self) -> Option<&SocketHandle> {
        self.call.as_ref()?.socket.as_ref()
    }

    fn open_socket(&mut self) {
        self.close_socket();
        let generation = self.next_generation();
        let Some(call) = &mut self.call else { return };
        let (outgoing, receiver) = mpsc::channel(socket::OUTGOING_QUEUE);
        let hang_up = self.cancel.child_token();
        let (server, inputs) = (call.server.clone(), self.server_inputs.clone());
        let task = socket::run(server, generation, receiver, inputs, hang_up.clone());
        self.tasks.spawn(TaskId::Socket(generation), task);
        call.socket = Some(SocketHandle { generation, outgoing, hang_up });
    }

    fn close_socket(&mut self) {
        if let Some(socket) = self.call.as_mut().and_then(|call| call.socket.take()) {
            socket.hang_up.cancel();
        }
    }

    fn send(&mut self, message: ClientMessage) {
        let Some(socket) = self.socket() else { return };
        if socket.outgoing.try_send(message).is_err() {
            // An offer that does not arrive would leave two people waiting for each other: a new
            // connection begins with a complete state instead.
            tracing::warn!("the signalling server takes nothing any more");
            self.close_socket();
            self.tell_session(SessionInput::SocketClosed);
        }
    }

    // The people.

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Joined { you, present } => {
                self.events.send(Event::Joined { you, present });
            }
            SessionEvent::Waiting => self.events.send(Event::Waiting),
            SessionEvent::Knock(info) => self.events.send(Event::Knock(info)),
            SessionEvent::KnockOver(peer) => self.events.send(Event::KnockOver(peer)),
            SessionEvent::Policy { policy, by } => {
                self.events.send(Event::Policy { policy, by });
            }
            SessionEvent::PeerRemoved { peer, by } => {
                self.events.send(Event::PeerRemoved { peer, by });
            }
            SessionEvent::Signalling { online } => self.events.send(Event::Signalling { online }),
            SessionEvent::PeerJoined(info) => {
                self.add_peer(info.id);
                let (peer, name) = (info.id, info.name.clone());
                self.tell_chat(ChatInput::Joined { peer, name });
                self.tell_files(FilesInput::Joined(peer));
                self.events.send(Event::PeerJoined(info));
            }
            SessionEvent::PeerLeft(info) => {
                self.remove_peer(&info);
                self.tell_chat(ChatInput::Left(info.id));
                self.hand_gone(info.id);
                self.tell_files(FilesInput::Left(info.id));
                self.events.send(Event::PeerLeft(info));
            }
            SessionEvent::PeerMedia(peer, media) => {
                if media.camera_off
                    && let Some(intake) = self.intake(peer)
                {
                    intake.pause_pictures();
                }
                if media.sharing.is_none()
                    && let Some(intake) = self.intake(peer)
                {
                    intake.pause_screen();
                }
                self.events.send(Event::PeerMedia(peer, media));
            }
            SessionEvent::PeerConnection(peer, state) => {
                self.events.send(Event::PeerConnection(peer, state));
            }
            SessionEvent::PeerTrust(peer, trust) => {
                self.events.send(Event::PeerTrust(peer, trust));
            }
            SessionEvent::Error { code, message } => {
                self.events.send(Event::Error { code: FailureCode::Refused(code), message });
            }
            SessionEvent::Ended(end) => {
                if let Some(call) = &mut self.call {
                    call.ended = Some(end_reason(end, call.trouble.as_ref()));
                }
            }
        }
    }

    pub(super) fn add_peer(&mut self, peer: PeerId) -> Arc<Intake> {
        let inputs = self.inputs.clone();
        let new = || Peer {
            intake: Arc::new(Intake::new(peer, inputs)),
            link: None,
            meter: PeerMeter::new(peer, Instant::now()),
            view: DEFAULT_VIEW,
            shows: None,
            condition: None,
            screen_view: DEFAULT_VIEW,
            shows_screen: None,
            word: None,
            estimate: None,
            lossy_until: None,
        };
        let Some(call) = &mut self.call else { return new().intake };
        call.gestures.joined(peer);
        let intake = Arc::clone(&call.peers.entry(peer).or_insert_with(new).intake);
        if let Some(gain) = call.gains.get(&peer) {
            intake.set_gain(*gain);
        }
        intake
    }

    fn tell_peer(&mut self, peer: PeerId, message: PeerMessage) {
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        if let Some(known) = known {
            known.word = Some(message);
            known.say_word();
        }
    }

    fn remove_peer(&mut self, info: &PeerInfo) {
        self.drop_link(info.id);
        if let Some(call) = &mut self.call {
            call.peers.remove(&info.id);
        }
    }

    /// The room is behind us: its links and its socket close by themselves.
    fn drop_call(&mut self) {
        let peers = self.call.iter().flat_map(|call| call.peers.keys().copied());
        for peer in peers.collect::<Vec<_>>() {
            self.drop_link(peer);
        }
        self.close_socket();
        if let Some(call) = self.call.take() {
            self.events.send(Event::Ended(call.ended.unwrap_or(EndReason::Left)));
        }
    }
}

fn end_reason(end: SessionEnd, trouble: Option<&SocketError>) -> EndReason {
    match end {
        SessionEnd::Left => EndReason::Left,
        SessionEnd::Refused { code, message } => {
            EndReason::Failed { code: FailureCode::Refused(code), message }
        }
        SessionEnd::Unreachable => EndReason::Failed {
            code: FailureCode::ServerUnreachable,
            message: match trouble {
                Some(trouble) => format!("the server cannot be reached: {trouble}"),
                None => "the server cannot be reached".to_owned(),
            },
        },
    }
}

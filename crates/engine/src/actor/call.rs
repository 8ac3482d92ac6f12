//! The call: carries out what the session wants, and tells it what happens.

use std::{collections::HashMap, sync::Arc, time::Instant};

use quartet_core::{
    LinkAction, LinkEvent, LinkState,
    session::{
        Input as SessionInput, Output as SessionOutput, Session, SessionConfig, SessionEnd,
        SessionEvent,
    },
};
use quartet_proto::{
    ClientMessage, Epoch, IceServer, MediaState, PeerId, PeerInfo, ServerUrl, SessionKey,
};
use quartet_rtc::{IceConfig, Link, LinkConfig, LinkRole, LinkStats};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Actor;
use crate::{
    EndReason, Event, FailureCode, JoinRequest, PeerStats,
    figures::PeerMeter,
    input::{Generation, LinkNews, SocketNews},
    intake::Intake,
    link_task,
    network::Network,
    socket::{self, SocketError},
    tasks::TaskId,
};

/// Actions that wait for a link to open, which takes milliseconds; more than an offer and its
/// candidates means that it will not.
const WAITING_ACTIONS: usize = 128;
/// Links that may exist at once, those included that are closing, which takes up to two seconds:
/// everybody whom the session knows at once, four times over. A server that makes people come and
/// go all the time then costs no more sockets; the session tries again a little later.
const MAX_LINKS: usize = 32;

/// One visit to a room.
#[derive(Debug)]
pub(super) struct Call {
    session: Session,
    /// What the session was last told that is sent.
    media: MediaState,
    server: ServerUrl,
    ice: IceConfig,
    socket: Option<SocketHandle>,
    peers: HashMap<PeerId, Peer>,
    /// Why there was no connection to the server when it was last tried.
    trouble: Option<SocketError>,
    ended: Option<EndReason>,
}

#[derive(Debug)]
struct SocketHandle {
    generation: Generation,
    /// Dropping it lets the task say what is left, and end.
    outgoing: mpsc::Sender<ClientMessage>,
    hang_up: CancellationToken,
}

/// Somebody else in the room.
#[derive(Debug)]
struct Peer {
    intake: Arc<Intake>,
    link: Option<LinkHandle>,
    meter: PeerMeter,
}

#[derive(Debug)]
struct LinkHandle {
    generation: Generation,
    epoch: Epoch,
    cancel: CancellationToken,
    state: Opening,
    /// It is connected, and its path was not said yet.
    path_wanted: bool,
}

#[derive(Debug)]
enum Opening {
    /// What it is to do once it is open.
    Waiting(Vec<LinkAction>),
    Open(Arc<Link>),
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
        let config = SessionConfig {
            room: request.link.secret.room_id(),
            // From the thread's ChaCha generator, which the system seeds.
            key: SessionKey::from_bytes(rand::random()),
            name: request.name,
            media,
        };
        self.call = Some(Call {
            session: Session::new(config, now),
            media,
            server: request.link.server,
            ice: request.ice,
            socket: None,
            peers: HashMap::new(),
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

    // The links.

    pub(super) fn link_news(&mut self, peer: PeerId, generation: Generation, news: LinkNews) {
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        let Some(Peer { intake, link: Some(link), meter }) = known else { return };
        if link.generation != generation {
            return;
        }
        let epoch = link.epoch;
        match news {
            LinkNews::Opened(opened) => {
                intake.opened(epoch, &opened);
                let open = Opening::Open(Arc::clone(&opened));
                if let Opening::Waiting(actions) = std::mem::replace(&mut link.state, open) {
                    actions.into_iter().for_each(|action| opened.act(action));
                }
            }
            LinkNews::Event(LinkEvent::KeyFrameWanted) => self.request_key_frame(),
            LinkNews::Event(event) => {
                if let (LinkEvent::State(LinkState::Connected), Opening::Open(open)) =
                    (&event, &link.state)
                {
                    link.path_wanted = true;
                    self.fan_out.add(peer, open);
                    self.request_key_frame();
                }
                self.tell_session(SessionInput::Link { peer, epoch, event });
            }
            LinkNews::Stats(stats) => {
                let encoder = self.encoding.figures();
                let rung = &self.config.encoding;
                meter.update(Instant::now(), &stats, &intake.figures(), &encoder, rung);
                if link.path_wanted
                    && let LinkStats {
                        local_candidate: Some(local),
                        remote_candidate: Some(remote),
                        ..
                    } = stats
                {
                    link.path_wanted = false;
                    self.events.send(Event::Connected { peer, local, remote });
                }
            }
        }
    }

    /// The task of a link is at its end, which the session may not know: it panicked.
    pub(super) fn link_ended(&mut self, peer: PeerId, generation: Generation) {
        let known = self.call.as_ref().and_then(|call| call.peers.get(&peer));
        let current = known.and_then(|peer| peer.link.as_ref());
        if let Some(link) = current.filter(|link| link.generation == generation) {
            let epoch = link.epoch;
            let event = LinkEvent::Broken("its task has ended".to_owned());
            self.tell_session(SessionInput::Link { peer, epoch, event });
        }
    }

    fn open_link(
        &mut self,
        peer: PeerId,
        epoch: Epoch,
        offerer: bool,
        ice_servers: Vec<IceServer>,
    ) {
        self.drop_link(peer);
        if self.tasks.links() >= MAX_LINKS {
            tracing::warn!("people come and go too fast: no link is opened for now");
            let event = LinkEvent::Broken("too many links are closing".to_owned());
            return self.tell_session(SessionInput::Link { peer, epoch, event });
        }
        let generation = self.next_generation();
        let intake = self.add_peer(peer);
        let Some(call) = &mut self.call else { return };
        let Some(known) = call.peers.get_mut(&peer) else { return };
        let mut ice = call.ice.clone();
        ice.servers.extend(ice_servers);
        let role = if offerer { LinkRole::Offerer } else { LinkRole::Answerer };
        let voice = self.mixer.add(peer);
        if let Err(error) = &voice {
            tracing::error!(%error, "a voice cannot be decoded");
        }
        let sink = intake.begin(epoch, voice.ok());
        let cancel = self.cancel.child_token();
        let task = link_task::run(
            peer,
            generation,
            LinkConfig { role, ice },
            sink,
            self.inputs.clone(),
            cancel.clone(),
        );
        self.tasks.spawn(TaskId::Link(peer, generation), task);
        known.link = Some(LinkHandle {
            generation,
            epoch,
            cancel,
            state: Opening::Waiting(Vec::new()),
            path_wanted: false,
        });
    }

    fn act(&mut self, peer: PeerId, epoch: Epoch, action: LinkAction) {
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        let link = known.and_then(|peer| peer.link.as_mut());
        let Some(link) = link.filter(|link| link.epoch == epoch) else { return };
        match &mut link.state {
            Opening::Open(link) => link.act(action),
            Opening::Waiting(actions) if actions.len() < WAITING_ACTIONS => actions.push(action),
            Opening::Waiting(_) => {
                let event = LinkEvent::Broken("it does not open".to_owned());
                self.tell_session(SessionInput::Link { peer, epoch, event });
            }
        }
    }

    fn close_link(&mut self, peer: PeerId, epoch: Epoch) {
        let known = self.call.as_ref().and_then(|call| call.peers.get(&peer));
        let current = known.and_then(|peer| peer.link.as_ref());
        if current.is_some_and(|link| link.epoch == epoch) {
            self.drop_link(peer);
        }
    }

    /// Nothing goes to or comes from the peer's present link any more; its task closes it.
    fn drop_link(&mut self, peer: PeerId) {
        self.fan_out.remove(peer);
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        if let Some(known) = known
            && let Some(link) = known.link.take()
        {
            link.cancel.cancel();
            known.intake.end();
            known.meter.idle();
        }
    }

    // The people.

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Joined { you, present } => {
                self.events.send(Event::Joined { you, present });
            }
            SessionEvent::Signalling { online } => self.events.send(Event::Signalling { online }),
            SessionEvent::PeerJoined(info) => {
                self.add_peer(info.id);
                self.events.send(Event::PeerJoined(info));
            }
            SessionEvent::PeerLeft(info) => {
                self.remove_peer(&info);
                self.events.send(Event::PeerLeft(info));
            }
            SessionEvent::PeerMedia(peer, media) => {
                if media.camera_off
                    && let Some(intake) = self.intake(peer)
                {
                    intake.pause_pictures();
                }
                self.events.send(Event::PeerMedia(peer, media));
            }
            SessionEvent::PeerConnection(peer, state) => {
                self.events.send(Event::PeerConnection(peer, state));
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

    fn add_peer(&mut self, peer: PeerId) -> Arc<Intake> {
        let inputs = self.inputs.clone();
        let new = || Peer {
            intake: Arc::new(Intake::new(peer, inputs)),
            link: None,
            meter: PeerMeter::new(peer, Instant::now()),
        };
        match &mut self.call {
            Some(call) => Arc::clone(&call.peers.entry(peer).or_insert_with(new).intake),
            None => new().intake,
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

#[cfg(test)]
mod tests {
    use quartet_proto::{JoinLink, LinkSecret, ServerMessage};

    use super::*;
    use crate::{EngineConfig, event_queue};

    const PEER: PeerId = PeerId::from_u64(1);

    /// Enters a room where [`PEER`] is, and gives the number of the link to it.
    fn visit(actor: &mut Actor) -> Generation {
        let server = ServerUrl::parse("http://127.0.0.1:1").unwrap();
        let link = JoinLink { server, secret: LinkSecret::from_bytes([1; 16]) };
        actor.join(JoinRequest { link, name: "Ann".to_owned(), ice: IceConfig::default() });
        actor.carry_out();
        let (outgoing, mut sent) = mpsc::channel(socket::OUTGOING_QUEUE);
        let generation = actor.next_generation();
        let hang_up = CancellationToken::new();
        actor.call.as_mut().unwrap().socket = Some(SocketHandle { generation, outgoing, hang_up });
        actor.socket_news(generation, SocketNews::Opened);
        actor.carry_out();
        let you = loop {
            if let ClientMessage::Join { key, .. } = sent.try_recv().unwrap() {
                break key.peer_id();
            }
        };
        let peers = vec![PeerInfo { id: PEER, name: "Bo".to_owned(), media: Default::default() }];
        let welcome = ServerMessage::Welcome { you, peers, ice_servers: Vec::new() };
        actor.socket_news(generation, SocketNews::Message(welcome));
        // The lower id offers.
        let (from, epoch, kind) = (PEER, 1, quartet_proto::DescriptionKind::Offer);
        let offer = ServerMessage::Description { from, epoch, kind, sdp: "v=0".to_owned() };
        actor.socket_news(generation, SocketNews::Message(offer));
        actor.carry_out();
        current(actor).unwrap()
    }

    fn current(actor: &Actor) -> Option<Generation> {
        let peer = actor.call.as_ref()?.peers.get(&PEER)?;
        peer.link.as_ref().map(|link| link.generation)
    }

    #[tokio::test]
    async fn people_who_come_and_go_all_the_time_cost_a_bounded_number_of_links() {
        let (inputs, _receiver) = mpsc::channel(64);
        let (events, _heard) = event_queue::channel();
        let cancel = CancellationToken::new();
        let mut actor = Actor::new(EngineConfig::default(), inputs, events, cancel);
        visit(&mut actor);
        // Nothing is awaited, so none of those that are closed has an end.
        for id in 2..200 {
            let peer = PeerId::from_u64(id);
            actor.open_link(peer, 1, false, Vec::new());
            actor.close_link(peer, 1);
        }
        assert_eq!(actor.tasks.links(), MAX_LINKS);
        actor.leave();
        actor.tasks.finish(std::time::Duration::from_secs(3)).await;
    }

    #[tokio::test]
    async fn the_end_of_a_link_of_the_last_visit_is_not_that_of_the_present_one() {
        let (inputs, _receiver) = mpsc::channel(64);
        let (events, _heard) = event_queue::channel();
        let cancel = CancellationToken::new();
        let mut actor = Actor::new(EngineConfig::default(), inputs, events, cancel);
        let old = visit(&mut actor);
        actor.leave();
        let new = visit(&mut actor);
        actor.task_ended(TaskId::Link(PEER, old));
        assert_eq!(current(&actor), Some(new));
        actor.task_ended(TaskId::Link(PEER, new));
        assert_ne!(current(&actor), Some(new), "it was the present one");
        actor.leave();
        actor.close_sources();
        actor.tasks.finish(std::time::Duration::from_secs(3)).await;
    }
}

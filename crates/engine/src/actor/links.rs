//! The links of the call: one to each of the others, opened and closed as the session wants.

use std::{sync::Arc, time::Instant};

use quartet_core::{
    LinkAction, LinkEstimate, LinkEvent, LinkState, chat::Input as ChatInput,
    session::Input as SessionInput, transfer::Input as FilesInput,
};
use quartet_proto::{Condition, Epoch, IceServer, PeerId, PeerMessage};
use quartet_rtc::{Link, LinkConfig, LinkRole, LinkStats};
use tokio_util::sync::CancellationToken;

use super::Actor;
use crate::{
    Event,
    figures::PeerMeter,
    input::{Generation, LinkNews},
    intake::Intake,
    link_task,
    tasks::TaskId,
};

/// Actions that wait for a link to open, which takes milliseconds; more than an offer and its
/// candidates means that it will not.
const WAITING_ACTIONS: usize = 128;
/// Links that may exist at once, those included that are closing, which takes up to two seconds:
/// everybody whom the session knows at once, four times over. A server that makes people come and
/// go all the time then costs no more sockets; the session tries again a little later.
const MAX_LINKS: usize = 32;

/// Somebody else in the room.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) intake: Arc<Intake>,
    pub(super) link: Option<LinkHandle>,
    pub(super) meter: PeerMeter,
    /// How high its picture is shown here, in pixels of the screen.
    pub(super) view: u16,
    /// How high it shows the own picture, once it has said so.
    pub(super) shows: Option<u16>,
    /// How it is doing, once it has said so.
    pub(super) condition: Option<Condition>,
    /// The same two of its screen and of the own one.
    pub(super) screen_view: u16,
    pub(super) shows_screen: Option<u16>,
    /// What else the session wants it to be told.
    pub(super) word: Option<PeerMessage>,
    /// What the path to it carries, once that is known.
    pub(super) estimate: Option<LinkEstimate>,
    /// The path has lost packets lately: until then it counts as one that does.
    pub(super) lossy_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct LinkHandle {
    generation: Generation,
    epoch: Epoch,
    cancel: CancellationToken,
    state: Opening,
    /// It has been connected: pictures and voices can go through it.
    connected: bool,
    /// It is connected, and its path was not said yet.
    path_wanted: bool,
}

#[derive(Debug)]
enum Opening {
    /// What it is to do once it is open.
    Waiting(Vec<LinkAction>),
    Open(Arc<Link>),
}

impl Peer {
    /// Pictures can reach it.
    pub(super) fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.connected)
    }

    /// Tells it what the session wants, if there is a link.
    pub(super) fn say_word(&self) {
        if let (Some(link), Some(word)) = (self.open_link(), &self.word) {
            link.tell(word);
        }
    }

    /// The present link, once it is open.
    pub(super) fn open_link(&self) -> Option<&Arc<Link>> {
        match &self.link.as_ref()?.state {
            Opening::Open(link) => Some(link),
            Opening::Waiting(_) => None,
        }
    }
}

impl Actor {
    pub(super) fn link_news(&mut self, peer: PeerId, generation: Generation, news: LinkNews) {
        let (sending, sending_screen) = (self.sending(peer), self.sending_screen(peer));
        let largest = self.largest_view();
        let busy = self.planning.is_busy();
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        let Some(known) = known else { return };
        let Peer { intake, link: Some(link), meter, .. } = known else { return };
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
                // Each connection begins with a complete state.
                known.say_view(largest);
                known.say_word();
                if let Some(call) = &self.call {
                    call.greet(peer);
                }
            }
            LinkNews::Event(LinkEvent::KeyFrameWanted) => {
                self.fan_out.restart(peer, |rung| self.make_key_frame(rung));
            }
            LinkNews::Event(LinkEvent::ScreenKeyFrameWanted) => self.make_screen_key_frame(),
            LinkNews::Event(LinkEvent::Said(message)) => self.heard(peer, message),
            LinkNews::Event(LinkEvent::ChatOpened) => self.tell_chat(ChatInput::Opened(peer)),
            LinkNews::Event(LinkEvent::ChatSent) => self.tell_chat(ChatInput::Sent(peer)),
            LinkNews::Event(LinkEvent::ChatHeard(message)) => {
                self.tell_chat(ChatInput::Heard(peer, message));
            }
            LinkNews::Event(LinkEvent::FilesOpened) => self.tell_files(FilesInput::Opened(peer)),
            LinkNews::Event(LinkEvent::FilesSent) => self.tell_files(FilesInput::Sent(peer)),
            LinkNews::Event(LinkEvent::FilesHeard(message)) => {
                self.tell_files(FilesInput::Heard(peer, message));
            }
            LinkNews::Event(LinkEvent::FilesPiece { id, offset, bytes }) => {
                self.tell_files(FilesInput::Piece(peer, id, offset, bytes));
            }
            LinkNews::Event(LinkEvent::Estimate(estimate)) => self.estimated(peer, estimate),
            LinkNews::Event(event) => {
                if let (LinkEvent::State(LinkState::Connected), Opening::Open(open)) =
                    (&event, &link.state)
                {
                    link.path_wanted = true;
                    link.connected = true;
                    self.fan_out.add(peer, open);
                    self.fan_out.restart(peer, |rung| self.make_key_frame(rung));
                }
                self.tell_session(SessionInput::Link { peer, epoch, event });
            }
            LinkNews::Stats(stats) => {
                let now = Instant::now();
                let estimate = known.estimate.as_ref();
                let limited_by = sending.limited_by;
                let sending = (&sending, &sending_screen);
                meter.update(now, &stats, &intake.figures(), sending, estimate);
                meter.set_condition(known.condition);
                // News at most once a second: people read it.
                if let Opening::Open(open) = &link.state {
                    let condition = Condition { limited_by, busy };
                    open.tell(&PeerMessage::Condition(condition));
                }
                if link.path_wanted
                    && let LinkStats {
                        local_candidate: Some(local),
                        remote_candidate: Some(remote),
                        ..
                    } = *stats
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

    pub(super) fn open_link(
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
        let (mut ice, certificate) = (call.ice.clone(), call.certificate.clone());
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
            LinkConfig { role, ice, certificate },
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
            connected: false,
            path_wanted: false,
        });
    }

    pub(super) fn act(&mut self, peer: PeerId, epoch: Epoch, mut action: LinkAction) {
        let Some(call) = &mut self.call else { return };
        if let LinkAction::IceServers(offered) = &mut action {
            // Those of the settings come first, as for a new link.
            offered.splice(..0, call.ice.servers.iter().cloned());
        }
        let link = call.peers.get_mut(&peer).and_then(|peer| peer.link.as_mut());
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

    pub(super) fn close_link(&mut self, peer: PeerId, epoch: Epoch) {
        let known = self.call.as_ref().and_then(|call| call.peers.get(&peer));
        let current = known.and_then(|peer| peer.link.as_ref());
        if current.is_some_and(|link| link.epoch == epoch) {
            self.drop_link(peer);
        }
    }

    /// Nothing goes to or comes from the peer's present link any more; its task closes it.
    pub(super) fn drop_link(&mut self, peer: PeerId) {
        self.fan_out.remove(peer);
        let known = self.call.as_mut().and_then(|call| call.peers.get_mut(&peer));
        if let Some(known) = known
            && let Some(link) = known.link.take()
        {
            link.cancel.cancel();
            known.intake.end();
            known.meter.idle();
            (known.shows, known.estimate, known.lossy_until) = (None, None, None);
            self.tell_chat(ChatInput::Closed(peer));
            self.tell_files(FilesInput::Closed(peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use quartet_proto::{
        About, ClientMessage, Fingerprint, JoinLink, LinkSecret, PeerInfo, RoomPolicy,
        ServerMessage, ServerUrl, Statement, Word,
    };
    use quartet_rtc::IceConfig;
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        EngineConfig, JoinRequest, actor::call::SocketHandle, event_queue, input::SocketNews,
        socket,
    };

    const PEER: PeerId = PeerId::from_u64(1);

    /// Enters a room where [`PEER`] is, and gives the number of the link to it.
    fn visit(actor: &mut Actor) -> Generation {
        let server = ServerUrl::parse("http://127.0.0.1:1").unwrap();
        let secret = LinkSecret::from_bytes([1; 16]);
        let auth = secret.auth_key();
        let link = JoinLink { server, secret };
        actor.join(JoinRequest {
            link,
            name: "Ann".to_owned(),
            ice: IceConfig::default(),
            policy: RoomPolicy::Open,
        });
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
        let welcome = ServerMessage::Welcome {
            you,
            peers,
            ice_servers: Vec::new(),
            policy: RoomPolicy::Open,
            knocking: Vec::new(),
        };
        actor.socket_news(generation, SocketNews::Message(welcome));
        // The lower id offers.
        let (from, epoch, kind) = (PEER, 1, quartet_proto::DescriptionKind::Offer);
        let own = Fingerprint::from_bytes([1; 32]);
        let sdp = format!("v=0\r\na=fingerprint:sha-256 {own}\r\n");
        let offer = Statement {
            about: About::Offer,
            epoch,
            from,
            to: you,
            own,
            other: None,
            reply_to: None,
            sdp: Some(&sdp),
        };
        let proof = Some(auth.prove(&offer, Word::from_bytes([1; 32])));
        let offer = ServerMessage::Description { from, epoch, kind, sdp, proof };
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

//! The task that owns a peer connection.
//!
//! Inputs: actions from the session; candidates, tracks and states from the connection; the end of
//! a task of its own; the order to close. It waits only for the connection, within a deadline, and
//! for whoever takes its events; media passes beside it.

use std::{future::Future, sync::Arc, time::Duration};

use quartet_core::{LinkAction, LinkEstimate, LinkEvent, LinkState};
use quartet_proto::{Candidate, ChatMessage, DescriptionKind, limits::MAX_CANDIDATE_BYTES};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_remote::TrackRemote;

use super::{
    chat::chat,
    conversation::{Words, converse},
    counters::Counters,
    files::{Files, Outbox, carry},
    media_queue::MediaQueue,
    receiver::{Incoming, Pictures, receive_video, receive_voice},
    sender::{PayloadTypes, Sender},
};
use crate::{
    LinkError, LinkRole, MediaSink,
    candidate::{MAX_REMOTE_CANDIDATES, is_usable, without_base},
    error::name,
    peer::{Peer, Servers, Signal, Signals},
    sdp::{Description, with_trickle},
    steering::Steering,
};

/// What the library may take for one action: none needs the network.
const ACTION_DEADLINE: Duration = Duration::from_secs(5);
/// What closing may take, the release of a TURN allocation included.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// Requests of the peer's for a key frame are passed on no more often than this.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// Estimates are announced no more often than this: whoever plans with them has enough of that.
const ESTIMATE_INTERVAL: Duration = Duration::from_millis(50);

/// What an actor is made of.
pub(super) struct Parts {
    pub(super) role: LinkRole,
    pub(super) peer: Peer,
    pub(super) signals: Signals,
    pub(super) actions: mpsc::Receiver<LinkAction>,
    pub(super) overflow: Arc<Notify>,
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) sink: Arc<dyn MediaSink>,
    pub(super) to_say: watch::Receiver<Words>,
    /// Taken when the actor begins.
    pub(super) to_chat: Option<mpsc::Receiver<ChatMessage>>,
    /// Likewise.
    pub(super) files: Option<Outbox>,
    pub(super) queue: Arc<MediaQueue>,
    pub(super) counters: Arc<Counters>,
    pub(super) steering: Arc<Steering>,
    pub(super) key_frame_requested: Arc<Notify>,
    pub(super) screen_key_frame_requested: Arc<Notify>,
    pub(super) cancel: CancellationToken,
}

pub(super) struct Actor {
    parts: Parts,
    payload_types: watch::Sender<PayloadTypes>,
    estimates: watch::Receiver<LinkEstimate>,
    tasks: JoinSet<Ended>,
    negotiation: Negotiation,
    has_voice: bool,
    has_video: bool,
    has_screen: bool,
    /// The next time that a wish for a key frame is passed on.
    key_frame_at: Instant,
    /// The same for the screen.
    screen_key_frame_at: Instant,
    /// The next time that an estimate is announced; none before the link is connected.
    estimate_at: Option<Instant>,
}

/// Where the exchange of descriptions stands.
#[derive(Default)]
struct Negotiation {
    /// An offer of ours is not answered yet.
    offered: bool,
    /// Another offer is to follow the answer; with an ICE restart or without.
    offer_again: Option<bool>,
    /// The peer's latest description, without its candidates.
    remote: Option<Description>,
    /// Candidates of the peer's that came before any description.
    waiting: Vec<Candidate>,
    /// Candidates of this generation taken.
    taken: usize,
    /// Our latest description.
    local: Option<Description>,
    /// Its candidates that were told, and their end.
    told: Vec<Candidate>,
}

/// Which task of a link has ended.
enum Ended {
    Sender,
    Receiver,
    Conversation,
    /// The names of new servers are resolved, as far as they can be.
    Resolving(Servers),
    Chat,
    Files,
}

/// Why the actor stops.
enum Stop {
    /// It was told to, or nobody listens any more.
    Closed,
    /// The link is unusable.
    Broken(LinkError),
}

/// Runs an actor to its end, whatever happens in it.
pub(super) async fn supervise(actor: Actor) {
    let events = actor.parts.events.clone();
    let cancel = actor.parts.cancel.clone();
    let connection = Arc::clone(&actor.parts.peer.connection);
    let queue = Arc::clone(&actor.parts.queue);
    let mut task = JoinSet::new();
    task.spawn(actor.run());
    let stop = match task.join_next().await {
        Some(Ok(stop)) => stop,
        // The library asserts what a hostile peer might contrive to break.
        _ => Stop::Broken(LinkError::refused("running a link", "a task panicked")),
    };
    queue.set_open(false);
    if timeout(CLOSE_DEADLINE, connection.close()).await.is_err() {
        tracing::warn!("a connection has not closed in time");
    }
    if let Stop::Broken(error) = stop {
        tracing::warn!(%error, "a link is broken");
        tokio::select! {
            _ = events.send(LinkEvent::Broken(error.to_string())) => {}
            () = cancel.cancelled() => {}
        }
    }
}

impl Actor {
    pub(super) fn new(parts: Parts) -> Self {
        let estimates = parts.steering.estimates();
        Self {
            parts,
            payload_types: watch::channel(PayloadTypes::default()).0,
            estimates,
            tasks: JoinSet::new(),
            negotiation: Negotiation::default(),
            has_voice: false,
            has_video: false,
            has_screen: false,
            key_frame_at: Instant::now(),
            screen_key_frame_at: Instant::now(),
            estimate_at: None,
        }
    }

    async fn run(mut self) -> Stop {
        let Parts { peer, queue, counters, steering, .. } = &self.parts;
        let sender = Sender::new(
            [&peer.voice, &peer.video, &peer.screen].map(Clone::clone),
            self.payload_types.subscribe(),
            Arc::clone(queue),
            Arc::clone(counters),
            Arc::clone(steering),
        );
        self.tasks.spawn(async move {
            sender.run().await;
            Ended::Sender
        });
        let events = self.parts.events.clone();
        let conversation =
            converse(Arc::clone(&peer.channel), self.parts.to_say.clone(), events.clone());
        self.tasks.spawn(async move {
            conversation.await;
            Ended::Conversation
        });
        if let Some(to_chat) = self.parts.to_chat.take() {
            let chat = chat(Arc::clone(&self.parts.peer.chat), to_chat, events.clone());
            self.tasks.spawn(async move {
                chat.await;
                Ended::Chat
            });
        }
        if let Some(outbox) = self.parts.files.take() {
            let [control, data] = self.parts.peer.files.clone();
            let (events, steering) = (events.clone(), Arc::clone(&self.parts.steering));
            let files = carry(Files { control, data, outbox, events, steering });
            self.tasks.spawn(async move {
                files.await;
                Ended::Files
            });
        }
        let cancel = self.parts.cancel.clone();
        let stop = tokio::select! {
            stop = self.serve() => stop,
            () = cancel.cancelled() => Stop::Closed,
            () = events.closed() => Stop::Closed,
        };
        self.tasks.shutdown().await;
        stop
    }

    async fn serve(&mut self) -> Stop {
        let key_frame_wanted = Arc::clone(&self.parts.signals.key_frame_wanted);
        let screen_wanted = Arc::clone(&self.parts.signals.screen_key_frame_wanted);
        let overflow = Arc::clone(&self.parts.overflow);
        loop {
            let (key_frame_at, estimate_at) = (self.key_frame_at, self.estimate_at);
            let screen_key_frame_at = self.screen_key_frame_at;
            let done = tokio::select! {
                action = self.parts.actions.recv() => match action {
                    Some(action) => self.act(action).await,
                    None => Err(Stop::Closed),
                },
                signal = self.parts.signals.queue.recv() => match signal {
                    Some(signal) => self.heed(signal).await,
                    None => Err(broken("running a link", "the connection has ended")),
                },
                changed = self.parts.signals.state.changed() => match changed {
                    Ok(()) => self.change_state().await,
                    Err(_) => Err(broken("running a link", "the connection has ended")),
                },
                () = async {
                    sleep_until(key_frame_at).await;
                    key_frame_wanted.notified().await;
                } => {
                    self.key_frame_at = Instant::now() + KEY_FRAME_INTERVAL;
                    self.tell(LinkEvent::KeyFrameWanted).await
                }
                () = async {
                    sleep_until(screen_key_frame_at).await;
                    screen_wanted.notified().await;
                } => {
                    self.screen_key_frame_at = Instant::now() + KEY_FRAME_INTERVAL;
                    self.tell(LinkEvent::ScreenKeyFrameWanted).await
                }
                Ok(()) = async {
                    match estimate_at {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                    self.estimates.changed().await
                } => {
                    self.estimate_at = Some(Instant::now() + ESTIMATE_INTERVAL);
                    let estimate = *self.estimates.borrow_and_update();
                    self.tell(LinkEvent::Estimate(estimate)).await
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Receiver | Ended::Conversation | Ended::Chat | Ended::Files) => Ok(()),
                    Ok(Ended::Resolving(servers)) => {
                        self.parts.peer.set_ice_servers(servers).await;
                        Ok(())
                    }
                    Ok(Ended::Sender) => Err(broken("sending", "the connection has ended")),
                    Err(_) => Err(broken("running a link", "a task panicked")),
                },
                () = overflow.notified() => Err(broken("taking an action", "there are too many")),
            };
            if let Err(stop) = done {
                return stop;
            }
        }
    }

    async fn act(&mut self, action: LinkAction) -> Result<(), Stop> {
        match (action, self.parts.role) {
            (LinkAction::Offer { ice_restart }, LinkRole::Offerer) => {
                if self.negotiation.offered {
                    let restart = self.negotiation.offer_again.unwrap_or(false) || ice_restart;
                    self.negotiation.offer_again = Some(restart);
                    return Ok(());
                }
                self.offer(ice_restart).await
            }
            (LinkAction::Description { kind: DescriptionKind::Offer, sdp }, LinkRole::Answerer) => {
                self.answer(&sdp).await
            }
            (LinkAction::Description { kind: DescriptionKind::Answer, sdp }, LinkRole::Offerer) => {
                self.take_answer(&sdp).await
            }
            (LinkAction::Candidate(candidate), _) => {
                self.take_candidate(candidate).await;
                Ok(())
            }
            (LinkAction::IceServers(servers), _) => {
                // Beside the rest: a name server may not answer.
                let resolving = self.parts.peer.resolve(servers);
                self.tasks.spawn(async move { Ended::Resolving(resolving.await) });
                Ok(())
            }
            (LinkAction::RepeatOffer, LinkRole::Offerer) => self.repeat_offer().await,
            (LinkAction::Offer { .. } | LinkAction::RepeatOffer, LinkRole::Answerer) => {
                Err(broken("making an offer", "this side answers"))
            }
            (LinkAction::Description { .. }, _) => {
                Err(broken("taking a description", "it is of the wrong kind"))
            }
        }
    }

    async fn offer(&mut self, ice_restart: bool) -> Result<(), Stop> {
        let offer = self.parts.peer.offer(ice_restart);
        let sdp = within_deadline("making an offer", offer).await?;
        self.negotiation.offered = true;
        self.announce(DescriptionKind::Offer, &sdp).await
    }

    async fn answer(&mut self, sdp: &str) -> Result<(), Stop> {
        let mut offer = read("taking an offer", sdp)?;
        let answer = self.parts.peer.answer(std::mem::take(&mut offer.sdp));
        let answer = within_deadline("answering an offer", answer).await?;
        let answer = offer.clamp(&answer);
        self.begin_generation(offer).await;
        self.announce(DescriptionKind::Answer, &answer).await?;
        self.agree().await;
        Ok(())
    }

    async fn take_answer(&mut self, sdp: &str) -> Result<(), Stop> {
        if !std::mem::take(&mut self.negotiation.offered) {
            tracing::debug!("an answer to no offer is ignored");
            return Ok(());
        }
        let mut answer = read("taking an answer", sdp)?;
        let taken = self.parts.peer.take_answer(std::mem::take(&mut answer.sdp));
        within_deadline("taking an answer", taken).await?;
        self.begin_generation(answer).await;
        self.agree().await;
        match self.negotiation.offer_again.take() {
            Some(ice_restart) => self.offer(ice_restart).await,
            None => Ok(()),
        }
    }

    /// Says a description of ours. Candidates go on their own: those that the library writes into
    /// an offer to restart ICE are of the generation before.
    async fn announce(&mut self, kind: DescriptionKind, sdp: &str) -> Result<(), Stop> {
        let description = read("reading an own description", sdp)?;
        let before = self.negotiation.local.take();
        if before.is_none_or(|before| before.ufrag != description.ufrag) {
            self.negotiation.told.clear();
        }
        let sdp = with_trickle(&description.sdp);
        self.negotiation.local = Some(description);
        self.tell(LinkEvent::Description { kind, sdp }).await?;
        // An offer that comes again was repeated: what followed the answer may be lost as well.
        self.tell_candidates_again().await
    }

    async fn repeat_offer(&mut self) -> Result<(), Stop> {
        let Some(local) = self.negotiation.local.as_ref().filter(|_| self.negotiation.offered)
        else {
            return Ok(());
        };
        let (kind, sdp) = (DescriptionKind::Offer, with_trickle(&local.sdp));
        self.tell(LinkEvent::Description { kind, sdp }).await?;
        self.tell_candidates_again().await
    }

    async fn tell_candidates_again(&self) -> Result<(), Stop> {
        for candidate in &self.negotiation.told {
            self.tell(LinkEvent::Candidate(candidate.clone())).await?;
        }
        Ok(())
    }

    /// Takes the candidates that came in, or before, the peer's description.
    async fn begin_generation(&mut self, mut remote: Description) {
        let within =
            std::mem::take(&mut remote.candidates).into_iter().map(|candidate| Candidate {
                candidate,
                sdp_mid: Some(remote.mid.clone()),
                sdp_mline_index: Some(remote.index),
                username_fragment: None,
            });
        let mut candidates: Vec<_> = within.collect();
        candidates.append(&mut self.negotiation.waiting);
        self.negotiation.remote = Some(remote);
        self.negotiation.taken = 0;
        for candidate in candidates {
            self.take_candidate(candidate).await;
        }
    }

    /// Takes a candidate of the peer's, or ignores it: without one of many a link may still work.
    async fn take_candidate(&mut self, candidate: Candidate) {
        let Negotiation { remote, waiting, taken, .. } = &mut self.negotiation;
        // The library does nothing with the end of candidates either.
        if candidate.candidate.is_empty() {
            return;
        }
        let fits = candidate.candidate.len() <= MAX_CANDIDATE_BYTES
            && is_usable(&candidate.candidate)
            && *taken < MAX_REMOTE_CANDIDATES;
        if !fits {
            tracing::debug!("a candidate is ignored");
            return;
        }
        let Some(remote) = remote else {
            if waiting.len() < MAX_REMOTE_CANDIDATES {
                waiting.push(candidate);
            }
            return;
        };
        // Only the transport that all media share is used, and only its present generation.
        let of_section = match (&candidate.sdp_mid, candidate.sdp_mline_index) {
            (Some(mid), _) => *mid == remote.mid,
            (None, Some(index)) => index == remote.index,
            (None, None) => true,
        };
        let of_generation =
            candidate.username_fragment.as_ref().is_none_or(|ufrag| *ufrag == remote.ufrag);
        if !of_section || !of_generation {
            return;
        }
        *taken += 1;
        let taken = self.parts.peer.take_candidate(&candidate);
        if let Err(Stop::Broken(error)) = within_deadline("taking a candidate", taken).await {
            tracing::debug!(%error, "a candidate is ignored");
        }
    }

    /// Notes what can be sent, once a description has been agreed on.
    async fn agree(&self) {
        let Peer { voice, video, screen, .. } = &self.parts.peer;
        let (voice, red) = voice.payload_types().await;
        let (video, _) = video.payload_types().await;
        // A peer that takes no screens has no section for them.
        let (screen, _) = match self.parts.peer.takes_screens().await {
            true => screen.payload_types().await,
            false => (None, None),
        };
        self.payload_types.send_replace(PayloadTypes { voice, red, video, screen });
    }

    async fn heed(&mut self, signal: Signal) -> Result<(), Stop> {
        match signal {
            Signal::Candidate(line) => {
                let line =
                    if line.starts_with("candidate:") { line } else { format!("candidate:{line}") };
                self.tell_candidate(without_base(&line)).await
            }
            Signal::EndOfCandidates => self.tell_candidate(String::new()).await,
            Signal::Track(track) => {
                self.receive(track).await;
                Ok(())
            }
        }
    }

    async fn tell_candidate(&mut self, candidate: String) -> Result<(), Stop> {
        // The connection gathers only after it has got a description.
        let Some(local) = &self.negotiation.local else { return Ok(()) };
        let candidate = Candidate {
            candidate,
            sdp_mid: Some(local.mid.clone()),
            sdp_mline_index: Some(local.index),
            username_fragment: Some(local.ufrag.clone()),
        };
        let told = &mut self.negotiation.told;
        if told.len() < MAX_REMOTE_CANDIDATES && !told.contains(&candidate) {
            told.push(candidate.clone());
        }
        self.tell(LinkEvent::Candidate(candidate)).await
    }

    async fn receive(&mut self, track: Arc<dyn TrackRemote>) {
        let kind = track.kind().await;
        let is_screen = self.parts.peer.is_screen(&track).await;
        let incoming = Incoming {
            track,
            sink: Arc::clone(&self.parts.sink),
            counters: Arc::clone(&self.parts.counters),
            clocks: Arc::clone(&self.parts.signals.clocks),
        };
        match kind {
            RtpCodecKind::Audio if !self.has_voice => {
                self.has_voice = true;
                let payload_types = self.payload_types.subscribe();
                self.tasks.spawn(async move {
                    receive_voice(incoming, payload_types).await;
                    Ended::Receiver
                });
            }
            RtpCodecKind::Video if !is_screen && !self.has_video => {
                self.has_video = true;
                let requested = Arc::clone(&self.parts.key_frame_requested);
                self.tasks.spawn(async move {
                    receive_video(incoming, requested, Pictures::Camera).await;
                    Ended::Receiver
                });
            }
            RtpCodecKind::Video if is_screen && !self.has_screen => {
                self.has_screen = true;
                let requested = Arc::clone(&self.parts.screen_key_frame_requested);
                self.tasks.spawn(async move {
                    receive_video(incoming, requested, Pictures::Screen).await;
                    Ended::Receiver
                });
            }
            _ => tracing::warn!("a track too many is ignored"),
        }
    }

    async fn change_state(&mut self) -> Result<(), Stop> {
        let Some(state) = *self.parts.signals.state.borrow_and_update() else { return Ok(()) };
        match state {
            LinkState::Connected => {
                self.parts.queue.set_open(true);
                // The first word is what the link begins with.
                self.estimates.mark_changed();
                self.estimate_at = Some(Instant::now());
                // The other side waits for one, and our encoder need not wait to hear that.
                self.parts.signals.key_frame_wanted.notify_one();
                self.parts.signals.screen_key_frame_wanted.notify_one();
            }
            LinkState::Failed => self.parts.queue.set_open(false),
            LinkState::Connecting | LinkState::Disconnected => {}
        }
        self.tell(LinkEvent::State(state)).await
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), Stop> {
        self.parts.events.send(event).await.map_err(|_| Stop::Closed)
    }
}

fn read(doing: &'static str, sdp: &str) -> Result<Description, Stop> {
    Description::read(sdp).map_err(|reason| broken(doing, reason))
}

fn broken(doing: &'static str, reason: &str) -> Stop {
    Stop::Broken(LinkError::refused(doing, reason))
}

async fn within_deadline<T>(
    doing: &'static str,
    work: impl Future<Output = webrtc::error::Result<T>>,
) -> Result<T, Stop> {
    match timeout(ACTION_DEADLINE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Stop::Broken(LinkError { doing, reason: name(&error) })),
        Err(_) => Err(broken(doing, "it takes too long")),
    }
}

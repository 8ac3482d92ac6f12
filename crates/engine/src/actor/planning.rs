//! What is encoded and who gets what of it: as little as everybody's window, line and this machine
//! ask for.
//!
//! The rules are `quartet_core`'s; this only brings together what they need, whenever something has
//! happened, and carries out what they say.

use std::time::{Duration, Instant};

use quartet_core::{
    LinkEstimate, Rung,
    congestion::{LinkNeed, LinkShare, START_BPS, Uplink},
    layers::{
        CpuPolicy, Encoding, Layer, LayerPlan, Load, Plan, Situation, UPPER_LAYER, Viewer,
        wanted_with_screen,
    },
    red::MAX_COPIES,
    session::Input as SessionInput,
};
use quartet_proto::{PeerId, PeerMessage, PictureLimit};

use super::{Actor, links::Peer, screen::ScreenPlan};
use crate::{DEFAULT_VIEW, Event, TileId, figures::Sending};

/// How often the load of the machine is looked at.
const LOAD_INTERVAL: Duration = Duration::from_millis(500);
/// What a client that never says how high it shows a picture is sent where there are several
/// others: tiles are small then. One alone is sent [`DEFAULT_VIEW`].
const UNSAID_AMONG_SEVERAL: u16 = 360;
/// What a path is taken to carry before its controller says so: what the controller begins with.
const START: LinkEstimate = LinkEstimate {
    bitrate_bps: START_BPS,
    settled_bps: START_BPS,
    loss: 0.0,
    rtt: None,
    congested: false,
};

/// The largest camera picture beside a shared screen.
const BESIDE_SCREEN: Rung = Rung::P360;

/// From this share of lost packets on there is to be room for copies of the voice; how many are
/// sent is the link's to decide.
const LOSSY: f32 = 0.005;
/// For so long after the last such loss: of a small loss, seconds pass without any.
const LOSSY_FOR: Duration = Duration::from_secs(10);

/// What was decided, and the memory of those who decide.
#[derive(Debug)]
pub(super) struct Planning {
    uplink: Uplink<PeerId>,
    layers: LayerPlan,
    plan: Plan,
    cpu: CpuPolicy,
    load_at: Instant,
    /// What was last said of the load.
    busy: bool,
    /// How high the own tile is, in pixels of the screen.
    own_view: u16,
    /// Of the shared screen.
    pub(super) screen: ScreenPlan,
}

impl Planning {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            uplink: Uplink::default(),
            layers: LayerPlan::default(),
            plan: Plan::default(),
            cpu: CpuPolicy::default(),
            load_at: now,
            busy: false,
            own_view: DEFAULT_VIEW,
            screen: ScreenPlan::default(),
        }
    }

    /// The encodings that run, and at which rate.
    pub(super) fn encodings(&self) -> &[Encoding] {
        &self.plan.encodings
    }

    /// The machine does not keep up.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }
}

impl Actor {
    /// A tile is shown in another size.
    pub(super) fn view(&mut self, tile: TileId, height: u16) {
        match tile {
            TileId::Own => self.planning.own_view = height,
            TileId::Peer(peer) => {
                let largest = self.largest_view();
                if let Some(known) = self.peer(peer) {
                    known.view = height;
                    known.say_view(largest);
                }
            }
            TileId::Screen(peer) => {
                let largest = self.largest_view();
                if let Some(known) = self.peer(peer) {
                    known.screen_view = height;
                    known.say_view(largest);
                }
            }
        }
    }

    /// A peer has said something past the server.
    pub(super) fn heard(&mut self, peer: PeerId, message: PeerMessage) {
        match message {
            PeerMessage::View { height, screen } => {
                if let Some(known) = self.peer(peer) {
                    known.shows = Some(height);
                    known.shows_screen = screen;
                }
            }
            PeerMessage::Room { .. } => self.tell_session(SessionInput::Said { peer, message }),
            PeerMessage::Hand { .. } | PeerMessage::Reaction { .. } => {
                self.gesture_heard(peer, &message);
            }
            PeerMessage::Condition(condition) => {
                if let Some(known) = self.peer(peer) {
                    known.condition = Some(condition);
                }
            }
        }
    }

    /// The path to a peer carries something else.
    pub(super) fn estimated(&mut self, peer: PeerId, estimate: LinkEstimate) {
        if let Some(known) = self.peer(peer) {
            known.estimate = Some(estimate);
            if estimate.loss >= LOSSY {
                known.lossy_until = Some(Instant::now() + LOSSY_FOR);
            }
        }
    }

    /// How much of anybody's picture this machine can decode: everything, while it keeps up.
    pub(super) fn largest_view(&self) -> u16 {
        if self.planning.busy { self.planning.cpu.top().size().1 } else { u16::MAX }
    }

    pub(super) fn planning_timeout(&self) -> Option<Instant> {
        let has_work = self.call.is_some() || self.sources.camera().is_some();
        let load_at = has_work.then_some(self.planning.load_at);
        load_at.into_iter().chain(self.planning.layers.poll_timeout()).min()
    }

    pub(super) fn planning_due(&mut self, now: Instant) {
        if self.planning.load_at <= now {
            self.planning.load_at = now + LOAD_INTERVAL;
            self.look_at_load(now);
        }
        self.plan(now);
    }

    fn look_at_load(&mut self, now: Instant) {
        // All are asked: each says only once that it was behind.
        let tiles = self.call.iter().flat_map(|call| call.peers.values());
        let tiles = tiles.map(|peer| &peer.intake.tile).chain([&self.fan_out.own_tile]);
        let behind = tiles.filter(|tile| tile.take_behind()).count();
        let pipeline = self.sources.encoder_stats();
        self.planning.cpu.update(
            now,
            &Load {
                running: pipeline.and(self.planning.encodings().last()).map(|it| it.rung),
                encoder: pipeline.map_or(0.0, |it| it.load),
                fell_out: pipeline.map_or(0, |it| it.fell_out),
                decoders_behind: behind > 0,
            },
        );
        let busy = self.planning.cpu.is_busy();
        if busy != self.planning.busy {
            tracing::info!(busy, "the machine's load");
            self.events.send(Event::MachineBusy(busy));
        }
        let before = self.largest_view();
        self.planning.busy = busy;
        let largest = self.largest_view();
        if largest != before {
            let peers = self.call.iter().flat_map(|call| call.peers.values());
            peers.for_each(|peer| peer.say_view(largest));
        }
    }

    /// Runs what is needed now, and gives everybody what is meant for them.
    pub(super) fn plan(&mut self, now: Instant) {
        let needs = self.needs(now);
        let mut shares = self.planning.uplink.share(now, &needs);
        self.plan_screen(&mut shares);
        // Without a camera nobody waits for anything: who comes back to it is served at once.
        let shown = shares.iter().filter(|_| self.sources.camera().is_some());
        let viewers: Vec<_> = shown.map(|(peer, share)| self.viewer(*peer, share)).collect();
        let own_height =
            if self.fan_out.own_tile.is_attached() { self.planning.own_view } else { 0 };
        let situation = Situation { source: self.source(), top: self.top(), own_height };
        let plan = self.planning.layers.update(now, &situation, &viewers);
        if plan != self.planning.plan {
            tracing::debug!(?plan);
            self.planning.plan = plan;
        }
        for (peer, share) in shares {
            if let Some(link) = self.peer(peer).and_then(|peer| peer.open_link()) {
                link.set_share(share);
            }
        }
        self.carry_out_plan();
    }

    fn carry_out_plan(&self) {
        let plan = &self.planning.plan;
        let Some(camera) = self.sources.camera() else { return };
        camera.set_rungs(&plan.encodings);
        let ask = |rung| camera.request_key_frame(rung);
        for view in &plan.views {
            self.fan_out.set(view.peer, view.layer, ask);
        }
        let own = plan.encodings.last().map(|it| Layer { rung: it.rung, temporal: UPPER_LAYER });
        self.fan_out.set_own(own, ask);
    }

    /// What everybody could use whom pictures can reach.
    fn needs(&self, now: Instant) -> Vec<(PeerId, LinkNeed)> {
        let media = self.sources.media();
        let best = Rung::offered(self.source()).last().copied().unwrap_or(Rung::P180);
        let top = best.min(self.top());
        let peers = self.call.iter().flat_map(|call| &call.peers);
        let connected = peers.filter(|(_, peer)| peer.is_connected());
        let needs = connected.map(|(&peer, known)| {
            let rung = Rung::shown_at(self.height_at(known)).filter(|_| !media.camera_off);
            let of_use = rung.map_or(0, |rung| u64::from(*rung.min(top).bitrates().end()));
            let camera = of_use.min(self.config.max_video_bps.map_or(u64::MAX, u64::from));
            let need = LinkNeed {
                estimate: known.estimate.unwrap_or(START),
                video_bps: match self.shares_with(known) {
                    true => wanted_with_screen(camera),
                    false => camera,
                },
                voice: self.sources.microphone_runs(),
                voice_copies: if known.lossy_until.is_some_and(|until| now < until) {
                    MAX_COPIES as u8
                } else {
                    0
                },
            };
            (peer, need)
        });
        needs.collect()
    }

    fn viewer(&self, peer: PeerId, share: &LinkShare) -> Viewer {
        let known = self.call.as_ref().and_then(|call| call.peers.get(&peer));
        let height = known.map_or(0, |known| self.height_at(known));
        Viewer { peer, budget_bps: share.video_bps, height, base_only: false }
    }

    /// How high somebody shows the own picture, as far as is known.
    fn height_at(&self, peer: &Peer) -> u16 {
        let several = self.call.as_ref().is_some_and(|call| call.peers.len() > 1);
        let unsaid = if several { UNSAID_AMONG_SEVERAL } else { DEFAULT_VIEW };
        peer.shows.unwrap_or(unsaid)
    }

    /// The size of the camera's pictures; 0 before the first.
    fn source(&self) -> (u16, u16) {
        self.sources.encoder_stats().map_or((0, 0), |stats| stats.source)
    }

    fn top(&self) -> Rung {
        let top = self.planning.cpu.top().min(self.config.max_rung);
        // Beside a screen, faces are small everywhere, and a processor has two encoders to run.
        if self.sources.screen().is_some() { top.min(BESIDE_SCREEN) } else { top }
    }

    /// What goes to a peer, for the figures.
    pub(super) fn sending(&self, peer: PeerId) -> Sending {
        let plan = &self.planning.plan;
        let view = plan.views.iter().find(|view| view.peer == peer);
        let limited_by = match view.map_or(PictureLimit::None, |view| view.limited_by) {
            // That no more may be encoded was chosen, not suffered.
            PictureLimit::Cpu if !self.planning.busy => PictureLimit::None,
            limit => limit,
        };
        let running = self.fan_out.rung(peer).zip(self.sources.encoder_stats());
        let Some((rung, stats)) = running else {
            return Sending { limited_by, ..Sending::default() };
        };
        let encoding = plan.encodings.iter().find(|encoding| encoding.rung == rung);
        let figures = &stats.rungs[rung as usize];
        Sending {
            width: figures.width,
            height: figures.height,
            target_bps: encoding.map_or(0, |encoding| encoding.bitrate_bps),
            limited_by,
        }
    }

    fn peer(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.call.as_mut()?.peers.get_mut(&peer)
    }
}

impl Peer {
    /// Tells the peer, if there is a link, how much of its picture is seen here, or can be decoded.
    pub(super) fn say_view(&self, largest: u16) {
        if let Some(link) = self.open_link() {
            let (height, screen) = (self.view.min(largest), Some(self.screen_view));
            link.tell(&PeerMessage::View { height, screen });
        }
    }
}

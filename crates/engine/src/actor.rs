//! The actor: one task that owns everything and handles one input after another.
//!
//! It is the only one who changes anything. Inputs by origin are in [`Input`]; beside them there
//! are the time, through one `sleep_until`, and the end of an owned task. `call.rs` carries out what
//! the session wants, `links.rs` keeps the connections to the others, `chat.rs` what is said on them,
//! `files.rs` what is sent on them, `sources.rs` the devices, and `planning.rs` and `screen.rs` what
//! is encoded for whom, as they should be.

mod call;
mod chat;
mod files;
mod gestures;
mod links;
mod planning;
mod screen;
mod sources;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_core::{session::Input as SessionInput, transfer::Input as FilesInput};
use quartet_media::Mixer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Command, EngineConfig, Event, FailureCode, Stats, TileId,
    event_queue::EventSender,
    fan_out::FanOut,
    figures::EncodeMeter,
    input::{Generation, Input, WatchNews},
    network::Network,
    tasks::{TaskId, Tasks},
    watcher,
};

use call::Call;
use planning::Planning;
use sources::Sources;

/// Messages of a server that wait for the actor; the socket, and so the server, waits when it is
/// full.
const SERVER_QUEUE: usize = 64;
/// A meter that moves ten times a second looks alive.
const LEVELS_INTERVAL: Duration = Duration::from_millis(100);
/// Figures are for people to read.
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// Without anything to do, the actor still wakes this often; only to have one kind of deadline.
const IDLE: Duration = Duration::from_secs(3600);

/// See the module.
#[derive(Debug)]
pub(crate) struct Actor {
    config: EngineConfig,
    inputs: mpsc::Sender<Input>,
    /// For what comes from a server: it can never crowd out commands and devices.
    server_inputs: mpsc::Sender<Input>,
    /// The other end, until [`Self::run`].
    from_server: mpsc::Receiver<Input>,
    events: EventSender,
    cancel: CancellationToken,
    tasks: Tasks,
    generation: Generation,
    fan_out: Arc<FanOut>,
    mixer: Mixer,
    sources: Sources,
    encoding: EncodeMeter,
    call: Option<Call>,
    watch: Option<(Generation, CancellationToken)>,
    levels_at: Instant,
    stats_at: Instant,
    network: Network,
    planning: Planning,
}

impl Actor {
    pub(crate) fn new(
        config: EngineConfig,
        inputs: mpsc::Sender<Input>,
        events: EventSender,
        cancel: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        let (server_inputs, from_server) = mpsc::channel(SERVER_QUEUE);
        Self {
            config,
            inputs,
            server_inputs,
            from_server,
            events,
            cancel,
            tasks: Tasks::default(),
            generation: 0,
            fan_out: Arc::default(),
            mixer: Mixer::default(),
            sources: Sources::default(),
            encoding: EncodeMeter::new(now),
            call: None,
            watch: None,
            levels_at: now,
            stats_at: now,
            network: Network::default(),
            planning: Planning::new(now),
        }
    }

    /// Until the engine is shut down or its last handle is dropped.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        tracing::debug!("the engine runs");
        let cancel = self.cancel.clone();
        loop {
            self.handle_timeouts(Instant::now());
            let deadline = self.next_timeout();
            // In this order: the last words of a link or a device are heard before its end, and a
            // server that never stops talking keeps nothing else waiting.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(input) = inputs.recv() => self.handle(input),
                task = self.tasks.ended() => self.task_ended(task),
                Some(input) = self.from_server.recv() => self.handle(input),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
        // Whoever waits for room in it is let go, so that its task can end.
        drop(inputs);
        self.from_server.close();
        self.leave();
        self.stop_watching();
        self.close_sources();
        self.tasks.finish(self.config.shutdown_deadline).await;
        tracing::debug!("the engine has ended");
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Command(command) => self.obey(command),
            Input::Socket(generation, news) => self.socket_news(generation, news),
            Input::Watch(generation, news) => self.watch_news(generation, news),
            Input::Link(peer, generation, news) => self.link_news(peer, generation, news),
            Input::Device(kind, generation, news) => self.device_news(kind, generation, news),
            Input::Disk(generation, news) => self.disk_news(generation, news),
            Input::FirstAudio(peer) => self.say_of(peer, Event::FirstAudio),
            Input::FirstVideo(peer) => self.say_of(peer, Event::FirstVideo),
            Input::KeyFrameWanted(rung) => self.make_key_frame(rung),
        }
        self.settle();
    }

    fn obey(&mut self, command: Command) {
        tracing::trace!(?command);
        match command {
            Command::Select(selected) => self.sources.select(selected),
            Command::Mute(muted) => self.mute(muted),
            Command::CameraOff(off) => self.sources.camera_off = off,
            Command::Share(share) => self.share(share),
            Command::ProcessVoice(on) => self.process_voice(on),
            Command::HearSelf(on) => self.hear_self(on),
            Command::Watch(link) => {
                self.stop_watching();
                let generation = self.next_generation();
                let cancel = self.cancel.child_token();
                let inputs = self.server_inputs.clone();
                let task = watcher::run(link, generation, inputs, cancel.clone());
                self.tasks.spawn(TaskId::Watch(generation), task);
                self.watch = Some((generation, cancel));
            }
            Command::Join(request) => {
                self.stop_watching();
                self.leave();
                self.join(request);
            }
            Command::Leave => {
                self.stop_watching();
                self.leave();
            }
            Command::SetPolicy(policy) => self.tell_session(SessionInput::SetPolicy(policy)),
            Command::Admit(peer) => self.tell_session(SessionInput::Admit(peer)),
            Command::Refuse(peer) => self.tell_session(SessionInput::Refuse(peer)),
            Command::Remove(peer) => self.tell_session(SessionInput::Remove(peer)),
            Command::Attach(TileId::Own, sink) => {
                self.fan_out.own_tile.attach(sink);
                self.fan_out.restart_own(|rung| self.make_key_frame(rung));
            }
            Command::Detach(TileId::Own) => self.fan_out.own_tile.detach(),
            Command::Refresh(TileId::Own) => {
                self.fan_out.own_tile.refresh();
                self.fan_out.restart_own(|rung| self.make_key_frame(rung));
            }
            Command::Attach(TileId::Peer(peer), sink) => {
                if let Some(intake) = self.intake(peer) {
                    intake.tile.attach(sink);
                    intake.request_key_frame();
                }
            }
            Command::Detach(TileId::Peer(peer)) => {
                if let Some(intake) = self.intake(peer) {
                    intake.tile.detach();
                }
            }
            Command::Refresh(TileId::Peer(peer)) => {
                if let Some(intake) = self.intake(peer) {
                    intake.tile.refresh();
                    intake.request_key_frame();
                }
            }
            Command::Attach(TileId::Screen(peer), sink) => {
                if let Some(intake) = self.intake(peer) {
                    intake.screen.attach(sink);
                    intake.request_screen_key_frame();
                }
            }
            Command::Detach(TileId::Screen(peer)) => {
                if let Some(intake) = self.intake(peer) {
                    intake.screen.detach();
                }
            }
            Command::Refresh(TileId::Screen(peer)) => {
                if let Some(intake) = self.intake(peer) {
                    intake.screen.refresh();
                    intake.request_screen_key_frame();
                }
            }
            Command::View(tile, height) => self.view(tile, height),
            Command::TapVoice(peer, tap) => {
                if let Some(intake) = self.intake(peer) {
                    intake.tap(tap);
                }
            }
            Command::TapCapture(tap) => self.sources.tap_capture(tap),
            Command::Say(text) => self.say_in_chat(&text.0),
            Command::RaiseHand(up) => self.raise_hand(up),
            Command::React(reaction) => self.react(reaction),
            Command::Volume(peer, gain) => self.set_volume(peer, gain),
            Command::OfferFile(path, to) => self.offer_file(&path.0, to),
            Command::WithdrawFile(file, peer) => self.tell_files(FilesInput::Withdraw(file, peer)),
            Command::HoldFile(file, held) => self.tell_files(FilesInput::Hold(file, held)),
            Command::AcceptFile(file, folder) => self.accept_file(file, folder.0),
            Command::CancelFile(file) => self.tell_files(FilesInput::Cancel(file)),
            Command::PauseFile(file, paused) => self.tell_files(FilesInput::Pause(file, paused)),
            Command::ConfirmCode { peer, code, matches } => {
                self.tell_session(SessionInput::ConfirmCode { peer, code, matches });
            }
            Command::NetworkChanged => self.tell_session(SessionInput::NetworkChanged),
        }
    }

    /// Brings everything in line with what has just changed.
    fn settle(&mut self) {
        self.settle_sources();
        self.announce_media();
        self.carry_out();
        // The call may have ended.
        self.settle_sources();
        self.plan(Instant::now());
    }

    fn task_ended(&mut self, task: TaskId) {
        match task {
            TaskId::Socket(generation) => {
                // Its last words may still wait: what is there now, and nothing that comes later.
                for _ in 0..SERVER_QUEUE {
                    let Ok(input) = self.from_server.try_recv() else { break };
                    self.handle(input);
                }
                self.socket_ended(generation);
            }
            TaskId::Link(peer, generation) => self.link_ended(peer, generation),
            TaskId::Stop(kind) => self.sources.stopped(kind),
            TaskId::Disk(generation) => self.disk_ended(generation),
            TaskId::Watch(_) => {}
        }
        self.settle();
    }

    fn handle_timeouts(&mut self, now: Instant) {
        if self.call.as_ref().and_then(Call::timeout).is_some_and(|at| at <= now) {
            self.session_timeout(now);
            self.settle();
        }
        if self.call.as_ref().and_then(Call::chat_timeout).is_some_and(|at| at <= now) {
            self.chat_due(now);
        }
        if self.call.as_ref().and_then(Call::files_timeout).is_some_and(|at| at <= now) {
            self.files_due(now);
        }
        if self.planning_timeout().is_some_and(|at| at <= now) {
            self.planning_due(now);
        }
        if self.levels_wanted() && self.levels_at <= now {
            self.levels_at = now + LEVELS_INTERVAL;
            self.say_levels();
        }
        if self.call.is_some() && self.stats_at <= now {
            self.stats_at = now + STATS_INTERVAL;
            if self.network.has_changed() {
                tracing::info!("another network");
                self.tell_session(SessionInput::NetworkChanged);
                self.settle();
            }
            self.say_stats(now);
        }
    }

    fn next_timeout(&self) -> Instant {
        let call = self.call.as_ref();
        let timeouts = [
            call.and_then(Call::timeout),
            call.and_then(Call::chat_timeout),
            call.and_then(Call::files_timeout),
            call.map(|_| self.stats_at),
            self.levels_wanted().then_some(self.levels_at),
            self.planning_timeout(),
        ];
        timeouts.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
    }

    fn levels_wanted(&self) -> bool {
        self.call.is_some() || self.sources.microphone_runs()
    }

    fn say_levels(&self) {
        let peers = self.call.as_ref().map(Call::levels).unwrap_or_default();
        self.events.send(Event::Levels { own: self.sources.own_level(), peers });
    }

    fn say_stats(&mut self, now: Instant) {
        let encoder = self.sources.encoder_stats();
        self.encoding.update(now, encoder.as_ref(), self.planning.encodings());
        let encoder = encoder.unwrap_or_default();
        self.events.send(Event::Stats(Stats {
            encode: self.encoding.figures(),
            encoder_load: encoder.load,
            encoder_cpu_ms: encoder.cpu.as_secs_f64() * 1000.0,
            fell_out: encoder.fell_out,
            busy: self.planning.is_busy(),
            peers: self.call.as_ref().map(Call::figures).unwrap_or_default(),
        }));
    }

    fn watch_news(&mut self, generation: Generation, news: WatchNews) {
        if self.watch.as_ref().is_none_or(|(current, _)| *current != generation) {
            return;
        }
        self.events.send(match news {
            WatchNews::Roster(peers, policy) => Event::Roster(peers, policy),
            WatchNews::Unknown => Event::RosterUnknown,
        });
    }

    fn stop_watching(&mut self) {
        if let Some((_, cancel)) = self.watch.take() {
            cancel.cancel();
        }
    }

    fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        self.generation
    }

    fn fail(&self, code: FailureCode, message: &str) {
        self.events.send(Event::Error { code, message: message.to_owned() });
    }
}

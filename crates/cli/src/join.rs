//! `join`: one visit to a room, reported as JSON lines.

use std::{
    collections::HashMap,
    future, io,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_devices::{
    ScreenKind, ShareSource, parse_audio, parse_share, parse_speaker, parse_video,
};
use quartet_engine::{
    ChatText, Command, Connection, EndReason, Engine, Event, EventReceiver, JoinRequest, Selected,
    Share, SourceKind, Stats, TileId, Trust,
};
use quartet_media::TestPattern;
use quartet_proto::{PeerId, Sharing};
use tokio::time::{sleep_until, timeout};

use crate::{
    args::{Join, View},
    files::{Files, not_offered},
    recorder::{CaptureRecorder, Recording},
    report::{Printed, Printer, Report, StatsReport},
    usage::usage,
    viewer::Viewer,
};

const USAGE: u8 = 2;
/// The server is tried again for a while before this; a script wants an answer all the same.
const JOIN_DEADLINE: Duration = Duration::from_secs(20);
/// Leaving is one message; the engine bounds what comes after it by itself.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// Runs until the end of the visit.
pub(crate) fn run(join: Join) -> ExitCode {
    let (selected, share) = match select(&join).and_then(|it| Ok((it, share(&join)?))) {
        Ok(chosen) => chosen,
        Err(reason) => return refuse(&reason),
    };
    let recording = match recording(&join) {
        Ok(recording) => recording,
        Err(error) => return refuse(&format!("the folder for the recording: {error}")),
    };
    match take_part(join, (selected, share), recording) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("quartet-cli: {error}");
            ExitCode::FAILURE
        }
    }
}

fn select(join: &Join) -> Result<Selected, String> {
    let video = match join.video.as_str() {
        // Everybody in colours of their own.
        "pattern" => Some(Arc::new(TestPattern::new(&join.name)) as _),
        other => parse_video(other).map_err(|error| format!("--video: {error}"))?,
    };
    let audio = parse_audio(&join.audio).map_err(|error| format!("--audio: {error}"))?;
    let person_speaks = join.audio == "mic" || join.audio.starts_with("mic:");
    let speaker = if person_speaks { "speaker" } else { "none" };
    let speaker = parse_speaker(speaker).map_err(|error| error.to_string())?;
    Ok(Selected { video, audio, speaker })
}

/// The test picture is larger than that of a camera, and has fewer pictures a second, like a screen
/// on which much happens.
const SHARED_PATTERN: (u16, u16, u32) = (1280, 720, 15);

fn share(join: &Join) -> Result<Option<Share>, String> {
    if join.share == "pattern" {
        let (width, height, fps) = SHARED_PATTERN;
        let name = format!("{}'s screen", join.name);
        let input = Arc::new(TestPattern::with_size(&name, width, height, fps));
        return Ok(Some(Share { input, what: Sharing::Screen }));
    }
    let shared = parse_share(&join.share).map_err(|error| format!("--share: {error}"))?;
    Ok(shared.map(|ShareSource { input, kind }| Share {
        input,
        what: match kind {
            ScreenKind::Screen => Sharing::Screen,
            ScreenKind::Window => Sharing::Window,
        },
    }))
}

fn recording(join: &Join) -> io::Result<Option<Recording>> {
    let whole = join.record.as_deref().map(Recording::whole);
    let times = || join.times.as_deref().map(Recording::of_times);
    whole.or_else(times).transpose()
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("quartet-cli: {reason}");
    ExitCode::from(USAGE)
}

/// True when the room was entered, and left as asked.
fn take_part(
    join: Join,
    (selected, share): (Selected, Option<Share>),
    recording: Option<Recording>,
) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (printer, printed) = Printer::start()?;
    let good = runtime.block_on(async {
        let end = end_signal()?;
        let (engine, events) = Engine::start(join.engine());
        let mut visit = Visit {
            printer,
            recording,
            name: join.name.clone(),
            view: join.view,
            admits: join.admits(),
            viewers: HashMap::new(),
            screens: HashMap::new(),
            share,
            sharing: HashMap::new(),
            // Nobody asks for them: nothing is kept.
            window: join.stats_every.map(|_| StatsWindow::default()),
            chat: join.chat.clone(),
            files: Files::new(&join),
            own: None,
            joined: false,
            failed: false,
            engine,
        };
        visit.begin(&join, selected)?;
        visit.follow(&join, events, end).await;
        Ok(visit.finish().await)
    });
    // All that mattered has ended or was named in the log; a name lookup that hangs, say, is not
    // waited for.
    runtime.shutdown_background();
    Printed::wait(printed);
    good
}

/// One visit to a room.
struct Visit {
    engine: Engine,
    printer: Printer,
    recording: Option<Recording>,
    name: String,
    view: View,
    /// Whoever knocks is let in.
    admits: bool,
    viewers: HashMap<PeerId, Viewer>,
    /// Of those who have shared something.
    screens: HashMap<PeerId, Viewer>,
    /// What is to be shared in the room.
    share: Option<Share>,
    /// What was last said to be shared by everybody.
    sharing: HashMap<PeerId, Sharing>,
    window: Option<StatsWindow>,
    /// What is to be said once in the room.
    chat: Option<String>,
    files: Files,
    own: Option<PeerId>,
    joined: bool,
    failed: bool,
}

/// The engine's figures since the last report: the newest, and the sums of all rates.
#[derive(Default)]
struct StatsWindow {
    newest: Stats,
    /// By the width of the picture.
    encode: HashMap<u16, Sum>,
    peers: HashMap<PeerId, Sum>,
    /// How much of each voice was played, and how much of that invented, at the last report.
    voices: HashMap<PeerId, (Duration, Duration)>,
}

/// The sum of some rates, and of how many; in which order is the caller's to know.
#[derive(Default)]
struct Sum {
    rates: [f32; 8],
    count: f32,
}

impl Visit {
    fn begin(&mut self, join: &Join, selected: Selected) -> io::Result<()> {
        if let Some(recording) = &self.recording {
            let tap = CaptureRecorder::create(recording)?;
            self.engine.send(Command::TapCapture(Some(tap)));
        }
        self.engine.send(Command::Select(selected));
        self.engine.send(Command::Join(JoinRequest {
            link: join.link.clone(),
            name: join.name.clone(),
            ice: join.ice(),
            policy: join.policy(),
        }));
        Ok(())
    }

    /// Until the end of the call, whoever ends it.
    async fn follow(
        &mut self,
        join: &Join,
        mut events: EventReceiver,
        end: impl Future<Output = ()>,
    ) {
        tokio::pin!(end);
        let mut leave_at = None;
        let mut give_up_at = Some(Instant::now() + JOIN_DEADLINE);
        let mut stats_at = None;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(Event::Ended(reason)) => return self.ended(reason),
                    Some(event) => {
                        let joined = matches!(event, Event::Joined { .. });
                        if event == Event::Waiting {
                            // For as long as those inside take.
                            give_up_at = None;
                        }
                        self.tell(event);
                        if joined {
                            let now = Instant::now();
                            leave_at = join.stay.map(|stay| now + stay);
                            stats_at = join.stats_every.map(|every| now + every);
                            give_up_at = None;
                        }
                    }
                    None => return,
                },
                () = &mut end => break,
                () = at(leave_at) => break,
                () = at(stats_at) => {
                    stats_at = stats_at.zip(join.stats_every).map(|(at, every)| at + every);
                    self.print_stats();
                }
                () = at(give_up_at) => {
                    self.failed = true;
                    self.printer.print(&Report::Error {
                        code: "server_unreachable".to_owned(),
                        message: "the server does not answer".to_owned(),
                    });
                    break;
                }
            }
        }
        self.engine.send(Command::Leave);
        let leaving = async {
            while let Some(event) = events.recv().await {
                if let Event::Ended(reason) = event {
                    return self.ended(reason);
                }
                self.tell(event);
            }
        };
        if timeout(LEAVE_DEADLINE, leaving).await.is_err() {
            tracing::error!("the engine did not leave in time");
        }
    }

    /// Closes everything; true when all went as asked.
    async fn finish(mut self) -> bool {
        self.engine.shutdown().await;
        let viewers = self.viewers.drain().chain(self.screens.drain());
        viewers.for_each(|(_, viewer)| viewer.stop());
        self.joined && !self.failed
    }

    fn ended(&mut self, reason: EndReason) {
        if let EndReason::Failed { code, message } = reason {
            self.failed = true;
            self.printer.print(&Report::Error { code: code.as_str(), message });
        }
        if self.joined {
            self.printer.print(&Report::Left);
        }
    }

    fn tell(&mut self, event: Event) {
        let report = match event {
            // Who is there already is said once, by `PeerJoined`.
            Event::Joined { you, present: _ } => {
                self.joined = true;
                self.own = Some(you);
                if let Some(share) = self.share.take() {
                    self.engine.send(Command::Share(Some(share)));
                }
                if let Some(text) = self.chat.take() {
                    self.engine.send(Command::Say(ChatText(text)));
                }
                self.files.joined(&self.engine);
                Report::Joined { peer: you, name: self.name.clone() }
            }
            Event::PeerJoined(info) => {
                self.watch(info.id);
                self.files.met(&self.engine, info.id, &info.name);
                let report = Report::PeerJoined { peer: info.id, name: info.name };
                self.printer.print(&report);
                return self.tell_sharing(info.id, info.media.sharing);
            }
            Event::PeerLeft(info) => {
                self.sharing.remove(&info.id);
                let viewers = [self.viewers.remove(&info.id), self.screens.remove(&info.id)];
                viewers.into_iter().flatten().for_each(Viewer::stop);
                Report::PeerLeft { peer: info.id, name: info.name }
            }
            Event::Waiting => Report::Waiting,
            Event::Knock(info) => {
                if self.admits {
                    self.engine.send(Command::Admit(info.id));
                }
                Report::Knock { peer: info.id, name: info.name }
            }
            Event::KnockOver(peer) => Report::KnockOver { peer },
            Event::Policy { policy, by } => Report::Policy { policy, by },
            Event::PeerRemoved { peer, by } => Report::Removed { peer, by },
            Event::PeerMedia(peer, media) => {
                if let Some(viewer) = self.viewers.get(&peer).filter(|_| media.camera_off) {
                    viewer.pause();
                }
                return self.tell_sharing(peer, media.sharing);
            }
            Event::PeerConnection(peer, connection) => {
                Report::State { peer, state: state(connection) }
            }
            Event::PeerTrust(peer, Trust { code: Some(code), .. }) => {
                let [a, b, c, d] = code.emoji();
                Report::Code { peer, code: [a.1, b.1, c.1, d.1] }
            }
            Event::PeerTrust(_, Trust { code: None, .. }) => return,
            Event::Connected { peer, local, remote } => Report::Connected { peer, local, remote },
            // The own words are known.
            Event::Chat(line) if Some(line.id.author) == self.own => return,
            Event::Chat(line) => Report::Chat {
                peer: line.id.author,
                id: line.id.to_string(),
                text: line.text,
                passed_on_by: line.passed_on_by.map(|witness| witness.id),
            },
            Event::Hands(peers) => Report::Hands { peers },
            Event::Reaction(peer, kind) => Report::Reaction { peer, kind },
            Event::File(state) => self.files.goes_on(&self.engine, state),
            Event::FileNotOffered { name } => not_offered(name),
            Event::FirstAudio(peer) => Report::FirstAudio { peer },
            Event::MachineBusy(busy) => Report::Busy { busy },
            Event::SourceFailed(kind, error) => Report::Error {
                code: match kind {
                    SourceKind::Camera => "camera_failed",
                    SourceKind::Microphone => "microphone_failed",
                    SourceKind::Speaker => "speaker_failed",
                    SourceKind::Screen => "screen_failed",
                }
                .to_owned(),
                message: error.to_string(),
            },
            Event::Signalling { online } => {
                let code = if online { "server_back" } else { "server_lost" };
                return tracing::warn!(code, "the signalling server");
            }
            Event::Error { code, message } => Report::Error { code: code.as_str(), message },
            Event::Stats(stats) => {
                if let Some(window) = &mut self.window {
                    window.put(stats);
                }
                return;
            }
            // The viewer says when the first picture is decoded.
            Event::FirstVideo(_)
            | Event::SourceRunning(_)
            | Event::FileHashing { .. }
            | Event::FileSaved { .. }
            | Event::Levels { .. }
            | Event::Roster(..)
            | Event::RosterUnknown
            | Event::Ended(_) => return,
        };
        self.printer.print(&report);
    }

    /// Somebody shares something, or nothing; said when it has changed.
    fn tell_sharing(&mut self, peer: PeerId, sharing: Option<Sharing>) {
        let before = match sharing {
            Some(sharing) => self.sharing.insert(peer, sharing),
            None => self.sharing.remove(&peer),
        };
        if before == sharing {
            return;
        }
        match (sharing, self.screens.get(&peer)) {
            (None, Some(viewer)) => viewer.pause(),
            (Some(_), None) => self.watch_screen(peer),
            _ => {}
        }
        self.printer.print(&Report::Sharing { peer, sharing });
    }

    fn watch_screen(&mut self, peer: PeerId) {
        let recorder = self.recording.as_ref().map(|recording| recording.screen(peer));
        let recorder = recorder.transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "a screen is not recorded");
            None
        });
        let tile = TileId::Screen(peer);
        self.engine.send(Command::View(tile, self.view.height()));
        let first = Report::FirstScreen { peer };
        let viewer = Viewer::start(tile, &self.engine, (self.printer.clone(), first), recorder);
        self.screens.insert(peer, viewer);
    }

    fn watch(&mut self, peer: PeerId) {
        let mut pictures = None;
        if let Some(recording) = &self.recording {
            match recording.voice(peer) {
                Ok(Some(tap)) => self.engine.send(Command::TapVoice(peer, tap)),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "a voice is not recorded"),
            }
            match recording.pictures(peer) {
                Ok(recorder) => pictures = Some(recorder),
                Err(error) => tracing::error!(%error, "pictures are not recorded"),
            }
        }
        self.engine.send(Command::View(TileId::Peer(peer), self.view.height()));
        let first = Report::FirstVideo { peer };
        let printer = (self.printer.clone(), first);
        let viewer = Viewer::start(TileId::Peer(peer), &self.engine, printer, pictures);
        if let Some(old) = self.viewers.insert(peer, viewer) {
            old.stop();
        }
    }

    fn print_stats(&mut self) {
        let mut stats = self.window.as_mut().map(StatsWindow::take).unwrap_or_default();
        for peer in &mut stats.peers {
            // What counts as shown is what this program has decoded.
            if let Some(viewer) = self.viewers.get(&peer.peer) {
                peer.video_in = viewer.figures(peer.video_in.kbps);
            }
            if let Some(viewer) = self.screens.get(&peer.peer) {
                peer.screen_in = viewer.figures(peer.screen_in.kbps);
            }
        }
        let concealed = self.window.as_mut().map(StatsWindow::take_concealed);
        let report = StatsReport::new(usage(), &stats, &concealed.unwrap_or_default());
        self.printer.print(&Report::Stats(report));
    }
}

impl StatsWindow {
    fn put(&mut self, stats: Stats) {
        for it in &stats.encode {
            self.encode
                .entry(it.width)
                .or_default()
                .add([it.fps, it.kbps, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        }
        for it in &stats.peers {
            self.peers.entry(it.peer).or_default().add([
                it.video_out.fps,
                it.video_out.kbps,
                it.video_in.kbps,
                it.audio_in.kbps,
                it.audio_out.kbps,
                it.screen_out.fps,
                it.screen_out.kbps,
                it.screen_in.kbps,
            ]);
        }
        self.newest = stats;
    }

    /// The newest totals with the average of the rates; the last ones again when there are none
    /// since.
    fn take(&mut self) -> Stats {
        for it in &mut self.newest.encode {
            if let Some(sum) = self.encode.remove(&it.width) {
                [it.fps, it.kbps, ..] = sum.average();
            }
        }
        // Of those that do not run any more.
        self.encode.clear();
        for it in &mut self.newest.peers {
            if let Some(sum) = self.peers.remove(&it.peer) {
                [
                    it.video_out.fps,
                    it.video_out.kbps,
                    it.video_in.kbps,
                    it.audio_in.kbps,
                    it.audio_out.kbps,
                    it.screen_out.fps,
                    it.screen_out.kbps,
                    it.screen_in.kbps,
                ] = sum.average();
            }
        }
        // Of those who have left since.
        self.peers.clear();
        self.newest.clone()
    }

    /// The share of each peer's voice that was invented since the last call, in their order.
    fn take_concealed(&mut self) -> Vec<f32> {
        let mut voices = HashMap::new();
        let shares = self.newest.peers.iter().map(|it| {
            let now = (it.audio_in.played, it.audio_in.concealed);
            voices.insert(it.peer, now);
            let before = self.voices.get(&it.peer).copied().unwrap_or_default();
            let played = now.0.saturating_sub(before.0).as_secs_f32();
            let concealed = now.1.saturating_sub(before.1).as_secs_f32();
            if played > 0.0 { concealed / played } else { 0.0 }
        });
        let shares = shares.collect();
        self.voices = voices;
        shares
    }
}

impl Sum {
    fn add(&mut self, rates: [f32; 8]) {
        self.rates.iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate);
        self.count += 1.0;
    }

    fn average(&self) -> [f32; 8] {
        self.rates.map(|sum| sum / self.count.max(1.0))
    }
}

fn state(connection: Connection) -> &'static str {
    match connection {
        Connection::Connecting => "connecting",
        Connection::Connected => "connected",
        Connection::Reconnecting => "reconnecting",
        Connection::Failed => "failed",
        Connection::Untrusted => "untrusted",
    }
}

/// Never, when there is no such moment.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => future::pending().await,
    }
}

/// Resolves at Ctrl-C, and where there is one at SIGTERM.
#[cfg(unix)]
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C, and where there is one at SIGTERM.
#[cfg(not(unix))]
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use quartet_engine::EncodeStats;

    use super::*;

    fn stats(fps: f32) -> Stats {
        let encode = EncodeStats { fps, cpu_ms: f64::from(fps), ..EncodeStats::default() };
        Stats { encode: vec![encode], ..Stats::default() }
    }

    #[test]
    fn rates_are_averaged_over_the_window_and_totals_are_the_newest() {
        let mut window = StatsWindow::default();
        assert_eq!(window.take(), Stats::default());
        window.put(stats(10.0));
        window.put(stats(20.0));
        let taken = window.take();
        assert_eq!((taken.encode[0].fps, taken.encode[0].cpu_ms), (15.0, 20.0));
        assert_eq!(window.take(), taken, "nothing since");
        window.put(stats(30.0));
        assert_eq!(window.take().encode[0].fps, 30.0);
    }
}

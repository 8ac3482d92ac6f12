//! The JSON lines on stdout.

use std::{
    io::{self, Write as _},
    iter,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use quartet_engine::{Condition, PeerStats, PictureLimit, Stats, VideoInStats, VideoOutStats};
use quartet_proto::{PeerId, Reaction, RoomPolicy, Sharing};
use serde::Serialize;

use crate::usage::Usage;

/// Lines that may wait for a slow reader; more are dropped, so that it never stops the call.
const WAITING_LINES: usize = 1024;
/// At the end, a reader gets this long to take what is left.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One line; `t` is Unix seconds.
#[derive(Debug, Serialize)]
struct Line<'a> {
    t: f64,
    #[serde(flatten)]
    report: &'a Report,
}

/// What is reported.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report {
    /// In the room, as `peer`.
    Joined { peer: PeerId, name: String },
    /// Somebody is in the room.
    PeerJoined { peer: PeerId, name: String },
    /// In front of a room: somebody inside has to let this participant in.
    Waiting,
    /// Somebody wants to come in.
    Knock { peer: PeerId, name: String },
    /// They were let in or turned away, or have gone.
    KnockOver { peer: PeerId },
    /// Who gets in has changed.
    Policy { policy: RoomPolicy, by: Option<PeerId> },
    /// Somebody was put out, which `peer_left` follows.
    Removed { peer: PeerId, by: Option<PeerId> },
    /// Somebody is gone.
    PeerLeft { peer: PeerId, name: String },
    /// A path was found; candidate types: host, srflx, prflx, relay.
    Connected { peer: PeerId, local: String, remote: String },
    /// The first voice packet is there.
    FirstAudio { peer: PeerId },
    /// The first picture is decoded.
    FirstVideo { peer: PeerId },
    /// Somebody shares something beside the camera, or nothing any more.
    Sharing { peer: PeerId, sharing: Option<Sharing> },
    /// The first picture of somebody's screen is decoded.
    FirstScreen { peer: PeerId },
    /// Somebody else has said something in the chat; `id` is the same for everybody. When it comes
    /// from another than its author, who is gone, that is said.
    Chat {
        peer: PeerId,
        id: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        passed_on_by: Option<PeerId>,
    },
    /// Whose hands are up, in the order in which they were raised.
    Hands { peers: Vec<PeerId> },
    /// Somebody else reacts: `thumbs_up`, `heart`, `clap`, `laugh`, `wow` or `party`.
    Reaction { peer: PeerId, kind: Reaction },
    /// How far a file is that goes to, or comes from, somebody: offered, accepted, sending, paused,
    /// done or failed. Without a peer, it could not be offered.
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<PeerId>,
        name: String,
        bytes: u64,
        of: u64,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
    },
    /// connecting, connected, reconnecting, failed, untrusted.
    State { peer: PeerId, state: &'static str },
    /// The names of the four emoji that the other one has to see as well.
    Code { peer: PeerId, code: [&'static str; 4] },
    /// This machine does not keep up, so that pictures are smaller for now; or it does again.
    Busy { busy: bool },
    /// Figures.
    Stats(StatsReport),
    /// Something was refused or failed.
    Error { code: String, message: String },
    /// Out of the room.
    Left,
}

/// Rates are averages since the last report.
#[derive(Debug, Serialize)]
pub(crate) struct StatsReport {
    #[serde(flatten)]
    usage: Usage,
    busy: bool,
    encoder_load: f64,
    encoder_cpu_ms: f64,
    fell_out: u64,
    encode: Vec<Encode>,
    peers: Vec<Peer>,
}

#[derive(Debug, Serialize)]
struct Encode {
    width: u16,
    height: u16,
    fps: f64,
    kbps: f64,
    target_kbps: f64,
    cpu_ms: f64,
}

#[derive(Debug, Serialize)]
struct Peer {
    peer: PeerId,
    rtt_ms: Option<f64>,
    estimate_kbps: Option<f64>,
    loss: f64,
    loss_in: f64,
    path: Option<Path>,
    condition: Option<Condition>,
    video_in: VideoIn,
    video_out: VideoOut,
    screen_in: VideoIn,
    screen_out: VideoOut,
    audio_in: AudioIn,
    audio_out: AudioOut,
}

#[derive(Debug, Serialize)]
struct Path {
    local: String,
    remote: String,
    by_stream: bool,
}

#[derive(Debug, Serialize)]
struct VideoIn {
    width: u16,
    height: u16,
    fps: f64,
    kbps: f64,
    frames: u64,
    freezes: u64,
    freeze_ms: f64,
    longest_freeze_ms: f64,
}

#[derive(Debug, Serialize)]
struct VideoOut {
    width: u16,
    height: u16,
    fps: f64,
    kbps: f64,
    target_kbps: f64,
    limited_by: PictureLimit,
}

#[derive(Debug, Serialize)]
struct AudioIn {
    kbps: f64,
    packets: u64,
    lost: u64,
    concealed_ratio: f64,
    concealed_window: f64,
    delay_ms: f64,
}

#[derive(Debug, Serialize)]
struct AudioOut {
    kbps: f64,
    packets: u64,
}

impl StatsReport {
    /// `concealed` is the share of each peer's voice, in the order of the peers, that was invented
    /// since the last report.
    pub(crate) fn new(usage: Usage, stats: &Stats, concealed: &[f32]) -> Self {
        let encode = stats.encode.iter().map(|it| Encode {
            width: it.width,
            height: it.height,
            fps: rounded(it.fps.into()),
            kbps: rounded(it.kbps.into()),
            target_kbps: rounded(it.target_kbps.into()),
            cpu_ms: rounded(it.cpu_ms),
        });
        let concealed = concealed.iter().copied().chain(iter::repeat(0.0));
        Self {
            usage,
            busy: stats.busy,
            encoder_load: rounded(stats.encoder_load.into()),
            encoder_cpu_ms: rounded(stats.encoder_cpu_ms),
            fell_out: stats.fell_out,
            encode: encode.collect(),
            peers: stats.peers.iter().zip(concealed).map(Peer::new).collect(),
        }
    }
}

impl Peer {
    fn new((stats, concealed): (&PeerStats, f32)) -> Self {
        let PeerStats { peer, rtt, estimate_kbps, loss, .. } = stats;
        let PeerStats { audio_in, audio_out, .. } = stats;
        Self {
            peer: *peer,
            rtt_ms: rtt.map(milliseconds),
            estimate_kbps: estimate_kbps.map(|kbps| rounded(kbps.into())),
            loss: rounded((*loss).into()),
            loss_in: rounded(stats.loss_in.into()),
            path: stats.path.clone().map(|path| Path {
                local: path.local,
                remote: path.remote,
                by_stream: path.by_stream,
            }),
            condition: stats.condition,
            video_in: VideoIn::new(&stats.video_in),
            video_out: VideoOut::new(&stats.video_out),
            screen_in: VideoIn::new(&stats.screen_in),
            screen_out: VideoOut::new(&stats.screen_out),
            audio_in: AudioIn {
                kbps: rounded(audio_in.kbps.into()),
                packets: audio_in.packets,
                lost: audio_in.lost,
                concealed_ratio: rounded(audio_in.concealed_ratio.into()),
                concealed_window: rounded(concealed.into()),
                delay_ms: milliseconds(audio_in.delay),
            },
            audio_out: AudioOut {
                kbps: rounded(audio_out.kbps.into()),
                packets: audio_out.packets,
            },
        }
    }
}

impl VideoIn {
    fn new(stats: &VideoInStats) -> Self {
        Self {
            width: stats.width,
            height: stats.height,
            fps: rounded(stats.fps.into()),
            kbps: rounded(stats.kbps.into()),
            frames: stats.frames,
            freezes: stats.freezes,
            freeze_ms: milliseconds(stats.frozen),
            longest_freeze_ms: milliseconds(stats.longest_freeze),
        }
    }
}

impl VideoOut {
    fn new(stats: &VideoOutStats) -> Self {
        Self {
            width: stats.width,
            height: stats.height,
            fps: rounded(stats.fps.into()),
            kbps: rounded(stats.kbps.into()),
            target_kbps: rounded(stats.target_kbps.into()),
            limited_by: stats.limited_by,
        }
    }
}

/// Prints on a thread of its own: a reader that does not read stops nothing but itself, and a
/// closed stdout is no reason to fall over.
#[derive(Debug, Clone)]
pub(crate) struct Printer(SyncSender<String>);

/// The end of the [`Printer`]'s thread.
#[derive(Debug)]
pub(crate) struct Printed(Receiver<()>);

impl Printer {
    pub(crate) fn start() -> io::Result<(Self, Printed)> {
        let (sender, lines) = sync_channel::<String>(WAITING_LINES);
        let (done, printed) = sync_channel::<()>(0);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            let _done = done;
            let mut closed = false;
            for line in lines {
                let mut out = io::stdout().lock();
                // One write, so that a line is never half there.
                closed =
                    closed || out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err();
            }
        })?;
        Ok((Self(sender), Printed(printed)))
    }

    /// Prints with the present time; never waits.
    pub(crate) fn print(&self, report: &Report) {
        let t = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let t = t.as_micros() as f64 / 1e6;
        match serde_json::to_string(&Line { t, report }) {
            Ok(line) => match self.0.try_send(line + "\n") {
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(_)) => tracing::warn!("stdout is not read: a line is lost"),
            },
            Err(error) => tracing::error!(%error, "a line cannot be written"),
        }
    }
}

impl Printed {
    /// Waits, for a bounded time, until everything is printed; every [`Printer`] must be gone.
    pub(crate) fn wait(self) {
        if self.0.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("stdout is not read: the last lines are lost");
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1000.0)
}

/// A thousandth is as exact as anything here is; JSON has no NaN.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1000.0).round() / 1000.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use quartet_engine::{EncodeStats, PathStats};

    use super::*;

    #[test]
    fn a_line_has_its_time_and_its_event() {
        let peer = PeerId::from_u64(1);
        let report = Report::PeerJoined { peer, name: "Ann".to_owned() };
        let line = serde_json::to_value(Line { t: 1.25, report: &report }).unwrap();
        let expected = serde_json::json!({
            "t": 1.25, "event": "peer_joined", "peer": "0000000000000001", "name": "Ann"
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn stats_have_every_field() {
        let peer = PeerStats {
            peer: PeerId::from_u64(1),
            rtt: Some(Duration::from_micros(1500)),
            estimate_kbps: Some(300.0),
            loss: 0.25,
            loss_in: 0.125,
            path: Some(PathStats {
                local: "relay".to_owned(),
                remote: "host".to_owned(),
                by_stream: true,
            }),
            condition: Some(Condition { limited_by: PictureLimit::Bandwidth, busy: true }),
            video_in: quartet_engine::VideoInStats { fps: 29.970_001, ..Default::default() },
            video_out: Default::default(),
            screen_in: Default::default(),
            screen_out: quartet_engine::VideoOutStats { width: 1280, ..Default::default() },
            audio_in: Default::default(),
            audio_out: Default::default(),
        };
        let usage = Usage { cpu_s: Some(0.5), rss_mb: Some(20.0), threads: None };
        let stats = Stats {
            encode: vec![EncodeStats::default()],
            encoder_load: 0.5,
            encoder_cpu_ms: 4.0,
            fell_out: 3,
            busy: true,
            peers: vec![peer],
        };
        let report = Report::Stats(StatsReport::new(usage, &stats, &[0.125]));
        let line = serde_json::to_value(Line { t: 2.0, report: &report }).unwrap();
        let expected = serde_json::json!({
            "t": 2.0, "event": "stats", "cpu_s": 0.5, "rss_mb": 20.0, "threads": null,
            "busy": true, "encoder_load": 0.5, "encoder_cpu_ms": 4.0, "fell_out": 3,
            "encode": [{ "width": 0, "height": 0, "fps": 0.0, "kbps": 0.0, "target_kbps": 0.0,
                         "cpu_ms": 0.0 }],
            "peers": [{
                "peer": "0000000000000001", "rtt_ms": 1.5, "estimate_kbps": 300.0, "loss": 0.25,
                "loss_in": 0.125,
                "path": { "local": "relay", "remote": "host", "by_stream": true },
                "condition": { "limited_by": "bandwidth", "busy": true },
                "video_in": { "width": 0, "height": 0, "fps": 29.97, "kbps": 0.0, "frames": 0,
                              "freezes": 0, "freeze_ms": 0.0, "longest_freeze_ms": 0.0 },
                "video_out": { "width": 0, "height": 0, "fps": 0.0, "kbps": 0.0,
                               "target_kbps": 0.0, "limited_by": "none" },
                "screen_in": { "width": 0, "height": 0, "fps": 0.0, "kbps": 0.0, "frames": 0,
                               "freezes": 0, "freeze_ms": 0.0, "longest_freeze_ms": 0.0 },
                "screen_out": { "width": 1280, "height": 0, "fps": 0.0, "kbps": 0.0,
                                "target_kbps": 0.0, "limited_by": "none" },
                "audio_in": { "kbps": 0.0, "packets": 0, "lost": 0, "concealed_ratio": 0.0,
                              "concealed_window": 0.125, "delay_ms": 0.0 },
                "audio_out": { "kbps": 0.0, "packets": 0 }
            }]
        });
        assert_eq!(line, expected);
    }
}

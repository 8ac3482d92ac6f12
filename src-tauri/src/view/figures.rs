//! The figures of a call, for the page's details.

use std::time::Duration;

use quartet_engine::{AudioInStats, PathStats, PeerStats, PictureLimit, Stats, VideoInStats};
use serde::Serialize;
use ts_rs::TS;

/// Why a picture is no better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LimitView {
    /// It is the best that the source gives.
    #[default]
    None,
    /// The line carries no more.
    Bandwidth,
    /// The machine encodes no more.
    Cpu,
    /// It is shown no larger.
    View,
}

/// The way that packets take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PathView {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub local: String,
    /// The same.
    pub remote: String,
    /// The own relay is reached by TCP or TLS.
    pub by_stream: bool,
}

/// How somebody is doing, by their own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct ConditionView {
    /// Why what they send here is no better.
    pub limited_by: LimitView,
    /// Their machine does not keep up.
    pub busy: bool,
}

/// Pictures in one direction, over the last second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, TS)]
pub struct PictureFigures {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second.
    pub fps: f32,
    /// Kilobits a second.
    pub kbps: f32,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct PeerFigures {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Once it is found.
    pub path: Option<PathView>,
    /// There and back, milliseconds.
    pub rtt_ms: Option<f32>,
    /// What the line to there carries, kilobits a second, once that is known.
    pub estimate_kbps: Option<f32>,
    /// Share of the packets to there that did not arrive, 0..=1.
    pub loss_out: f32,
    /// Share of the packets from there that did not arrive, 0..=1.
    pub loss_in: f32,
    /// Pictures from there.
    pub picture_in: PictureFigures,
    /// Time in which the picture stood still since the call began, milliseconds.
    pub frozen_ms: f32,
    /// Pictures to there.
    pub picture_out: PictureFigures,
    /// Why those are no better.
    pub limited_by: LimitView,
    /// The voice from there, kilobits a second.
    pub voice_in_kbps: f32,
    /// Voice that was played since the call began, milliseconds…
    pub played_ms: f32,
    /// …and how much of that was invented.
    pub concealed_ms: f32,
    /// How long a voice packet waits before it is played, milliseconds.
    pub voice_delay_ms: f32,
    /// The own voice to there, kilobits a second.
    pub voice_out_kbps: f32,
    /// How they are doing, once they have said so.
    pub condition: Option<ConditionView>,
}

/// The figures of a call, once a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, TS)]
pub struct Figures {
    /// The share of its time that the encoder works, 0 and up; `null` where that is not known.
    pub load: Option<f32>,
    /// The connections.
    pub peers: Vec<PeerFigures>,
}

impl From<Stats> for Figures {
    fn from(stats: Stats) -> Self {
        let peers = stats.peers.into_iter().map(PeerFigures::from).collect();
        Self { load: Some(stats.encoder_load), peers }
    }
}

impl From<PeerStats> for PeerFigures {
    fn from(stats: PeerStats) -> Self {
        let VideoInStats { width, height, fps, kbps, frozen, .. } = stats.video_in;
        let out = stats.video_out;
        let AudioInStats { played, concealed, delay, .. } = stats.audio_in;
        Self {
            id: stats.peer.to_string(),
            path: stats.path.map(PathView::from),
            rtt_ms: stats.rtt.map(milliseconds),
            estimate_kbps: stats.estimate_kbps,
            loss_out: stats.loss,
            loss_in: stats.loss_in,
            picture_in: PictureFigures { width, height, fps, kbps },
            frozen_ms: milliseconds(frozen),
            picture_out: PictureFigures {
                width: out.width,
                height: out.height,
                fps: out.fps,
                kbps: out.kbps,
            },
            limited_by: out.limited_by.into(),
            voice_in_kbps: stats.audio_in.kbps,
            played_ms: milliseconds(played),
            concealed_ms: milliseconds(concealed),
            voice_delay_ms: milliseconds(delay),
            voice_out_kbps: stats.audio_out.kbps,
            condition: stats.condition.map(|condition| ConditionView {
                limited_by: condition.limited_by.into(),
                busy: condition.busy,
            }),
        }
    }
}

impl From<PathStats> for PathView {
    fn from(path: PathStats) -> Self {
        Self { local: path.local, remote: path.remote, by_stream: path.by_stream }
    }
}

impl From<PictureLimit> for LimitView {
    fn from(limit: PictureLimit) -> Self {
        match limit {
            PictureLimit::None => Self::None,
            PictureLimit::Bandwidth => Self::Bandwidth,
            PictureLimit::Cpu => Self::Cpu,
            PictureLimit::View => Self::View,
        }
    }
}

fn milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1000.0
}

//! Turns counters into the figures of [`crate::Stats`].

use std::time::{Duration, Instant};

use quartet_core::{LinkEstimate, Rung, layers::Encoding};
use quartet_media::{RungStats, VideoStats};
use quartet_proto::{Condition, PeerId, PictureLimit};
use quartet_rtc::LinkStats;

use crate::{
    AudioInStats, AudioOutStats, EncodeStats, PathStats, PeerStats, VideoInStats, VideoOutStats,
    intake::{IntakeFigures, PictureFigures},
};

/// Rates over less than this would say more about the moment of looking than about the stream.
const SHORTEST_RATE: Duration = Duration::from_millis(500);

/// A counter of somebody's who may begin again at 0 (a new link, a restarted camera).
#[derive(Debug, Default)]
struct Counter {
    last: u64,
    total: u64,
}

impl Counter {
    /// Takes the present value; how much was added since the last one.
    fn update(&mut self, value: u64) -> u64 {
        let added = value.checked_sub(self.last).unwrap_or(value);
        self.last = value;
        self.total += added;
        added
    }
}

/// What is sent to a peer, as it was planned.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sending {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) target_bps: u32,
    pub(crate) limited_by: PictureLimit,
}

/// The figures of one peer.
#[derive(Debug)]
pub(crate) struct PeerMeter {
    measured_at: Instant,
    figures: PeerStats,
    pictures: Counter,
    video_in_bytes: Counter,
    video_out_frames: Counter,
    video_out_bytes: Counter,
    screen_pictures: Counter,
    screen_in_bytes: Counter,
    screen_out_frames: Counter,
    screen_out_bytes: Counter,
    voice_in_bytes: Counter,
    voice_in_packets: Counter,
    voice_in_lost: Counter,
    voice_concealed: Counter,
    voice_played: Counter,
    voice_out_bytes: Counter,
    voice_out_packets: Counter,
    packets_in: Counter,
    lost_in: Counter,
}

impl PeerMeter {
    pub(crate) fn new(peer: PeerId, now: Instant) -> Self {
        Self {
            measured_at: now,
            figures: PeerStats {
                peer,
                path: None,
                condition: None,
                rtt: None,
                estimate_kbps: None,
                loss: 0.0,
                loss_in: 0.0,
                video_in: VideoInStats::default(),
                video_out: VideoOutStats::default(),
                screen_in: VideoInStats::default(),
                screen_out: VideoOutStats::default(),
                audio_in: AudioInStats::default(),
                audio_out: AudioOutStats::default(),
            },
            pictures: Counter::default(),
            video_in_bytes: Counter::default(),
            video_out_frames: Counter::default(),
            video_out_bytes: Counter::default(),
            screen_pictures: Counter::default(),
            screen_in_bytes: Counter::default(),
            screen_out_frames: Counter::default(),
            screen_out_bytes: Counter::default(),
            voice_in_bytes: Counter::default(),
            voice_in_packets: Counter::default(),
            voice_in_lost: Counter::default(),
            voice_concealed: Counter::default(),
            voice_played: Counter::default(),
            voice_out_bytes: Counter::default(),
            voice_out_packets: Counter::default(),
            packets_in: Counter::default(),
            lost_in: Counter::default(),
        }
    }

    /// As of the last [`Self::update`].
    pub(crate) fn figures(&self) -> &PeerStats {
        &self.figures
    }

    /// What the peer has said of itself.
    pub(crate) fn set_condition(&mut self, condition: Option<Condition>) {
        self.figures.condition = condition;
    }

    /// The peer is not connected: nothing flows, the totals stay.
    pub(crate) fn idle(&mut self) {
        let figures = &mut self.figures;
        (figures.rtt, figures.estimate_kbps, figures.path) = (None, None, None);
        (figures.loss, figures.loss_in) = (0.0, 0.0);
        (figures.video_in.fps, figures.video_in.kbps) = (0.0, 0.0);
        (figures.video_out.fps, figures.video_out.kbps) = (0.0, 0.0);
        (figures.screen_in.fps, figures.screen_in.kbps) = (0.0, 0.0);
        (figures.screen_out.fps, figures.screen_out.kbps) = (0.0, 0.0);
        (figures.audio_in.kbps, figures.audio_out.kbps) = (0.0, 0.0);
    }

    /// Takes the counters as they are now.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        link: &LinkStats,
        intake: &IntakeFigures,
        (sending, sending_screen): (&Sending, &Sending),
        estimate: Option<&LinkEstimate>,
    ) {
        let over = now.saturating_duration_since(self.measured_at);
        if over < SHORTEST_RATE {
            return;
        }
        self.measured_at = now;
        let seconds = over.as_secs_f32();
        let per_second = |count: u64| count as f32 / seconds;
        let kbps = |bytes: u64| bytes as f32 * 8.0 / 1000.0 / seconds;

        let voice = &intake.voice;
        self.voice_in_packets.update(voice.packets);
        self.voice_in_lost.update(voice.lost);
        self.voice_concealed.update(micros(voice.concealed));
        self.voice_played.update(micros(voice.played));
        self.voice_out_packets.update(link.voice_out.packets);

        // The controller's is of the media itself; the path's own, of a check every few seconds.
        self.figures.rtt = estimate.and_then(|it| it.rtt).or(link.rtt);
        self.figures.estimate_kbps = estimate.map(|it| it.bitrate_bps as f32 / 1000.0);
        self.figures.loss = estimate.map_or(0.0, |it| it.loss);
        let arrived = self.packets_in.update(link.video_in.packets + link.voice_in.packets);
        let lost = self.lost_in.update(link.video_in.lost + link.voice_in.lost);
        self.figures.loss_in = ratio(lost, arrived + lost);
        self.figures.path = path(link);
        self.figures.video_in = video_in(
            &intake.camera,
            per_second(self.pictures.update(intake.camera.totals.frames)),
            kbps(self.video_in_bytes.update(link.video_in.bytes)),
        );
        self.figures.video_out = video_out(
            sending,
            per_second(self.video_out_frames.update(link.video_out.frames)),
            kbps(self.video_out_bytes.update(link.video_out.bytes)),
        );
        self.figures.screen_in = video_in(
            &intake.screen,
            per_second(self.screen_pictures.update(intake.screen.totals.frames)),
            kbps(self.screen_in_bytes.update(link.screen_in.bytes)),
        );
        self.figures.screen_out = video_out(
            sending_screen,
            per_second(self.screen_out_frames.update(link.screen_out.frames)),
            kbps(self.screen_out_bytes.update(link.screen_out.bytes)),
        );
        self.figures.audio_in = AudioInStats {
            kbps: kbps(self.voice_in_bytes.update(link.voice_in.bytes)),
            packets: self.voice_in_packets.total,
            lost: self.voice_in_lost.total,
            concealed_ratio: ratio(self.voice_concealed.total, self.voice_played.total),
            played: Duration::from_micros(self.voice_played.total),
            concealed: Duration::from_micros(self.voice_concealed.total),
            delay: voice.delay,
        };
        self.figures.audio_out = AudioOutStats {
            kbps: kbps(self.voice_out_bytes.update(link.voice_out.bytes)),
            packets: self.voice_out_packets.total,
        };
    }
}

fn video_in(pictures: &PictureFigures, fps: f32, kbps: f32) -> VideoInStats {
    let PictureFigures { width, height, totals } = *pictures;
    VideoInStats {
        width,
        height,
        fps,
        kbps,
        frames: totals.frames,
        freezes: totals.freezes,
        frozen: totals.frozen,
        longest_freeze: totals.longest,
    }
}

fn video_out(sending: &Sending, fps: f32, kbps: f32) -> VideoOutStats {
    let Sending { width, height, target_bps, limited_by } = *sending;
    VideoOutStats { width, height, fps, kbps, target_kbps: target_bps as f32 / 1000.0, limited_by }
}

/// The figures of the encoders, over however many runs of the camera.
#[derive(Debug)]
pub(crate) struct EncodeMeter {
    measured_at: Instant,
    rungs: [RungMeter; Rung::ALL.len()],
}

#[derive(Debug, Default)]
struct RungMeter {
    figures: EncodeStats,
    frames: Counter,
    bytes: Counter,
    cpu_us: Counter,
}

impl EncodeMeter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { measured_at: now, rungs: Default::default() }
    }

    /// Of the running encodings, as of the last [`Self::update`].
    pub(crate) fn figures(&self) -> Vec<EncodeStats> {
        let running = self.rungs.iter().map(|rung| rung.figures).filter(|it| it.width > 0);
        running.collect()
    }

    /// Takes the counters as they are now; `None` while there is no camera.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        pipeline: Option<&VideoStats>,
        encodings: &[Encoding],
    ) {
        let seconds = now.saturating_duration_since(self.measured_at).as_secs_f32();
        self.measured_at = now;
        for (rung, meter) in Rung::ALL.into_iter().zip(&mut self.rungs) {
            let target = encodings.iter().find(|it| it.rung == rung).map(|it| it.bitrate_bps);
            meter.update(seconds, pipeline.map(|it| &it.rungs[rung as usize]), target);
        }
    }
}

impl RungMeter {
    fn update(&mut self, seconds: f32, counters: Option<&RungStats>, target_bps: Option<u32>) {
        let cpu_ms = |cpu: &Counter| cpu.total as f64 / 1000.0;
        let Some(counters) = counters else {
            self.figures = EncodeStats { cpu_ms: cpu_ms(&self.cpu_us), ..EncodeStats::default() };
            return;
        };
        self.cpu_us.update(micros(counters.cpu));
        let frames = self.frames.update(counters.frames);
        let bytes = self.bytes.update(counters.bytes);
        let (width, height) =
            if counters.active { (counters.width, counters.height) } else { (0, 0) };
        self.figures = EncodeStats {
            width,
            height,
            fps: if seconds > 0.0 { frames as f32 / seconds } else { 0.0 },
            kbps: if seconds > 0.0 { bytes as f32 * 8.0 / 1000.0 / seconds } else { 0.0 },
            target_kbps: target_bps.unwrap_or(0) as f32 / 1000.0,
            cpu_ms: cpu_ms(&self.cpu_us),
        };
    }
}

fn path(link: &LinkStats) -> Option<PathStats> {
    let (local, remote) = (link.local_candidate.clone()?, link.remote_candidate.clone()?);
    Some(PathStats { local, remote, by_stream: link.relayed_by_stream })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn ratio(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_go_on_over_a_new_link() {
        let mut counter = Counter::default();
        assert_eq!(counter.update(100), 100);
        assert_eq!(counter.update(130), 30);
        // The new link has counted 20 so far.
        assert_eq!(counter.update(20), 20);
        assert_eq!(counter.total, 150);
    }
}

//! One voice of tones, from a sender with a clock of its own to a player with another.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quartet_core::{
    RtpPacket, SAMPLES_PER_10_MS, UndecodableVoice, VoiceBuffer, VoiceDecoder, VoicePacketInfo,
    VoicePlayout, VoiceStats,
};
use quartet_testkit::network::Path;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const PACKET: usize = 960;

/// A packet says at what sample of an endless tone it begins; the decoder gives that tone.
#[derive(Debug, Default)]
pub(crate) struct ToneDecoder {
    pub(crate) redundancy: bool,
    /// The samples that were decoded or recovered, in order: first and length.
    pub(crate) heard: Vec<(u64, usize)>,
}

pub(crate) const SILENCE: u64 = u64::MAX;

pub(crate) fn payload(sample: u64) -> Bytes {
    Bytes::copy_from_slice(&sample.to_be_bytes())
}

pub(crate) fn tone(sample: u64) -> f32 {
    // 480 Hz: 100 samples a turn.
    0.25 * (std::f32::consts::TAU * (sample % 100) as f32 / 100.0).sin()
}

impl VoiceDecoder for ToneDecoder {
    fn inspect(&self, payload: &[u8]) -> Option<VoicePacketInfo> {
        let sample = u64::from_be_bytes(*payload.first_chunk()?);
        Some(VoicePacketInfo {
            samples: PACKET,
            redundant: self.redundancy,
            silence: sample == SILENCE,
        })
    }

    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        let first = u64::from_be_bytes(*payload.first_chunk().ok_or(UndecodableVoice)?);
        if first == SILENCE {
            out.fill(0.0);
            return Ok(());
        }
        self.heard.push((first, out.len()));
        (first..).zip(out).for_each(|(sample, out)| *out = tone(sample));
        Ok(())
    }

    fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), UndecodableVoice> {
        let next = u64::from_be_bytes(*next.first_chunk().ok_or(UndecodableVoice)?);
        self.decode(&(next - out.len() as u64).to_be_bytes(), out)
    }

    fn conceal(&mut self, out: &mut [f32]) {
        out.fill(0.0);
    }
}

/// What the network does to one packet, sent so long after the start: `None` is a loss.
pub(crate) type Network<'a> = dyn FnMut(Duration) -> Option<Duration> + 'a;

/// A packet as it is taken apart where it arrives, and its copies.
pub(crate) type Sent = Vec<RtpPacket>;

pub(crate) struct Call {
    pub(crate) buffer: VoiceBuffer<ToneDecoder>,
    pub(crate) start: Instant,
    pub(crate) sent: u64,
    pub(crate) next_pull: f64,
    /// What is under way: when it comes.
    pub(crate) network: Vec<(Duration, Sent)>,
    /// How many of the packets before it each packet carries.
    pub(crate) copies: u64,
    /// Sender's and player's clock against the true one.
    pub(crate) sender_rate: f64,
    pub(crate) player_rate: f64,
    pub(crate) sound: Vec<f32>,
    pub(crate) delays: Vec<Duration>,
    /// All that was concealed until each pull.
    pub(crate) concealed: Vec<Duration>,
    pub(crate) playouts: Vec<VoicePlayout>,
    pub(crate) first: RtpPacket,
}

impl Call {
    pub(crate) fn new(redundancy: bool) -> Self {
        Self {
            buffer: VoiceBuffer::new(ToneDecoder { redundancy, heard: vec![] }),
            start: Instant::now(),
            sent: 0,
            next_pull: 0.003,
            network: vec![],
            copies: 0,
            sender_rate: 1.0,
            player_rate: 1.0,
            sound: vec![],
            delays: vec![],
            concealed: vec![],
            playouts: vec![],
            // Both wrap soon.
            first: RtpPacket {
                sequence: 65_500,
                timestamp: u32::MAX - 20_000,
                marker: false,
                redundant: false,
                payload: Bytes::new(),
            },
        }
    }

    pub(crate) fn packet(&self, index: u64) -> RtpPacket {
        RtpPacket {
            sequence: self.first.sequence.wrapping_add(index as u16),
            timestamp: self.first.timestamp.wrapping_add((index * PACKET as u64) as u32),
            marker: false,
            redundant: false,
            payload: payload(index * PACKET as u64),
        }
    }

    /// Sends and plays until so long after the start.
    pub(crate) fn run(&mut self, until: Duration, network: &mut Network<'_>) -> VoiceStats {
        loop {
            let sends = Duration::from_secs_f64(self.sent as f64 * 0.02 / self.sender_rate);
            let pulls = Duration::from_secs_f64(self.next_pull);
            let arrives = self.network.iter().map(|(at, _)| *at).min().unwrap_or(Duration::MAX);
            let now = sends.min(pulls).min(arrives);
            if now >= until {
                return self.buffer.stats();
            }
            if now == sends {
                if let Some(delay) = network(now) {
                    self.network.push((now + delay, self.sending()));
                }
                self.sent += 1;
            } else if now == arrives {
                let at = self.network.iter().position(|(at, _)| *at == now).expect("one arrives");
                let (_, sent) = self.network.remove(at);
                self.arrive(now, sent);
            } else {
                self.pull(now);
                self.next_pull += 0.01 / self.player_rate;
            }
        }
    }

    pub(crate) fn pull(&mut self, now: Duration) {
        let mut frame = [0.0; SAMPLES_PER_10_MS];
        self.buffer.pull(self.start + now, &mut frame);
        self.sound.extend(frame);
        let stats = self.buffer.stats();
        self.delays.push(stats.delay);
        self.concealed.push(stats.concealed);
        self.playouts.extend(self.buffer.playout());
    }

    fn arrive(&mut self, now: Duration, sent: Sent) {
        sent.into_iter().for_each(|packet| self.buffer.push(self.start + now, packet));
    }

    /// The next packet and its copies, newest first.
    fn sending(&self) -> Sent {
        let copies = self.sent.saturating_sub(self.copies)..self.sent;
        let copied = |index| RtpPacket { redundant: true, ..self.packet(index) };
        [self.packet(self.sent)].into_iter().chain(copies.rev().map(copied)).collect()
    }

    /// Sends over a path and plays until so long after the start.
    pub(crate) fn run_over(&mut self, until: Duration, path: &mut Path<Sent>) -> VoiceStats {
        loop {
            let sends = Duration::from_secs_f64(self.sent as f64 * 0.02 / self.sender_rate);
            let pulls = Duration::from_secs_f64(self.next_pull);
            let arrives = path.poll_timeout().map_or(Duration::MAX, |at| at - self.start);
            let now = sends.min(pulls).min(arrives);
            if now >= until {
                return self.buffer.stats();
            }
            if now == arrives {
                while let Some(sent) = path.poll(self.start + now) {
                    self.arrive(now, sent);
                }
            } else if now == sends {
                let sent = self.sending();
                // 32 kbit/s, and RTP, SRTP, UDP and IP.
                path.push(self.start + now, 80 * sent.len() + 50, sent);
                self.sent += 1;
            } else {
                self.pull(now);
                self.next_pull += 0.01 / self.player_rate;
            }
        }
    }

    /// The most that was concealed in any second from so long after the start on.
    pub(crate) fn worst_second(&self, from: Duration) -> Duration {
        let from = (from.as_millis() / 10) as usize;
        let seconds = self.concealed[from..].windows(100);
        seconds.map(|second| second[99].saturating_sub(second[0])).max().unwrap_or_default()
    }

    /// Median over the last `time`.
    pub(crate) fn median_delay(&self, time: Duration) -> Duration {
        let last = self.delays.len() - (time.as_millis() / 10) as usize;
        let mut last = self.delays[last..].to_vec();
        last.sort_unstable();
        last[last.len() / 2]
    }

    /// Mean over the last `time`.
    pub(crate) fn delay(&self, time: Duration) -> Duration {
        let last = &self.delays[self.delays.len() - (time.as_millis() / 10) as usize..];
        last.iter().sum::<Duration>() / last.len() as u32
    }
}

pub(crate) fn steady(delay: Duration) -> impl FnMut(Duration) -> Option<Duration> {
    move |_| Some(delay)
}

pub(crate) fn jitter(random: &mut fastrand::Rng, most: Duration) -> Duration {
    30 * MS + most.mul_f64(random.f64())
}

pub(crate) fn share(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

/// A tone that is never interrupted has no step steeper than its own.
pub(crate) fn steps(sound: &[f32]) -> usize {
    let steepest = 0.25 * std::f32::consts::TAU / 100.0;
    sound.windows(2).filter(|pair| (pair[1] - pair[0]).abs() > 1.2 * steepest).count()
}

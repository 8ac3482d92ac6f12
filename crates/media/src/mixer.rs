//! All voices of a call, summed for the speaker.
//!
//! Network tasks push packets; whoever plays calls [`Mixer::fill`] every 10 ms, and there the
//! jitter buffers and decoders run. The two meet only in each voice's inbox, whose lock is held
//! for the time it takes to move packets.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quartet_core::{RtpPacket, VoiceBuffer, VoicePlayout, VoiceStats};
use quartet_proto::PeerId;

use crate::{OpusDecoder, OpusError, PcmFrame, Reference, level::Level};

/// Packets that wait for [`Mixer::fill`]; 5 s. When nobody plays, the oldest are dropped.
const INBOX: usize = 250;
/// Nobody is played more than twice as loud as they come, 6 dB: more would mostly be bent.
pub const MAX_GAIN: f32 = 2.0;
/// Up to here voices are summed as they are …
const KNEE: f32 = 0.8;

/// What is called with each 10 ms of a voice as it is played.
pub type VoiceTap = Box<dyn FnMut(&PcmFrame) + Send>;

/// Sums the voices of a call. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Mixer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    voices: Mutex<Vec<Arc<Voice>>>,
    /// The voices being mixed; kept so that mixing allocates nothing.
    mixing: Mutex<Vec<Arc<Voice>>>,
    reference: Reference,
}

struct Voice {
    peer: PeerId,
    inbox: Mutex<VecDeque<(Instant, RtpPacket)>>,
    buffer: Mutex<VoiceBuffer<OpusDecoder>>,
    told: Mutex<Told>,
    tap: Mutex<Option<VoiceTap>>,
    level: Level,
    /// How loud it is to be heard: an `f32`, 1 as it comes.
    gain: AtomicU32,
    /// How loud it was heard last.
    applied: AtomicU32,
}

/// What others may know of a voice while it is being played.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    stats: VoiceStats,
    playout: Option<VoicePlayout>,
}

impl Mixer {
    /// Without voices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is played, for the echo canceller.
    #[must_use]
    pub fn reference(&self) -> Reference {
        self.0.reference.clone()
    }

    /// Adds a voice, which is heard until the receiver is dropped.
    pub fn add(&self, peer: PeerId) -> Result<VoiceReceiver, OpusError> {
        let voice = Arc::new(Voice {
            peer,
            inbox: Mutex::new(VecDeque::with_capacity(INBOX)),
            buffer: Mutex::new(VoiceBuffer::new(OpusDecoder::new()?)),
            told: Mutex::default(),
            tap: Mutex::default(),
            level: Level::default(),
            gain: AtomicU32::new(1_f32.to_bits()),
            applied: AtomicU32::new(1_f32.to_bits()),
        });
        self.0.voices.lock().push(voice.clone());
        Ok(VoiceReceiver { voice, mixer: self.0.clone() })
    }

    /// Gives the next 10 ms of all voices together. Called at the pace of the speaker.
    pub fn fill(&self, out: &mut PcmFrame) {
        let now = Instant::now();
        let mut mixing = self.0.mixing.lock();
        mixing.clone_from(&self.0.voices.lock());
        out.fill(0.0);
        for voice in mixing.iter() {
            let mut frame = voice.play(now);
            voice.amplify(&mut frame);
            out.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += sample);
        }
        mixing.clear();
        out.iter_mut().for_each(|sample| *sample = limit(*sample));
        self.0.reference.push(out);
    }
}

impl Voice {
    fn play(&self, now: Instant) -> PcmFrame {
        let mut buffer = self.buffer.lock();
        loop {
            // Taken one by one: decoding is not done, and pushing not held up, under this lock.
            let Some((arrived, packet)) = self.inbox.lock().pop_front() else {
                break;
            };
            buffer.push(arrived, packet);
        }
        let mut frame = [0.0; _];
        buffer.pull(now, &mut frame);
        *self.told.lock() = Told { stats: buffer.stats(), playout: buffer.playout() };
        self.level.update(&frame);
        if let Some(tap) = self.tap.lock().as_mut() {
            tap(&frame);
        }
        frame
    }
}

impl Voice {
    /// Goes over to a new gain within the 10 ms, along a straight line: a step would click.
    fn amplify(&self, frame: &mut PcmFrame) {
        let gain = f32::from_bits(self.gain.load(Ordering::Relaxed));
        let before = f32::from_bits(self.applied.swap(gain.to_bits(), Ordering::Relaxed));
        if gain == 1.0 && before == 1.0 {
            return;
        }
        let step = (gain - before) / frame.len() as f32;
        for (index, sample) in frame.iter_mut().enumerate() {
            *sample *= before + step * (index + 1) as f32;
        }
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// One voice of a [`Mixer`]; removed when this is dropped.
#[derive(Debug)]
pub struct VoiceReceiver {
    voice: Arc<Voice>,
    mixer: Arc<Shared>,
}

impl VoiceReceiver {
    /// Takes a packet that has just come; never waits for decoding.
    pub fn push(&self, packet: RtpPacket) {
        let now = Instant::now();
        let mut inbox = self.voice.inbox.lock();
        if inbox.len() == INBOX {
            inbox.pop_front();
        }
        inbox.push_back((now, packet));
    }

    /// What became of the voice, as of the last 10 ms played.
    #[must_use]
    pub fn stats(&self) -> VoiceStats {
        self.voice.told.lock().stats
    }

    /// What of the voice is heard when, as of the last 10 ms played: what is shown with it follows
    /// it. `None` before the first packet, or as long as nobody plays.
    #[must_use]
    pub fn playout(&self) -> Option<VoicePlayout> {
        self.voice.told.lock().playout
    }

    /// Plays the voice at least so much later than its fastest packets would allow, for pictures
    /// that come later than it; bounded by [`quartet_core::VoiceTuning::patience`]. Waits for
    /// decoding that is under way.
    pub fn set_minimum_delay(&self, delay: Duration) {
        self.voice.buffer.lock().set_minimum_delay(delay);
    }

    /// Plays it so many times as loud from now on, between 0 and [`MAX_GAIN`]; 1 as it comes. Level
    /// and tap are from before that.
    pub fn set_gain(&self, gain: f32) {
        let gain = if gain.is_finite() { gain.clamp(0.0, MAX_GAIN) } else { 1.0 };
        self.voice.gain.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// How loud it is just now: root mean square, 0..=1, rising at once and falling slowly.
    #[must_use]
    pub fn level(&self) -> f32 {
        self.voice.level.get()
    }

    /// Calls `tap` with each 10 ms of this voice as it is played, on the thread that plays: it may
    /// not wait for anything.
    pub fn set_tap(&self, tap: Option<VoiceTap>) {
        // The old one is dropped after the lock: it may close a file.
        let old = std::mem::replace(&mut *self.voice.tap.lock(), tap);
        drop(old);
    }
}

impl Drop for VoiceReceiver {
    fn drop(&mut self) {
        self.mixer.voices.lock().retain(|voice| !Arc::ptr_eq(voice, &self.voice));
        self.set_tap(None);
    }
}

/// … and above it bent, so that several loud ones together distort little and never clip.
fn limit(sample: f32) -> f32 {
    let over = sample.abs() - KNEE;
    if over <= 0.0 {
        return sample;
    }
    (KNEE + (1.0 - KNEE) * (over / (1.0 - KNEE)).tanh()).copysign(sample)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn loud_sums_are_bent_and_never_clip() {
        assert_eq!(limit(0.75), 0.75);
        assert_eq!(limit(-0.75), -0.75);
        let bent: Vec<f32> = (0..400).map(|i| limit(i as f32 / 100.0)).collect();
        assert!(bent.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 0.011));
        assert!(bent.iter().all(|x| *x <= 1.0));
    }

    #[test]
    fn a_voice_goes_over_to_another_gain_without_a_step() {
        let mixer = Mixer::new();
        let receiver = mixer.add(PeerId::from_u64(1)).unwrap();
        let mut heard = Vec::new();
        for (gain, end) in
            [(1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (7.0, MAX_GAIN), (f32::NAN, 1.0), (-1.0, 0.0)]
        {
            receiver.set_gain(gain);
            let mut frame = [0.25; _];
            receiver.voice.amplify(&mut frame);
            assert!((frame[frame.len() - 1] - 0.25 * end).abs() < 1e-6, "{gain}");
            heard.extend(frame);
        }
        let steps = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.fold(0.0, f32::max) < 0.002);
    }

    #[test]
    fn what_nobody_plays_is_dropped() {
        let mixer = Mixer::new();
        let receiver = mixer.add(PeerId::from_u64(1)).unwrap();
        for sequence in 0..10_000 {
            let timestamp = u32::from(sequence) * 960;
            let payload = Bytes::from_static(&[0x78, 0, 0]);
            receiver.push(RtpPacket {
                sequence,
                timestamp,
                marker: false,
                redundant: false,
                payload,
            });
        }
        assert_eq!(receiver.voice.inbox.lock().len(), INBOX);
        mixer.fill(&mut [0.0; _]);
        assert_eq!(receiver.stats().packets, INBOX as u64);
        assert!(receiver.voice.inbox.lock().is_empty());
        drop(receiver);
        assert!(mixer.0.voices.lock().is_empty());
    }
}

//! How patient the buffer is.

use std::time::Duration;

/// The constants of [`VoiceBuffer`](super::VoiceBuffer).
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceTuning {
    /// Arrivals that the playout offset looks back on. 250 are 5 s of 20 ms packets: the time for
    /// which a spike is remembered.
    pub window: usize,
    /// The share of packets that may come too late (NetEq: 0.05).
    pub late_share: f64,
    /// The share of packets whose copy may come too late.
    pub missed_share: f64,
    /// Copies that come later than this after the packet's own time are not waited for.
    pub longest_wait: Duration,
    /// Added to the quantile: one pull, whose last sample is wanted as early as its first,
    /// [`Self::haste`], and a millisecond until that is noticed.
    pub margin: Duration,
    /// Added until [`Self::settled`] arrivals are known: the first few say little of the jitter.
    pub first_margin: Duration,
    /// See [`Self::first_margin`]; packets.
    pub settled: usize,
    /// How much later than it should be sound may be played before it is shortened: with
    /// [`Self::haste`], longer than the shortest piece that can be cut out.
    pub slack: Duration,
    /// How much earlier than it should be sound may be played before it is lengthened.
    pub haste: Duration,
    /// So far from where it should be, sound is shortened or lengthened even if that is heard.
    pub urgent: Duration,
    /// The most that is waited for slower packets than the fastest: beyond, people talk over one
    /// another (ITU-T G.114), which is worse than a gap.
    pub patience: Duration,
    /// Sound later than it should be by this is skipped: shortening would take seconds.
    pub skip: Duration,
    /// Concealment is at full volume for this long, then fades …
    pub fade_after: Duration,
    /// … and is silence from here on; a decoder's guess is noise by then.
    pub max_conceal: Duration,
    /// A transit further than this from the others is no jitter: a new stream, or nonsense.
    pub jump: Duration,
    /// Packets kept at most; the oldest go first. 128 are 2.5 s of 20 ms packets.
    pub capacity: usize,
}

impl Default for VoiceTuning {
    fn default() -> Self {
        Self {
            window: 250,
            late_share: 0.02,
            missed_share: 0.004,
            longest_wait: Duration::from_millis(80),
            margin: Duration::from_millis(13),
            first_margin: Duration::from_millis(20),
            settled: 50,
            slack: Duration::from_millis(6),
            haste: Duration::from_millis(2),
            urgent: Duration::from_millis(60),
            patience: Duration::from_millis(300),
            skip: Duration::from_millis(500),
            fade_after: Duration::from_millis(60),
            max_conceal: Duration::from_millis(200),
            jump: Duration::from_secs(2),
            capacity: 128,
        }
    }
}

//! Shares what all links may send: the voice first, then repair, then pictures by need.
//!
//! Each link's own estimate is its limit, so one weak link takes nothing from the others. When
//! several links are congested at once, it is the own uplink that is full: then what they carry
//! together is shared anew, evenly up to each one's need, so that a link that happened to grow first
//! gives way to the others.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::LinkEstimate;

/// Links that are congested within so long of each other share what is congested. Queues are seen
/// by all who stand in them, within a feedback interval and some.
const TOGETHER: Duration = Duration::from_millis(400);
/// For so long after that they are taken to share it still.
const SHARED_FOR: Duration = Duration::from_secs(20);
/// A link in a shared bottleneck may look for this much more than its share: more would take it
/// from the others, less would leave a bottleneck that has widened unused.
const LOOK_BEYOND: f64 = 1.25;
/// The voice: Opus at 32 kbit/s, 50 packets a second.
const VOICE_BPS: f64 = 32_000.0;
const VOICE_PACKETS: f64 = 50.0;
/// RTP with extensions, SRTP tag, UDP, IPv4; bytes a packet.
const HEADERS: f64 = 58.0;
/// A copy of a voice packet inside the next one: its header (RFC 2198 §3), bytes.
const COPY_HEADER: f64 = 4.0;
/// Copies may take the voice up to this part of a link.
const VOICE_PART: f64 = 0.5;
/// A picture is cut into packets of about 1100 bytes, the last of them half full.
const PICTURE_OVERHEAD: f64 = 0.05;
const PICTURE_OVERHEAD_BPS: f64 = 7_000.0;
/// What is lost is sent again, and lost again in part; half more for what is repeated beforehand.
const REPAIR: f64 = 1.5;
const MOST_REPAIR: f64 = 0.4;
/// Below this no picture is worth sending, bit/s: 180p at 5 pictures a second.
const LEAST_PICTURE: f64 = 30_000.0;
/// A picture's budget goes up when it is this much more, or after the time below; an encoder that
/// follows every step of the estimate looks worse than one that lags.
const STEP_UP: f64 = 1.06;
const STEP_UP_AFTER: Duration = Duration::from_secs(1);
/// It goes down when it is this much less.
const STEP_DOWN: f64 = 0.98;

/// What a link needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkNeed {
    /// What its path carries.
    pub estimate: LinkEstimate,
    /// What the pictures would take if they got all they can use, payload bit/s; 0 for none.
    pub video_bps: u64,
    /// Whether a voice is sent.
    pub voice: bool,
    /// Copies of each voice packet that its losses ask for.
    pub voice_copies: u8,
}

/// What a link gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkShare {
    /// All that may be sent now, bit/s, headers included.
    pub total_bps: u64,
    /// Of this the pictures, payload bit/s, to be encoded; without the repair. Steadier than
    /// [`Self::total_bps`]: while a queue drains it says what comes after.
    pub video_bps: u64,
    /// Copies of each voice packet that there is room for.
    pub voice_copies: u8,
    /// What sending again may take, bit/s.
    pub repair_bps: u64,
    /// For [`CongestionController::set_wanted`](super::CongestionController::set_wanted).
    pub wanted_bps: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    congested: Option<Instant>,
    shared: Option<Instant>,
    video: f64,
    raised: Option<Instant>,
}

/// The allocator over all links; `K` names a link.
#[derive(Debug)]
pub struct Uplink<K> {
    links: BTreeMap<K, Link>,
}

impl<K> Default for Uplink<K> {
    fn default() -> Self {
        Self { links: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Uplink<K> {
    /// Shares anew; to be called when an estimate or a need has changed. Links that are not named
    /// are forgotten.
    pub fn share(&mut self, now: Instant, needs: &[(K, LinkNeed)]) -> Vec<(K, LinkShare)> {
        self.links.retain(|key, _| needs.iter().any(|(named, _)| named == key));
        self.note_congestion(now, needs);
        let limits = self.limits(now, needs);
        needs
            .iter()
            .zip(limits)
            .map(|((key, need), limit)| (*key, self.divide(now, *key, need, limit)))
            .collect()
    }

    fn note_congestion(&mut self, now: Instant, needs: &[(K, LinkNeed)]) {
        for (key, need) in needs {
            let link = self.links.entry(*key).or_default();
            if need.estimate.congested {
                link.congested = Some(now);
            }
        }
        let recent = |link: &Link| {
            link.congested.is_some_and(|at| now.saturating_duration_since(at) <= TOGETHER)
        };
        if self.links.values().filter(|link| recent(link)).count() >= 2 {
            for link in self.links.values_mut().filter(|link| recent(link)) {
                link.shared = Some(now);
            }
        }
    }

    /// What each link may use once nothing drains, and how far it may look beyond.
    fn limits(&self, now: Instant, needs: &[(K, LinkNeed)]) -> Vec<(f64, f64)> {
        let shares = |key: &K| {
            self.links
                .get(key)
                .and_then(|link| link.shared)
                .is_some_and(|at| now.saturating_duration_since(at) <= SHARED_FOR)
        };
        let sharing: Vec<_> = needs.iter().filter(|(key, _)| shares(key)).collect();
        let budget: f64 = sharing.iter().map(|(_, need)| settled(need)).sum();
        let wishes: Vec<_> = sharing.iter().map(|(_, need)| wish(need)).collect();
        let mut fair = level(budget, &wishes).into_iter();
        needs
            .iter()
            .map(|(key, need)| {
                if !shares(key) || sharing.len() < 2 {
                    return (settled(need), wish(need));
                }
                let fair = fair.next().unwrap_or(0.0);
                (settled(need).min(fair), wish(need).min(fair * LOOK_BEYOND))
            })
            .collect()
    }

    fn divide(&mut self, now: Instant, key: K, need: &LinkNeed, limit: (f64, f64)) -> LinkShare {
        let (limit, wanted) = limit;
        let mut copies = if need.voice { need.voice_copies.min(MOST_COPIES) } else { 0 };
        // Copies and repair go at once, so they are of what may be sent at once: when a full queue
        // loses packets, more of them would only make it longer.
        let now_limit = limit.min(need.estimate.bitrate_bps as f64);
        while copies > 0 && voice(copies) > now_limit * VOICE_PART {
            copies -= 1;
        }
        let spoken = if need.voice { voice(copies) } else { 0.0 };
        let left = (limit - spoken).max(0.0);
        let left_now = (now_limit - spoken).max(0.0);
        let repair = repair_part(need);
        let payload = (left / (1.0 + repair) * (1.0 - PICTURE_OVERHEAD) - PICTURE_OVERHEAD_BPS)
            .min(need.video_bps as f64);
        let video = self.steady(now, key, if payload < LEAST_PICTURE { 0.0 } else { payload });
        LinkShare {
            total_bps: need.estimate.bitrate_bps.min(limit as u64),
            video_bps: video as u64,
            voice_copies: copies,
            repair_bps: (left_now * repair / (1.0 + repair)) as u64,
            wanted_bps: wanted as u64,
        }
    }

    /// Keeps the budget of a link's pictures from following every step.
    fn steady(&mut self, now: Instant, key: K, video: f64) -> f64 {
        let link = self.links.entry(key).or_default();
        let waited =
            link.raised.is_none_or(|raised| now.saturating_duration_since(raised) >= STEP_UP_AFTER);
        if video > link.video && (waited || video > link.video * STEP_UP) {
            link.video = video;
            link.raised = Some(now);
        } else if video < link.video * STEP_DOWN {
            link.video = video;
        }
        link.video
    }
}

/// Opus packets that one can carry; `red` writes no more.
const MOST_COPIES: u8 = 2;

/// What a voice takes, bit/s.
fn voice(copies: u8) -> f64 {
    let copies = f64::from(copies);
    VOICE_BPS * (1.0 + copies) + VOICE_PACKETS * 8.0 * (HEADERS + COPY_HEADER * copies)
}

fn settled(need: &LinkNeed) -> f64 {
    need.estimate.settled_bps.max(need.estimate.bitrate_bps) as f64
}

/// By which part of the pictures what is lost has to be sent again.
fn repair_part(need: &LinkNeed) -> f64 {
    let loss = f64::from(need.estimate.loss);
    let loss = if loss.is_finite() { loss.clamp(0.0, 0.6) } else { 0.0 };
    (REPAIR * loss / (1.0 - loss)).min(MOST_REPAIR)
}

/// All that a link would send, bit/s.
fn wish(need: &LinkNeed) -> f64 {
    let voice = if need.voice { voice(need.voice_copies.min(MOST_COPIES)) } else { 0.0 };
    let video = need.video_bps as f64;
    if video <= 0.0 {
        return voice;
    }
    voice + (video + PICTURE_OVERHEAD_BPS) / (1.0 - PICTURE_OVERHEAD) * (1.0 + repair_part(need))
}

/// Max–min: everybody gets the same, but nobody more than the own wish.
fn level(budget: f64, wishes: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]));
    let mut given = vec![0.0; wishes.len()];
    let mut left = budget.max(0.0);
    for (place, index) in order.iter().enumerate() {
        let even = left / (wishes.len() - place) as f64;
        given[*index] = wishes[*index].min(even).max(0.0);
        left -= given[*index];
    }
    given
}

#[cfg(test)]
mod tests;

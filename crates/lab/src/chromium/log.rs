//! What the pages reported.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::Value;

use crate::figures::Picture;

/// Pictures that are kept of a stream: an hour at 30 a second.
const MAX_PICTURES: usize = 108_000;
/// Statistics that are kept of a peer: an hour, one a second.
const MAX_STATS: usize = 3_600;
/// A stamp further than this from when the page had the picture is none of the clock, in seconds.
const STAMP_IS_TIME: f64 = 1.0;
/// Failures that are kept of a page: the first ones tell.
const MAX_FAILURES: usize = 20;

/// Number or nothing, Unix milliseconds, width, height and stamp.
type SeenPicture = (Option<u32>, f64, u32, u32, f64);

/// What a page says; see `page/mesh.js`.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Said {
    /// It has camera and microphone and can join.
    Ready { name: String },
    /// It is in the room since then.
    Joined { at: f64 },
    /// For another page.
    Description { to: String, body: Value },
    /// For another page.
    Candidate { to: String, body: Value },
    /// The state of a connection has changed.
    State { peer: String, state: String, at: f64 },
    /// Each picture of each stream; and which RTP timestamps were given to the compositor when, in
    /// Unix milliseconds.
    Pictures { seen: HashMap<String, Vec<SeenPicture>>, shown: HashMap<String, Vec<(f64, f64)>> },
    /// Statistics of a connection.
    Stats { peer: String, at: f64, stats: Vec<Value> },
    /// Something went wrong in the page.
    Failed { reason: String },
}

/// What was reported of a connection; times are in Unix seconds.
#[derive(Debug, Clone, Default)]
pub struct PeerLog {
    /// When it was connected first.
    pub connected_at: Option<f64>,
    /// Statistics as `getStats` gives them, and when.
    pub stats: Vec<(f64, Vec<Value>)>,
}

/// What one page reported; times are in Unix seconds.
#[derive(Debug, Clone, Default)]
pub struct PageLog {
    /// It can join.
    pub ready: bool,
    /// When it was in the room.
    pub joined_at: Option<f64>,
    /// Numbers of its own pictures, and when the camera took them.
    pub captured: Vec<(u32, f64)>,
    /// The others' pictures as they were decoded.
    pub pictures: HashMap<String, Vec<Picture>>,
    /// The RTP timestamps of those.
    stamps: HashMap<String, Vec<u32>>,
    /// When pictures of these RTP timestamps were given to the compositor.
    shown: HashMap<String, Vec<(u32, f64)>>,
    /// Its connections.
    pub peers: HashMap<String, PeerLog>,
    /// What went wrong in it.
    pub failures: Vec<String>,
}

/// What all pages reported, by name.
pub type CallLog = HashMap<String, PageLog>;

impl PageLog {
    /// Writes down what is no message to another page.
    pub(super) fn take(&mut self, said: Said) {
        match said {
            Said::Ready { .. } => self.ready = true,
            Said::Joined { at } => self.joined_at = Some(at / 1000.0),
            Said::State { peer, state, at } if state == "connected" => {
                self.peers.entry(peer).or_default().connected_at.get_or_insert(at / 1000.0);
            }
            Said::State { .. } | Said::Description { .. } | Said::Candidate { .. } => {}
            Said::Pictures { seen, shown } => self.take_pictures(seen, shown),
            Said::Stats { peer, at, stats } => {
                let log = self.peers.entry(peer).or_default();
                if log.stats.len() < MAX_STATS {
                    log.stats.push((at / 1000.0, stats));
                }
            }
            Said::Failed { reason } => {
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push(reason);
                }
            }
        }
    }
}

impl PageLog {
    fn take_pictures(
        &mut self,
        mut seen: HashMap<String, Vec<SeenPicture>>,
        shown: HashMap<String, Vec<(f64, f64)>>,
    ) {
        let ahead = unix_ahead_of_monotonic();
        for (number, at, _, _, stamp) in seen.remove("self").unwrap_or_default() {
            // Where the stamp is no time of that clock, the page's having it has to do.
            let taken = stamp / 1e6 + ahead;
            let at = at / 1000.0;
            let taken = if (taken - at).abs() < STAMP_IS_TIME { taken } else { at };
            if let Some(number) = number.filter(|_| self.captured.len() < MAX_PICTURES) {
                self.captured.push((number, taken));
            }
        }
        for (stream, seen) in seen {
            let pictures = self.pictures.entry(stream.clone()).or_default();
            let stamps = self.stamps.entry(stream).or_default();
            let room = MAX_PICTURES.saturating_sub(pictures.len());
            for (number, at, width, height, stamp) in seen.into_iter().take(room) {
                pictures.push(Picture { number, at: at / 1000.0, width, height });
                stamps.push(stamp as u32);
            }
        }
        for (stream, shown) in shown {
            let all = self.shown.entry(stream).or_default();
            let room = MAX_PICTURES.saturating_sub(all.len());
            all.extend(shown.into_iter().take(room).map(|(stamp, at)| (stamp as u32, at / 1000.0)));
        }
    }

    /// Somebody's pictures as they were given to the compositor, as far as they were.
    #[must_use]
    pub fn shown(&self, stream: &str) -> Vec<Picture> {
        let (Some(pictures), Some(stamps), Some(shown)) =
            (self.pictures.get(stream), self.stamps.get(stream), self.shown.get(stream))
        else {
            return Vec::new();
        };
        let shown: HashMap<u32, f64> = shown.iter().copied().collect();
        let all = pictures.iter().zip(stamps);
        all.filter_map(|(picture, stamp)| Some(Picture { at: *shown.get(stamp)?, ..*picture }))
            .collect()
    }
}

/// By how many seconds the Unix clock is ahead of that which the browser's stamps are of.
fn unix_ahead_of_monotonic() -> f64 {
    let monotonic = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    unix - (monotonic.tv_sec as f64 + monotonic.tv_nsec as f64 / 1e9)
}

impl PeerLog {
    /// A counter of the statistics of this type and kind (`inbound-rtp`, `video`) at each look.
    #[must_use]
    pub fn counter(&self, kind: (&str, &str), name: &str) -> Vec<(f64, f64)> {
        let value = |stats: &[Value]| {
            let of_kind = stats.iter().find(|it| it["type"] == kind.0 && it["kind"] == kind.1)?;
            of_kind[name].as_f64()
        };
        self.stats.iter().filter_map(|(at, stats)| Some((*at, value(stats)?))).collect()
    }

    /// A text or number of the statistics of this type and kind at the last look.
    #[must_use]
    pub fn last(&self, kind: (&str, &str), name: &str) -> Option<&Value> {
        let (_, stats) = self.stats.last()?;
        stats.iter().find(|it| it["type"] == kind.0 && it["kind"] == kind.1)?.get(name)
    }
}

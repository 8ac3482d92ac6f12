//! What the pages reported.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::figures::Picture;

/// Pictures that are kept of a stream: an hour at 30 a second.
const MAX_PICTURES: usize = 108_000;
/// Statistics that are kept of a peer: an hour, one a second.
const MAX_STATS: usize = 3_600;
/// Failures that are kept of a page: the first ones tell.
const MAX_FAILURES: usize = 20;

/// Number or nothing, Unix milliseconds, width and height.
type SeenPicture = (Option<u32>, f64, u32, u32);

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
    /// Each picture of each stream.
    Pictures { seen: HashMap<String, Vec<SeenPicture>> },
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
    /// Its own pictures as it had them from the camera, under `self`, and those of the others as
    /// they were decoded.
    pub pictures: HashMap<String, Vec<Picture>>,
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
            Said::Pictures { seen } => {
                for (stream, seen) in seen {
                    let pictures = self.pictures.entry(stream).or_default();
                    let room = MAX_PICTURES.saturating_sub(pictures.len());
                    pictures.extend(seen.into_iter().take(room).map(
                        |(number, at, width, height)| Picture {
                            number,
                            at: at / 1000.0,
                            width,
                            height,
                        },
                    ));
                }
            }
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

//! Which encodings run, and who gets which.

mod sharing;

use std::time::{Duration, Instant};

use quartet_proto::{PeerId, PictureLimit};

use self::sharing::{Share, Wish};
use super::{Encoding, Layer, UPPER_LAYER};
use crate::Rung;

/// What cameras and calls are made for; more would cost everybody and show nothing.
const MAX_FPS: u16 = 30;
/// A larger picture must have been possible for this long before it comes: an estimate that only
/// peeks over a limit would cost two key frames.
const UP_FOR: Duration = Duration::from_millis(1500);
/// The size of a source that has not given a picture yet: what cameras are asked for.
const USUAL_SOURCE: (u16, u16) = (1280, 720);

/// One who may get the own picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub peer: PeerId,
    /// Bits a second that the path carries of pictures, without what packets, repair and voice add.
    pub budget_bps: u64,
    /// Pixels of its screen that the picture is high there; 0 where it cannot be seen.
    pub height: u16,
    /// It is to get the base layer only.
    pub base_only: bool,
}

/// What holds for all viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Width and height of the source's pictures, in pixels; 0 while unknown.
    pub source: (u16, u16),
    /// The largest rung that the machine can afford: [`CpuPolicy::top`](super::CpuPolicy::top).
    pub top: Rung,
    /// Pixels that the own picture is high on the own screen; 0 where nobody looks at it. It shows
    /// the largest encoding that runs for others, and one of its own only where none does.
    pub own_height: u16,
}

/// What is to be encoded, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The smallest first, each rung at most once.
    pub encodings: Vec<Encoding>,
    /// One for each viewer, in their order.
    pub views: Vec<View>,
}

/// What one viewer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Who.
    pub peer: PeerId,
    /// `None` for nothing: it cannot be seen there, or the path carries no picture at all.
    pub layer: Option<Layer>,
    /// Why it is not the best picture of the source.
    pub limited_by: PictureLimit,
}

/// Decides from the budgets of all viewers which encodings run at which bitrate.
///
/// Each viewer gets the smallest rung that looks well in its window, or the largest that
/// its budget, the source and the machine allow. Viewers of one rung share its bitrate, the least
/// of theirs; one whose budget is far below the others' does not lower it, but gets a smaller rung,
/// or the base layer alone. A single viewer so gets a bitrate that follows its budget.
///
/// Downwards everything happens at once, and so does the smallest rung after nothing; a larger one
/// comes only after a while.
#[derive(Debug, Default)]
pub struct LayerPlan {
    seats: Vec<Seat>,
    top: Option<Rung>,
    wake_at: Option<Instant>,
}

/// What one viewer has had so far.
#[derive(Debug, Clone, Copy)]
struct Seat {
    peer: PeerId,
    layer: Option<Layer>,
    /// The rung for what its window shows.
    shown: Option<Rung>,
    /// Since when a larger rung has been possible.
    up_since: Option<Instant>,
}

impl LayerPlan {
    /// What is to be encoded now. To be called with every change, and at [`Self::poll_timeout`].
    pub fn update(&mut self, now: Instant, situation: &Situation, viewers: &[Viewer]) -> Plan {
        let source = match situation.source {
            (0, _) | (_, 0) => USUAL_SOURCE,
            size => size,
        };
        let best = *Rung::offered(source).last().unwrap_or(&Rung::P180);
        let top = best.min(situation.top);
        let more_allowed = self.top.is_some_and(|before| top > before);
        self.top = Some(top);

        let seats: Vec<_> = viewers.iter().map(|viewer| self.seat(viewer)).collect();
        let mut wishes: Vec<_> = viewers
            .iter()
            .zip(&seats)
            .map(|(viewer, seat)| Wish {
                budget_bps: viewer.budget_bps,
                base_only: viewer.base_only,
                ceiling: Rung::shown_at(viewer.height).map(|rung| rung.min(top)),
                before: seat.layer,
            })
            .collect();
        let mut shares = sharing::share(&wishes, top);

        // Who would get a larger rung waits for it, and the others are served as long as it does.
        let mut waits = false;
        self.wake_at = None;
        self.seats = seats;
        for (index, seat) in self.seats.iter_mut().enumerate() {
            let before = seat.layer.map(|layer| layer.rung);
            let now_shown = Rung::shown_at(viewers[index].height);
            let free = more_allowed || now_shown > seat.shown || shares[index].lifted;
            seat.shown = now_shown;
            if shares[index].layer.map(|layer| layer.rung) <= before || free {
                seat.up_since = None;
                continue;
            }
            let due = *seat.up_since.get_or_insert(now) + UP_FOR;
            if now < due {
                // A small picture is better than none for as long as that.
                wishes[index].ceiling = before.or(Some(Rung::P180));
                waits = true;
                self.wake_at = Some(self.wake_at.map_or(due, |at| at.min(due)));
            } else {
                seat.up_since = None;
            }
        }
        if waits {
            shares = sharing::share(&wishes, top);
        }

        let views: Vec<_> = viewers
            .iter()
            .zip(&mut self.seats)
            .zip(&shares)
            .map(|((viewer, seat), share)| {
                seat.layer = share.layer;
                let limited_by = limit(viewer, share.layer, best, top);
                View { peer: viewer.peer, layer: share.layer, limited_by }
            })
            .collect();
        let mut encodings = encodings(&shares);
        if encodings.is_empty()
            && let Some(own) = Rung::shown_at(situation.own_height)
        {
            encodings.push(own_encoding(own.min(top)));
        }
        Plan { encodings, views }
    }

    /// When [`Self::update`] should be called again although nothing has changed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }

    /// What the viewer has had so far; one who is new has waited for nothing.
    fn seat(&self, viewer: &Viewer) -> Seat {
        let known = self.seats.iter().find(|seat| seat.peer == viewer.peer);
        known.copied().unwrap_or(Seat {
            peer: viewer.peer,
            layer: None,
            shown: None,
            up_since: None,
        })
    }
}

/// Why a viewer gets `layer` and not the whole of `best`.
fn limit(viewer: &Viewer, layer: Option<Layer>, best: Rung, top: Rung) -> PictureLimit {
    let shown = Rung::shown_at(viewer.height);
    match (layer, shown) {
        (_, None) => PictureLimit::View,
        (None, Some(_)) => PictureLimit::Bandwidth,
        (Some(layer), _) if layer.temporal < UPPER_LAYER => PictureLimit::Bandwidth,
        (Some(layer), _) if layer.rung == best => PictureLimit::None,
        (Some(layer), Some(shown)) if shown <= layer.rung => PictureLimit::View,
        (Some(layer), _) if top <= layer.rung => PictureLimit::Cpu,
        _ => PictureLimit::Bandwidth,
    }
}

fn encodings(shares: &[Share]) -> Vec<Encoding> {
    let of = |rung: Rung| {
        let share = shares.iter().find(|share| share.layer.is_some_and(|it| it.rung == rung))?;
        Some(Encoding { rung, bitrate_bps: share.bitrate_bps, max_fps: MAX_FPS })
    };
    Rung::ALL.into_iter().filter_map(of).collect()
}

/// What the own tile gets where nobody else is served: a picture as others would get it.
fn own_encoding(rung: Rung) -> Encoding {
    let range = rung.bitrates();
    Encoding { rung, bitrate_bps: (range.start() + range.end()) / 2, max_fps: MAX_FPS }
}

#[cfg(test)]
mod tests;

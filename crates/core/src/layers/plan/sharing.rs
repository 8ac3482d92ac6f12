//! Who shares which encoding, at one moment.

use super::super::{BASE_SHARE_PCT, Layer, UPPER_LAYER};
use crate::Rung;

/// Whose budget is at least this much of the largest in the group, in percent, may lower the group's
/// bitrate to its own; anyone below steps down instead.
const NEAR_PCT: u64 = 70;
/// Whoever can take this much of what the others take, in percent, may do so too: nobody sees it.
const SAME_PCT: u64 = 95;
/// The same for one who is in the group already, and for one who has to come up to it: between the
/// two nothing changes.
const STAY_PCT: u64 = 65;
const JOIN_PCT: u64 = 75;
/// One who steps down and cannot use this much of its budget there, in percent, is worth a larger
/// encoding for the others, where that fits.
const WASTE_PCT: u64 = 60;
/// To get both layers again where the budget did not carry them: this much of the least that the
/// rung runs at, in percent.
const BOTH_AGAIN_PCT: u64 = 110;

/// What one viewer can take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) budget_bps: u64,
    pub(super) base_only: bool,
    /// The largest rung for it; `None` for nothing.
    pub(super) ceiling: Option<Rung>,
    /// What it has had so far.
    pub(super) before: Option<Layer>,
}

/// What one viewer gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) layer: Option<Layer>,
    /// Of the whole encoding.
    pub(super) bitrate_bps: u32,
    /// It has been moved to a larger rung than it needs, for the sake of one who cannot follow.
    pub(super) lifted: bool,
}

/// Shares the rungs up to `top` among all; the answer is in the order of the wishes.
pub(super) fn share(wishes: &[Wish], top: Rung) -> Vec<Share> {
    let mut sharing = Sharing { wishes, top, shares: vec![Share::default(); wishes.len()] };
    let mut fallen = Vec::new();
    for rung in Rung::ALL.into_iter().rev().filter(|rung| *rung <= top) {
        let natives = (0..wishes.len()).filter(|&who| wishes[who].target() == Some(rung)).collect();
        fallen = sharing.settle(rung, natives, fallen, true);
    }
    sharing.shares
}

struct Sharing<'a> {
    wishes: &'a [Wish],
    top: Rung,
    shares: Vec<Share>,
}

impl Sharing<'_> {
    /// Serves those who want this rung, and those who fell down to it; who has to fall further.
    fn settle(
        &mut self,
        rung: Rung,
        natives: Vec<usize>,
        fallen: Vec<usize>,
        may_lift: bool,
    ) -> Vec<usize> {
        // Those who had to step down take what the rung gives: they are no reason for others to.
        let leaders = if natives.is_empty() { &fallen } else { &natives };
        let (low, high) = range(rung);
        let whole = |who: usize| self.wishes[who].whole();
        let useful = |who: usize| whole(who).min(high);
        let Some(richest) = leaders.iter().map(|&who| whole(who)).max() else {
            return Vec::new();
        };
        let highest = richest.min(high);
        let everybody = natives.iter().chain(&fallen).copied();
        let (near, far): (Vec<_>, Vec<_>) = everybody.partition(|&who| {
            useful(who) * 100 >= highest * SAME_PCT
                || whole(who).saturating_mul(100)
                    >= richest.saturating_mul(self.wishes[who].near_pct(rung))
        });
        let least = near.iter().map(|&who| useful(who)).min().unwrap_or(highest);
        let bitrate = least.clamp(low, high);

        let below = rung.below();
        let stranded = far.iter().any(|&who| match below {
            Some(below) => range(below).1 * 100 < self.wishes[who].whole() * WASTE_PCT,
            None => !self.wishes[who].takes_base_of(bitrate),
        });
        if stranded && may_lift && self.lift(rung, &near, bitrate) {
            return self.settle(rung, far, Vec::new(), false);
        }
        let mut bitrate = bitrate;
        if below.is_none() {
            // The last rung: rather a lower bitrate for all than no picture for one.
            for &who in &far {
                bitrate = bitrate.min(self.wishes[who].base_carries()).max(low);
            }
        }
        self.give(rung, &near, bitrate);
        if below.is_none() {
            self.give(rung, &far, bitrate);
            return Vec::new();
        }
        far
    }

    /// Moves a group to a larger rung, at the bitrate that it has or that the other one runs at, to
    /// leave its own to those who cannot follow; false where none fits.
    fn lift(&mut self, rung: Rung, group: &[usize], bitrate: u64) -> bool {
        let larger = Rung::ALL.into_iter().filter(|it| *it > rung && *it <= self.top);
        let options: Vec<_> = larger.map(|it| (it, self.bitrate_of(it, bitrate))).collect();
        let carried = |bitrate: u64| group.iter().all(|&who| self.wishes[who].whole() >= bitrate);
        let fits = |there: u64| carried(there) && there * 100 >= bitrate * SAME_PCT;
        let Some((above, bitrate)) = options.into_iter().find(|(_, there)| fits(*there)) else {
            return false;
        };
        self.give(above, group, bitrate);
        for &who in group {
            self.shares[who].lifted = true;
        }
        true
    }

    /// What the rung runs at already, or would run at for somebody with this bitrate.
    fn bitrate_of(&self, rung: Rung, bitrate: u64) -> u64 {
        let runs = |share: &&Share| share.layer.is_some_and(|layer| layer.rung == rung);
        let running = self.shares.iter().find(runs);
        running.map_or(bitrate.max(range(rung).0), |share| u64::from(share.bitrate_bps))
    }

    fn give(&mut self, rung: Rung, group: &[usize], bitrate: u64) {
        for &who in group {
            let layer = self.wishes[who].layer(rung, bitrate);
            self.shares[who] = Share {
                layer,
                bitrate_bps: u32::try_from(bitrate).unwrap_or(u32::MAX),
                lifted: false,
            };
        }
    }
}

impl Wish {
    /// The bitrate of an encoding of which it can take what it is to get.
    fn whole(&self) -> u64 {
        if self.base_only { self.base_carries() } else { self.budget_bps }
    }

    /// The bitrate of an encoding whose base layer it can take.
    fn base_carries(&self) -> u64 {
        self.budget_bps.saturating_mul(100) / u64::from(BASE_SHARE_PCT)
    }

    fn takes_base_of(&self, bitrate: u64) -> bool {
        self.base_carries() >= bitrate
    }

    /// The rung that its budget is for, if it were alone. What it has had it keeps down to the end
    /// of that rung's range; anything larger has to be beyond the end of the range below. Who has had
    /// nothing begins in the middle between the two.
    fn target(&self) -> Option<Rung> {
        let ceiling = self.ceiling?;
        let had = self.before.map(|layer| layer.rung);
        let carries = |rung: Rung| {
            let least = range(rung).0;
            let beyond = rung.below().map_or(least, |below| range(below).1);
            self.whole()
                >= match had {
                    None => (least + beyond) / 2,
                    Some(had) if had >= rung => least,
                    Some(_) => beyond,
                }
        };
        let found = Rung::ALL.into_iter().rev().find(|&rung| rung <= ceiling && carries(rung));
        // The base layer of the smallest is the last that is given up.
        let last = had.is_some() && self.takes_base_of(range(Rung::P180).0);
        found.or_else(|| last.then_some(Rung::P180))
    }

    fn near_pct(&self, rung: Rung) -> u64 {
        match self.before {
            Some(layer) if layer.rung == rung => STAY_PCT,
            Some(layer) if layer.rung < rung => JOIN_PCT,
            _ => NEAR_PCT,
        }
    }

    /// What it gets of an encoding.
    fn layer(&self, rung: Rung, bitrate: u64) -> Option<Layer> {
        let had_base = self.before == Some(Layer { rung, temporal: 0 });
        let least = if had_base { range(rung).0 * BOTH_AGAIN_PCT / 100 } else { 0 };
        if !self.base_only && self.budget_bps >= bitrate.max(least) {
            Some(Layer { rung, temporal: UPPER_LAYER })
        } else {
            self.takes_base_of(bitrate).then_some(Layer { rung, temporal: 0 })
        }
    }
}

fn range(rung: Rung) -> (u64, u64) {
    let range = rung.bitrates();
    (u64::from(*range.start()), u64::from(*range.end()))
}

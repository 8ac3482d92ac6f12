//! What is encoded of the shared screen, and who gets it. The rules are in
//! [`quartet_core::layers`]; this carries them out.

use quartet_core::{
    congestion::LinkShare,
    layers::{divide, screen_bitrate},
};
use quartet_proto::{PeerId, PictureLimit};

use super::{Actor, links::Peer};
use crate::figures::Sending;

/// What was decided last.
#[derive(Debug, Default)]
pub(super) struct ScreenPlan {
    /// What the encoder aims at; none while nobody is to get the screen.
    bitrate_bps: Option<u32>,
    /// Whose lines are too weak for it.
    too_weak: Vec<PeerId>,
}

impl Actor {
    /// Whether the own screen goes to somebody: they show it, or never said.
    pub(super) fn shares_with(&self, peer: &Peer) -> bool {
        self.sources.screen().is_some() && peer.shows_screen != Some(0)
    }

    /// Takes the screen's part out of what pictures may take on each link, and leaves the rest to
    /// the camera.
    pub(super) fn plan_screen(&mut self, shares: &mut [(PeerId, LinkShare)]) {
        let camera = if self.sources.media().camera_off { 0 } else { u64::MAX };
        let mut plan = ScreenPlan::default();
        let mut budgets = Vec::new();
        for (peer, share) in &mut *shares {
            let known = self.call.as_ref().and_then(|call| call.peers.get(peer));
            let mut shown = known.is_some_and(|known| self.shares_with(known));
            if shown {
                let budget = divide(share.video_bps, camera);
                share.video_bps = budget.camera_bps;
                budgets.push(budget.screen_bps);
                shown = budget.screen_bps > 0;
                if !shown {
                    plan.too_weak.push(*peer);
                }
            }
            if self.fan_out.set_screen(*peer, shown) {
                self.make_screen_key_frame();
            }
        }
        plan.bitrate_bps = screen_bitrate(budgets);
        if let Some(screen) = self.sources.screen() {
            screen.set_bitrate(plan.bitrate_bps);
        }
        self.planning.screen = plan;
    }

    /// Everybody who waits for one gets the same: the pipeline limits their number.
    pub(super) fn make_screen_key_frame(&self) {
        if let Some(screen) = self.sources.screen() {
            screen.request_key_frame();
        }
    }

    /// What of the screen goes to a peer, for the figures.
    pub(super) fn sending_screen(&self, peer: PeerId) -> Sending {
        let Some(screen) = self.sources.screen() else { return Sending::default() };
        let plan = &self.planning.screen;
        if !self.fan_out.gets_screen(peer) {
            let weak = plan.too_weak.contains(&peer);
            let limited_by = if weak { PictureLimit::Bandwidth } else { PictureLimit::View };
            return Sending { limited_by, ..Sending::default() };
        }
        let stats = screen.stats();
        Sending {
            width: stats.width,
            height: stats.height,
            target_bps: plan.bitrate_bps.unwrap_or(0),
            limited_by: PictureLimit::None,
        }
    }
}

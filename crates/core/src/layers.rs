//! Which encodings of the own picture run, and which of them each peer gets.
//!
//! The picture is encoded in up to three sizes ([`Rung`]), each in two temporal layers, and each
//! once for everybody. [`LayerPlan`] decides which of them run at which bitrate and who gets what,
//! [`LayerSelector`] lets that through to one peer as a stream that can always be decoded, and
//! [`CpuPolicy`] takes the largest size away where the machine is too slow for it. All three are
//! pure, and so is what a shared screen gets beside the camera ([`divide`], [`screen_bitrate`]).

mod cpu_policy;
mod plan;
mod screen;
mod selector;

pub use cpu_policy::{CpuPolicy, Load};
pub use plan::{LayerPlan, Plan, Situation, View, Viewer};
pub use screen::{
    MAX_SCREEN, SCREEN_MAX_FPS, ScreenBudget, divide, screen_bitrate, wanted_with_screen,
};
pub use selector::LayerSelector;

use crate::Rung;

/// The base layer's share of an encoding's bitrate, in percent: every other picture, each of which
/// the next base picture and one upper picture are made from. At 60 % the picture loses 1.0 dB
/// against one layer (360p, 500 kbit/s, a talking head), at 70 % 0.4 dB, at 80 % nothing; but the
/// more it is, the less a line gains that gets the base layer alone.
pub const BASE_SHARE_PCT: u32 = 70;
/// The upper of the two temporal layers.
pub const UPPER_LAYER: u8 = 1;

/// One running encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Its size.
    pub rung: Rung,
    /// Bits a second of both temporal layers together, without what packets add.
    pub bitrate_bps: u32,
    /// Pictures a second; what comes faster is thinned out.
    pub max_fps: u16,
}

/// What one peer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Of which encoding.
    pub rung: Rung,
    /// Up to this temporal layer; 0 is the base layer alone, at half the pictures a second.
    pub temporal: u8,
}

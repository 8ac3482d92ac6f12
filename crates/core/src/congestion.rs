//! How much a path carries, and how that is shared.
//!
//! [`CongestionController`] is one link's: it is fed with what the receiver says became of each
//! packet, and gives a [`LinkEstimate`](crate::LinkEstimate) and wishes to probe. [`Uplink`] shares
//! what all links may send. Both are pure.
//!
//! The controller follows two signs of congestion. The *queue* on the path: the one-way delay above
//! the least one seen lately, taken as a moving minimum, so that jitter does not count, together
//! with where its slope leads (the idea of draft-ietf-rmcat-gcc-02 §5.3 and of RFC 8698 §4.2). And
//! *loss that grows with the own rate*: loss that does not is the line's own, and no reason to send
//! less. While the queue drains, the packets come out of it as fast as the path carries them; that
//! is measured, so one cut finds the right rate.

mod controller;
mod inherent_loss;
mod loss;
mod path_delay;
mod probing;
mod rate;
mod silence;
mod throughput;
mod uplink;

use std::time::{Duration, Instant};

pub use controller::{CongestionConfig, CongestionController, START_BPS};
pub use uplink::{LinkNeed, LinkShare, Uplink};

/// Names one probe; the packets sent for it carry it into their [`PacketReport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbeId(pub u32);

/// A wish: for a moment, send faster than the estimate, to see whether the path carries it.
///
/// Media goes first, padding fills what it leaves. A newer wish replaces an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// To be given with each packet that is sent for it.
    pub id: ProbeId,
    /// How fast, in bits a second, evenly.
    pub rate_bps: u64,
    /// At least so many bytes.
    pub bytes: usize,
    /// And at least so many packets.
    pub packets: usize,
}

/// What became of one packet, as the receiver says (transport-wide feedback).
///
/// Packets that no feedback spoke of are not reported at all: a feedback packet that got lost says
/// nothing about the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketReport {
    /// Counts the packets of the link in the order in which they were sent, without gaps. One that
    /// was reported lost may be reported once more when it has come after all.
    pub id: u64,
    /// When it left.
    pub departure: Instant,
    /// When it came, on the receiver's clock, of which only differences mean anything.
    pub arrival: Option<Duration>,
    /// Bytes that the path carries for it: IP, UDP, SRTP tag and RTP header included, which are a
    /// third of a voice packet.
    pub size: usize,
    /// Whether it came at all.
    pub arrived: bool,
    /// The probe that it was sent for.
    pub probe: Option<ProbeId>,
}

/// What an RTCP receiver report says (RFC 3550 §6.4.1); all there is to go by with a peer that does
/// not send transport-wide feedback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiverReport {
    /// Share of the packets lost since the report before, 0..=1.
    pub fraction_lost: f32,
    /// From LSR and DLSR.
    pub rtt: Option<Duration>,
}

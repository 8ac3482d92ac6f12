//! What a link does to the RTP and RTCP packets between the library and the wire.
//!
//! Each is a machine without a clock, driven by the task of the connection.

mod congestion;
mod key_frame_tap;
mod nack_responder;
mod pacer;
mod repair_budget;
mod repeats;
mod sender_report_tap;
mod sent_packets;
mod stage;

use std::{sync::Arc, time::Duration};

use rtc::interceptor::{
    ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, TwccReceiverBuilder,
};
use tokio::sync::Notify;

pub(crate) use self::sender_report_tap::SenderClocks;
use self::{
    congestion::Congestion, key_frame_tap::KeyFrameTap, nack_responder::NackResponder,
    pacer::LinkPacer, sender_report_tap::SenderReportTap, stage::Stage,
};
use crate::steering::Steering;

/// How often the peer is told what became of its packets: as often as its controller can make use
/// of it. A feedback takes some 50 bytes, so this is 10 kbit/s.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);

/// What the chain of a link shares with the rest of it.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Notified when the peer asks for a key frame.
    pub(crate) key_frame_wanted: Arc<Notify>,
    /// The own stream of the shared screen…
    pub(crate) screen_ssrc: u32,
    /// …and the same for it.
    pub(crate) screen_key_frame_wanted: Arc<Notify>,
    /// Hold what the peer's sender reports tell.
    pub(crate) clocks: Arc<SenderClocks>,
    pub(crate) steering: Arc<Steering>,
}

/// The chain of a link.
pub(crate) fn chain(shared: Shared) -> Registry {
    let screen = shared.screen_ssrc;
    Registry::new()
        .with(Slot::CongestionControl, Stage::new(Congestion::new(Arc::clone(&shared.steering))))
        .with(Slot::Pacer, Stage::new(LinkPacer::new(Arc::clone(&shared.steering), screen)))
        .with(Slot::NackResponder, Stage::new(NackResponder::new(shared.steering, screen)))
        .with(
            Slot::TwccReceiver,
            TwccReceiverBuilder::new().with_interval(FEEDBACK_INTERVAL).build(),
        )
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build())
        .with(Slot::from(13_000), Stage::new(SenderReportTap(shared.clocks)))
        // The last one before the application.
        .with(
            Slot::from(14_000),
            Stage::new(KeyFrameTap {
                screen_ssrc: screen,
                wanted: shared.key_frame_wanted,
                screen_wanted: shared.screen_key_frame_wanted,
            }),
        )
}

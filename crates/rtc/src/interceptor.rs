//! What a link does to the RTP and RTCP packets between the library and the wire.
//!
//! Each is a machine without a clock, driven by the task of the connection.

mod key_frame_tap;
mod nack_responder;
mod sender_report_tap;

use std::sync::Arc;

use rtc::interceptor::{
    ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, TwccReceiverBuilder,
    TwccSenderBuilder,
};
use tokio::sync::Notify;

pub(crate) use self::sender_report_tap::SenderClocks;
use self::{
    key_frame_tap::KeyFrameTap, nack_responder::NackResponder, sender_report_tap::SenderReportTap,
};

/// The chain of a link; `key_frame_wanted` is notified when the peer asks for a key frame, and
/// `clocks` hold what its sender reports tell.
pub(crate) fn chain(key_frame_wanted: Arc<Notify>, clocks: Arc<SenderClocks>) -> Registry {
    Registry::new()
        .with(Slot::TwccSender, TwccSenderBuilder::new().build())
        .with(Slot::NackResponder, NackResponder::default())
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build())
        .with(Slot::from(13_000), SenderReportTap::new(clocks))
        // The last one before the application.
        .with(Slot::from(14_000), KeyFrameTap::new(key_frame_wanted))
}

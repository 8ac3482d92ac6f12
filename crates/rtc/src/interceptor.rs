//! What a link does to the RTP and RTCP packets between the library and the wire.
//!
//! Each is a machine without a clock, driven by the task of the connection.

mod key_frame_tap;
mod nack_responder;

use std::sync::Arc;

use rtc::interceptor::{
    ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, TwccReceiverBuilder,
    TwccSenderBuilder,
};
use tokio::sync::Notify;

use self::{
    key_frame_tap::KeyFrameTap, nack_responder::NackResponder,
};

/// The chain of a link; `key_frame_wanted` is notified when the peer asks for a key frame.
pub(crate) fn chain(key_frame_wanted: Arc<Notify>) -> Registry {
    Registry::new()
        .with(Slot::TwccSender, TwccSenderBuilder::new().build())
        .with(Slot::NackResponder, NackResponder::default())
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build())
        // The last one before the application.
        .with(Slot::from(14_000), KeyFrameTap::new(key_frame_wanted))
}

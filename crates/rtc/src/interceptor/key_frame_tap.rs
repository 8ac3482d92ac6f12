//! Hears the peer ask for a key frame.

use std::{sync::Arc, time::Instant};

use rtc::rtcp::{
    self,
    payload_feedbacks::{
        full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
    },
};
use tokio::sync::Notify;

use super::stage::{Machine, Outbound};

/// Notifies for each PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1). A link sends one picture, so
/// whose key frame is meant need not be looked at.
pub(super) struct KeyFrameTap(pub(super) Arc<Notify>);

impl Machine for KeyFrameTap {
    fn hear(&mut self, _now: Instant, packets: &[Box<dyn rtcp::Packet>], _out: &mut Outbound) {
        let wanted = packets.iter().any(|packet| {
            let packet = packet.as_any();
            packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>()
        });
        if wanted {
            // Any number of requests until it is looked at count as one.
            self.0.notify_one();
        }
    }
}

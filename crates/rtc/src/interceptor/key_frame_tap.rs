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

/// Notifies for each PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1). What does not name the stream
/// of the shared screen means the camera's.
pub(super) struct KeyFrameTap {
    pub(super) screen_ssrc: u32,
    pub(super) wanted: Arc<Notify>,
    pub(super) screen_wanted: Arc<Notify>,
}

impl Machine for KeyFrameTap {
    fn hear(&mut self, _now: Instant, packets: &[Box<dyn rtcp::Packet>], _out: &mut Outbound) {
        // Any number of requests until it is looked at count as one.
        let notify = |ssrc| {
            let screen = ssrc == self.screen_ssrc;
            if screen { &self.screen_wanted } else { &self.wanted }.notify_one();
        };
        for packet in packets {
            let packet = packet.as_any();
            if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
                notify(pli.media_ssrc);
            } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
                // The streams are those of its entries (RFC 5104 §4.3.1.2).
                fir.fir.iter().for_each(|entry| notify(entry.ssrc));
            }
        }
    }
}

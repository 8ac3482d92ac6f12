//! Lets the packets of a link leave at the rate that its path carries ([`quartet_core::Pacer`]).
//!
//! RTCP passes: it is short, and worth something only while it is fresh.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_core::{Pacer, Traffic};
use rtc::{
    interceptor::{Attribute, Packet, StreamInfo, TaggedPacket},
    rtcp,
    shared::marshal::MarshalSize,
};

use super::{
    congestion::WRAPPING,
    stage::{Machine, Outbound},
};
use crate::steering::Steering;

/// Header extensions that are added after this: transport-wide numbers, padded.
const EXTENSIONS: usize = 8;
/// Pictures older than this are not worth filling a probe with: the receiver has long shown them,
/// and there may be no camera any more.
const FILLING: Duration = Duration::from_secs(1);

/// Marks a repeat that nobody has asked for.
#[derive(Debug)]
pub(super) struct Unrequested;

/// See the module.
pub(super) struct LinkPacer {
    steering: Arc<Steering>,
    pacer: Pacer<TaggedPacket>,
    screen_ssrc: u32,
    /// By SSRC.
    traffic: HashMap<u32, Traffic>,
    /// When a picture's packet came last.
    last_video: Option<Instant>,
}

impl LinkPacer {
    pub(super) fn new(steering: Arc<Steering>, screen_ssrc: u32) -> Self {
        Self {
            pacer: Pacer::new(steering.rate_bps()),
            steering,
            screen_ssrc,
            traffic: HashMap::new(),
            last_video: None,
        }
    }

    /// Lets go what may leave, and says what waits.
    fn release(&mut self, now: Instant, out: &mut Outbound) {
        self.pacer.set_rate(now, self.steering.rate_bps(), self.steering.estimate().congested);
        if self.can_probe(now)
            && let Some(probe) = self.steering.take_probe()
        {
            self.pacer.probe(now, probe);
        }
        while let Some(released) = self.pacer.poll(now) {
            let mut packet = released.item;
            // From here on it counts as sent.
            packet.now = now;
            if let Some(probe) = released.probe {
                packet.message.add(Attribute::Custom(Arc::new(probe)));
            }
            out.push_back(packet);
        }
        if let Some(bytes) = self.pacer.spare_wanted(now) {
            self.steering.want_spare(bytes);
        }
        let queue_time = |traffic| self.pacer.queue_time(now, traffic);
        self.steering.set_queue_times(queue_time(Traffic::Video), queue_time(Traffic::Screen));
    }

    /// Whether there is something to fill a probe with.
    fn can_probe(&self, now: Instant) -> bool {
        self.last_video.is_some_and(|at| now.saturating_duration_since(at) < FILLING)
            && self.traffic.values().any(|traffic| *traffic == Traffic::Repair)
    }
}

impl Machine for LinkPacer {
    fn hear(&mut self, now: Instant, _packets: &[Box<dyn rtcp::Packet>], out: &mut Outbound) {
        // The estimate may have changed.
        self.release(now, out);
    }

    fn send(&mut self, packet: TaggedPacket, out: &mut Outbound) {
        let Packet::Rtp(rtp) = &packet.message.packet else {
            out.push_back(packet);
            return;
        };
        let now = packet.now;
        let bytes = rtp.marshal_size() + EXTENSIONS + WRAPPING;
        let traffic = match self.traffic.get(&rtp.header.ssrc) {
            Some(Traffic::Repair) if packet.message.custom::<Unrequested>().is_some() => {
                Traffic::Spare
            }
            Some(traffic) => *traffic,
            None => Traffic::Video,
        };
        if matches!(traffic, Traffic::Video | Traffic::Screen) {
            self.last_video = Some(now);
        }
        if self.pacer.push(now, traffic, bytes, packet).is_some() {
            tracing::debug!(?traffic, "the pacer is full: a packet is dropped");
        }
        self.release(now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbound) {
        if self.pacer.poll_timeout().is_some_and(|at| at <= now) {
            self.release(now, out);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.pacer.poll_timeout()
    }

    fn bind(&mut self, info: &StreamInfo) {
        let voice = info.mime_type.to_ascii_lowercase().starts_with("audio/");
        let traffic = match info.ssrc {
            _ if voice => Traffic::Voice,
            ssrc if ssrc == self.screen_ssrc => Traffic::Screen,
            _ => Traffic::Video,
        };
        self.traffic.insert(info.ssrc, traffic);
        if let (Some(rtx), Some(_)) = (info.ssrc_rtx, info.payload_type_rtx) {
            self.traffic.insert(rtx, Traffic::Repair);
        }
    }

    fn unbind(&mut self, info: &StreamInfo) {
        self.traffic.remove(&info.ssrc);
        if let Some(rtx) = info.ssrc_rtx {
            self.traffic.remove(&rtx);
        }
    }
}

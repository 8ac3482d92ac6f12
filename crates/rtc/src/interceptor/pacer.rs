//! Lets the packets of a link leave at the rate that its path carries ([`quartet_core::Pacer`]).
//!
//! RTCP passes: it is short, and worth something only while it is fresh.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_core::{Pacer, Traffic};
use rtc::{
    interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket},
    sansio::Protocol,
    shared::marshal::MarshalSize,
};
use webrtc::error::Error;

use super::congestion::WRAPPING;
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
    /// By SSRC.
    traffic: HashMap<u32, Traffic>,
    /// When a picture's packet came last.
    last_video: Option<Instant>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl LinkPacer {
    pub(super) fn new(steering: Arc<Steering>) -> Self {
        Self {
            pacer: Pacer::new(steering.rate_bps()),
            steering,
            traffic: HashMap::new(),
            last_video: None,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }

    /// Lets go what may leave, and says what waits.
    fn release(&mut self, now: Instant) {
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
            self.outbound.push_back(packet);
        }
        if let Some(bytes) = self.pacer.spare_wanted(now) {
            self.steering.want_spare(bytes);
        }
        self.steering.set_queue_time(self.pacer.queue_time(now));
    }

    /// Whether there is something to fill a probe with.
    fn can_probe(&self, now: Instant) -> bool {
        self.last_video.is_some_and(|at| now.saturating_duration_since(at) < FILLING)
            && self.traffic.values().any(|traffic| *traffic == Traffic::Repair)
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for LinkPacer {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(_) = packet.message.packet {
            // The estimate may have changed.
            self.release(packet.now);
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        let Packet::Rtp(rtp) = &packet.message.packet else {
            self.outbound.push_back(packet);
            return Ok(());
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
        if traffic == Traffic::Video {
            self.last_video = Some(now);
        }
        if self.pacer.push(now, traffic, bytes, packet).is_some() {
            tracing::debug!(?traffic, "the pacer is full: a packet is dropped");
        }
        self.release(now);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.pacer.poll_timeout().is_some_and(|at| at <= now) {
            self.release(now);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.pacer.poll_timeout()
    }
}

impl Interceptor for LinkPacer {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let voice = info.mime_type.to_ascii_lowercase().starts_with("audio/");
        self.traffic.insert(info.ssrc, if voice { Traffic::Voice } else { Traffic::Video });
        if let (Some(rtx), Some(_)) = (info.ssrc_rtx, info.payload_type_rtx) {
            self.traffic.insert(rtx, Traffic::Repair);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.traffic.remove(&info.ssrc);
        if let Some(rtx) = info.ssrc_rtx {
            self.traffic.remove(&rtx);
        }
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

//! A place in the chain for a machine of ours: what the library asks of every interceptor, once.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp,
    sansio::Protocol,
};
use webrtc::error::Error;

/// What goes on towards the wire, in this order.
pub(super) type Outbound = VecDeque<TaggedPacket>;

/// What an interceptor of ours does; what it leaves out lets everything pass. Packets that come are
/// never held or changed.
pub(super) trait Machine: Send + Sync {
    /// RTCP has come.
    fn hear(&mut self, _now: Instant, _packets: &[Box<dyn rtcp::Packet>], _out: &mut Outbound) {}

    /// A packet is on its way out.
    fn send(&mut self, packet: TaggedPacket, out: &mut Outbound) {
        out.push_back(packet);
    }

    /// Time has passed.
    fn handle_timeout(&mut self, _now: Instant, _out: &mut Outbound) {}

    /// When [`Self::handle_timeout`] should be called.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// A stream is sent from now on; said again at every negotiation.
    fn bind(&mut self, _info: &StreamInfo) {}

    /// A stream is sent no longer.
    fn unbind(&mut self, _info: &StreamInfo) {}
}

/// Holds a [`Machine`] in the chain.
pub(super) struct Stage<M> {
    machine: M,
    inbound: VecDeque<TaggedPacket>,
    outbound: Outbound,
}

impl<M> Stage<M> {
    pub(super) const fn new(machine: M) -> Self {
        Self { machine, inbound: VecDeque::new(), outbound: VecDeque::new() }
    }
}

impl<M: Machine> Protocol<TaggedPacket, TaggedPacket, ()> for Stage<M> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            self.machine.hear(packet.now, packets, &mut self.outbound);
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.machine.send(packet, &mut self.outbound);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.machine.handle_timeout(now, &mut self.outbound);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.machine.poll_timeout()
    }
}

impl<M: Machine> Interceptor for Stage<M> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.machine.bind(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.machine.unbind(info);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

//! As much of IPv4, UDP and TCP as a router needs (RFC 791, 768, 9293).

use std::net::{Ipv4Addr, SocketAddrV4};

/// IPv4's number of TCP.
pub const TCP: u8 = 6;
/// IPv4's number of UDP.
pub const UDP: u8 = 17;

/// Where the fields of the IPv4 header are.
const HEADER_CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;
/// Where UDP and TCP keep their checksums, from the beginning of their headers.
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;

/// A whole IPv4 packet, to look at and to rewrite.
#[derive(Debug)]
pub struct Packet<'a> {
    bytes: &'a mut [u8],
    header: usize,
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where it comes from.
    Source,
    /// Where it goes to.
    Destination,
}

impl<'a> Packet<'a> {
    /// Looks at a packet; `None` when it is not a whole one of IPv4.
    pub fn parse(bytes: &'a mut [u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let header = usize::from(first & 0x0f) * 4;
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        let is_whole = first >> 4 == 4 && header >= 20 && length >= header && length <= bytes.len();
        is_whole.then(|| Self { bytes: &mut bytes[..length], header })
    }

    /// What it carries.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.bytes[9]
    }

    /// The address of an end.
    #[must_use]
    pub fn address(&self, end: End) -> Ipv4Addr {
        let at = match end {
            End::Source => SOURCE,
            End::Destination => DESTINATION,
        };
        let bytes = &self.bytes[at..at + 4];
        Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])
    }

    /// Address and port of an end; `None` when it has no port: neither UDP nor TCP, or a later
    /// fragment.
    #[must_use]
    pub fn socket(&self, end: End) -> Option<SocketAddrV4> {
        let at = self.port_at(end)?;
        let port = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
        Some(SocketAddrV4::new(self.address(end), port))
    }

    /// Rewrites an end, with every checksum that it is in. Does nothing where there is no port.
    pub fn set_socket(&mut self, end: End, to: SocketAddrV4) {
        let Some(port_at) = self.port_at(end) else { return };
        let address_at = match end {
            End::Source => SOURCE,
            End::Destination => DESTINATION,
        };
        let mut change = Change::default();
        change.replace(&mut self.bytes[address_at..address_at + 4], &to.ip().octets());
        change.apply(&mut self.bytes[HEADER_CHECKSUM..HEADER_CHECKSUM + 2]);
        change.replace(&mut self.bytes[port_at..port_at + 2], &to.port().to_be_bytes());
        // Both cover the addresses too (the pseudo-header).
        let (at, may_be_none) = match self.protocol() {
            UDP => (self.header + UDP_CHECKSUM, true),
            _ => (self.header + TCP_CHECKSUM, false),
        };
        if let Some(checksum) = self.bytes.get_mut(at..at + 2)
            && !(may_be_none && *checksum == [0, 0])
        {
            change.apply(checksum);
            if may_be_none && *checksum == [0, 0] {
                checksum.copy_from_slice(&[0xff, 0xff]); // 0 would say that there is none
            }
        }
    }

    fn port_at(&self, end: End) -> Option<usize> {
        let fragment_offset = u16::from_be_bytes([self.bytes[6], self.bytes[7]]) & 0x1fff;
        let has_ports = matches!(self.protocol(), UDP | TCP) && fragment_offset == 0;
        let at = self.header + if end == End::Source { 0 } else { 2 };
        (has_ports && self.bytes.len() >= self.header + 8).then_some(at)
    }
}

/// The difference that changed words make to a checksum (RFC 1624).
#[derive(Debug, Default, Clone, Copy)]
struct Change(u32);

impl Change {
    /// `field` has an even length and begins at an even place.
    fn replace(&mut self, field: &mut [u8], by: &[u8]) {
        for (old, new) in field.chunks_exact_mut(2).zip(by.chunks_exact(2)) {
            self.0 += u32::from(!u16::from_be_bytes([old[0], old[1]]));
            self.0 += u32::from(u16::from_be_bytes([new[0], new[1]]));
            old.copy_from_slice(new);
        }
    }

    fn apply(self, checksum: &mut [u8]) {
        let mut sum = u32::from(!u16::from_be_bytes([checksum[0], checksum[1]])) + self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        checksum.copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;

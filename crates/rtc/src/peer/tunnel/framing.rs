//! What a TURN client says in datagrams, as a stream, and back (RFC 8489 §6.2.2, RFC 8656 §12.5).
//! Pure.
//!
//! Both kinds of message say their own length, so a stream is one message behind the other; only
//! those on a channel have to be padded there. Whatever a server writes costs a bounded amount of
//! memory: a message that is too long is passed over, and what is no message ends the stream.

use bytes::{Buf, Bytes, BytesMut};

/// The header of a STUN message, bytes (RFC 8489 §5).
const STUN_HEADER: usize = 20;
/// The header of a message on a channel, bytes (RFC 8656 §12.4).
const CHANNEL_HEADER: usize = 4;
/// Messages on a channel are padded to a multiple of this in a stream (RFC 8656 §12.5).
const ALIGNMENT: usize = 4;
/// First bytes of STUN messages (RFC 8489 §5: two zero bits) and…
const STUN: std::ops::RangeInclusive<u8> = 0x00..=0x3f;
/// …of messages on a channel (RFC 8656 §12).
const CHANNEL: std::ops::RangeInclusive<u8> = 0x40..=0x4f;
/// The longest message that is passed on, bytes: the library reads datagrams into 2,000.
pub(super) const MAX_MESSAGE: usize = 2_000;

/// What cannot be a message of STUN or TURN: where the next one begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what a TURN server sends is no TURN")]
pub(super) struct NotTurn;

/// How long the message is that begins so, without and with what pads it in a stream; `None` as
/// long as that cannot be told.
fn measure(begin: &[u8]) -> Result<Option<(usize, usize)>, NotTurn> {
    let &[first, _, len0, len1, ..] = begin else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([len0, len1]));
    match first {
        first if STUN.contains(&first) && len.is_multiple_of(ALIGNMENT) => {
            Ok(Some((STUN_HEADER + len, STUN_HEADER + len)))
        }
        first if CHANNEL.contains(&first) => {
            let len = CHANNEL_HEADER + len;
            Ok(Some((len, len.next_multiple_of(ALIGNMENT))))
        }
        _ => Err(NotTurn),
    }
}

/// Appends a datagram to a stream. One that is no whole message is left out: it would make all
/// that follows unreadable.
pub(super) fn frame(datagram: &[u8], stream: &mut BytesMut) {
    let Ok(Some((len, padded))) = measure(datagram) else { return };
    // A datagram may be padded already.
    let Some(message) = datagram.get(..len).filter(|_| datagram.len() <= padded) else { return };
    stream.extend_from_slice(message);
    stream.resize(stream.len() + padded - len, 0);
}

/// Takes a stream apart.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    buffer: BytesMut,
    /// Bytes of a message too long that are still to come.
    passed_over: usize,
}

impl Deframer {
    /// Takes what has come. To be followed by [`Self::next`] until that gives nothing: then no more
    /// than one message waits here.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let skipped = self.passed_over.min(bytes.len());
        self.passed_over -= skipped;
        self.buffer.extend_from_slice(&bytes[skipped..]);
    }

    /// The next whole message, without its padding.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, NotTurn> {
        while let Some((len, padded)) = measure(&self.buffer)? {
            if padded > MAX_MESSAGE {
                let here = padded.min(self.buffer.len());
                self.buffer.advance(here);
                self.passed_over = padded - here;
            } else if self.buffer.len() < padded {
                break;
            } else {
                let mut message = self.buffer.split_to(padded);
                message.truncate(len);
                return Ok(Some(message.freeze()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;

//! What was sent of the picture, to be sent again on a stream of its own (RTX, RFC 4588).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::{BufMut, BytesMut};
use quartet_core::vp8::PayloadDescriptor;
use rtc::rtp;

/// Packets kept: 2 s at 2.5 Mbit/s, longer than any receiver waits.
const KEPT: usize = 512;
/// A packet that is older cannot be shown in time, wherever it is asked from: receivers wait for
/// some hundred milliseconds, and the path's round trip comes on top.
pub(super) const MAX_AGE: Duration = Duration::from_millis(700);
/// Of a shared screen a key frame alone may take this long to pass a weak line, and is worth it.
pub(super) const MAX_SCREEN_AGE: Duration = Duration::from_secs(4);
/// A second request within this time was sent before the answer to the first could arrive. Not a
/// round trip: where a fifth is lost each way a third of the answers fail, and receivers that know
/// that ask again before the first answer can have come.
const SUPPRESSION: Duration = Duration::from_millis(15);
/// How often one packet is sent again: whoever asks without end must not multiply what is sent.
const MAX_REPEATS: u8 = 12;
/// A repeat that nobody asked for comes so much later: bursts of loss are mostly shorter, and a
/// receiver asks only after about as long.
const BEFOREHAND_DELAY: Duration = Duration::from_millis(10);
/// So many of the last packets are looked through for one to fill a probe with.
const FILLING: usize = 32;
/// One that is shorter is not worth its headers there, bytes.
const LEAST_FILLING: usize = 300;

/// The packets of one stream.
pub(super) struct Repeats {
    rtx_ssrc: u32,
    rtx_payload_type: u8,
    rtx_sequence: u16,
    max_age: Duration,
    sent: VecDeque<Sent>,
    /// To be repeated beforehand, and when.
    beforehand: VecDeque<(Instant, u16)>,
    /// How many fillings there were.
    fillings: usize,
}

struct Sent {
    packet: rtp::Packet,
    at: Instant,
    repeats: u8,
    last_repeat: Option<Instant>,
}

impl Repeats {
    pub(super) fn new(
        rtx_ssrc: u32,
        rtx_payload_type: u8,
        rtx_sequence: u16,
        max_age: Duration,
    ) -> Self {
        Self {
            rtx_ssrc,
            rtx_payload_type,
            rtx_sequence,
            max_age,
            sent: VecDeque::with_capacity(KEPT),
            beforehand: VecDeque::new(),
            fillings: 0,
        }
    }

    /// Keeps a packet that is sent; with `beforehand` it is repeated soon if other pictures will
    /// refer to it.
    pub(super) fn keep(&mut self, now: Instant, packet: &rtp::Packet, beforehand: bool) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        if beforehand && is_of_base(&packet.payload) && self.beforehand.len() < KEPT {
            let number = packet.header.sequence_number;
            self.beforehand.push_back((now + BEFOREHAND_DELAY, number));
        }
        let packet = packet.clone();
        self.sent.push_back(Sent { packet, at: now, repeats: 0, last_repeat: None });
    }

    /// The answer to a request for a packet, if it is to be answered; two answers to one are at
    /// least `distance` apart. Its bytes are for `allowed` to grant.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        sequence: u16,
        distance: Duration,
        allowed: impl FnOnce(usize) -> bool,
    ) -> Option<rtp::Packet> {
        let distance = distance.max(SUPPRESSION);
        let max_age = self.max_age;
        let sent = self.find(sequence)?;
        let fresh =
            sent.last_repeat.is_none_or(|last| now.saturating_duration_since(last) >= distance);
        let late = now.saturating_duration_since(sent.at) > max_age;
        if !fresh || late || sent.repeats == MAX_REPEATS || !allowed(sent.packet.payload.len()) {
            return None;
        }
        sent.repeats += 1;
        sent.last_repeat = Some(now);
        let packet = sent.packet.clone();
        Some(self.wrap(&packet))
    }

    /// The next repeat beforehand that is due.
    pub(super) fn beforehand(&mut self, now: Instant) -> Option<rtp::Packet> {
        while self.beforehand.front().is_some_and(|(at, _)| *at <= now) {
            let (_, sequence) = self.beforehand.pop_front()?;
            // What has been asked for in the meantime is on its way.
            if let Some(sent) = self.find(sequence)
                && sent.last_repeat.is_none()
            {
                sent.last_repeat = Some(now);
                let packet = sent.packet.clone();
                return Some(self.wrap(&packet));
            }
        }
        None
    }

    /// When [`Self::beforehand`] has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.beforehand.front().map(|(at, _)| *at)
    }

    /// A recent packet, to fill a probe with. It counts as no answer.
    pub(super) fn filling(&mut self) -> Option<rtp::Packet> {
        let recent = self.sent.len().min(FILLING);
        for _ in 0..recent {
            let place = self.sent.len() - 1 - self.fillings % recent;
            self.fillings = self.fillings.wrapping_add(1);
            let packet = &self.sent[place].packet;
            if packet.payload.len() >= LEAST_FILLING {
                let packet = packet.clone();
                return Some(self.wrap(&packet));
            }
        }
        let packet = self.sent.back()?.packet.clone();
        Some(self.wrap(&packet))
    }

    fn find(&mut self, sequence: u16) -> Option<&mut Sent> {
        // Sequence numbers are consecutive, so the place follows from the first.
        let first = self.sent.front()?.packet.header.sequence_number;
        let sent = self.sent.get_mut(usize::from(sequence.wrapping_sub(first)))?;
        (sent.packet.header.sequence_number == sequence).then_some(sent)
    }

    fn wrap(&mut self, original: &rtp::Packet) -> rtp::Packet {
        let mut payload = BytesMut::with_capacity(2 + original.payload.len());
        payload.put_u16(original.header.sequence_number);
        payload.put_slice(&original.payload);
        let header = rtp::Header {
            version: 2,
            marker: original.header.marker,
            payload_type: self.rtx_payload_type,
            sequence_number: self.rtx_sequence,
            timestamp: original.header.timestamp,
            ssrc: self.rtx_ssrc,
            ..rtp::Header::default()
        };
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        rtp::Packet { header, payload: payload.freeze() }
    }
}

/// Whether later pictures refer to the one that this packet is of.
fn is_of_base(payload: &[u8]) -> bool {
    let layer = PayloadDescriptor::parse(payload).and_then(|(d, _)| d.temporal_layer);
    layer.is_none_or(|(layer, _)| layer == 0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn packet(sequence_number: u16, payload: &'static [u8]) -> rtp::Packet {
        let header =
            rtp::Header { sequence_number, timestamp: 9_000, marker: true, ..Default::default() };
        rtp::Packet { header, payload: Bytes::from_static(payload) }
    }

    fn repeats(now: Instant, sequences: impl Iterator<Item = u16>) -> Repeats {
        let mut repeats = Repeats::new(2, 97, 7, MAX_AGE);
        for sequence in sequences {
            repeats.keep(now, &packet(sequence, b"picture"), false);
        }
        repeats
    }

    fn answered(repeats: &mut Repeats, now: Instant, sequence: u16) -> bool {
        repeats.answer(now, sequence, Duration::ZERO, |_| true).is_some()
    }

    #[test]
    fn a_packet_is_repeated_on_the_other_stream() {
        let now = Instant::now();
        let mut repeats = repeats(now, [65_534, 65_535, 0, 1].into_iter());
        let packet = repeats.answer(now, 0, Duration::ZERO, |_| true).unwrap();
        assert_eq!(&packet.payload[..], b"\0\0picture");
        let header = &packet.header;
        assert_eq!((header.ssrc, header.payload_type, header.sequence_number), (2, 97, 7));
        assert_eq!((header.timestamp, header.marker, header.version), (9_000, true, 2));
    }

    #[test]
    fn what_is_unknown_forgotten_or_too_old_is_not_repeated() {
        let now = Instant::now();
        let mut repeats = repeats(now, 0..600);
        assert!(!answered(&mut repeats, now, 600 - KEPT as u16 - 1));
        assert!(!answered(&mut repeats, now, 600));
        assert!(answered(&mut repeats, now, 599));
        assert!(answered(&mut repeats, now + MAX_AGE, 598));
        assert!(!answered(&mut repeats, now + MAX_AGE + MS, 597));
    }

    #[test]
    fn a_storm_of_requests_is_bounded() {
        let start = Instant::now();
        let mut repeats = repeats(start, 0..10);
        let answers = (0..1_000).filter(|ms| answered(&mut repeats, start + *ms * MS, 5)).count();
        assert_eq!(answers, usize::from(MAX_REPEATS));
        assert!(answered(&mut repeats, start, 6));
        assert!(!answered(&mut repeats, start + 14 * MS, 6));
        assert!(answered(&mut repeats, start + 15 * MS, 6));
        assert!(repeats.answer(start + 40 * MS, 6, 50 * MS, |_| true).is_none());
        assert!(repeats.answer(start + 65 * MS, 6, 50 * MS, |_| false).is_none());
        assert!(repeats.answer(start + 65 * MS, 6, 50 * MS, |bytes| bytes == 7).is_some());
    }

    #[test]
    fn what_others_refer_to_is_repeated_beforehand_once() {
        let start = Instant::now();
        let mut repeats = Repeats::new(2, 97, 7, MAX_AGE);
        // X, T; base, upper, base (RFC 7741 §4.2).
        repeats.keep(start, &packet(1, &[0x90, 0x20, 0x00, 1]), true);
        repeats.keep(start, &packet(2, &[0x90, 0x20, 0x40, 2]), true);
        repeats.keep(start, &packet(3, &[0x90, 0x20, 0x00, 3]), true);
        repeats.keep(start, &packet(4, &[0x90, 0x20, 0x00, 4]), false);
        assert_eq!(repeats.poll_timeout(), Some(start + BEFOREHAND_DELAY));
        assert!(repeats.beforehand(start).is_none());
        assert!(answered(&mut repeats, start, 1));
        let due = start + BEFOREHAND_DELAY;
        assert_eq!(&repeats.beforehand(due).unwrap().payload[..2], [0, 3]);
        assert!(repeats.beforehand(due).is_none());
        assert_eq!(repeats.poll_timeout(), None);
    }

    #[test]
    fn probes_are_filled_with_what_was_sent_last() {
        let now = Instant::now();
        assert!(Repeats::new(2, 97, 7, MAX_AGE).filling().is_none());
        let mut repeats = repeats(now, 0..3);
        assert_eq!(&repeats.filling().unwrap().payload[..2], [0, 2]);
        repeats.keep(now, &packet(3, &[7; LEAST_FILLING]), false);
        repeats.keep(now, &packet(4, b"short"), false);
        for _ in 0..5 {
            assert_eq!(&repeats.filling().unwrap().payload[..2], [0, 3]);
        }
        assert!(answered(&mut repeats, now, 3));
    }
}

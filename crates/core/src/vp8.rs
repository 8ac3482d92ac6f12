//! VP8 on the wire: the RTP payload format (RFC 7741) and the little of a frame's own header
//! (RFC 6386 §9.1) that has to be known without decoding it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::EncodedFrame;

/// The descriptor that [`Packetizer`] writes: the required byte, the extension byte, a 15-bit
/// picture id, TL0PICIDX, and one byte with TID, Y and KEYIDX.
const DESCRIPTOR_LEN: usize = 6;
/// A picture id of 15 bits; it wraps (RFC 7741 §4.2).
const PICTURE_ID_MASK: u16 = 0x7fff;
/// A count of key frames of 5 bits; it wraps (RFC 7741 §4.2).
const KEY_INDEX_MASK: u8 = 0x1f;
/// A temporal layer of 2 bits (RFC 7741 §4.2).
const TEMPORAL_MASK: u8 = 0x03;
/// X, S and N of the descriptor's first byte.
const EXTENDED: u8 = 0x80;
const PARTITION_START: u8 = 0x10;
const NON_REFERENCE: u8 = 0x20;
/// The extension byte: I, L, T and K are all there.
const ALL_EXTENSIONS: u8 = 0xf0;
/// Y of the byte that T and K share.
const LAYER_SYNC: u8 = 0x20;

/// What stands in front of the VP8 data in each RTP packet (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadDescriptor {
    /// N: no other picture refers to this one.
    pub non_reference: bool,
    /// S: the packet begins a partition.
    pub partition_start: bool,
    /// PID: the partition that the packet's first byte belongs to.
    pub partition: u8,
    /// Counts pictures.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: counts the pictures of the base temporal layer; wraps.
    pub base_layer_index: Option<u8>,
    /// TID, and Y: whether it depends only on the base layer.
    pub temporal_layer: Option<(u8, bool)>,
    /// KEYIDX: counts key frames; 5 bits, wraps.
    pub key_index: Option<u8>,
}

impl PayloadDescriptor {
    /// Reads the descriptor at the front of an RTP payload, and how many bytes it takes. `None`
    /// when it is cut off or nothing follows it.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<(Self, usize)> {
        let mut bytes = payload.iter().copied();
        let first = bytes.next()?;
        let mut descriptor = Self {
            non_reference: first & 0x20 != 0,
            partition_start: first & 0x10 != 0,
            partition: first & 0x07,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            let extension = bytes.next()?;
            if extension & 0x80 != 0 {
                let high = bytes.next()?;
                descriptor.picture_id = Some(if high & 0x80 == 0 {
                    PictureId::Short(high)
                } else {
                    PictureId::Long(u16::from_be_bytes([high & 0x7f, bytes.next()?]))
                });
            }
            if extension & 0x40 != 0 {
                descriptor.base_layer_index = Some(bytes.next()?);
            }
            // T and K share one byte, which is there when either is set.
            if extension & 0x30 != 0 {
                let shared = bytes.next()?;
                if extension & 0x20 != 0 {
                    descriptor.temporal_layer = Some((shared >> 6, shared & 0x20 != 0));
                }
                if extension & 0x10 != 0 {
                    descriptor.key_index = Some(shared & 0x1f);
                }
            }
        }
        let len = payload.len() - bytes.len();
        (bytes.len() > 0).then_some((descriptor, len))
    }

    /// The packet begins a picture.
    #[must_use]
    pub fn starts_frame(&self) -> bool {
        self.partition_start && self.partition == 0
    }
}

/// The number of a picture, in one of the two widths of RFC 7741 §4.2. Both wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureId {
    /// 7 bits.
    Short(u8),
    /// 15 bits.
    Long(u16),
}

impl PictureId {
    /// The number of the picture after this one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Short(id) => Self::Short(id.wrapping_add(1) & 0x7f),
            Self::Long(id) => Self::Long(id.wrapping_add(1) & PICTURE_ID_MASK),
        }
    }
}

/// The width and height that a key frame declares (RFC 6386 §9.1), in pixels. `None` when `data`
/// is not the beginning of a key frame with a picture in it.
#[must_use]
pub fn key_frame_size(data: &[u8]) -> Option<(u16, u16)> {
    let &[tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = data else {
        return None;
    };
    // The two bits above each side are a scaling hint for the display.
    let width = u16::from_le_bytes([w0, w1]) & 0x3fff;
    let height = u16::from_le_bytes([h0, h1]) & 0x3fff;
    (is_key_frame(&[tag]) && width > 0 && height > 0).then_some((width, height))
}

/// The frame tag says that this is a key frame (RFC 6386 §9.1); false for no data.
#[must_use]
pub fn is_key_frame(data: &[u8]) -> bool {
    data.first().is_some_and(|tag| tag & 0x01 == 0)
}

/// Cuts encoded pictures into RTP payloads, and numbers them for one receiver.
///
/// The numbers are of the pictures that came here: where pictures of the upper temporal layer were
/// left out, or another encoding was begun with a key frame, the receiver sees no gap. A picture of
/// an upper layer says that it depends on the newest base picture only (Y) and that nothing depends
/// on it (N), so that a receiver which lost one goes on without waiting for it.
#[derive(Debug)]
pub struct Packetizer {
    picture_id: u16,
    base_layer_index: u8,
    key_index: u8,
    max_payload: usize,
}

impl Packetizer {
    /// `initial_picture_id` should be random (RFC 7741 §4.2); only its low 15 bits count.
    /// `max_payload` is in bytes and includes the descriptor; the RTP header comes on top.
    #[must_use]
    pub fn new(initial_picture_id: u16, max_payload: usize) -> Self {
        let [high, low] = initial_picture_id.to_be_bytes();
        Self {
            picture_id: initial_picture_id & PICTURE_ID_MASK,
            base_layer_index: low,
            key_index: high & KEY_INDEX_MASK,
            max_payload: max_payload.max(DESCRIPTOR_LEN + 1),
        }
    }

    /// The payloads of one picture, in order; the last one's packet carries the RTP marker. They
    /// are of about the same length, so that none is a cheap loss. Empty for a frame without data.
    pub fn packetize(&mut self, frame: &EncodedFrame) -> Vec<Bytes> {
        let data = &frame.data;
        if data.is_empty() {
            return Vec::new();
        }
        let descriptor = self.describe(frame);
        let count = data.len().div_ceil(self.max_payload - DESCRIPTOR_LEN);
        let payload_len = data.len().div_ceil(count);
        data.chunks(payload_len)
            .enumerate()
            .map(|(index, chunk)| {
                let mut payload = BytesMut::with_capacity(DESCRIPTOR_LEN + chunk.len());
                payload.put_slice(&descriptor);
                if index == 0 {
                    payload[0] |= PARTITION_START;
                }
                payload.put_slice(chunk);
                payload.freeze()
            })
            .collect()
    }

    /// Counts the picture; what stands in front of each of its packets, without S.
    fn describe(&mut self, frame: &EncodedFrame) -> [u8; DESCRIPTOR_LEN] {
        // A key frame of an upper layer would be a contradiction.
        let temporal = if frame.key { 0 } else { frame.temporal & TEMPORAL_MASK };
        if temporal == 0 {
            self.base_layer_index = self.base_layer_index.wrapping_add(1);
        }
        if frame.key {
            self.key_index = self.key_index.wrapping_add(1) & KEY_INDEX_MASK;
        }
        let [id_high, id_low] = self.picture_id.to_be_bytes();
        self.picture_id = self.picture_id.wrapping_add(1) & PICTURE_ID_MASK;
        let (required, sync) =
            if temporal == 0 { (EXTENDED, 0) } else { (EXTENDED | NON_REFERENCE, LAYER_SYNC) };
        [
            required,
            ALL_EXTENSIONS,
            0x80 | id_high,
            id_low,
            self.base_layer_index,
            temporal << 6 | sync | self.key_index,
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(len: usize) -> EncodedFrame {
        EncodedFrame {
            data: (0..len).map(|i| i as u8).collect(),
            key: true,
            width: 2,
            height: 2,
            timestamp: 0,
            temporal: 0,
        }
    }

    /// The descriptors of pictures of these layers; `None` is a key frame.
    fn describe(packetizer: &mut Packetizer, layers: &[Option<u8>]) -> Vec<PayloadDescriptor> {
        let describe = |&layer: &Option<u8>| {
            let key = layer.is_none();
            let frame = EncodedFrame { key, temporal: layer.unwrap_or(0), ..frame(1) };
            PayloadDescriptor::parse(&packetizer.packetize(&frame)[0]).unwrap().0
        };
        layers.iter().map(describe).collect()
    }

    #[test]
    fn every_form_of_the_descriptor_is_read() {
        let parse = PayloadDescriptor::parse;
        let plain = PayloadDescriptor::default();
        assert_eq!(parse(&[0x00, 9]), Some((plain, 1)));
        assert_eq!(
            parse(&[0x33, 9]),
            Some((
                PayloadDescriptor {
                    non_reference: true,
                    partition_start: true,
                    partition: 3,
                    ..plain
                },
                1
            ))
        );
        assert_eq!(parse(&[0x80, 0x00, 9]), Some((plain, 2)));
        let short = PayloadDescriptor { picture_id: Some(PictureId::Short(0x7f)), ..plain };
        assert_eq!(parse(&[0x80, 0x80, 0x7f, 9]), Some((short, 3)));
        let long = PayloadDescriptor { picture_id: Some(PictureId::Long(0x1234)), ..plain };
        assert_eq!(parse(&[0x80, 0x80, 0x92, 0x34, 9]), Some((long, 4)));
        let base = PayloadDescriptor { base_layer_index: Some(7), ..plain };
        assert_eq!(parse(&[0x80, 0x40, 7, 9]), Some((base, 3)));
        let layer = PayloadDescriptor { temporal_layer: Some((2, true)), ..plain };
        assert_eq!(parse(&[0x80, 0x20, 0xbf, 9]), Some((layer, 3)));
        let key = PayloadDescriptor { key_index: Some(0x1f), ..plain };
        assert_eq!(parse(&[0x80, 0x10, 0xff, 9]), Some((key, 3)));
        let all = PayloadDescriptor {
            picture_id: Some(PictureId::Long(1)),
            base_layer_index: Some(2),
            temporal_layer: Some((1, false)),
            key_index: Some(3),
            ..plain
        };
        assert_eq!(parse(&[0x80, 0xf0, 0x80, 1, 2, 0x43, 9]), Some((all, 6)));
    }

    #[test]
    fn a_descriptor_that_is_cut_off_or_alone_is_refused() {
        let whole = [0x80, 0xf0, 0x80, 1, 2, 0x43];
        for len in 0..=whole.len() {
            assert_eq!(PayloadDescriptor::parse(&whole[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn picture_ids_wrap_at_their_own_width() {
        assert_eq!(PictureId::Short(0x7f).next(), PictureId::Short(0));
        assert_eq!(PictureId::Long(0x7fff).next(), PictureId::Long(0));
        let mut packetizer = Packetizer::new(0xffff, 100);
        let ids: Vec<_> = (0..2)
            .map(|_| PayloadDescriptor::parse(&packetizer.packetize(&frame(1))[0]))
            .map(|parsed| parsed.unwrap().0.picture_id)
            .collect();
        assert_eq!(ids, [Some(PictureId::Long(0x7fff)), Some(PictureId::Long(0))]);
    }

    #[test]
    fn pictures_are_numbered_by_layer_and_by_key_frame() {
        let mut packetizer = Packetizer::new(0x0a10, 100);
        let described =
            describe(&mut packetizer, &[None, Some(1), Some(0), Some(1), None, Some(0), Some(0)]);
        let expected: [(u8, u8, u8); 7] = [
            (0, 0x11, 0x0b),
            (1, 0x11, 0x0b),
            (0, 0x12, 0x0b),
            (1, 0x12, 0x0b),
            (0, 0x13, 0x0c),
            // Upper layers that were left out leave no gap.
            (0, 0x14, 0x0c),
            (0, 0x15, 0x0c),
        ];
        for (index, (descriptor, (layer, base, key))) in described.iter().zip(expected).enumerate()
        {
            let upper = layer > 0;
            let expected = PayloadDescriptor {
                non_reference: upper,
                partition_start: true,
                partition: 0,
                picture_id: Some(PictureId::Long(0x0a10 + index as u16)),
                base_layer_index: Some(base),
                temporal_layer: Some((layer, upper)),
                key_index: Some(key),
            };
            assert_eq!(*descriptor, expected, "picture {index}");
        }
    }

    #[test]
    fn a_key_frame_is_of_the_base_layer_whatever_it_says() {
        let frame = EncodedFrame { temporal: 1, ..frame(1) };
        let payloads = Packetizer::new(0, 100).packetize(&frame);
        let (descriptor, _) = PayloadDescriptor::parse(&payloads[0]).unwrap();
        assert_eq!(descriptor.temporal_layer, Some((0, false)));
        assert!(!descriptor.non_reference);
    }

    #[test]
    fn the_counts_of_base_pictures_and_key_frames_wrap_at_their_own_width() {
        let mut packetizer = Packetizer::new(0x1fff, 100);
        let described = describe(&mut packetizer, &[None, Some(1), None]);
        let counts = |d: &PayloadDescriptor| (d.base_layer_index, d.key_index);
        let counts: Vec<_> = described.iter().map(counts).collect();
        assert_eq!(counts, [(Some(0), Some(0)), (Some(0), Some(0)), (Some(1), Some(1))]);
    }

    /// What Chromium's `RtpVp8RefFinder` looks for: a base picture refers to the one whose index
    /// is lower by 1, a picture with Y to the base picture of its own index. Whatever was left out
    /// of the upper layer before it came here, both are there.
    #[test]
    fn a_receiver_finds_the_reference_of_every_picture() {
        let mut packetizer = Packetizer::new(0x7ff0, 100);
        let mut rng = 0x9e37_79b9_u32;
        let mut bases = std::collections::BTreeMap::new();
        let mut unwrapped: Option<(u8, u64)> = None;
        for index in 0..2000_u32 {
            rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let layer = match (index, rng >> 24) {
                (0, _) | (_, 0..4) => None,
                (_, 4..120) => Some(1),
                _ => Some(0),
            };
            let descriptor = describe(&mut packetizer, &[layer])[0];
            let base = descriptor.base_layer_index.unwrap();
            let count = unwrapped.map_or(0, |(last, count)| {
                let step = base.wrapping_sub(last);
                assert!(step <= 1);
                count + u64::from(step)
            });
            unwrapped = Some((base, count));
            match descriptor.temporal_layer.unwrap() {
                (0, false) => {
                    assert!(layer.is_none() || bases.contains_key(&(count - 1)), "{index}");
                    assert!(bases.insert(count, index).is_none(), "picture {index}");
                }
                (1, true) => assert!(bases.contains_key(&count), "picture {index}"),
                other => panic!("picture {index}: {other:?}"),
            }
        }
    }

    #[test]
    fn only_a_whole_key_frame_header_has_a_size() {
        let header = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x81];
        assert_eq!(key_frame_size(&header), Some((640, 360)));
        assert_eq!(key_frame_size(&header[..9]), None);
        let mut delta = header;
        delta[0] |= 1;
        assert_eq!(key_frame_size(&delta), None);
        let mut empty = header;
        empty[6..8].fill(0);
        assert_eq!(key_frame_size(&empty), None);
    }

    proptest! {
        #[test]
        fn payloads_fit_and_add_up_to_the_frame(len in 0usize..5000, max in 0usize..1500) {
            let frame = frame(len);
            let payloads = Packetizer::new(1, max).packetize(&frame);
            let mut joined = Vec::new();
            for (index, payload) in payloads.iter().enumerate() {
                prop_assert!(payload.len() <= max.max(DESCRIPTOR_LEN + 1));
                let (descriptor, at) = PayloadDescriptor::parse(payload).unwrap();
                prop_assert_eq!(descriptor.starts_frame(), index == 0);
                joined.extend_from_slice(&payload[at..]);
            }
            prop_assert_eq!(&joined[..], &frame.data[..]);
        }

        #[test]
        fn garbage_is_read_without_harm(payload: Vec<u8>) {
            if let Some((_, len)) = PayloadDescriptor::parse(&payload) {
                prop_assert!(len < payload.len());
            }
            let _ = key_frame_size(&payload);
        }
    }
}

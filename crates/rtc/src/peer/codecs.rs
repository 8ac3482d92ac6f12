//! What a link can send and receive: Opus, alone or with copies of earlier packets, VP8 and its
//! retransmissions, nothing else.

use quartet_core::{SAMPLE_RATE, VIDEO_CLOCK_RATE};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::{error::Result, peer_connection::MediaEngine};

const OPUS: &str = "audio/opus";
const RED: &str = "audio/red";
const VP8: &str = "video/VP8";
const RTX: &str = "video/rtx";

/// Transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The media identification in a packet (RFC 9143 §15): browsers expect to be offered it.
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The codec of one medium, and what repairs its losses; with the payload types
/// that browsers use too, which makes dumps easier to read. The other side may choose others.
pub(super) fn parameters(kind: RtpCodecKind) -> Vec<RTCRtpCodecParameters> {
    if kind == RtpCodecKind::Audio {
        // RFC 7587 §7: two channels whatever is sent, in-band FEC and silence suppression accepted.
        let fmtp = "minptime=10;useinbandfec=1;usedtx=1";
        let feedback = vec![feedback("transport-cc", "")];
        return vec![
            codec(OPUS, 111, SAMPLE_RATE, 2, fmtp, feedback),
            // RFC 2198 §5: a packet of Opus with copies of others.
            codec(RED, 63, SAMPLE_RATE, 2, "111/111", Vec::new()),
        ];
    }
    let feedback = vec![
        feedback("transport-cc", ""),
        feedback("ccm", "fir"),
        feedback("nack", ""),
        feedback("nack", "pli"),
    ];
    vec![
        codec(VP8, 96, VIDEO_CLOCK_RATE, 0, "", feedback),
        codec(RTX, 97, VIDEO_CLOCK_RATE, 0, "apt=96", Vec::new()),
    ]
}

/// The codec of one medium.
pub(super) fn main_codec(kind: RtpCodecKind) -> RTCRtpCodec {
    parameters(kind).swap_remove(0).rtp_codec
}

/// The payload type that was agreed for the codec of one medium.
pub(super) fn payload_type(kind: RtpCodecKind, agreed: &[RTCRtpCodecParameters]) -> Option<u8> {
    let name = if kind == RtpCodecKind::Audio { OPUS } else { VP8 };
    named(name, agreed).next().map(|codec| codec.payload_type)
}

/// The payload type that was agreed for voice packets with copies of earlier ones, if any was.
pub(super) fn red_payload_type(agreed: &[RTCRtpCodecParameters]) -> Option<u8> {
    let opus = payload_type(RtpCodecKind::Audio, agreed)?;
    named(RED, agreed)
        .find(|codec| {
            // The formats of its parts, the packet's own first (RFC 2198 §5).
            let formats = codec.rtp_codec.sdp_fmtp_line.split('/');
            formats.map(str::parse).all(|format| format == Ok(opus))
        })
        .map(|codec| codec.payload_type)
}

fn named<'a>(
    name: &'a str,
    agreed: &'a [RTCRtpCodecParameters],
) -> impl Iterator<Item = &'a RTCRtpCodecParameters> {
    agreed.iter().filter(move |codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(name))
}

/// All of it, as the library wants to be told.
pub(super) fn media_engine() -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        for codec in parameters(kind) {
            engine.register_codec(codec, kind)?;
        }
        for uri in [TRANSPORT_CC, MID] {
            let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
            engine.register_header_extension(extension, kind, None)?;
        }
    }
    Ok(engine)
}

fn codec(
    name: &str,
    payload_type: u8,
    clock_rate: u32,
    channels: u16,
    fmtp: &str,
    rtcp_feedback: Vec<RTCPFeedback>,
) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: name.to_owned(),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback,
        },
        payload_type,
    }
}

fn feedback(typ: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_agreed_on_for_opus_only() {
        let mut agreed = parameters(RtpCodecKind::Audio);
        assert_eq!(red_payload_type(&agreed), Some(63));
        agreed[1].rtp_codec.sdp_fmtp_line = "111/0".to_owned();
        assert_eq!(red_payload_type(&agreed), None);
        agreed[1].rtp_codec.sdp_fmtp_line = String::new();
        assert_eq!(red_payload_type(&agreed), None);
        agreed.truncate(1);
        assert_eq!(red_payload_type(&agreed), None);
        assert_eq!(red_payload_type(&[]), None);
    }
}

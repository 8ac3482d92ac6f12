//! The tasks that receive, one for each medium. The library keeps 256 packets for each and drops
//! the rest: nothing here may take long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quartet_core::{Assembled, AssemblerConfig, FrameAssembler, PicturePlayout, RtpPacket, red};
use rtc::{
    rtcp::{
        payload_feedbacks::picture_loss_indication::PictureLossIndication,
        transport_feedbacks::transport_layer_nack::{
            TransportLayerNack, nack_pairs_from_sequence_numbers,
        },
    },
    rtp,
};
use tokio::sync::{Notify, watch};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::{
    counters::{Counter, Counters},
    sender::PayloadTypes,
};
use crate::{
    MediaSink, arrivals::Arrivals, interceptor::SenderClocks, key_frame_requests::KeyFrameRequests,
};

/// The voice is told this often how much later or earlier the pictures are.
const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// What a receiving task works with.
pub(super) struct Incoming {
    pub(super) track: Arc<dyn TrackRemote>,
    pub(super) sink: Arc<dyn MediaSink>,
    pub(super) counters: Arc<Counters>,
    pub(super) clocks: Arc<SenderClocks>,
}

/// Passes voice on until the track ends, and the copies of lost packets that come with later ones.
pub(super) async fn receive_voice(
    incoming: Incoming,
    payload_types: watch::Receiver<PayloadTypes>,
) {
    let Incoming { track, sink, counters, clocks } = incoming;
    let mut stream = Stream::default();
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        if stream.ssrc != Some(packet.header.ssrc) {
            clocks.set_voice(packet.header.ssrc);
        }
        let payload_type = packet.header.payload_type;
        let (packet, first) = stream.take(packet, &counters.voice_in);
        if !first || packet.payload.is_empty() {
            continue;
        }
        let agreed = *payload_types.borrow();
        for packet in unpack(packet, payload_type, agreed) {
            sink.voice(packet);
        }
    }
}

/// Whose pictures a task receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pictures {
    Camera,
    Screen,
}

impl Pictures {
    fn counter(self, counters: &Counters) -> &Counter {
        match self {
            Self::Camera => &counters.video_in,
            Self::Screen => &counters.screen_in,
        }
    }

    fn assembler(self) -> FrameAssembler {
        FrameAssembler::new(match self {
            Self::Camera => AssemblerConfig::default(),
            Self::Screen => AssemblerConfig::screen(),
        })
    }
}

/// Puts pictures together until the track ends; `requested` is notified when somebody here wants a
/// key frame.
pub(super) async fn receive_video(incoming: Incoming, requested: Arc<Notify>, of: Pictures) {
    let Incoming { track, sink, counters, clocks } = incoming;
    let mut stream = Stream::default();
    let mut playout = PicturePlayout::default();
    let mut told = Instant::now();
    let mut assembler = of.assembler();
    let mut requests = KeyFrameRequests::default();
    loop {
        let wake = [assembler.poll_timeout(), requests.poll_timeout(), playout.poll_timeout()];
        let wake = wake.into_iter().flatten().min();
        tokio::select! {
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    // Second copies too: they tell which packets were only late.
                    let (packet, _) = stream.take(packet, of.counter(&counters));
                    assembler.push(Instant::now(), packet);
                }
                Some(_) => {}
                None => return,
            },
            () = requested.notified() => requests.want(Instant::now()),
            () = sleep_until(wake) => assembler.handle_timeout(Instant::now()),
        }
        let now = Instant::now();
        let mut resend = Vec::new();
        while let Some(output) = assembler.poll() {
            match output {
                Assembled::Frame(frame) => {
                    if frame.key {
                        requests.satisfied();
                    }
                    // Of a screen there are no lips to read.
                    if of == Pictures::Camera
                        && let Some(ssrc) = stream.ssrc
                        && let Some((voice, picture)) = clocks.pair(ssrc)
                        && let Some(heard) = sink.voice_playout()
                        && let Some(timestamp) = picture.picture_of(&voice, heard.timestamp)
                    {
                        playout.heard(now, timestamp, heard.at);
                    }
                    playout.push(now, frame);
                }
                Assembled::KeyFrameWanted => requests.want(now),
                Assembled::Resend(lost) => resend.extend(lost),
            }
        }
        while let Some(frame) = playout.poll(now) {
            of.counter(&counters).frame();
            match of {
                Pictures::Camera => sink.picture(frame),
                Pictures::Screen => sink.screen(frame),
            }
        }
        if of == Pictures::Camera
            && let Some(behind) = playout.behind_voice()
            && now.saturating_duration_since(told) >= TELL_INTERVAL
        {
            told = now;
            sink.pictures_behind_voice(behind);
        }
        let Some(media_ssrc) = stream.ssrc else { continue };
        // An error means that the connection has ended, and so will this task.
        if requests.due(now) {
            let pli = PictureLossIndication { sender_ssrc: 0, media_ssrc };
            let _ = track.write_rtcp(vec![Box::new(pli)]).await;
        }
        if !resend.is_empty() {
            let nacks = nack_pairs_from_sequence_numbers(&resend);
            let nack = TransportLayerNack { sender_ssrc: 0, media_ssrc, nacks };
            let _ = track.write_rtcp(vec![Box::new(nack)]).await;
        }
    }
}

/// The packets of one SSRC; a new SSRC is a new beginning.
#[derive(Default)]
struct Stream {
    ssrc: Option<u32>,
    arrivals: Arrivals,
}

impl Stream {
    /// Counts a packet, and says whether it has come for the first time.
    fn take(&mut self, packet: rtp::Packet, counter: &Counter) -> (RtpPacket, bool) {
        let rtp::Packet { header, payload } = packet;
        if self.ssrc != Some(header.ssrc) {
            *self = Self { ssrc: Some(header.ssrc), ..Self::default() };
        }
        let first = self.arrivals.note(header.sequence_number);
        if first {
            counter.packet(payload.len());
            counter.set_lost(self.arrivals.lost());
        }
        let packet = RtpPacket {
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            marker: header.marker,
            redundant: false,
            payload,
        };
        (packet, first)
    }
}

/// The voice packets in one that came: itself, and what it carries (RFC 2198). None for one of a
/// type that was not agreed on, or whose lengths lie.
fn unpack(packet: RtpPacket, payload_type: u8, agreed: PayloadTypes) -> Vec<RtpPacket> {
    match agreed {
        PayloadTypes { red: Some(red), voice: Some(opus), .. } if red == payload_type => {
            red::unpack(&packet, opus).unwrap_or_default()
        }
        PayloadTypes { voice: Some(opus), .. } if opus != payload_type => Vec::new(),
        _ => vec![packet],
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quartet_core::red::RedWriter;

    use super::*;

    const AGREED: PayloadTypes =
        PayloadTypes { voice: Some(111), red: Some(63), video: Some(96), screen: Some(96) };

    fn packet(payload: Bytes) -> RtpPacket {
        RtpPacket { sequence: 7, timestamp: 9_600, marker: false, redundant: false, payload }
    }

    #[test]
    fn copies_come_out_beside_the_packet_that_carried_them() {
        let mut writer = RedWriter::new(111);
        writer.write(8_640, &Bytes::from_static(b"before"), 1);
        let payload = writer.write(9_600, &Bytes::from_static(b"now"), 1);
        let unpacked = unpack(packet(payload), 63, AGREED);
        let seen: Vec<_> = unpacked
            .iter()
            .map(|packet| {
                (packet.sequence, packet.timestamp, packet.redundant, &packet.payload[..])
            })
            .collect();
        assert_eq!(seen, [(7, 9_600, false, &b"now"[..]), (6, 8_640, true, &b"before"[..])]);
    }

    #[test]
    fn only_what_was_agreed_on_is_voice() {
        let plain = packet(Bytes::from_static(b"now"));
        assert_eq!(unpack(plain.clone(), 111, AGREED), std::slice::from_ref(&plain));
        assert_eq!(unpack(plain.clone(), 13, AGREED), []);
        assert_eq!(unpack(plain, 63, AGREED), [], "lengths that lie");
    }
}

//! The tasks that receive, one for each medium. The library keeps 256 packets for each and drops
//! the rest: nothing here may take long.

use std::{sync::Arc, time::Instant};

use quartet_core::{Assembled, AssemblerConfig, FrameAssembler, RtpPacket};
use rtc::{
    rtcp::{
        payload_feedbacks::picture_loss_indication::PictureLossIndication,
        transport_feedbacks::transport_layer_nack::{
            TransportLayerNack, nack_pairs_from_sequence_numbers,
        },
    },
    rtp,
};
use tokio::sync::Notify;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::counters::{Counter, Counters};
use crate::{MediaSink, arrivals::Arrivals, key_frame_requests::KeyFrameRequests};

/// Passes voice on until the track ends.
pub(super) async fn receive_voice(
    track: Arc<dyn TrackRemote>,
    sink: Arc<dyn MediaSink>,
    counters: Arc<Counters>,
) {
    let mut stream = Stream::default();
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(packet) = event
            && let (packet, true) = stream.take(packet, &counters.voice_in)
            && !packet.payload.is_empty()
        {
            sink.voice(packet);
        }
    }
}

/// Puts pictures together until the track ends; `requested` is notified when somebody here wants a
/// key frame.
pub(super) async fn receive_video(
    track: Arc<dyn TrackRemote>,
    sink: Arc<dyn MediaSink>,
    counters: Arc<Counters>,
    requested: Arc<Notify>,
) {
    let mut stream = Stream::default();
    let mut assembler = FrameAssembler::new(AssemblerConfig::default());
    let mut requests = KeyFrameRequests::default();
    loop {
        let wake = [assembler.poll_timeout(), requests.poll_timeout()].into_iter().flatten().min();
        tokio::select! {
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    // Second copies too: they tell which packets were only late.
                    let (packet, _) = stream.take(packet, &counters.video_in);
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
                    counters.video_in.frame();
                    sink.picture(frame);
                }
                Assembled::KeyFrameWanted => requests.want(now),
                Assembled::Resend(lost) => resend.extend(lost),
            }
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

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}

//! The task that sends: packets are cut here, once for each peer, for only here their number, SSRC
//! and payload type are known.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::{
    EncodedFrame,
    red::{MAX_COPIES, RedWriter, Redundancy},
    vp8::Packetizer,
};
use tokio::sync::watch;

use super::{
    counters::Counters,
    media_queue::{Media, MediaQueue, Voice},
};
use crate::{
    peer::{ConnectionEnded, Outgoing},
    steering::Steering,
};

/// Bytes of RTP payload: with the RTP header and its extensions, the authentication tag, RTX and
/// TURN around it, the packet stays below the 1,200 bytes that pass everywhere over IPv6 too.
const MAX_PAYLOAD: usize = 1_100;
/// Ticks between the voice packets while somebody speaks: 20 ms.
const VOICE_STEP: u32 = quartet_core::SAMPLE_RATE / 50;

/// How often the losses are looked at.
const LOSS_INTERVAL: Duration = Duration::from_millis(50);

/// What the peer has agreed to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PayloadTypes {
    pub(super) voice: Option<u8>,
    /// Of voice packets that carry copies of earlier ones (RFC 2198).
    pub(super) red: Option<u8>,
    pub(super) video: Option<u8>,
    /// None as well where the peer takes no screens.
    pub(super) screen: Option<u8>,
}

pub(super) struct Sender {
    pub(super) voice: Outgoing,
    pub(super) video: Outgoing,
    pub(super) screen: Outgoing,
    pub(super) payload_types: watch::Receiver<PayloadTypes>,
    pub(super) queue: Arc<MediaQueue>,
    pub(super) counters: Arc<Counters>,
    steering: Arc<Steering>,
    packetizer: Packetizer,
    screen_packetizer: Packetizer,
    copies: Copies,
    last_voice: Option<u32>,
}

impl Sender {
    pub(super) fn new(
        [voice, video, screen]: [Outgoing; 3],
        payload_types: watch::Receiver<PayloadTypes>,
        queue: Arc<MediaQueue>,
        counters: Arc<Counters>,
        steering: Arc<Steering>,
    ) -> Self {
        let packetizer = || Packetizer::new(fastrand::u16(..), MAX_PAYLOAD);
        Self {
            voice,
            video,
            screen,
            payload_types,
            queue,
            counters,
            steering,
            packetizer: packetizer(),
            screen_packetizer: packetizer(),
            copies: Copies::default(),
            last_voice: None,
        }
    }

    /// Sends until the connection ends.
    pub(super) async fn run(mut self) -> ConnectionEnded {
        loop {
            tokio::select! {
                () = self.queue.filled() => {}
                () = self.steering.room() => {}
            }
            while let Some(media) = self.queue.pop(self.steering.has_room()) {
                let sent = match media {
                    Media::Voice(voice) => self.send_voice(voice).await,
                    Media::Video(frame) => self.send_video(&frame).await,
                    Media::Screen(frame) => self.send_screen(&frame).await,
                };
                if let Err(ended) = sent {
                    return ended;
                }
            }
        }
    }

    async fn send_voice(&mut self, voice: Voice) -> Result<(), ConnectionEnded> {
        let PayloadTypes { voice: agreed, red, .. } = *self.payload_types.borrow();
        let Some(opus) = agreed else { return Ok(()) };
        let Voice { timestamp, payload } = voice;
        // The first packet after a silence (RFC 3551 §4.1).
        let marker = self.last_voice.is_none_or(|last| timestamp.wrapping_sub(last) > VOICE_STEP);
        self.last_voice = Some(timestamp);
        let with_copies = self.copies.add(opus, timestamp, &payload, &self.steering);
        let (payload_type, payload) = match (red, with_copies) {
            (Some(red), Some(with_copies)) => (red, with_copies),
            _ => (opus, payload),
        };
        self.counters.voice_out.packet(payload.len());
        self.voice.write(payload_type, timestamp, marker, payload).await
    }

    async fn send_video(&mut self, frame: &EncodedFrame) -> Result<(), ConnectionEnded> {
        let Some(payload_type) = self.payload_types.borrow().video else { return Ok(()) };
        let payloads = self.packetizer.packetize(frame);
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            while let Some(voice) = self.queue.pop_voice() {
                self.send_voice(voice).await?;
            }
            self.counters.video_out.packet(payload.len());
            self.video.write(payload_type, frame.timestamp, index == last, payload).await?;
        }
        self.counters.video_out.frame();
        Ok(())
    }

    async fn send_screen(&mut self, frame: &EncodedFrame) -> Result<(), ConnectionEnded> {
        let Some(payload_type) = self.payload_types.borrow().screen else { return Ok(()) };
        let payloads = self.screen_packetizer.packetize(frame);
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            while let Some(voice) = self.queue.pop_voice() {
                self.send_voice(voice).await?;
            }
            self.counters.screen_out.packet(payload.len());
            self.screen.write(payload_type, frame.timestamp, index == last, payload).await?;
        }
        self.counters.screen_out.frame();
        Ok(())
    }
}

/// Adds to each voice packet as many copies of earlier ones as the path's losses call for.
#[derive(Default)]
struct Copies {
    redundancy: Redundancy,
    looked: Option<Instant>,
    /// With the payload type that it writes.
    writer: Option<(u8, RedWriter)>,
}

impl Copies {
    /// The payload with its copies; none when no copy is called for, or there is no room for it.
    fn add(
        &mut self,
        opus: u8,
        timestamp: u32,
        payload: &Bytes,
        steering: &Steering,
    ) -> Option<Bytes> {
        let now = Instant::now();
        if self.looked.is_none_or(|at| now.saturating_duration_since(at) >= LOSS_INTERVAL) {
            self.looked = Some(now);
            let losses = steering.take_losses();
            self.redundancy.report(now, losses.sent, losses.lost);
        }
        let granted = steering.share().map_or(MAX_COPIES, |share| share.voice_copies.into());
        let copies = self.redundancy.copies().min(granted);
        // It has to know every packet, for the copies are counted back from the one that they are in.
        if self.writer.as_ref().is_none_or(|(payload_type, _)| *payload_type != opus) {
            self.writer = Some((opus, RedWriter::new(opus)));
        }
        let (_, writer) = self.writer.as_mut()?;
        let written = writer.write(timestamp, payload, copies);
        (copies > 0).then_some(written)
    }
}

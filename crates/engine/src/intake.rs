//! What comes from one peer, over however many links one after another.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use quartet_core::{
    EncodedFrame, FreezeMeter, FreezeTotals, PicturePlayout, RtpPacket, VoicePlayout, VoiceStats,
};
use quartet_media::VoiceReceiver;
use quartet_proto::{Epoch, PeerId};
use quartet_rtc::{Link, MediaSink};
use tokio::sync::mpsc;

use crate::{VoiceTap, input::Input, tile::Tile};

/// What comes from one peer: pictures for its tile, voice for the mixer, and the count of both.
#[derive(Debug)]
pub(crate) struct Intake {
    peer: PeerId,
    inputs: mpsc::Sender<Input>,
    pub(crate) tile: Tile,
    /// Of the screen that it shares.
    pub(crate) screen: Tile,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The present link; what an older one still delivers is dropped.
    epoch: Option<Epoch>,
    /// Weak: the link owns its sink, which is this.
    link: Weak<Link>,
    voice: Option<VoiceReceiver>,
    tap: Option<Arc<dyn VoiceTap>>,
    /// How loud it is to be heard, if not as it comes.
    gain: Option<f32>,
    camera: Seen,
    screen: Seen,
    heard: bool,
    seen: bool,
}

/// The pictures of one of its sources.
#[derive(Debug, Default)]
struct Seen {
    meter: FreezeMeter,
    width: u16,
    height: u16,
}

impl Seen {
    fn note(&mut self, frame: &EncodedFrame) {
        self.meter.shown(Instant::now());
        (self.width, self.height) = (frame.width, frame.height);
    }

    fn pause(&mut self) {
        self.meter.pause(Instant::now());
    }

    fn figures(&self) -> PictureFigures {
        let Self { meter, width, height } = self;
        let (width, height) = (*width, *height);
        PictureFigures { width, height, totals: meter.totals(Instant::now()) }
    }
}

/// What was counted of the pictures of one source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PictureFigures {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) totals: FreezeTotals,
}

/// What an [`Intake`] has counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IntakeFigures {
    pub(crate) camera: PictureFigures,
    pub(crate) screen: PictureFigures,
    /// Of the present link's voice.
    pub(crate) voice: VoiceStats,
}

impl Intake {
    pub(crate) fn new(peer: PeerId, inputs: mpsc::Sender<Input>) -> Self {
        let (tile, screen) = (Tile::default(), Tile::default());
        Self { peer, inputs, tile, screen, state: Mutex::default() }
    }

    /// A new link: a new voice stream, and pictures that begin anew.
    pub(crate) fn begin(
        self: &Arc<Self>,
        epoch: Epoch,
        voice: Option<VoiceReceiver>,
    ) -> Arc<LinkIntake> {
        let mut state = self.state.lock();
        if let Some(voice) = &voice {
            voice.set_tap(state.tap.clone().map(boxed));
            voice.set_gain(state.gain.unwrap_or(1.0));
        }
        state.epoch = Some(epoch);
        state.link = Weak::new();
        state.voice = voice;
        state.camera.pause();
        state.screen.pause();
        drop(state);
        self.tile.refresh();
        self.screen.refresh();
        Arc::new(LinkIntake { intake: Arc::clone(self), epoch })
    }

    /// The link of `epoch` can be asked for key frames from now on.
    pub(crate) fn opened(&self, epoch: Epoch, link: &Arc<Link>) {
        let mut state = self.state.lock();
        if state.epoch == Some(epoch) {
            state.link = Arc::downgrade(link);
        }
    }

    /// The link is gone; what it still delivers is dropped.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.epoch = None;
        state.link = Weak::new();
        state.voice = None;
        state.camera.pause();
        state.screen.pause();
    }

    /// The peer sends no pictures for now, by its own choice.
    pub(crate) fn pause_pictures(&self) {
        let mut state = self.state.lock();
        state.camera.pause();
        // Nothing is there that the voice would have to wait for.
        if let Some(voice) = &state.voice {
            voice.set_minimum_delay(Duration::ZERO);
        }
    }

    /// The peer shares nothing any more.
    pub(crate) fn pause_screen(&self) {
        self.state.lock().screen.pause();
        // The next screen is another one.
        self.screen.refresh();
    }

    pub(crate) fn tap(&self, tap: Arc<dyn VoiceTap>) {
        let mut state = self.state.lock();
        if let Some(voice) = &state.voice {
            voice.set_tap(Some(boxed(Arc::clone(&tap))));
        }
        state.tap = Some(tap);
    }

    /// From now on, over all links.
    pub(crate) fn set_gain(&self, gain: f32) {
        let mut state = self.state.lock();
        if let Some(voice) = &state.voice {
            voice.set_gain(gain);
        }
        state.gain = Some(gain);
    }

    pub(crate) fn request_key_frame(&self) {
        let link = self.state.lock().link.upgrade();
        if let Some(link) = link {
            link.request_key_frame();
        }
    }

    pub(crate) fn request_screen_key_frame(&self) {
        let link = self.state.lock().link.upgrade();
        if let Some(link) = link {
            link.request_screen_key_frame();
        }
    }

    /// Loudness of the voice, 0..=1.
    pub(crate) fn level(&self) -> f32 {
        self.state.lock().voice.as_ref().map_or(0.0, VoiceReceiver::level)
    }

    pub(crate) fn figures(&self) -> IntakeFigures {
        let state = self.state.lock();
        IntakeFigures {
            camera: state.camera.figures(),
            screen: state.screen.figures(),
            voice: state.voice.as_ref().map(VoiceReceiver::stats).unwrap_or_default(),
        }
    }
}

/// The end of one link in an [`Intake`].
#[derive(Debug)]
pub(crate) struct LinkIntake {
    intake: Arc<Intake>,
    epoch: Epoch,
}

impl MediaSink for LinkIntake {
    fn voice(&self, packet: RtpPacket) {
        let Intake { peer, inputs, state, .. } = &*self.intake;
        let mut state = state.lock();
        if state.epoch != Some(self.epoch) {
            return;
        }
        if let Some(voice) = &state.voice {
            voice.push(packet);
            // Sent again with the next packet when the actor has no room for it now.
            state.heard = state.heard || inputs.try_send(Input::FirstAudio(*peer)).is_ok();
        }
    }

    fn picture(&self, frame: EncodedFrame) {
        let Intake { peer, inputs, tile, state, .. } = &*self.intake;
        let mut state = state.lock();
        if state.epoch != Some(self.epoch) {
            return;
        }
        state.camera.note(&frame);
        state.seen = state.seen || inputs.try_send(Input::FirstVideo(*peer)).is_ok();
        drop(state);
        if tile.show(&frame) {
            self.intake.request_key_frame();
        }
    }

    fn screen(&self, frame: EncodedFrame) {
        let mut state = self.intake.state.lock();
        if state.epoch != Some(self.epoch) {
            return;
        }
        state.screen.note(&frame);
        drop(state);
        if self.intake.screen.show(&frame) {
            self.intake.request_screen_key_frame();
        }
    }

    fn voice_playout(&self) -> Option<VoicePlayout> {
        let state = self.intake.state.lock();
        state.voice.as_ref().filter(|_| state.epoch == Some(self.epoch))?.playout()
    }

    fn pictures_behind_voice(&self, micros: i64) {
        let state = self.intake.state.lock();
        if let Some(voice) = state.voice.as_ref().filter(|_| state.epoch == Some(self.epoch)) {
            let delay = PicturePlayout::voice_delay(voice.stats().delay, micros);
            voice.set_minimum_delay(delay);
        }
    }
}

fn boxed(tap: Arc<dyn VoiceTap>) -> quartet_media::VoiceTap {
    Box::new(move |frame| tap.voice(frame))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::TileSink;

    #[derive(Debug, Default)]
    struct Sink(AtomicUsize);

    impl TileSink for Sink {
        fn picture(&self, _frame: &EncodedFrame) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            true
        }
    }

    #[test]
    fn a_link_that_is_closed_delivers_nothing_more() {
        let (inputs, _actor) = mpsc::channel(8);
        let intake = Arc::new(Intake::new(PeerId::from_u64(1), inputs));
        let sink = Arc::new(Sink::default());
        intake.tile.attach(Arc::clone(&sink) as _);
        let picture = |link: &LinkIntake| {
            let data = bytes::Bytes::new();
            link.picture(EncodedFrame {
                data,
                key: true,
                width: 2,
                height: 2,
                timestamp: 0,
                temporal: 0,
            });
        };
        let shown = || (sink.0.load(Ordering::Relaxed), intake.figures().camera.totals.frames);

        let first = intake.begin(1, None);
        picture(&first);
        assert_eq!(shown(), (1, 1));
        intake.end();
        picture(&first);
        assert_eq!(shown(), (1, 1), "else the time without a link would count as a freeze");
        let second = intake.begin(2, None);
        picture(&first);
        picture(&second);
        assert_eq!(shown(), (2, 2));
    }
}

//! The own side: which devices run.
//!
//! Each change only says what is wanted; `settle_sources` then starts what is missing and stops
//! what is too much. Stopping joins threads and is done on a thread for blocking work.

use std::{fmt, sync::Arc, time::Instant};

use parking_lot::Mutex;
use quartet_core::{Rung, session::Input as SessionInput};
use quartet_media::{
    AudioInput, AudioOutput, DeviceError, Ended, ScreenCallbacks, ScreenPipeline, Speaker,
    VideoCallbacks, VideoInput, VideoPipeline, VideoStats, VoiceCallbacks, VoiceClock, VoiceSender,
};
use quartet_proto::{MediaState, PeerId};
use tokio::sync::mpsc;

use super::Actor;
use crate::{
    CaptureTap, Event, Selected, Share, SourceKind,
    device::Device,
    input::{DeviceNews, Generation, Input},
    tasks::TaskId,
};

/// The devices of the own side and what is wanted of them.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) selected: Selected,
    pub(super) camera_off: bool,
    muted: bool,
    processing: bool,
    camera: Device<Arc<dyn VideoInput>, VideoPipeline>,
    microphone: Device<Arc<dyn AudioInput>, VoiceSender>,
    /// Another microphone is, to the others, the same voice after a pause.
    voice_clock: VoiceClock,
    /// Without an output the voices are still decoded and counted, by the clock.
    speaker: Device<Option<Arc<dyn AudioOutput>>, Speaker>,
    /// What is shared beside the camera.
    pub(super) shared: Option<Share>,
    screen: Device<Arc<dyn VideoInput>, ScreenPipeline>,
    capture_tap: Arc<Tap>,
}

#[derive(Default)]
struct Tap(Mutex<Option<Arc<dyn CaptureTap>>>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            selected: Selected::default(),
            camera_off: false,
            muted: false,
            processing: true,
            camera: Device::default(),
            microphone: Device::default(),
            voice_clock: VoiceClock::default(),
            speaker: Device::default(),
            shared: None,
            screen: Device::default(),
            capture_tap: Arc::default(),
        }
    }
}

impl Sources {
    pub(super) fn select(&mut self, selected: Selected) {
        self.camera.choose(selected.video.as_ref());
        self.microphone.choose(selected.audio.as_ref());
        self.selected = selected;
    }

    pub(super) fn stopped(&mut self, kind: SourceKind) {
        match kind {
            SourceKind::Camera => self.camera.stopped(),
            SourceKind::Microphone => self.microphone.stopped(),
            SourceKind::Speaker => self.speaker.stopped(),
            SourceKind::Screen => self.screen.stopped(),
        }
    }

    /// It has ended without a word, though nobody stopped it.
    fn silent(&self, kind: SourceKind) -> DeviceError {
        let selected = &self.selected;
        let label = match kind {
            SourceKind::Camera => selected.video.as_ref().map(|it| it.label()),
            SourceKind::Microphone => selected.audio.as_ref().map(|it| it.label()),
            SourceKind::Speaker => selected.speaker.as_ref().map(|it| it.label()),
            SourceKind::Screen => self.shared.as_ref().map(|it| it.input.label()),
        };
        let device = label.unwrap_or_default();
        DeviceError::Failed { device, reason: "it gives nothing any more".to_owned() }
    }

    pub(super) fn tap_capture(&self, tap: Option<Arc<dyn CaptureTap>>) {
        *self.capture_tap.0.lock() = tap;
    }

    pub(super) fn microphone_runs(&self) -> bool {
        self.microphone.running().is_some()
    }

    pub(super) fn own_level(&self) -> f32 {
        self.microphone.running().map_or(0.0, VoiceSender::level)
    }

    pub(super) fn camera(&self) -> Option<&VideoPipeline> {
        self.camera.running()
    }

    pub(super) fn encoder_stats(&self) -> Option<VideoStats> {
        self.camera.running().map(VideoPipeline::stats)
    }

    pub(super) fn screen(&self) -> Option<&ScreenPipeline> {
        self.screen.running()
    }

    /// What the others are told.
    pub(super) fn media(&self) -> MediaState {
        let has_voice = self.selected.audio.as_ref().is_some_and(|it| self.microphone.usable(it));
        let has_picture = self.selected.video.as_ref().is_some_and(|it| self.camera.usable(it));
        MediaState {
            muted: self.muted || !has_voice,
            camera_off: self.camera_off || !has_picture,
            sharing: self.shared.as_ref().map(|it| it.what),
        }
    }
}

impl Actor {
    pub(super) fn mute(&mut self, muted: bool) {
        self.sources.muted = muted;
        if let Some(microphone) = self.sources.microphone.running() {
            microphone.set_muted(muted);
        }
    }

    pub(super) fn process_voice(&mut self, on: bool) {
        self.sources.processing = on;
        if let Some(microphone) = self.sources.microphone.running() {
            microphone.set_processing(on);
        }
    }

    pub(super) fn hear_self(&mut self, on: bool) {
        if on == self.fan_out.own_voice_is_heard() {
            return;
        }
        // No participant has this id in practice, and only the mixer sees it.
        let receiver = on.then(|| self.mixer.add(PeerId::from_u64(0))).transpose();
        let receiver = receiver.unwrap_or_else(|error| {
            tracing::error!(%error, "the own voice cannot be heard");
            None
        });
        self.fan_out.hear_own_voice(receiver);
    }

    /// Everybody who waits for a key frame gets the same one: the pipeline limits their number.
    pub(super) fn make_key_frame(&self, rung: Rung) {
        if let Some(camera) = self.sources.camera.running() {
            camera.request_key_frame(rung);
        }
    }

    /// Another thing is shared from now on, or nothing.
    pub(super) fn share(&mut self, share: Option<Share>) {
        let share = share.filter(|_| self.call.is_some());
        self.sources.screen.choose(share.as_ref().map(|it| &it.input));
        self.sources.shared = share;
    }

    pub(super) fn announce_media(&mut self) {
        let media = self.sources.media();
        if self.call.as_mut().is_some_and(|call| call.announces(media)) {
            self.tell_session(SessionInput::SetMedia(media));
        }
    }

    pub(super) fn settle_sources(&mut self) {
        self.settle_camera();
        self.settle_microphone();
        self.settle_speaker();
        self.settle_screen();
    }

    /// Nothing is wanted any more.
    pub(super) fn close_sources(&mut self) {
        self.sources.selected = Selected::default();
        self.fan_out.own_tile.detach();
        self.hear_self(false);
        self.sources.tap_capture(None);
        self.settle_sources();
    }

    pub(super) fn device_news(
        &mut self,
        kind: SourceKind,
        generation: Generation,
        news: DeviceNews,
    ) {
        match news {
            DeviceNews::Running => {
                let current = match kind {
                    SourceKind::Camera => self.sources.camera.is_current(generation),
                    SourceKind::Microphone => self.sources.microphone.is_current(generation),
                    SourceKind::Speaker => self.sources.speaker.is_current(generation),
                    SourceKind::Screen => self.sources.screen.is_current(generation),
                };
                if current {
                    self.events.send(Event::SourceRunning(kind));
                }
            }
            DeviceNews::Ended(result) => self.device_ended(kind, generation, result),
        }
    }

    fn device_ended(
        &mut self,
        kind: SourceKind,
        generation: Generation,
        result: Result<(), DeviceError>,
    ) {
        let current = match kind {
            SourceKind::Camera => self.sources.camera.fail(generation),
            SourceKind::Microphone => self.sources.microphone.fail(generation),
            // It plays to nobody from now on, by the clock, until another one is chosen.
            SourceKind::Speaker => self.sources.speaker.is_current(generation),
            SourceKind::Screen => self.sources.screen.fail(generation),
        };
        if current {
            let error = result.err().unwrap_or_else(|| self.sources.silent(kind));
            if kind == SourceKind::Screen {
                self.sources.shared = None;
            }
            tracing::warn!(?kind, %error, "a device does not work");
            self.events.send(Event::SourceFailed(kind, error));
        }
    }

    /// Open while somebody can see it: in a call with others, on the own screen, in a recording.
    fn settle_camera(&mut self) {
        let sources = &mut self.sources;
        let needed = self.fan_out.own_tile.is_attached()
            || sources.capture_tap.0.lock().is_some()
            || self.call.as_ref().is_some_and(|call| call.has_peers());
        let wanted = sources
            .selected
            .video
            .clone()
            .filter(|it| needed && !sources.camera_off && sources.camera.usable(it));
        if let Some(camera) = sources.camera.surplus(wanted.as_ref()) {
            self.tasks.spawn_blocking(TaskId::Stop(SourceKind::Camera), move || camera.stop());
        }
        if let Some(input) = sources.camera.startable(wanted) {
            let generation = self.next_generation();
            let callbacks = self.video_callbacks(generation);
            let camera = VideoPipeline::start(Arc::clone(&input), callbacks);
            self.encoding.update(Instant::now(), None, &[]);
            self.sources.camera.started(input, camera, generation);
        }
    }

    fn video_callbacks(&self, generation: Generation) -> VideoCallbacks {
        let fan_out = Arc::clone(&self.fan_out);
        let inputs = self.inputs.clone();
        let tap = Arc::clone(&self.sources.capture_tap);
        let mut running = Announcement::new(SourceKind::Camera, generation, self.inputs.clone());
        VideoCallbacks {
            encoded: Box::new(move |rung, frame| {
                // Full is fine: it is asked for again.
                let ask = |rung| drop(inputs.try_send(Input::KeyFrameWanted(rung)));
                fan_out.picture(rung, &frame, ask);
            }),
            captured: Box::new(move |frame| {
                running.make();
                let tap = tap.0.lock().clone();
                if let Some(tap) = tap {
                    tap.captured(frame);
                }
            }),
            ended: ended(SourceKind::Camera, generation, self.inputs.clone()),
        }
    }

    /// Open whenever one is chosen, muted or not: its level is shown, and unmuting takes no time.
    fn settle_microphone(&mut self) {
        let sources = &mut self.sources;
        let wanted = sources.selected.audio.clone().filter(|it| sources.microphone.usable(it));
        if let Some(microphone) = sources.microphone.surplus(wanted.as_ref()) {
            let stop = move || microphone.stop();
            self.tasks.spawn_blocking(TaskId::Stop(SourceKind::Microphone), stop);
        }
        if let Some(input) = sources.microphone.startable(wanted) {
            let generation = self.next_generation();
            let fan_out = Arc::clone(&self.fan_out);
            let mut running =
                Announcement::new(SourceKind::Microphone, generation, self.inputs.clone());
            let callbacks = VoiceCallbacks {
                packet: Box::new(move |timestamp, payload| {
                    running.make();
                    fan_out.voice(timestamp, &payload);
                }),
                ended: ended(SourceKind::Microphone, generation, self.inputs.clone()),
            };
            let reference = self.mixer.reference();
            let muted = self.sources.muted;
            let clock = &self.sources.voice_clock;
            let microphone =
                VoiceSender::start(clock, Arc::clone(&input), reference, muted, callbacks);
            microphone.set_processing(self.sources.processing);
            self.sources.microphone.started(input, microphone, generation);
        }
    }

    /// Runs in a call, because it sets the pace at which voices are decoded, and while the person
    /// listens to themselves.
    fn settle_speaker(&mut self) {
        let needed = self.call.is_some() || self.fan_out.own_voice_is_heard();
        let wanted = needed.then(|| self.sources.selected.speaker.clone());
        if let Some(speaker) = self.sources.speaker.surplus(wanted.as_ref()) {
            self.tasks.spawn_blocking(TaskId::Stop(SourceKind::Speaker), move || speaker.stop());
        }
        if let Some(output) = self.sources.speaker.startable(wanted) {
            let generation = self.next_generation();
            let ended = ended(SourceKind::Speaker, generation, self.inputs.clone());
            let speaker = Speaker::start(output.clone(), self.mixer.clone(), ended);
            if output.is_some() {
                self.events.send(Event::SourceRunning(SourceKind::Speaker));
            }
            self.sources.speaker.started(output, speaker, generation);
        }
    }
}

impl Actor {
    /// Open while something is shared, in a call; nobody else's to keep for the next one.
    fn settle_screen(&mut self) {
        if self.call.is_none() {
            self.sources.shared = None;
        }
        let sources = &mut self.sources;
        let wanted = sources.shared.as_ref().map(|it| Arc::clone(&it.input));
        if let Some(screen) = sources.screen.surplus(wanted.as_ref()) {
            self.tasks.spawn_blocking(TaskId::Stop(SourceKind::Screen), move || screen.stop());
        }
        if let Some(input) = sources.screen.startable(wanted) {
            let generation = self.next_generation();
            let fan_out = Arc::clone(&self.fan_out);
            let mut running =
                Announcement::new(SourceKind::Screen, generation, self.inputs.clone());
            let callbacks = ScreenCallbacks {
                encoded: Box::new(move |frame| fan_out.screen(&frame)),
                captured: Box::new(move |_| running.make()),
                ended: ended(SourceKind::Screen, generation, self.inputs.clone()),
            };
            let screen = ScreenPipeline::start(Arc::clone(&input), callbacks);
            self.sources.screen.started(input, screen, generation);
        }
    }
}

/// Says once that a device gives something.
struct Announcement {
    kind: SourceKind,
    generation: Generation,
    inputs: mpsc::Sender<Input>,
    made: bool,
}

impl Announcement {
    fn new(kind: SourceKind, generation: Generation, inputs: mpsc::Sender<Input>) -> Self {
        Self { kind, generation, inputs, made: false }
    }

    fn make(&mut self) {
        // Made with the next picture when the actor has no room for it now.
        self.made = self.made
            || self
                .inputs
                .try_send(Input::Device(self.kind, self.generation, DeviceNews::Running))
                .is_ok();
    }
}

/// What a device's thread calls at its end.
fn ended(kind: SourceKind, generation: Generation, inputs: mpsc::Sender<Input>) -> Ended {
    Box::new(move |result| {
        let news = Input::Device(kind, generation, DeviceNews::Ended(result));
        if let Err(mpsc::error::TrySendError::Full(_)) = inputs.try_send(news) {
            tracing::error!(?kind, "the engine does not keep up: it misses the end of a device");
        }
    })
}

//! The thread that owns a cpal stream.
//!
//! Everything that may block inside the sound system happens here: finding the device, opening it,
//! asking which one is the default, closing. `run` gets the other end of the ring and watches.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, SyncSender, TryRecvError},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use cpal::{
    BufferSize, Data, ErrorKind, SampleFormat, StreamConfig, SupportedBufferSize,
    traits::{DeviceTrait, StreamTrait},
};
use quartet_media::{DeviceError, Stop};

use super::{Direction, explain, find, host_of, is_pulse, label};
use crate::worker::Worker;

/// The real-time callback comes every 10 ms; a device that does not call for so long is gone.
const SILENCE: Duration = Duration::from_secs(2);

/// Bluetooth headsets take 2–3 s to change into the mode that has a microphone.
const OPENING: Duration = Duration::from_secs(6);

/// How long the system may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// How often it is asked whether the device is still the one to use.
const FOLLOWING: Duration = Duration::from_secs(2);

/// How often the thread looks for the end and for errors.
const TICK: Duration = Duration::from_millis(50);

/// `run` sleeps so long when no callback wakes it: how late it notices the stop.
pub(super) const NAP: Duration = Duration::from_millis(10);

/// What callbacks count; read once in a while, so that nothing is logged from them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) callbacks: AtomicU64,
    /// Samples for which the ring had no room (input), or that it did not have (output).
    pub(super) lost: AtomicU64,
    /// The largest piece that a callback had or wanted, in samples.
    pub(super) largest: AtomicUsize,
    /// Over- and underruns that the system reported.
    pub(super) system: AtomicU64,
}

/// A stream that runs; `E` is our end of its ring.
pub(super) struct Opened<E> {
    pub(super) label: String,
    /// Samples a second.
    pub(super) rate: u32,
    pub(super) end: E,
}

impl<E> fmt::Debug for Opened<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({}, {} Hz)", self.label, self.rate)
    }
}

/// What the callback does with a piece of sound.
pub(super) enum Callback {
    Input(Box<dyn FnMut(&Data) + Send>),
    Output(Box<dyn FnMut(&mut Data) + Send>),
}

/// Makes a callback for a stream of this rate and number of channels, with our end of its ring.
pub(super) type MakeCallback<E> = fn(u32, usize, &Arc<Counters>, Thread) -> (Callback, E);

/// Runs a stream until `stop` or an error. `open` is called with each stream that begins, of which
/// there are several when the default device changes; `work` whenever something may be to do.
pub(super) fn run<E: Send + 'static>(
    direction: Direction,
    wanted: Option<&str>,
    stop: &Stop,
    make: MakeCallback<E>,
    mut open: impl FnMut(Opened<E>) -> Result<(), DeviceError>,
    mut work: impl FnMut(&Counters),
) -> Result<(), DeviceError> {
    let mut known = wanted.map_or_else(
        || match direction {
            Direction::Input => "the microphone".to_owned(),
            Direction::Output => "the speaker".to_owned(),
        },
        str::to_owned,
    );
    let failed = |device: &str, reason: &str| DeviceError::Failed {
        device: device.to_owned(),
        reason: reason.to_owned(),
    };
    let counters = Arc::new(Counters::default());
    // Two: a stream that replaces another may be followed by its error.
    let (tell, told) = mpsc::sync_channel(2);
    let worker = Worker::spawn("sound-device", {
        let (wanted, counters) = (wanted.map(str::to_owned), Arc::clone(&counters));
        let runner = thread::current();
        move |closing| {
            let owner = Owner { direction, wanted, make, counters, runner, closing };
            if let Err(error) = owner.run(&tell) {
                let _ = tell.send(Err(error));
            }
        }
    })
    .map_err(|error| failed(&known, &error.to_string()))?;

    let (mut opened, mut flows) = (false, false);
    let mut last = (0, Instant::now());
    let outcome = loop {
        if stop.is_stopped() {
            break Ok(());
        }
        match told.try_recv() {
            Ok(Ok(stream)) => {
                known.clone_from(&stream.label);
                (opened, flows) = (true, false);
                last.1 = Instant::now();
                if let Err(error) = open(stream) {
                    break Err(error);
                }
            }
            Ok(Err(error)) => break Err(error),
            Err(TryRecvError::Disconnected) => {
                break Err(failed(&known, "the sound library crashed"));
            }
            Err(TryRecvError::Empty) => {}
        }
        if opened {
            work(&counters);
        }
        let callbacks = counters.callbacks.load(Ordering::Relaxed);
        if callbacks != last.0 {
            last = (callbacks, Instant::now());
            flows = opened;
        // Opened is not yet begun: a sound server may have seconds of older sound to play first.
        } else if last.1.elapsed() > if flows { SILENCE } else { OPENING } {
            let reason = if flows { "it has stopped by itself" } else { "it does not begin" };
            break Err(failed(&known, reason));
        }
        thread::park_timeout(NAP);
    };
    worker.close(CLOSING);
    tracing::debug!(device = known, ?counters, ?outcome, "sound device closed");
    outcome
}

/// Lives on the thread of the stream.
struct Owner<'a, E> {
    direction: Direction,
    wanted: Option<String>,
    make: MakeCallback<E>,
    counters: Arc<Counters>,
    runner: Thread,
    closing: &'a Stop,
}

impl<E> Owner<'_, E> {
    /// Keeps a stream open, following the default device unless one was chosen.
    fn run(&self, tell: &SyncSender<Result<Opened<E>, DeviceError>>) -> Result<(), DeviceError> {
        let mut given_up = None;
        let host = host_of(self.wanted.as_deref())?;
        loop {
            let device = find(&host, self.direction, self.wanted.as_deref())?;
            let id = device.id().ok();
            if let Some((broken, error)) = given_up.take()
                && id == broken
            {
                return Err(error);
            }
            let label = label(&device);
            let (errors, broken) = mpsc::sync_channel(8);
            let (stream, opened) = self.open(&device, &label, errors)?;
            if tell.send(Ok(opened)).is_err() {
                return Ok(());
            }
            self.runner.unpark();
            let end = self.keep(&host, &label, id.as_ref(), &broken);
            drop(stream);
            match end {
                End::Closed => return Ok(()),
                End::Moved => tracing::info!(from = label, "the default sound device has changed"),
                // Unplugged: the system may have another one already.
                End::Broken(error) if self.wanted.is_none() => given_up = Some((id, error)),
                End::Broken(error) => return Err(error),
            }
        }
    }

    fn keep(
        &self,
        host: &cpal::Host,
        label: &str,
        id: Option<&cpal::DeviceId>,
        broken: &mpsc::Receiver<cpal::Error>,
    ) -> End {
        let mut asked = Instant::now();
        loop {
            if self.closing.wait(TICK) {
                return End::Closed;
            }
            while let Ok(error) = broken.try_recv() {
                match error.kind() {
                    // Followed by the system, or only a hint.
                    ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
                        tracing::debug!(label, %error, "sound");
                    }
                    _ => return End::Broken(explain(label, &error)),
                }
            }
            if asked.elapsed() > FOLLOWING {
                asked = Instant::now();
                match self.better(host) {
                    Ok(Some(better)) if Some(&better) != id => return End::Moved,
                    Ok(_) => {}
                    Err(error) => return End::Broken(error),
                }
            }
        }
    }

    /// The device that should be in use now, where the system does not see to it itself.
    ///
    /// PulseAudio moves a stream whose device is unplugged to any other one, and if that is what
    /// the speakers play: an unplugged microphone must be noticed here.
    fn better(&self, host: &cpal::Host) -> Result<Option<cpal::DeviceId>, DeviceError> {
        if self.wanted.is_some() && !is_pulse(host.id()) {
            return Ok(None);
        }
        Ok(find(host, self.direction, self.wanted.as_deref())?.id().ok())
    }

    fn open(
        &self,
        device: &cpal::Device,
        label: &str,
        errors: SyncSender<cpal::Error>,
    ) -> Result<(cpal::Stream, Opened<E>), DeviceError> {
        let failed = |error: cpal::Error| explain(label, &error);
        let (config, format) = configuration(self.direction, device).map_err(failed)?;
        let begun = self.build(device, config, format, errors.clone()).or_else(|error| {
            // The range is what the driver says, not always what it takes.
            if error.kind() != ErrorKind::UnsupportedConfig {
                return Err(error);
            }
            let config = StreamConfig { buffer_size: BufferSize::Default, ..config };
            self.build(device, config, format, errors)
        });
        let (stream, end) = begun.map_err(failed)?;
        stream.play().map_err(failed)?;
        tracing::info!(label, rate = config.sample_rate, channels = config.channels, %format, "sound device open");
        Ok((stream, Opened { label: label.to_owned(), rate: config.sample_rate, end }))
    }

    fn build(
        &self,
        device: &cpal::Device,
        config: StreamConfig,
        format: SampleFormat,
        errors: SyncSender<cpal::Error>,
    ) -> Result<(cpal::Stream, E), cpal::Error> {
        let counters = Arc::clone(&self.counters);
        let on_error = move |error: cpal::Error| {
            if error.kind() == ErrorKind::Xrun {
                counters.system.fetch_add(1, Ordering::Relaxed);
            } else {
                // Full: the first ones say what is wrong.
                let _ = errors.try_send(error);
            }
        };
        let channels = usize::from(config.channels);
        let (callback, end) =
            (self.make)(config.sample_rate, channels, &self.counters, self.runner.clone());
        let patience = Some(OPENING);
        let stream = match callback {
            Callback::Input(mut take) => device.build_input_stream_raw(
                config,
                format,
                move |data, _| take(data),
                on_error,
                patience,
            ),
            Callback::Output(mut give) => device.build_output_stream_raw(
                config,
                format,
                move |data, _| give(data),
                on_error,
                patience,
            ),
        }?;
        Ok((stream, end))
    }
}

/// Why a stream is to be closed.
enum End {
    Closed,
    Moved,
    Broken(DeviceError),
}

/// The device's own format, at 48 kHz where it can, in pieces of 10 ms where it can.
fn configuration(
    direction: Direction,
    device: &cpal::Device,
) -> Result<(StreamConfig, SampleFormat), cpal::Error> {
    let (own, at_our_rate) = match direction {
        Direction::Input => {
            let own = device.default_input_config()?;
            (
                own,
                device
                    .supported_input_configs()
                    .is_ok_and(|mut all| all.any(|range| suits(&range, &own))),
            )
        }
        Direction::Output => {
            let own = device.default_output_config()?;
            (
                own,
                device
                    .supported_output_configs()
                    .is_ok_and(|mut all| all.any(|range| suits(&range, &own))),
            )
        }
    };
    let rate = if at_our_rate { 48_000 } else { own.sample_rate() };
    let buffer_size = match *own.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => {
            BufferSize::Fixed((rate / 100).clamp(min, max))
        }
        _ => BufferSize::Default,
    };
    let config = StreamConfig { channels: own.channels().max(1), sample_rate: rate, buffer_size };
    Ok((config, own.sample_format()))
}

fn suits(range: &cpal::SupportedStreamConfigRange, own: &cpal::SupportedStreamConfig) -> bool {
    range.channels() == own.channels()
        && range.sample_format() == own.sample_format()
        && (range.min_sample_rate()..=range.max_sample_rate()).contains(&48_000)
}

//! Microphone and speaker against a real sound server without hardware.
//!
//! Which server cpal uses follows from the environment, which a process has only one of: each
//! scenario runs once more in a process of its own ([`in_front_of`]).

#![cfg(target_os = "linux")]
// Clippy knows test functions, not what they share.
#![allow(clippy::unwrap_used)]

use std::{
    env,
    f32::consts::TAU,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use quartet_devices::{Microphone, SpeakerDevice, list};
use quartet_media::{
    AudioInput as _, AudioOutput as _, DeviceError, PcmFrame, Stop, Tone, WavWriter,
    dominant_frequency,
};
use quartet_testkit::sound::SoundServer;

/// Set in the process that does the work, to the folder of the test.
const INSIDE: &str = "QUARTET_TEST_FOLDER";

/// No wait here is longer; hit only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the scenario of this name with only that sound server; its lines that begin with `= `.
fn in_front_of(server: Option<&SoundServer>, scenario: &str, folder: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", scenario, "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("HOME", folder)
        .env_remove("PULSE_RUNTIME_PATH")
        .env_remove("PULSE_SERVER")
        .env_remove("PULSE_COOKIE")
        .stdout(std::process::Stdio::piped());
    if let Some(server) = server {
        command.envs(server.env());
    }
    Child::new(command.spawn().unwrap())
}

struct Child {
    process: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Child {
    fn new(mut process: std::process::Child) -> Self {
        use std::io::{BufRead as _, BufReader};
        let (tell, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, line)) = line.split_once("= ") {
                    let _ = tell.send(line.to_owned());
                }
            }
        });
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the scenario says something")
    }

    fn end(mut self) -> Vec<String> {
        let lines: Vec<_> = std::iter::from_fn(|| self.lines.recv_timeout(PATIENCE).ok()).collect();
        assert!(self.process.wait().unwrap().success(), "the scenario failed: {lines:?}");
        lines
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder, in the process that does the work.
fn inside() -> Option<std::path::PathBuf> {
    env::var_os(INSIDE).map(Into::into)
}

fn tone_file(folder: &Path, hz: f32, seconds: usize) -> std::path::PathBuf {
    let path = folder.join(format!("{hz}.wav"));
    let mut wav = WavWriter::create(&path).unwrap();
    for n in 0..seconds * 100 {
        let frame: PcmFrame =
            std::array::from_fn(|i| (TAU * hz * (n * 480 + i) as f32 / 48_000.0).sin() * 0.5);
        wav.write(&frame);
        // The writer drops what its disk thread has no room for.
        if n % 100 == 99 {
            thread::yield_now();
        }
    }
    wav.finish().unwrap();
    path
}

/// Records the microphone until it has heard a second that is not silent.
fn heard(microphone: &Microphone) -> Result<Vec<f32>, DeviceError> {
    let stop = Stop::default();
    let mut sound = Vec::new();
    let begun = Instant::now();
    microphone.run(
        &mut |frame| {
            // A second to settle: the player may have begun later.
            let loud = frame.iter().any(|sample| sample.abs() > 0.05);
            if loud || !sound.is_empty() {
                sound.extend_from_slice(frame);
            }
            if sound.len() >= 48_000 || begun.elapsed() > PATIENCE {
                stop.stop();
            }
        },
        &stop,
    )?;
    Ok(sound)
}

#[test]
fn a_microphone_hears_the_tone_that_is_played_into_it() {
    if inside().is_some() {
        println!("= ready");
        let sound = heard(&Microphone::new(None)).unwrap();
        println!("= {}", dominant_frequency(&sound));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let wav = tone_file(folder.path(), 440.0, 60);
    let _playing = server.playing_into_mic(&wav).unwrap();
    let scenario = "a_microphone_hears_the_tone_that_is_played_into_it";
    let lines = in_front_of(Some(&server), scenario, folder.path()).end();
    let hz: f32 = lines.last().unwrap().parse().unwrap();
    assert!((hz - 440.0).abs() < 3.0, "heard {hz} Hz");
}

#[test]
fn a_speaker_plays_what_it_is_given() {
    let scenario = "a_speaker_plays_what_it_is_given";
    if inside().is_some() {
        let (tone, stop) = (Tone::new(660.0), Stop::default());
        // The tone paces itself; here only its samples are wanted.
        let (tell, told) = std::sync::mpsc::sync_channel::<PcmFrame>(4);
        let source = thread::spawn({
            let stop = stop.clone();
            // Nobody listens at the end.
            move || tone.run(&mut |frame| _ = tell.send(*frame), &stop)
        });
        let begun = Instant::now();
        let mut pieces = 0;
        let played = SpeakerDevice::new(None).run(
            &mut |frame| {
                *frame = told.recv().unwrap();
                pieces += 1;
                if pieces == 1 {
                    println!("= playing");
                }
                if begun.elapsed() > Duration::from_secs(4) {
                    stop.stop();
                }
            },
            &stop,
        );
        stop.stop();
        drop(told);
        source.join().unwrap().unwrap();
        played.unwrap();
        println!("= {pieces}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let mut child = in_front_of(Some(&server), scenario, folder.path());
    assert_eq!(child.line(), "playing");
    let sound = server.record_speaker(Duration::from_secs(2)).unwrap();
    let hz = dominant_frequency(&sound[sound.len() / 2..]);
    assert!((hz - 660.0).abs() < 3.0, "heard {hz} Hz");
    // Paced by the device: about a hundred pieces a second, not as many as can be computed.
    let pieces: u32 = child.end().last().unwrap().parse().unwrap();
    assert!((200..500).contains(&pieces), "{pieces} pieces of 10 ms in 4 s");
}

#[test]
fn an_unplugged_microphone_is_an_error_in_seconds() {
    let scenario = "an_unplugged_microphone_is_an_error_in_seconds";
    if inside().is_some() {
        unplugged(|count, stop| {
            Microphone::new(Some("pulseaudio:mic"))
                .run(&mut |_| _ = count.fetch_add(1, Ordering::Relaxed), stop)
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let mut child = in_front_of(Some(&server), scenario, folder.path());
    assert_eq!(child.line(), "running");
    server.unplug("mic").unwrap();
    check_unplugged(child);
}

#[test]
fn an_unplugged_speaker_is_an_error_in_seconds() {
    let scenario = "an_unplugged_speaker_is_an_error_in_seconds";
    if inside().is_some() {
        unplugged(|count, stop| {
            SpeakerDevice::new(Some("pulseaudio:spk"))
                .run(&mut |_| _ = count.fetch_add(1, Ordering::Relaxed), stop)
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let mut child = in_front_of(Some(&server), scenario, folder.path());
    assert_eq!(child.line(), "running");
    server.unplug("spk").unwrap();
    check_unplugged(child);
}

/// Says `running` when there is sound, then why it ended.
fn unplugged(run: impl FnOnce(&AtomicU64, &Stop) -> Result<(), DeviceError>) {
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Stop::default());
    let watcher = thread::spawn({
        let (count, stop) = (Arc::clone(&count), stop.clone());
        move || {
            while count.load(Ordering::Relaxed) <= 20 && !stop.wait(Duration::from_millis(5)) {}
            println!("= running");
        }
    });
    let outcome = run(&count, &stop);
    stop.stop();
    watcher.join().unwrap();
    println!("= {}", outcome.unwrap_err());
}

fn check_unplugged(child: Child) {
    let unplugged = Instant::now();
    let lines = child.end();
    let took = unplugged.elapsed();
    eprintln!("given up after {took:?}: {lines:?}");
    assert!(lines.len() == 1 && lines[0].ends_with("is not there (any more)"), "{lines:?}");
    // Looked for every 2 s; the rest is for a busy machine.
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn the_new_default_microphone_takes_over() {
    let scenario = "the_new_default_microphone_takes_over";
    if inside().is_some() {
        let stop = Stop::default();
        let begun = Instant::now();
        let mut second: Vec<f32> = Vec::new();
        let mut told = 0.0;
        Microphone::new(None)
            .run(
                &mut |frame| {
                    second.extend_from_slice(frame);
                    if second.len() >= 48_000 {
                        let hz = dominant_frequency(&second).round();
                        second.clear();
                        if (hz - told).abs() > 3.0 {
                            told = hz;
                            println!("= {hz}");
                        }
                    }
                    if told > 800.0 || begun.elapsed() > PATIENCE {
                        stop.stop();
                    }
                },
                &stop,
            )
            .unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let (low, high) = (tone_file(folder.path(), 440.0, 120), tone_file(folder.path(), 880.0, 120));
    server.pactl(&["load-module", "module-null-sink", "sink_name=other", "channels=2"]).unwrap();
    server
        .pactl(&[
            "load-module",
            "module-remap-source",
            "source_name=headset",
            "master=other.monitor",
            // Another shape than the first: everything is set up anew.
            "rate=44100",
            "channels=2",
        ])
        .unwrap();
    let _first = server.playing_into_mic(&low).unwrap();
    let _second = server.playing_into("other", &high).unwrap();
    let mut child = in_front_of(Some(&server), scenario, folder.path());
    let near = |line: String, hz: f32| (line.parse::<f32>().unwrap() - hz).abs() < 4.0;
    assert!(near(child.line(), 440.0));
    server.pactl(&["set-default-source", "headset"]).unwrap();
    // The second in which it changes may hold both.
    let lines = child.end();
    assert!(near(lines.last().unwrap().clone(), 880.0), "{lines:?}");
}

#[test]
fn nothing_is_left_running() {
    let scenario = "nothing_is_left_running";
    if inside().is_some() {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let round = || {
            let (stop, mut count) = (Stop::default(), 0);
            let heard = Microphone::new(None).run(&mut |_| count += five(count, &stop), &stop);
            heard.unwrap();
            let (stop, mut count) = (Stop::default(), 0);
            let played = SpeakerDevice::new(None).run(&mut |_| count += five(count, &stop), &stop);
            played.unwrap();
            let devices = list();
            assert_eq!((devices.microphones.len(), devices.speakers.len()), (1, 2));
        };
        // The connection to the server stays.
        round();
        let before = threads();
        let begun = Instant::now();
        for _ in 0..20 {
            round();
        }
        eprintln!("20 rounds took {:?}", begun.elapsed());
        // The library's own threads end a moment after the connection is closed.
        let begun = Instant::now();
        while threads() > before && begun.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(10));
        }
        println!("= {before} {}", threads());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let lines = in_front_of(Some(&server), scenario, folder.path()).end();
    let (before, after) = lines[0].split_once(' ').unwrap();
    assert_eq!(before, after, "threads");
}

/// Counts one, and stops at the fifth.
fn five(count: u32, stop: &Stop) -> u32 {
    if count == 4 {
        stop.stop();
    }
    1
}

#[test]
fn lists_name_the_devices_and_the_defaults() {
    let scenario = "lists_name_the_devices_and_the_defaults";
    if inside().is_some() {
        let devices = list();
        for (kind, devices) in [("in", devices.microphones), ("out", devices.speakers)] {
            for device in devices {
                println!("= {kind} {} {}", device.id, device.default);
            }
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let mut lines = in_front_of(Some(&server), scenario, folder.path()).end();
    lines.sort();
    let wanted =
        ["in pulseaudio:mic true", "out pulseaudio:mic_in false", "out pulseaudio:spk true"];
    assert_eq!(lines, wanted, "what the speakers play is not offered as a microphone");
}

#[test]
fn without_a_sound_server_everything_fails_plainly_and_fast() {
    let scenario = "without_a_sound_server_everything_fails_plainly_and_fast";
    if inside().is_some() {
        let begun = Instant::now();
        let devices = list();
        println!("= {} {}", devices.microphones.len(), devices.speakers.len());
        let stop = Stop::default();
        for id in [None, Some("pulseaudio:mic"), Some("nonsense"), Some("")] {
            let error = Microphone::new(id).run(&mut |_| {}, &stop).unwrap_err();
            println!("= {error}");
            let error = SpeakerDevice::new(id).run(&mut |_| {}, &stop).unwrap_err();
            println!("= {error}");
        }
        println!("= {}", begun.elapsed().as_millis());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lines = in_front_of(None, scenario, folder.path()).end();
    eprintln!("{lines:#?}");
    if !Path::new("/dev/snd").exists() {
        assert_eq!(lines[0], "0 0");
    }
    let millis: u64 = lines.last().unwrap().parse().unwrap();
    assert!(millis < 20_000, "{millis} ms for nine refusals");
}

#[test]
fn a_sound_server_that_hangs_is_given_up() {
    let scenario = "a_sound_server_that_hangs_is_given_up";
    if inside().is_some() {
        let begun = Instant::now();
        // What it holds does not matter: ALSA may know of devices.
        let _ = list();
        println!("= {}", begun.elapsed().as_millis());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start().unwrap();
    let _frozen = server.freeze().unwrap();
    let lines = in_front_of(Some(&server), scenario, folder.path()).end();
    let millis: u64 = lines[0].parse().unwrap();
    assert!(millis < 10_000, "{millis} ms");
}

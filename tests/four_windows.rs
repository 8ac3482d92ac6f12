//! Four real app windows in one call, on one link, with pictures that move and voices that are
//! heard, each app with a sound server of its own.
#![cfg(target_os = "linux")]

use std::{path::Path, time::Duration};

use quartet_harness::{AppWindow, AppWindowOptions, Display, Programs, details_of, wait_until};
use quartet_testkit::sound::{RATE, SoundServer};
use serde_json::{Value, json};

const NAMES: [&str; 4] = ["Ada", "Ben", "Chai ชัย", "Dora"];
/// What goes into the first app's microphone.
const TONE_HZ: f32 = 440.0;

#[test]
fn four_windows_see_and_hear_each_other() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1280, 900)?;
    let sounds = NAMES.map(|_| SoundServer::start());
    let sounds = sounds.into_iter().collect::<std::io::Result<Vec<_>>>()?;
    let mut windows = Vec::new();
    for (name, sound) in NAMES.iter().zip(&sounds) {
        windows.push(open(&programs, &display, sound, name)?);
    }

    windows[0].click("new-call")?;
    let link = windows[0].text("room-link")?;
    assert!(link.starts_with("http://127.0.0.1:"), "the app brings its own server");
    windows[0].click("join")?;
    for (number, window) in windows.iter().enumerate().skip(1) {
        window.fill("link-input", &link)?;
        window.click("open-link")?;
        let inside = format!(
            "document.querySelector('[data-testid=roster]')?.textContent.includes({})",
            json!(NAMES[number - 1])
        );
        window.wait_for("the names of those inside", &inside)?;
        window.click("join")?;
    }

    for (window, name) in windows.iter().zip(NAMES) {
        sees_three_moving_pictures(window, name)?;
    }

    windows[1].click("details-toggle")?;
    windows[1].wait_for("figures of three connections", &details_of(3))?;

    let folder = tempfile::tempdir()?;
    let tone = folder.path().join("tone.wav");
    write_tone(&tone)?;
    let _playing = sounds[0].playing_into_mic(&tone)?;
    for (sound, name) in sounds.iter().zip(NAMES).skip(1) {
        hears(sound, TONE_HZ, name)?;
    }

    windows[0].click("mute")?;
    for window in &windows[1..] {
        window.wait_for("the mark of the muted one", &tile("[data-muted=true]", 1))?;
    }
    windows[3].click("leave")?;
    for window in &windows[..3] {
        window.wait_for("two people", &tile("", 2))?;
    }
    for window in windows {
        window.close()?;
    }
    Ok(())
}

fn open(
    programs: &Programs,
    display: &Display,
    sound: &SoundServer,
    name: &str,
) -> anyhow::Result<AppWindow> {
    let settings = json!({
        "name": name, "language": "en", "camera": format!("pattern:{name}"),
        // A steady tone is noise to the noise suppression.
        "process_voice": false,
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        variables: sound.env().map(|(name, value)| (name.to_owned(), value)).to_vec(),
        arguments: Vec::new(),
    };
    AppWindow::open(programs, &options)
}

/// As many tiles of others that match as `count`.
fn tile(filter: &str, count: usize) -> String {
    format!("document.querySelectorAll('[data-testid=tile]{filter}').length === {count}")
}

/// Reads the canvases: each changes, and no two are the same.
fn sees_three_moving_pictures(window: &AppWindow, name: &str) -> anyhow::Result<()> {
    window.wait_for("three connected people", &tile("[data-connection=connected]", 3))?;
    let deadline = Duration::from_secs(30);
    let mut before = Vec::new();
    wait_until(&format!("three moving pictures at {name}"), deadline, || {
        let now = pictures(window)?;
        let alive = now.len() == 3
            && before.len() == 3
            && now.iter().zip(&before).all(|(now, before)| now != before && *now != Value::Null);
        before = now;
        Ok(alive.then_some(()))
    })?;
    assert!(
        before[0] != before[1] && before[1] != before[2] && before[0] != before[2],
        "{name} sees three different pictures"
    );
    Ok(())
}

/// A sum over each remote canvas's pixels; null while a canvas is blank.
fn pictures(window: &AppWindow) -> anyhow::Result<Vec<Value>> {
    let sums = window.eval(
        "return [...document.querySelectorAll('[data-testid=tile] canvas')].map(canvas => {
            const { width, height } = canvas;
            if (!width || !height) return null;
            const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
            let sum = 0, bright = false;
            for (let i = 0; i < pixels.length; i += 4) {
                sum = (sum * 31 + pixels[i] + pixels[i + 1] * 256 + pixels[i + 2]) % 4294967291;
                bright ||= pixels[i] > 40 || pixels[i + 1] > 40 || pixels[i + 2] > 40;
            }
            return bright ? sum : null;
        });",
    )?;
    Ok(sums.as_array().cloned().unwrap_or_default())
}

fn hears(sound: &SoundServer, hz: f32, name: &str) -> anyhow::Result<()> {
    let mut heard = 0.0;
    wait_until(&format!("{hz} Hz at {name} (last: {heard})"), Duration::from_secs(30), || {
        let samples = sound.record_speaker(Duration::from_secs(1))?;
        heard = quartet_media::dominant_frequency(&samples);
        let loud = samples.iter().any(|sample| sample.abs() > 0.02);
        Ok((loud && (heard - hz).abs() < 5.0).then_some(()))
    })
}

/// Two minutes: longer than the test.
fn write_tone(file: &Path) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file, spec)?;
    for sample in 0..120 * RATE {
        let turns = f64::from(sample) * f64::from(TONE_HZ) / f64::from(RATE);
        writer.write_sample(((turns * std::f64::consts::TAU).sin() * 8_000.0) as i16)?;
    }
    Ok(writer.finalize()?)
}

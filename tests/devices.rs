//! A microphone is changed, pulled out and plugged in again during a call in a real app window, and
//! the person hears themselves; with a real sound server.
#![cfg(target_os = "linux")]

use std::time::Duration;

use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, ParticipantOptions, Programs, tone,
    wait_until,
};
use quartet_testkit::sound::SoundServer;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
const BUILT_IN_HZ: u32 = 500;
const HEADSET_HZ: u32 = 900;

#[test]
fn a_microphone_that_goes_is_replaced_and_used_again_when_it_is_back() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 800)?;
    let sound = SoundServer::start()?;
    let folder = tempfile::tempdir()?;
    let tone = |hz| tone::file(folder.path(), hz);
    let _built_in = sound.playing_into("mic_in", &tone(BUILT_IN_HZ)?)?;
    sound.pactl(&["load-module", "module-null-sink", "sink_name=usb_in", "norewinds=1"])?;
    let _headset = sound.playing_into("usb_in", &tone(HEADSET_HZ)?)?;

    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings: json!({
            "name": "Ada", "language": "en", "camera": "none", "process_voice": false,
        }),
        variables: sound.env().map(|(name, value)| (name.to_owned(), value)).to_vec(),
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")?;
    let silent = ParticipantOptions {
        audio: "none".to_owned(),
        ..ParticipantOptions::with_tone("Bo", 0, 300)
    };
    let bo = Participant::join(&programs, &link, &silent)?;
    bo.wait_for("first_audio", 1, PATIENCE)?;

    // Plugged in during the call: it is said, and can be chosen at once.
    plug(&sound)?;
    window.wait_for("the news of the headset", &noted("New microphone: \u{2068}Headset"))?;
    window.press(",")?;
    window.wait_for("the headset in the list", &format!("{HEADSET} !== undefined"))?;
    window.eval(&format!(
        "const select = document.querySelector('[data-testid=device-microphone]');
        select.value = {HEADSET}.value;
        select.dispatchEvent(new Event('change', {{ bubbles: true }}));"
    ))?;
    let running = "document.querySelector('[data-testid=device-microphone][data-state=running]')";
    window.wait_for("the headset at work", running)?;
    window.wait_for(
        "its level",
        "document.querySelector('[data-testid=meter]').dataset.level > 0.3",
    )?;
    window.click("hear-self")?;
    hears(&sound, HEADSET_HZ)?;

    // Pulled out: the other one takes its place, and both ends of it are said.
    sound.unplug("usb")?;
    window.wait_for("the news of its end", &noted("chosen microphone is gone"))?;
    window.wait_for("the hint", "document.querySelector('[data-testid=stand-in-microphone]')")?;
    hears(&sound, BUILT_IN_HZ)?;
    plug(&sound)?;
    window.wait_for("the news of its return", &noted("chosen microphone is used again"))?;
    hears(&sound, HEADSET_HZ)?;

    // Nobody goes on hearing themselves once the settings are closed.
    window.click("close-dialog")?;
    wait_until("silence", PATIENCE, || {
        let samples = sound.record_speaker(Duration::from_millis(300))?;
        Ok(samples.iter().all(|sample| sample.abs() < 0.005).then_some(()))
    })?;
    assert!(bo.events_named("peer_left").is_empty());
    window.close()
}

/// The headset among the choices.
const HEADSET: &str = "[...document.querySelector('[data-testid=device-microphone]').options]
    .find((it) => it.textContent.includes('Headset'))";

fn plug(sound: &SoundServer) -> anyhow::Result<()> {
    sound.pactl(&[
        "load-module",
        "module-remap-source",
        "source_name=usb",
        "master=usb_in.monitor",
        "source_properties=device.description=Headset",
    ])?;
    Ok(())
}

/// A note on the screen, or what screen readers are told, says so.
fn noted(text: &str) -> String {
    format!("document.body.textContent.includes({})", json!(text))
}

/// The strongest of the tones in the speaker is this one.
fn hears(sound: &SoundServer, hz: u32) -> anyhow::Result<()> {
    let hz = hz as f32;
    wait_until(&format!("{hz} Hz in the speaker"), PATIENCE, || {
        let samples = sound.record_speaker(Duration::from_millis(500))?;
        let loud = samples.iter().any(|sample| sample.abs() > 0.02);
        let heard = quartet_media::dominant_frequency(&samples);
        Ok((loud && (heard - hz).abs() < 5.0).then_some(()))
    })
}

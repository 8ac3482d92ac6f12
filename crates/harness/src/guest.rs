//! A guest of a call: a real browser on the page that the server brings, and what it sees and hears.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{Browser, BrowserOptions};

/// Looks at the same place of a video for a while: how many different pictures were seen, and how
/// far the brightest point is from the darkest. Twelve looks, since a picture may be seen twice.
const LOOK: &str = "
    const canvas = document.createElement('canvas');
    canvas.width = 64; canvas.height = 36;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const seen = new Set();
    let [dark, bright] = [255, 0];
    for (let look = 0; look < 12; look += 1) {
        context.drawImage(video, 0, 0, canvas.width, canvas.height);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        seen.add(String(data));
        for (let at = 1; at < data.length; at += 4) {
            dark = Math.min(dark, data[at]); bright = Math.max(bright, data[at]);
        }
        await new Promise((done) => setTimeout(done, 100));
    }
    return { different: seen.size, contrast: bright - dark };";

/// The strongest frequency of a sound, from two thirds of a second of it.
const LISTEN: &str = "
    const context = new AudioContext();
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 32768; analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(sound).connect(analyser);
    const begin = context.currentTime;
    while (context.currentTime < begin + 1) await new Promise((done) => setTimeout(done, 20));
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    let top = 0;
    levels.forEach((level, at) => { if (level > levels[top]) top = at; });
    const found = { hz: top * context.sampleRate / analyser.fftSize, level: levels[top] };
    await context.close();
    return found;";

/// A steady tone is noise to the noise suppression.
const SETTINGS: &str = r#""language": "en", "process_voice": false"#;
/// Of the twelve looks, half have to be different: ten pictures a second are enough for a film.
const LEAST_PICTURES: u64 = 6;
/// A picture of one colour is none, on the scale of 255.
const LEAST_CONTRAST: u64 = 40;
/// How far a frequency found by [`LISTEN`] may be from the truth: two of its steps.
const TUNING_HZ: f64 = 3.0;
/// A tone that is quieter than this is none, in dB.
const SILENCE_DB: f64 = -60.0;

/// A guest in a call, or before or after it.
#[derive(Debug)]
pub struct Guest {
    browser: Browser,
    name: String,
}

impl Guest {
    /// Opens the link as a stranger does: chooses the browser, gives a name, joins.
    pub fn join(options: &BrowserOptions, link: &str, name: &str) -> anyhow::Result<Self> {
        let guest = Self::arrive(options, link, name)?;
        guest.enter()?;
        Ok(guest)
    }

    /// Opens the link as a stranger does, as far as the green room.
    pub fn arrive(options: &BrowserOptions, link: &str, name: &str) -> anyhow::Result<Self> {
        Self::arrive_with(options, link, name, r#""relay_only": false"#)
    }

    /// The same with further settings kept in the browser, as the inside of a JSON object.
    pub fn arrive_with(
        options: &BrowserOptions,
        link: &str,
        name: &str,
        settings: &str,
    ) -> anyhow::Result<Self> {
        let browser = Browser::start(options)?;
        browser.resize(1000, 700)?;
        let (home, _) = link.split_once("/j#").context("a web link")?;
        browser.open(home)?;
        let settings = format!("{{ {SETTINGS}, {settings} }}");
        browser.eval(&format!("localStorage.setItem('quartet.settings', '{settings}');"))?;
        browser.open(link)?;
        // A page that is loaded again is to ask no more.
        browser.click("remember")?;
        browser.click("continue-browser")?;
        Ok(Self { browser, name: name.to_owned() })
    }

    /// From the green room, where the own picture has to be, into the call.
    pub fn enter(&self) -> anyhow::Result<()> {
        self.press_join()?;
        self.is_in_call()
    }

    /// In the green room, where the own picture has to be: gives the name, and joins or knocks.
    pub fn press_join(&self) -> anyhow::Result<()> {
        self.browser.fill("name", &self.name)?;
        self.is_ready()?;
        self.browser.click("join")
    }

    /// Waits for the own picture.
    pub fn is_ready(&self) -> anyhow::Result<()> {
        let own = "document.querySelector('[data-testid=own-tile][data-picture=true]')";
        self.browser.wait_for("the own picture", own)
    }

    /// Waits for the call.
    pub fn is_in_call(&self) -> anyhow::Result<()> {
        self.browser.wait_for("the call", "document.querySelector('[data-testid=leave]')")
    }

    /// The page.
    #[must_use]
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// What the others call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until this person's tile says so: `connection` is `connected`, `muted` is `true`, ….
    pub fn wait_tile(&self, name: &str, mark: &str, value: &str) -> anyhow::Result<()> {
        let marked = format!("{}?.dataset.{mark} === {}", tile(name), json!(value));
        self.browser.wait_for(&format!("{name}: {mark} {value}"), &marked)
    }

    /// Waits until this person is connected, and their picture and voice are there.
    pub fn meets(&self, name: &str) -> anyhow::Result<()> {
        self.wait_tile(name, "connection", "connected")?;
        self.wait_tile(name, "picture", "true")?;
        let voice = format!("{}?.srcObject?.getAudioTracks().length === 1", voice(name));
        self.browser.wait_for(&format!("the voice of {name}"), &voice)
    }

    /// Waits until nobody else is in the call.
    pub fn is_alone(&self) -> anyhow::Result<()> {
        let alone = "document.querySelector('[data-testid=tile]') === null";
        self.browser.wait_for("an empty room", alone)
    }

    /// This person's picture moves, and is a picture.
    pub fn sees(&self, name: &str) -> anyhow::Result<()> {
        let video = format!("const video = {}.querySelector('video');", tile(name));
        let seen = self.browser.eval(&format!("{video} {LOOK}"))?;
        let moves = seen["different"].as_u64() >= Some(LEAST_PICTURES)
            && seen["contrast"].as_u64() >= Some(LEAST_CONTRAST);
        ensure!(moves, "{} sees {name}: {seen}", self.name);
        Ok(())
    }

    /// Waits for the screen that this person shares; it moves, and is a picture.
    pub fn sees_screen(&self, name: &str) -> anyhow::Result<()> {
        let tile = screen_tile(name);
        self.browser.wait_for(
            &format!("the screen of {name}"),
            &format!("{tile}?.dataset.picture === 'true'"),
        )?;
        let video = format!("const video = {tile}.querySelector('video');");
        let seen = self.browser.eval(&format!("{video} {LOOK}"))?;
        let moves = seen["different"].as_u64() >= Some(LEAST_PICTURES)
            && seen["contrast"].as_u64() >= Some(LEAST_CONTRAST);
        ensure!(moves, "{} sees the screen of {name}: {seen}", self.name);
        Ok(())
    }

    /// Waits until this person shares nothing.
    pub fn sees_no_screen(&self, name: &str) -> anyhow::Result<()> {
        let none = format!("!{}", screen_tile(name));
        self.browser.wait_for(&format!("the end of the screen of {name}"), &none)
    }

    /// This person's voice is a tone of so many Hz, and is played.
    pub fn hears(&self, name: &str, hz: u32) -> anyhow::Result<()> {
        let heard = self.listen(name)?;
        let found = heard["hz"].as_f64().context("no frequency")?;
        let is_tone = level(&heard) > SILENCE_DB && (found - f64::from(hz)).abs() <= TUNING_HZ;
        ensure!(is_tone, "{} hears {name}: {heard} instead of {hz} Hz", self.name);
        let element = voice(name);
        let played = format!("return !{element}.paused && !{element}.muted;");
        ensure!(self.browser.eval(&played)? == true, "{}: {name} is not played", self.name);
        Ok(())
    }

    /// This person is silent.
    pub fn hears_nothing_of(&self, name: &str) -> anyhow::Result<()> {
        let heard = self.listen(name)?;
        ensure!(level(&heard) < SILENCE_DB, "{} hears {name}: {heard}", self.name);
        Ok(())
    }

    /// How loud the strongest frequency of this person is that is played, in dB.
    pub fn loudness_of(&self, name: &str) -> anyhow::Result<f64> {
        Ok(level(&self.listen(name)?))
    }

    /// Moves the slider of the first person's volume, in percent.
    pub fn set_volume(&self, percent: &str) -> anyhow::Result<()> {
        self.browser.click("room")?;
        self.browser.wait_for("a slider", "document.querySelector('[data-testid=volume]')")?;
        self.browser.eval(&format!(
            "const slider = document.querySelector('[data-testid=volume]');
            slider.value = {percent};
            slider.dispatchEvent(new Event('input', {{ bubbles: true }}));",
        ))?;
        self.browser.click("close-dialog")
    }

    /// Waits until this person's picture comes in so many lines.
    pub fn wait_lines(&self, name: &str, lines: u32) -> anyhow::Result<()> {
        let is = format!("{}.querySelector('video').videoHeight === {lines}", tile(name));
        self.browser.wait_for(&format!("{name} in {lines} lines"), &is)
    }

    /// Opens the details, and waits until they have figures of so many connections.
    pub fn reads_details_of(&self, people: usize) -> anyhow::Result<()> {
        self.browser.click("details-toggle")?;
        self.browser.wait_for("figures", &details_of(people))?;
        self.browser.click("details-toggle")
    }

    /// Nothing went wrong in the page of which only its console or its policy tell.
    pub fn has_nothing_to_complain_of(&self) -> anyhow::Result<()> {
        let mut complaints = self.browser.violations()?;
        let is_bad = |line: &String| {
            line.starts_with("error") || line.contains("SSL role") || line.contains("Refused")
        };
        complaints.extend(self.browser.console().into_iter().filter(is_bad));
        ensure!(complaints.is_empty(), "{}: {complaints:#?}", self.name);
        Ok(())
    }

    fn listen(&self, name: &str) -> anyhow::Result<Value> {
        let sound = format!("const sound = {}.srcObject;", voice(name));
        self.browser.eval(&format!("{sound} {LISTEN}"))
    }
}

/// Whether the details are open and show the round trip and the picture of so many people.
#[must_use]
pub fn details_of(people: usize) -> String {
    format!(
        "(() => {{
            const shown = [...document.querySelectorAll('[data-testid=connection]')];
            const text = (it) => it.textContent.replace(/[\\u2068\\u2069]/g, '');
            const has = (it) => /\\d ms/.test(text(it)) && /\\d×\\d/.test(text(it));
            return shown.length === {people} && shown.every(has)
                && document.querySelector('[data-testid=findings] li') !== null;
        }})()"
    )
}

/// Digital silence has no level at all, which JSON writes as null.
fn level(heard: &Value) -> f64 {
    heard["level"].as_f64().unwrap_or(f64::NEG_INFINITY)
}

/// The tile of somebody by their name.
fn tile(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=tile]')]
            .find((it) => it.querySelector('.text')?.textContent === {})",
        json!(name)
    )
}

/// The tile of what somebody shares.
fn screen_tile(name: &str) -> String {
    format!(
        "document.querySelector(`[data-testid=screen-tile][data-peer=\"${{{}?.dataset.peer}}\"]`)",
        tile(name)
    )
}

/// The element that plays somebody's voice.
fn voice(name: &str) -> String {
    format!("document.querySelector(`audio[data-peer=\"${{{}?.dataset.peer}}\"]`)", tile(name))
}

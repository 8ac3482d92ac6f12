//! Chromium, started by its driver.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::BrowserOptions;
use crate::{tone, webdriver::WebDriver};

/// Debian's package `chromium`.
pub const PROGRAM: &str = "/usr/bin/chromium";
/// Debian's package `chromium-driver`.
const DRIVER: &str = "chromedriver";
/// For any user, root included, without a screen, with a camera and a microphone of its own making,
/// and with nothing slowed down because nobody looks.
pub const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
];

#[derive(Debug)]
pub(super) struct Chromium {
    address: String,
    driver: WebDriver,
    _sound: TempDir,
}

impl Chromium {
    pub(super) fn start(options: &BrowserOptions) -> anyhow::Result<Self> {
        ensure!(Path::new(PROGRAM).is_file(), "no Chromium: run `cargo xtask setup`");
        let sound = tempfile::tempdir()?;
        let tone = tone::file(sound.path(), options.microphone_hz)?;
        let tone = format!("--use-file-for-fake-audio-capture={}", tone.display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([tone.as_str()]).collect();
        let capabilities = json!({
            "webSocketUrl": true,
            "goog:chromeOptions": { "binary": PROGRAM, "args": flags },
        });
        let mut command = Command::new(DRIVER);
        command.envs(options.variables.iter().map(|(name, value)| (name, value)));
        let (driver, granted) = WebDriver::start(command, &capabilities)?;
        let address = granted["webSocketUrl"].as_str().context("no BiDi")?.to_owned();
        Ok(Self { address, driver, _sound: sound })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What the driver and its browser write goes to our own standard error.
    pub(super) fn complaints(&self) -> String {
        String::new()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The driver is killed next, and would leave its browser running. Where this fails there
        // is no browser any more.
        let _ended = self.driver.end_session();
    }
}

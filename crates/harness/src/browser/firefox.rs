//! Firefox, which is its own driver.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::BrowserOptions;
use crate::{Child, wait_until, webdriver::COMMAND_DEADLINE};

/// Debian's package `firefox-esr`.
const PROGRAM: &str = "firefox-esr";
/// A camera and a microphone of its own making, for every page, without a question; sound without
/// a click; and nothing that a new profile tells its makers or shows its owner.
const PREFERENCES: &[(&str, &str)] = &[
    ("media.navigator.streams.fake", "true"),
    ("media.navigator.permission.disabled", "true"),
    ("media.autoplay.default", "0"),
    ("app.normandy.enabled", "false"),
    ("app.update.disabledForTesting", "true"),
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.safebrowsing.update.enabled", "false"),
    ("browser.search.update", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("dom.min_background_timeout_value", "4"),
    ("extensions.systemAddon.update.enabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("services.settings.server", "\"data:,#no-settings\""),
    ("toolkit.telemetry.enabled", "false"),
];

#[derive(Debug)]
pub(super) struct Firefox {
    address: String,
    // Before its profile.
    _process: Child,
    profile: TempDir,
}

impl Firefox {
    pub(super) fn start(options: &BrowserOptions) -> anyhow::Result<Self> {
        let profile = tempfile::Builder::new().prefix("quartet-firefox-").tempdir()?;
        let tone = ("media.navigator.audio.fake_frequency", options.microphone_hz.to_string());
        let tone = [(tone.0, tone.1.as_str())];
        let preferences: String = PREFERENCES
            .iter()
            .chain(&tone)
            .map(|(name, value)| format!("user_pref(\"{name}\", {value});\n"))
            .collect();
        fs::write(profile.path().join("user.js"), preferences)?;
        let log = fs::File::create(profile.path().join("stderr"))?;
        let mut command = Command::new(PROGRAM);
        command
            .args(["--headless", "--no-remote", "--remote-debugging-port=0", "--profile"])
            .arg(profile.path())
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .envs(options.variables.iter().map(|(name, value)| (name, value)));
        let mut process = Child::start(PROGRAM, &mut command)?;
        // It writes here on which port it listens (Firefox's own, beside the profile's files).
        let file = profile.path().join("WebDriverBiDiServer.json");
        let port = wait_until("Firefox", COMMAND_DEADLINE, || {
            ensure!(process.is_running(), "Firefox has ended");
            let server = fs::read(&file).ok();
            let server = server.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            Ok(server.and_then(|server| server["ws_port"].as_u64()))
        });
        let complaints = || fs::read_to_string(profile.path().join("stderr")).unwrap_or_default();
        let port = port.with_context(complaints)?;
        let address = format!("ws://127.0.0.1:{port}/session");
        Ok(Self { address, _process: process, profile })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn complaints(&self) -> String {
        fs::read_to_string(self.profile.path().join("stderr")).unwrap_or_default()
    }
}

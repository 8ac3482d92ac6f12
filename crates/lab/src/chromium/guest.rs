//! One Chromium page as a participant of a Quartet call: what ours send has to be right for it.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::{
    browser::Browser,
    log::PageLog,
    page::{PageOptions, QuartetCall},
    relay::Relay,
};
use crate::clip;

/// What a busy machine may take to start a browser and its page.
const PATIENCE: Duration = Duration::from_secs(60);
/// What it sends.
const PICTURE: (u16, u16, u32) = (640, 360, 30);
const TONE_HZ: u32 = 900;

/// A running page, ended when dropped.
#[derive(Debug)]
pub struct Guest {
    name: String,
    relay: Relay,
    // Before its files.
    _browser: Browser,
    _folder: TempDir,
}

impl Guest {
    /// Starts a browser and lets its page join when it is ready. The page reports to `listener`;
    /// `command` makes the command that runs a program where the guest is.
    pub fn start(
        name: &str,
        call: QuartetCall,
        listener: TcpListener,
        command: impl FnOnce(&Path) -> Command,
    ) -> anyhow::Result<Self> {
        ensure!(super::is_there(), "Chromium is not installed: run `cargo xtask setup`");
        let folder = tempfile::tempdir()?;
        let relay = Relay::start(listener)?;
        let (width, height, fps) = PICTURE;
        let page = PageOptions {
            relay: format!("ws://{}", relay.address()),
            name: name.to_owned(),
            width,
            height,
            fps,
            quartet: Some(call),
            ..PageOptions::default()
        };
        let address = page.address(folder.path())?;
        let clip = clip::pictures(folder.path(), width, height, fps)?;
        let tone = clip::tone(folder.path(), TONE_HZ)?;
        let browser = Browser::open(name, &address, &clip, &tone, command)?;
        let ready = relay.wait_ready(name, PATIENCE);
        ready.with_context(|| format!("Chromium said: {}", browser.complaints()))?;
        relay.admit(name)?;
        Ok(Self { name: name.to_owned(), relay, _browser: browser, _folder: folder })
    }

    /// Tells the others how large their pictures are shown, in pixels.
    pub fn view(&self, height: u16) -> anyhow::Result<()> {
        self.relay.send(&self.name, &json!({ "type": "view", "height": height }))
    }

    /// What the page reported so far; its peers are called by their ids.
    #[must_use]
    pub fn log(&self) -> PageLog {
        self.relay.page(&self.name)
    }
}

//! A call of Chromium pages, from their start to their figures.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quartet_harness::wait_until;
use tempfile::TempDir;

use super::{
    browser::{Browser, PageOptions, page_address},
    log::{PageLog, PeerLog},
    relay::Relay,
};
use crate::{
    figures::{Captures, PersonFigures, RunFigures, StreamRecord, VoiceSample, Window},
    process_tree::{self, Usage, UsageWatch},
};

/// What a busy machine may take to start a browser and its page.
const PATIENCE: Duration = Duration::from_secs(60);

const VIDEO_IN: (&str, &str) = ("inbound-rtp", "video");
const AUDIO_IN: (&str, &str) = ("inbound-rtp", "audio");

/// What is the same for all pages of a call.
#[derive(Debug, Clone)]
pub struct CallOptions {
    /// For the figures.
    pub scenario: String,
    /// The picture's size and pace; those of the clip.
    pub width: u16,
    /// See `width`.
    pub height: u16,
    /// See `width`.
    pub fps: u32,
    /// bit/s of each stream; 0 leaves it to the browser.
    pub max_bitrate: u32,
    /// The pages show the pictures, as a person would have it; else they are decoded only.
    pub show: bool,
    /// The camera.
    pub clip: PathBuf,
    /// The microphone.
    pub tone: PathBuf,
}

/// A running call of pages; ended when dropped.
#[derive(Debug)]
pub struct Call {
    options: CallOptions,
    people: Vec<Person>,
    relay: Relay,
    relay_seen_as: SocketAddr,
    folder: TempDir,
}

#[derive(Debug)]
struct Person {
    name: String,
    browser: Browser,
}

impl Call {
    /// An empty room whose relay serves `listener`, which the pages reach as `seen_as`.
    pub fn new(
        options: CallOptions,
        listener: TcpListener,
        seen_as: SocketAddr,
    ) -> anyhow::Result<Self> {
        ensure!(super::is_there(), "Chromium is not installed: run `cargo xtask setup`");
        Ok(Self {
            options,
            people: Vec::new(),
            relay: Relay::start(listener)?,
            relay_seen_as: seen_as,
            folder: tempfile::tempdir()?,
        })
    }

    /// Starts a browser that can join at once, and waits for it. `command` makes the command that
    /// runs a program where this participant is.
    pub fn open(
        &mut self,
        name: &str,
        command: impl FnOnce(&Path) -> Command,
    ) -> anyhow::Result<()> {
        let CallOptions { width, height, fps, max_bitrate, show, clip, tone, .. } = &self.options;
        let page = PageOptions {
            relay: format!("ws://{}", self.relay_seen_as),
            name: name.to_owned(),
            width: *width,
            height: *height,
            fps: *fps,
            max_bitrate: *max_bitrate,
            show: *show,
        };
        let address = page_address(self.folder.path(), &page)?;
        let browser = Browser::open(name, &address, clip, tone, command)?;
        let ready = self.relay.wait_ready(name, PATIENCE);
        ready.with_context(|| format!("Chromium said: {}", browser.complaints()))?;
        self.people.push(Person { name: name.to_owned(), browser });
        Ok(())
    }

    /// Lets somebody in who was opened.
    pub fn join(&self, name: &str) -> anyhow::Result<()> {
        self.relay.admit(name)
    }

    /// What one page reported so far.
    #[must_use]
    pub fn page(&self, name: &str) -> PageLog {
        self.relay.page(name)
    }

    /// Waits until everybody has seen a picture of everybody else.
    pub fn wait_until_connected(&self, deadline: Duration) -> anyhow::Result<()> {
        wait_until("a picture of everybody for everybody", deadline, || {
            let sees_all = |to: &Person| {
                let page = self.relay.page(&to.name);
                let others = self.people.iter().filter(|from| from.name != to.name);
                others.clone().all(|from| page.pictures.contains_key(&from.name))
            };
            Ok(self.people.iter().all(sees_all).then_some(()))
        })
    }

    /// Begins to look at what the browsers take.
    pub fn watch_usage(&self) -> std::io::Result<UsageWatch> {
        UsageWatch::start(self.people.iter().map(|person| person.browser.id()).collect())
    }

    /// What a window came to.
    pub fn figures(&self, usage: &Usage, window: Window) -> anyhow::Result<RunFigures> {
        let log = self.relay.log();
        let mut streams = Vec::new();
        for to in &self.people {
            let page = log.get(&to.name).with_context(|| format!("{} said nothing", to.name))?;
            ensure!(page.failures.is_empty(), "in the page of {}: {:?}", to.name, page.failures);
            for from in self.people.iter().filter(|from| from.name != to.name) {
                let own = log.get(&from.name).and_then(|page| page.pictures.get("self"));
                let captured = own.into_iter().flatten();
                let captures = Captures::new(
                    captured.filter_map(|picture| Some((picture.number?, picture.at))),
                );
                streams.push(record(&from.name, &to.name, page).figures(&captures, window));
            }
        }
        let people = self.people.iter().map(|person| PersonFigures {
            name: person.name.clone(),
            cpu_cores: usage.cores(person.browser.id(), window),
            memory_mb: process_tree::memory_mb(person.browser.id()),
            encoder_cores: None,
        });
        Ok(RunFigures {
            program: "chromium".to_owned(),
            scenario: self.options.scenario.clone(),
            window,
            people: people.collect(),
            streams,
            others_cores: usage.others_cores(window),
        })
    }
}

fn record(from: &str, to: &str, page: &PageLog) -> StreamRecord {
    let nothing = PeerLog::default();
    let peer = page.peers.get(from).unwrap_or(&nothing);
    let played = peer.counter(AUDIO_IN, "totalSamplesReceived");
    let concealed = peer.counter(AUDIO_IN, "concealedSamples");
    let voice = played.iter().zip(&concealed);
    StreamRecord {
        from: from.to_owned(),
        to: to.to_owned(),
        joined_at: page.joined_at,
        connected_at: peer.connected_at,
        pictures: page.pictures.get(from).cloned().unwrap_or_default(),
        video_bytes: peer.counter(VIDEO_IN, "bytesReceived"),
        voice: voice
            .map(|(&(at, played), &(_, concealed))| VoiceSample { at, played, concealed })
            .collect(),
    }
}

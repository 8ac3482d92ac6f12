//! A call of Chromium pages, from their start to their figures.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use quartet_testkit::network::Scenario;

use super::{
    browser::Browser,
    log::{PageLog, PeerLog},
    page::{PageIceServer, PageOptions},
    relay::Relay,
};
use crate::{
    clip,
    figures::{Captures, PersonFigures, RunFigures, StreamRecord, VoiceSample, Window, growth},
    network::Network,
    process_tree::{self, UsageWatch},
    run, stop,
};

/// What a busy machine may take to start a browser and its page.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first participant's tone, in Hz, and the distance to the next one's; as ours have it.
const TONE: (u32, u32) = (400, 100);
/// Between two looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The pages report once a second: what they saw last comes by then.
const LAST_REPORT: Duration = Duration::from_millis(1500);

const VIDEO_IN: (&str, &str) = ("inbound-rtp", "video");
const VIDEO_OUT: (&str, &str) = ("outbound-rtp", "video");
const AUDIO_IN: (&str, &str) = ("inbound-rtp", "audio");

/// What the pages do with the others' pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiles {
    /// They show them, as any page of a call does.
    Shown,
    /// They only decode them, as our headless participants do.
    Decoded,
}

/// A running call of pages; everything is ended when dropped.
#[derive(Debug)]
pub struct ChromiumCall {
    scenario: String,
    people: Vec<Person>,
    relay: Relay,
    watch: UsageWatch,
}

#[derive(Debug)]
struct Person {
    name: String,
    browser: Browser,
}

impl ChromiumCall {
    /// Starts the relay, then a browser for everybody, and lets all of them join at once when the
    /// last one is ready. `clips` is where camera and microphone files are kept for other runs.
    pub fn start(
        network: &Network,
        scenario: &Scenario,
        tiles: Tiles,
        clips: &Path,
    ) -> anyhow::Result<Self> {
        ensure!(super::is_there(), "Chromium is not installed: run `cargo xtask setup`");
        let server = network.server();
        let bind = || TcpListener::bind(SocketAddr::from((server.address, 0)));
        let relay = Relay::start(server.within(bind)??)?;
        let picture = scenario.clip;
        let clip = clip::pictures(clips, picture.width, picture.height, picture.fps)?;
        let ice_servers = network.ice_servers().iter().map(|server| PageIceServer {
            urls: server.url.clone(),
            username: server.login.as_ref().map(|(user, _)| user.clone()),
            credential: server.login.as_ref().map(|(_, credential)| credential.clone()),
        });
        let ice_servers: Vec<_> = ice_servers.collect();
        let mut people = Vec::new();
        for (number, host) in (0..).zip(network.hosts()) {
            stop::check()?;
            let page = PageOptions {
                relay: format!("ws://{}", relay.address()),
                name: host.name.clone(),
                width: picture.width,
                height: picture.height,
                fps: picture.fps,
                max_bitrate: scenario.max_kbit_s.unwrap_or_default() * 1000,
                ice_servers: ice_servers.clone(),
                relay_only: scenario.relay_only,
                show: tiles == Tiles::Shown,
                quartet: None,
            };
            let tone = clip::tone(clips, TONE.0 + TONE.1 * number)?;
            let address = page.address(clips)?;
            let browser =
                Browser::open(&host.name, &address, &clip, &tone, |program| host.command(program))?;
            let ready = relay.wait_ready(&host.name, PATIENCE);
            ready.with_context(|| format!("Chromium said: {}", browser.complaints()))?;
            people.push(Person { name: host.name.clone(), browser });
        }
        for person in &people {
            relay.admit(&person.name)?;
        }
        let watch = UsageWatch::start(people.iter().map(|it| it.browser.id()).collect())?;
        Ok(Self { scenario: scenario.name.clone(), people, relay, watch })
    }

    /// What one page reported so far.
    #[must_use]
    pub fn page(&self, name: &str) -> PageLog {
        self.relay.page(name)
    }

    fn others<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a Person> {
        self.people.iter().filter(move |other| other.name != of)
    }

    fn is_connected(&self) -> bool {
        self.people.iter().all(|to| {
            let page = self.relay.page(&to.name);
            let to_peer = |from: &str| page.peers.get(from)?.connected_at;
            self.others(&to.name).all(|from| to_peer(&from.name).is_some())
        })
    }
}

impl run::Call for ChromiumCall {
    fn wait_until_connected(&mut self, deadline: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + deadline;
        loop {
            stop::check()?;
            let connected = self.is_connected();
            if connected || Instant::now() > end {
                return Ok(connected);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn finish(self: Box<Self>, window: Window) -> anyhow::Result<RunFigures> {
        let usage = self.watch.usage();
        std::thread::sleep(LAST_REPORT);
        let log = self.relay.log();
        let mut figures = RunFigures {
            program: "chromium".to_owned(),
            scenario: self.scenario.clone(),
            window,
            people: Vec::new(),
            streams: Vec::new(),
            others_cores: usage.others_cores(window),
        };
        for to in &self.people {
            let page = log.get(&to.name).with_context(|| format!("{} said nothing", to.name))?;
            ensure!(page.failures.is_empty(), "in the page of {}: {:?}", to.name, page.failures);
            for from in self.others(&to.name) {
                let captured = log.get(&from.name).map(|page| page.captured.clone());
                let captures = Captures::new(captured.unwrap_or_default());
                let record = record(&from.name, &to.name, page);
                figures.streams.push(record.figures(&captures, window));
            }
            let id = to.browser.id();
            figures.people.push(PersonFigures {
                name: to.name.clone(),
                cpu_cores: usage.cores(id, window),
                memory_mb: process_tree::memory_mb(id),
                encoder_cores: Some(encoding(page, window)),
                memory: Vec::new(),
            });
        }
        Ok(figures)
    }
}

/// Time in all of a page's encoders, as cores: it says how long each encoder was at work, which is
/// its CPU as long as the machine has some left.
fn encoding(page: &PageLog, window: Window) -> f64 {
    let of = |peer: &PeerLog| growth(&peer.counter(VIDEO_OUT, "totalEncodeTime"), window);
    page.peers.values().map(of).sum::<f64>() / window.seconds()
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
        shown: page.shown(from),
        video_bytes: peer.counter(VIDEO_IN, "bytesReceived"),
        voice: voice
            .map(|(&(at, played), &(_, concealed))| VoiceSample { at, played, concealed })
            .collect(),
    }
}

//! Our own participants: `quartet-cli` in each namespace, `quartet-server` in the server's.

mod record;

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use quartet_harness::{Participant, Programs, SignallingServer};
use quartet_testkit::network::Scenario;
use serde_json::Value;

use crate::{
    clip,
    figures::{RunFigures, Window},
    namespace::Host,
    network::Network,
    process_tree::UsageWatch,
    run::Call,
    stop,
};

/// The server's port in its namespace, where nothing else listens.
const PORT: u16 = 8460;
/// The first participant's tone, in Hz, and the distance to the next one's.
const TONE: (u32, u32) = (400, 100);
/// Between two looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Leaving is a message and what it takes to end.
const LEAVE_DEADLINE: Duration = Duration::from_secs(15);
/// What `--video pattern` draws.
const PATTERN: (u16, u16, u32) = (640, 360, 30);

/// A running call of our participants.
#[derive(Debug)]
pub struct QuartetCall {
    scenario: String,
    people: Vec<Person>,
    watch: UsageWatch,
    _server: SignallingServer,
    /// A clip's numbers come round again after so many.
    numbers: Option<u32>,
}

#[derive(Debug)]
struct Person {
    name: String,
    program: Participant,
    /// Of `--times`.
    folder: PathBuf,
}

impl QuartetCall {
    /// Starts the server and everybody.
    pub fn start(
        network: &Network,
        scenario: &Scenario,
        programs: &Programs,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let host = network.server();
        let mut command = host.command(programs.path("quartet-server")?);
        command.args(["--listen", &format!("{}:{PORT}", host.address)]);
        command.env("RUST_LOG", "warn");
        for server in network.ice_servers().iter().filter(|server| server.login.is_none()) {
            command.args(["--ice-server", &server.url]);
        }
        if let Some((urls, secret)) = network.turn() {
            command.arg("--turn-secret-file").arg(secret);
            for url in urls {
                command.args(["--turn-url", url]);
            }
        }
        let server = SignallingServer::from_command(&mut command)?;
        let link = server.new_link(programs)?;

        let sized = (scenario.clip.width, scenario.clip.height, scenario.clip.fps);
        let (video, numbers) = if sized == PATTERN {
            ("pattern".to_owned(), None)
        } else {
            // Beside the run's own folder: the same clip serves every run.
            let clips = folder.parent().unwrap_or(folder);
            let clip = clip::pictures(clips, sized.0, sized.1, sized.2)?;
            (clip.display().to_string(), Some(clip::CLIP_PICTURES))
        };
        let mut people = Vec::new();
        for (number, host) in (0..).zip(network.hosts()) {
            let times = folder.join(&host.name);
            fs::create_dir_all(&times)?;
            let mut command = join(programs, host, &link, scenario)?;
            command.args(["--video", &video]);
            command.arg("--audio").arg(format!("tone:{}", TONE.0 + TONE.1 * number));
            command.arg("--times").arg(&times);
            people.push(Person {
                name: host.name.clone(),
                program: Participant::from_command(&host.name, &mut command)?,
                folder: times,
            });
        }
        let ids = people.iter_mut().map(|person| person.program.child().id());
        let watch = UsageWatch::start(ids.collect())?;
        Ok(Self { scenario: scenario.name.clone(), people, watch, _server: server, numbers })
    }

    /// By the ids that they have in the room.
    fn names(&self) -> HashMap<String, String> {
        let id = |person: &Person| {
            let joined = person.program.events_named("joined");
            Some((text(joined.last()?, "peer"), person.name.clone()))
        };
        self.people.iter().filter_map(id).collect()
    }
}

fn join(
    programs: &Programs,
    host: &Host,
    link: &str,
    scenario: &Scenario,
) -> anyhow::Result<std::process::Command> {
    let mut command = host.command(programs.path("quartet-cli")?);
    command.args(["join", link, "--name", &host.name, "--stats-every", "1"]);
    if scenario.relay_only {
        command.args(["--ice-policy", "relay"]);
    }
    if let Some(most) = scenario.max_kbit_s {
        command.args(["--max-kbps", &most.to_string()]);
    }
    Ok(command)
}

impl Call for QuartetCall {
    fn wait_until_connected(&mut self, deadline: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + deadline;
        let others = self.people.len() - 1;
        loop {
            stop::check()?;
            let mut all = true;
            for person in &mut self.people {
                let running = person.program.child().is_running();
                ensure!(running, "{} has ended: see what it said", person.name);
                let connected = person.program.events_named("connected");
                let peers: BTreeSet<_> = connected.iter().map(|it| text(it, "peer")).collect();
                all &= peers.len() >= others;
            }
            if all || Instant::now() > end {
                return Ok(all);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn finish(mut self: Box<Self>, window: Window) -> anyhow::Result<RunFigures> {
        let usage = self.watch.usage();
        for person in &mut self.people {
            person.program.child().terminate()?;
        }
        for person in &mut self.people {
            let status = person.program.wait(LEAVE_DEADLINE)?;
            ensure!(status.success(), "{} failed: {status}", person.name);
        }
        let names = self.names();
        let mut figures = RunFigures {
            program: "quartet".to_owned(),
            scenario: self.scenario.clone(),
            window,
            people: Vec::new(),
            streams: Vec::new(),
            others_cores: usage.others_cores(window),
        };
        for to in &mut self.people {
            let pid = to.program.child().id();
            let events = to.program.events();
            let cores = usage.cores(pid, window);
            record::keep(&to.folder.join("events.jsonl"), &events)?;
            figures.people.push(record::person(&to.name, &events, cores, window));
        }
        for to in &self.people {
            let events = to.program.events();
            for from in self.people.iter().filter(|from| from.name != to.name) {
                let captures = record::captures(&from.folder, self.numbers)
                    .with_context(|| format!("what {} captured", from.name))?;
                let ids: Vec<&str> = names
                    .iter()
                    .filter(|(_, name)| **name == from.name)
                    .map(|(id, _)| id.as_str())
                    .collect();
                let record = record::stream((from, to), &ids, &events)?;
                figures.streams.push(record.figures(&captures, window));
            }
        }
        Ok(figures)
    }
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}

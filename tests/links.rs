//! Links that come from outside the app: what is in them decides where the person stands, and
//! nothing else.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quartet_harness::{
    AppWindow, AppWindowOptions, Child, Display, Participant, ParticipantOptions, Programs,
    SignallingServer, wait_until,
};
use quartet_proto::JoinLink;
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(30);
/// Any complete secret.
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const NOTICES: &str = "document.querySelectorAll('[data-testid=notice]')";

#[test]
fn links_from_outside_lead_to_the_green_room_and_never_out_of_a_call() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let server = SignallingServer::start(&programs, 0)?;
    let (here, elsewhere) = (server.new_link(&programs)?, server.new_link(&programs)?);
    let inside = ParticipantOptions::with_tone("Inside", 440, 120);
    let inside = Participant::join(&programs, &here, &inside)?;
    inside.wait_for("joined", 1, DEADLINE)?;

    let desk = Desk::start(&programs)?;
    let window = desk.open(&[&app_link(&here)?])?;
    let app = Start { desk: &desk, window: &window };

    // A link leads to the green room, where the camera stays off whatever the settings say.
    app.is_in_front_of(&here)?;
    window.wait_for("the name of the one inside", &roster("Inside"))?;
    window.wait_for(
        "a camera that is off",
        "document.querySelector('[data-testid=camera][aria-pressed=true]')",
    )?;
    is_registered(&desk, &window)?;

    // A stranger's text changes nothing, and is answered in plain words.
    for hostile in hostile_links(&here) {
        app.again(&["--flag", &hostile])?;
        app.is_told("invalid_link")
            .with_context(|| hostile.chars().take(80).collect::<String>())?;
        app.is_in_front_of(&here)?;
    }
    app.again(&["--flag"])?;
    app.again(&[])?;

    // Another link leads to another room, and back.
    app.again(&[&elsewhere])?;
    app.is_in_front_of(&elsewhere)?;
    ensure!(window.eval(&format!("return {NOTICES}.length;"))? == 0, "no notice without a reason");
    app.again(&[&app_link(&here)?])?;
    app.is_in_front_of(&here)?;

    // Only the person ends a call.
    window.click("join")?;
    let call = "document.querySelector('[data-testid=tile][data-connection=connected]')";
    window.wait_for("the call", call)?;
    app.again(&[&app_link(&elsewhere)?])?;
    app.is_told("already_in_call")?;
    window.wait_for("the call that goes on", call)?;
    ensure!(inside.events_named("peer_left").is_empty(), "the call went on all the time");
    window.close()
}

/// A display and a session bus, by which a second start finds the first.
struct Desk {
    programs: Programs,
    display: Display,
    bus: String,
    _daemon: Child,
}

impl Desk {
    fn start(programs: &Programs) -> anyhow::Result<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=1"]).stdout(Stdio::piped());
        let mut daemon = Child::start("dbus-daemon", &mut command)?;
        let mut bus = String::new();
        BufReader::new(daemon.take_stdout()?).read_line(&mut bus)?;
        let display = Display::start(1000, 700)?;
        Ok(Self {
            programs: programs.clone(),
            display,
            bus: bus.trim().to_owned(),
            _daemon: daemon,
        })
    }

    fn open(&self, arguments: &[&str]) -> anyhow::Result<AppWindow> {
        let options = AppWindowOptions {
            display: self.display.name().to_owned(),
            settings: json!({
                "name": "Ada", "language": "en", "camera": "pattern", "microphone": "none",
                "speaker": "none", "start_camera_off": false,
            }),
            variables: self.variables(),
            arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
        };
        AppWindow::open(&self.programs, &options)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let bus = ("DBUS_SESSION_BUS_ADDRESS".to_owned(), self.bus.clone());
        vec![bus, ("QUARTET_MANY_INSTANCES".to_owned(), String::new())]
    }
}

/// The running app, as somebody outside sees it.
struct Start<'a> {
    desk: &'a Desk,
    window: &'a AppWindow,
}

impl Start<'_> {
    /// Starts the app a second time, which ends once the first has taken what it was given.
    fn again(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(self.desk.programs.path("quartet")?);
        command
            .args(arguments)
            .env("DISPLAY", self.desk.display.name())
            .env("GDK_BACKEND", "x11")
            .env("NO_AT_BRIDGE", "1")
            .envs(self.desk.variables());
        let status = Child::start("the second start", &mut command)?.wait(DEADLINE)?;
        ensure!(status.success(), "the second start ended with {status}");
        Ok(())
    }

    fn is_in_front_of(&self, link: &str) -> anyhow::Result<()> {
        let shown = format!(
            "document.querySelector('[data-testid=room-link]')?.textContent.trim() === {}
            && document.querySelector('[data-testid=join]') !== null",
            json!(link)
        );
        self.window.wait_for("the green room of the link", &shown)
    }

    /// Waits for a notice and dismisses it.
    fn is_told(&self, code: &str) -> anyhow::Result<()> {
        let told = format!("document.querySelector('[data-testid=notice][data-code={code}]')");
        self.window.wait_for("a notice", &told)?;
        self.window
            .eval(&format!("{NOTICES}.forEach(it => it.querySelector('button').click());"))?;
        self.window.wait_for("no notice", &format!("{NOTICES}.length === 0"))
    }
}

fn app_link(link: &str) -> anyhow::Result<String> {
    Ok(JoinLink::parse(link)?.to_app_url())
}

fn roster(name: &str) -> String {
    format!("document.querySelector('[data-testid=roster]')?.textContent.includes({})", json!(name))
}

fn hostile_links(good: &str) -> Vec<String> {
    vec![
        "javascript:alert(1)".to_owned(),
        format!("file:///etc/passwd#{SECRET}"),
        format!("ftp://127.0.0.1/j#{SECRET}"),
        format!("quartet://join?server=javascript:alert(1)#{SECRET}"),
        format!("quartet://join?server=http://a:b@127.0.0.1#{SECRET}"),
        format!("quartet://leave?server=http://127.0.0.1#{SECRET}"),
        format!("http://user:password@127.0.0.1/j#{SECRET}"),
        format!("http://127.0.0.1/j?next=/#{SECRET}"),
        format!("{good}!"),
        good[..good.len() - 1].to_owned(),
        format!("{good}{}", "A".repeat(100_000)),
        "quartet://join?server=http://127.0.0.1\u{7}\u{1b}[2J#\u{202e}".to_owned(),
        String::new(),
    ]
}

/// The system opens `quartet:` links with the app: its desktop file is there, names it without
/// quotes, which a generic `xdg-open` could not read, and is the scheme's own.
fn is_registered(desk: &Desk, window: &AppWindow) -> anyhow::Result<()> {
    let handler = wait_until("the handler of the scheme", DEADLINE, || {
        let output = Command::new("xdg-mime")
            .args(["query", "default", "x-scheme-handler/quartet"])
            .env("XDG_CONFIG_HOME", window.home().join("config"))
            .env("XDG_DATA_HOME", window.home().join("data"))
            .output()?;
        let name = String::from_utf8(output.stdout)?.trim().to_owned();
        Ok((!name.is_empty()).then_some(name))
    })?;
    let entry = fs::read_to_string(window.home().join("data/applications").join(handler))?;
    let exec = format!("Exec={} %u", desk.programs.path("quartet")?.display());
    ensure!(entry.lines().any(|line| line == exec), "{exec} is not in {entry}");
    Ok(())
}

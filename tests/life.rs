//! The life of the app: damaged settings at its start, a page that comes up again, and its end,
//! after which nothing of it is left.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, ParticipantOptions, Programs, wait_until,
};
use quartet_proto::JoinLink;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(30);
/// Somebody who is lost, and has not left, is given up after ten seconds.
const SOON: Duration = Duration::from_secs(3);
/// No longer does a person wait for a program to end.
const END: Duration = Duration::from_secs(5);
const PICTURE: &str =
    "document.querySelector('[data-testid=tile][data-connection=connected][data-picture=true]')";

#[test]
fn a_page_that_comes_up_again_is_still_in_the_call_and_closing_it_leaves() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let mut call = Call::begin(&programs, &display)?;

    let host = JoinLink::parse(&call.link)?.server.authority();
    ensure!(get(&host, "/healthz")?.ends_with("ok\n"), "the server in the app is well");
    let page = get(&host, "/j")?;
    ensure!(page.starts_with("HTTP/1.1 200") && page.contains("<!doctype html>"), "{page}");

    call.window.eval("window.before = true; location.reload();")?;
    call.window.wait_for("another page", "window.before === undefined")?;
    call.shows_moving_pictures()?;
    ensure!(call.other.events_named("peer_left").is_empty(), "the call went on all the time");

    call.ends_when(|_| {
        ensure!(display.close_windows()? == 1, "the app has one window");
        Ok(())
    })?;
    ensure!(TcpStream::connect(&host).is_err(), "the server in the app is gone");
    Ok(())
}

#[test]
fn ending_the_session_of_the_system_leaves_the_call_too() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    Call::begin(&programs, &display)?.ends_when(|app| {
        ensure!(Command::new("kill").args(["-TERM", &app.to_string()]).status()?.success());
        Ok(())
    })
}

#[test]
fn settings_that_are_damaged_are_as_at_the_first_start() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1000, 700)?;
    let window = open(&programs, &display, json!([{ "name": 7 }]))?;
    window.click("new-call")?;
    ensure!(window.text("name")?.is_empty(), "nobody has given a name yet");

    // Nor can they be kept now; the person learns it, and the call begins all the same.
    fs::create_dir(window.home().join("config/app.quartet.desktop/settings.json.new"))?;
    window.fill("name", "Ada")?;
    window.click("join")?;
    window.wait_for(
        "a notice",
        "document.querySelector('[data-testid=notice][data-code=not_kept]')",
    )?;
    window.wait_for("the call", "document.querySelector('[data-testid=leave]')")?;
    window.close()
}

#[test]
fn without_a_display_it_says_so_in_a_line_and_fails() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_quartet"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()?;
    ensure!(!output.status.success());
    let said = String::from_utf8(output.stderr)?;
    ensure!(said == "quartet: there is no display here to open a window on\n", "{said}");
    Ok(())
}

/// A call in the app, on its own server, with one headless participant.
struct Call {
    window: AppWindow,
    link: String,
    other: Participant,
}

impl Call {
    fn begin(programs: &Programs, display: &Display) -> anyhow::Result<Self> {
        let settings = json!({
            "name": "Ada", "language": "en", "camera": "pattern", "microphone": "none",
            "speaker": "none",
        });
        let window = open(programs, display, settings)?;
        window.click("new-call")?;
        let link = window.text("room-link")?;
        window.click("join")?;
        let options = ParticipantOptions::with_tone("Ben", 440, 120);
        let other = Participant::join(programs, &link, &options)?;
        let call = Self { window, link, other };
        call.shows_moving_pictures()?;
        Ok(call)
    }

    fn shows_moving_pictures(&self) -> anyhow::Result<()> {
        self.window.wait_for("a picture", PICTURE)?;
        let mut before = Value::Null;
        wait_until("a moving picture", DEADLINE, || {
            let now = self
                .window
                .eval("return document.querySelector('[data-testid=tile] canvas')?.toDataURL();")?;
            let moves = !now.is_null() && !before.is_null() && now != before;
            before = now;
            Ok(moves.then_some(()))
        })
    }

    /// Ends the app, given its process, and sees that nothing of it stays.
    fn ends_when(&mut self, end: impl FnOnce(u32) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let driver = self.window.driver().id();
        let app = *descendants(driver)?.first().context("the driver has started the app")?;
        let mut processes = descendants(app)?;
        ensure!(!processes.is_empty(), "the page is drawn by another process");
        processes.push(app);

        let start = Instant::now();
        end(app)?;
        self.other.wait_for("peer_left", 1, SOON)?;
        wait_until("the end of the app", END.saturating_sub(start.elapsed()), || {
            Ok(processes.iter().all(|&process| has_ended(process)).then_some(()))
        })
    }
}

fn open(programs: &Programs, display: &Display, settings: Value) -> anyhow::Result<AppWindow> {
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        ..AppWindowOptions::default()
    };
    AppWindow::open(programs, &options)
}

/// The processes that a process has started, and those that they have; the oldest first.
fn descendants(process: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended meanwhile.
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let child = child.parse()?;
            found.push(child);
            found.extend(descendants(child).unwrap_or_default());
        }
    }
    Ok(found)
}

/// It is gone, or only its parent has not noticed yet.
fn has_ended(process: u32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"));
    status.map_or(true, |status| status.lines().any(|line| line.starts_with("State:\tZ")))
}

/// As a browser asks for a page.
fn get(host: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\n\
        Accept: text/html,*/*;q=0.8\r\nAccept-Language: en\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

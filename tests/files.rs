//! Files in a real app window with a headless participant: what comes is taken, paused and given
//! up; what is pasted goes; and what was taken goes on after a restart of the app.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, Programs, SignallingServer, key,
};
use serde_json::{Value, json};

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough on the way to be stopped in the middle, and only a hole on the disk.
const LARGE: u64 = 600_000_000;

struct Scene {
    programs: Programs,
    options: AppWindowOptions,
    server: SignallingServer,
    folder: PathBuf,
    _display: Display,
}

impl Scene {
    fn open(name: &str) -> anyhow::Result<Self> {
        let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
        let display = Display::start(1120, 720)?;
        let server = SignallingServer::start(&programs, 0)?;
        let settings = json!({
            "name": "Ada", "language": "en", "camera": "none", "microphone": "none",
            "speaker": "none", "server": server.url(),
        });
        let options = AppWindowOptions {
            display: display.name().to_owned(),
            settings,
            ..AppWindowOptions::default()
        };
        let folder =
            std::env::temp_dir().join(format!("quartet-window-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("downloads"))?;
        Ok(Self { programs, options, server, folder, _display: display })
    }

    /// What is downloaded goes into a folder of the test's.
    fn choose_downloads(&self, window: &AppWindow) -> anyhow::Result<()> {
        let line = format!("XDG_DOWNLOAD_DIR=\"{}\"\n", self.path("downloads").display());
        Ok(fs::write(window.home().join("config/user-dirs.dirs"), line)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn join(&self, link: &str, name: &str, extra: &[&str]) -> anyhow::Result<Participant> {
        let mut command = Command::new(self.programs.path("quartet-cli")?);
        command.args(["join", link, "--name", name, "--bind", "127.0.0.1", "--for", "120"]);
        command.args(extra);
        Participant::from_command(name, &mut command)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn files_come_and_go() -> anyhow::Result<()> {
    let scene = Scene::open("come-and-go")?;
    let (small, large) = (scene.path("../../report.pdf"), scene.path("film.bin"));
    let small = scene.folder.join(small.file_name().context("a name")?);
    fs::write(&small, vec![7; 700_000])?;
    File::create(&large)?.set_len(LARGE)?;
    let window = AppWindow::open(&scene.programs, &scene.options)?;
    scene.choose_downloads(&window)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")?;
    let taken = scene.path("taken");
    let sent = [text(&small)?, text(&large)?];
    let bo = scene.join(
        &link,
        "Bo",
        &["--send", sent[0], "--send", sent[1], "--receive", text(&taken)?],
    )?;

    // Offered, with a mark while nobody looks; taken by name and size.
    window.wait_for("the mark", "document.querySelector('[data-testid=files-toggle-badge]')")?;
    window.press("f")?;
    window.wait_for("the file", &card("report.pdf", "offered"))?;
    press(&window, "report.pdf", "file-accept")?;
    window.wait_for("the saved file", &card("report.pdf", "done"))?;
    ensure!(fs::read(scene.path("downloads/report.pdf"))? == fs::read(&small)?);
    wait(&bo, |line| line["name"] == "report.pdf" && line["state"] == "done")?;

    // Paused, gone on with, given up: nothing of it stays.
    window.wait_for("the large file", &card("film.bin", "offered"))?;
    press(&window, "film.bin", "file-accept")?;
    window.wait_for("its bytes", &card("film.bin", "sending"))?;
    wait(&bo, |line| line["name"] == "film.bin" && line["state"] == "sending")?;
    press(&window, "film.bin", "file-pause")?;
    window.wait_for("the pause", &card("film.bin", "paused"))?;
    wait(&bo, |line| line["name"] == "film.bin" && line["state"] == "paused")?;
    press(&window, "film.bin", "file-resume")?;
    window.wait_for("its bytes again", &card("film.bin", "sending"))?;
    press(&window, "film.bin", "file-cancel")?;
    window.wait_for("its end", &card("film.bin", "failed"))?;
    wait(&bo, |line| line["name"] == "film.bin" && line["error"] == "cancelled")?;
    let deadline = Instant::now() + PATIENCE;
    while fs::read_dir(scene.path("downloads"))?.count() > 1 {
        ensure!(Instant::now() < deadline, "the rest of a file stays");
        std::thread::sleep(Duration::from_millis(20));
    }

    // Pasted here, and received there.
    window.eval(
        "const data = new DataTransfer();
        data.items.add(new File(['สวัสดี'], 'note: 1.txt', { type: 'text/plain' }));
        window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));",
    )?;
    wait(&bo, |line| line["name"] == "note_ 1.txt" && line["state"] == "done")?;
    ensure!(fs::read(taken.join("note_ 1.txt"))? == "สวัสดี".as_bytes());
    window.wait_for("what was received", &card("note_ 1.txt", "done"))?;
    window.press(key::ESCAPE)?;
    window
        .wait_for("the focus back", "document.activeElement?.dataset.testid === 'files-toggle'")?;
    window.close()
}

#[test]
fn a_file_goes_on_after_a_restart_of_the_app() -> anyhow::Result<()> {
    let scene = Scene::open("restart")?;
    let large = scene.path("film.bin");
    File::create(&large)?.set_len(LARGE)?;
    let link = new_link(&scene)?;
    let bo = scene.join(&link, "Bo", &["--send", text(&large)?])?;
    let window = AppWindow::open(&scene.programs, &scene.options)?;
    scene.choose_downloads(&window)?;
    enter(&window, &link)?;
    window.press("f")?;
    window.wait_for("the file", &card("film.bin", "offered"))?;
    press(&window, "film.bin", "file-accept")?;
    wait(&bo, |line| line["bytes"].as_u64() >= Some(20_000_000))?;
    let window = window.reopen(&scene.programs, &scene.options)?;
    enter(&window, &link)?;
    window.press("f")?;
    // Nobody is asked again; what was there before is not sent again.
    window.wait_for("its bytes", &card("film.bin", "sending"))?;
    let again = wait(&bo, |line| {
        line["state"] == "sending" && line["peer"] != json!(null) && line["bytes"] != 0
    })?;
    ensure!(again["bytes"].as_u64() >= Some(15_000_000), "{again}");
    press(&window, "film.bin", "file-cancel")?;
    window.wait_for("its end", &card("film.bin", "failed"))?;
    window.close()
}

fn new_link(scene: &Scene) -> anyhow::Result<String> {
    let mut command = Command::new(scene.programs.path("quartet-cli")?);
    let made = command.args(["new", "--server", scene.server.url()]).output()?;
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

fn enter(window: &AppWindow, link: &str) -> anyhow::Result<()> {
    window.fill("link-input", link)?;
    window.click("open-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is no text")
}

fn card(name: &str, phase: &str) -> String {
    format!(
        "document.querySelector('[data-testid=file][data-name={}][data-phase={phase}]')",
        json!(name)
    )
}

fn press(window: &AppWindow, name: &str, button: &str) -> anyhow::Result<()> {
    let button = format!(
        "document.querySelector('[data-testid=file][data-name={}] [data-testid={button}]')",
        json!(name)
    );
    window.wait_for("the button", &button)?;
    window.eval(&format!("{button}.click()")).map(drop)
}

/// The newest `file` line that is as wanted.
fn wait(person: &Participant, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = person.events_named("file");
        if let Some(line) = lines.iter().rev().find(|line| wanted(line)) {
            return Ok(line.clone());
        }
        ensure!(Instant::now() < deadline, "{:#?}", lines.last());
        std::thread::sleep(Duration::from_millis(20));
    }
}

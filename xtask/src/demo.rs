//! A whole call on one machine, to look at: test participants and the app window.

use std::{fs, time::Duration};

use anyhow::Context as _;
use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, ParticipantOptions, Programs,
    SignallingServer,
};
use serde_json::{Value, json};

use crate::{
    run::{build, has_display},
    setup,
    shell::{command, root, run as execute, step, target},
};

/// Name and tone of each test participant: a chord, so that a missing voice is heard.
const CAST: [(&str, u32); 3] = [("Ada", 262), ("Nok นก", 330), ("Grace", 392)];
/// The demo ends by itself.
const SECONDS: u32 = 600;
/// The sizes of the README's pictures: a narrow window, a usual one, a large one.
const SIZES: [(&str, u32, u32); 3] =
    [("narrow", 390, 780), ("usual", 1120, 720), ("large", 1920, 1080)];

/// `cargo xtask demo`.
pub(crate) fn run() -> anyhow::Result<()> {
    build(&setup::to_test()?)?;
    let programs = Programs::in_folder(&target().join("debug"));
    let server = SignallingServer::start(&programs, 0)?;
    let link = server.new_link(&programs)?;
    let _cast = step("Inviting three test participants", || invite(&programs, &link))?;
    if !cfg!(target_os = "linux") {
        println!("▸ Opening the app in front of their room: press Join");
        let app = programs.path("quartet")?;
        return execute(command(&app.to_string_lossy(), &[]).arg(&link));
    }

    let shown = has_display();
    let display = if shown { None } else { Some(Display::start(1280, 800)?) };
    let window = step("Opening the app and joining them", || {
        let name = display.as_ref().map_or("", Display::name);
        let window = open(&programs, name, if shown { "speaker" } else { "none" })?;
        enter(&window, &link)?;
        window.click("join")?;
        in_call(&window)?;
        Ok(window)
    })?;
    let picture = target().join("demo.png");
    window.screenshot(&picture)?;
    println!("  The call as the app shows it: {}", picture.display());
    if shown {
        println!(
            "▸ The call goes on until you close the window ({} minutes at most)",
            SECONDS / 60
        );
        for _ in 0..SECONDS {
            std::thread::sleep(Duration::from_secs(1));
            if window.eval("return 1;").is_err() {
                return Ok(());
            }
        }
    }
    window.close()
}

/// `cargo xtask screenshots`.
pub(crate) fn screenshots() -> anyhow::Result<()> {
    build(&setup::to_test()?)?;
    let programs = Programs::in_folder(&target().join("debug"));
    let folder = root().join("docs/screenshots");
    fs::create_dir_all(&folder)?;
    let server = SignallingServer::start(&programs, 0)?;
    let link = server.new_link(&programs)?;
    let _cast = invite(&programs, &link)?;
    for (size, width, height) in SIZES {
        let display = Display::start(width, height)?;
        let window = open(&programs, display.name(), "none")?;
        window.resize(width, height)?;
        let take = |screen: &str| {
            std::thread::sleep(Duration::from_secs(2)); // until everything has moved into place
            window.screenshot(&folder.join(format!("{screen}-{size}.png")))
        };
        step(&format!("Taking the pictures, {width} × {height}"), || {
            take("home")?;
            enter(&window, &link)?;
            take("green-room")?;
            window.click("join")?;
            in_call(&window)?;
            take("call")?;
            window.click("settings")?;
            take("settings")?;
            window.press("\u{E00C}")?;
            window.click("leave")?;
            window.wait_for("the last screen", "document.querySelector('[data-testid=rejoin]')")?;
            take("left")
        })?;
        window.close()?;
    }
    println!("  In {}", folder.display());
    Ok(())
}

fn invite(programs: &Programs, link: &str) -> anyhow::Result<Vec<Participant>> {
    let join = |(name, tone)| {
        let mut options = ParticipantOptions::with_tone(name, tone, SECONDS);
        // The app window is on every interface of this machine; so are they.
        options.extra = ["--view", "360"].map(str::to_owned).into();
        options.video = format!("pattern:{name}");
        let participant = Participant::join(programs, link, &options)?;
        participant.wait_for("joined", 1, Duration::from_secs(30)).context(name)?;
        Ok(participant)
    };
    CAST.into_iter().map(join).collect()
}

fn open(programs: &Programs, display: &str, speaker: &str) -> anyhow::Result<AppWindow> {
    let settings: Value = json!({
        "name": "You", "language": "en", "camera": "pattern", "microphone": "tone:523",
        "speaker": speaker,
    });
    let options =
        AppWindowOptions { display: display.to_owned(), settings, ..AppWindowOptions::default() };
    AppWindow::open(programs, &options)
}

fn enter(window: &AppWindow, link: &str) -> anyhow::Result<()> {
    window.fill("link-input", link)?;
    window.click("open-link")?;
    window.wait_for("the green room", "document.querySelector('[data-testid=join]')")
}

/// Waits until everybody's picture is there.
fn in_call(window: &AppWindow) -> anyhow::Result<()> {
    let connected = format!(
        "document.querySelectorAll('[data-testid=tile][data-connection=connected]').length === {}",
        CAST.len()
    );
    window.wait_for("three people", &connected)?;
    let painted = "[...document.querySelectorAll('[data-testid=tile] canvas')].every(c => {
        const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return p.some((v, i) => i % 4 !== 3 && v > 60);
    })";
    window.wait_for("their pictures", painted)
}

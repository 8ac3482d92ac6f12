//! Before *Join* the app asks nobody for its addresses, and looks for no path.
#![cfg(target_os = "linux")]

use std::{process::Command, time::Duration};

use quartet_harness::{AppWindow, AppWindowOptions, Display, Participant, Programs};
use quartet_testkit::stun_counter::StunCounter;
use serde_json::json;

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_green_room_asks_no_stun_server() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1120, 720)?;
    let stun = StunCounter::start()?;
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings: json!({
            "name": "Ada", "language": "en",
            "camera": "none", "microphone": "none", "speaker": "none",
            "ice_servers": [{ "url": stun.url(), "username": "", "credential": "" }],
        }),
        ..AppWindowOptions::default()
    };
    // Somebody is in the room already, and is shown.
    let host = AppWindow::open(&programs, &options)?;
    host.click("new-call")?;
    let link = host.text("room-link")?;
    let mut command = Command::new(programs.path("quartet-cli")?);
    command.args(["join", &link, "--name", "Bo", "--video", "none", "--audio", "none"]).args([
        "--for",
        "120",
        "--bind",
        "127.0.0.1",
    ]);
    let bo = Participant::from_command("Bo", &mut command)?;
    bo.wait_for("joined", 1, PATIENCE)?;
    host.wait_for("Bo in the room", "document.body.innerText.includes('Bo')")?;
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(stun.count(), 0, "a STUN server was asked before anybody joined");
    // And it would have been noticed.
    host.click("join")?;
    bo.wait_for("connected", 1, PATIENCE)?;
    assert!(stun.count() > 0, "the STUN server is not asked at all");
    host.close()
}

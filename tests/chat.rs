//! The chat in a real app window with headless participants: both ways, while the server is gone,
//! and for those who come late.
#![cfg(target_os = "linux")]

use std::{process::Command, time::Duration};

use anyhow::Context as _;
use quartet_harness::{
    AppWindow, AppWindowOptions, Display, Participant, Programs, SignallingServer, key,
};
use serde_json::{Value, json};

/// For what takes some 100 ms on a free machine; the tests share theirs with builds.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn people_write_to_each_other() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1120, 720)?;
    let settings = json!({
        "name": "Ada", "language": "en", "camera": "none", "microphone": "none", "speaker": "none",
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    window.wait_for("the call", "document.querySelector('main.call')")?;

    // Written before anybody is there; the badge counts what others wrote.
    window.press("t")?;
    window.wait_for("the focus in the field", &focused("chat-field"))?;
    window.fill("chat-field", "first: see https://example.org/a")?;
    window.press(key::ENTER)?;
    window.wait_for("the own line", &lines(1))?;
    window.press(key::ESCAPE)?;
    window.wait_for("the focus back", &focused("chat-toggle"))?;

    let bo = join(&programs, &link, "Bo", "second: <b>hello</b>")?;
    let heard = bo.wait_for("chat", 1, PATIENCE)?;
    assert_eq!(heard[0]["text"], "first: see https://example.org/a");
    window.wait_for("the mark of what was not read", &badge("1"))?;
    window.press("t")?;
    window.wait_for("the other's line", &lines(2))?;
    window.wait_for("no mark", "!document.querySelector('[data-testid=chat-toggle-badge]')")?;
    // Bo had not read the first when he wrote the second, so either may stand above the other.
    let shown = window.eval(
        "const chat = document.querySelector('[data-testid=chat]');
        return [...chat.querySelectorAll('[data-testid=chat-line] > p')].map((it) => it.textContent).sort()
            .concat(chat.querySelectorAll('b').length, chat.querySelectorAll('a').length);",
    )?;
    assert_eq!(shown, json!(["first: see https://example.org/a", "second: <b>hello</b>", 0, 1]));

    let cid = join(&programs, &link, "Cid", "third")?;
    let heard = cid.wait_for("chat", 2, PATIENCE)?;
    let texts: Vec<_> = heard.iter().map(|line| &line["text"]).collect();
    assert!(texts.contains(&&Value::from("second: <b>hello</b>")), "{texts:?}");
    window.wait_for("the third line", &lines(3))?;

    window.fill("chat-field", "to all")?;
    window.click("chat-send")?;
    for (person, count) in [(&bo, 3), (&cid, 3)] {
        let heard = person.wait_for("chat", count, PATIENCE)?;
        assert_eq!(heard[count - 1]["text"], "to all");
        assert_eq!(heard.len(), count);
    }
    window.close()
}

#[test]
fn a_dead_server_ends_no_chat() -> anyhow::Result<()> {
    let programs = Programs::beside(env!("CARGO_BIN_EXE_quartet"))?;
    let display = Display::start(1120, 720)?;
    let mut server = SignallingServer::start(&programs, 0)?;
    let settings = json!({
        "name": "Ada", "language": "th", "camera": "none", "microphone": "none", "speaker": "none",
        "server": server.url(),
    });
    let options = AppWindowOptions {
        display: display.name().to_owned(),
        settings,
        ..AppWindowOptions::default()
    };
    let window = AppWindow::open(&programs, &options)?;
    window.click("new-call")?;
    let link = window.text("room-link")?;
    window.click("join")?;
    let bo = join(&programs, &link, "Bo", "hello")?;
    window.click("chat-toggle")?;
    window.wait_for("the first line", &lines(1))?;
    server.child().kill().context("the server")?;
    window.wait_for("the server's end", "document.querySelector('[data-testid=offline]')")?;
    window.fill("chat-field", "สบายดีไหม")?;
    window.press(key::ENTER)?;
    let heard = bo.wait_for("chat", 1, PATIENCE)?;
    assert_eq!(heard[0]["text"], "สบายดีไหม");
    window.close()
}

fn join(programs: &Programs, link: &str, name: &str, text: &str) -> anyhow::Result<Participant> {
    let mut command = Command::new(programs.path("quartet-cli")?);
    command.args(["join", link, "--name", name, "--bind", "127.0.0.1", "--for", "120"]);
    command.args(["--chat", text]);
    Participant::from_command(name, &mut command)
}

fn lines(count: usize) -> String {
    format!("document.querySelectorAll('[data-testid=chat-line]').length === {count}")
}

fn badge(text: &str) -> String {
    let badge = "document.querySelector('[data-testid=chat-toggle-badge]')";
    format!("{badge}?.textContent.trim() === {}", json!(text))
}

fn focused(test_id: &str) -> String {
    format!("document.activeElement?.dataset.testid === {}", json!(test_id))
}

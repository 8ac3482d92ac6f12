//! WebDriver BiDi (W3C): one connection to a browser, one page, and what its console says.
//!
//! No task and no thread: events that come are written down while the answer to a command is waited
//! for. So the console is read up to the last command, which is enough for looking at it.

use std::{
    net::TcpStream,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::client};

use crate::webdriver::COMMAND_DEADLINE;

/// A connection to a browser's only page.
#[derive(Debug)]
pub(crate) struct Bidi {
    wire: Mutex<Wire>,
    page: String,
}

#[derive(Debug)]
struct Wire {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    console: Vec<String>,
}

impl Bidi {
    /// Connects to the session that this address is of, or to a browser that has none yet.
    pub(crate) fn connect(address: &str, new_session: bool) -> anyhow::Result<Self> {
        let host = address.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(host.context("BiDi is at a ws: address")?)?;
        stream.set_read_timeout(Some(COMMAND_DEADLINE))?;
        stream.set_nodelay(true)?;
        let (socket, _) = client(address, stream).context("the browser's WebSocket")?;
        let mut wire = Wire { socket, last_id: 0, console: Vec::new() };
        if new_session {
            wire.command("session.new", &json!({ "capabilities": {} }))?;
        }
        wire.command("session.subscribe", &json!({ "events": ["log.entryAdded"] }))?;
        let tree = wire.command("browsingContext.getTree", &json!({}))?;
        let page = tree["contexts"][0]["context"].as_str().context("no page")?.to_owned();
        Ok(Self { wire: Mutex::new(wire), page })
    }

    /// A command with parameters; the page is added to them.
    pub(crate) fn command(&self, method: &str, mut parameters: Value) -> anyhow::Result<Value> {
        parameters["context"] = json!(self.page);
        self.wire().command(method, &parameters)
    }

    /// Runs the body of an asynchronous function in the page and gives what it returns.
    pub(crate) fn eval(&self, body: &str) -> anyhow::Result<Value> {
        // As text: BiDi has a form of its own for values.
        let expression =
            format!("(async () => JSON.stringify(await (async () => {{ {body} }})() ?? null))()");
        let parameters = json!({
            "expression": expression,
            "target": { "context": self.page },
            "awaitPromise": true,
        });
        let answer = self.wire().command("script.evaluate", &parameters)?;
        if answer["type"] != "success" {
            bail!("in the page: {}", answer["exceptionDetails"]["text"]);
        }
        let text = answer["result"]["value"].as_str().context("no text came back")?;
        Ok(serde_json::from_str(text)?)
    }

    /// Runs a function in every document of the page before its own scripts.
    pub(crate) fn preload(&self, function: &str) -> anyhow::Result<()> {
        let parameters = json!({ "functionDeclaration": function, "contexts": [self.page] });
        self.wire().command("script.addPreloadScript", &parameters).map(drop)
    }

    /// All that the page's console said so far.
    pub(crate) fn console(&self) -> Vec<String> {
        self.wire().console.clone()
    }

    fn wire(&self) -> std::sync::MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn command(&mut self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let command = json!({ "id": id, "method": method, "params": parameters });
        self.socket.send(Message::text(command.to_string()))?;
        loop {
            let message = self.socket.read().with_context(|| method.to_owned())?;
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            if message["method"] == "log.entryAdded" {
                let entry = &message["params"];
                let text = entry["text"].as_str().unwrap_or_default();
                self.console.push(format!("{}: {text}", entry["level"].as_str().unwrap_or("?")));
            }
            if message["id"] == id {
                ensure!(
                    message["type"] != "error",
                    "{method}: {} {}",
                    message["error"],
                    message["message"]
                );
                return Ok(message["result"].take());
            }
        }
    }
}

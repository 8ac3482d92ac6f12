//! A real browser with one page, headless, with a camera and a microphone of its own making.
//!
//! Chromium and Firefox, both by WebDriver BiDi: Firefox speaks it itself, Chromium through its
//! driver. Fields and buttons are used by key strokes and by clicks at a place.

mod chromium;
mod firefox;

use anyhow::Context as _;
use serde_json::{Value, json};

pub use self::chromium::{FLAGS as CHROMIUM_FLAGS, PROGRAM as CHROMIUM};
use crate::{bidi::Bidi, test_id, wait_until, webdriver::COMMAND_DEADLINE};

/// Runs before the page's own scripts, and keeps what the browser would tell nobody: the page's
/// connections, and what its content security policy has refused.
const WATCH: &str = "() => {
    const watch = { connections: [], violations: [] };
    Object.defineProperty(window, 'watch', { value: watch });
    addEventListener('securitypolicyviolation', (event) => {
        watch.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    });
    const Connection = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Connection {
        constructor(...options) {
            super(...options);
            watch.connections.push(this);
        }
    };
}";

/// Which browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrowserKind {
    /// Debian's `chromium`, with `chromium-driver`.
    Chromium,
    /// Debian's `firefox-esr`.
    Firefox,
}

/// How a browser is started.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Which one.
    pub kind: BrowserKind,
    /// The tone that it has as microphone, in Hz; the camera is a moving picture.
    pub microphone_hz: u32,
    /// Further variables of its environment: Firefox plays nothing, not even into a graph of its
    /// own, where no sound server is.
    pub variables: Vec<(&'static str, String)>,
}

/// A running browser, ended when dropped.
#[derive(Debug)]
pub struct Browser {
    kind: BrowserKind,
    bidi: Bidi,
    process: Process,
}

/// What keeps a browser running; its fields end it when dropped.
#[derive(Debug)]
enum Process {
    Chromium(chromium::Chromium),
    Firefox(firefox::Firefox),
}

impl Browser {
    /// Starts it. Pages may use its camera and its microphone without a question.
    pub fn start(options: &BrowserOptions) -> anyhow::Result<Self> {
        let (process, bidi) = match options.kind {
            BrowserKind::Chromium => {
                let chromium = chromium::Chromium::start(options)?;
                let bidi = Bidi::connect(chromium.address(), false)?;
                (Process::Chromium(chromium), bidi)
            }
            BrowserKind::Firefox => {
                let firefox = firefox::Firefox::start(options)?;
                let bidi = Bidi::connect(firefox.address(), true)?;
                (Process::Firefox(firefox), bidi)
            }
        };
        bidi.preload(WATCH)?;
        Ok(Self { kind: options.kind, bidi, process })
    }

    /// Opens an address, and returns when the page and all that belongs to it has come.
    pub fn open(&self, address: &str) -> anyhow::Result<()> {
        let target = json!({ "url": address, "wait": "complete" });
        self.bidi.command("browsingContext.navigate", target).map(drop)
    }

    /// Loads the page again, as F5 does.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.bidi.command("browsingContext.reload", json!({ "wait": "complete" })).map(drop)
    }

    /// Sets the size of the page, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let size = json!({ "viewport": { "width": width, "height": height } });
        self.bidi.command("browsingContext.setViewport", size).map(drop)
    }

    /// Runs the body of an asynchronous function in the page and gives what it returns.
    pub fn eval(&self, body: &str) -> anyhow::Result<Value> {
        self.bidi.eval(body)
    }

    /// Waits until an expression is true in the page.
    pub fn wait_for(&self, what: &str, expression: &str) -> anyhow::Result<()> {
        let body = format!("return Boolean({expression});");
        wait_until(what, COMMAND_DEADLINE, || Ok((self.eval(&body)? == true).then_some(())))
            .with_context(|| self.state())
    }

    /// Waits for an element with this `data-testid` and clicks in the middle of it.
    pub fn click(&self, test_id: &str) -> anyhow::Result<()> {
        self.wait_for(test_id, &test_id::present(test_id))?;
        let place = self.eval(&format!(
            "const element = {};
            element.scrollIntoView({{ block: 'center', inline: 'center' }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2].map(Math.round);",
            test_id::query(test_id)
        ))?;
        let actions = json!([
            { "type": "pointerMove", "x": place[0], "y": place[1] },
            { "type": "pointerDown", "button": 0 },
            { "type": "pointerUp", "button": 0 },
        ]);
        self.act(&json!({ "type": "pointer", "id": "mouse", "actions": actions }))
    }

    /// Replaces what is in a field, by typing.
    pub fn fill(&self, test_id: &str, text: &str) -> anyhow::Result<()> {
        self.wait_for(test_id, &test_id::present(test_id))?;
        let element = test_id::query(test_id);
        self.eval(&format!("const field = {element}; field.focus(); field.select();"))?;
        let each = text.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key.to_string() }))
        });
        let actions: Vec<Value> = each.collect();
        self.act(&json!({ "type": "key", "id": "keyboard", "actions": actions }))
    }

    /// What the console said so far, each line with its level first.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        self.bidi.console()
    }

    /// What the page's content security policy has refused since the page was loaded.
    pub fn violations(&self) -> anyhow::Result<Vec<String>> {
        Ok(serde_json::from_value(self.eval("return watch.violations;")?)?)
    }

    fn act(&self, source: &Value) -> anyhow::Result<()> {
        self.bidi.command("input.performActions", json!({ "actions": [source] })).map(drop)
    }

    /// For messages.
    fn state(&self) -> String {
        let text = self.eval("return document.body.innerText;").unwrap_or_default();
        let complaints = match &self.process {
            Process::Chromium(chromium) => chromium.complaints(),
            Process::Firefox(firefox) => firefox.complaints(),
        };
        format!(
            "{:?}: the page says: {}\nits console: {:#?}\n{complaints}",
            self.kind,
            text.as_str().unwrap_or("nothing"),
            self.console()
        )
    }
}

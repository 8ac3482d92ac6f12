//! The app's window, driven by WebDriver (W3C) through WebKitGTK's own driver.
//!
//! One driver an app, each with settings of its own, so that several apps can be on one display.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Child, Programs, test_id, wait_until,
    webdriver::{COMMAND_DEADLINE, WebDriver},
};

/// The bundle identifier, which names the folder of the settings.
const IDENTIFIER: &str = "app.quartet.desktop";

/// How an app is started.
#[derive(Debug, Clone, Default)]
pub struct AppWindowOptions {
    /// `DISPLAY`; empty for the display of this session.
    pub display: String,
    /// What its settings file holds at the start.
    pub settings: Value,
    /// Further variables of its environment.
    pub variables: Vec<(String, String)>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A running app.
#[derive(Debug)]
pub struct AppWindow {
    driver: WebDriver,
    home: TempDir,
}

impl AppWindow {
    /// Starts the driver and, through it, the app; returns when its page has come up.
    pub fn open(programs: &Programs, options: &AppWindowOptions) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let settings = home.path().join("config").join(IDENTIFIER);
        fs::create_dir_all(&settings)?;
        fs::write(settings.join("settings.json"), options.settings.to_string())?;
        Self::start(programs, options, home)
    }

    /// Closes the window and starts the app again, with what it has kept.
    pub fn reopen(self, programs: &Programs, options: &AppWindowOptions) -> anyhow::Result<Self> {
        let Self { driver, home } = self;
        driver.end_session()?;
        drop(driver);
        Self::start(programs, options, home)
    }

    fn start(
        programs: &Programs,
        options: &AppWindowOptions,
        home: TempDir,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new("WebKitWebDriver");
        command
            .arg("--host=127.0.0.1")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("QUARTET_MANY_INSTANCES", "1")
            .env("QUARTET_LISTEN", "127.0.0.1:0")
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("XDG_DATA_HOME", home.path().join("data"))
            .env("XDG_CACHE_HOME", home.path().join("cache"))
            .env("GDK_BACKEND", "x11")
            // The accessibility bus is not there in a container, and asking for it takes seconds.
            .env("NO_AT_BRIDGE", "1");
        if !options.display.is_empty() {
            command.env("DISPLAY", &options.display);
        }
        command.envs(options.variables.iter().map(|(name, value)| (name, value)));
        let capabilities = json!({ "webkitgtk:browserOptions": {
            "binary": programs.path("quartet")?,
            "args": options.arguments,
        }});
        let (driver, _) = WebDriver::start(command, &capabilities)?;
        let window = Self { driver, home };
        window.wait_for("home", "document.querySelector('[data-testid]') !== null")?;
        Ok(window)
    }

    /// Runs a function body in the page and gives what it returns.
    pub fn eval(&self, body: &str) -> anyhow::Result<Value> {
        self.driver.command("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub fn wait_for(&self, what: &str, expression: &str) -> anyhow::Result<()> {
        let body = format!("return Boolean({expression});");
        wait_until(what, COMMAND_DEADLINE, || Ok((self.eval(&body)? == true).then_some(())))
            .with_context(|| self.page_text())
    }

    /// Waits for an element with this `data-testid` and clicks it as a mouse would.
    pub fn click(&self, test_id: &str) -> anyhow::Result<()> {
        let element = self.element(test_id)?;
        self.driver.command(&format!("element/{element}/click"), &json!({}))?;
        Ok(())
    }

    /// Replaces what is in a field.
    pub fn fill(&self, test_id: &str, text: &str) -> anyhow::Result<()> {
        let element = self.element(test_id)?;
        self.driver.command(&format!("element/{element}/clear"), &json!({}))?;
        self.driver.command(&format!("element/{element}/value"), &json!({ "text": text }))?;
        Ok(())
    }

    /// Presses a key in the page: a character, or one of [`key`](crate::key).
    pub fn press(&self, key: &str) -> anyhow::Result<()> {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] });
        self.driver.command("actions", &actions)?;
        Ok(())
    }

    /// Presses a key and keeps it down, until [`Self::release`].
    pub fn hold(&self, key: &str) -> anyhow::Result<()> {
        self.key("keyDown", key)
    }

    /// Lets a key go.
    pub fn release(&self, key: &str) -> anyhow::Result<()> {
        self.key("keyUp", key)
    }

    /// The `data-testid` of the element that has the keyboard's focus.
    pub fn focused(&self) -> anyhow::Result<Option<String>> {
        let id = self.eval("return document.activeElement?.dataset.testid ?? null;")?;
        Ok(id.as_str().map(str::to_owned))
    }

    /// The text, or the value, of an element with this `data-testid`.
    pub fn text(&self, test_id: &str) -> anyhow::Result<String> {
        self.wait_for(test_id, &test_id::present(test_id))?;
        let text = self.eval(&test_id::text(test_id))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Sets the window's size, in pixels.
    pub fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        self.driver.command("window/rect", &json!({ "width": width, "height": height }))?;
        Ok(())
    }

    /// Writes what the page shows as a PNG file.
    pub fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        // WebKit gives the picture with the next frame, and a page at rest draws none.
        self.eval(
            "const style = document.body.style;
            const draw = setInterval(() => { style.opacity = style.opacity ? '' : '0.999'; }, 50);
            setTimeout(() => { clearInterval(draw); style.opacity = ''; }, 5000);",
        )?;
        let picture = self.driver.get("screenshot")?;
        let png = STANDARD.decode(picture.as_str().context("no picture")?)?;
        fs::write(file, png).with_context(|| format!("{}", file.display()))
    }

    /// Where its settings, data and cache are.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The driver, whose end is the app's end too.
    pub fn driver(&mut self) -> &mut Child {
        self.driver.process()
    }

    /// Closes the window, as a person would.
    pub fn close(self) -> anyhow::Result<()> {
        self.driver.end_session()
    }

    fn key(&self, what: &str, key: &str) -> anyhow::Result<()> {
        let keys = json!([{ "type": what, "value": key }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] });
        self.driver.command("actions", &actions).map(drop)
    }

    fn element(&self, test_id: &str) -> anyhow::Result<String> {
        self.wait_for(test_id, &test_id::present(test_id))?;
        let selector = json!({ "using": "css selector", "value": test_id::selector(test_id) });
        let found = self.driver.command("element", &selector)?;
        let id = found.as_object().and_then(|object| object.values().next());
        id.and_then(Value::as_str).map(str::to_owned).context("the driver named no element")
    }

    fn page_text(&self) -> String {
        let text = self.eval("return document.body.innerText;").unwrap_or_default();
        format!("the page says: {}", text.as_str().unwrap_or("nothing"))
    }
}

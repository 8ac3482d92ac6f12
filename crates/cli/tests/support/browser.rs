//! A place where browsers can play what they hear.

use quartet_harness::{BrowserKind, BrowserOptions};
use quartet_testkit::sound::SoundServer;

pub(crate) struct Sound(SoundServer);

impl Sound {
    pub(crate) fn start() -> Self {
        Self(SoundServer::start().unwrap())
    }

    /// A browser with a tone of so many Hz as microphone.
    pub(crate) fn browser(&self, kind: BrowserKind, microphone_hz: u32) -> BrowserOptions {
        BrowserOptions { kind, microphone_hz, variables: self.0.env().to_vec() }
    }
}

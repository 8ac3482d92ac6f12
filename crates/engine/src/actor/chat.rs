//! The chat of the call: what is said goes to the links, what is heard to whoever shows it.

use std::time::Instant;

use quartet_core::chat::{Input, Output};

use super::{Actor, Call};
use crate::Event;

impl Call {
    pub(super) fn chat_timeout(&self) -> Option<Instant> {
        self.chat.poll_timeout()
    }
}

impl Actor {
    pub(super) fn say_in_chat(&mut self, text: &str) {
        let Some(call) = &mut self.call else { return };
        if let Err(error) = call.chat.say(Instant::now(), text) {
            // Whoever sent the command has looked at it before.
            tracing::warn!(%error, "something could not be said");
        }
        self.carry_out_chat();
    }

    pub(super) fn tell_chat(&mut self, input: Input) {
        if let Some(call) = &mut self.call {
            call.chat.handle(Instant::now(), input);
            self.carry_out_chat();
        }
    }

    pub(super) fn chat_due(&mut self, now: Instant) {
        if let Some(call) = &mut self.call {
            call.chat.handle_timeout(now);
            self.carry_out_chat();
        }
    }

    fn carry_out_chat(&mut self) {
        let Some(call) = &mut self.call else { return };
        while let Some(output) = call.chat.poll() {
            match output {
                Output::Send(peer, message) => {
                    if let Some(link) = call.peers.get(&peer).and_then(|peer| peer.open_link()) {
                        link.chat(message);
                    }
                }
                Output::Show(line) => self.events.send(Event::Chat(line)),
            }
        }
    }
}

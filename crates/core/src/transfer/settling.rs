//! What follows from whatever has happened: what is asked, read, finished, told and shown now.

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use quartet_proto::{FileAbsence, FilesMessage};

use super::{Output, PROGRESS_INTERVAL, Part, Shown, Told, Transfers, incoming::Stage};

impl Transfers {
    pub(super) fn settle(&mut self, now: Instant) {
        self.tick_at = None;
        self.keep_channels(now);
        self.ask(now);
        self.give();
        self.finish(now);
        self.report(now);
        self.show(now);
    }

    fn keep_channels(&mut self, now: Instant) {
        for (&peer, channel) in &mut self.present {
            let Some(channel) = channel else { continue };
            if let Some(ready) = channel.take_ready(now) {
                self.out.push_back(Output::Say(peer, ready));
            }
            if let Some(stop) = channel.take_stalled(now) {
                self.out.push_back(Output::Say(peer, stop));
            }
        }
    }

    /// Asks for what is missing, as much as may be under way.
    fn ask(&mut self, now: Instant) {
        for (&file, incoming) in &mut self.incoming {
            let asks = matches!(incoming.stage, Stage::Listing | Stage::Fetching);
            if !asks || incoming.paused || incoming.offer.size == 0 {
                continue;
            }
            let channels = self.present.values().flatten();
            let mut asked: BTreeSet<_> = channels.flat_map(|channel| channel.parts(file)).collect();
            let size = incoming.offer.size;
            // One each in turn, so that a small file comes from all, too.
            loop {
                let before = asked.len();
                for (&peer, channel) in &mut self.present {
                    let Some(channel) = channel.as_mut().filter(|it| it.met) else { continue };
                    if !incoming.may_ask(peer) || !channel.has_room(now, size) {
                        continue;
                    }
                    let Some(part) = incoming.next_part(|part| asked.contains(&part)) else {
                        break;
                    };
                    asked.insert(part);
                    self.out.push_back(Output::Say(peer, channel.ask(now, file, size, part)));
                }
                if asked.len() == before {
                    break;
                }
            }
        }
    }

    /// Reads what others have asked for.
    fn give(&mut self) {
        for (&peer, channel) in &mut self.present {
            let Some(channel) = channel else { continue };
            loop {
                let (outgoing, incoming) = (&self.outgoing, &self.incoming);
                let offered = |file| outgoing.get(&file).filter(|it| it.is_for(peer));
                // What is held back waits.
                let next = channel.next_asked(|file| offered(file).is_none_or(|it| !it.held));
                let Some(asked) = next else { break };
                let shared = incoming.get(&asked.file);
                let has = shared.is_some_and(|it| it.stage == Stage::Done && it.shared);
                if offered(asked.file).is_none() && !has {
                    let (id, reason) = (asked.id, FileAbsence::Unknown);
                    self.out.push_back(Output::Say(peer, FilesMessage::Absent { id, reason }));
                    continue;
                }
                self.token += 1;
                channel.reading = Some((self.token, asked));
                let (token, file, part) = (self.token, asked.file, asked.part);
                self.out.push_back(Output::Read { token, file, part });
            }
        }
    }

    fn finish(&mut self, now: Instant) {
        for incoming in self.incoming.values_mut() {
            if incoming.is_complete() {
                incoming.stage = Stage::Finishing;
                self.out.push_back(Output::Finish(incoming.job));
            }
            // Nothing to ask for: the list of an empty file is empty.
            if incoming.stage == Stage::Listing
                && incoming.offer.size == 0
                && incoming.next_part(|_| false).is_some()
            {
                incoming.came(now, Part::Hashes, incoming.from, 0);
                self.out.push_back(Output::Store(incoming.job, Part::Hashes, Bytes::new()));
            }
        }
    }

    /// Tells those who offer something how far it is here.
    fn report(&mut self, now: Instant) {
        for (&file, incoming) in &mut self.incoming {
            let Some(state) = incoming.progress() else { continue };
            let bytes = incoming.bytes();
            for &peer in incoming.offerers.keys() {
                let channel = self.present.get(&peer).and_then(Option::as_ref);
                if !channel.is_some_and(|channel| channel.met) {
                    continue;
                }
                let told = self.reported.get(&(file, peer)).copied();
                let due = match told {
                    Some(told) if told.state == state && told.bytes == bytes => continue,
                    Some(told) if told.state == state => told.at + PROGRESS_INTERVAL,
                    _ => now,
                };
                if due > now {
                    self.tick_at = Some(self.tick_at.map_or(due, |at| at.min(due)));
                    continue;
                }
                self.reported.insert((file, peer), Told { state, bytes, at: now });
                let message = FilesMessage::Report { file, state, bytes };
                self.out.push_back(Output::Say(peer, message));
            }
        }
    }

    fn show(&mut self, now: Instant) {
        let mut states = Vec::new();
        for (&file, incoming) in &mut self.incoming {
            let reachable = self.present.iter().any(|(peer, channel)| {
                channel.as_ref().is_some_and(|channel| channel.met)
                    && (incoming.offerers.contains_key(peer) || incoming.havers.contains(peer))
            });
            states.push(incoming.state(now, reachable));
            // Whoever it came from before is shown no more.
            let from = incoming.from;
            self.shown.retain(|(it, peer, out), _| *it != file || *out || *peer == from);
        }
        states.extend(self.outgoing.values_mut().flat_map(|offered| offered.states(now)));
        // Of whom nothing is known any more, nothing was shown either.
        let keys: BTreeSet<_> =
            states.iter().map(|it| (it.offer.file, it.peer, it.outgoing)).collect();
        self.shown.retain(|key, _| keys.contains(key));
        for state in states {
            let key = (state.offer.file, state.peer, state.outgoing);
            let due = match self.shown.get(&key) {
                Some(shown) if shown.state == state && state.rate == 0 => continue,
                // What does not come any more changes the speed.
                Some(shown)
                    if shown.state.phase == state.phase && shown.state.held == state.held =>
                {
                    shown.at + PROGRESS_INTERVAL
                }
                _ => now,
            };
            if due > now {
                self.tick_at = Some(self.tick_at.map_or(due, |at| at.min(due)));
                continue;
            }
            self.shown.insert(key, Shown { state: state.clone(), at: now });
            self.out.push_back(Output::Show(state));
        }
    }
}

//! Some people in one call, with a channel between every two of them, in virtual time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use quartet_core::chat::{CHAT_WINDOW, Chat, ChatId, ChatLine, Input, Output};
use quartet_proto::{ChatMessage, PeerId};

/// On the way, on a good line.
pub(crate) const DELAY: Duration = Duration::from_millis(20);
/// The library takes a message within this.
const HANDED_ON: Duration = Duration::from_millis(1);

pub(crate) fn id(number: u64) -> PeerId {
    PeerId::from_u64(number)
}

#[derive(Debug)]
enum Happening {
    Opened,
    Sent,
    Arrived(ChatMessage),
}

/// One participant, and what its window shows.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) chat: Chat,
    pub(crate) shown: BTreeMap<ChatId, ChatLine>,
    /// How often a line was shown that had not been shown before.
    pub(crate) news: usize,
    /// Messages given to each link that it has not taken.
    unsent: BTreeMap<PeerId, usize>,
}

/// The way from one to another: what is on it, in order.
#[derive(Debug)]
struct Way {
    /// The channel is open since then; what arrives before is lost.
    open_at: Instant,
    /// Nothing moves before.
    held_until: Instant,
    messages: VecDeque<(Instant, ChatMessage)>,
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) now: Instant,
    start: Instant,
    pub(crate) people: BTreeMap<PeerId, Person>,
    ways: BTreeMap<(PeerId, PeerId), Way>,
    happenings: Vec<(Instant, PeerId, PeerId, Happening)>,
    /// Messages and their bytes, from one to another.
    pub(crate) carried: BTreeMap<(PeerId, PeerId), (usize, usize)>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            people: BTreeMap::new(),
            ways: BTreeMap::new(),
            happenings: Vec::new(),
            carried: BTreeMap::new(),
        }
    }

    pub(crate) fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut room = Self::new();
        numbers.into_iter().for_each(|number| room.join(id(number)));
        room.run(Duration::from_secs(1));
        room
    }

    /// Somebody comes, and is connected with everybody who is there.
    pub(crate) fn join(&mut self, peer: PeerId) {
        self.enter(peer);
        let others: Vec<_> = self.people.keys().copied().filter(|other| *other != peer).collect();
        others.into_iter().for_each(|other| self.connect(peer, other));
    }

    /// Somebody comes, and is not connected yet.
    pub(crate) fn enter(&mut self, peer: PeerId) {
        let person = Person {
            chat: Chat::new(peer),
            shown: BTreeMap::new(),
            news: 0,
            unsent: BTreeMap::new(),
        };
        let others: Vec<_> = self.people.keys().copied().collect();
        self.people.insert(peer, person);
        for other in others {
            self.tell(peer, Input::Joined { peer: other, name: name(other) });
            self.tell(other, Input::Joined { peer, name: name(peer) });
        }
    }

    pub(crate) fn leave(&mut self, peer: PeerId) {
        self.people.remove(&peer);
        let others: Vec<_> = self.people.keys().copied().collect();
        for other in others {
            self.disconnect(peer, other);
            self.tell(other, Input::Left(peer));
        }
    }

    /// A new channel.
    pub(crate) fn connect(&mut self, a: PeerId, b: PeerId) {
        self.connect_with_lag(a, b, DELAY);
    }

    /// A new channel, whose end at `a` is open so much later than the one at `b`.
    pub(crate) fn connect_with_lag(&mut self, a: PeerId, b: PeerId, lag: Duration) {
        self.disconnect(a, b);
        for (from, to) in [(a, b), (b, a)] {
            let open_at = if to == a { self.now + lag } else { self.now };
            let messages = VecDeque::new();
            self.ways.insert((from, to), Way { open_at, held_until: self.now, messages });
            self.happenings.push((open_at, to, from, Happening::Opened));
        }
    }

    /// The connection is gone with everything on it.
    pub(crate) fn disconnect(&mut self, a: PeerId, b: PeerId) {
        self.happenings.retain(|(_, to, from, _)| !([a, b].contains(to) && [a, b].contains(from)));
        for (from, to) in [(a, b), (b, a)] {
            if self.ways.remove(&(from, to)).is_some() && self.people.contains_key(&to) {
                self.tell(to, Input::Closed(from));
                self.people.get_mut(&to).unwrap().unsent.remove(&from);
            }
        }
    }

    /// Nothing arrives for a while, from `a` at `b` and the other way round; nothing is lost.
    pub(crate) fn hold(&mut self, a: PeerId, b: PeerId, time: Duration) {
        for pair in [(a, b), (b, a)] {
            if let Some(way) = self.ways.get_mut(&pair) {
                way.held_until = self.now + time;
            }
        }
    }

    pub(crate) fn say(&mut self, peer: PeerId, text: &str) {
        self.people.get_mut(&peer).unwrap().chat.say(self.now, text).unwrap();
        self.collect(peer);
    }

    pub(crate) fn tell(&mut self, peer: PeerId, input: Input) {
        let now = self.now;
        self.people.get_mut(&peer).unwrap().chat.handle(now, input);
        self.collect(peer);
    }

    /// Whether a channel goes from `a` to `b`.
    pub(crate) fn are_connected(&self, a: PeerId, b: PeerId) -> bool {
        self.ways.contains_key(&(a, b))
    }

    /// The texts on somebody's screen, from top to bottom.
    pub(crate) fn texts(&self, peer: PeerId) -> Vec<&str> {
        self.lines(peer).into_iter().map(|line| line.text.as_str()).collect()
    }

    /// The lines on somebody's screen, likewise.
    pub(crate) fn lines(&self, peer: PeerId) -> Vec<&ChatLine> {
        let mut lines: Vec<_> = self.people[&peer].shown.values().collect();
        lines.sort_by_key(|line| line.order());
        lines
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.move_messages();
            let timeouts = self.people.values().filter_map(|person| person.chat.poll_timeout());
            let happenings = self.happenings.iter().map(|(at, ..)| *at);
            let arrivals = self
                .ways
                .values()
                .filter_map(|way| way.messages.front().map(|(at, _)| (*at).max(way.held_until)));
            let next = timeouts.chain(happenings).chain(arrivals).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.happen();
            self.move_messages();
            let due: Vec<_> = self.people.keys().copied().collect();
            for peer in due {
                let now = self.now;
                let chat = &mut self.people.get_mut(&peer).unwrap().chat;
                if chat.poll_timeout().is_some_and(|at| at <= now) {
                    chat.handle_timeout(now);
                    self.collect(peer);
                    let again = self.people[&peer].chat.poll_timeout();
                    assert!(again.is_none_or(|at| at > now), "{peer} does not sleep");
                }
            }
        }
        self.now = end;
    }

    fn happen(&mut self) {
        let now = self.now;
        let (due, later) = self.happenings.drain(..).partition(|(at, ..)| *at <= now);
        self.happenings = later;
        let mut due: Vec<_> = due;
        due.sort_by_key(|(at, ..)| *at);
        for (_, to, from, happening) in due {
            match happening {
                Happening::Opened => self.tell(to, Input::Opened(from)),
                Happening::Sent => {
                    *self.people.get_mut(&to).unwrap().unsent.entry(from).or_default() -= 1;
                    self.tell(to, Input::Sent(from));
                }
                Happening::Arrived(message) => self.tell(to, Input::Heard(from, message)),
            }
        }
    }

    fn move_messages(&mut self) {
        let mut arrived = Vec::new();
        for (&(from, to), way) in &mut self.ways {
            if self.now < way.held_until {
                continue;
            }
            while way.messages.front().is_some_and(|(at, _)| *at <= self.now) {
                let (at, message) = way.messages.pop_front().unwrap();
                // As the library loses what comes together with the opening.
                if at > way.open_at {
                    arrived.push((from, to, message));
                }
            }
        }
        for (from, to, message) in arrived {
            self.happenings.push((self.now, to, from, Happening::Arrived(message)));
        }
        if self.happenings.iter().any(|(at, ..)| *at <= self.now) {
            self.happen();
        }
    }

    fn collect(&mut self, peer: PeerId) {
        let now = self.now;
        loop {
            let person = self.people.get_mut(&peer).unwrap();
            match person.chat.poll() {
                Some(Output::Send(to, message)) => {
                    let unsent = person.unsent.entry(to).or_default();
                    *unsent += 1;
                    assert!(*unsent <= CHAT_WINDOW);
                    let carried = self.carried.entry((peer, to)).or_default();
                    carried.0 += 1;
                    carried.1 += serde_json::to_string(&message).unwrap().len();
                    let way = self.ways.get_mut(&(peer, to)).expect("an open channel");
                    way.messages.push_back((now + DELAY, message));
                    self.happenings.push((now + HANDED_ON, peer, to, Happening::Sent));
                }
                Some(Output::Show(line)) => {
                    person.news += usize::from(!person.shown.contains_key(&line.id));
                    person.shown.insert(line.id, line);
                }
                None => return,
            }
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }
}

pub(crate) fn name(peer: PeerId) -> String {
    format!("Number {peer}")
}

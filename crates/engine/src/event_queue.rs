//! The way of the events to whoever shows them, who may be slow.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Event;

/// Events that may wait. People come and go a few times a minute, so only a listener that is stuck
/// fills this; the oldest event then goes.
const CAPACITY: usize = 1024;

pub(crate) fn channel() -> (EventSender, EventReceiver) {
    let shared = Arc::new(Shared::default());
    (EventSender(Arc::clone(&shared)), EventReceiver(shared))
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<VecDeque<Event>>,
    closed: AtomicBool,
    changed: Notify,
}

/// The actor's end. Never blocks.
#[derive(Debug)]
pub(crate) struct EventSender(Arc<Shared>);

impl EventSender {
    /// Of levels, figures and rosters only the newest is kept; everything else in order.
    pub(crate) fn send(&self, event: Event) {
        if self.0.closed.load(Ordering::Acquire) {
            return;
        }
        let mut events = self.0.events.lock();
        if is_snapshot(&event) {
            let kind = mem::discriminant(&event);
            events.retain(|waiting| mem::discriminant(waiting) != kind);
        }
        if events.len() == CAPACITY {
            tracing::error!("nobody takes the events: the oldest was dropped");
            events.pop_front();
        }
        events.push_back(event);
        drop(events);
        self.0.changed.notify_one();
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.changed.notify_one();
    }
}

/// Where the events come out. Dropping it is fine: they are then thrown away.
#[derive(Debug)]
pub struct EventReceiver(Arc<Shared>);

impl EventReceiver {
    /// The next event; `None` after the engine's end. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            // Read before the queue: the last event is put in before the engine closes it.
            let closed = self.0.closed.load(Ordering::Acquire);
            if let Some(event) = self.0.events.lock().pop_front() {
                return Some(event);
            }
            if closed {
                return None;
            }
            self.0.changed.notified().await;
        }
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.events.lock().clear();
    }
}

/// Each says everything that the ones before said.
fn is_snapshot(event: &Event) -> bool {
    matches!(event, Event::Levels { .. } | Event::Stats(_) | Event::Roster(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_gets_every_event_but_only_the_newest_snapshot() {
        let (sender, mut receiver) = channel();
        for own in [0.1, 0.2] {
            sender.send(Event::Levels { own, peers: Vec::new() });
            sender.send(Event::Signalling { online: own > 0.15 });
        }
        drop(sender);
        assert_eq!(receiver.recv().await, Some(Event::Signalling { online: false }));
        assert_eq!(receiver.recv().await, Some(Event::Levels { own: 0.2, peers: Vec::new() }));
        assert_eq!(receiver.recv().await, Some(Event::Signalling { online: true }));
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn a_stuck_listener_costs_the_oldest_events() {
        let (sender, mut receiver) = channel();
        sender.send(Event::RosterUnknown);
        for _ in 0..CAPACITY {
            sender.send(Event::Signalling { online: true });
        }
        assert_eq!(receiver.recv().await, Some(Event::Signalling { online: true }));
    }
}

//! Figures for `GET /metrics`, in Prometheus' text format 0.0.4.
//!
//! Counters only, written by whoever knows: nothing says who is in which room. What is there now is
//! asked of the hub's task when somebody looks, which also shows that it still answers.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use quartet_proto::{ErrorCode, ServerMessage};

use crate::{hub::Census, relay::RelayFigures};

/// What has happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// WebSockets that were opened.
    pub(crate) sockets: AtomicU64,
    /// HTTP connections that an address had too many of.
    pub(crate) http_refused: AtomicU64,
    /// HTTP connections that made room for newer ones.
    pub(crate) http_displaced: AtomicU64,
    /// WebSockets that were not even told why.
    pub(crate) turned_away: AtomicU64,
    /// Messages that clients brought, taken and dropped.
    pub(crate) messages_in: AtomicU64,
    /// Messages that were queued for clients.
    pub(crate) messages_out: AtomicU64,
    /// Clients that were cut off because they do not read, or flood.
    pub(crate) cut_off: AtomicU64,
    /// Seats taken, and taken again.
    pub(crate) welcomes: AtomicU64,
    /// Microseconds that the hub's task worked.
    pub(crate) busy_micros: AtomicU64,
    /// Of the relay, if there is one.
    pub(crate) relay: Mutex<Option<RelayFigures>>,
    refusals: [AtomicU64; CODES.len()],
}

/// Every code, in the order of [`Metrics::refusals`].
const CODES: &[(ErrorCode, &str)] = &[
    (ErrorCode::BadMessage, "bad_message"),
    (ErrorCode::TooLarge, "too_large"),
    (ErrorCode::RateLimited, "rate_limited"),
    (ErrorCode::UnsupportedVersion, "unsupported_version"),
    (ErrorCode::NotJoined, "not_joined"),
    (ErrorCode::AlreadyJoined, "already_joined"),
    (ErrorCode::RoomFull, "room_full"),
    (ErrorCode::RoomLocked, "room_locked"),
    (ErrorCode::Refused, "refused"),
    (ErrorCode::Removed, "removed"),
    (ErrorCode::InvalidName, "invalid_name"),
    (ErrorCode::UnknownPeer, "unknown_peer"),
    (ErrorCode::Replaced, "replaced"),
    (ErrorCode::ServerFull, "server_full"),
    (ErrorCode::Unavailable, "unavailable"),
    (ErrorCode::AddressLimited, "address_limited"),
    (ErrorCode::ShuttingDown, "shutting_down"),
];

impl Metrics {
    /// One more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// A message is on its way to a client.
    pub(crate) fn sent(&self, message: &ServerMessage) {
        Self::count(&self.messages_out);
        match message {
            ServerMessage::Welcome { .. } => Self::count(&self.welcomes),
            ServerMessage::Error { code, .. } => {
                let known = CODES.iter().zip(&self.refusals).find(|((known, _), _)| known == code);
                if let Some((_, counter)) = known {
                    Self::count(counter);
                }
            }
            _ => {}
        }
    }

    /// The page. Without a census it has what has been counted only.
    pub(crate) fn page(&self, census: Option<&Census>) -> String {
        let mut page = Page::default();
        if let Some(census) = census {
            page.one("connections", "gauge", "Open WebSockets.", census.connections as u64);
            page.one("watchers", "gauge", "People looking into a room.", census.watchers as u64);
            page.one("participants", "gauge", "People in rooms.", census.participants as u64);
            page.one(
                "away",
                "gauge",
                "Of the people in rooms, those whose connection is lost and may come back.",
                census.away as u64,
            );
            page.one(
                "rooms",
                "gauge",
                "Rooms with somebody in or before them.",
                census.rooms as u64,
            );
        }
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        page.one("connections_total", "counter", "WebSockets opened.", read(&self.sockets));
        page.one("welcomes_total", "counter", "Seats taken, also again.", read(&self.welcomes));
        let text = "Messages from clients.";
        page.one("messages_received_total", "counter", text, read(&self.messages_in));
        let text = "Messages to clients.";
        page.one("messages_sent_total", "counter", text, read(&self.messages_out));
        page.head("refusals_total", "counter", "Errors said to clients.");
        for ((_, code), counter) in CODES.iter().zip(&self.refusals) {
            page.line(&format!("refusals_total{{code=\"{code}\"}}"), read(counter));
        }
        let text = "Clients cut off because they do not read, or send without end.";
        page.one("cut_off_total", "counter", text, read(&self.cut_off));
        let text = "HTTP connections closed because their address had too many.";
        page.one("http_refused_total", "counter", text, read(&self.http_refused));
        let text = "HTTP connections closed early to make room for newer ones.";
        page.one("http_displaced_total", "counter", text, read(&self.http_displaced));
        let text = "WebSockets turned away without a word.";
        page.one("turned_away_total", "counter", text, read(&self.turned_away));
        page.head(
            "hub_busy_seconds_total",
            "counter",
            "Time that the one task with the rules worked.",
        );
        let micros = read(&self.busy_micros);
        page.line(
            "hub_busy_seconds_total",
            format_args!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
        );
        if let Some(relay) = *self.relay.lock() {
            page.relay(&relay);
        }
        page.0
    }
}

/// A page that is being written. Writing to a string cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP quartet_{name} {help}\n# TYPE quartet_{name} {kind}");
    }

    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "quartet_{name} {value}");
    }

    fn relay(&mut self, relay: &RelayFigures) {
        self.one("relay_allocations", "gauge", "Relayed ends.", relay.allocations);
        self.one("relay_allocations_total", "counter", "Relayed ends made.", relay.allocated);
        let text = "Requests that the relay answered with an error.";
        self.one("relay_refusals_total", "counter", text, relay.refused);
        self.one("relay_bytes_total", "counter", "Bytes relayed, both ways.", relay.bytes);
        let text = "Datagrams not relayed: over a limit, or without permission.";
        self.one("relay_dropped_total", "counter", text, relay.dropped);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_under_its_word() {
        let metrics = Metrics::default();
        let said = serde_json::from_value::<ErrorCode>("?".into()).unwrap_err().to_string();
        let (_, known) = said.split_once("expected ").unwrap();
        let words: Vec<_> = known.split('`').skip(1).step_by(2).collect();
        assert!(words.len() > 10);
        for word in words {
            let code = serde_json::from_value(word.into()).unwrap();
            metrics.sent(&ServerMessage::Error { code, message: String::new() });
            let line = format!("\nquartet_refusals_total{{code=\"{word}\"}} 1\n");
            assert!(metrics.page(None).contains(&line), "{word}");
        }
    }

    #[test]
    fn the_page_is_in_the_format() {
        let census = Census { connections: 7, watchers: 1, participants: 4, away: 1, rooms: 2 };
        let metrics = Metrics::default();
        metrics.busy_micros.store(1_000_500, Relaxed);
        assert!(!metrics.page(None).contains("relay"), "there is none");
        *metrics.relay.lock() = Some(RelayFigures { bytes: 9, ..RelayFigures::default() });
        let page = metrics.page(Some(&census));
        let mut typed = std::collections::BTreeSet::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(typed.insert(rest.split_once(' ').unwrap().0), "{line}");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(typed.contains(series.split('{').next().unwrap()), "{line}");
                value.parse::<f64>().unwrap();
            }
        }
        assert!(page.contains("\nquartet_connections 7\n"));
        assert!(page.contains("\nquartet_hub_busy_seconds_total 1.000500\n"));
        assert!(page.contains("\nquartet_relay_bytes_total 9\n"));
    }
}

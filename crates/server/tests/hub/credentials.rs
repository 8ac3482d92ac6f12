//! Credentials for TURN: with the welcome, and again before they end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quartet_proto::{ClientMessage, IceServer, ServerMessage, limits::PING_INTERVAL};
use quartet_server::{ConnId, Hub, HubConfig, Input, Output, TurnCredentials};

use crate::bench::{A, B, hello, join, key_of, room};

const TTL: Duration = Duration::from_secs(600);
/// Some day.
const DAY: Duration = Duration::from_secs(1_800_000_000);

struct Bench {
    hub: Hub,
    begin: Instant,
    elapsed: Duration,
    present: Vec<ConnId>,
}

impl Bench {
    fn new() -> Self {
        let urls = vec!["turn:turn.example.org".to_owned()];
        let turn = Some(TurnCredentials::new("secret", urls, TTL));
        let ice_servers = vec!["stun:stun.example.org".parse().unwrap()];
        let mut hub = Hub::new(HubConfig { turn, ice_servers, ..HubConfig::default() });
        let begin = Instant::now();
        hub.set_clock(begin, UNIX_EPOCH + DAY);
        Self { hub, begin, elapsed: Duration::ZERO, present: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.begin + self.elapsed
    }

    fn say(&mut self, conn: ConnId, message: ClientMessage) {
        self.hub.handle(self.now(), conn, Input::Message(message));
    }

    fn join(&mut self, conn: ConnId) {
        self.hub.handle(self.now(), conn, Input::Connected);
        self.say(conn, hello());
        self.say(conn, join(room(1), key_of(conn)));
        self.present.push(conn);
    }

    /// Lets time pass with signs of life; gives back who got which servers meanwhile, and when.
    fn servers_within(&mut self, time: Duration) -> Vec<(Duration, ConnId, Vec<IceServer>)> {
        let end = self.elapsed + time;
        let mut found = Vec::new();
        loop {
            while let Some(output) = self.hub.poll() {
                if let Output::Send(
                    conn,
                    ServerMessage::Welcome { ice_servers, .. }
                    | ServerMessage::IceServers { ice_servers },
                ) = output
                {
                    found.push((self.elapsed, conn, ice_servers));
                }
            }
            if self.elapsed >= end {
                return found;
            }
            self.elapsed += PING_INTERVAL;
            for conn in self.present.clone() {
                self.say(conn, ClientMessage::Ping { nonce: 0 });
            }
            self.hub.handle_timeout(self.now());
        }
    }
}

/// When credentials end, in time since [`DAY`].
fn end(servers: &[IceServer]) -> Duration {
    let [stun, turn] = servers else { panic!("{} servers", servers.len()) };
    assert_eq!((&stun.username, &stun.credential), (&None, &None));
    let (end, _) = turn.username.as_ref().unwrap().split_once(':').unwrap();
    assert!(turn.credential.as_ref().is_some_and(|credential| credential.len() == 28));
    Duration::from_secs(end.parse().unwrap()) - DAY
}

#[test]
fn a_member_always_holds_credentials_that_are_good_for_half_their_life() {
    let mut bench = Bench::new();
    bench.join(A);
    let mut held = None;
    for _ in 0..1_000 {
        for (at, conn, servers) in bench.servers_within(PING_INTERVAL) {
            assert_eq!(conn, A);
            assert_eq!(end(&servers), at + TTL);
            held = Some(end(&servers));
        }
        let left = held.expect("with the welcome") - bench.elapsed;
        assert!(left + PING_INTERVAL >= TTL / 2, "{left:?} left");
    }
}

#[test]
fn each_member_gets_its_own_and_no_more_often_than_need_be() {
    let mut bench = Bench::new();
    bench.join(A);
    bench.servers_within(TTL / 4);
    bench.join(B);
    let found = bench.servers_within(TTL);
    let count = |conn| found.iter().filter(|(_, to, _)| *to == conn).count();
    // A half and a whole life after joining; the welcome, and a half and a whole life.
    assert_eq!((count(A), count(B)), (2, 3));
    let name = |conn| {
        let (_, _, servers) = found.iter().find(|(_, to, _)| *to == conn).unwrap();
        servers[1].username.as_ref().unwrap().split_once(':').unwrap().1.to_owned()
    };
    assert_ne!(name(A), name(B));
}

#[test]
fn who_is_away_is_not_waited_for_and_gets_fresh_ones_on_coming_back() {
    let mut bench = Bench::new();
    bench.join(A);
    bench.join(B);
    bench.servers_within(TTL / 2 - PING_INTERVAL);
    bench.hub.handle(bench.now(), A, Input::Disconnected);
    bench.present.retain(|conn| *conn != A);
    let found = bench.servers_within(PING_INTERVAL * 2);
    assert_eq!(found.iter().map(|(_, conn, _)| *conn).collect::<Vec<_>>(), [B]);
    bench.join(A);
    let found = bench.servers_within(PING_INTERVAL);
    assert_eq!(found.len(), 1);
    assert!(end(&found[0].2) >= bench.elapsed + TTL - PING_INTERVAL);
}

#[test]
fn a_clock_that_is_set_counts_from_then_on() {
    let mut bench = Bench::new();
    let hour = Duration::from_secs(3600);
    bench.hub.set_clock(bench.now(), UNIX_EPOCH + DAY + hour);
    bench.join(A);
    let found = bench.servers_within(Duration::ZERO);
    assert_eq!(end(&found[0].2), hour + TTL);
    // Before the beginning of all dates, too.
    bench.hub.set_clock(bench.now(), SystemTime::UNIX_EPOCH - hour);
    bench.join(B);
    let found = bench.servers_within(Duration::ZERO);
    assert_eq!(found.len(), 1);
}

#[test]
fn without_a_date_there_are_none() {
    let urls = vec!["turn:turn.example.org".to_owned()];
    let turn = Some(TurnCredentials::new("secret", urls, TTL));
    let mut bench = Bench::new();
    bench.hub = Hub::new(HubConfig { turn, ..HubConfig::default() });
    bench.join(A);
    let found = bench.servers_within(Duration::ZERO);
    assert_eq!(found, [(Duration::ZERO, A, vec![])]);
}

//! How much of a file may be under way to somebody, so that it takes what the path has to spare and
//! nobody who speaks waits behind it.
//!
//! A window in bytes, governed by the delay of the path alone: the other side says when what came
//! ([`FilesMessage::Ack`](quartet_proto::FilesMessage)), and what the one-way delay is above its
//! least of late is a queue. The window settles where a queue of [`TARGET`] stands (the equation of
//! FAST TCP, Wei et al. 2006; the idea of RFC 6817). The media's controller reacts to longer queues
//! than this one makes, so pictures find the room that they need; what it calls congestion halves
//! the window besides.
//!
//! The acknowledgements clock the sending, so that packets leave as the path takes them. What the
//! transport beneath (SCTP) does about losses is its own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The queue that is made on the path: well below what a voice notices, above the jitter of a busy
/// machine.
const TARGET: Duration = Duration::from_millis(4);
/// Two packets: nothing would be learnt from less.
const LEAST: u64 = 2_400;
/// What the transport beneath begins with (RFC 9260 §7.2.1): more would wait there, and look like a
/// queue.
const BEGIN: u64 = 4_200;
/// What the other side's transport takes: 100 Mbit/s at 300 ms.
const MOST: u64 = MAX_WINDOW_BYTES;
/// See [`MOST`].
pub const MAX_WINDOW_BYTES: u64 = 4 * 1024 * 1024;
/// A decision takes a round trip, and at least this long: enough samples that one of them was not
/// held up by a busy machine.
const ROUND: Duration = Duration::from_millis(40);
/// A round changes the window to at most so many times itself, and at least the other.
const GROWTH: f64 = 1.25;
const SHRINKING: f64 = 0.5;
/// The path's own delay is looked for so often, by letting the queue run empty: else the own queue
/// would be taken for the path.
const LOOK_INTERVAL: Duration = Duration::from_secs(8);
/// The part of the window that is left for a round then, beyond what the queue takes.
const LOOK: f64 = 0.85;
/// The least delay counts for this long: longer than [`LOOK_INTERVAL`], shorter than clocks take to
/// drift apart by [`TARGET`].
const LEAST_FOR: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub struct SendWindow {
    window: f64,
    sent: u64,
    acked: u64,
    /// The ends of messages that are under way, and when they left.
    under_way: VecDeque<(u64, Instant)>,
    /// What times are counted from.
    origin: Instant,
    /// Before the first sign of a queue, the window grows with every acknowledgement.
    starting: bool,
    /// The least delay of this period and the one before: in microseconds, and only differences mean
    /// anything, for the clocks are two.
    least: [Option<i64>; 2],
    least_since: Instant,
    rtt: Option<Duration>,
    round: Round,
    look_at: Instant,
}

/// What a round has shown so far.
#[derive(Debug, Clone, Copy)]
struct Round {
    began: Instant,
    /// It is over when this much is acknowledged.
    until: u64,
    /// Acknowledged when it began.
    from: u64,
    /// The least delay in it.
    delay: Option<i64>,
    /// Less could be sent than there was.
    full: bool,
    congested: bool,
    /// The queue runs empty.
    looking: bool,
}

impl SendWindow {
    /// Of a new channel.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            window: BEGIN as f64,
            sent: 0,
            acked: 0,
            under_way: VecDeque::new(),
            origin: now,
            starting: true,
            least: [None; 2],
            least_since: now,
            rtt: None,
            round: Round {
                began: now,
                until: 0,
                from: 0,
                delay: None,
                full: false,
                congested: false,
                looking: false,
            },
            look_at: now + LOOK_INTERVAL,
        }
    }

    /// Bytes that may be sent now, in one message; 0 when it has to wait for an acknowledgement.
    #[must_use]
    pub fn room(&mut self) -> usize {
        let room = (self.window as u64).saturating_sub(self.sent - self.acked);
        // A message for a sixteenth of the window at least: small ones cost time, large ones a burst.
        let piece = (self.window as u64 / 16).clamp(LEAST / 2, 32 * 1024);
        if room < piece.min(LEAST / 2) || (room < piece && self.sent > self.acked) {
            self.round.full = true;
            return 0;
        }
        usize::try_from(room.min(piece)).unwrap_or(0)
    }

    /// A message has left.
    pub fn on_sent(&mut self, now: Instant, bytes: usize) {
        self.sent += bytes as u64;
        self.under_way.push_back((self.sent, now));
    }

    /// The other side has got so much in all, the last of it at `at` µs of its clock. What cannot be
    /// true is ignored.
    pub fn on_ack(&mut self, now: Instant, bytes: u64, at: u64) {
        if bytes <= self.acked || bytes > self.sent {
            return;
        }
        let mut left = None;
        while let Some((end, sent)) = self.under_way.front().copied().filter(|it| it.0 <= bytes) {
            self.under_way.pop_front();
            left = Some((end, sent));
        }
        let acked = bytes - self.acked;
        self.acked = bytes;
        if let Some((_, left)) = left {
            let rtt = now.saturating_duration_since(left);
            self.rtt = Some(self.rtt.map_or(rtt, |before| before.min(rtt)));
            let arrival = i64::try_from(at).unwrap_or(i64::MAX);
            let departure = left.saturating_duration_since(self.origin).as_micros();
            let delay = arrival.saturating_sub(i64::try_from(departure).unwrap_or(i64::MAX));
            self.learn(now, delay);
        }
        if self.starting {
            self.window = (self.window + acked as f64 / 2.0).min(MOST as f64);
        }
        let over = now.saturating_duration_since(self.round.began) >= ROUND;
        if over && self.acked >= self.round.until {
            self.decide(now);
        }
    }

    /// The media's own controller sees a queue growing.
    pub fn on_congestion(&mut self) {
        self.round.congested = true;
    }

    fn learn(&mut self, now: Instant, delay: i64) {
        if now.saturating_duration_since(self.least_since) >= LEAST_FOR / 2 {
            self.least = [None, self.least[0]];
            self.least_since = now;
            self.rtt = None;
        }
        self.least[0] = Some(self.least[0].map_or(delay, |least| least.min(delay)));
        self.round.delay = Some(self.round.delay.map_or(delay, |least| least.min(delay)));
    }

    fn decide(&mut self, now: Instant) {
        let round = self.round;
        let least = self.least.iter().flatten().min();
        let queue = match (round.delay, least) {
            (Some(delay), Some(least)) => (delay - least).max(0) as f64 / 1e6,
            _ => 0.0,
        };
        let time = now.saturating_duration_since(round.began).as_secs_f64();
        let rate = (self.acked - round.from) as f64 / time.max(1e-3);
        // What the path takes without a queue, from what has come out of it.
        let base = self.rtt.map_or(0.0, |rtt| rtt.as_secs_f64()).max(1e-3);
        let target = TARGET.as_secs_f64();
        if queue >= target || round.congested {
            self.starting = false;
        }
        if !self.starting {
            let emptied = self.window * base / (base + queue);
            let wanted = (self.window + emptied + rate * target) / 2.0;
            // What was not used says nothing about more.
            let most = if round.full { self.window * GROWTH } else { self.window };
            self.window = wanted.clamp(self.window * SHRINKING, most);
            if round.congested {
                self.window *= SHRINKING;
            }
        }
        let looking = !self.starting && now >= self.look_at;
        if round.looking {
            // Back from it: the queue was meant to be empty.
            self.window /= LOOK;
        }
        if looking {
            self.look_at = now + LOOK_INTERVAL;
            self.window *= LOOK;
        }
        self.window = self.window.clamp(LEAST as f64, MOST as f64);
        self.round = Round {
            began: now,
            until: self.sent,
            from: self.acked,
            delay: None,
            full: false,
            congested: false,
            looking,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path of so many bytes a second and a buffer without end, in virtual time; gives the bytes
    /// that came after `warm`, and the longest and mean queue since then.
    fn run(bytes_per_second: f64, rtt: Duration, seconds: u64, warm: u64) -> (f64, f64, f64) {
        let begin = Instant::now();
        let mut window = SendWindow::new(begin);
        let (mut free_at, mut now) = (begin, begin);
        let mut arrivals: VecDeque<(Instant, u64, u64)> = VecDeque::new();
        let (mut sent, mut came, mut longest, mut sum, mut count) = (0, 0.0, 0.0_f64, 0.0, 0.0);
        let warm = begin + Duration::from_secs(warm);
        while now < begin + Duration::from_secs(seconds) {
            while let Some((at, bytes, arrival)) =
                arrivals.front().copied().filter(|it| it.0 <= now)
            {
                arrivals.pop_front();
                window.on_ack(at, bytes, arrival);
            }
            loop {
                let room = window.room();
                if room == 0 {
                    break;
                }
                window.on_sent(now, room);
                sent += room as u64;
                let queue = free_at.saturating_duration_since(now);
                free_at =
                    free_at.max(now) + Duration::from_secs_f64(room as f64 / bytes_per_second);
                let there = free_at + rtt / 2;
                // The clock of the other side is another one.
                let arrival = (there - begin).as_micros() as u64 + 5_000_000;
                arrivals.push_back((there + rtt / 2, sent, arrival));
                if now > warm {
                    came += room as f64;
                    longest = longest.max(queue.as_secs_f64());
                    sum += queue.as_secs_f64();
                    count += 1.0;
                }
            }
            now = arrivals.front().map_or(now + Duration::from_millis(1), |it| it.0.max(now));
        }
        let time = (now - warm).as_secs_f64();
        (came / time / bytes_per_second, longest, sum / count)
    }

    #[test]
    fn it_fills_a_path_without_a_queue_that_a_voice_would_notice() {
        for (mbit, rtt) in [(100.0, 100), (100.0, 4), (20.0, 40), (5.0, 100), (1.0, 50)] {
            let (used, longest, mean) = run(mbit * 125_000.0, Duration::from_millis(rtt), 60, 5);
            println!("{mbit} Mbit/s, {rtt} ms: {used:.3} used, {longest:.4} s, mean {mean:.4} s");
            assert!(used > 0.88, "{mbit} Mbit/s, {rtt} ms: {used}");
            // A piece is a queue by itself on a slow line.
            let packet = 1_200.0 / (mbit * 125_000.0);
            assert!(mean < 0.010 + packet, "{mbit} Mbit/s, {rtt} ms: {mean}");
        }
    }

    #[test]
    fn congestion_that_the_media_sees_makes_room() {
        let now = Instant::now();
        let mut window = SendWindow::new(now);
        window.on_sent(now, 4_000);
        window.on_congestion();
        window.on_ack(now + Duration::from_millis(50), 4_000, 0);
        assert!(window.window < 4_200.0 && window.window >= LEAST as f64, "{}", window.window);
    }

    #[test]
    fn an_acknowledgement_that_cannot_be_changes_nothing() {
        let now = Instant::now();
        let mut window = SendWindow::new(now);
        window.on_sent(now, 1_000);
        for (bytes, at) in [(0, 0), (1_001, u64::MAX), (u64::MAX, u64::MAX)] {
            window.on_ack(now, bytes, at);
            assert_eq!((window.acked, window.window), (0, BEGIN as f64));
        }
        window.on_ack(now, 1_000, u64::MAX);
        assert_eq!(window.acked, 1_000);
    }
}

//! The laboratory's scenarios with a voice alone: the same files, the same paths, the copies that
//! are chosen by the measured losses, and pictures only as what fills a narrow line.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::{
    RtpPacket,
    red::{self, RedWriter, Redundancy},
};
use quartet_testkit::network::{Direction, Path, PathConfig, Person, Scenario};

use crate::call::*;

const OPUS: u8 = 111;
/// RTP, its extensions, SRTP, UDP and IP.
const OVERHEAD: usize = 62;
/// A voice at 32 kbit/s; the call's decoder knows a packet by its first eight bytes.
const VOICE: usize = 80;
/// A packet of a picture.
const PICTURE: usize = 1_200;
/// How often the losses are reported, and how long after.
const REPORTS: Duration = Duration::from_millis(100);
/// Until a congestion controller has noticed that a line became narrower, on a path of 50 ms …
const NOTICED: Duration = Duration::from_millis(150);
/// … and until the queue that came of it is gone, for which it sends next to nothing.
const DRAINED: Duration = Duration::from_millis(800);

fn scenarios() -> Vec<Scenario> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/scenarios");
    let mut files: Vec<_> =
        folder.read_dir().expect("scenarios").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("a text");
        Scenario::parse(&name, &text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    files.iter().filter(|file| file.extension().is_some_and(|e| e == "toml")).map(read).collect()
}

/// Somebody's link is worse than merely long.
fn is_bad(scenario: &Scenario) -> bool {
    let bad = |config: &PathConfig| {
        *config != PathConfig { delay: config.delay, queue: config.queue, ..PathConfig::default() }
    };
    scenario.people.iter().take(2).any(|person| {
        let later = person.steps.iter().flat_map(|step| [&step.up, &step.down]).flatten();
        [&person.up, &person.down].into_iter().chain(later).any(bad)
    })
}

enum Traffic {
    Voice(RtpPacket),
    Picture,
}

/// From one person to another.
struct Way<'a> {
    ends: [(&'a Person, Direction); 2],
    paths: [Path<Traffic>; 2],
    start: Instant,
}

impl<'a> Way<'a> {
    fn new(from: &'a Person, to: &'a Person, seed: u64, start: Instant) -> Self {
        let ends = [(from, Direction::Up), (to, Direction::Down)];
        let path = |n: usize| {
            let (person, direction) = ends[n];
            let config = person.path_at(direction, Duration::ZERO).clone();
            Path::new(config, seed * 2 + n as u64)
        };
        Self { ends, paths: [path(0), path(1)], start }
    }

    fn configs(&self, at: Duration) -> impl Iterator<Item = &PathConfig> {
        self.ends.iter().map(move |(person, direction)| person.path_at(*direction, at))
    }

    /// The narrowest line, bits a second.
    fn rate(&self, at: Duration) -> Option<u64> {
        self.configs(at).filter_map(|config| config.rate).min()
    }

    /// What pictures take of it: what a voice with two copies leaves.
    fn pictures(&self, at: Duration) -> Option<f64> {
        const MOST: f64 = 2_500_000.0;
        const VOICES: f64 = 125_000.0;
        let rate = self.rate(at)?;
        let before = |time: Duration| self.rate(at.saturating_sub(time)).unwrap_or(rate);
        let share = |rate: u64| (0.95 * rate as f64 - VOICES).clamp(20_000.0, MOST);
        Some(if before(NOTICED) > rate {
            share(before(NOTICED))
        } else if before(DRAINED) > rate {
            0.1 * rate as f64
        } else {
            share(rate)
        })
    }

    fn follow(&mut self, at: Duration) {
        let now = self.start + at;
        for ((person, direction), path) in self.ends.iter().zip(&mut self.paths) {
            let config = person.path_at(*direction, at);
            if path.config() != config {
                path.set_config(now, config.clone());
            }
        }
    }

    fn push(&mut self, at: Duration, bytes: usize, traffic: Traffic) {
        self.paths[0].push(self.start + at, bytes, traffic);
    }

    /// When something arrives somewhere next.
    fn next(&self) -> Duration {
        let next = self.paths.iter().filter_map(Path::poll_timeout).min();
        next.map_or(Duration::MAX, |next| next - self.start)
    }

    fn poll(&mut self, at: Duration) -> Vec<RtpPacket> {
        let now = self.start + at;
        let [up, down] = &mut self.paths;
        while let Some(traffic) = up.poll(now) {
            let bytes = match &traffic {
                Traffic::Voice(packet) => packet.payload.len() + OVERHEAD,
                Traffic::Picture => PICTURE,
            };
            down.push(now, bytes, traffic);
        }
        let arrived = std::iter::from_fn(|| down.poll(now));
        arrived.filter_map(|t| if let Traffic::Voice(v) = t { Some(v) } else { None }).collect()
    }
}

struct Outcome {
    /// Shares.
    concealed: f64,
    worst_second: f64,
    /// From the first sample of a packet, less than the way.
    delay: Duration,
    /// Per packet.
    copies: f64,
}

fn run(scenario: &Scenario, from: &Person, to: &Person, seed: u64) -> Outcome {
    let mut call = Call::new(true);
    let mut way = Way::new(from, to, seed, call.start);
    let (mut writer, mut redundancy) = (RedWriter::new(OPUS), Redundancy::new());
    let (mut pictures_next, mut report_next) = (Duration::ZERO, REPORTS);
    // The newest packet that came, how many came, and both as they were last reported.
    let (mut newest, mut came, mut reported, mut copies) = (0_u32, 0_u32, (0, 0), 0);
    while let Some(at) = [
        Duration::from_millis(20) * call.sent as u32,
        Duration::from_secs_f64(call.next_pull),
        way.next(),
        pictures_next,
        report_next,
    ]
    .into_iter()
    .min()
    .filter(|at| *at < scenario.duration.min(Duration::from_secs(120)))
    {
        way.follow(at);
        for packet in way.poll(at) {
            came += 1;
            newest = newest.max(u32::from(packet.sequence.wrapping_sub(call.first.sequence)));
            let packets = red::unpack(&packet, OPUS).expect("as it was written");
            packets.into_iter().for_each(|packet| call.buffer.push(call.start + at, packet));
        }
        if at >= Duration::from_millis(20) * call.sent as u32 {
            let packet = call.packet(call.sent);
            let mut payload = packet.payload.to_vec();
            payload.resize(VOICE, 0);
            let payload = Bytes::from(payload);
            let payload = writer.write(packet.timestamp, &payload, redundancy.copies());
            copies += redundancy.copies();
            way.push(at, payload.len() + OVERHEAD, Traffic::Voice(RtpPacket { payload, ..packet }));
            call.sent += 1;
        }
        if at >= Duration::from_secs_f64(call.next_pull) {
            call.pull(at);
            call.next_pull += 0.01;
        }
        if at >= pictures_next {
            let rate = way.pictures(at);
            rate.iter().for_each(|_| way.push(at, PICTURE, Traffic::Picture));
            pictures_next = rate.map_or(at + REPORTS, |rate| {
                at + Duration::from_secs_f64(PICTURE as f64 * 8.0 / rate)
            });
        }
        if at >= report_next {
            let before = std::mem::replace(&mut reported, (newest, came));
            let expected = newest - before.0;
            redundancy.report(call.start + at, expected, expected.saturating_sub(came - before.1));
            report_next = at + REPORTS;
        }
    }
    let stats = call.buffer.stats();
    Outcome {
        concealed: share(stats.concealed, stats.played),
        worst_second: call.worst_second(scenario.warm_up).as_secs_f64(),
        delay: call.median_delay(scenario.duration.min(Duration::from_secs(120)) / 2),
        copies: copies as f64 / call.sent as f64,
    }
}

#[test]
fn voices_meet_the_goals_of_the_laboratory() {
    let mut judged = 0;
    let all = scenarios();
    for scenario in all.iter().filter(|scenario| !scenario.only_by_name && is_bad(scenario)) {
        let [ann, bob, ..] = &scenario.people[..] else { panic!("two at least") };
        for (seed, from, to) in [(1, ann, bob), (2, bob, ann), (3, ann, bob), (4, bob, ann)] {
            let Outcome { concealed, worst_second, delay, copies } = run(scenario, from, to, seed);
            let (way, percent) = (format!("{} to {}", from.name, to.name), concealed * 100.0);
            let name = &scenario.name;
            println!(
                "{name}, {way}, seed {seed}: {percent:.2} % concealed, {worst_second:.2} s in the \
                 worst second, {delay:?}, {copies:.2} copies"
            );
            let most = scenario.goals.concealed_percent;
            assert!(most.is_none_or(|most| percent <= most), "{name}: {percent}");
            judged += usize::from(most.is_some());
        }
    }
    assert!(judged > 0, "goals for voices are in some of the files");
}

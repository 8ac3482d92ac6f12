//! A call over a bad path in virtual time: a sender that does as the estimate says, a receiver that
//! reports every so often, and what an onlooker sees.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use fastrand::Rng;
use quartet_core::{
    LinkEstimate,
    congestion::{CongestionConfig, CongestionController, PacketReport, Probe, ProbeId},
};
use quartet_testkit::network::{Path, PathConfig};

/// The simulation goes in steps of this.
const STEP: Duration = Duration::from_millis(1);
/// Voice: 32 kbit/s of Opus and the RTP header, every 20 ms; twice when the line loses packets.
const VOICE_EVERY: Duration = Duration::from_millis(20);
const VOICE_BYTES: usize = 80 + HEADERS;
const PICTURE_BYTES: usize = 1150;
/// RTP with its extensions, the SRTP tag, UDP and IP.
const HEADERS: usize = 20 + 10 + 28;
const FPS: u32 = 30;
/// The pacer sends media by this much faster than the estimate.
const PACING: f64 = 1.3;
/// A picture is left out when the pacer has so much to send already.
const LONGEST_WAIT: f64 = 0.15;

/// How the call is.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) there: Vec<(Duration, PathConfig)>,
    pub(crate) back: Vec<(Duration, PathConfig)>,
    /// How often the receiver reports.
    pub(crate) feedback: Duration,
    /// The most that the picture takes, bit/s, from these times on.
    pub(crate) picture: Vec<(Duration, f64)>,
    /// Nothing at all is sent from the first of these times to the second.
    pub(crate) still: Option<(Duration, Duration)>,
    /// What the application says that it would send, bit/s, from these times on.
    pub(crate) wanted: Vec<(Duration, f64)>,
    pub(crate) seed: u64,
}

impl Setup {
    pub(crate) fn new(path: PathConfig, seed: u64) -> Self {
        let back = PathConfig { delay: path.delay, loss: path.loss, ..PathConfig::default() };
        Self {
            there: vec![(Duration::ZERO, path)],
            back: vec![(Duration::ZERO, back)],
            feedback: Duration::from_millis(50),
            picture: vec![(Duration::ZERO, 2_500_000.0)],
            still: None,
            wanted: Vec::new(),
            seed,
        }
    }

    pub(crate) fn then(mut self, at: f64, path: PathConfig) -> Self {
        self.there.push((Duration::from_secs_f64(at), path));
        self
    }
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    id: u64,
    size: usize,
    departure: Instant,
    probe: Option<ProbeId>,
}

/// What an onlooker sees in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) estimate: LinkEstimate,
    /// How long a packet waits for the line.
    pub(crate) queue: Duration,
    /// Bits put in and given out so far, as the path counts them.
    pub(crate) sent: f64,
    pub(crate) delivered: f64,
    pub(crate) pushed: u64,
    pub(crate) dropped: u64,
}

/// One direction of a call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) controller: CongestionController,
    rng: Rng,
    now: Instant,
    began: Instant,
    setup: Setup,
    back: Path<Vec<(u64, Option<Duration>)>>,
    history: BTreeMap<u64, Packet>,
    next_id: u64,
    waiting: VecDeque<usize>,
    next_voice: Instant,
    next_picture: Instant,
    /// When the pacer may send again.
    next_send: Instant,
    probe: Option<(Probe, usize, usize, Instant)>,
    received: BTreeMap<u64, Duration>,
    reported: u64,
    highest: Option<u64>,
    late: Vec<u64>,
    next_report: Instant,
    sent_bits: f64,
    delivered_bits: f64,
    pushed: u64,
}

impl Call {
    pub(crate) fn new(now: Instant, setup: Setup) -> Self {
        let back = Path::new(setup.back[0].1.clone(), setup.seed ^ 0x5eed);
        Self {
            controller: CongestionController::new(now, CongestionConfig::default()),
            rng: Rng::with_seed(setup.seed),
            now,
            began: now,
            back,
            history: BTreeMap::new(),
            next_id: 0,
            waiting: VecDeque::new(),
            next_voice: now,
            next_picture: now,
            next_send: now,
            probe: None,
            received: BTreeMap::new(),
            reported: 0,
            highest: None,
            late: Vec::new(),
            next_report: now + setup.feedback,
            sent_bits: 0.0,
            delivered_bits: 0.0,
            pushed: 0,
            setup,
        }
    }

    /// One step of the sender and the receiver, over a path that others may share.
    pub(crate) fn step(&mut self, now: Instant, tag: u32, there: &mut Path<(u32, Shared)>) {
        self.now = now;
        let at = now - self.began;
        if let Some((_, wanted)) =
            self.setup.wanted.iter().take_while(|(from, _)| *from <= at).last()
        {
            self.controller.set_wanted(now, *wanted as u64);
        }
        self.make_media();
        if let Some(probe) = self.controller.poll_probe() {
            self.probe = Some((probe, 0, 0, now));
        }
        self.send(tag, there);
        self.report();
        while let Some(feedback) = self.back.poll(now) {
            self.take_feedback(&feedback);
        }
        if self.controller.poll_timeout().is_some_and(|at| at <= now) {
            self.controller.handle_timeout(now);
            assert!(
                self.controller.poll_timeout().is_none_or(|at| at > now),
                "a time-out that does not move is a busy loop"
            );
        }
    }

    pub(crate) fn set_back(&mut self, config: PathConfig) {
        self.back.set_config(self.now, config);
    }

    fn make_media(&mut self) {
        let estimate = self.controller.estimate();
        let at = self.now - self.began;
        if self.setup.still.is_some_and(|(from, to)| at >= from && at < to) {
            self.waiting.clear();
            self.next_voice = self.now;
            self.next_picture = self.now;
            return;
        }
        if self.now >= self.next_voice {
            self.next_voice += VOICE_EVERY;
            let copies = usize::from(estimate.loss > 0.03) + usize::from(estimate.loss > 0.12);
            self.waiting.push_front(VOICE_BYTES + 80 * copies);
        }
        if self.now >= self.next_picture {
            self.next_picture += Duration::from_secs(1) / FPS;
            let from_now = self.setup.picture.iter().take_while(|(from, _)| *from <= at);
            let most = from_now.last().map_or(0.0, |(_, most)| *most);
            let voice = (VOICE_BYTES * 8 * 50) as f64;
            let rate = ((estimate.bitrate_bps as f64 - voice) * 0.95).max(0.0).min(most);
            let uneven = 0.6 + 0.8 * self.rng.f64();
            let bytes = (rate / f64::from(FPS) / 8.0 * uneven) as usize;
            let waits = self.waiting.iter().sum::<usize>() as f64 * 8.0
                / (estimate.bitrate_bps as f64 * PACING);
            if bytes > 200 && waits < LONGEST_WAIT {
                let pieces = bytes.div_ceil(PICTURE_BYTES);
                for _ in 0..pieces {
                    self.waiting.push_back(bytes / pieces + HEADERS);
                }
            }
        }
    }

    fn send(&mut self, tag: u32, there: &mut Path<(u32, Shared)>) {
        while self.now >= self.next_send {
            let (rate, probe) = match &mut self.probe {
                Some((probe, bytes, packets, since)) => {
                    let over = *bytes >= probe.bytes && *packets >= probe.packets;
                    if over || self.now - *since > Duration::from_millis(300) {
                        self.probe = None;
                        continue;
                    }
                    (probe.rate_bps as f64, Some(probe.id))
                }
                None => (self.controller.estimate().bitrate_bps as f64 * PACING, None),
            };
            let size = match (self.waiting.pop_front(), probe) {
                (Some(size), _) => size,
                (None, Some(_)) => PICTURE_BYTES + HEADERS,
                (None, None) => return,
            };
            if let Some((_, bytes, packets, _)) = &mut self.probe {
                *bytes += size;
                *packets += 1;
            }
            let from = self.next_send.max(self.now - STEP);
            self.next_send = from + Duration::from_secs_f64(size as f64 * 8.0 / rate);
            let packet = Packet { id: self.next_id, size, departure: self.now, probe };
            self.next_id += 1;
            self.history.insert(packet.id, packet);
            if self.history.len() > 4000 {
                self.history.pop_first();
            }
            self.controller.on_sent(self.now, size);
            self.sent_bits += size as f64 * 8.0;
            self.pushed += 1;
            there.push(self.now, size, (tag, Shared { id: packet.id, size }));
        }
    }

    pub(crate) fn arrive(&mut self, now: Instant, packet: Shared) {
        self.delivered_bits += (packet.size) as f64 * 8.0;
        // The receiver's clock shows something else.
        let at = now - self.began + Duration::from_secs(777);
        // In units of 250 µs, as on the wire.
        let at = Duration::from_micros(at.as_micros() as u64 / 250 * 250);
        self.received.insert(packet.id, at);
        if packet.id < self.reported {
            self.late.push(packet.id);
        }
        self.highest = Some(self.highest.map_or(packet.id, |highest| highest.max(packet.id)));
    }

    fn report(&mut self) {
        if self.now < self.next_report {
            return;
        }
        self.next_report += self.setup.feedback;
        let Some(highest) = self.highest else { return };
        let mut feedback: Vec<_> =
            self.late.drain(..).map(|id| (id, self.received.get(&id).copied())).collect();
        feedback.extend((self.reported..=highest).map(|id| (id, self.received.get(&id).copied())));
        self.reported = highest + 1;
        while self.received.len() > 2000 {
            self.received.pop_first();
        }
        if !feedback.is_empty() {
            self.back.push(self.now, 60 + 3 * feedback.len(), feedback);
        }
    }

    fn take_feedback(&mut self, feedback: &[(u64, Option<Duration>)]) {
        let reports: Vec<_> = feedback
            .iter()
            .filter_map(|(id, arrival)| {
                let packet = self.history.get(id)?;
                Some(PacketReport {
                    id: *id,
                    departure: packet.departure,
                    arrival: *arrival,
                    size: packet.size,
                    arrived: arrival.is_some(),
                    probe: packet.probe,
                })
            })
            .collect();
        self.controller.on_reports(self.now, &reports);
    }

    pub(crate) fn sample(&self, there: &mut Path<(u32, Shared)>) -> Sample {
        Sample {
            estimate: self.controller.estimate(),
            queue: there.queue_delay(self.now),
            sent: self.sent_bits,
            delivered: self.delivered_bits,
            pushed: self.pushed,
            dropped: there.counts().dropped,
        }
    }
}

/// What travels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    id: u64,
    size: usize,
}

/// What was seen in each millisecond.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) samples: Vec<Sample>,
    pub(crate) seed: u64,
}

impl Record {
    fn at(&self, seconds: f64) -> &Sample {
        &self.samples[((seconds * 1000.0) as usize).min(self.samples.len() - 1)]
    }

    /// Mean of what was delivered, bit/s, as the path counts.
    pub(crate) fn delivered(&self, from: f64, to: f64) -> f64 {
        (self.at(to).delivered - self.at(from).delivered) / (to - from)
    }

    pub(crate) fn range(&self, from: f64, to: f64) -> &[Sample] {
        let end = ((to * 1000.0) as usize).min(self.samples.len());
        &self.samples[(from * 1000.0) as usize..end]
    }

    /// The longest queue, ms.
    pub(crate) fn longest_queue(&self, from: f64, to: f64) -> f64 {
        self.range(from, to).iter().map(|s| s.queue.as_secs_f64() * 1000.0).fold(0.0, f64::max)
    }

    /// Mean of the estimate, bit/s.
    pub(crate) fn estimate(&self, from: f64, to: f64) -> f64 {
        let range = self.range(from, to);
        range.iter().map(|s| s.estimate.bitrate_bps as f64).sum::<f64>() / range.len() as f64
    }

    /// How long after `from` the estimate first is at least so much, s.
    pub(crate) fn reaches_after(&self, from: f64, bps: f64) -> f64 {
        let found = self.range(from, f64::INFINITY).iter();
        let mut found = found.map(|s| s.estimate.bitrate_bps as f64);
        found.position(|rate| rate >= bps).map_or(99.0, |at| at as f64 / 1000.0)
    }

    /// The least that was planned with, bit/s.
    pub(crate) fn least_settled(&self, from: f64, to: f64) -> f64 {
        self.range(from, to)
            .iter()
            .map(|s| s.estimate.settled_bps as f64)
            .fold(f64::INFINITY, f64::min)
    }

    /// The greatest loss in an estimate.
    pub(crate) fn told_loss(&self, from: f64, to: f64) -> f64 {
        self.range(from, to).iter().map(|s| f64::from(s.estimate.loss)).fold(0.0, f64::max)
    }

    /// The least estimate, bit/s.
    pub(crate) fn least_estimate(&self, from: f64, to: f64) -> f64 {
        self.range(from, to)
            .iter()
            .map(|s| s.estimate.bitrate_bps as f64)
            .fold(f64::INFINITY, f64::min)
    }

    /// When the estimate first is at least so much, s.
    pub(crate) fn reaches(&self, bps: f64) -> Option<f64> {
        let found = self.samples.iter().position(|s| s.estimate.bitrate_bps as f64 >= bps)?;
        Some(found as f64 / 1000.0)
    }

    /// Share of the packets that the full queue has dropped.
    pub(crate) fn dropped(&self, from: f64, to: f64) -> f64 {
        let (a, b) = (self.at(from), self.at(to));
        (b.dropped - a.dropped) as f64 / (b.pushed - a.pushed).max(1) as f64
    }

    /// For people, when something is wrong.
    pub(crate) fn table(&self, from: f64, to: f64, every: f64) -> String {
        let mut text =
            format!("seed {}\n   s   estimate      sent   arrived queue ms loss\n", self.seed);
        let mut at = from;
        while at + every <= to {
            let (a, b) = (self.at(at), self.at(at + every));
            text += &format!(
                "{:5.2} {:8.0} {:9.0} {:9.0} {:7.0} {:5.3} {}\n",
                at + every,
                b.estimate.bitrate_bps as f64 / 1e3,
                (b.sent - a.sent) / every / 1e3,
                (b.delivered - a.delivered) / every / 1e3,
                b.queue.as_secs_f64() * 1e3,
                b.estimate.loss,
                if b.estimate.congested { "congested" } else { "" },
            );
            at += every;
        }
        text
    }
}

/// Runs a call alone on its path.
pub(crate) fn run(setup: Setup, seconds: f64) -> Record {
    run_all(vec![setup], seconds).remove(0)
}

/// Runs calls that share the path of the first.
pub(crate) fn run_all(setups: Vec<Setup>, seconds: f64) -> Vec<Record> {
    let began = Instant::now();
    let there_steps = setups[0].there.clone();
    let mut there = Path::new(there_steps[0].1.clone(), setups[0].seed ^ 0xf00d);
    let mut records: Vec<_> =
        setups.iter().map(|s| Record { samples: Vec::new(), seed: s.seed }).collect();
    let mut calls: Vec<_> = setups.into_iter().map(|setup| Call::new(began, setup)).collect();
    let mut last = Duration::ZERO;
    for step in 0..(seconds * 1000.0) as u32 {
        let now = began + STEP * step;
        let at = now - began;
        for (_, config) in there_steps.iter().filter(|(when, _)| *when > last && *when <= at) {
            there.set_config(now, config.clone());
        }
        for call in &mut calls {
            let steps = call.setup.back.clone();
            for (_, config) in steps.iter().filter(|(when, _)| *when > last && *when <= at) {
                call.set_back(config.clone());
            }
        }
        last = at;
        for (tag, call) in calls.iter_mut().enumerate() {
            call.step(now, tag as u32, &mut there);
        }
        while let Some((tag, packet)) = there.poll(now) {
            calls[tag as usize].arrive(now, packet);
        }
        for (call, record) in calls.iter().zip(&mut records) {
            record.samples.push(call.sample(&mut there));
        }
    }
    records
}

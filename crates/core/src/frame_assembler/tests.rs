use proptest::prelude::*;

use super::*;
use crate::vp8::Packetizer;

const FRAME_TIME: Duration = Duration::from_millis(33);

/// Sends numbered pictures: the number stands behind the VP8 header.
struct Sender {
    packetizer: Packetizer,
    sequence: u16,
    count: u32,
}

impl Sender {
    fn new(sequence: u16) -> Self {
        Self { packetizer: Packetizer::new(0x7ff0, 106), sequence, count: 0 }
    }

    fn send(&mut self, key: bool, len: usize) -> Vec<RtpPacket> {
        self.send_layer(key, 0, len)
    }

    /// A picture of the upper layer.
    fn send_upper(&mut self, len: usize) -> Vec<RtpPacket> {
        self.send_layer(false, 1, len)
    }

    fn send_layer(&mut self, key: bool, temporal: u8, len: usize) -> Vec<RtpPacket> {
        let mut data = vec![0; len.max(14)];
        if key {
            data[..10].copy_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
        } else {
            data[0] = 0x11;
        }
        data[10..14].copy_from_slice(&self.count.to_be_bytes());
        let timestamp = self.count * 3000;
        self.count += 1;
        let frame =
            EncodedFrame { data: data.into(), key, width: 640, height: 360, timestamp, temporal };
        let payloads = self.packetizer.packetize(&frame);
        let last = payloads.len() - 1;
        let packets = payloads.into_iter().enumerate();
        packets.map(|(index, payload)| self.packet(timestamp, index == last, payload)).collect()
    }

    fn packet(&mut self, timestamp: u32, marker: bool, payload: Bytes) -> RtpPacket {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        RtpPacket { sequence, timestamp, marker, redundant: false, payload }
    }
}

fn number(frame: &EncodedFrame) -> u32 {
    u32::from_be_bytes(frame.data[10..14].try_into().unwrap())
}

fn assembler() -> FrameAssembler {
    FrameAssembler::new(AssemblerConfig::default())
}

fn push_all(assembler: &mut FrameAssembler, now: Instant, packets: &[RtpPacket]) {
    packets.iter().for_each(|packet| assembler.push(now, packet.clone()));
}

/// The numbers of the pictures that are out, and `None` for each wanted key frame.
fn drain(assembler: &mut FrameAssembler) -> Vec<Option<u32>> {
    std::iter::from_fn(|| assembler.poll())
        .filter_map(|output| match output {
            Assembled::Frame(frame) => Some(Some(number(&frame))),
            Assembled::KeyFrameWanted => Some(None),
            Assembled::Resend(_) => None,
        })
        .collect()
}

fn needed_wait(assembler: &FrameAssembler) -> Duration {
    assembler.repair_window().needed_wait()
}

#[test]
fn pictures_come_out_whole_with_the_size_of_the_last_key_frame() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    for (key, len) in [(true, 1000), (false, 20)] {
        let packets = sender.send(key, len);
        push_all(&mut assembler, now, &packets);
        let Some(Assembled::Frame(frame)) = assembler.poll() else { panic!("no picture") };
        assert_eq!((frame.data.len(), frame.key), (len, key));
        assert_eq!((frame.width, frame.height), (640, 360));
        assert_eq!(frame.timestamp, packets[0].timestamp);
    }
    assert_eq!(assembler.poll(), None);
    assert_eq!(assembler.poll_timeout(), None);
}

#[test]
fn reordered_and_doubled_packets_change_nothing_also_where_numbers_wrap() {
    let (mut sender, mut assembler, now) = (Sender::new(0xfffd), assembler(), Instant::now());
    let mut packets = sender.send(true, 500);
    packets.reverse();
    let mut later = sender.send(false, 300);
    later.extend(sender.send(false, 300));
    packets.extend(later.iter().rev().cloned());
    packets.extend(packets.clone());
    push_all(&mut assembler, now, &packets);
    assert_eq!(drain(&mut assembler), [Some(0), Some(1), Some(2)]);
}

#[test]
fn a_stream_joined_in_its_middle_asks_at_once() {
    let (mut sender, mut assembler, now) = (Sender::new(7), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [None]);
}

#[test]
fn a_key_frame_that_still_arrives_is_not_asked_for() {
    let (mut sender, mut assembler, mut now) = (Sender::new(7), assembler(), Instant::now());
    for packet in sender.send(true, 3000) {
        now += Duration::from_millis(100);
        assembler.push(now, packet);
        let timeout = assembler.poll_timeout();
        assert!(timeout.is_none_or(|at| at > now + Duration::from_millis(100)));
    }
    assert_eq!(drain(&mut assembler), [Some(0)]);
}

#[test]
fn a_repair_within_the_wait_loses_nothing() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    let mut broken = sender.send(false, 300);
    let lost = broken.remove(1);
    push_all(&mut assembler, now, &broken);
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(0)]);
    let deadline = now + needed_wait(&assembler);
    assembler.handle_timeout(deadline - Duration::from_millis(1));
    assembler.push(deadline - Duration::from_millis(1), lost);
    assert_eq!(drain(&mut assembler), [Some(1), Some(2)]);
}

#[test]
fn after_the_wait_only_a_key_frame_comes_out_and_is_asked_for_until_then() {
    let config = AssemblerConfig::default();
    let (mut sender, mut assembler, start) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, start, &sender.send(true, 300));
    sender.send(false, 300);
    push_all(&mut assembler, start, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(0)]);
    let mut now = start + needed_wait(&assembler);
    assembler.handle_timeout(now);
    assert_eq!(drain(&mut assembler), [None]);

    // A request that gets no answer is repeated, at its interval.
    let mut asked = Vec::new();
    for _ in 0..60 {
        now += FRAME_TIME;
        push_all(&mut assembler, now, &sender.send(false, 300));
        asked.extend(drain(&mut assembler).iter().map(|_| now));
    }
    assert_eq!(asked.len(), 3);
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= config.ask_interval));

    let number = sender.count;
    push_all(&mut assembler, now, &sender.send(true, 300));
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(number), Some(number + 1)]);
}

#[test]
fn a_sender_that_fell_silent_is_not_asked_for_ever() {
    let (mut sender, mut assembler, mut now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [None]);
    // Once more at most: packets have come since it was asked.
    for _ in 0..2 {
        now += AssemblerConfig::default().ask_interval;
        assembler.handle_timeout(now);
    }
    assert!(drain(&mut assembler).len() <= 1);
    assert_eq!(assembler.poll_timeout(), None);
}

#[test]
fn a_missing_picture_id_is_a_loss() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    // The number is used, the packets are not: a forwarder dropped a picture.
    let sequence = sender.sequence;
    sender.send(false, 300);
    sender.sequence = sequence;
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(0), None]);
}

#[test]
fn a_lost_upper_picture_is_passed_over_when_its_repair_would_come_too_late() {
    // All of it, its beginning, its end.
    for part in [0..4, 0..1, 3..4] {
        let (mut sender, mut assembler, now) = (Sender::new(0xfff8), assembler(), Instant::now());
        push_all(&mut assembler, now, &sender.send(true, 300));
        let mut upper = sender.send_upper(390);
        assert_eq!(upper.len(), 4);
        upper.drain(part);
        push_all(&mut assembler, now, &upper);
        push_all(&mut assembler, now, &sender.send(false, 300));
        push_all(&mut assembler, now, &sender.send_upper(300));
        assert_eq!(drain(&mut assembler), [Some(0)]);
        let wait = assembler.repair_window().droppable_wait();
        assembler.handle_timeout(now + wait - Duration::from_millis(1));
        assert_eq!(drain(&mut assembler), []);
        assembler.handle_timeout(now + wait);
        assert_eq!(drain(&mut assembler), [Some(2), Some(3)]);
    }
}

#[test]
fn no_key_frame_is_asked_for_because_of_upper_pictures() {
    let (mut sender, mut assembler, mut now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    let mut shown = drain(&mut assembler);
    for _ in 0..30 {
        now += FRAME_TIME;
        let upper = sender.send_upper(300);
        push_all(&mut assembler, now, &upper[1..]);
        now += FRAME_TIME;
        push_all(&mut assembler, now, &sender.send(false, 300));
        shown.extend(drain(&mut assembler));
    }
    assembler.handle_timeout(now + needed_wait(&assembler));
    shown.extend(drain(&mut assembler));
    let even: Vec<_> = (0..=30).map(|base| Some(base * 2)).collect();
    assert_eq!(shown, even);
}

#[test]
fn upper_pictures_of_a_lost_base_are_not_given_out() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    push_all(&mut assembler, now, &sender.send_upper(300));
    let lost = sender.send(false, 300);
    push_all(&mut assembler, now, &sender.send_upper(300));
    push_all(&mut assembler, now, &sender.send(false, 300));
    let just_before = now + needed_wait(&assembler) - Duration::from_millis(1);
    assembler.handle_timeout(just_before);
    assert_eq!(drain(&mut assembler), [Some(0), Some(1)]);
    push_all(&mut assembler, just_before, &lost);
    assert_eq!(drain(&mut assembler), [Some(2), Some(3), Some(4)]);
}

#[test]
fn a_whole_key_frame_ends_the_wait_for_what_came_before_it() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    sender.send(false, 300);
    sender.send(false, 300);
    push_all(&mut assembler, now, &sender.send(true, 300));
    assembler.handle_timeout(now + assembler.repair_window().droppable_wait());
    assert_eq!(drain(&mut assembler), [Some(0), Some(3)]);
}

/// With another descriptor in front: the required byte, then the extensions.
fn described(mut packets: Vec<RtpPacket>, descriptor: &[u8]) -> Vec<RtpPacket> {
    for packet in &mut packets {
        let (_, len) = PayloadDescriptor::parse(&packet.payload).unwrap();
        let start = packet.payload[0] & 0x10;
        let mut payload = descriptor.to_vec();
        payload[0] |= start;
        payload.extend_from_slice(&packet.payload[len..]);
        packet.payload = payload.into();
    }
    packets
}

#[test]
fn an_upper_picture_that_builds_on_a_lost_one_is_passed_over() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    // Three layers: base, 2, 1, 2; only the first after a base picture says Y.
    let mut send = |picture: u8, base: u8, layer: u8| {
        let packets = sender.send(picture == 0, 90);
        described(packets, &[0x80, 0xe0, picture, base, layer])
    };
    let (key, two, one, last, base) =
        (send(0, 9, 0x00), send(1, 9, 0xa0), send(2, 9, 0x40), send(3, 9, 0x80), send(4, 10, 0));
    let later = send(5, 10, 0x80);
    for packets in [&key, &one, &last, &base, &later] {
        push_all(&mut assembler, now, packets);
    }
    drop(two);
    assembler.handle_timeout(now + assembler.repair_window().droppable_wait());
    assert_eq!(drain(&mut assembler), [Some(0), Some(4), Some(5)]);
}

#[test]
fn a_picture_that_says_itself_that_none_builds_on_it_is_passed_over() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    let mut send = |picture: u8, required: u8| {
        let packets = sender.send(picture == 0, 300);
        described(packets, &[0x80 | required, 0x80, picture])
    };
    let (key, upper, base) = (send(0, 0), send(1, 0x20), send(2, 0));
    push_all(&mut assembler, now, &key);
    push_all(&mut assembler, now, &upper[1..]);
    push_all(&mut assembler, now, &base);
    assembler.handle_timeout(now + assembler.repair_window().droppable_wait());
    assert_eq!(drain(&mut assembler), [Some(0), Some(2)]);
}

#[test]
fn lost_packets_are_asked_for_until_their_pictures_are_settled() {
    let (mut sender, mut assembler, now) = (Sender::new(65_530), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 90));
    let lost = sender.sequence;
    sender.send_upper(90);
    push_all(&mut assembler, now, &sender.send(false, 90));
    let mut asked = Vec::new();
    while let Some(at) = assembler.poll_timeout() {
        assembler.handle_timeout(at);
        while let Some(output) = assembler.poll() {
            if let Assembled::Resend(sequences) = output {
                assert_eq!(sequences, [lost]);
                asked.push(at - now);
            }
        }
    }
    let window = assembler.repair_window();
    assert_eq!(asked[0], window.grace());
    assert!(asked.iter().all(|&at| at + window.answer() <= window.droppable_wait()), "{asked:?}");
}

#[test]
fn a_cut_leads_to_a_key_frame_at_once() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    for _ in 0..30 {
        sender.send(false, 300);
    }
    push_all(&mut assembler, now + Duration::from_secs(1), &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(0), None]);
}

#[test]
fn padding_between_and_inside_pictures_is_passed_over() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    let padding = sender.packet(0, false, Bytes::new());
    assembler.push(now, padding);
    push_all(&mut assembler, now, &sender.send(false, 300));
    assert_eq!(drain(&mut assembler), [Some(0), Some(1)]);
}

#[test]
fn a_sender_that_begins_anew_is_followed() {
    let (mut sender, mut assembler, now) = (Sender::new(40_000), assembler(), Instant::now());
    push_all(&mut assembler, now, &sender.send(true, 300));
    sender.sequence = 20_000;
    push_all(&mut assembler, now, &sender.send(false, 300));
    push_all(&mut assembler, now, &sender.send(true, 300));
    push_all(&mut assembler, now, &sender.send(false, 300));
    let frames: Vec<_> = drain(&mut assembler).into_iter().flatten().collect();
    assert_eq!(frames, [0, 2, 3]);
}

#[test]
fn a_key_frame_without_a_picture_is_skipped() {
    let (mut sender, mut assembler, now) = (Sender::new(0), assembler(), Instant::now());
    let mut broken = sender.send(true, 50);
    let mut payload = broken[0].payload.to_vec();
    // The start code stands behind the descriptor and the frame tag.
    payload[9] = 0;
    broken[0].payload = payload.into();
    push_all(&mut assembler, now, &broken);
    assert!(assembler.packets.is_empty());
    push_all(&mut assembler, now, &sender.send(false, 300));
    push_all(&mut assembler, now, &sender.send(true, 300));
    let frames: Vec<_> = drain(&mut assembler).into_iter().flatten().collect();
    assert_eq!(frames, [2]);
}

#[test]
fn what_is_held_back_is_bounded() {
    let config = AssemblerConfig { max_packets: 50, max_bytes: 3000, ..Default::default() };
    let (mut sender, now) = (Sender::new(0), Instant::now());
    let mut assembler = FrameAssembler::new(config);
    for _ in 0..100 {
        // Every picture without its first packet.
        push_all(&mut assembler, now, &sender.send(true, 500)[1..]);
        assert!(assembler.packets.len() <= config.max_packets);
        assert!(assembler.bytes <= config.max_bytes);
        assert!(assembler.newest.len() <= config.max_packets);
    }
    assert!(drain(&mut assembler).iter().all(Option::is_none));
    push_all(&mut assembler, now, &sender.send(true, 500));
    assert_eq!(drain(&mut assembler), [Some(100)]);
}

/// A network under a printed seed: loss with repair of some, delay, doubling.
struct Network {
    loss: f64,
    repaired: f64,
    max_delay_ms: u64,
    doubled: f64,
}

/// 20 s of pictures through `network`; key frames only where asked for. The numbers that came out.
fn run(seed: u64, network: &Network) -> (Vec<u32>, u32) {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let (mut sender, mut assembler) = (Sender::new(rng.u16(..)), assembler());
    let mut in_flight: BTreeMap<(Duration, u32), RtpPacket> = BTreeMap::new();
    let mut numbered = 0;
    let mut key_at = Some(Duration::ZERO);
    let mut shown: Vec<u32> = Vec::new();
    for tick in 0..20_000 {
        let time = Duration::from_millis(tick);
        let now = start + time;
        if tick % 33 == 0 {
            let key = key_at.take_if(|at| *at <= time).is_some();
            let len = if key { 2500 } else { rng.usize(14..600) };
            for packet in sender.send(key, len) {
                let copies = 1 + u32::from(rng.f64() < network.doubled);
                for _ in 0..copies {
                    let mut delay = rng.u64(0..=network.max_delay_ms);
                    if rng.f64() < network.loss {
                        if rng.f64() >= network.repaired {
                            continue;
                        }
                        delay += rng.u64(40..120);
                    }
                    numbered += 1;
                    let arrival = time + Duration::from_millis(delay);
                    in_flight.insert((arrival, numbered), packet.clone());
                }
            }
        }
        while let Some(entry) = in_flight.first_entry().filter(|entry| entry.key().0 <= time) {
            assembler.push(now, entry.remove());
        }
        if assembler.poll_timeout().is_some_and(|at| at <= now) {
            assembler.handle_timeout(now);
        }
        while let Some(output) = assembler.poll() {
            match output {
                Assembled::Frame(frame) => {
                    let next = shown.last().map_or(0, |last| last + 1);
                    let number = number(&frame);
                    let follows = if frame.key { number >= next } else { number == next };
                    assert!(follows && (frame.key || !shown.is_empty()), "{number} after {next}");
                    shown.push(number);
                }
                Assembled::KeyFrameWanted => {
                    key_at.get_or_insert(time + Duration::from_millis(50));
                }
                Assembled::Resend(_) => {}
            }
        }
        assert!(assembler.packets.len() <= assembler.config.max_packets);
    }
    (shown, sender.count)
}

#[test]
fn without_loss_every_picture_comes_out_in_order() {
    let network = Network { loss: 0.0, repaired: 0.0, max_delay_ms: 60, doubled: 0.2 };
    for seed in 0..20 {
        let (shown, sent) = run(seed, &network);
        assert!(shown.len() as u32 >= sent - 3, "{} of {sent}", shown.len());
        assert!(shown.iter().enumerate().all(|(index, &number)| index as u32 == number));
    }
}

#[test]
fn with_loss_what_comes_out_can_be_decoded_and_goes_on() {
    let network = Network { loss: 0.05, repaired: 0.9, max_delay_ms: 30, doubled: 0.05 };
    for seed in 100..140 {
        let (shown, sent) = run(seed, &network);
        assert!(shown.len() as u32 > sent / 2, "{} of {sent}", shown.len());
    }
}

proptest! {
    #[test]
    fn garbage_does_no_harm(
        packets in prop::collection::vec(
            (any::<u16>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..200,
        )
    ) {
        let config = AssemblerConfig { max_packets: 20, max_bytes: 400, ..Default::default() };
        let mut assembler = FrameAssembler::new(config);
        let mut now = Instant::now();
        let mut key_frame_came = false;
        for (sequence, timestamp, marker, payload) in packets {
            now += Duration::from_millis(10);
            assembler.push(now, RtpPacket { sequence, timestamp, marker, redundant: false, payload: payload.into() });
            assembler.handle_timeout(now);
            prop_assert!(assembler.packets.len() <= 20 && assembler.bytes <= 400);
            prop_assert!(assembler.newest.len() <= assembler.packets.len());
            while let Some(output) = assembler.poll() {
                if let Assembled::Frame(frame) = output {
                    key_frame_came |= frame.key;
                    prop_assert!(key_frame_came && frame.width > 0 && frame.height > 0);
                }
            }
        }
    }

    #[test]
    fn packets_that_contradict_one_another_do_no_harm(
        packets in prop::collection::vec(
            (0u16..60, 0u32..3, any::<bool>(), 0usize..15, 0u8..4, 0usize..3),
            0..300,
        )
    ) {
        // Plain, with picture ids, with the fields of layers, of base and upper pictures.
        const FORMS: [&[u8]; 15] = [
            &[0x10], &[0x00], &[0x11], &[0x90, 0x80, 1], &[0x80, 0x80, 2],
            &[0x90, 0x80, 0x80, 3], &[0x80, 0xf0, 0x80, 3, 1, 2], &[],
            &[0x90, 0xf0, 1, 1, 0x01], &[0x90, 0xf0, 2, 1, 0x61], &[0x80, 0xf0, 2, 1, 0x61],
            &[0x90, 0xf0, 3, 2, 0x01], &[0x80, 0xf0, 3, 2, 0x01], &[0x90, 0xf0, 4, 2, 0x41],
            &[0xb0, 0x80, 2],
        ];
        const DATA: [&[u8]; 3] =
            [&[0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0, 9], &[0x11, 5, 5], &[]];
        let mut assembler = assembler();
        let mut now = Instant::now();
        let mut key_frame_came = false;
        for (sequence, timestamp, marker, form, wait, data) in packets {
            now += Duration::from_millis(u64::from(wait) * 60);
            assembler.handle_timeout(now);
            let payload = [FORMS[form], DATA[data]].concat().into();
            assembler.push(now, RtpPacket { sequence, timestamp, marker, redundant: false, payload });
            prop_assert!(assembler.poll_timeout().is_none_or(|at| at > now));
            while let Some(output) = assembler.poll() {
                match output {
                    Assembled::Frame(frame) if frame.key => key_frame_came = true,
                    Assembled::Frame(_) => prop_assert!(key_frame_came),
                    // What follows may not build on what was lost.
                    Assembled::KeyFrameWanted => key_frame_came = false,
                    Assembled::Resend(_) => {}
                }
            }
        }
    }
}

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const OPUS: u8 = 111;

fn packet(sequence: u16, timestamp: u32, payload: Bytes) -> RtpPacket {
    RtpPacket { sequence, timestamp, marker: true, redundant: false, payload }
}

#[test]
fn the_wire_is_that_of_the_standard() {
    let copies = [(Bytes::from_static(b"old"), 1920), (Bytes::from_static(b"newer"), 960)];
    let wire = write(OPUS, &copies, b"now");
    let header = [0x80 | OPUS, 0x1e, 0, 3, 0x80 | OPUS, 0x0f, 0, 5, OPUS];
    assert_eq!(wire[..], [&header, b"oldnewernow".as_slice()].concat());
}

#[test]
fn packets_come_back_with_their_numbers_and_times() {
    let mut writer = RedWriter::new(OPUS);
    let sent: Vec<Bytes> = (0..5_u8).map(|n| Bytes::from(vec![n; 40])).collect();
    let mut last = Bytes::new();
    for (n, payload) in (0..).zip(&sent) {
        last = writer.write((u32::MAX - 1_000).wrapping_add(n * 960), payload, 2);
    }
    let timestamp = (u32::MAX - 1_000).wrapping_add(4 * 960);
    let packets = unpack(&packet(1, timestamp, last.clone()), OPUS).unwrap();
    let numbers: Vec<_> = packets.iter().map(|p| (p.sequence, p.redundant, p.marker)).collect();
    assert_eq!(numbers, [(1, false, true), (0, true, false), (u16::MAX, true, false)]);
    for (back, packet) in (0..).zip(&packets) {
        assert_eq!(packet.timestamp, timestamp.wrapping_sub(back * 960));
        assert_eq!(packet.payload, sent[4 - back as usize]);
    }
    assert_eq!(unpack(&packet(1, 0, last), OPUS + 1), None);
}

#[test]
fn copies_that_are_too_old_or_too_long_are_left_out_with_all_before_them() {
    let small = Bytes::from_static(b"small");
    let long = Bytes::from(vec![1; 1_023]);
    let count = |copies: &[(Bytes, u32)]| parse(&write(OPUS, copies, b"now")).unwrap().len() - 1;
    assert_eq!(count(&[(small.clone(), 1920), (small.clone(), 960)]), 2);
    assert_eq!(count(&[(small.clone(), 16_384), (small.clone(), 16_383)]), 1);
    assert_eq!(count(&[(small.clone(), 1920), (Bytes::new(), 960)]), 0);
    assert_eq!(count(&[(small.clone(), 1920), (Bytes::from(vec![1; 1_024]), 960)]), 0);
    assert_eq!(count(&[(small.clone(), 960), (small.clone(), 960)]), 1);
    assert_eq!(count(&[(small.clone(), 960), (small.clone(), 1920)]), 1);
    assert_eq!(count(&[(long.clone(), 1920), (long, 960)]), 1);
    let many: Vec<_> = (1..9).rev().map(|n| (small.clone(), n * 960)).collect();
    assert_eq!(count(&many), MAX_COPIES);
}

#[test]
fn malformed_payloads_are_no_packets() {
    let whole = write(OPUS, &[(Bytes::from_static(b"copy"), 960)], b"now");
    for length in 0..5 + 4 {
        assert_eq!(parse(&whole.slice(..length)), None, "{length}");
    }
    assert!(parse(&Bytes::from(vec![0xff; 1_000])).is_none());
    let many = [[0x80 | OPUS, 0, 4, 0].repeat(MAX_BLOCKS), vec![OPUS, 1]].concat();
    assert_eq!(parse(&many.into()), None);
    // A copy that says it is newer than the next ends what is believed; the content is kept.
    let lying = [0x80 | OPUS, 0x0f, 0, 1, 0x80 | OPUS, 0x1e, 0, 1, OPUS, 1, 2, 3];
    let packets = unpack(&packet(9, 0, Bytes::copy_from_slice(&lying)), OPUS).unwrap();
    assert_eq!(packets.len(), 2);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        ages in proptest::collection::vec(1..6_000_u32, 0..=MAX_COPIES),
        primary in proptest::collection::vec(any::<u8>(), 1..200),
        fill in any::<u8>(),
        length in 1..400_usize,
    ) {
        let mut age = 0;
        let mut copies: Vec<(Bytes, u32)> = ages
            .iter()
            .map(|step| {
                age += step;
                (Bytes::from(vec![fill; length]), age)
            })
            .collect();
        copies.reverse();
        let blocks = parse(&write(OPUS, &copies, &primary)).unwrap();
        let (last, read) = blocks.split_last().unwrap();
        prop_assert_eq!((&last.payload[..], last.offset), (&primary[..], 0));
        let read: Vec<_> = read.iter().map(|b| (b.payload.clone(), b.offset)).collect();
        prop_assert_eq!(read, copies);
    }

    #[test]
    fn whatever_comes_the_parts_are_parts_of_it(
        payload in proptest::collection::vec(any::<u8>(), 0..1_500),
        sequence in any::<u16>(),
        timestamp in any::<u32>(),
    ) {
        let payload = Bytes::from(payload);
        if let Some(blocks) = parse(&payload) {
            let total: usize = blocks.iter().map(|block| block.payload.len()).sum();
            prop_assert!(blocks.len() <= MAX_BLOCKS && total < payload.len());
        }
        for payload_type in [payload.first().map_or(0, |b| b & 0x7f), OPUS] {
            let packets = unpack(&packet(sequence, timestamp, payload.clone()), payload_type);
            for pair in packets.unwrap_or_default().windows(2) {
                prop_assert!(pair[1].redundant && !pair[1].payload.is_empty());
                prop_assert!(pair[0].timestamp.wrapping_sub(pair[1].timestamp) <= MAX_OFFSET);
            }
        }
    }
}

/// Reports every 100 ms of 5 voice and 40 picture packets.
fn settled(seed: u64, loss: f64, redundancy: &mut Redundancy, now: &mut Instant) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..300)
        .map(|_| {
            *now += Duration::from_millis(100);
            let lost = (0..45).filter(|_| random.f64() < loss).count();
            redundancy.report(*now, 45, lost as u32);
            redundancy.copies()
        })
        .collect()
}

#[test]
fn the_number_of_copies_follows_the_loss() {
    for seed in 1..=20 {
        let (mut redundancy, mut now) = (Redundancy::new(), Instant::now());
        for (loss, expected) in [(0.0, 0), (0.02, 1), (0.10, 2), (0.20, 2), (0.02, 1), (0.0, 0)] {
            let copies = settled(seed, loss, &mut redundancy, &mut now);
            let soon = copies.iter().position(|n| *n >= expected).unwrap();
            assert!(soon < 30, "seed {seed}, {loss}: after {soon} reports");
            assert_eq!(copies.last(), Some(&expected), "seed {seed}, {loss}");
        }
    }
}

#[test]
fn one_lost_packet_after_a_quiet_start_is_not_taken_for_a_bad_path() {
    let (mut redundancy, now) = (Redundancy::new(), Instant::now());
    redundancy.report(now, 2, 1);
    assert_eq!(redundancy.copies(), 0);
    redundancy.report(now, 1, 40);
    assert_eq!((redundancy.copies(), redundancy.loss()), (0, 0.0));
}

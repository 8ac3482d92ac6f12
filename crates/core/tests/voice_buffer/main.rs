//! One voice over simulated networks, under virtual time.

mod call;
mod losses;
mod pace;
mod scenarios;

use std::time::Duration;

use bytes::Bytes;
use quartet_core::RtpPacket;

use crate::call::*;

#[test]
fn a_steady_network_conceals_nothing_and_adds_little_delay() {
    let mut call = Call::new(true);
    let stats = call.run(60_000 * MS, &mut steady(30 * MS));
    assert_eq!((stats.lost, stats.discarded), (0, 0));
    assert_eq!((stats.concealed, stats.recovered), (Duration::ZERO, Duration::ZERO));
    assert!(stats.played > 59_900 * MS, "{stats:?}");
    assert!(call.delay(50_000 * MS) <= 30 * MS, "{:?}", call.delay(50_000 * MS));
    assert_eq!(steps(&call.sound), 0);
}

#[test]
fn jitter_is_absorbed_at_a_delay_of_its_own_size() {
    for seed in 1..=5 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut call = Call::new(false);
        let stats = call.run(60_000 * MS, &mut |_| Some(jitter(&mut random, 30 * MS)));
        let concealed = share(stats.concealed, stats.played);
        let delay = call.delay(50_000 * MS);
        println!("seed {seed}: {concealed:.4} concealed, {delay:?}, {stats:?}");
        assert!(concealed < 0.005, "seed {seed}: {concealed}");
        assert!(delay < 70 * MS, "seed {seed}: {delay:?}");
    }
}

#[test]
fn reordering_is_put_right() {
    for seed in 1..=5 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut call = Call::new(false);
        // One packet in ten is overtaken by one or two others.
        let stats = call
            .run(60_000 * MS, &mut |_| Some(if random.u8(..) < 25 { 75 * MS } else { 30 * MS }));
        let concealed = share(stats.concealed, stats.played);
        println!("seed {seed}: {concealed:.4} concealed, {:?}", call.delay(50_000 * MS));
        assert!(stats.lost <= 3, "only what is still on its way: {stats:?}");
        assert!(concealed < 0.005, "seed {seed}: {concealed}");
    }
}

#[test]
fn redundancy_replaces_most_of_what_is_lost() {
    for (percent, seed) in [(5, 1), (5, 2), (10, 3), (10, 4), (20, 5), (20, 6)] {
        let run = |redundancy| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut call = Call::new(redundancy);
            let stats = call.run(60_000 * MS, &mut |_| {
                let lost = random.u8(..100) < percent;
                (!lost).then(|| jitter(&mut random, 10 * MS))
            });
            (stats, call.delay(50_000 * MS))
        };
        let ((with, delay), (without, plain)) = (run(true), run(false));
        let (a, b) = (share(with.concealed, with.played), share(without.concealed, without.played));
        println!("{percent} % lost, seed {seed}: {a:.4} against {b:.4}; {delay:?}, {plain:?}");
        assert_eq!(with.lost, without.lost);
        assert!(a < 0.4 * b, "seed {seed}: {a} against {b}");
        let lost = f64::from(percent) / 100.0;
        assert!((0.7 * lost..1.5 * lost).contains(&b), "seed {seed}: {b}");
        assert!(delay < 90 * MS, "seed {seed}: {delay:?}");
    }
}

#[test]
fn a_burst_of_losses_fades_out_and_the_voice_comes_back() {
    let mut call = Call::new(true);
    let mut network = |at: Duration| {
        let lost = (5_000..5_400).contains(&at.as_millis());
        (!lost).then_some(30 * MS)
    };
    let stats = call.run(20_000 * MS, &mut network);
    assert_eq!(stats.lost, 20);
    let missing = stats.concealed + stats.recovered;
    assert!((350 * MS..460 * MS).contains(&missing), "{stats:?}");
    assert!(call.delay(5_000 * MS) < 40 * MS, "{:?}", call.delay(5_000 * MS));
    assert_eq!(steps(&call.sound[11 * 48_000..]), 0);
}

#[test]
fn a_spike_is_outlived_and_forgotten() {
    for hold in [150, 300, 800, 1_500] {
        let mut call = Call::new(false);
        // Everything sent in the meantime comes together at the end of it.
        let mut network = |at: Duration| {
            let until = 5_000 * MS + hold * MS;
            let held = if at > 5_000 * MS { until.saturating_sub(at) } else { Duration::ZERO };
            Some(30 * MS + held)
        };
        call.run((11_000 + hold) * MS, &mut network);
        let soon = call.delay(MS * 1_000);
        call.run(30_000 * MS, &mut network);
        let later = call.delay(5_000 * MS);
        println!("{hold} ms: {soon:?}, then {later:?}; {:?}", call.buffer.stats());
        assert!(later < 40 * MS, "{hold} ms: {later:?}");
        assert!(soon < 40 * MS, "{hold} ms: {soon:?}");
    }
}

#[test]
fn drifting_clocks_never_add_up() {
    for (sender, player) in [(200, 0), (-200, 0), (0, 200), (0, -200), (200, -200), (-200, 200)] {
        let mut random = fastrand::Rng::with_seed(9);
        let mut call = Call::new(false);
        call.sender_rate = 1.0 + f64::from(sender) * 1e-6;
        call.player_rate = 1.0 + f64::from(player) * 1e-6;
        // Ten minutes, in which 400 ppm are 240 ms.
        let stats = call.run(600_000 * MS, &mut |_| Some(jitter(&mut random, 5 * MS)));
        let delay = call.delay(60_000 * MS);
        println!("{sender} {player}: {delay:?} {stats:?}");
        assert!(delay < 45 * MS, "{sender}, {player} ppm: {delay:?}");
        assert!(stats.concealed < 100 * MS, "{sender}, {player} ppm: {stats:?}");
        assert_eq!(steps(&call.sound[10 * 48_000..]), 0, "{sender}, {player} ppm");
    }
}

#[test]
fn players_that_take_several_frames_at_once_are_served() {
    let mut call = Call::new(false);
    let mut now = Duration::ZERO;
    for index in 0..1_500 {
        call.buffer.push(call.start + now, call.packet(index));
        now += 20 * MS;
        // Two frames at once, as a sound card with periods of 20 ms takes them.
        call.pull(now - 5 * MS);
        call.pull(now - 5 * MS);
    }
    let stats = call.buffer.stats();
    assert!(stats.concealed <= 50 * MS, "{stats:?}");
    assert_eq!(steps(&call.sound[5 * 48_000..]), 0);
    assert!(call.delay(10_000 * MS) < 60 * MS);
}

#[test]
fn planned_silence_is_not_concealment() {
    for announced in [true, false] {
        let mut call = Call::new(true);
        let mut sequence = 100_u16;
        let mut played = Duration::ZERO;
        // Ends within a voice: what a silence was is known when it is over.
        for tick in 0..3_100_u64 {
            let now = 10 * MS * tick as u32;
            // Two seconds of voice, three of silence, all timestamps going on.
            if tick % 2 == 0 {
                let silent = tick % 500 >= 200;
                if !silent || (announced && tick % 500 == 200) {
                    let sample = tick * 480;
                    let payload = payload(if silent { SILENCE } else { sample });
                    let timestamp = sample as u32;
                    let packet =
                        RtpPacket { sequence, timestamp, marker: false, redundant: false, payload };
                    call.buffer.push(call.start + now, packet);
                    sequence += 1;
                    played += 20 * MS;
                }
            }
            call.pull(now + 3 * MS);
        }
        let stats = call.buffer.stats();
        println!("{stats:?}");
        assert_eq!((stats.lost, stats.discarded, stats.concealed), (0, 0, Duration::ZERO));
        assert!(stats.played >= played - 200 * MS && stats.played <= played + 200 * MS);
        assert!(call.delay(1_000 * MS) < 40 * MS);
    }
}

#[test]
fn a_restarted_source_is_heard_at_once() {
    // Both are random again; timestamps begin at 0 again; timestamps jump ahead.
    for (skipped, timestamp) in [(40_000, 123_456_789), (0, 0), (500, 2_000_000_000)] {
        let mut call = Call::new(true);
        call.first.sequence = 0;
        call.first.timestamp = 1_000_000;
        call.run(10_000 * MS, &mut steady(30 * MS));
        call.network.clear();
        let (from, before) = (call.sent, call.buffer.stats());
        call.first.sequence = skipped;
        call.first.timestamp = u32::wrapping_sub(timestamp, (from * PACKET as u64) as u32);
        let after = call.run(15_000 * MS, &mut steady(30 * MS));
        let played = after.played - before.played;
        println!("{skipped} {timestamp}: {played:?}, {after:?}");
        assert!(played > 4_800 * MS, "{played:?}");
        assert!(after.concealed < 250 * MS, "{after:?}");
        assert!(call.delay(1_000 * MS) < 40 * MS, "{:?}", call.delay(1_000 * MS));
    }
}

#[test]
fn another_connection_of_the_same_person_is_heard_at_once() {
    // Timestamps go on; sequence numbers begin anywhere, also a little behind the old ones.
    for step in [-3_000_i32, -2_000, -200, -100, -1, 50, 2_000, 5_000] {
        let mut call = Call::new(true);
        call.run(10_000 * MS, &mut steady(30 * MS));
        call.network.clear();
        call.first.sequence = call.first.sequence.wrapping_add(step as u16);
        let before = call.buffer.stats();
        // The new connection took 3 s to come up.
        let after = call.run(20_000 * MS, &mut |at| (at > 13_000 * MS).then_some(30 * MS));
        let (played, concealed) =
            (after.played - before.played, after.concealed - before.concealed);
        println!("{step}: {played:?} played, {concealed:?} of it concealed, {after:?}");
        assert!(played - concealed > 6_800 * MS, "{step}: {after:?}");
        assert!(call.delay(1_000 * MS) < 40 * MS, "{step}: {:?}", call.delay(1_000 * MS));
    }
}

#[test]
fn one_stray_packet_changes_nothing() {
    let mut call = Call::new(true);
    call.run(5_000 * MS, &mut steady(30 * MS));
    for (sequence, timestamp) in [(1, 2), (30_000, 0), (9, u32::MAX / 2)] {
        let stray =
            RtpPacket { sequence, timestamp, marker: false, redundant: false, payload: payload(0) };
        call.buffer.push(call.start + 5_000 * MS, stray);
    }
    let stats = call.run(10_000 * MS, &mut steady(30 * MS));
    assert_eq!((stats.discarded, stats.lost, stats.concealed), (3, 0, Duration::ZERO));
    assert_eq!(steps(&call.sound), 0);
}

#[test]
fn duplicates_and_stale_packets_are_played_once() {
    let mut call = Call::new(true);
    let mut copies = vec![];
    for index in 0..500 {
        let now = call.start + 20 * MS * index as u32;
        let packet = call.packet(index);
        call.buffer.push(now, packet.clone());
        call.buffer.push(now, packet.clone());
        copies.push(packet);
        if let Some(old) = copies.get((index as usize).wrapping_sub(50)) {
            call.buffer.push(now, old.clone());
        }
        call.pull(20 * MS * index as u32 + 2 * MS);
        call.pull(20 * MS * index as u32 + 12 * MS);
    }
    let stats = call.buffer.stats();
    assert_eq!((stats.packets, stats.lost, stats.discarded), (500, 0, 0));
    assert_eq!(steps(&call.sound), 0);
}

#[test]
fn whatever_comes_memory_is_bounded_and_sound_comes_out() {
    for seed in 1..=20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut call = Call::new(random.bool());
        let mut now = Duration::ZERO;
        for _ in 0..3_000 {
            for _ in 0..random.usize(..8) {
                let mut packet = call.packet(call.sent);
                call.sent += random.u64(..3);
                match random.u8(..20) {
                    0 => packet.sequence = random.u16(..),
                    1 => packet.timestamp = random.u32(..),
                    2 => (packet.sequence, packet.timestamp) = (random.u16(..), random.u32(..)),
                    3 => packet.payload = Bytes::from_static(b"?"),
                    4 => packet.timestamp = packet.timestamp.wrapping_add(random.u32(..5_000)),
                    _ => {}
                }
                call.buffer.push(call.start + now, packet);
            }
            now += MS * random.u32(..30);
            call.pull(now);
        }
        assert!(call.sound.iter().all(|x| x.is_finite()), "seed {seed}");
        let stats = call.buffer.stats();
        assert!(stats.played <= 30_100 * MS, "seed {seed}: {stats:?}");
    }
}

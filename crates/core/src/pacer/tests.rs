use super::*;

const MS: Duration = Duration::from_millis(1);
/// A full packet of a picture, on the path.
const PACKET: usize = 1_150;

/// A pacer whose beginning is over.
fn begun(now: Instant, rate_bps: u64) -> Pacer<u32> {
    let mut pacer = Pacer::new(rate_bps);
    pacer.push(now, Traffic::Video, FIRST_BYTES, 0);
    assert!(pacer.poll(now).is_some());
    pacer.free_at = Some(now);
    pacer
}

/// Lets everything go until `end`, waking only when it wants to be woken.
fn run(pacer: &mut Pacer<u32>, start: Instant, end: Instant) -> Vec<(Duration, Released<u32>)> {
    let mut now = start;
    let mut left = Vec::new();
    let mut woken = 0;
    loop {
        while let Some(released) = pacer.poll(now) {
            left.push((now - start, released));
        }
        let Some(next) = pacer.poll_timeout() else { return left };
        assert!(next > now, "a wake-up that is due already");
        woken += 1;
        assert!(woken < 10_000);
        if next > end {
            return left;
        }
        now = next;
    }
}

#[test]
fn a_long_picture_leaves_evenly_at_a_little_more_than_the_rate() {
    let start = Instant::now();
    let mut pacer = begun(start, 1_000_000);
    for number in 0..100 {
        pacer.push(start, Traffic::Video, PACKET, number);
    }
    let whole = pacer.queue_time(start, Traffic::Video);
    let left = run(&mut pacer, start, start + 10 * Duration::from_secs(1));
    assert_eq!(left.len(), 100);
    assert!(left.iter().map(|(_, released)| released.item).eq(0..100));
    let took = left[99].0;
    let due = Duration::from_secs_f64(99.0 * PACKET as f64 * 8.0 / 1.25e6);
    assert!(took <= due && took + SLACK + GRAIN >= due, "{took:?} for {due:?}");
    assert!(whole >= took && whole <= took + 2 * SLACK + GRAIN, "{whole:?}");
    for pair in left.windows(4) {
        assert!(pair[3].0 - pair[0].0 >= 15 * MS, "a burst: {pair:?}");
    }
    assert_eq!(pacer.queue_time(start + took, Traffic::Video), Duration::ZERO);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn a_voice_never_waits_however_full_the_queue_is() {
    let start = Instant::now();
    let mut pacer = begun(start, 60_000);
    for number in 0..1_000 {
        pacer.push(start, Traffic::Video, PACKET, number);
        pacer.push(start, Traffic::Repair, PACKET, number);
    }
    let mut now = start;
    for voice in 0..500 {
        while pacer.poll(now).is_some() {}
        now += 20 * MS;
        pacer.push(now, Traffic::Voice, 150, 10_000 + voice);
        assert_eq!(pacer.poll(now).map(|released| released.item), Some(10_000 + voice));
    }
}

#[test]
fn what_voices_take_pictures_do_not_get() {
    let start = Instant::now();
    let mut pacer = begun(start, 100_000);
    for number in 0..100 {
        pacer.push(start, Traffic::Video, PACKET, number);
    }
    let (mut voices, mut pictures) = (0, 0);
    for number in 0..250 {
        let now = start + number * 20 * MS;
        pacer.push(now, Traffic::Voice, 150, 1_000);
        for (_, released) in run(&mut pacer, now, now + 20 * MS) {
            if released.item == 1_000 {
                voices += 150;
            } else {
                pictures += PACKET;
            }
        }
    }
    let together = (voices + pictures) as f64 * 8.0 / 5.0;
    assert!((117_000.0..=128_000.0).contains(&together), "{together} bit/s");
}

#[test]
fn the_more_urgent_goes_first() {
    let start = Instant::now();
    let mut pacer = begun(start, 1_000_000);
    for (number, traffic) in
        [Traffic::Spare, Traffic::Video, Traffic::Repair, Traffic::Voice].into_iter().enumerate()
    {
        pacer.push(start, traffic, PACKET, number as u32);
    }
    let left = run(&mut pacer, start, start + 50 * MS);
    assert_eq!(left.iter().map(|(_, released)| released.item).collect::<Vec<_>>(), [3, 2, 1, 0]);
}

#[test]
fn the_first_picture_leaves_fast() {
    let start = Instant::now();
    let mut pacer = Pacer::new(300_000);
    for number in 0..10 {
        pacer.push(start, Traffic::Video, PACKET, number);
    }
    let left = run(&mut pacer, start, start + 1_000 * MS);
    assert!(left[9].0 < 50 * MS, "{:?}", left[9].0);
}

#[test]
fn a_fall_of_the_rate_counts_at_once_and_so_does_its_end() {
    let start = Instant::now();
    let mut pacer = begun(start, 2_000_000);
    for number in 0..100 {
        pacer.push(start, Traffic::Video, PACKET, number);
    }
    run(&mut pacer, start, start + 10 * MS);
    let fall = start + 10 * MS;
    pacer.set_rate(fall, 60_000, true);
    assert!(run(&mut pacer, fall, fall + 500 * MS).len() <= 4);
    let rise = fall + 500 * MS;
    pacer.set_rate(rise, 2_000_000, false);
    assert!(run(&mut pacer, rise, rise + 50 * MS).len() >= 12);
}

#[test]
fn a_probe_sends_pictures_first_and_spare_packets_for_the_rest() {
    let start = Instant::now();
    let mut pacer = begun(start, 500_000);
    let probe = Probe { id: ProbeId(7), rate_bps: 2_000_000, bytes: 10_000, packets: 5 };
    pacer.push(start, Traffic::Video, PACKET, 1);
    pacer.probe(start, probe);
    assert_eq!(pacer.spare_wanted(start), None);
    let mut now = start;
    let mut left = Vec::new();
    while pacer.probe.is_some() {
        while let Some(released) = pacer.poll(now) {
            assert_eq!(released.probe, Some(probe.id));
            left.push((now - start, released.item));
        }
        if pacer.spare_wanted(now).is_some() {
            pacer.push(now, Traffic::Spare, PACKET, 2);
            continue;
        }
        if let Some(next) = pacer.poll_timeout() {
            assert!(next > now);
            now = next;
        }
    }
    assert_eq!(left[0].1, 1);
    assert_eq!(left.len(), 10_000usize.div_ceil(PACKET));
    let took = left.last().unwrap().0;
    let due = Duration::from_secs_f64((left.len() - 1) as f64 * PACKET as f64 * 8.0 / 2e6);
    assert!(took <= due + GRAIN && took + SLACK + GRAIN >= due, "{took:?} for {due:?}");
    pacer.push(now, Traffic::Voice, 100, 3);
    assert_eq!(pacer.poll(now).unwrap().probe, None);
}

#[test]
fn a_probe_without_anything_to_send_ends_by_itself_and_without_haste() {
    let start = Instant::now();
    let mut pacer = begun(start, 500_000);
    pacer.probe(start, Probe { id: ProbeId(1), rate_bps: 2_000_000, bytes: 10_000, packets: 5 });
    let mut now = start;
    let mut woken = 0;
    loop {
        assert!(pacer.poll(now).is_none());
        let Some(next) = pacer.poll_timeout() else { break };
        assert!(next > now);
        (now, woken) = (next, woken + 1);
    }
    assert!(now - start <= PROBE_PATIENCE + GRAIN && woken <= 151, "{woken}");
}

#[test]
fn old_spare_packets_are_not_worth_sending() {
    let start = Instant::now();
    let mut pacer = begun(start, 60_000);
    pacer.push(start, Traffic::Video, PACKET, 1);
    pacer.push(start, Traffic::Spare, PACKET, 2);
    assert_eq!(run(&mut pacer, start, start + 1_000 * MS).len(), 1);
}

#[test]
fn what_waits_is_bounded() {
    let start = Instant::now();
    let mut pacer = begun(start, 60_000);
    let mut refused = 0;
    for number in 0..10_000 {
        for traffic in
            [Traffic::Voice, Traffic::Repair, Traffic::Video, Traffic::Screen, Traffic::Spare]
        {
            refused += usize::from(pacer.push(start, traffic, PACKET, number).is_some());
        }
    }
    assert_eq!(refused, 50_000 - MOST_WAITING.iter().sum::<usize>());
    // The voices that are left are the newest, the pictures the oldest.
    assert_eq!(pacer.waiting[0].front().unwrap().item, 10_000 - 64);
    assert_eq!(pacer.waiting[2].front().unwrap().item, 0);
}

#[test]
fn nothing_to_do_wakes_nobody() {
    let start = Instant::now();
    let mut pacer: Pacer<u32> = Pacer::new(300_000);
    assert_eq!(pacer.poll_timeout(), None);
    pacer.push(start, Traffic::Voice, 150, 1);
    assert!(pacer.poll(start).is_some());
    assert_eq!(pacer.poll_timeout(), None);
    assert!(pacer.poll(start).is_none());
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn a_face_does_not_wait_for_a_slide() {
    let start = Instant::now();
    let mut pacer = begun(start, 1_000_000);
    for number in 0..100 {
        pacer.push(start, Traffic::Screen, PACKET, number);
    }
    assert_eq!(pacer.queue_time(start, Traffic::Video), Duration::ZERO);
    assert!(pacer.queue_time(start, Traffic::Screen) > Duration::from_millis(500));
    let now = start + Duration::from_millis(100);
    while pacer.poll(now).is_some() {}
    pacer.push(now, Traffic::Video, PACKET, 1_000);
    let next = now + Duration::from_millis(20);
    assert_eq!(pacer.poll(next).map(|released| released.item), Some(1_000));
}

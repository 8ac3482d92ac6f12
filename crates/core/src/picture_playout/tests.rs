use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SEEDS: std::ops::Range<u64> = 0..24;

fn frame(timestamp: u32) -> EncodedFrame {
    EncodedFrame {
        data: vec![0; 1_000].into(),
        key: false,
        width: 640,
        height: 360,
        timestamp,
        temporal: 0,
    }
}

fn ticks(ms: u64) -> u32 {
    (ms * 90) as u32
}

/// What comes of pictures that are captured every 33 ms and come after these delays in ms, none
/// before the one before it; `voice` is how long after its capture a sound is heard.
struct Run {
    /// Of each picture: captured, whole, shown; in ms.
    shown: Vec<(u64, u64, u64)>,
    most_waiting: usize,
    behind: Option<Micros>,
}

fn run(start: u32, delays: &[u64], mut voice: impl FnMut(u64) -> Option<u64>) -> Run {
    let origin = Instant::now();
    let mut playout = PicturePlayout::default();
    let mut coming = VecDeque::new();
    let mut last = 0;
    for (index, &delay) in delays.iter().enumerate() {
        let captured = index as u64 * 33;
        last = last.max(captured + delay);
        coming.push_back((captured, last));
    }
    let mut held = VecDeque::new();
    let mut run = Run { shown: Vec::new(), most_waiting: 0, behind: None };
    for ms in 0..=last + 500 {
        let now = origin + ms as u32 * MS;
        if ms % 10 == 0
            && let Some(late) = voice(ms)
            && ms >= late
        {
            playout.heard(now, start.wrapping_add(ticks(ms - late)), now);
        }
        while coming.front().is_some_and(|&(_, whole)| whole <= ms) {
            held.extend(coming.front());
            let (captured, _) = coming.pop_front().unwrap();
            playout.push(now, frame(start.wrapping_add(ticks(captured))));
            run.behind = playout.behind_voice().or(run.behind);
        }
        while let Some(frame) = playout.poll(now) {
            let (captured, whole) = held.pop_front().unwrap();
            assert_eq!(frame.timestamp, start.wrapping_add(ticks(captured)), "in order");
            run.shown.push((captured, whole, ms));
        }
        run.most_waiting = run.most_waiting.max(playout.waiting());
        assert!(playout.poll_timeout().is_none_or(|at| at <= now + MAX_WAIT));
    }
    assert!(held.is_empty() && run.shown.len() == delays.len(), "every picture is given out");
    run
}

fn random(seed: u64, count: usize, delay: impl Fn(&mut fastrand::Rng) -> u64) -> Vec<u64> {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| delay(&mut rng)).collect()
}

#[test]
fn on_a_good_path_nothing_waits() {
    for seed in SEEDS {
        let delays = random(seed, 300, |rng| 20 + rng.u64(0..12));
        let run = run(ticks(seed * 1_000_000), &delays, |_| None);
        assert!(run.shown.iter().all(|&(_, whole, shown)| whole == shown));
    }
}

#[test]
fn jitter_is_smoothed_by_what_it_takes_and_no_more() {
    for seed in SEEDS {
        let delays = random(seed, 600, |rng| 20 + rng.u64(0..80));
        let run = run(0, &delays, |_| None);
        let settled = &run.shown[100..];
        let gaps: Vec<_> = settled.windows(2).map(|pair| pair[1].2 - pair[0].2).collect();
        let uneven = gaps.iter().filter(|&&gap| gap.abs_diff(33) > 16).count();
        assert!(uneven <= gaps.len() / 10, "{uneven} of {}", gaps.len());
        assert!(settled.iter().all(|&(captured, _, shown)| shown <= captured + 102));
    }
}

#[test]
fn what_was_late_once_delays_nothing_for_long() {
    let mut delays = vec![20; 600];
    delays[100..130].fill(180);
    let run = run(0, &delays, |_| None);
    let ready_at_once = |&(_, whole, shown): &(u64, u64, u64)| whole == shown;
    assert!(run.shown[..100].iter().all(ready_at_once));
    assert!(run.shown[450..].iter().all(ready_at_once), "after the window and the way back");
}

#[test]
fn after_a_repair_what_is_late_comes_out_as_soon_as_it_is_whole() {
    let mut delays = vec![20; 60];
    // One that is repaired 200 ms later holds up those behind it.
    delays[40] = 220;
    let run = run(0, &delays, |_| None);
    for &(captured, whole, shown) in &run.shown[40..] {
        // The rhythm slows down a little for what may come.
        assert!(shown == whole || shown <= captured + 120, "{captured} {whole} {shown}");
    }
    assert!(run.shown[40..44].iter().all(|&(_, whole, shown)| whole == shown));
}

#[test]
fn pictures_wait_for_a_voice_that_is_played_late() {
    for seed in SEEDS {
        let voice = 60 + seed * 9;
        let delays = random(seed, 600, |rng| 25 + rng.u64(0..30));
        let mut jitter = fastrand::Rng::with_seed(seed);
        let run = run(u32::MAX - 90_000, &delays, |_| Some(voice + jitter.u64(0..10)));
        let off = run.shown[150..]
            .iter()
            .map(|&(captured, _, shown)| (shown - captured).abs_diff(voice + 5));
        let worst = off.max().unwrap();
        assert!(worst <= 40, "{worst} ms off a voice of {voice} ms");
    }
}

#[test]
fn pictures_that_are_later_than_the_voice_are_told_of() {
    let run = run(0, &[150; 300], |_| Some(60));
    let behind = run.behind.unwrap();
    assert!((85_000..=95_000).contains(&behind), "{behind} µs");
    let early = super::tests::run(0, &[20; 300], |_| Some(40));
    assert!(early.behind.unwrap() < 0);
}

#[test]
fn a_voice_waits_for_late_pictures_until_both_are_in_step() {
    let ms = |ms: u64| Duration::from_millis(ms);
    assert_eq!(PicturePlayout::voice_delay(ms(40), -30_000), ms(0));
    let delay = PicturePlayout::voice_delay(ms(40), 100_000);
    assert_eq!(delay, ms(108));
    // Once it is played that late, it stays so.
    assert_eq!(PicturePlayout::voice_delay(delay, 32_000), delay);
    for behind in [i64::MIN, i64::MAX] {
        assert!(PicturePlayout::voice_delay(Duration::MAX, behind) <= ms(150));
    }
}

#[test]
fn no_picture_waits_for_a_voice_that_is_hopelessly_late_or_mad() {
    for voice in [600, 1_500, 5_000] {
        let run = run(0, &[20; 300], |_| Some(voice));
        let longest = run.shown.iter().map(|&(_, whole, shown)| shown - whole).max().unwrap();
        assert!(longest <= MAX_FOR_VOICE as u64 / 1_000, "{longest} ms");
    }
}

#[test]
fn a_voice_that_falls_silent_is_waited_for_no_more() {
    let run = run(0, &[20; 900], |ms| (ms < 10_000).then_some(120));
    assert!(run.shown[250].2 > run.shown[250].1 + 50);
    assert_eq!(run.shown[800].1, run.shown[800].2);
}

#[test]
fn timestamps_that_jump_begin_a_new_rhythm() {
    let origin = Instant::now();
    let mut playout = PicturePlayout::default();
    let mut now = origin;
    let mut given = 0;
    for (begin, count) in [(0, 50), (3_000_000_000u32, 50), (7, 50), (u32::MAX - 90_000, 100)] {
        for picture in 0..count {
            now += 33 * MS;
            playout.push(now, frame(begin.wrapping_add(picture * 2_970)));
            while playout.poll(now).is_some() {
                given += 1;
            }
            assert_eq!(playout.waiting(), 0);
        }
    }
    assert_eq!(given, 250);
}

#[test]
fn a_clock_that_stood_still_does_no_harm() {
    let mut delays = vec![20; 300];
    // The machine slept for ten seconds, the sender did not.
    delays[150] = 10_000;
    let run = run(0, &delays, |_| None);
    assert!(run.most_waiting <= MAX_PICTURES);
    let &(_, whole, shown) = run.shown.last().unwrap();
    assert!(shown <= whole + MAX_FOR_VOICE as u64 / 1_000, "{whole} {shown}");
}

#[test]
fn what_is_held_is_bounded() {
    let origin = Instant::now();
    let mut playout = PicturePlayout::default();
    playout.push(origin, frame(0));
    playout.heard(origin, 0, origin + 200 * MS);
    for picture in 1..10_000u32 {
        // All at one time, captured further and further ahead.
        playout.push(origin, frame(picture * 100));
        while playout.poll(origin).is_some() {}
        assert!(playout.waiting() <= MAX_PICTURES && playout.bytes <= MAX_BYTES);
        assert!(playout.recent.len() <= MAX_RECENT);
    }
}

proptest! {
    #[test]
    fn whatever_comes_goes_out_in_order_and_in_time(
        inputs in prop::collection::vec((0u64..300, any::<u32>(), 0u32..4, any::<i32>()), 1..200)
    ) {
        let origin = Instant::now() + Duration::from_secs(100);
        let mut now = origin;
        let mut playout = PicturePlayout::default();
        let mut expected = VecDeque::new();
        for (wait, timestamp, kind, voice) in inputs {
            now += wait as u32 * MS;
            let at = now + Duration::from_micros(u64::from(voice.unsigned_abs() % 5_000_000));
            match kind {
                0 => playout.heard(now, timestamp, at),
                1 => playout.heard(now, timestamp, now - (at - now)),
                _ => {
                    playout.push(now, frame(timestamp));
                    expected.push_back((now, timestamp));
                }
            }
            while let Some(frame) = playout.poll(now) {
                let (_, timestamp) = expected.pop_front().unwrap();
                prop_assert_eq!(frame.timestamp, timestamp);
            }
            prop_assert!(expected.iter().all(|&(came, _)| now < came + MAX_WAIT));
            prop_assert_eq!(playout.waiting(), expected.len());
        }
    }
}

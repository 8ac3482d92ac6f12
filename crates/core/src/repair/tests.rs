use super::*;

const MS: Duration = Duration::from_millis(1);

fn after_losing_two(start: Instant) -> RepairRequests {
    let mut requests = RepairRequests::default();
    assert!(requests.note(start, 10));
    assert!(requests.note(start, 13));
    requests
}

fn needed(_: u64) -> Want {
    Want::Needed
}

#[test]
fn a_loss_is_asked_for_after_the_time_of_reordering() {
    let start = Instant::now();
    let mut requests = after_losing_two(start);
    let grace = requests.window().grace();
    assert!(requests.due(start, needed).is_empty());
    assert_eq!(requests.poll_timeout(), Some(start + grace));
    assert_eq!(requests.due(start + grace, needed), [11, 12]);
    assert!(requests.due(start + grace + MS, needed).is_empty());
}

#[test]
fn what_came_is_not_asked_for_again_and_tells_the_interval() {
    let start = Instant::now();
    let mut requests = after_losing_two(start);
    let asked = start + requests.window().grace();
    requests.due(asked, needed);
    requests.note(asked + 40 * MS, 11);
    assert_eq!(requests.window().answer(), 40 * MS);
    let again = requests.poll_timeout().unwrap();
    assert_eq!(requests.due(again, needed), [12]);
    // The second request in vain is followed by the third sooner than the first by the second.
    let first = requests.window().interval(0);
    assert!(first >= 30 * MS && first < 60 * MS, "{first:?}");
    let second = requests.poll_timeout().unwrap() - again;
    assert!(second >= SHORTEST && second < first, "{second:?}");
}

#[test]
fn nothing_is_asked_for_that_would_come_too_late() {
    for want in [Want::Needed, Want::Droppable] {
        let start = Instant::now();
        let mut requests = after_losing_two(start);
        let wait = match want {
            Want::Needed => requests.window().needed_wait(),
            _ => requests.window().droppable_wait(),
        };
        let mut last = start;
        while let Some(next) = requests.poll_timeout() {
            assert!(next <= start + wait + RepairWindow::default().interval(0));
            if !requests.due(next, |_| want).is_empty() {
                last = next;
            }
        }
        assert!(last > start && last + requests.window().answer() <= start + wait);
    }
}

#[test]
fn what_nobody_wants_is_not_asked_for() {
    let start = Instant::now();
    let mut requests = after_losing_two(start);
    assert!(requests.due(start + 30 * MS, |_| Want::No).is_empty());
    assert_eq!(requests.poll_timeout(), None);
}

#[test]
fn a_gap_too_long_and_a_cut_are_left_to_a_key_frame() {
    let start = Instant::now();
    let mut requests = RepairRequests::default();
    requests.note(start, 0);
    assert!(!requests.note(start, 1_000));
    assert!(!requests.note(start + CUT, 1_010));
    assert_eq!(requests.poll_timeout(), None);
    assert!(requests.note(start + CUT, 1_012));
}

#[test]
fn never_more_is_asked_for_than_came() {
    let start = Instant::now();
    let mut requests = RepairRequests::default();
    let (mut now, mut came, mut asked) = (start, 0, 0);
    // One of ten packets comes.
    for sequence in (0..10_000u64).step_by(10) {
        now += 10 * MS;
        requests.note(now, sequence);
        came += 1;
        asked += requests.due(now, needed).len();
        assert!(asked <= came + FIRST_REQUESTS, "{asked} for {came}");
    }
}

#[test]
fn reordering_is_waited_for_once_it_was_seen() {
    let start = Instant::now();
    let mut requests = RepairRequests::default();
    let (mut now, mut asked) = (start, Vec::new());
    for pair in 1..200u64 {
        now += 100 * MS;
        requests.note(now, pair * 2 + 1);
        // The one before comes 12 ms later.
        let mut due = Vec::new();
        for step in 1..12 {
            due.extend(requests.due(now + step * MS, needed));
        }
        requests.note(now + 12 * MS, pair * 2);
        due.iter().for_each(|&sequence| assert!(requests.note(now + 60 * MS, sequence)));
        asked.extend(due.iter().map(|_| pair));
    }
    assert!(asked.iter().all(|&pair| pair < 30) && asked.len() < 10, "{asked:?}");
}

/// Every request is answered after `answer` unless it fails; the last figures.
fn run(seed: u64, answer: Duration, failing: f64) -> RepairWindow {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut requests = RepairRequests::default();
    let mut answers: BTreeMap<(Instant, u64), ()> = BTreeMap::new();
    let start = Instant::now();
    let mut sequence = 0;
    for tick in 0..20_000 {
        let now = start + tick * MS;
        if tick % 10 == 0 {
            sequence += 1;
            if rng.f64() > 0.2 {
                requests.note(now, sequence);
            }
        }
        while let Some(entry) = answers.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, sequence), ()) = entry.remove_entry();
            requests.note(now, sequence);
        }
        for asked in requests.due(now, needed) {
            if rng.f64() >= failing {
                answers.insert((now + answer, asked), ());
            }
        }
    }
    requests.window()
}

#[test]
fn the_answer_time_is_found_on_any_path() {
    for (seed, answer) in (0..).zip([2, 10, 50, 100, 200, 350]) {
        for failing in [0.0, 0.19, 0.36] {
            let window = run(seed, answer * MS, failing);
            let off = window.answer().abs_diff(answer * MS);
            assert!(off <= (answer * MS / 5).max(3 * MS), "{answer} ms, {failing}: {window:?}");
        }
    }
}

#[test]
fn where_requests_fail_they_are_repeated_sooner() {
    for seed in 0..10 {
        let [none, some, many] = [0.0, 0.19, 0.36].map(|failing| run(seed, 55 * MS, failing));
        assert!(none.failing() < 0.02 && (0.05..0.35).contains(&some.failing()), "{some:?}");
        assert!((0.15..0.6).contains(&many.failing()), "{many:?}");
        assert!(none.interval(0) > 55 * MS, "{none:?}");
        assert!(many.interval(0) < 45 * MS && many.interval(0) >= SHORTEST, "{many:?}");
        assert!(none.needed_wait() >= 150 * MS && many.needed_wait() <= 400 * MS);
    }
}

const SHORTEST: Duration = Duration::from_millis(15);

use proptest::prelude::*;

use super::{super::BASE_SHARE_PCT, *};

const SITUATION: Situation = Situation { source: (1280, 720), top: Rung::P720, own_height: 0 };
const WHOLE: u8 = UPPER_LAYER;

fn viewer(peer: u64, kbps: u64, height: u16) -> Viewer {
    Viewer { peer: PeerId::from_u64(peer), budget_bps: kbps * 1000, height, base_only: false }
}

/// Viewers of these budgets, in kbit/s, and heights.
fn viewers(all: &[(u64, u16)]) -> Vec<Viewer> {
    (1..).zip(all).map(|(peer, &(kbps, height))| viewer(peer, kbps, height)).collect()
}

/// What the first plan for them is.
fn first(situation: &Situation, viewers: &[Viewer]) -> Plan {
    LayerPlan::default().update(Instant::now(), situation, viewers)
}

/// Rung and kbit/s of each encoding.
fn running(plan: &Plan) -> Vec<(Rung, u32)> {
    plan.encodings.iter().map(|it| (it.rung, it.bitrate_bps / 1000)).collect()
}

/// Rung and temporal layer of each viewer.
fn layers(plan: &Plan) -> Vec<Option<(Rung, u8)>> {
    plan.views.iter().map(|view| view.layer.map(|it| (it.rung, it.temporal))).collect()
}

fn limits(plan: &Plan) -> Vec<PictureLimit> {
    plan.views.iter().map(|view| view.limited_by).collect()
}

/// Bits a second that each viewer gets.
fn received(plan: &Plan) -> Vec<u64> {
    let of = |view: &View| {
        let layer = view.layer?;
        let encoding = plan.encodings.iter().find(|it| it.rung == layer.rung)?;
        let share = if layer.temporal == WHOLE { 100 } else { BASE_SHARE_PCT };
        Some(u64::from(encoding.bitrate_bps) * u64::from(share) / 100)
    };
    plan.views.iter().map(|view| of(view).unwrap_or(0)).collect()
}

use Rung::{P180, P360, P720};

#[test]
fn alone_the_bitrate_follows_the_budget_and_the_rung_changes_at_the_ends_of_its_range() {
    let (mut plan, mut now) = (LayerPlan::default(), Instant::now());
    let mut at = |kbps: u64| {
        now += Duration::from_secs(2);
        plan.update(now, &SITUATION, &viewers(&[(kbps, 720)]));
        now += Duration::from_secs(2);
        let plan = plan.update(now, &SITUATION, &viewers(&[(kbps, 720)]));
        assert_eq!(layers(&plan), [Some((plan.encodings[0].rung, WHOLE))]);
        running(&plan)[0]
    };
    for (kbps, expected) in [
        (61, (P180, 61)),
        (150, (P180, 150)),
        (249, (P180, 249)),
        (250, (P360, 250)),
        (500, (P360, 500)),
        (899, (P360, 899)),
        (900, (P720, 900)),
        (2_400, (P720, 2_400)),
        (9_000, (P720, 2_500)),
        (600, (P720, 600)),
        (599, (P360, 599)),
        (150, (P360, 150)),
        (149, (P180, 149)),
        (60, (P180, 60)),
    ] {
        assert_eq!(at(kbps), expected, "at {kbps} kbit/s");
    }
}

#[test]
fn a_call_begins_with_the_size_that_it_can_soon_keep() {
    for (kbps, expected) in [(199, P180), (200, P360), (749, P360), (750, P720)] {
        assert_eq!(running(&first(&SITUATION, &viewers(&[(kbps, 720)])))[0].0, expected);
    }
}

#[test]
fn the_size_follows_the_window() {
    for (height, expected) in [(1, P180), (240, P180), (241, P360), (480, P360), (481, P720)] {
        let plan = first(&SITUATION, &viewers(&[(2_000, height)]));
        assert_eq!(layers(&plan), [Some((expected, WHOLE))], "{height} pixels");
    }
    let plan = first(&SITUATION, &viewers(&[(2_000, u16::MAX)]));
    assert_eq!(
        (layers(&plan), limits(&plan)),
        (vec![Some((P720, WHOLE))], vec![PictureLimit::None])
    );
}

#[test]
fn who_cannot_see_the_picture_gets_none_and_costs_nothing() {
    let plan = first(&SITUATION, &viewers(&[(2_000, 0), (2_000, 0)]));
    assert_eq!(plan.encodings, []);
    assert_eq!(limits(&plan), [PictureLimit::View; 2]);
    assert_eq!(first(&SITUATION, &[]), Plan::default());
}

#[test]
fn the_own_tile_shows_what_others_get_and_runs_one_only_where_they_get_none() {
    let own = Situation { own_height: 300, ..SITUATION };
    assert_eq!(running(&first(&own, &viewers(&[(190, 720)]))), [(P180, 190)]);
    assert_eq!(running(&first(&own, &viewers(&[(200, 0)]))), [(P360, 525)]);
    let small = Situation { source: (320, 240), ..own };
    assert_eq!(running(&first(&small, &[])), [(P180, 155)]);
}

#[test]
fn those_with_near_budgets_share_one_encoding_at_the_least_of_them() {
    let plan = first(&SITUATION, &viewers(&[(500, 360), (450, 360), (480, 360)]));
    assert_eq!(running(&plan), [(P360, 450)]);
    assert_eq!(layers(&plan), [Some((P360, WHOLE)); 3]);
}

#[test]
fn a_weak_peer_gets_a_smaller_picture_and_the_others_what_they_had() {
    let strong = [(500, 360), (480, 360)];
    let before = first(&SITUATION, &viewers(&strong));
    let plan = first(&SITUATION, &viewers(&[strong[0], strong[1], (300, 360)]));
    assert_eq!(running(&plan), [(P180, 250), (P360, 480)]);
    assert_eq!(received(&plan)[..2], received(&before)[..]);
    assert_eq!(limits(&plan), [PictureLimit::View, PictureLimit::View, PictureLimit::Bandwidth]);
}

#[test]
fn where_all_want_the_smallest_the_strong_take_a_larger_one_to_leave_it_to_the_weak() {
    let plan = first(&SITUATION, &viewers(&[(1_000, 180), (1_000, 180), (70, 180)]));
    assert_eq!(running(&plan), [(P180, 70), (P360, 250)]);
    assert_eq!(layers(&plan), [Some((P360, WHOLE)), Some((P360, WHOLE)), Some((P180, WHOLE))]);
    // Where the source gives no larger one, everybody is served rather than somebody not.
    let small = Situation { source: (320, 240), ..SITUATION };
    let plan = first(&small, &viewers(&[(1_000, 180), (70, 180)]));
    assert_eq!(running(&plan), [(P180, 100)]);
    assert_eq!(layers(&plan), [Some((P180, WHOLE)), Some((P180, 0))]);
}

#[test]
fn who_steps_down_does_not_push_others_further_down() {
    let plan = first(&SITUATION, &viewers(&[(2_000, 720), (1_000, 720), (400, 360)]));
    assert_eq!(running(&plan), [(P360, 400), (P720, 2_000)]);
    assert_eq!(layers(&plan), [Some((P720, WHOLE)), Some((P360, WHOLE)), Some((P360, WHOLE))]);
}

#[test]
fn the_base_layer_is_for_those_who_are_to_have_it_only() {
    let base = Viewer { base_only: true, ..viewer(1, 700, 720) };
    let plan = first(&SITUATION, &[base]);
    assert_eq!(running(&plan), [(P720, 1_000)]);
    assert_eq!(layers(&plan), [Some((P720, 0))]);
    assert_eq!(received(&plan), [700_000]);
}

#[test]
fn a_line_that_carries_no_picture_gets_none_and_one_that_nearly_does_the_base_layer() {
    let (mut plan, mut now) = (LayerPlan::default(), Instant::now());
    let mut at = |kbps: u64, seconds: u64| {
        now += Duration::from_secs(seconds);
        layers(&plan.update(now, &SITUATION, &viewers(&[(kbps, 360)])))[0]
    };
    assert_eq!(at(59, 1), None);
    assert_eq!(at(70, 1), Some((P180, WHOLE)));
    assert_eq!(at(59, 1), Some((P180, 0)));
    assert_eq!(at(63, 1), Some((P180, 0)));
    assert_eq!(at(66, 1), Some((P180, WHOLE)));
    assert_eq!(at(42, 1), Some((P180, 0)));
    assert_eq!(at(41, 1), None);
}

#[test]
fn a_larger_picture_waits_and_a_smaller_one_comes_at_once() {
    let (mut plan, start) = (LayerPlan::default(), Instant::now());
    let mut at = |ms: u64, kbps: u64, height: u16| {
        let now = start + Duration::from_millis(ms);
        let rung = layers(&plan.update(now, &SITUATION, &viewers(&[(kbps, height)])))[0];
        (rung.map(|(rung, _)| rung), plan.poll_timeout().map(|at| at - start))
    };
    let ms = Duration::from_millis;
    assert_eq!(at(0, 300, 720), (Some(P360), None));
    assert_eq!(at(1000, 1_000, 720), (Some(P360), Some(ms(2500))));
    // A dip begins the wait anew.
    assert_eq!(at(1500, 800, 720), (Some(P360), None));
    assert_eq!(at(2000, 1_000, 720), (Some(P360), Some(ms(3500))));
    assert_eq!(at(3499, 1_000, 720), (Some(P360), Some(ms(3500))));
    assert_eq!(at(3500, 1_000, 720), (Some(P720), None));
    assert_eq!(at(3501, 500, 720), (Some(P360), None));
    // The window decides at once, both ways.
    assert_eq!(at(3502, 500, 100), (Some(P180), None));
    assert_eq!(at(3503, 500, 360), (Some(P360), None));
    assert_eq!(at(3504, 500, 0), (None, None));
    assert_eq!(at(3505, 500, 360), (Some(P360), None));
}

#[test]
fn a_picture_that_was_gone_comes_back_small_at_once() {
    let (mut plan, start) = (LayerPlan::default(), Instant::now());
    let mut at = |ms: u64, kbps: u64, height: u16| {
        let now = start + Duration::from_millis(ms);
        layers(&plan.update(now, &SITUATION, &viewers(&[(800, 360), (kbps, height)])))[1]
    };
    assert_eq!(at(0, 2_000, 0), None);
    assert_eq!(at(1000, 40, 360), None);
    for step in 0..8 {
        let kbps = if step % 2 == 0 { 251 } else { 122 };
        assert_eq!(at(5000 + step * 600, kbps, 360), Some((P180, WHOLE)), "step {step}");
    }
    assert_eq!(at(20_000, 20, 360), None);
    // Only a larger one waits.
    assert_eq!(at(20_100, 790, 360), Some((P180, WHOLE)));
    assert_eq!(at(21_600, 790, 360), Some((P360, WHOLE)));
}

#[test]
fn the_machine_and_the_source_limit_the_size() {
    let wide = viewers(&[(2_000, 720)]);
    let busy = Situation { top: P360, ..SITUATION };
    let plan = first(&busy, &wide);
    assert_eq!((running(&plan), limits(&plan)), (vec![(P360, 900)], vec![PictureLimit::Cpu]));
    let small = Situation { source: (640, 480), ..SITUATION };
    let plan = first(&small, &wide);
    assert_eq!((running(&plan), limits(&plan)), (vec![(P360, 900)], vec![PictureLimit::None]));
    let unknown = Situation { source: (0, 0), ..SITUATION };
    assert_eq!(running(&first(&unknown, &wide)), [(P720, 2_000)]);
    // What the machine gives back comes at once.
    let (mut plan, now) = (LayerPlan::default(), Instant::now());
    plan.update(now, &busy, &wide);
    assert_eq!(running(&plan.update(now, &SITUATION, &wide)), [(P720, 2_000)]);
}

#[test]
fn budgets_that_tremble_about_a_limit_change_nothing() {
    let (mut plan, start) = (LayerPlan::default(), Instant::now());
    let mut changes = 0;
    let mut last = None;
    for step in 0..600_u64 {
        // Between 66 % and 74 % of the other's, and about the end of a range.
        let weak = 700 + (step * 7919 % 80);
        let now = start + Duration::from_millis(step * 100);
        let layers = layers(&plan.update(now, &SITUATION, &viewers(&[(1_000, 360), (weak, 720)])));
        changes += u32::from(last.replace(layers.clone()).is_some_and(|last| last != layers));
    }
    assert!(changes <= 1, "{changes} changes");
}

fn any_viewer() -> impl Strategy<Value = (u64, u16, bool)> {
    let height = prop_oneof![1 => Just(0_u16), 4 => 1..800_u16];
    let kbps = prop_oneof![3 => 30..3_000_u64, 1 => 30..300_u64];
    (kbps, height, proptest::bool::weighted(0.1))
}

fn any_situation() -> impl Strategy<Value = Situation> {
    let sources = [(1280, 720), (640, 480), (320, 240), (720, 1280), (0, 0)];
    (0..sources.len(), 0..3_usize, prop_oneof![Just(0_u16), 1..720_u16]).prop_map(
        move |(source, top, own_height)| Situation {
            source: sources[source],
            top: Rung::ALL[top],
            own_height,
        },
    )
}

proptest! {
    #[test]
    fn no_plan_exceeds_a_budget_or_runs_what_nobody_needs(
        steps in proptest::collection::vec(
            (0..3_000_u64, any_situation(), proptest::collection::vec(any_viewer(), 0..5)),
            1..20,
        ),
    ) {
        let (mut plan, mut now) = (LayerPlan::default(), Instant::now());
        for (ms, situation, all) in steps {
            let viewers: Vec<_> = (1..)
                .zip(all)
                .map(|(peer, (kbps, height, base_only))| Viewer {
                    base_only,
                    ..viewer(peer, kbps, height)
                })
                .collect();
            now += Duration::from_millis(ms);
            for settled in [false, true] {
                // The second time everybody has waited long enough.
                now += UP_FOR * u32::from(settled);
                let made = plan.update(now, &situation, &viewers);
                prop_assert_eq!(made.views.len(), viewers.len());
                prop_assert!(made.encodings.windows(2).all(|pair| pair[0].rung < pair[1].rung));
                for encoding in &made.encodings {
                    prop_assert!(encoding.rung.bitrates().contains(&encoding.bitrate_bps));
                    prop_assert!(encoding.rung <= situation.top);
                    let used = made
                        .views
                        .iter()
                        .any(|view| view.layer.is_some_and(|it| it.rung == encoding.rung));
                    prop_assert!(used || made.encodings.len() == 1 && situation.own_height > 0);
                }
                for ((viewer, view), rate) in viewers.iter().zip(&made.views).zip(received(&made)) {
                    prop_assert!(rate <= viewer.budget_bps, "{:?} gets {}", viewer, rate);
                    prop_assert_eq!(view.layer.is_some(), rate > 0);
                    if viewer.height == 0 {
                        prop_assert_eq!(view.layer, None);
                    } else if settled && viewer.budget_bps >= 60_000 {
                        prop_assert!(view.layer.is_some(), "{:?} gets nothing", viewer);
                    }
                    if viewer.base_only {
                        prop_assert!(view.layer.is_none_or(|layer| layer.temporal == 0));
                    }
                }
            }
        }
    }

    #[test]
    fn a_plan_comes_to_rest(
        situation in any_situation(),
        all in proptest::collection::vec((30..3_000_u64, 0..800_u16), 1..4),
        first in proptest::collection::vec((30..3_000_u64, 0..800_u16), 3),
    ) {
        let (mut plan, mut now) = (LayerPlan::default(), Instant::now());
        plan.update(now, &situation, &viewers(&first[..all.len()]));
        let viewers = viewers(&all);
        let mut plans = Vec::new();
        for _ in 0..12 {
            now += UP_FOR / 2;
            plans.push(plan.update(now, &situation, &viewers));
        }
        // Each step up takes a wait, and one may make room for another.
        prop_assert!(plans[6..].windows(2).all(|pair| pair[0] == pair[1]), "{plans:#?}");
    }

    /// Two others with near budgets, each of which carries the middle size, who see the picture
    /// equally large.
    #[test]
    fn one_weak_peer_never_lowers_the_others(
        strongest in 320..3_000_u64,
        shares in proptest::collection::vec(80..=100_u64, 1..3),
        height in 1..800_u16,
        weak in (5..60_u64, 0..800_u16),
    ) {
        let others: Vec<_> = shares.iter().map(|pct| (strongest * pct / 100, height)).collect();
        weak_among(&others, weak)?;
    }

    /// The same where each sees it differently, on lines that carry any size.
    #[test]
    fn one_weak_peer_never_lowers_others_who_get_different_sizes(
        strongest in 750..3_000_u64,
        others in proptest::collection::vec((80..=100_u64, 1..800_u16), 1..3),
        weak in (5..60_u64, 0..800_u16),
    ) {
        let others: Vec<_> =
            others.into_iter().map(|(pct, height)| (strongest * pct / 100, height)).collect();
        weak_among(&others, weak)?;
    }
}

/// Compares what the others get without and with one whose budget is a part of the least of theirs.
fn weak_among(others: &[(u64, u16)], (pct, height): (u64, u16)) -> Result<(), TestCaseError> {
    let least = others.iter().map(|(kbps, _)| *kbps).min().unwrap_or_default();
    let mut with = others.to_vec();
    with.push((least * pct / 100, height));
    let before = received(&first(&SITUATION, &viewers(others)));
    let plan = first(&SITUATION, &viewers(&with));
    for (before, after) in before.iter().zip(received(&plan)) {
        prop_assert!(after * 100 >= before * 95, "{before} before, {after} now: {with:?} {plan:?}");
    }
    Ok(())
}

use super::*;

fn need(bps: u64, video: u64) -> LinkNeed {
    let estimate =
        LinkEstimate { bitrate_bps: bps, settled_bps: bps, loss: 0.0, rtt: None, congested: false };
    LinkNeed { estimate, video_bps: video, voice: true, voice_copies: 0 }
}

fn congested(bps: u64, video: u64) -> LinkNeed {
    let mut need = need(bps, video);
    need.estimate.congested = true;
    need
}

fn shares(uplink: &mut Uplink<u8>, now: Instant, needs: &[LinkNeed]) -> Vec<LinkShare> {
    let needs: Vec<_> = needs.iter().zip(0..).map(|(need, key)| (key, *need)).collect();
    uplink.share(now, &needs).into_iter().map(|(_, share)| share).collect()
}

#[test]
fn a_weak_link_lowers_no_other() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    let before = shares(&mut uplink, now, &[need(3_000_000, 800_000); 3]);
    let weak = [need(3_000_000, 800_000), need(3_000_000, 800_000), congested(200_000, 800_000)];
    let after = shares(&mut uplink, now + Duration::from_secs(1), &weak);
    assert_eq!(after[..2], before[..2]);
    assert!(after[2].video_bps < 150_000);
}

#[test]
fn a_shared_bottleneck_is_shared_evenly() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    let needs =
        [congested(900_000, 800_000), congested(200_000, 800_000), congested(100_000, 800_000)];
    let got = shares(&mut uplink, now, &needs);
    assert_eq!(got[0].total_bps, 400_000, "the one that grew first gives way");
    assert!(got[1].wanted_bps >= 400_000 && got[2].wanted_bps >= 400_000);
    assert!(got[0].wanted_bps <= 500_000);
}

#[test]
fn a_small_need_leaves_the_rest_to_the_others() {
    assert_eq!(level(900.0, &[100.0, 1000.0, 1000.0]), [100.0, 400.0, 400.0]);
    assert_eq!(level(900.0, &[100.0, 200.0, 300.0]), [100.0, 200.0, 300.0]);
    assert_eq!(level(0.0, &[1.0]), [0.0]);
    assert!(level(5.0, &[]).is_empty());
}

#[test]
fn links_that_are_congested_at_different_times_share_nothing() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    shares(&mut uplink, now, &[congested(900_000, 800_000), need(100_000, 800_000)]);
    let later = now + Duration::from_secs(3);
    let got = shares(&mut uplink, later, &[need(900_000, 800_000), congested(100_000, 800_000)]);
    assert_eq!(got[0].total_bps, 900_000);
}

#[test]
fn the_voice_comes_first_and_its_copies_leave_room() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    let lossy = |bps| {
        let mut need = need(bps, 800_000);
        need.estimate.loss = 0.1;
        need.voice_copies = 2;
        need
    };
    let got = shares(&mut uplink, now, &[lossy(60_000), lossy(200_000), lossy(1_000_000)]);
    assert_eq!((got[0].video_bps, got[0].voice_copies), (0, 0));
    assert_eq!(got[1].voice_copies, 1);
    assert_eq!(got[2].voice_copies, 2);
    assert!(got[2].repair_bps > 90_000);
    let used = got[2].video_bps as f64 / 0.95 + got[2].repair_bps as f64 + voice(2);
    assert!(used <= 1_000_000.0, "{used}");
}

#[test]
fn a_drain_does_not_make_the_picture_small() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    let mut draining = congested(60_000, 800_000);
    draining.estimate.settled_bps = 480_000;
    let got = shares(&mut uplink, now, &[draining]);
    assert_eq!(got[0].total_bps, 60_000);
    assert!(got[0].video_bps > 380_000);
}

#[test]
fn a_drain_leaves_no_room_for_copies_and_repair() {
    let (mut uplink, now) = (Uplink::default(), Instant::now());
    let mut draining = congested(60_000, 800_000);
    draining.estimate.settled_bps = 480_000;
    draining.estimate.loss = 0.3;
    draining.voice_copies = 2;
    let got = shares(&mut uplink, now, &[draining]);
    assert_eq!(got[0].voice_copies, 0);
    assert!(got[0].repair_bps < 2_000, "{}", got[0].repair_bps);
}

#[test]
fn a_budget_does_not_follow_every_step() {
    let (mut uplink, mut now) = (Uplink::default(), Instant::now());
    let mut changes = 0;
    let mut last = shares(&mut uplink, now, &[need(500_000, 800_000)])[0].video_bps;
    for step in 0..200 {
        now += Duration::from_millis(50);
        let wobble = [500_000, 503_000, 507_000, 502_000][step % 4];
        let video = shares(&mut uplink, now, &[need(wobble, 800_000)])[0].video_bps;
        changes += usize::from(video != last);
        last = video;
    }
    assert!(changes <= 10, "{changes} in 10 s");
}

#[test]
fn whatever_is_needed_and_estimated_nothing_is_out_of_bounds() {
    let seed = 3;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut uplink, mut now) = (Uplink::default(), Instant::now());
    for _ in 0..5_000 {
        now += Duration::from_millis(rng.u64(0..2_000));
        let needs: Vec<_> = (0..rng.u8(0..6))
            .map(|key| {
                let mut need = need(rng.u64(0..6_000_000), rng.u64(0..3_000_000));
                need.estimate.settled_bps = rng.u64(..);
                need.estimate.loss = [0.0, 1.0, f32::NAN, -3.0, 0.2][rng.usize(0..5)];
                need.estimate.congested = rng.bool();
                need.voice = rng.bool();
                need.voice_copies = rng.u8(..);
                (key, need)
            })
            .collect();
        for ((_, need), (_, share)) in needs.iter().zip(uplink.share(now, &needs)) {
            assert!(share.total_bps <= need.estimate.bitrate_bps);
            assert!(share.video_bps <= need.video_bps.max(3_000_000));
            assert!(share.voice_copies <= 2);
        }
    }
}

//! The shared screen beside the camera: a section of its own that is always there.

use std::time::Duration;

use quartet_core::{EncodedFrame, LinkAction};
use tokio::time::timeout;

use crate::pair::{PATIENCE, Pair, delta_frame, key_frame};

/// Sends pictures of both until one of each has arrived, and gives those.
async fn both(pair: &mut Pair, from_offerer: bool) -> (EncodedFrame, EncodedFrame) {
    let (from, to) = match from_offerer {
        true => (&pair.offerer.link, &mut pair.answerer),
        false => (&pair.answerer.link, &mut pair.offerer),
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(30));
    let mut number = 0;
    let (mut camera, mut screen) = (None, None);
    let arrive = async {
        while camera.is_none() || screen.is_none() {
            tokio::select! {
                _ = ticks.tick() => {
                    from.send_video(&key_frame(2 * number, 500));
                    from.send_screen(&key_frame(2 * number + 1, 3_000));
                    number += 1;
                }
                Some(frame) = to.pictures.recv() => camera = Some(frame),
                Some(frame) = to.screens.recv() => screen = Some(frame),
            }
        }
    };
    timeout(PATIENCE, arrive).await.expect("both arrive");
    (camera.unwrap(), screen.unwrap())
}

#[tokio::test]
async fn each_arrives_as_what_it_is_in_both_directions() {
    let mut pair = Pair::connected().await;
    for from_offerer in [true, false] {
        let (camera, screen) = both(&mut pair, from_offerer).await;
        assert_eq!(camera.timestamp / 3_000 % 2, 0);
        assert_eq!(screen.timestamp / 3_000 % 2, 1);
        assert_eq!(screen.data, key_frame(screen.timestamp / 3_000, 3_000).data);
    }
    let stats = pair.offerer.link.stats().await;
    assert!(stats.screen_out.frames > 0 && stats.screen_in.frames > 0);
    assert!(stats.screen_out.bytes > stats.video_out.bytes);
    assert_eq!(pair.offerer.descriptions.lock().len(), 1, "nothing is negotiated for it");
    pair.close().await;
}

#[tokio::test]
async fn a_screen_goes_on_after_an_ice_restart() {
    let mut pair = Pair::connected().await;
    both(&mut pair, true).await;
    pair.offerer.link.act(LinkAction::Offer { ice_restart: true });
    let restarted = async {
        while pair.answerer.descriptions.lock().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, restarted).await.expect("an answer to the restart");
    both(&mut pair, true).await;
    both(&mut pair, false).await;
    pair.close().await;
}

#[tokio::test]
async fn a_key_frame_of_the_screen_is_not_one_of_the_camera() {
    let mut pair = Pair::connected().await;
    both(&mut pair, true).await;
    // What was asked for at the beginning is over.
    let camera_before = pair.offerer.key_frames_wanted.load(std::sync::atomic::Ordering::Relaxed);
    let wanted = std::sync::Arc::clone(&pair.offerer.screen_key_frame_wanted);
    let _ = timeout(Duration::from_millis(1), wanted.notified()).await;
    pair.answerer.link.request_screen_key_frame();
    timeout(PATIENCE, wanted.notified()).await.expect("it is asked for");
    let camera_after = pair.offerer.key_frames_wanted.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(camera_after, camera_before);
    pair.close().await;
}

#[tokio::test]
async fn a_large_key_frame_of_a_screen_does_not_hold_up_the_camera() {
    let mut pair = Pair::connected().await;
    both(&mut pair, true).await;
    // A second and more at what a link begins with.
    pair.offerer.link.send_screen(&key_frame(1_001, 60_000));
    pair.offerer.link.send_video(&delta_frame(1_000, 300));
    loop {
        if pair.answerer.next_picture().await.timestamp == 3_000_000 {
            break;
        }
    }
    let mut arrived = Vec::new();
    while let Ok(frame) = pair.answerer.screens.try_recv() {
        arrived.push(frame.timestamp / 3_000);
    }
    assert!(!arrived.contains(&1_001), "{arrived:?}");
    while pair.answerer.next_screen().await.timestamp != 3_003_000 {}
    pair.close().await;
}

//! Two engines and a real server: they see and hear each other, and the controls do what they say.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use std::sync::Arc;

use people::{Person, Pictures, Sound, server, until};
use quartet_engine::{Command, Connection, EndReason, Event, TileId};
use quartet_media::{TestPattern, Vp8Decoder, dominant_frequency};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_see_and_hear_each_other() {
    let (_server, link) = server();
    let mut ann = Person::with_tone("Ann", 500.0);
    let mut bo = Person::with_tone("Bo", 800.0);

    ann.engine.send(Command::Watch(link.clone()));
    ann.hear("an empty room", |it| match it {
        Event::Roster(peers, _) if peers.is_empty() => Some(()),
        _ => None,
    })
    .await;
    bo.join(&link);
    bo.hear("joined", |it| matches!(it, Event::Joined { .. }).then_some(())).await;
    ann.hear("Bo in the room", |it| match it {
        Event::Roster(peers, _) if peers.iter().any(|peer| peer.name == "Bo") => Some(()),
        _ => None,
    })
    .await;

    ann.join(&link);
    let bo_id = ann.hear("Bo", peer_joined).await;
    let (pictures, sound) = (Arc::new(Pictures::default()), Arc::new(Sound::default()));
    ann.engine.send(Command::Attach(TileId::Peer(bo_id), Arc::clone(&pictures) as _));
    ann.engine.send(Command::TapVoice(bo_id, Arc::clone(&sound) as _));
    let ann_id = bo.hear("Ann", peer_joined).await;
    ann.hear("a path", |it| matches!(it, Event::Connected { .. }).then_some(())).await;
    bo.hear("a path", |it| matches!(it, Event::Connected { .. }).then_some(())).await;

    // Pictures that can be decoded from the first on, with numbers that rise one by one.
    until("30 pictures", || pictures.0.lock().len() >= 30).await;
    let frames = pictures.0.lock().clone();
    assert!(frames[0].key);
    let mut decoder = Vp8Decoder::new().unwrap();
    let numbers: Vec<u32> = frames
        .iter()
        .map(|frame| TestPattern::read_index(&decoder.decode(&frame.data).unwrap().unwrap()))
        .map(|number| number.expect("a number that can be read"))
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] > pair[0]), "{numbers:?}");

    until("two seconds of sound", || sound.0.lock().len() >= 2 * 48_000).await;
    let heard = dominant_frequency(&sound.0.lock()[48_000..]);
    assert!((heard - 800.0).abs() < 2.0, "{heard} Hz");

    // Muted and without a camera: the others are told, and nothing comes any more.
    bo.engine.send(Command::Mute(true));
    bo.engine.send(Command::CameraOff(true));
    ann.hear("the camera off", |it| match it {
        Event::PeerMedia(peer, media) if peer == bo_id && media.muted && media.camera_off => {
            Some(())
        }
        _ => None,
    })
    .await;
    until("silence", || {
        let sound = sound.0.lock();
        sound[sound.len() - 4_800..].iter().all(|sample| sample.abs() < 0.001)
    })
    .await;
    bo.engine.send(Command::Mute(false));
    bo.engine.send(Command::CameraOff(false));
    let before = pictures.0.lock().len();
    until("pictures again", || pictures.0.lock().len() > before + 10).await;
    assert!(pictures.0.lock()[before].key);

    // One leaves; the other is told, and can go on.
    ann.engine.send(Command::Leave);
    ann.hear("the end", |it| (it == Event::Ended(EndReason::Left)).then_some(())).await;
    let gone = bo.hear("that Ann left", peer_left).await;
    assert_eq!(gone, ann_id);
    ann.join(&link);
    ann.hear("connected again", |it| match it {
        Event::PeerConnection(peer, Connection::Connected) => (peer == bo_id).then_some(()),
        _ => None,
    })
    .await;

    ann.engine.shutdown().await;
    bo.engine.shutdown().await;
}

fn peer_joined(event: Event) -> Option<quartet_proto::PeerId> {
    match event {
        Event::PeerJoined(info) => Some(info.id),
        _ => None,
    }
}

fn peer_left(event: Event) -> Option<quartet_proto::PeerId> {
    match event {
        Event::PeerLeft(info) => Some(info.id),
        _ => None,
    }
}

//! The channels of the files.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quartet_core::{LinkEvent, transfer::SEND_AHEAD};
use quartet_proto::FilesMessage;

use crate::pair::{Pair, Side, voice_payload};

/// The channels are open, and what comes now is not lost with the opening.
async fn ready() -> Pair {
    let mut pair = Pair::connected().await;
    for side in [&mut pair.offerer, &mut pair.answerer] {
        assert_eq!(side.next_of_files().await, LinkEvent::FilesOpened);
    }
    for tries in 0.. {
        pair.offerer.link.say_of_files(FilesMessage::Ready { met: false });
        pair.answerer.link.say_of_files(FilesMessage::Ready { met: false });
        tokio::time::sleep(Duration::from_millis(20)).await;
        if is_heard(&mut pair.offerer) & is_heard(&mut pair.answerer) {
            return pair;
        }
        assert!(tries < 100, "nobody hears anything");
    }
    unreachable!()
}

fn is_heard(side: &mut Side) -> bool {
    std::iter::from_fn(|| side.files.try_recv().ok()).count() > 0
}

fn content(size: usize) -> Bytes {
    (0..size).map(|i| (i * 31 / 7) as u8).collect()
}

/// The answer to one request, put together.
async fn next_answer(side: &mut Side, id: u32, size: usize) -> Vec<u8> {
    let mut answer = Vec::new();
    while answer.len() < size {
        match side.next_of_files().await {
            LinkEvent::FilesPiece { id: of, offset, bytes } => {
                assert_eq!((of, offset as usize), (id, answer.len()));
                answer.extend_from_slice(&bytes);
            }
            LinkEvent::FilesHeard(FilesMessage::Ready { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    answer
}

#[tokio::test]
async fn answers_arrive_whole_one_after_another() {
    let mut pair = ready().await;
    let answers = [content(5_000_000), content(1), content(300_000)];
    let begin = Instant::now();
    for (id, answer) in (1..).zip(&answers) {
        pair.offerer.link.send_of_file(id, answer.clone());
        assert!(next_answer(&mut pair.answerer, id, answer.len()).await == *answer);
        while pair.offerer.next_of_files().await != LinkEvent::FilesSent {}
    }
    println!("{} KB/s", 5_300 * 1000 / begin.elapsed().as_millis());
    pair.close().await;
}

#[tokio::test]
async fn voices_pass_a_file() {
    let mut pair = ready().await;
    for id in 1..=SEND_AHEAD as u32 {
        pair.offerer.link.send_of_file(id, content(40_000_000));
    }
    let mut longest = Duration::ZERO;
    for number in 0..50 {
        let begin = Instant::now();
        pair.offerer.link.send_voice(number * 960, voice_payload(number));
        assert_eq!(pair.answerer.next_voice().await.timestamp, number * 960);
        longest = longest.max(begin.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("the longest way of a voice: {longest:?}");
    let mut came = 0;
    while let Ok(event) = pair.answerer.files.try_recv() {
        if let LinkEvent::FilesPiece { bytes, .. } = event {
            came += bytes.len();
        }
    }
    assert!(came > 100_000, "{came}: the file does not go on");
    pair.close().await;
}

#[tokio::test]
async fn a_file_that_is_on_its_way_holds_up_no_end() {
    let pair = ready().await;
    pair.offerer.link.send_of_file(1, content(400_000_000));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begin = Instant::now();
    pair.close().await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

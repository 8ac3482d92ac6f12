//! What a path that loses packets does to the pictures.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use quartet_core::LinkState;
use tokio::{net::UdpSocket, task::JoinSet};

use crate::pair::{Pair, Rewrite, delta_frame, key_frame, loopback};

/// Stands between two links and drops packets at random, once it is told to.
struct LossyPath {
    loss: Arc<Mutex<f64>>,
    /// Packets and bytes that came from the offerer.
    forwarded: Arc<Mutex<(u64, u64)>>,
    /// The offerer's address as the answerer sees it, and the other way round.
    ends: [SocketAddr; 2],
    /// The true ones.
    real: Arc<Mutex<[Option<SocketAddr>; 2]>>,
    _tasks: JoinSet<()>,
}

impl LossyPath {
    async fn new(seed: u64) -> Self {
        println!("seed {seed}");
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let sockets = [Arc::new(bind().await.unwrap()), Arc::new(bind().await.unwrap())];
        let ends = [sockets[0].local_addr().unwrap(), sockets[1].local_addr().unwrap()];
        let real = Arc::new(Mutex::new([None; 2]));
        let loss = Arc::new(Mutex::new(0.0));
        let forwarded = Arc::new(Mutex::new((0, 0)));
        let mut tasks = JoinSet::new();
        // What the answerer sends to `ends[0]` goes to the offerer, from `ends[1]`.
        for side in 0..2 {
            let (inlet, outlet) = (Arc::clone(&sockets[side]), Arc::clone(&sockets[1 - side]));
            let (real, loss) = (Arc::clone(&real), Arc::clone(&loss));
            let forwarded = Arc::clone(&forwarded);
            let mut random = fastrand::Rng::with_seed(seed + side as u64);
            tasks.spawn(async move {
                let mut packet = [0; 2_000];
                loop {
                    let Ok((len, _)) = inlet.recv_from(&mut packet).await else { continue };
                    let to = real.lock()[side];
                    if side == 1 {
                        let mut forwarded = forwarded.lock();
                        *forwarded = (forwarded.0 + 1, forwarded.1 + len as u64);
                    }
                    let lost = random.f64() < *loss.lock();
                    if let (Some(to), false) = (to, lost) {
                        let _ = outlet.send_to(&packet[..len], to).await;
                    }
                }
            });
        }
        Self { loss, forwarded, ends, real, _tasks: tasks }
    }

    /// Puts this path in the place of the candidates of a side.
    fn rewrite(&self, side: usize) -> Option<Rewrite> {
        let (real, end) = (Arc::clone(&self.real), self.ends[side]);
        Some(Box::new(move |mut candidate| {
            if !candidate.candidate.is_empty() {
                let mut fields: Vec<_> =
                    candidate.candidate.split(' ').map(str::to_owned).collect();
                let address = format!("{}:{}", fields[4], fields[5]).parse().unwrap();
                real.lock()[side] = Some(address);
                fields[4] = end.ip().to_string();
                fields[5] = end.port().to_string();
                candidate.candidate = fields.join(" ");
            }
            Some(candidate)
        }))
    }
}

#[tokio::test]
async fn lost_packets_are_brought_back_without_a_storm() {
    const FRAMES: u32 = 300;
    let path = LossyPath::new(7).await;
    let mut pair =
        Pair::start_through(loopback(), loopback(), path.rewrite(0), path.rewrite(1)).await;
    pair.reaches(LinkState::Connected).await;
    pair.exchange().await;
    while pair.answerer.pictures.try_recv().is_ok() {}
    *path.loss.lock() = 0.05;
    let before = *path.forwarded.lock();
    let sent_before = pair.offerer.link.stats().await.video_out;
    let wanted_before = pair.offerer.key_frames_wanted.load(Relaxed);
    let link = Arc::clone(&pair.offerer.link);
    let (mut shown, mut key_frames) = (0, 0);
    let send = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(33));
        for number in 1_000..1_000 + FRAMES {
            ticks.tick().await;
            let wanted = pair.offerer.key_frames_wanted.load(Relaxed) - wanted_before;
            if number == 1_000 || wanted > key_frames {
                key_frames = wanted;
                link.send_video(&key_frame(number, 8_000));
            } else {
                link.send_video(&delta_frame(number, 2_500));
            }
        }
        // What was lost at last is brought back by now, or never.
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let watch = async {
        while pair.answerer.pictures.recv().await.is_some() {
            shown += 1;
        }
    };
    tokio::select! {
        () = send => {}
        () = watch => {}
    }
    while pair.answerer.pictures.try_recv().is_ok() {
        shown += 1;
    }
    let after = *path.forwarded.lock();
    let sent = pair.offerer.link.stats().await.video_out.packets - sent_before.packets;
    let on_the_wire = after.0 - before.0;
    println!(
        "{shown} of {FRAMES} shown, {key_frames} key frames asked for, {sent} packets, \
         {on_the_wire} on the wire with all that repairs, reports and checks"
    );
    assert!(shown >= FRAMES * 97 / 100, "{shown}");
    // A twentieth again for the losses, and a few reports a second.
    assert!(on_the_wire < sent * 3 / 2, "{on_the_wire} for {sent}");
    *path.loss.lock() = 0.0;
    pair.close().await;
}

#[tokio::test]
async fn a_line_that_loses_a_fifth_does_not_delay_the_connection_by_seconds() {
    let mut took = Vec::new();
    for seed in 0..10 {
        let path = LossyPath::new(seed).await;
        *path.loss.lock() = 0.2;
        let start = tokio::time::Instant::now();
        let mut pair =
            Pair::start_through(loopback(), loopback(), path.rewrite(0), path.rewrite(1)).await;
        pair.reaches(LinkState::Connected).await;
        took.push(start.elapsed());
        pair.close().await;
    }
    took.sort();
    println!("{took:?}");
    // One flight in two loses a packet; the library would miss it for a second.
    assert!(took[6] < Duration::from_millis(900), "{took:?}");
}

//! The task that owns a link: opens it, passes its events and figures on, closes it.

use std::{sync::Arc, time::Duration};

use quartet_core::{LinkEvent, LinkState};
use quartet_proto::PeerId;
use quartet_rtc::{Link, LinkConfig, MediaSink};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::input::{Generation, Input, LinkNews};

/// Events of a link that wait for this task; the link waits when it is full.
const EVENT_QUEUE: usize = 64;
/// Between two looks at the counters.
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// The same while a connected link does not know its path yet.
const PATH_INTERVAL: Duration = Duration::from_millis(20);

/// Until `cancel`, or until the link cannot be opened, which is said as [`LinkEvent::Broken`].
pub(crate) async fn run(
    peer: PeerId,
    generation: Generation,
    config: LinkConfig,
    sink: Arc<dyn MediaSink>,
    inputs: mpsc::Sender<Input>,
    cancel: CancellationToken,
) {
    let say = async |news| {
        // A closed queue is the engine's end, which also cancels this task.
        let _ = inputs.send(Input::Link(peer, generation, news)).await;
    };
    let (events, mut event_receiver) = mpsc::channel(EVENT_QUEUE);
    // Not raced with `cancel`: an opening that is dropped half-way could leave sockets behind.
    let link = match Link::open(config, sink, events).await {
        Ok(link) => Arc::new(link),
        Err(error) => return say(LinkNews::Event(LinkEvent::Broken(error.to_string()))).await,
    };
    say(LinkNews::Opened(Arc::clone(&link))).await;
    let mut path_wanted = false;
    let mut stats_at = Instant::now() + STATS_INTERVAL;
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(event) = event_receiver.recv() => {
                if event == LinkEvent::State(LinkState::Connected) {
                    path_wanted = true;
                    stats_at = Instant::now();
                }
                say(LinkNews::Event(event)).await;
            }
            () = sleep_until(stats_at) => {
                let stats = link.stats().await;
                let path_known =
                    stats.local_candidate.is_some() && stats.remote_candidate.is_some();
                path_wanted &= !path_known;
                stats_at += if path_wanted { PATH_INTERVAL } else { STATS_INTERVAL };
                say(LinkNews::Stats(Box::new(stats))).await;
            }
        }
    }
    link.close().await;
}

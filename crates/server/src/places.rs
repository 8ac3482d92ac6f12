//! Places for HTTP connections. When all are taken, whoever has had one for longest makes room.
//!
//! What a browser asks for takes a moment; whoever is still there after that, while others wait, is
//! slow or means to be. Were only the newest to wait, a few machines that open connections and say
//! nothing would keep everybody out for as long as they like.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// What everybody may take, whoever waits: some round trips on a bad line. A crowd that comes at
/// once is served within it, one after the other.
const STAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// In the order in which they were taken; those that were given back are cleared away in time.
    held: Mutex<VecDeque<Holder>>,
    count: usize,
}

#[derive(Debug)]
struct Holder {
    since: Instant,
    ended: CancellationToken,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        let free = Arc::new(Semaphore::new(count));
        Self { free, held: Mutex::default(), count }
    }

    /// A place, and whether somebody had to make room.
    pub(crate) async fn take(&self) -> (HttpPlace, bool) {
        let permit = Arc::clone(&self.free).acquire_owned();
        let (permit, made_room) = tokio::select! {
            biased;
            permit = permit => (permit, false),
            () = self.make_room() => (Arc::clone(&self.free).acquire_owned().await, true),
        };
        let ended = CancellationToken::new();
        let mut held = self.held.lock();
        held.push_back(Holder { since: Instant::now(), ended: ended.clone() });
        if held.len() > 2 * self.count {
            held.retain(|holder| !holder.ended.is_cancelled());
        }
        (HttpPlace { ended, _permit: permit.expect("never closed") }, made_room)
    }

    /// Waits until the oldest has had its place for long enough, and ends it.
    async fn make_room(&self) {
        loop {
            let oldest = {
                let mut held = self.held.lock();
                while held.front().is_some_and(|holder| holder.ended.is_cancelled()) {
                    held.pop_front();
                }
                held.front().map(|holder| (holder.since + STAY, holder.ended.clone()))
            };
            // With none, all are about to be given back.
            let Some((until, ended)) = oldest else { return };
            sleep_until(until).await;
            if !ended.is_cancelled() {
                return ended.cancel();
            }
        }
    }
}

/// Held until it is dropped, which is to be soon after [`Self::ended`].
#[derive(Debug)]
pub(crate) struct HttpPlace {
    ended: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl HttpPlace {
    /// Fires when the place is wanted for somebody else.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Drop for HttpPlace {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves a connection that never ends by itself.
    fn serve(place: HttpPlace) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            place.ended().cancelled().await;
            drop(place);
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room_after_its_time() {
        let places = Places::new(2);
        let start = Instant::now();
        let first = serve(places.take().await.0);
        tokio::time::advance(STAY / 2).await;
        let second = serve(places.take().await.0);
        assert!(places.take().await.1);
        let millisecond = Duration::from_millis(1);
        assert!((STAY..=STAY + millisecond).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert!(first.is_finished() && !second.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_makes_room_while_places_are_given_back() {
        let places = Places::new(2);
        let kept = places.take().await.0;
        for _ in 0..100 {
            let place = places.take().await.0;
            tokio::spawn(async move {
                tokio::time::sleep(STAY / 200).await;
                drop(place);
            });
        }
        assert!(!kept.ended().is_cancelled());
        assert!(places.held.lock().len() <= 5, "what is over is forgotten");
    }
}

//! The handle of a link.

mod actor;
mod backlog;
mod chat;
mod conversation;
mod counters;
mod files;
mod media_queue;
mod receiver;
mod sender;
mod stats;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use quartet_core::{
    EncodedFrame, LinkAction, LinkEvent, chat::CHAT_WINDOW, congestion::LinkShare,
    transfer::SEND_AHEAD,
};
use quartet_proto::{ChatMessage, FilesMessage, PeerMessage};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::AbortHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use webrtc::peer_connection::PeerConnection;

use self::{
    actor::Actor,
    conversation::Words,
    counters::Counters,
    files::Outbox,
    media_queue::{MediaQueue, Voice},
};
use crate::{LinkConfig, LinkError, LinkStats, MediaSink, peer::Peer, steering::Steering};

/// Actions that wait; a restart makes one description and a few dozen candidates.
const MAX_ACTIONS: usize = 256;
/// What is said of files and waits: all offers and requests that there may be, several times.
const FILES_QUEUE: usize = 512;
/// How long [`Link::close`] waits.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A connection to one peer.
///
/// Everything but [`Link::open`], [`Link::stats`] and [`Link::close`] returns at once. Dropping a
/// link closes it too, without waiting for it.
pub struct Link {
    actions: mpsc::Sender<LinkAction>,
    /// More actions came than could be kept.
    overflow: Arc<Notify>,
    queue: Arc<MediaQueue>,
    counters: Arc<Counters>,
    steering: Arc<Steering>,
    /// What the peer is to be told: the newest word on each matter.
    to_say: watch::Sender<Words>,
    to_chat: mpsc::Sender<ChatMessage>,
    files_to_say: mpsc::Sender<FilesMessage>,
    files_to_send: mpsc::Sender<(u32, Bytes)>,
    /// A key frame of ours is wanted…
    key_frame_wanted: Arc<Notify>,
    /// …and one of the peer's.
    key_frame_requested: Arc<Notify>,
    /// The same of the screens.
    screen_key_frame_wanted: Arc<Notify>,
    screen_key_frame_requested: Arc<Notify>,
    connection: Arc<dyn PeerConnection>,
    cancel: CancellationToken,
    ended: watch::Receiver<bool>,
    task: AbortHandle,
}

impl Link {
    /// Binds the sockets and starts the tasks; says nothing to the peer yet. Waits for the names of
    /// servers, at most 1 s.
    ///
    /// # Errors
    ///
    /// When no socket can be bound, or the configuration is refused.
    pub async fn open(
        config: LinkConfig,
        sink: Arc<dyn MediaSink>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Result<Self, LinkError> {
        let steering = Arc::new(Steering::new(Instant::now()));
        let (peer, signals) = Peer::open(&config, &steering).await?;
        let (actions, actions_end) = mpsc::channel(MAX_ACTIONS);
        let (ended, ended_end) = watch::channel(false);
        let connection = Arc::clone(&peer.connection);
        let overflow = Arc::new(Notify::new());
        let queue = Arc::new(MediaQueue::default());
        let counters = Arc::new(Counters::default());
        let (to_say, to_say_end) = watch::channel(Words::default());
        let (to_chat, to_chat_end) = mpsc::channel(CHAT_WINDOW);
        let (files_to_say, files_to_say_end) = mpsc::channel(FILES_QUEUE);
        let (files_to_send, files_to_send_end) = mpsc::channel(SEND_AHEAD);
        let key_frame_wanted = Arc::clone(&signals.key_frame_wanted);
        let key_frame_requested = Arc::new(Notify::new());
        let screen_key_frame_wanted = Arc::clone(&signals.screen_key_frame_wanted);
        let screen_key_frame_requested = Arc::new(Notify::new());
        let cancel = CancellationToken::new();
        let actor = Actor::new(actor::Parts {
            role: config.role,
            peer,
            signals,
            actions: actions_end,
            overflow: Arc::clone(&overflow),
            events,
            sink,
            to_say: to_say_end,
            to_chat: Some(to_chat_end),
            files: Some(Outbox { to_say: files_to_say_end, to_send: files_to_send_end }),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            steering: Arc::clone(&steering),
            key_frame_requested: Arc::clone(&key_frame_requested),
            screen_key_frame_requested: Arc::clone(&screen_key_frame_requested),
            cancel: cancel.clone(),
        });
        let task = tokio::spawn(async move {
            actor::supervise(actor).await;
            ended.send_replace(true);
        });
        Ok(Self {
            actions,
            overflow,
            queue,
            counters,
            steering,
            to_say,
            to_chat,
            files_to_say,
            files_to_send,
            key_frame_wanted,
            key_frame_requested,
            screen_key_frame_wanted,
            screen_key_frame_requested,
            connection,
            cancel,
            ended: ended_end,
            task: task.abort_handle(),
        })
    }

    /// Queues an action; they are carried out in order. When the queue is full a candidate is
    /// dropped, and anything else breaks the link.
    pub fn act(&self, action: LinkAction) {
        match self.actions.try_send(action) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(LinkAction::Candidate(_))) => {
                tracing::warn!("a link is behind: a candidate is dropped");
            }
            Err(mpsc::error::TrySendError::Full(_)) => self.overflow.notify_one(),
        }
    }

    /// Queues a picture. When the queue is full it drops pictures until the next key frame, and
    /// asks for that with [`LinkEvent::KeyFrameWanted`]. Before the link is connected it drops all
    /// of them, and asks for a key frame as soon as it is.
    pub fn send_video(&self, frame: &EncodedFrame) {
        if self.queue.push_video(frame) {
            self.key_frame_wanted.notify_one();
        }
    }

    /// The same for a picture of the shared screen, with [`LinkEvent::ScreenKeyFrameWanted`]. To a
    /// peer that takes no screens nothing is sent.
    pub fn send_screen(&self, frame: &EncodedFrame) {
        if self.queue.push_screen(frame) {
            self.screen_key_frame_wanted.notify_one();
        }
    }

    /// Queues an Opus packet, whose timestamp counts [`quartet_core::SAMPLE_RATE`]; when the queue
    /// is full the oldest goes.
    pub fn send_voice(&self, timestamp: u32, payload: Bytes) {
        self.queue.push_voice(Voice { timestamp, payload });
    }

    /// What the link may send, and what it would like to be able to: to be told again whenever
    /// [`LinkEvent::Estimate`] or the plan has changed. Until then the link's own estimate counts.
    pub fn set_share(&self, share: LinkShare) {
        self.steering.set_share(Instant::now(), share);
    }

    /// Says something to the peer, past the server, as soon as its channel is open; the peer hears
    /// it as [`LinkEvent::Said`]. Of what is said in quick succession on one
    /// matter, only the last may arrive. A new link has to be told again.
    pub fn tell(&self, message: &PeerMessage) {
        self.to_say.send_if_modified(|to_say| to_say.put(message.clone()));
    }

    /// Says something on the chat's channel, after [`LinkEvent::ChatOpened`]; the peer hears it as
    /// [`LinkEvent::ChatHeard`]. Each is answered with [`LinkEvent::ChatSent`]; what is said while
    /// [`CHAT_WINDOW`] are not, or after the end, is lost.
    pub fn chat(&self, message: ChatMessage) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.to_chat.try_send(message) {
            tracing::error!("a link was given more of a chat than it takes");
        }
    }

    /// Says something about files, after [`LinkEvent::FilesOpened`]; the peer hears it as
    /// [`LinkEvent::FilesHeard`]. In order; when more waits than could be of use, the link breaks,
    /// and begins anew.
    pub fn say_of_files(&self, message: FilesMessage) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.files_to_say.try_send(message) {
            self.overflow.notify_one();
        }
    }

    /// Sends the answer to a request of the peer's, as fast as the path has room for it; the peer
    /// gets it in [`LinkEvent::FilesPiece`]s. Each is answered with [`LinkEvent::FilesSent`]; what
    /// is sent while [`SEND_AHEAD`] are not, or after the end, is lost.
    pub fn send_of_file(&self, request: u32, bytes: Bytes) {
        if let Err(mpsc::error::TrySendError::Full(_)) =
            self.files_to_send.try_send((request, bytes))
        {
            tracing::error!("a link was given more of a file than it takes");
        }
    }

    /// Asks the peer for a key frame (PLI, RFC 4585 §6.3.1), at most once in 300 ms, until one
    /// comes.
    pub fn request_key_frame(&self) {
        self.key_frame_requested.notify_one();
    }

    /// The same for the peer's screen.
    pub fn request_screen_key_frame(&self) {
        self.screen_key_frame_requested.notify_one();
    }

    /// The counters and the path; after the end the counters only.
    pub async fn stats(&self) -> LinkStats {
        let estimate = self.steering.estimate();
        let mut stats = LinkStats {
            estimate_bps: Some(estimate.bitrate_bps),
            loss: estimate.loss,
            rtt: estimate.rtt,
            video_in: self.counters.video_in.read(),
            video_out: self.counters.video_out.read(),
            screen_in: self.counters.screen_in.read(),
            screen_out: self.counters.screen_out.read(),
            voice_in: self.counters.voice_in.read(),
            voice_out: self.counters.voice_out.read(),
            ..LinkStats::default()
        };
        (stats.video_out.frames_dropped, stats.screen_out.frames_dropped) =
            self.queue.frames_dropped();
        if !*self.ended.borrow() {
            stats::add_path(&mut stats, &*self.connection).await;
        }
        stats
    }

    /// Closes the connection and waits, at most 2 s, until nothing of it runs any more.
    pub async fn close(&self) {
        self.cancel.cancel();
        let mut ended = self.ended.clone();
        // The channel closes without a word only when the task was aborted: then it has ended too.
        if timeout(CLOSE_DEADLINE, ended.wait_for(|ended| *ended)).await.is_err() {
            tracing::warn!("a link has not ended in time and is aborted");
            self.task.abort();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("ended", &*self.ended.borrow()).finish_non_exhaustive()
    }
}

//! The running call: one actor that owns everything, and a cheap handle to it.
//!
//! Commands go in through [`Engine`], events come out through [`EventReceiver`]; pictures go past
//! both, to whoever watches a tile. The actor never awaits a send and never blocks: what it cannot
//! deliver, it drops by the policy that each channel states.
//!
//! Threads and tasks: the actor, the signalling socket and every link are tokio tasks; camera,
//! encoder, microphone and speaker are OS threads. Encoded pictures and voice packets go from the
//! thread that makes them straight to the links, without a hop through the actor. Files are read
//! and written by one more OS thread, from the first one of a call on.

mod actor;
mod command;
mod config;
mod device;
mod disk;
mod event;
mod event_queue;
mod fan_out;
mod figures;
mod input;
mod intake;
mod link_task;
mod network;
mod socket;
mod tasks;
mod tile;
mod watcher;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use command::{
    CaptureTap, ChatText, Command, DEFAULT_VIEW, FilePath, JoinRequest, Selected, Share, TileId,
    TileSink, VoiceTap,
};
pub use config::EngineConfig;
pub use event::{
    AudioInStats, AudioOutStats, ChatId, ChatLine, Condition, Connection, EncodeStats, EndReason,
    Event, FailureCode, FileFault, FilePhase, FileState, Mark, PathStats, PeerStats, PictureLimit,
    SourceKind, Stats, Trust, VideoInStats, VideoOutStats, Witness,
};
pub use event_queue::EventReceiver;
pub use quartet_rtc::{IceConfig, IcePolicy};

use actor::Actor;
use input::Input;

/// Inputs that may wait for the actor. It handles each in microseconds, so that only a bug fills
/// this; commands are then refused, and everybody else waits.
const INPUT_QUEUE: usize = 1024;

/// The handle to a running engine. Cloning shares it; when the last one is dropped, the engine
/// ends by itself, as after [`Engine::shutdown`].
#[derive(Debug, Clone)]
pub struct Engine(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    inputs: mpsc::Sender<Input>,
    cancel: CancellationToken,
    running: watch::Receiver<()>,
}

impl Engine {
    /// Starts the actor on the current tokio runtime, with no devices and in no room.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(config: EngineConfig) -> (Self, EventReceiver) {
        let (inputs, receiver) = mpsc::channel(INPUT_QUEUE);
        let (events, event_receiver) = event_queue::channel();
        let (alive, running) = watch::channel(());
        let cancel = CancellationToken::new();
        let actor = Actor::new(config, inputs.clone(), events, cancel.clone());
        tokio::spawn(async move {
            actor.run(receiver).await;
            drop(alive);
        });
        (Self(Arc::new(Handle { inputs, cancel, running })), event_receiver)
    }

    /// Tells the engine something; returns at once. After the end it does nothing.
    pub fn send(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(_)) =
            self.0.inputs.try_send(Input::Command(command))
        {
            tracing::error!("the engine does not keep up: a command was dropped");
        }
    }

    /// Leaves the room, closes everything, and waits for that, at most for
    /// [`EngineConfig::shutdown_deadline`]; what still runs then is named in the log.
    pub async fn shutdown(&self) {
        self.0.cancel.cancel();
        // The sender is never used: it is dropped at the end.
        let _ = self.0.running.clone().changed().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

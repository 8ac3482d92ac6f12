//! Everything that can happen to the actor.

use std::sync::Arc;

use quartet_core::{LinkEvent, Rung};
use quartet_media::DeviceError;
use quartet_proto::{PeerId, PeerInfo, RoomPolicy, ServerMessage};
use quartet_rtc::{Link, LinkStats};

use crate::{Command, SourceKind, disk::DiskNews, socket::SocketError};

/// Tells one run of something from the next, so that what an old one still says is dropped.
pub(crate) type Generation = u64;

/// Everything that can happen to the actor, by origin; beside these there are only the time and
/// the end of a task.
#[derive(Debug)]
pub(crate) enum Input {
    /// From a handle.
    Command(Command),
    /// From the signalling socket of the call.
    Socket(Generation, SocketNews),
    /// From the socket that watches a room.
    Watch(Generation, WatchNews),
    /// From the task of a link. By generation, as epochs begin anew with every visit, and a link
    /// of the last visit may still be closing.
    Link(PeerId, Generation, LinkNews),
    /// From a device's thread.
    Device(SourceKind, Generation, DeviceNews),
    /// From the thread that reads and writes files.
    Disk(Generation, DiskNews),
    /// From a link: the first voice packet of a peer.
    FirstAudio(PeerId),
    /// From a link: the first picture of a peer.
    FirstVideo(PeerId),
    /// From the encoder's thread: somebody needs a key frame of this encoding.
    KeyFrameWanted(Rung),
}

/// What the signalling socket says; its end is the end of its task.
#[derive(Debug)]
pub(crate) enum SocketNews {
    /// Connected.
    Opened,
    /// A message came.
    Message(ServerMessage),
    /// Something came that is no message; it was dropped. Said once for a connection.
    Unreadable,
    /// Why it ends, which it does at once.
    Failed(SocketError),
}

/// What the watcher of a room says.
#[derive(Debug)]
pub(crate) enum WatchNews {
    /// Who is in, and who gets in.
    Roster(Vec<PeerInfo>, RoomPolicy),
    /// The server is not reached.
    Unknown,
}

/// What the task of a link says.
#[derive(Debug)]
pub(crate) enum LinkNews {
    /// It takes actions from now on.
    Opened(Arc<Link>),
    /// Its own event.
    Event(LinkEvent),
    /// Its counters, once a second, and as soon as the path is known.
    Stats(Box<LinkStats>),
}

/// What a device's thread says.
#[derive(Debug)]
pub(crate) enum DeviceNews {
    /// The first picture or sound came.
    Running,
    /// It gives nothing any more.
    Ended(Result<(), DeviceError>),
}

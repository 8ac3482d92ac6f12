//! What goes into a [`Session`](super::Session) and comes out of it.

use std::fmt;

use quartet_proto::{
    AuthKey, ClientMessage, Code, Epoch, ErrorCode, IceServer, MediaState, NonceSeed, PeerId,
    PeerInfo, PeerMessage, RoomId, RoomPolicy, ServerMessage, SessionKey,
};

use crate::{LinkAction, LinkEvent};

/// One visit to a room.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// Where.
    pub room: RoomId,
    /// Made for this visit, from a cryptographic random source; it is also what spreads the
    /// retries of several participants in time.
    pub key: SessionKey,
    /// What everybody in the room proves to belong there with.
    pub auth: AuthKey,
    /// Made for this visit, from a cryptographic random source: what the codes of this visit's pairs
    /// are made of.
    pub seed: NonceSeed,
    /// The display name.
    pub name: String,
    /// What is sent and withheld from the start.
    pub media: MediaState,
    /// Who gets into the room, if this visit makes it.
    pub policy: RoomPolicy,
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionConfig(as {}, {:?})", self.key.peer_id(), self.media)
    }
}

/// What can happen to a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The user leaves. Ends the session at once.
    Leave,
    /// The user: what is sent and withheld has changed.
    SetMedia(MediaState),
    /// The user: the code of somebody was compared with them. Nothing happens if it is no longer
    /// the present one.
    ConfirmCode {
        /// With whom.
        peer: PeerId,
        /// The code that the user has seen.
        code: Code,
        /// It is the same there; false takes that back.
        matches: bool,
    },
    /// The user: who gets in from now on.
    SetPolicy(RoomPolicy),
    /// The user: let somebody in, of whom [`SessionEvent::Knock`] told.
    Admit(PeerId),
    /// The user: turn them away.
    Refuse(PeerId),
    /// The user: put somebody out.
    Remove(PeerId),
    /// A peer has said something past the server, on the present link to it.
    Said {
        /// Who.
        peer: PeerId,
        /// What.
        message: PeerMessage,
    },
    /// The machine: its addresses may have changed.
    NetworkChanged,
    /// The socket asked for by [`Output::OpenSocket`] is open.
    SocketOpened,
    /// The socket: a message. What cannot be read as one is dropped before it gets here.
    SocketMessage(ServerMessage),
    /// The socket could not be opened, or ended without having been told to.
    ///
    /// After [`Output::CloseSocket`], nothing more comes from that socket, not even this.
    SocketClosed,
    /// A link: something happened. Events of links that are closed are dropped.
    Link {
        /// To whom the link goes.
        peer: PeerId,
        /// Which link, as in [`Output::OpenLink`].
        epoch: Epoch,
        /// What.
        event: LinkEvent,
    },
}

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to the signalling server; answered by [`Input::SocketOpened`] or
    /// [`Input::SocketClosed`].
    OpenSocket,
    /// Send what was given to the socket, for a bounded time, and close it; or stop opening it.
    CloseSocket,
    /// Send a message; comes only between [`Input::SocketOpened`] and the end of that socket.
    Send(ClientMessage),
    /// Make a link. A link that cannot be made says [`LinkEvent::Broken`].
    OpenLink {
        /// To whom.
        peer: PeerId,
        /// Its name, together with `peer`.
        epoch: Epoch,
        /// This side makes the offers; the first one is asked for by an [`Output::Link`] at once.
        offerer: bool,
        /// STUN and TURN servers of the signalling server.
        ice_servers: Vec<IceServer>,
    },
    /// Tell a link something; it may still be opening, and then does it afterwards.
    Link {
        /// As in [`Output::OpenLink`].
        peer: PeerId,
        /// As in [`Output::OpenLink`].
        epoch: Epoch,
        /// What it is to do.
        action: LinkAction,
    },
    /// Close a link; each [`Output::OpenLink`] is followed by exactly one.
    CloseLink {
        /// As in [`Output::OpenLink`].
        peer: PeerId,
        /// As in [`Output::OpenLink`].
        epoch: Epoch,
    },
    /// Say this to a peer past the server, on the present link once it is open and on every later
    /// one, until something else is to be said.
    Tell {
        /// To whom.
        peer: PeerId,
        /// What.
        message: PeerMessage,
    },
    /// Tell the user.
    Event(SessionEvent),
}

/// How the connection to one person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connection {
    /// For the first time.
    Connecting,
    /// Picture and voice can flow.
    Connected,
    /// It was lost and is being repaired.
    Reconnecting,
    /// Every try since it was last connected has ended without a path; the next one comes.
    Failed,
    /// Whoever is in that person's place could not prove to have the join link: the server, or
    /// somebody between, is not honest. A few more tries follow, and then none.
    Untrusted,
}

/// What the user has made of somebody's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mark {
    /// Nothing yet.
    #[default]
    Unconfirmed,
    /// It is the same there. That stays true over every reconnect of this visit.
    Confirmed,
    /// It was; but now somebody with another certificate is in that person's place.
    Changed,
}

/// How sure it is that nobody stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trust {
    /// To be compared with the other one: the same at both ends if nobody does. None before both
    /// have described themselves.
    pub code: Option<Code>,
    /// What the user has made of it.
    pub mark: Mark,
}

/// What a session says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// In the room, for the first time.
    Joined {
        /// The own id.
        you: PeerId,
        /// Who was there before. Each of them follows as [`Self::PeerJoined`], too.
        present: Vec<PeerInfo>,
    },
    /// The signalling server is gone (false) or back (true); the media goes on. Before the first
    /// word of it, it counts as there.
    Signalling {
        /// It answers.
        online: bool,
    },
    /// Somebody inside has to let this participant in; [`Self::Joined`] or the end follows.
    Waiting,
    /// Somebody wants to come in: [`Input::Admit`] or [`Input::Refuse`].
    Knock(PeerInfo),
    /// The answer came from elsewhere, or from here, or they have gone.
    KnockOver(PeerId),
    /// Who gets in has changed.
    Policy {
        /// From now on.
        policy: RoomPolicy,
        /// Who changed it, if that is known.
        by: Option<PeerId>,
    },
    /// Somebody was put out; [`Self::PeerLeft`] follows.
    PeerRemoved {
        /// Who.
        peer: PeerId,
        /// By whom, if that is known.
        by: Option<PeerId>,
    },
    /// Somebody is here; the connection is [`Connection::Connecting`].
    PeerJoined(PeerInfo),
    /// Somebody is gone.
    PeerLeft(PeerInfo),
    /// What somebody sends has changed.
    PeerMedia(PeerId, MediaState),
    /// The connection to somebody has changed.
    PeerConnection(PeerId, Connection),
    /// What is known of somebody's identity has changed; at first nothing is.
    PeerTrust(PeerId, Trust),
    /// The server refused something; the call goes on. The same code comes at most once in 30 s.
    Error {
        /// The stable word.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// The visit is over; the last event.
    Ended(SessionEnd),
}

/// Why a visit is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// [`Input::Leave`].
    Left,
    /// The server refused the first join, or has put another connection in this one's place.
    Refused {
        /// The stable word.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// The server could not be reached for the first join.
    Unreachable,
}

//! Every limit of the wire, with its reason.

use std::time::Duration;

/// People in a room. In a mesh everybody sends to everybody: four is what a home uplink carries.
pub const ROOM_CAPACITY: usize = 4;
/// Bytes of one signalling message: an offer with every codec and extension is under 10 KiB.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Bytes of an SDP description inside a message; leaves room for the JSON escapes around it.
pub const MAX_SDP_BYTES: usize = 32 * 1024;
/// Bytes of one ICE candidate line; RFC 8839 lines are about 100, extensions may follow.
pub const MAX_CANDIDATE_BYTES: usize = 1024;
/// Characters of a display name.
pub const MAX_NAME_CHARS: usize = 64;
/// Bytes of a join link.
pub const MAX_LINK_BYTES: usize = 512;
/// Messages that may come at once: four peers' descriptions and candidates of a restart.
pub const MESSAGE_BURST: u32 = 300;
/// Messages a second after the burst.
pub const MESSAGES_PER_SECOND: u32 = 50;
/// A participant says `ping` this often.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);
/// A connection silent for this long is dead: two pings and a half were lost.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(5);
/// From opening a connection to `hello`: whoever connects knows what to say.
pub const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection may stay that is in no room and looks into none. Only who was turned away
/// is there for more than a moment, and reads why.
pub const ROOMLESS_LIMIT: Duration = Duration::from_mins(1);
/// Messages that are dropped, one flood long, before its connection is ended: a minute of what is
/// allowed. Reading what is thrown away is work, too.
pub const FLOOD_LIMIT: u32 = 3_000;
/// A participant without a connection keeps its place for this long, so that a dropped socket
/// costs nothing; with [`SILENCE_LIMIT`] a dead one is gone in under 10 s.
pub const RESUME_GRACE: Duration = Duration::from_secs(4);
/// Bytes of one message between two participants ([`crate::PeerMessage`]); the longest, `room` with
/// full lists, is two thirds of it.
pub const MAX_PEER_MESSAGE_BYTES: usize = 1024;
/// People looking into a room before they join; more see no names, but may join.
pub const MAX_WATCHERS: usize = 16;
/// People who wait in front of a room at once: more than could ever come in.
pub const MAX_WAITING: usize = 8;
/// Others that somebody who comes back may name: a full room, and as many who have left it lately.
pub const MAX_MEMBERS: usize = 2 * ROOM_CAPACITY;
/// Whoever was turned away may knock again after this: those inside are not to be worn down.
pub const REFUSAL_PAUSE: Duration = Duration::from_secs(30);
/// Ids in each list of a `room` message between participants; later ones are not heard.
pub const MAX_ROOM_IDS: usize = 16;
/// Somebody whose seat was given up passes the door for this long, as does somebody for whom a
/// participant who came back has vouched: a laptop that moves from one network to another.
pub const RETURN_LIMIT: Duration = Duration::from_mins(5);
/// Bytes of UTF-8 in one chat message: two pages of English, one of Thai.
pub const MAX_CHAT_BYTES: usize = 4 * 1024;
/// Bytes of one message on the chat's channel ([`crate::ChatMessage`]): the longest text, each of
/// its characters escaped, with a name.
pub const MAX_CHAT_MESSAGE_BYTES: usize = 16 * 1024;
/// The highest clock of a chat message: what a number in JavaScript holds exactly.
pub const MAX_CHAT_CLOCK: u64 = (1 << 53) - 1;
/// Messages of one author that are kept for those who come later, or back: hours of a talkative
/// call.
pub const CHAT_HISTORY: usize = 250;
/// Bytes of text of one author that are kept likewise: half a minute at
/// [`CHAT_BYTES_PER_SECOND`] for whoever comes late.
pub const CHAT_HISTORY_BYTES: usize = 256 * 1024;
/// Authors of whom messages are kept: all who can be there, and as many who are gone.
pub const MAX_CHAT_AUTHORS: usize = 16;
/// Chat messages that may come at once: a history that was held up on its way.
pub const CHAT_BURST: u32 = 300;
/// Chat messages a second to one person; nobody types, or reads, that many.
pub const CHAT_MESSAGES_PER_SECOND: u32 = 20;
/// Bytes of chat a second to one person: as much as two voices, so that a long history holds up
/// none.
pub const CHAT_BYTES_PER_SECOND: u32 = 8 * 1024;
/// Reactions that somebody may send at once: a cheer.
pub const REACTION_BURST: u32 = 4;
/// Reactions a second after the burst: as fast as people can tell them apart.
pub const REACTIONS_PER_SECOND: u32 = 2;
/// Reactions of one person that are shown at once; twice as many as may be sent, for those that were
/// held up on their way.
pub const REACTION_BURST_HEARD: u32 = 2 * REACTION_BURST;
/// Bytes of a file: what chunks of 4 MiB come to, of which several fit into memory.
pub const MAX_FILE_BYTES: u64 = 1 << 38;
/// Bytes of UTF-8 of a file's name: what file systems allow.
pub const MAX_FILE_NAME_BYTES: usize = 255;
/// Bytes of a file's media type; RFC 6838 allows 127 on each side of the slash.
pub const MAX_FILE_KIND_BYTES: usize = 255;
/// Bytes of a chunk, of which each is verified by itself, in files that are not larger than
/// [`MAX_CHUNKS`] of them: what is lost with a connection, little beside what is sent in a second.
pub const CHUNK_BYTES: u64 = 256 * 1024;
/// Chunks of a file: their hashes then take at most 2 MiB. Larger files have larger chunks.
pub const MAX_CHUNKS: u32 = 65_536;
/// Bytes of a file in one message: a browser takes 256 KiB, but while a message is under way, no
/// other one of the same connection is.
pub const MAX_PIECE_BYTES: usize = 32 * 1024;
/// Bytes of one message on the files' control channel ([`crate::FilesMessage`]): the longest name
/// and kind, each of their characters escaped.
pub const MAX_FILES_MESSAGE_BYTES: usize = 4096;
/// Files that one participant offers to another at once.
pub const MAX_FILES_OFFERED: usize = 64;
/// Parts of files that one participant may have asked another for without an answer; with chunks of
/// 256 KiB that is a third of a second at 100 Mbit/s, twice over.
pub const MAX_FILE_REQUESTS: usize = 32;
/// Messages on the files' control channel that may come at once…
pub const FILES_BURST: u32 = 1000;
/// …and a second: 250 acknowledgements, and as many requests.
pub const FILES_MESSAGES_PER_SECOND: u32 = 500;

// Every limit of the wire, as `docs/protocol.md` gives them. Times are milliseconds.

export const PROTOCOL_VERSION = 2;
/** People in a room. */
export const ROOM_CAPACITY = 4;
/** Bytes of one signalling message. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Bytes of an SDP description; SDP is ASCII, so characters are bytes. */
export const MAX_SDP_BYTES = 32 * 1024;
/** Media sections of a description: voice, camera, screen, data. */
export const MAX_SDP_SECTIONS = 4;
/** Bytes of each text in a candidate. */
export const MAX_CANDIDATE_BYTES = 1024;
/** Characters (Unicode scalar values) of a display name. */
export const MAX_NAME_CHARS = 64;
/** Bytes of a join link. */
export const MAX_LINK_BYTES = 512;
export const PING_INTERVAL = 2_000;
/** People who wait in front of a room at once. */
export const MAX_WAITING = 8;
/** Others whom somebody who comes back may name. */
export const MAX_MEMBERS = 2 * ROOM_CAPACITY;
/** Ids in each list of a `room` message; later ones are not heard. */
export const MAX_ROOM_IDS = 16;
/** A server from which nothing has come for so long is lost. */
export const SILENCE_LIMIT = 5_000;
/** Bytes of one message on the data channel. */
export const MAX_PEER_MESSAGE_BYTES = 1024;
/** What a `view` can say, pixels: 16 bits. */
export const MAX_VIEW = 65_535;
/** STUN and TURN servers taken from the server; each costs every link sockets and time. */
export const MAX_ICE_SERVERS = 8;
/** Addresses of one of them. */
export const MAX_ICE_URLS = 8;
/** Epochs and nonces are 32 bits. */
export const MAX_U32 = 0xffff_ffff;
/** Characters kept of a server's explanation, which is shown to people. */
export const MAX_EXPLANATION = 300;
/** Bytes of one message on the channel of the chat. */
export const MAX_CHAT_MESSAGE_BYTES = 16_384;
/** The highest clock of a chat message: what a number here holds exactly. */
export const MAX_CHAT_CLOCK = Number.MAX_SAFE_INTEGER;
/** Messages of one author that are kept for those who come later, or back… */
export const CHAT_HISTORY = 250;
/** …and bytes of their text. */
export const CHAT_HISTORY_BYTES = 262_144;
/** Authors of whom messages are kept. */
export const MAX_CHAT_AUTHORS = 16;
/** Chat messages that may come at once. */
export const CHAT_BURST = 300;
/** Chat messages a second to one person. */
export const CHAT_MESSAGES_PER_SECOND = 20;
/** Bytes of chat a second to one person. */
export const CHAT_BYTES_PER_SECOND = 8_192;
/** Reactions that somebody may send at once… */
export const REACTION_BURST = 4;
/** …and a second after that. */
export const REACTIONS_PER_SECOND = 2;
/** Reactions of one person that are shown at once: those included that were held up. */
export const REACTION_BURST_HEARD = 8;
/** Bytes of a file. */
export const MAX_FILE_BYTES = 2 ** 38;
/** Bytes of a file's name. */
export const MAX_FILE_NAME_BYTES = 255;
/** Bytes of a file's media type. */
export const MAX_FILE_KIND_BYTES = 255;
/** Bytes of a chunk, in files that have no more than `MAX_CHUNKS` of them… */
export const CHUNK_BYTES = 262_144;
/** …of larger ones they are doubled. */
export const MAX_CHUNKS = 65_536;
/** Bytes of a file in one message. */
export const MAX_PIECE_BYTES = 32_768;
/** Bytes of one message on the files' control channel. */
export const MAX_FILES_MESSAGE_BYTES = 4_096;
/** Files that one participant offers to another at once. */
export const MAX_FILES_OFFERED = 64;
/** Parts that one participant may have asked another for. */
export const MAX_FILE_REQUESTS = 32;
/** Messages on the files' control channel that may come at once… */
export const FILES_BURST = 1_000;
/** …and a second. */
export const FILES_MESSAGES_PER_SECOND = 500;

// What a session wants done, what links are told, and what they say.

import type {
  Candidate,
  ClientMessage,
  DescriptionKind,
  Epoch,
  IceServer,
  MediaState,
  PeerId,
  PeerInfo,
  RoomPolicy,
} from './messages';
import type { Trust } from './pair_trust';
import type { RoomWord } from './peer_message';

/** What a link is to do. */
export type LinkAction =
  /** Make an offer and announce it; with new ICE credentials, to look for another path. */
  | { type: 'offer'; iceRestart: boolean }
  /** The last offer, which has no answer, may be lost: announce it again, with its candidates. */
  | { type: 'repeat_offer' }
  /** Take the peer's description; an offer is answered by itself, announced likewise. */
  | { type: 'description'; kind: DescriptionKind; sdp: string }
  | { type: 'candidate'; candidate: Candidate }
  /** Use these from the next restart on: the credentials of those before will end. */
  | { type: 'ice_servers'; iceServers: IceServer[] };

export type LinkState = 'connecting' | 'connected' | 'disconnected' | 'failed';

/** What a link says. */
export type LinkEvent =
  /** An own description, before any candidate of it. */
  | { type: 'description'; kind: DescriptionKind; sdp: string }
  | { type: 'candidate'; candidate: Candidate }
  | { type: 'state'; state: LinkState }
  /** It is unusable. */
  | { type: 'broken' };

/**
 * How the connection to one person is; `failed`: every try so far ended without a path;
 * `untrusted`: whoever is in their place could not prove to have the link.
 */
export type Connection = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'untrusted';

export type SessionEnd =
  | { reason: 'left' }
  | { reason: 'refused'; code: string; message: string }
  | { reason: 'unreachable' };

/** What a session says to the person. */
export type SessionEvent =
  /** In the room, for the first time. */
  | { type: 'joined'; you: PeerId; present: PeerInfo[] }
  /** The server is gone or back; the media goes on. */
  | { type: 'signalling'; online: boolean }
  /** Somebody inside has to let this participant in; `joined` or the end follows. */
  | { type: 'waiting' }
  /** Somebody wants to come in. */
  | { type: 'knock'; peer: PeerInfo }
  /** Answered, here or elsewhere, or gone. */
  | { type: 'knock_over'; peer: PeerId }
  /** Who gets in, and who changed it, if that is known. */
  | { type: 'policy'; policy: RoomPolicy; by: PeerId | null }
  /** Somebody was put out; `peer_left` follows. */
  | { type: 'peer_removed'; peer: PeerId; by: PeerId | null }
  | { type: 'peer_joined'; peer: PeerInfo }
  | { type: 'peer_left'; peer: PeerInfo }
  | { type: 'peer_media'; peer: PeerId; media: MediaState }
  | { type: 'peer_connection'; peer: PeerId; connection: Connection }
  | { type: 'peer_trust'; peer: PeerId; trust: Trust }
  /** Something was refused and the call goes on; the same code at most once in 30 s. */
  | { type: 'error'; code: string; message: string }
  /** The last one. */
  | { type: 'ended'; end: SessionEnd };

/** In this order. */
export type Output =
  /** Answered by `socket_opened` or `socket_closed`. */
  | { type: 'open_socket' }
  /** Send what was given to the socket, and close it; or stop opening it. Nothing comes after. */
  | { type: 'close_socket' }
  | { type: 'send'; message: ClientMessage }
  /** A link that cannot be made says `broken`. */
  | { type: 'open_link'; peer: PeerId; epoch: Epoch; offerer: boolean; iceServers: IceServer[] }
  | { type: 'link'; peer: PeerId; epoch: Epoch; action: LinkAction }
  /** Each `open_link` is followed by exactly one. */
  | { type: 'close_link'; peer: PeerId; epoch: Epoch }
  /**
   * Say this past the server, on the present link once it is open and on every later one, until
   * something else is to be said.
   */
  | { type: 'tell'; peer: PeerId; message: RoomWord }
  | { type: 'event'; event: SessionEvent };

/** What is wanted and not done yet. */
export class Outbox {
  /** STUN and TURN servers of the signalling server, for new links and restarts. */
  iceServers: IceServer[] = [];
  private readonly queue: Output[] = [];

  push(output: Output): void {
    this.queue.push(output);
  }

  send(message: ClientMessage): void {
    this.push({ type: 'send', message });
  }

  event(event: SessionEvent): void {
    this.push({ type: 'event', event });
  }

  openLink(peer: PeerId, epoch: Epoch, offerer: boolean): void {
    this.push({ type: 'open_link', peer, epoch, offerer, iceServers: this.iceServers });
  }

  poll(): Output | undefined {
    return this.queue.shift();
  }
}

/** The earliest of some times, any of which may not be set. */
export function earliest(...times: (number | null | undefined)[]): number | null {
  const set = times.filter((time) => time != null);
  return set.length === 0 ? null : Math.min(...set);
}

// One visit to a room: the connection to the signalling server, who is there, and one negotiator
// for each of them. The same rules as `quartet_core::Session`.
//
// The media does not depend on signalling: when the server is gone, links stay as they are, and
// everything that needed it is done when it is back. Pure: `now` (milliseconds) and inputs in,
// outputs and the next timeout out. Left out: sockets, JSON, links.

import { Acquaintances } from './acquaintances';
import { Door, stricter } from './door';
import { ROOM_CAPACITY } from './limits';
import type {
  Epoch,
  IceServer,
  LeaveReason,
  MediaState,
  PeerId,
  PeerInfo,
  RoomPolicy,
  ServerMessage,
} from './messages';
import type { Reach } from './negotiator';
import { earliest, Outbox, type LinkEvent, type Output, type SessionEnd } from './output';
import { Peer, sameMedia } from './peer';
import type { PeerMessage, RoomWord } from './peer_message';
import { JOIN_LIMIT, Signalling, type Fate } from './signalling';
import type { Code } from './trust';

/**
 * People known at once: a full room, and as many who are still connected though a restarted server
 * does not list them. A server that names more is not believed.
 */
export const MAX_PEERS = 2 * ROOM_CAPACITY;
/** The person is not told the same again within this time. */
const ERROR_INTERVAL = 30_000;

export interface SessionConfig {
  room: string;
  /** Made for this visit from a cryptographic random source. */
  key: string;
  /** The participant that the key proves to be. */
  own: PeerId;
  /** What everybody in the room proves to belong there with. */
  auth: Uint8Array;
  /** Made for this visit likewise: what the codes of this visit's pairs are made of. */
  seed: Uint8Array;
  name: string;
  media: MediaState;
  /** Who gets into the room, if this visit makes it. */
  policy: RoomPolicy;
}

export type Input =
  /** The person leaves. Ends the session at once. */
  | { type: 'leave' }
  /** The person: what is sent and withheld has changed. */
  | { type: 'media'; media: MediaState }
  /** The person: who gets in from now on. */
  | { type: 'policy'; policy: RoomPolicy }
  /** The person: let somebody in who knocks, turn them away, put somebody out. */
  | { type: 'admit' | 'refuse' | 'remove'; peer: PeerId }
  /** The person has compared a code, or takes that back. */
  | { type: 'confirm_code'; peer: PeerId; code: Code; matches: boolean }
  /** A peer has said something past the server. */
  | { type: 'said'; peer: PeerId; message: PeerMessage }
  /** The machine: its addresses may have changed. */
  | { type: 'network_changed' }
  | { type: 'socket_opened' }
  | { type: 'socket_message'; message: ServerMessage }
  /** It could not be opened, or ended without having been told to. */
  | { type: 'socket_closed' }
  | { type: 'link'; peer: PeerId; epoch: Epoch; event: LinkEvent };

export class Session {
  private readonly out = new Outbox();
  private readonly signalling: Signalling;
  private readonly peers = new Map<PeerId, Peer>();
  private readonly known = new Acquaintances();
  /** What the person was told last. */
  private toldOnline = true;
  /** What is sent and withheld, and what the server was told of it last. */
  private media: MediaState;
  private toldMedia: MediaState;
  private door: Door;
  /** What the members were told last. */
  private word = '';
  private toldError: { code: string; at: number } | null = null;
  private ended = false;

  /** A visit that begins now: the first output asks for a socket. */
  constructor(
    private readonly config: SessionConfig,
    now: number,
  ) {
    this.media = config.media;
    this.toldMedia = config.media;
    this.door = new Door(config.policy);
    this.signalling = new Signalling(now, config.own, now + JOIN_LIMIT, this.out);
  }

  /** Takes what has happened. After `ended` nothing matters any more. */
  handle(now: number, input: Input): void {
    if (this.ended) return;
    switch (input.type) {
      case 'leave':
        this.leave();
        break;
      case 'media':
        this.media = input.media;
        this.tellMedia();
        break;
      case 'policy':
        this.choosePolicy(now, input.policy);
        break;
      case 'admit':
        this.admit(now, input.peer);
        break;
      case 'refuse':
        this.turnAway(input.peer);
        break;
      case 'remove':
        this.remove(now, input.peer);
        break;
      case 'said':
        if (input.message.type === 'room') this.said(now, input.peer, input.message);
        break;
      case 'confirm_code':
        this.peers.get(input.peer)?.negotiator.confirmCode(input.code, input.matches);
        break;
      case 'network_changed':
        this.follow(this.signalling.networkChanged(now));
        for (const peer of this.peers.values()) peer.negotiator.networkChanged(now);
        break;
      case 'socket_opened': {
        const { room, key, name } = this.config;
        this.toldMedia = this.media;
        const { policy } = this.door;
        const join = { type: 'join', room, key, name, media: this.media, policy } as const;
        const members = this.door.members(this.peers.keys());
        this.signalling.opened(now, this.signalling.hasJoinedBefore ? { ...join, members } : join);
        break;
      }
      case 'socket_message':
        this.signalling.heard(now);
        this.message(now, input.message);
        break;
      case 'socket_closed':
        this.follow(this.signalling.closed(now));
        break;
      case 'link':
        this.peers.get(input.peer)?.negotiator.linkEvent(now, input.epoch, input.event);
    }
    this.settle(now);
  }

  /** The next thing to do. */
  poll(): Output | undefined {
    return this.out.poll();
  }

  /** When `handleTimeout` is due; never after the end. */
  pollTimeout(): number | null {
    if (this.ended) return null;
    const peers = [...this.peers.values()].map((peer) => peer.pollTimeout());
    return earliest(this.signalling.pollTimeout(), this.door.pollTimeout(), ...peers);
  }

  /** Does what is due; too early a call does nothing. */
  handleTimeout(now: number): void {
    if (this.ended) return;
    this.follow(this.signalling.handleTimeout(now));
    for (const peer of this.peers.values()) peer.negotiator.handleTimeout(now);
    this.settle(now);
  }

  private message(now: number, message: ServerMessage): void {
    if (message.type === 'error') return this.refused(now, message.code, message.message);
    if (this.signalling.isJoining) {
      if (message.type === 'welcome') this.welcome(now, message);
      // Who was in the room before stays in the call, and sees that the server is away.
      else if (message.type === 'waiting' && this.signalling.waits()) {
        this.out.event({ type: 'waiting' });
      }
      return;
    }
    if (!this.signalling.isOnline) return;
    switch (message.type) {
      case 'ice_servers':
        return this.renewIceServers(message.ice_servers);
      case 'peer_joined':
        return this.peerJoined(now, message.peer, 'first');
      case 'peer_left':
        return this.peerLeft(now, message.peer, message.reason, message.by);
      case 'knock':
        return this.knock(message.peer);
      case 'knock_over':
        return this.knockOver(message.peer);
      case 'policy':
        return this.serverSaysPolicy(now, message.policy, message.by);
      case 'peer_media':
        return this.peers.get(message.peer)?.setMedia(message.media);
      case 'description': {
        const { from, epoch, kind, sdp, proof } = message;
        return this.peers
          .get(from)
          ?.negotiator.description(now, epoch, kind, sdp, proof, this.door.isGuarded);
      }
      case 'confirm': {
        const { from, epoch, proof } = message;
        return this.peers.get(from)?.negotiator.confirm(now, epoch, proof);
      }
      case 'candidate':
        return this.peers.get(message.from)?.negotiator.candidate(message.epoch, message.candidate);
      case 'negotiate': {
        const { from, epoch, renew } = message;
        return this.peers.get(from)?.negotiator.negotiate(now, epoch, renew);
      }
    }
  }

  /** For new links, and for restarts of those that are there. */
  private renewIceServers(iceServers: IceServer[]): void {
    if (JSON.stringify(iceServers) === JSON.stringify(this.out.iceServers)) return;
    this.out.iceServers = iceServers;
    for (const peer of this.peers.values()) peer.negotiator.renewIceServers();
  }

  private welcome(now: number, welcome: ServerMessage & { type: 'welcome' }): void {
    if (welcome.you !== this.config.own) {
      // Who offers depends on the ids: with the wrong one no pair would ever connect.
      const message = 'the server mistook this participant for another';
      return this.refused(now, 'bad_message', message);
    }
    const again = this.signalling.hasJoinedBefore;
    this.signalling.welcomed(now);
    this.renewIceServers(welcome.ice_servers);
    const present = this.believable(welcome.peers);
    if (!again) {
      this.out.event({ type: 'joined', you: welcome.you, present });
      this.enterBy(welcome.policy, present);
    }
    this.tellOnline(true);
    this.tellMedia();
    for (const [id, peer] of this.peers) {
      if (!present.some((listed) => listed.id === id)) peer.notListed(now);
    }
    if (again) {
      const { policy } = welcome;
      this.serverSaysPolicy(now, policy, null);
      // It has forgotten, or was never told.
      if (policy !== this.door.policy) this.out.send({ type: 'policy', policy: this.door.policy });
    }
    this.thoseWait([...welcome.knocking, ...present].map(({ id }) => id));
    for (const info of present) this.peerJoined(now, info, again ? 'again' : 'first');
    for (const info of welcome.knocking) this.knock(info);
  }

  /** The others whom the server lists: each once, and no more than fit. */
  private believable(listed: PeerInfo[]): PeerInfo[] {
    const others = listed.filter(
      ({ id }, index) => id !== this.config.own && listed.findIndex((it) => it.id === id) === index,
    );
    return others.slice(0, MAX_PEERS);
  }

  private peerJoined(now: number, info: PeerInfo, reach: Reach): void {
    if (info.id === this.config.own) return;
    // It has forgotten that, or never heard of it.
    if (this.door.wasRemovedHere(info.id)) this.out.send({ type: 'remove', peer: info.id });
    if (this.door.isShunned(info.id)) return;
    if (!this.peers.has(info.id) && !this.door.passes(info.id)) {
      return this.door.strange(now, info);
    }
    this.door.admit(info.id);
    this.knockOver(info.id);
    const known = this.peers.get(info.id);
    if (known) {
      known.isBack(info);
      known.negotiator.reached(now, 'again');
    } else if (this.peers.size < MAX_PEERS) {
      this.out.event({ type: 'peer_joined', peer: info });
      const { own, auth: key, seed } = this.config;
      const acquaintance = this.known.meet();
      const certificate = this.known.certificate(info.id);
      const credentials = { key, seed, acquaintance, certificate };
      const peer = new Peer(own, info, credentials, this.out);
      this.peers.set(info.id, peer);
      peer.negotiator.reached(now, reach);
    }
  }

  private peerLeft(now: number, id: PeerId, reason: LeaveReason, by: PeerId | null): void {
    this.strangerGone(id);
    if (reason === 'removed') return this.removedBy(id, by);
    const peer = this.peers.get(id);
    // Lost by the server; the link may be alive.
    if (reason === 'lost') return peer?.lost(now);
    this.door.forget(id);
    this.peers.delete(id);
    peer?.leave();
  }

  // Who gets in.

  /** Whoever comes in has to believe that those who are there belong there. */
  private enterBy(policy: RoomPolicy, present: PeerInfo[]): void {
    this.door = new Door(policy);
    for (const { id } of present) this.door.admit(id);
    if (policy !== 'open') this.out.event({ type: 'policy', policy, by: null });
  }

  private choosePolicy(now: number, policy: RoomPolicy): void {
    if (this.door.choose(policy)) this.policyChanged(now, this.config.own);
    if (this.signalling.isOnline) this.out.send({ type: 'policy', policy });
  }

  private admit(now: number, peer: PeerId): void {
    if (this.door.isKnocking(peer)) {
      this.door.letIn(peer);
      if (this.signalling.isOnline) this.out.send({ type: 'admit', peer });
      return;
    }
    const info = this.strangerGone(peer);
    if (!info) return;
    this.door.letIn(peer);
    this.peerJoined(now, info, 'again');
  }

  private turnAway(peer: PeerId): void {
    if (this.door.isKnocking(peer)) {
      if (this.signalling.isOnline) this.out.send({ type: 'refuse', peer });
    } else if (this.strangerGone(peer)) {
      // Sits in the room already, with a server that has let them in.
      this.door.remove(peer);
      if (this.signalling.isOnline) this.out.send({ type: 'remove', peer });
    }
  }

  private remove(now: number, peer: PeerId): void {
    if (!this.peers.has(peer)) return;
    this.door.remove(peer);
    if (this.signalling.isOnline) this.out.send({ type: 'remove', peer });
    this.putOut(peer, this.config.own);
    const policy = stricter(this.door.policy, 'knock');
    if (this.door.choose(policy)) this.policyChanged(now, this.config.own);
  }

  /** A member says, past the server, how it sees the room. */
  private said(now: number, from: PeerId, word: RoomWord): void {
    if (!this.peers.has(from)) return;
    if (this.door.memberSays(word.policy, word.change)) this.policyChanged(now, from);
    for (const peer of word.removed) {
      const matters = peer !== this.config.own && peer !== from && !this.door.isShunned(peer);
      if (matters) this.removedBy(peer, from);
    }
    for (const peer of word.admitted) {
      if (peer === this.config.own || this.door.isShunned(peer)) continue;
      this.door.admit(peer);
      this.comeIn(now, peer);
    }
  }

  private removedBy(peer: PeerId, by: PeerId | null): void {
    this.door.shun(peer);
    this.strangerGone(peer);
    this.putOut(peer, by);
  }

  private serverSaysPolicy(now: number, policy: RoomPolicy, by: PeerId | null): void {
    if (this.door.serverSays(policy)) this.policyChanged(now, by);
  }

  private policyChanged(now: number, by: PeerId | null): void {
    const { policy } = this.door;
    this.out.event({ type: 'policy', policy, by });
    if (policy === 'open') for (const peer of this.door.allStrangers()) this.comeIn(now, peer);
  }

  /** A stranger is one no more. */
  private comeIn(now: number, peer: PeerId): void {
    const info = this.strangerGone(peer);
    if (info) this.peerJoined(now, info, 'again');
  }

  private strangerGone(peer: PeerId): PeerInfo | null {
    const stranger = this.door.takeStranger(peer);
    if (stranger?.asked) this.out.event({ type: 'knock_over', peer });
    return stranger?.info ?? null;
  }

  private knock(peer: PeerInfo): void {
    const { id } = peer;
    // Not `refuse`, whoever removed them: they would come again.
    if (this.door.isShunned(id)) this.out.send({ type: 'remove', peer: id });
    else if (this.door.knock(peer)) this.out.event({ type: 'knock', peer });
  }

  private knockOver(peer: PeerId): void {
    if (this.door.knockOver(peer)) this.out.event({ type: 'knock_over', peer });
  }

  /** Only those whom the server names still wait, and the others are asked about no more. */
  private thoseWait(waiting: PeerId[]): void {
    for (const peer of this.door.askedExcept(waiting)) {
      this.knockOver(peer);
      this.strangerGone(peer);
    }
  }

  private putOut(id: PeerId, by: PeerId | null): void {
    const peer = this.peers.get(id);
    if (!peer) return;
    this.peers.delete(id);
    this.out.event({ type: 'peer_removed', peer: id, by });
    peer.leave();
  }

  /** Asks about those for whom nobody has spoken, and tells the members what is new. */
  private settleDoor(now: number): void {
    for (const peer of this.door.due(now)) this.out.event({ type: 'knock', peer });
    const message = this.door.word(this.peers.keys());
    const word = JSON.stringify(message);
    if (word === this.word) return;
    this.word = word;
    for (const peer of this.peers.keys()) this.out.push({ type: 'tell', peer, message });
  }

  /** The server says no. */
  private refused(now: number, code: string, message: string): void {
    switch (code) {
      case 'replaced':
      case 'removed':
        return this.end({ reason: 'refused', code, message });
      // The addressee has just left, or is not back yet: its negotiator copes.
      case 'unknown_peer':
        return;
      case 'shutting_down':
        return this.follow(this.signalling.abandon(now));
    }
    if (this.signalling.isJoining && code !== 'rate_limited') {
      if (!this.signalling.hasJoinedBefore) return this.end({ reason: 'refused', code, message });
      // The media goes on, and the reason may pass: a place becomes free, say.
      this.follow(this.signalling.abandon(now));
    } else if (code === 'not_joined') {
      // The server has lost this participant: come back.
      this.follow(this.signalling.abandon(now));
    }
    const told = this.toldError;
    if (told?.code === code && now < told.at + ERROR_INTERVAL) return;
    this.toldError = { code, at: now };
    this.out.event({ type: 'error', code, message });
  }

  private follow(fate: Fate): void {
    if (fate === 'unreachable') {
      this.end({ reason: 'unreachable' });
    } else if (fate === 'lost') {
      this.tellOnline(false);
      // Who is in the room is said again.
      this.thoseWait([]);
      this.door.forgetStrangers();
      for (const peer of this.peers.values()) peer.unheard();
    }
  }

  private leave(): void {
    if (this.signalling.isOnline) this.out.send({ type: 'leave' });
    this.end({ reason: 'left' });
  }

  private end(end: SessionEnd): void {
    for (const peer of this.peers.values()) peer.negotiator.close();
    this.peers.clear();
    this.signalling.end();
    this.out.event({ type: 'ended', end });
    this.ended = true;
  }

  /** Draws the conclusions: who is gone, and what there is to tell. */
  private settle(now: number): void {
    for (const [id, peer] of this.peers) {
      peer.settle(now);
      const { certificate } = peer.negotiator;
      if (certificate) this.known.proven(id, certificate);
      if (!peer.isGone(now)) continue;
      this.peers.delete(id);
      peer.leave();
    }
    this.settleDoor(now);
  }

  private tellOnline(online: boolean): void {
    if (online === this.toldOnline) return;
    this.toldOnline = online;
    this.out.event({ type: 'signalling', online });
  }

  private tellMedia(): void {
    if (!this.signalling.isOnline || sameMedia(this.media, this.toldMedia)) return;
    this.toldMedia = this.media;
    this.out.send({ type: 'media', media: this.media });
  }
}

// A signalling server for tests under virtual time, as small as the protocol page allows, and people
// around it: sessions with links that connect when offer and answer have met.

import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type {
  ClientMessage,
  PeerId,
  PeerInfo,
  RoomPolicy,
  ServerMessage,
} from '../../src/engine/browser/core/messages';
import type { LinkEvent, Output, SessionEvent } from '../../src/engine/browser/core/output';
import type { PeerMessage } from '../../src/engine/browser/core/peer_message';
import { Session, type Input } from '../../src/engine/browser/core/session';

function generationOf(sdp: string): number {
  return Number(sdp.split('\r\n')[1]);
}

/** One way between a participant and the server, milliseconds. */
const DELAY = 20;

interface Member {
  person: Person;
  info: PeerInfo;
}

/** A link: the newest descriptions that its two ends have taken from each other. */
interface FakeLink {
  peer: PeerId;
  epoch: number;
  offerer: boolean;
  /** Counts the own offers, so that an answer belongs to one of them. */
  generation: number;
  connected: boolean;
}

export class World {
  now = 0;
  readonly people: Person[] = [];
  serverUp = true;
  /** As the server says to those who come in. */
  policy: RoomPolicy = 'open';
  /** Paths between pairs that are cut: `a b`. */
  readonly cut = new Set<string>();
  private members = new Map<PeerId, Member>();
  private events: { at: number; order: number; run: () => void }[] = [];
  private order = 0;

  person(id: PeerId, name = id, secret = 'secret'): Person {
    const person = new Person(this, id, name, secret);
    this.people.push(person);
    person.begin();
    return person;
  }

  later(delay: number, run: () => void): void {
    this.events.push({ at: this.now + delay, order: this.order++, run });
  }

  /** Lets time pass. */
  run(duration: number): void {
    const end = this.now + duration;
    for (;;) {
      this.events.sort((a, b) => a.at - b.at || a.order - b.order);
      const event = this.events[0];
      const timeouts = this.people.map((it) => it.session.pollTimeout() ?? Infinity);
      const timeout = Math.min(...timeouts);
      const at = Math.min(event?.at ?? Infinity, timeout);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (event && event.at <= timeout) {
        this.events.shift();
        event.run();
      } else {
        for (const person of this.people) person.wake();
      }
    }
    this.now = end;
  }

  /** Ends the server: every socket closes, and it forgets everybody. */
  crash(): void {
    this.serverUp = false;
    this.members.clear();
    for (const person of this.people) person.socketLost();
  }

  take(person: Person, message: ClientMessage): void {
    if (!this.serverUp) return;
    switch (message.type) {
      case 'join': {
        const { name, media } = message;
        const peers = [...this.members.values()].filter((it) => it.person !== person);
        person.hear({
          type: 'welcome',
          you: person.id,
          peers: peers.map((it) => it.info),
          ice_servers: [],
          policy: this.policy,
          knocking: [],
        });
        const known = this.members.has(person.id);
        this.members.set(person.id, { person, info: { id: person.id, name, media } });
        if (known) return;
        for (const other of peers) {
          other.person.hear({ type: 'peer_joined', peer: { id: person.id, name, media } });
        }
        return;
      }
      case 'leave':
        return this.remove(person.id, 'left');
      case 'media': {
        const { media } = message;
        return this.others(person, { type: 'peer_media', peer: person.id, media });
      }
      case 'ping':
        return person.hear({ type: 'pong' });
      case 'description':
      case 'confirm':
      case 'candidate':
      case 'negotiate': {
        if (!this.members.has(person.id)) {
          return person.hear({ type: 'error', code: 'not_joined', message: '' });
        }
        const { to, ...relayed } = message;
        const addressee = this.members.get(to)?.person;
        if (addressee) return addressee.hear({ ...relayed, from: person.id });
        person.hear({ type: 'error', code: 'unknown_peer', message: '' });
      }
    }
  }

  /** The server has waited in vain, or was told. */
  remove(id: PeerId, reason: 'left' | 'lost'): void {
    const member = this.members.get(id);
    this.members.delete(id);
    if (member) this.others(member.person, { type: 'peer_left', peer: id, reason, by: null });
  }

  isCut(a: PeerId, b: PeerId): boolean {
    return this.cut.has(a < b ? `${a} ${b}` : `${b} ${a}`);
  }

  find(id: PeerId): Person | undefined {
    return this.people.find((person) => person.id === id);
  }

  private others(but: Person, message: ServerMessage): void {
    for (const { person } of this.members.values()) if (person !== but) person.hear(message);
  }
}

export class Person {
  session!: Session;
  readonly events: SessionEvent[] = [];
  readonly sent: ClientMessage[] = [];
  readonly links = new Map<PeerId, FakeLink>();
  readonly words = new Map<PeerId, PeerMessage>();
  opened = 0;
  /** The same for the whole visit, if they play by the rules. */
  certificate: string;
  /** Counts sockets; what an earlier one brings is dropped. */
  private socket = 0;
  private open = false;
  /** Nothing gets through this one any more, and neither end notices. */
  private silent = 0;

  constructor(
    readonly world: World,
    readonly id: PeerId,
    readonly name: string,
    /** What is behind the # of the link that they have. */
    readonly secret = 'secret',
  ) {
    this.certificate = `certificate of ${id}`;
  }

  begin(): void {
    const media = { muted: false, camera_off: false };
    const [key, seed] = [`key of ${this.id}`, sha256(utf8ToBytes(`seed of ${this.id}`))];
    const auth = sha256(utf8ToBytes(this.secret));
    const who = { key, own: this.id, auth, seed, name: this.name };
    const { policy } = this.world;
    const config = { room: 'room', ...who, media, policy };
    this.session = new Session(config, this.world.now);
    this.carryOut();
  }

  tell(input: Input): void {
    this.session.handle(this.world.now, input);
    this.carryOut();
  }

  wake(): void {
    const at = this.session.pollTimeout();
    if (at === null || at > this.world.now) return;
    this.session.handleTimeout(this.world.now);
    this.carryOut();
  }

  /** The server says something. */
  hear(message: ServerMessage): void {
    const { socket } = this;
    this.world.later(DELAY, () => {
      if (!this.open || socket !== this.socket || socket === this.silent) return;
      this.tell({ type: 'socket_message', message });
    });
  }

  socketLost(): void {
    if (!this.open) return;
    this.socket++;
    this.open = false;
    this.tell({ type: 'socket_closed' });
  }

  /** As after a change of address: what is said is lost. */
  silenceSocket(): void {
    this.silent = this.socket;
  }

  linkSays(peer: PeerId, event: LinkEvent): void {
    const link = this.links.get(peer);
    if (link) this.tell({ type: 'link', peer, epoch: link.epoch, event });
  }

  /** How the person sees the others now. */
  connections(): Record<PeerId, string> {
    const now: Record<PeerId, string> = {};
    for (const event of this.events) {
      if (event.type === 'peer_joined') now[event.peer.id] = 'connecting';
      if (event.type === 'peer_connection') now[event.peer] = event.connection;
      if (event.type === 'peer_left') delete now[event.peer.id];
    }
    return now;
  }

  end(): SessionEvent | undefined {
    return this.events.find((event) => event.type === 'ended');
  }

  private carryOut(): void {
    for (let output = this.session.poll(); output; output = this.session.poll()) this.do(output);
  }

  private do(output: Output): void {
    switch (output.type) {
      case 'open_socket': {
        const socket = ++this.socket;
        this.world.later(DELAY, () => {
          if (socket !== this.socket) return;
          this.open = this.world.serverUp;
          this.tell({ type: this.open ? 'socket_opened' : 'socket_closed' });
        });
        return;
      }
      case 'close_socket':
        this.socket++;
        this.open = false;
        return;
      case 'send': {
        if (!this.open) throw new Error('said something without a socket');
        this.sent.push(output.message);
        const { message } = output;
        const { socket } = this;
        // What is lost with a socket is lost.
        const goodbye = message.type === 'leave';
        this.world.later(DELAY, () => {
          const lost = socket === this.silent || (socket !== this.socket && !goodbye);
          if (!lost) this.world.take(this, message);
        });
        return;
      }
      case 'open_link': {
        const { peer, epoch, offerer } = output;
        if (this.links.has(peer)) throw new Error('a link was opened twice');
        this.opened++;
        this.links.set(peer, { peer, epoch, offerer, generation: 0, connected: false });
        return;
      }
      case 'close_link':
        if (this.links.get(output.peer)?.epoch !== output.epoch) throw new Error('no such link');
        this.links.delete(output.peer);
        return;
      case 'link':
        return this.act(output);
      case 'tell':
        this.words.set(output.peer, output.message);
        return this.say(output.peer);
      case 'event':
        this.events.push(output.event);
    }
  }

  /** What one says past the server arrives, if the two are connected. */
  private say(peer: PeerId): void {
    const [message, other] = [this.words.get(peer), this.world.find(peer)];
    if (!message || !this.links.get(peer)?.connected) return;
    this.world.later(DELAY, () => other?.tell({ type: 'said', peer: this.id, message }));
  }

  private act({ peer, epoch, action }: Output & { type: 'link' }): void {
    const link = this.links.get(peer);
    if (link?.epoch !== epoch) throw new Error('an action for no link');
    if (action.type === 'candidate' || action.type === 'ice_servers') return;
    if (action.type === 'offer' || action.type === 'repeat_offer') {
      if (action.type === 'offer') link.generation++;
      const sdp = this.describe(link.generation);
      this.world.later(0, () => this.linkSays(peer, { type: 'description', kind: 'offer', sdp }));
      return;
    }
    if (action.kind === 'offer') {
      link.generation = generationOf(action.sdp);
      const sdp = this.describe(link.generation);
      this.world.later(0, () => {
        this.linkSays(peer, { type: 'description', kind: 'answer', sdp });
      });
    } else if (generationOf(action.sdp) !== link.generation) {
      return;
    }
    this.world.later(2 * DELAY, () => this.connect(peer, epoch));
  }

  private describe(generation: number): string {
    const bytes = sha256(utf8ToBytes(this.certificate));
    const certificate = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
    return `a=fingerprint:sha-256 ${certificate}\r\n${String(generation)}`;
  }

  /** Both ends have taken each other's descriptions, or will have. */
  private connect(peer: PeerId, epoch: number): void {
    const [mine, other] = [this.links.get(peer), this.world.find(peer)];
    const theirs = other?.links.get(this.id);
    if (mine?.epoch !== epoch || theirs?.epoch !== epoch || this.world.isCut(this.id, peer)) return;
    for (const [person, link] of [
      [this, mine],
      [other, theirs],
    ] as const) {
      if (!person || link.connected) continue;
      link.connected = true;
      person.linkSays(link.peer, { type: 'state', state: 'connected' });
      person.say(link.peer);
    }
  }
}

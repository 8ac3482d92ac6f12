// Files between people: the twin of `core::transfer::Transfers`, whose head says how it works. A
// change of the rules is made in both.

import { MAX_FILES_OFFERED } from '../limits';
import type { PeerId } from '../messages';
import { FileChannel, type Asked } from './file_channel';
import { Incoming } from './incoming';
import { isValidOffer, type FileId, type FileOffer, type FilesMessage } from './message';
import { Outgoing } from './outgoing';
import type { FileFault, FilesInput, FilesOutput, FileState, Job, Part } from './types';

/** Progress alone is shown, and told, no more often than this, milliseconds. */
const PROGRESS_INTERVAL = 250;

const EMPTY = new Uint8Array(0);

export class Transfers {
  private readonly present = new Map<PeerId, FileChannel | null>();
  private readonly outgoing = new Map<FileId, Outgoing>();
  private readonly incoming = new Map<FileId, Incoming>();
  private token = 0;
  private jobs = 0;
  private readonly shown = new Map<string, { state: FileState; at: number }>();
  private readonly reported = new Map<
    string,
    { peer: PeerId; what: string; state: string; at: number }
  >();
  private tickAt: number | null = null;
  private readonly out: FilesOutput[] = [];

  get mayOffer(): boolean {
    return this.outgoing.size < MAX_FILES_OFFERED;
  }

  handle(now: number, input: FilesInput): void {
    switch (input.type) {
      case 'offer':
        this.offer(input.offer, input.to);
        break;
      case 'withdraw':
        this.outgoing.get(input.file)?.withdraw(input.peer);
        this.sayTo((peer) => peer === input.peer, { type: 'withdraw', file: input.file });
        break;
      case 'hold': {
        const offered = this.outgoing.get(input.file);
        if (offered) offered.held = input.held;
        this.tellOffer(input.file, () => true);
        break;
      }
      case 'accept':
        this.accept(input.file);
        break;
      case 'cancel':
        this.cancel(input.file);
        break;
      case 'pause':
        this.pause(input.file, input.paused);
        break;
      case 'joined':
        if (!this.present.has(input.peer)) this.present.set(input.peer, null);
        for (const file of this.outgoing.values()) file.joined(input.peer);
        break;
      case 'left':
        this.left(input.peer);
        break;
      case 'opened':
        this.closed(input.peer);
        if (this.present.has(input.peer)) this.present.set(input.peer, new FileChannel(now));
        break;
      case 'closed':
        this.closed(input.peer);
        break;
      case 'sent':
        this.present.get(input.peer)?.sent();
        break;
      case 'heard':
        this.heard(now, input.peer, input.message);
        break;
      case 'piece':
        this.piece(now, input.peer, input.id, input.offset, input.content);
        break;
      case 'begun':
        this.begun(input.job, input.found, input.fault);
        break;
      case 'stored':
        this.stored(input.job, input.part, input.fault);
        break;
      case 'finished':
        this.finished(input.job, input.fault);
        break;
      case 'read':
        this.read(input.token, input.bytes, input.fault);
        break;
    }
    this.settle(now);
  }

  poll(): FilesOutput | null {
    return this.out.shift() ?? null;
  }

  pollTimeout(): number | null {
    let at = this.tickAt ?? Infinity;
    for (const channel of this.channels()) at = Math.min(at, channel.pollTimeout() ?? Infinity);
    return at === Infinity ? null : at;
  }

  handleTimeout(now: number): void {
    const at = this.pollTimeout();
    if (at !== null && at <= now) this.settle(now);
  }

  private *channels(): Generator<FileChannel> {
    for (const channel of this.present.values()) if (channel) yield channel;
  }

  private say(to: PeerId, message: FilesMessage): void {
    this.out.push({ type: 'say', to, message });
  }

  private sayTo(peers: (peer: PeerId) => boolean, message: FilesMessage): void {
    for (const [peer, channel] of this.present) {
      if (peers(peer) && channel?.met) this.say(peer, message);
    }
  }

  // The user.

  private offer(offer: FileOffer, to: PeerId | null): void {
    const known = this.outgoing.get(offer.file);
    if (!isValidOffer(offer) || (!known && !this.mayOffer)) return;
    if (to !== null && !this.present.has(to)) return;
    const file = known ?? new Outgoing(offer);
    this.outgoing.set(offer.file, file);
    file.to(to, this.present.keys());
    for (const [peer, channel] of this.present) file.connected(peer, channel?.met ?? false);
    this.tellOffer(offer.file, (peer) => to === null || peer === to);
  }

  private tellOffer(file: FileId, peers: (peer: PeerId) => boolean): void {
    const offered = this.outgoing.get(file);
    if (offered) this.sayTo((peer) => peers(peer) && offered.isFor(peer), offered.message());
  }

  private accept(file: FileId): void {
    const incoming = this.incoming.get(file);
    if (!incoming || (incoming.stage !== 'offered' && !incoming.fault)) return;
    incoming.begin(++this.jobs);
    this.out.push({ type: 'begin', job: incoming.job, offer: incoming.offer });
  }

  private cancel(file: FileId): void {
    const incoming = this.incoming.get(file);
    if (!incoming || incoming.stage === 'done' || incoming.stage === 'finishing') return;
    if (incoming.stage === 'offered') {
      incoming.stage = { failed: 'refused' };
    } else {
      incoming.stage = { failed: 'cancelled' };
      if (incoming.job !== 0) this.out.push({ type: 'discard', job: incoming.job });
    }
    this.stop(file);
  }

  private pause(file: FileId, paused: boolean): void {
    const incoming = this.incoming.get(file);
    if (!incoming?.isWanted || incoming.paused === paused) return;
    incoming.paused = paused;
    incoming.meter.clear();
    if (paused) this.stop(file);
  }

  private stop(file: FileId): void {
    for (const peer of this.present.keys()) this.stopAt(file, peer);
  }

  private stopAt(file: FileId, peer: PeerId): void {
    const message = this.present.get(peer)?.stop(file);
    if (message) this.say(peer, message);
  }

  // The session and the links.

  private left(peer: PeerId): void {
    this.closed(peer);
    this.present.delete(peer);
    for (const file of this.outgoing.values()) file.left(peer);
    for (const file of this.incoming.keys()) this.lostHolder(file, peer, 'gone');
  }

  private closed(peer: PeerId): void {
    if (this.present.has(peer)) this.present.set(peer, null);
    for (const [key, told] of this.reported) if (told.peer === peer) this.reported.delete(key);
    for (const file of this.outgoing.values()) file.connected(peer, false);
    for (const file of this.incoming.values()) file.havers.delete(peer);
  }

  private lostHolder(file: FileId, peer: PeerId, fault: FileFault): void {
    this.stopAt(file, peer);
    const incoming = this.incoming.get(file);
    if (!incoming) return;
    const offered = incoming.offerers.delete(peer);
    incoming.havers.delete(peer);
    const [first] = incoming.offerers.keys();
    if (offered && first !== undefined) incoming.from = first;
    const over =
      incoming.stage === 'offered' ||
      (incoming.isWanted && fault !== 'gone' && !incoming.hasHolder);
    if (!offered || !over || incoming.offerers.size > 0 || incoming.stage === 'finishing') return;
    if (incoming.isWanted) this.out.push({ type: 'close', job: incoming.job });
    incoming.stage = { failed: fault };
  }

  private heard(now: number, from: PeerId, message: FilesMessage): void {
    const channel = this.present.get(from);
    if (!channel) return;
    switch (message.type) {
      case 'ready':
        if (channel.ready(now, message.met)) this.met(from);
        return;
      case 'offer':
        return this.offered(from, message.offer, message.shared, message.paused);
      case 'withdraw':
        return this.lostHolder(message.file, from, 'withdrawn');
      case 'have':
        channel.hasFile(message.file);
        this.incoming.get(message.file)?.havers.add(from);
        return;
      case 'report': {
        const offered = this.outgoing.get(message.file);
        if (offered?.isFor(from)) offered.reported(now, from, message.state, message.bytes);
        return;
      }
      case 'get': {
        const { id, file, chunk } = message;
        return channel.wants({ id, file, part: chunk ?? 'hashes' });
      }
      case 'stop':
        return channel.stopped(message.ids);
      case 'absent': {
        const file = channel.absent(message.id);
        const fault = message.reason === 'unknown' ? 'withdrawn' : message.reason;
        if (file !== null) this.lostHolder(file, from, fault);
        return;
      }
      case 'ack':
        // For the link, which has looked at it.
        return;
    }
  }

  private met(peer: PeerId): void {
    for (const offered of this.outgoing.values()) {
      offered.connected(peer, true);
      if (offered.isFor(peer)) this.say(peer, offered.message());
    }
    for (const [file, incoming] of this.incoming) {
      if (incoming.stage === 'done' && incoming.shared) this.say(peer, { type: 'have', file });
    }
  }

  private offered(from: PeerId, offer: FileOffer, shared: boolean, paused: boolean): void {
    const { file } = offer;
    if (!isValidOffer(offer)) return;
    const theirs = [...this.incoming.values()].filter((it) => it.offerers.has(from)).length;
    if (!this.incoming.has(file)) {
      for (const [key, it] of this.incoming) {
        if (it.offerers.size === 0 && !it.isWanted && it.stage !== 'done') {
          this.incoming.delete(key);
        }
      }
    }
    const known = this.incoming.get(file);
    if (theirs >= MAX_FILES_OFFERED && !known?.offerers.has(from)) return;
    if (known && known.offer.size !== offer.size) return;
    const incoming = known ?? new Incoming(offer, from, shared);
    this.incoming.set(file, incoming);
    incoming.shared &&= shared;
    if (incoming.offerers.size === 0) incoming.from = from;
    const havers = [...this.present].filter(([, channel]) => channel?.has.has(file));
    incoming.havers = new Set(havers.map(([peer]) => peer));
    incoming.offerers.set(from, paused);
    if (incoming.fault === 'gone' || incoming.fault === 'withdrawn') incoming.stage = 'offered';
    if (paused) this.stopAt(file, from);
  }

  private piece(now: number, from: PeerId, id: number, offset: number, bytes: Uint8Array): void {
    const came = this.present.get(from)?.piece(now, id, offset, bytes);
    if (came?.type === 'whole') {
      const incoming = this.incoming.get(came.file);
      if (!incoming?.isWanted) return;
      incoming.came(now, came.part, from, came.content.length);
      const { part, content } = came;
      this.out.push({ type: 'store', job: incoming.job, part, bytes: content });
    } else if (came?.type === 'nonsense') {
      const incoming = this.incoming.get(came.file);
      incoming?.ban(from);
      this.stopAt(came.file, from);
      if (incoming?.isWanted && !incoming.hasHolder) this.fail(came.file, 'corrupt');
    }
  }

  // The disk.

  private ofJob(job: Job): [FileId, Incoming] | null {
    return [...this.incoming].find(([, incoming]) => incoming.job === job) ?? null;
  }

  private begun(job: Job, found: number[] | null, fault: FileFault | null): void {
    const incoming = this.ofJob(job)?.[1];
    if (incoming?.stage !== 'beginning') return;
    if (fault) incoming.stage = { failed: fault };
    else incoming.begun(found);
  }

  private stored(job: Job, part: Part, result: FileFault | null): void {
    const found = this.ofJob(job);
    if (!found?.[1].isWanted) return;
    const [file, incoming] = found;
    const fault = incoming.stored(part, result);
    if (fault) this.fail(file, fault);
    for (const peer of this.present.keys()) {
      if (!incoming.paused && !incoming.mayAsk(peer)) this.stopAt(file, peer);
    }
  }

  private fail(file: FileId, fault: FileFault): void {
    const incoming = this.incoming.get(file);
    if (!incoming) return;
    incoming.stage = { failed: fault };
    this.out.push({ type: 'close', job: incoming.job });
    this.stop(file);
  }

  private finished(job: Job, fault: FileFault | null): void {
    const found = this.ofJob(job);
    if (found?.[1].stage !== 'finishing') return;
    const [file, incoming] = found;
    incoming.stage = fault ? { failed: fault } : 'done';
    if (!fault && incoming.shared) this.sayTo(() => true, { type: 'have', file });
  }

  private read(token: number, bytes: Uint8Array | null, fault: FileFault | null): void {
    for (const [peer, channel] of this.present) {
      if (channel?.reading?.token !== token) continue;
      const { asked } = channel.reading;
      channel.reading = null;
      if (bytes && bytes.length > 0) {
        channel.gives();
        this.out.push({ type: 'send', to: peer, id: asked.id, bytes });
      } else if (fault) {
        this.refuseReading(peer, asked, fault);
      }
      return;
    }
  }

  private refuseReading(peer: PeerId, { id, file }: Asked, fault: FileFault): void {
    const reason = fault === 'changed' || fault === 'unreadable' ? fault : 'unknown';
    this.say(peer, { type: 'absent', id, reason });
    const offered = this.outgoing.get(file);
    if (!offered) return;
    offered.fail(fault);
    this.sayTo(() => true, { type: 'withdraw', file });
  }

  // What follows from all that.

  private settle(now: number): void {
    this.tickAt = null;
    for (const [peer, channel] of this.present) {
      const ready = channel?.takeReady(now);
      if (ready) this.say(peer, ready);
      const stop = channel?.takeStalled(now);
      if (stop) this.say(peer, stop);
    }
    this.ask(now);
    this.give();
    this.finish(now);
    this.report(now);
    this.show(now);
  }

  private ask(now: number): void {
    for (const [file, incoming] of this.incoming) {
      if (!incoming.isAsking) continue;
      const asked = new Set<Part>();
      for (const channel of this.channels()) for (const it of channel.parts(file)) asked.add(it);
      const { size } = incoming.offer;
      for (let before = -1; before !== asked.size;) {
        before = asked.size;
        for (const [peer, channel] of this.present) {
          if (!channel?.met || !incoming.mayAsk(peer) || !channel.hasRoom(now, size)) continue;
          const part = incoming.nextPart(asked);
          if (part === null) break;
          asked.add(part);
          this.say(peer, channel.ask(now, file, size, part));
        }
      }
    }
  }

  private give(): void {
    for (const [peer, channel] of this.present) {
      if (!channel) continue;
      const offered = (file: FileId) => {
        const it = this.outgoing.get(file);
        return it?.isFor(peer) ? it : null;
      };
      for (;;) {
        const asked = channel.nextAsked((file) => !offered(file)?.held);
        if (!asked) break;
        const has = this.incoming.get(asked.file);
        if (!offered(asked.file) && !(has?.stage === 'done' && has.shared)) {
          this.say(peer, { type: 'absent', id: asked.id, reason: 'unknown' });
          continue;
        }
        channel.reading = { token: ++this.token, asked };
        const { file, part } = asked;
        this.out.push({ type: 'read', token: this.token, file, part });
      }
    }
  }

  private finish(now: number): void {
    for (const incoming of this.incoming.values()) {
      const { job } = incoming;
      if (incoming.isComplete) {
        incoming.stage = 'finishing';
        this.out.push({ type: 'finish', job });
      }
      // Nothing to ask for: the list of an empty file is empty.
      const empty = incoming.stage === 'listing' && incoming.offer.size === 0;
      if (empty && incoming.nextPart(new Set()) !== null) {
        incoming.came(now, 'hashes', incoming.from, 0);
        this.out.push({ type: 'store', job, part: 'hashes', bytes: EMPTY });
      }
    }
  }

  private report(now: number): void {
    for (const [file, incoming] of this.incoming) {
      const state = incoming.progress();
      if (state === null) continue;
      const bytes = incoming.here;
      for (const peer of incoming.offerers.keys()) {
        if (!this.present.get(peer)?.met) continue;
        const key = `${file} ${peer}`;
        const told = this.reported.get(key);
        const what: string = `${state} ${bytes}`;
        if (told?.what === what) continue;
        if (told?.state === state && this.waits(now, told.at)) continue;
        this.reported.set(key, { peer, what, state, at: now });
        this.say(peer, { type: 'report', file, state, bytes });
      }
    }
  }

  private show(now: number): void {
    const states = [...this.outgoing.values()].flatMap((file) => file.states(now));
    for (const incoming of this.incoming.values()) {
      const reachable = [...this.present].some(
        ([peer, channel]) =>
          channel?.met && (incoming.offerers.has(peer) || incoming.havers.has(peer)),
      );
      states.push(incoming.state(now, reachable));
    }
    const keys = new Set(states.map(keyOf));
    for (const key of this.shown.keys()) if (!keys.has(key)) this.shown.delete(key);
    for (const state of states) {
      const key = keyOf(state);
      const before = this.shown.get(key);
      if (before) {
        const same = isSame(before.state, state);
        if (same && before.state.bytes === state.bytes && before.state.rate === 0) continue;
        if (same && this.waits(now, before.at)) continue;
      }
      this.shown.set(key, { state, at: now });
      this.out.push({ type: 'show', state });
    }
  }

  /** Progress alone is not due yet; then it is looked at again when it is. */
  private waits(now: number, last: number): boolean {
    const due = last + PROGRESS_INTERVAL;
    if (due <= now) return false;
    this.tickAt = Math.min(this.tickAt ?? Infinity, due);
    return true;
  }
}

function keyOf({ outgoing, offer, peer }: FileState): string {
  return outgoing ? `${offer.file} ${peer}` : offer.file;
}

/** But for how far it is. */
function isSame(a: FileState, b: FileState): boolean {
  return a.phase === b.phase && a.held === b.held && a.peer === b.peer && a.error === b.error;
}

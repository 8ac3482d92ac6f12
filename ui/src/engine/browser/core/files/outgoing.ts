// A file that is offered from here: to whom, and how far each of them is. The twin of
// `core::transfer::outgoing`.

import type { PeerId } from '../messages';
import type { FileOffer, FileProgress, FilesMessage } from './message';
import { Meter } from './meter';
import type { FileFault, FilePhase, FileState } from './types';

/** People of whom it is known how far they are, those included who have left. */
const MOST_PEOPLE = 64;

interface Person {
  said: FileProgress | null;
  bytes: number;
  meter: Meter;
  withdrawn: boolean;
  gone: boolean;
  connected: boolean;
}

export class Outgoing {
  held = false;
  private everyone = false;
  private fault: FileFault | null = null;
  private readonly people = new Map<PeerId, Person>();

  constructor(private readonly offer: FileOffer) {}

  to(peer: PeerId | null, present: Iterable<PeerId>): void {
    this.fault = null;
    this.everyone ||= peer === null;
    for (const one of peer === null ? present : [peer]) {
      const person = this.person(one);
      person.withdrawn = false;
      if (person.said !== 'done') person.said = null;
    }
  }

  private person(peer: PeerId): Person {
    let person = this.people.get(peer);
    if (!person) {
      const meter = new Meter();
      person = { said: null, bytes: 0, meter, withdrawn: false, gone: false, connected: false };
      this.people.set(peer, person);
    }
    return person;
  }

  joined(peer: PeerId): void {
    if (this.everyone && !this.fault) {
      const gone = [...this.people].find(([, person]) => person.gone);
      if (gone && this.people.size >= MOST_PEOPLE) this.people.delete(gone[0]);
      this.person(peer);
    }
    const person = this.people.get(peer);
    if (person) person.gone = false;
  }

  left(peer: PeerId): void {
    const person = this.people.get(peer);
    if (person) Object.assign(person, { gone: true, connected: false });
  }

  connected(peer: PeerId, connected: boolean): void {
    const person = this.people.get(peer);
    if (!person) return;
    person.connected = connected;
    person.meter.clear();
  }

  withdraw(peer: PeerId): void {
    const person = this.people.get(peer);
    if (person) person.withdrawn = true;
  }

  fail(fault: FileFault): void {
    this.fault = fault;
  }

  isFor(peer: PeerId): boolean {
    const person = this.people.get(peer);
    return !this.fault && person !== undefined && !person.withdrawn;
  }

  message(): FilesMessage {
    return { type: 'offer', offer: this.offer, shared: this.everyone, paused: this.held };
  }

  reported(now: number, peer: PeerId, state: FileProgress, bytes: number): void {
    const person = this.people.get(peer);
    if (!person) return;
    const here = Math.min(bytes, this.offer.size);
    if (person.said === 'sending') person.meter.add(now, Math.max(0, here - person.bytes));
    else person.meter.clear();
    person.said = state;
    person.bytes = state === 'done' ? this.offer.size : here;
  }

  states(now: number): FileState[] {
    return [...this.people].map(([peer, person]) => {
      const { phase, error } = this.phase(person);
      const rate = phase === 'sending' ? person.meter.rate(now) : 0;
      const held = phase === 'paused' && !this.held;
      const { bytes } = person;
      return { peer, outgoing: true, offer: this.offer, phase, error, bytes, rate, held };
    });
  }

  private phase(person: Person): { phase: FilePhase; error: FileFault | null } {
    const { said } = person;
    if (said === 'done') return { phase: 'done', error: null };
    const ended =
      said === 'refused' || said === 'cancelled' ? said : said === 'failed' ? 'unwritable' : null;
    const error =
      ended ?? this.fault ?? (person.withdrawn ? 'withdrawn' : person.gone ? 'gone' : null);
    if (error) return { phase: 'failed', error };
    const phase =
      said === null
        ? 'offered'
        : !person.connected
          ? 'accepted'
          : said === 'paused' || this.held
            ? 'paused'
            : said === 'sending'
              ? 'sending'
              : 'accepted';
    return { phase, error: null };
  }
}

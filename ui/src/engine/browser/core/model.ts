// The page's picture of the call, kept true by what the session says. The same rules as the
// desktop shell's model. Pure: no I/O, no clock.

import type {
  AppView,
  DeviceState,
  DevicesView,
  DoorView,
  FailureView,
  PeerView,
  SharingView,
} from '../../../bindings';
import { NOWHERE, type DeviceKind } from '../../engine';
import { authority, webLink, type JoinLink } from './link';
import type { MediaState, PeerId, PeerInfo, RoomPolicy } from './messages';
import type { SessionEnd, SessionEvent } from './output';
import type { Roster } from './watch';

const CLOSED_TO_NOBODY: DoorView = { policy: 'open', by: null, knocking: [], removed: null };

/** Percent: as somebody comes. */
const USUAL_VOLUME = 100;

export class Model {
  /** The own id in the call. */
  private you: PeerId = '';
  view: AppView = NOWHERE;
  /** Of people in the present call, those included who may come back; percent. */
  private readonly volumes = new Map<PeerId, number>();

  get isInCall(): boolean {
    return ['joining', 'waiting', 'in_call'].includes(this.view.phase.at);
  }

  /** In front of a room. */
  enterGreenRoom(link: JoinLink): void {
    const room = {
      link: webLink(link),
      server: authority(link.server),
      server_is_here: false,
      waiting: null,
      peers: [],
      door: CLOSED_TO_NOBODY,
      hands: [],
    };
    this.view = { ...this.view, phase: { at: 'green_room' }, room };
  }

  /** False where there is no room to join. */
  startJoining(): boolean {
    if (this.view.phase.at !== 'green_room') return false;
    this.view = { ...this.view, phase: { at: 'joining' } };
    return true;
  }

  goHome(): void {
    this.view = { ...this.view, phase: { at: 'home' }, room: null };
  }

  setOwn({ muted, camera_off }: Pick<MediaState, 'muted' | 'camera_off'>): void {
    this.view = { ...this.view, me: { ...this.view.me, muted, camera_off } };
  }

  setSharing(sharing: SharingView | null): void {
    this.view = { ...this.view, me: { ...this.view.me, sharing } };
  }

  setDevice(kind: DeviceKind, state: DeviceState): void {
    this.view = { ...this.view, me: { ...this.view.me, [kind]: state } };
  }

  setDevices(devices: DevicesView): void {
    this.view = { ...this.view, devices };
  }

  /** How loud somebody is to be heard, in percent; false where they are not in the call. */
  setVolume(peer: PeerId, volume: number): boolean {
    if (!this.peers.some(({ id }) => id === peer)) return false;
    this.volumes.set(peer, volume);
    this.changePeer(peer, { volume });
    return true;
  }

  /** In the order in which they were raised. */
  setHands(order: PeerId[]): void {
    this.changeRoom({ hands: order.map((peer) => this.whom(peer)) });
  }

  /** In the page's words. */
  whom(peer: PeerId): string {
    return peer === this.you ? 'own' : peer;
  }

  /** Kinds of devices for which the system's own stands in. */
  setStandIns(kinds: DeviceKind[]): void {
    this.view = { ...this.view, me: { ...this.view.me, stand_ins: kinds } };
  }

  setWaiting(waiting: Roster, policy: RoomPolicy): void {
    this.changeRoom({ waiting });
    this.changeDoor({ policy });
  }

  /** What others see of this side: a missing device withholds as much as a switch does. */
  get media(): MediaState {
    const { muted, camera_off, camera, microphone, sharing } = this.view.me;
    return {
      muted: muted || microphone.is !== 'running',
      camera_off: camera_off || camera.is !== 'running',
      ...(sharing && { sharing }),
    };
  }

  /** Returns a refusal that the person is to be told in passing. */
  apply(event: SessionEvent): FailureView | null {
    switch (event.type) {
      case 'joined':
        if (this.view.phase.at !== 'joining' && this.view.phase.at !== 'waiting') break;
        this.you = event.you;
        this.volumes.clear();
        this.view = { ...this.view, phase: { at: 'in_call', signalling_online: true } };
        this.changeRoom({ peers: event.present.map(newPeer), door: CLOSED_TO_NOBODY, hands: [] });
        break;
      case 'waiting':
        if (this.view.phase.at === 'joining')
          this.view = { ...this.view, phase: { at: 'waiting' } };
        break;
      case 'knock': {
        const { id, name } = event.peer;
        this.changeDoor({ knocking: [...this.door.knocking, { id, name }] });
        break;
      }
      case 'knock_over':
        this.changeDoor({ knocking: this.door.knocking.filter(({ id }) => id !== event.peer) });
        break;
      case 'policy':
        this.changeDoor({ policy: event.policy, by: event.by && this.whom(event.by) });
        break;
      case 'peer_removed':
        this.changeDoor({ removed: { id: event.peer, by: event.by && this.whom(event.by) } });
        break;
      case 'signalling':
        if (this.view.phase.at !== 'in_call') break;
        this.view = { ...this.view, phase: { at: 'in_call', signalling_online: event.online } };
        break;
      case 'peer_joined':
        this.addPeer(event.peer);
        break;
      case 'peer_left':
        this.changeRoom({ peers: this.peers.filter((peer) => peer.id !== event.peer.id) });
        break;
      case 'peer_media':
        this.changePeer(event.peer, { ...event.media, sharing: event.media.sharing ?? null });
        break;
      case 'peer_connection':
        this.changePeer(event.peer, { connection: event.connection });
        break;
      case 'peer_trust':
        this.changePeer(event.peer, { trust: event.trust });
        break;
      case 'error':
        return { code: event.code, message: event.message };
      case 'ended':
        this.end(event.end);
    }
    return null;
  }

  private end(end: SessionEnd): void {
    // A person who went home before the end is at home.
    if (!this.isInCall) return;
    this.view = { ...this.view, phase: { at: 'left', failure: failureOfEnd(end) } };
    this.changeRoom({ peers: [], waiting: null, door: CLOSED_TO_NOBODY, hands: [] });
  }

  private get door(): DoorView {
    return this.view.room?.door ?? CLOSED_TO_NOBODY;
  }

  private changeDoor(part: Partial<DoorView>): void {
    this.changeRoom({ door: { ...this.door, ...part } });
  }

  private get peers(): PeerView[] {
    return this.view.room?.peers ?? [];
  }

  private addPeer(info: PeerInfo): void {
    const known = this.peers.find((peer) => peer.id === info.id);
    const volume = this.volumes.get(info.id) ?? USUAL_VOLUME;
    if (!known) this.changeRoom({ peers: [...this.peers, { ...newPeer(info), volume }] });
    // What is known of the connection stays true.
    else {
      const { connection, trust } = known;
      this.changePeer(info.id, { ...newPeer(info), connection, trust, volume });
    }
  }

  private changePeer(id: PeerId, part: Partial<PeerView>): void {
    this.changeRoom({
      peers: this.peers.map((peer) => (peer.id === id ? { ...peer, ...part } : peer)),
    });
  }

  private changeRoom(part: Partial<NonNullable<AppView['room']>>): void {
    const { room } = this.view;
    if (room) this.view = { ...this.view, room: { ...room, ...part } };
  }
}

function newPeer({ id, name, media }: PeerInfo): PeerView {
  const { muted, camera_off, sharing = null } = media;
  const trust = { code: null, mark: 'unconfirmed' as const };
  const volume = USUAL_VOLUME;
  return { id, name, muted, camera_off, sharing, connection: 'connecting', trust, volume };
}

function failureOfEnd(end: SessionEnd): FailureView | null {
  switch (end.reason) {
    case 'left':
      return null;
    case 'refused':
      return { code: end.code, message: end.message };
    case 'unreachable':
      return { code: 'server_unreachable', message: 'the server cannot be reached' };
  }
}

// What is worth saying about a new view: for people who do not see the screen, and in passing
// for those who do.

import type { AppView, PeerView } from './bindings';
import { plugged } from './plugged';
import { displayName } from './i18n/names';
import { listOf, type LanguageCode, type MessageArguments, type Translate } from './i18n/translate';

export interface Announcement {
  message: MessageArguments;
  /** Worth a note on the screen as well. */
  visible: boolean;
}

/** Compares each view with the one before it. */
export class Announcer {
  /** Names that were said on entering, of people whom no view has listed yet. */
  private expected: string[] = [];

  compare(before: AppView, after: AppView, t: Translate, language: LanguageCode): Announcement[] {
    const said: Announcement[] = [];
    const say = (...message: MessageArguments) => said.push({ message, visible: false });
    const show = (...message: MessageArguments) => said.push({ message, visible: true });
    const shown = (name: string) => displayName(name, t('name.nobody'));
    const name = (peer: PeerView) => shown(peer.name);

    if (after.me.muted !== before.me.muted) say(after.me.muted ? 'said.muted' : 'said.unmuted');
    if (after.me.camera_off !== before.me.camera_off) {
      say(after.me.camera_off ? 'said.cameraOff' : 'said.cameraOn');
    }
    if (after.phase.at === before.phase.at && after.phase.at !== 'home') {
      for (const message of plugged(before, after)) show(...message);
    }
    const { sharing } = after.me;
    if (sharing !== before.me.sharing) {
      if (sharing) say(`said.sharing.${sharing}`);
      else say('said.sharingOver');
    }
    if (after.phase.at === 'waiting' && before.phase.at !== 'waiting') say('green.waiting');
    if (after.phase.at !== 'in_call') return said;
    if (before.phase.at !== 'in_call') {
      const present = after.room?.peers.map((peer) => peer.name) ?? [];
      // The first view may come before the people in it, whom the green room has named already.
      this.expected = present.length === 0 ? [...(after.room?.waiting ?? [])] : [];
      const names = [...present, ...this.expected].map(shown);
      if (names.length === 0) say('said.inCall');
      else say('said.inCallWith', { names: listOf(names, language) });
      return said;
    }

    if (after.phase.signalling_online !== before.phase.signalling_online) {
      say(after.phase.signalling_online ? 'said.online' : 'said.offline');
    }
    if (after.me.busy && !before.me.busy) say('call.busy');
    const [door, doorBefore] = [after.room?.door, before.room?.door];
    const called = (id: string) => {
      const people = [...(after.room?.peers ?? []), ...(before.room?.peers ?? [])];
      return shown(people.find((it) => it.id === id)?.name ?? '');
    };
    if (door && door.policy !== doorBefore?.policy) {
      const { policy, by } = door;
      if (by === null || by === 'own') show(`said.policy.${policy}`);
      else show(`said.policyBy.${policy}`, { name: called(by) });
    }
    for (const knock of door?.knocking ?? []) {
      if (!doorBefore?.knocking.some((it) => it.id === knock.id)) {
        say('said.knocks', { name: shown(knock.name) });
      }
    }
    const hands = after.room?.hands ?? [];
    const handsBefore = before.room?.hands ?? [];
    for (const hand of hands.filter((it) => !handsBefore.includes(it))) {
      if (hand === 'own') say('said.handUp');
      else show('said.peerHandUp', { name: called(hand) });
    }
    for (const hand of handsBefore.filter((it) => !hands.includes(it))) {
      if (hand === 'own') say('said.handDown');
      // Of somebody who has left, that is said.
      else if (after.room?.peers.some(({ id }) => id === hand)) {
        say('said.peerHandDown', { name: called(hand) });
      }
    }
    const earlier = new Map(before.room?.peers.map((peer) => [peer.id, peer]));
    for (const peer of after.room?.peers ?? []) {
      const was = earlier.get(peer.id);
      earlier.delete(peer.id);
      if (!was) {
        if (!this.expects(peer)) show('said.joined', { name: name(peer) });
        continue;
      }
      if (peer.muted !== was.muted) {
        say(peer.muted ? 'said.peerMuted' : 'said.peerUnmuted', { name: name(peer) });
      }
      if (peer.camera_off !== was.camera_off) {
        say(peer.camera_off ? 'said.peerCameraOff' : 'said.peerCameraOn', { name: name(peer) });
      }
      if (peer.sharing !== was.sharing) {
        const { sharing } = peer;
        if (sharing) show(`said.peerShares.${sharing}`, { name: name(peer) });
        else say('said.peerSharesNothing', { name: name(peer) });
      }
      if (peer.connection !== was.connection) {
        if (peer.connection === 'connected') say('said.peerConnected', { name: name(peer) });
        if (peer.connection === 'reconnecting') say('said.peerReconnecting', { name: name(peer) });
        if (peer.connection === 'failed') say('said.peerFailed', { name: name(peer) });
        if (peer.connection === 'untrusted') show('said.peerUntrusted', { name: name(peer) });
      }
      if (peer.trust.mark !== was.trust.mark) {
        if (peer.trust.mark === 'confirmed') say('said.peerConfirmed', { name: name(peer) });
        if (peer.trust.mark === 'changed') show('said.peerChanged', { name: name(peer) });
      }
    }
    for (const gone of earlier.values()) {
      const removed = door?.removed?.id === gone.id ? door.removed : null;
      if (!removed) show('said.left', { name: name(gone) });
      else if (removed.by === 'own') show('said.removed', { name: name(gone) });
      else if (removed.by === null) show('said.wasRemoved', { name: name(gone) });
      else show('said.removedBy', { name: name(gone), by: called(removed.by) });
    }
    return said;
  }

  /** Somebody who was named on entering; each is expected once. */
  private expects(peer: PeerView): boolean {
    const index = this.expected.indexOf(peer.name);
    if (index >= 0) this.expected.splice(index, 1);
    return index >= 0;
  }
}

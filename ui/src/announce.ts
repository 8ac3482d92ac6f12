// What is worth saying about a new view: for people who do not see the screen, and in passing
// for those who do.

import type { AppView, PeerView } from './bindings';
import { displayName } from './i18n/names';
import type { MessageArguments, Translate } from './i18n/translate';

export interface Announcement {
  message: MessageArguments;
  /** Worth a note on the screen as well. */
  visible: boolean;
}

export function announcements(before: AppView, after: AppView, t: Translate): Announcement[] {
  const said: Announcement[] = [];
  const say = (...message: MessageArguments) => said.push({ message, visible: false });
  const show = (...message: MessageArguments) => said.push({ message, visible: true });
  const name = (peer: PeerView) => displayName(peer.name, t('name.nobody'));

  if (after.me.muted !== before.me.muted) say(after.me.muted ? 'said.muted' : 'said.unmuted');
  if (after.me.camera_off !== before.me.camera_off) {
    say(after.me.camera_off ? 'said.cameraOff' : 'said.cameraOn');
  }
  if (after.phase.at !== 'in_call') return said;
  if (before.phase.at !== 'in_call') {
    say('said.inCall');
    say('call.people', { count: (after.room?.peers.length ?? 0) + 1 });
    return said;
  }

  if (after.phase.signalling_online !== before.phase.signalling_online) {
    say(after.phase.signalling_online ? 'said.online' : 'said.offline');
  }
  const earlier = new Map(before.room?.peers.map((peer) => [peer.id, peer]));
  for (const peer of after.room?.peers ?? []) {
    const was = earlier.get(peer.id);
    earlier.delete(peer.id);
    if (!was) {
      show('said.joined', { name: name(peer) });
      continue;
    }
    if (peer.muted !== was.muted) {
      say(peer.muted ? 'said.peerMuted' : 'said.peerUnmuted', { name: name(peer) });
    }
    if (peer.camera_off !== was.camera_off) {
      say(peer.camera_off ? 'said.peerCameraOff' : 'said.peerCameraOn', { name: name(peer) });
    }
    if (peer.connection !== was.connection) {
      if (peer.connection === 'connected') say('said.peerConnected', { name: name(peer) });
      if (peer.connection === 'reconnecting') say('said.peerReconnecting', { name: name(peer) });
      if (peer.connection === 'failed') say('said.peerFailed', { name: name(peer) });
    }
  }
  for (const gone of earlier.values()) show('said.left', { name: name(gone) });
  return said;
}

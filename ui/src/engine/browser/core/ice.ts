// STUN and TURN servers in the form that `RTCPeerConnection` takes. It refuses a whole
// configuration for one bad entry, so bad ones are left out.

import type { IceServerSetting } from '../../../bindings';
import { MAX_ICE_SERVERS } from './limits';
import type { IceServer } from './messages';

const STUN = /^stuns?:[^/\s]+$/i;
const TURN = /^turns?:[^/\s]+$/i;

/** The person's own servers first, then those of the signalling server. */
export function usableIceServers(own: IceServerSetting[], theirs: IceServer[]): IceServer[] {
  const mine = own.map(({ url, username, credential }) => {
    return username ? { urls: [url], username, credential } : { urls: [url] };
  });
  return [...mine, ...theirs].flatMap(usable).slice(0, MAX_ICE_SERVERS);
}

function usable({ urls, username, credential }: IceServer): IceServer[] {
  const known = username !== undefined && credential !== undefined;
  const good = urls.filter((url) => STUN.test(url) || (known && TURN.test(url)));
  if (good.length === 0) return [];
  return [known ? { urls: good, username, credential } : { urls: good }];
}

// Why a call is as it is, in plain words, the most likely cause first. Pure.
//
// The rules stand in the order in which they count: what ends a call before what spoils it, what
// spoils it before what only explains it, and a cause before what follows from it. A queue, for one,
// makes a path slow and in the end lossy; loss without a queue is the line's own.

import type { AppView, DeviceState, Figures } from '../bindings';
import { signsOf, type Signs } from './signs';

export interface Situation {
  view: AppView;
  /** The person wants relays only. */
  relayOnly: boolean;
  /** The last minute, the newest last. */
  history: readonly Figures[];
  /** Seconds since anything but digital silence came from the own microphone. */
  silentFor: number;
}

/** A key of the texts under `doctor.`. */
export type Cause =
  | 'alone'
  | 'too_early'
  | 'network_lost'
  | 'untrusted'
  | 'no_path'
  | 'no_relay'
  | 'path_lost'
  | 'microphone'
  | 'speaker'
  | 'camera'
  | 'busy_here'
  | 'download_full'
  | 'upload_full_there'
  | 'upload_full'
  | 'download_full_there'
  | 'way_in_full'
  | 'way_out_full'
  | 'lossy_here'
  | 'lossy_there'
  | 'lossy_way'
  | 'queue_here'
  | 'queue_there'
  | 'queue_way'
  | 'jitter_here'
  | 'jitter_there'
  | 'jitter_way'
  | 'busy_there'
  | 'far'
  | 'far_relay'
  | 'no_picture'
  | 'no_voice'
  | 'silent_microphone'
  | 'server_away'
  | 'udp_blocked'
  | 'relay_chosen'
  | 'relayed'
  | 'small_window'
  | 'good';

export interface Finding {
  cause: Cause;
  /** Whom it is about; `null` for the own side, or everybody. */
  peer: string | null;
  /** Their name, a stranger's text. */
  name: string;
  /** Height of the picture that it is about, pixels. */
  lines: number;
}

/** Less is what a radio loses anyway, and is repaired unnoticed. */
const LOSSY = 0.02;
/** A queue this long, milliseconds, is heard in a conversation. */
const QUEUE = 150;
/** Voices wait this long, milliseconds, only where packets come very unevenly. */
const UNEVEN = 150;
/** There and back, milliseconds: from here on people fall into each other's words (ITU-T G.114 has
 * 150 ms for one way; the rest of the way, from ear to ear, takes another 100). */
const FAR = 250;
/** Figures, in seconds, before anything is said of them. */
const SETTLED = 4;
/** Seconds after which a picture or a voice should have come. */
const ARRIVES = 8;
/** Kilobits a second: even silence is a little more. */
const NOTHING = 0.05;
/** Seconds of digital silence; a real microphone always hears something. */
const SILENT = 10;

/** What some rule says of the whole call. */
type Rule = (situation: Situation, people: readonly Signs[]) => Finding[];

const RULES: readonly Rule[] = [
  networkLost,
  each('untrusted', (it) => it.connection === 'untrusted'),
  noPath,
  each('path_lost', (it) => it.connection === 'reconnecting'),
  device('microphone', ({ me }) => me.microphone),
  device('speaker', ({ me }) => me.speaker),
  ({ view }) => (view.me.busy ? [own('busy_here')] : []),
  shared('download_full', 'upload_full_there', 'way_in_full', (it) => it.shortIn && !lossy(it)),
  shared('upload_full', 'download_full_there', 'way_out_full', (it) => it.shortOut && !lossy(it)),
  shared('lossy_here', 'lossy_there', 'lossy_way', lossy),
  shared('queue_here', 'queue_there', 'queue_way', queued),
  shared('jitter_here', 'jitter_there', 'jitter_way', (it) => it.voiceDelay > UNEVEN),
  each('busy_there', (it) => it.busyThere),
  each('far_relay', (it) => far(it) && it.relayed),
  each('far', (it) => far(it) && !it.relayed),
  each('no_picture', (it) => arrived(it) && it.sendsPicture && it.fpsIn === 0),
  each('no_voice', (it) => arrived(it) && it.sendsVoice && it.voiceKbpsIn < NOTHING),
  silentMicrophone,
  device('camera', ({ me }) => me.camera),
  ({ view }) =>
    view.phase.at === 'in_call' && !view.phase.signalling_online ? [own('server_away')] : [],
  each('udp_blocked', (it) => it.byStream),
  ({ relayOnly }) => (relayOnly ? [own('relay_chosen')] : []),
  ({ relayOnly }, people) =>
    relayOnly ? [] : people.filter((it) => it.relayed && !it.byStream).map(about('relayed')),
  each('small_window', (it) => it.smallHere && it.sendsPicture),
];

/** Everything that is worth saying, the most likely cause first; never empty. */
export function diagnose(situation: Situation): Finding[] {
  const people = signsOf(situation.view, situation.history);
  const findings = RULES.flatMap((rule) => rule(situation, people));
  if (people.length === 0) return [...findings, own('alone')];
  const spoilt = findings.some(({ cause }) => !EXPLAINING.has(cause));
  if (spoilt) return findings;
  const settled = people.every((it) => it.seconds >= SETTLED);
  return [own(settled ? 'good' : 'too_early'), ...findings];
}

/** Causes of nothing bad. */
const EXPLAINING: ReadonlySet<Cause> = new Set(['relay_chosen', 'relayed', 'small_window']);

function own(cause: Cause): Finding {
  return { cause, peer: null, name: '', lines: 0 };
}

function about(cause: Cause): (it: Signs) => Finding {
  const outwards = cause === 'upload_full' || cause === 'way_out_full';
  return ({ id, name, linesIn, linesOut }) => ({
    cause,
    peer: id,
    name,
    lines: outwards || cause === 'download_full_there' ? linesOut : linesIn,
  });
}

function each(cause: Cause, is: (it: Signs) => boolean): Rule {
  return (_, people) => people.filter(is).map(about(cause));
}

/**
 * What everybody's connection suffers from is at this end, what one of several does at the other;
 * with one person alone it cannot be told.
 */
function shared(here: Cause, there: Cause, between: Cause, is: (it: Signs) => boolean): Rule {
  return (_, people) => {
    const connected = people.filter((it) => it.connection === 'connected' && it.seconds >= SETTLED);
    const hit = connected.filter(is);
    if (hit.length === 0) return [];
    if (connected.length === 1) return hit.map(about(between));
    const [first] = hit;
    if (hit.length < connected.length || !first) return hit.map(about(there));
    return [{ ...about(here)(first), peer: null, name: '' }];
  };
}

function networkLost({ view }: Situation, people: readonly Signs[]): Finding[] {
  const offline = view.phase.at === 'in_call' && !view.phase.signalling_online;
  const away = people.length > 0 && people.every((it) => it.connection !== 'connected');
  return offline && away ? [own('network_lost')] : [];
}

function noPath({ relayOnly }: Situation, people: readonly Signs[]): Finding[] {
  const failed = people.filter((it) => it.connection === 'failed');
  return failed.map(about(relayOnly ? 'no_relay' : 'no_path'));
}

function device(cause: Cause, state: (view: AppView) => DeviceState): Rule {
  return ({ view }) => (state(view).is === 'failed' ? [own(cause)] : []);
}

function silentMicrophone({ view, silentFor }: Situation, people: readonly Signs[]): Finding[] {
  const open = view.me.microphone.is === 'running' && !view.me.muted;
  return open && people.length > 0 && silentFor >= SILENT ? [own('silent_microphone')] : [];
}

function queued({ rtt, restRtt }: Signs): boolean {
  return rtt - restRtt > QUEUE;
}

function lossy(it: Signs): boolean {
  return !queued(it) && Math.max(it.lossIn, it.lossOut) >= LOSSY;
}

function far({ restRtt }: Signs): boolean {
  return Number.isFinite(restRtt) && restRtt > FAR;
}

function arrived({ connection, seconds }: Signs): boolean {
  return connection === 'connected' && seconds >= ARRIVES;
}

// The figures of one connection, out of what a browser counts (`RTCPeerConnection.getStats`).
// Browsers differ in what they count: what is missing is 0, or `null` where the page tells that apart.

import type {
  ConditionView,
  LimitView,
  PathView,
  PeerFigures,
  PictureFigures,
} from '../../../bindings';

/** What is read of an entry of a report, whatever its kind. */
export type Counted = Readonly<Record<string, unknown>>;

const NO_PICTURE: PictureFigures = { width: 0, height: 0, fps: 0, kbps: 0 };

/** Turns counters that grow into rates, from one reading to the next. */
class Rates {
  private last = new Map<string, number>();

  /** How much was added since the last reading; 0 the first time, and when it began anew. */
  added(name: string, total: number): number {
    const before = this.last.get(name);
    this.last.set(name, total);
    return before === undefined || total < before ? 0 : total - before;
  }
}

export class FigureReader {
  private readonly rates = new Rates();
  private readAt: number | null = null;

  constructor(private readonly id: string) {}

  /** `now` in milliseconds; `condition` is what the other side has said of itself. */
  read(now: number, report: Iterable<Counted>, condition: ConditionView | null): PeerFigures {
    const entries = [...report];
    const seconds = this.readAt === null ? 0 : (now - this.readAt) / 1000;
    this.readAt = now;
    const kbps = (name: string, bytes: number) => {
      const added = this.rates.added(name, bytes);
      return seconds > 0 ? (added * 8) / 1000 / seconds : 0;
    };
    const stream = (type: string, kind: string) =>
      entries.find((it) => it['type'] === type && it['kind'] === kind) ?? {};
    const [voiceIn, pictureIn] = [stream('inbound-rtp', 'audio'), stream('inbound-rtp', 'video')];
    const [voiceOut, pictureOut] = [
      stream('outbound-rtp', 'audio'),
      stream('outbound-rtp', 'video'),
    ];
    const pair = selectedPair(entries);
    const heardBack = entries.filter((it) => it['type'] === 'remote-inbound-rtp');
    const available = number(pair['availableOutgoingBitrate']);
    const rtt = number(pair['currentRoundTripTime']) || Math.max(0, ...heardBack.map(roundTrip));
    return {
      id: this.id,
      path: pathOf(entries, pair),
      rtt_ms: rtt > 0 ? rtt * 1000 : null,
      estimate_kbps: available > 0 ? available / 1000 : null,
      loss_out: share(Math.max(0, ...heardBack.map((it) => number(it['fractionLost'])))),
      loss_in: this.lossIn([voiceIn, pictureIn]),
      picture_in: this.picture(pictureIn, kbps('picture in', number(pictureIn['bytesReceived']))),
      frozen_ms: number(pictureIn['totalFreezesDuration']) * 1000,
      picture_out: this.picture(pictureOut, kbps('picture out', number(pictureOut['bytesSent']))),
      limited_by: limitOf(pictureOut),
      voice_in_kbps: kbps('voice in', number(voiceIn['bytesReceived'])),
      played_ms: number(voiceIn['totalSamplesReceived']) / 48,
      concealed_ms: concealed(voiceIn) / 48,
      voice_delay_ms: this.voiceDelay(voiceIn),
      voice_out_kbps: kbps('voice out', number(voiceOut['bytesSent'])),
      condition,
    };
  }

  private lossIn(streams: readonly Counted[]): number {
    const sum = (name: string) => streams.reduce((all, it) => all + number(it[name]), 0);
    const arrived = this.rates.added('arrived', sum('packetsReceived'));
    // It may fall: a packet that came late is not lost any more.
    const lost = this.rates.added('lost', Math.max(0, sum('packetsLost')));
    return arrived + lost > 0 ? lost / (arrived + lost) : 0;
  }

  private picture(stream: Counted, kbps: number): PictureFigures {
    if (stream['active'] === false) return NO_PICTURE;
    return {
      width: number(stream['frameWidth']),
      height: number(stream['frameHeight']),
      fps: kbps > 0 ? number(stream['framesPerSecond']) : 0,
      kbps,
    };
  }

  /** The mean of the last second. */
  private voiceDelay(stream: Counted): number {
    const waited = this.rates.added('waited', number(stream['jitterBufferDelay']));
    const given = this.rates.added('given', number(stream['jitterBufferEmittedCount']));
    return given > 0 ? (waited / given) * 1000 : 0;
  }
}

/** Silence that the sender meant is not concealment. */
function concealed(stream: Counted): number {
  return Math.max(0, number(stream['concealedSamples']) - number(stream['silentConcealedSamples']));
}

function selectedPair(entries: readonly Counted[]): Counted {
  const transport = entries.find((it) => it['type'] === 'transport');
  const id = transport?.['selectedCandidatePairId'];
  const pairs = entries.filter((it) => it['type'] === 'candidate-pair');
  const named = pairs.find((it) => it['id'] === id);
  // Firefox marks the pair itself.
  return named ?? pairs.find((it) => it['selected'] === true) ?? {};
}

function pathOf(entries: readonly Counted[], pair: Counted): PathView | null {
  const end = (name: string) => entries.find((it) => it['id'] === pair[name] && pair[name]);
  const [local, remote] = [end('localCandidateId'), end('remoteCandidateId')];
  if (!local || !remote) return null;
  return {
    local: String(local['candidateType']),
    remote: String(remote['candidateType']),
    by_stream: ['tcp', 'tls'].includes(String(local['relayProtocol'])),
  };
}

function limitOf(stream: Counted): LimitView {
  const reason = stream['qualityLimitationReason'];
  return reason === 'bandwidth' || reason === 'cpu' ? reason : 'none';
}

function roundTrip(entry: Counted): number {
  return number(entry['roundTripTime']);
}

function share(value: number): number {
  return Math.min(1, value);
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

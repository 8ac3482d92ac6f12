// A link over an `RTCPeerConnection` that only notes what is asked of it, and in which order.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { CHAT_BURST, MAX_SDP_SECTIONS } from '../../src/engine/browser/core/limits';
import type { LinkEvent } from '../../src/engine/browser/core/output';
import { PeerLink, type LinkListener } from '../../src/engine/browser/peer_link';

class FakeSender {
  parameters: { encodings: object[] } = { encodings: [{}] };
  constructor(public track: unknown) {}
  async replaceTrack(track: unknown) {
    this.track = track;
  }
  getParameters() {
    return structuredClone(this.parameters);
  }
  async setParameters(parameters: { encodings: object[] }) {
    this.parameters = parameters;
  }
}

class FakeTransceiver {
  direction = 'recvonly';
  readonly sender: FakeSender;
  readonly receiver: { track: { kind: string } };
  constructor(kind: string, track: unknown = null) {
    this.sender = new FakeSender(track);
    this.receiver = { track: { kind } };
  }
}

class FakeChannel {
  readyState = 'connecting';
  bufferedAmount = 0;
  readonly send = vi.fn();
  onopen: (() => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  onmessage: ((_: { data: unknown }) => void) | null = null;
}

class FakeConnection {
  static newest: FakeConnection;
  readonly asked: string[] = [];
  readonly transceivers: FakeTransceiver[] = [];
  readonly channel = new FakeChannel();
  readonly chat = new FakeChannel();
  readonly files = new FakeChannel();
  readonly control = new FakeChannel();
  connectionState = 'new';
  signalingState = 'stable';
  localDescription: { type: string; sdp: string } | null = null;
  remoteDescription: unknown = null;
  onconnectionstatechange: (() => void) | null = null;
  onicecandidate: ((event: { candidate: object | null }) => void) | null = null;
  /** What fails, and how it is given a candidate before its description is announced. */
  failing = '';
  constructor() {
    FakeConnection.newest = this;
  }
  addTransceiver(kind: string) {
    const transceiver = new FakeTransceiver(kind);
    this.transceivers.push(transceiver);
    this.asked.push(`add ${kind}`);
    return transceiver;
  }
  getTransceivers() {
    return this.transceivers;
  }
  createDataChannel(label: string, init: object) {
    this.asked.push(`channel ${label} ${JSON.stringify(init)}`);
    const { chat, files, control } = this;
    const others: Record<string, FakeChannel> = { chat, files, 'files-control': control };
    return others[label] ?? this.channel;
  }
  async createOffer({ iceRestart }: { iceRestart: boolean }) {
    return { type: 'offer', sdp: iceRestart ? 'restart' : 'offer' };
  }
  async createAnswer() {
    return { type: 'answer', sdp: 'answer' };
  }
  async setLocalDescription(description: { type: string; sdp: string }) {
    this.gather('early');
    this.localDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
    this.asked.push(`local ${description.type}`);
  }
  async setRemoteDescription(description: { type: string }) {
    this.asked.push(`remote ${description.type}`);
    if (this.failing === description.type) throw new Error('no');
    if (description.type === 'offer' && this.transceivers.length === 0) {
      const kinds = ['audio', 'video', 'video'];
      this.transceivers.push(...kinds.map((kind) => new FakeTransceiver(kind)));
    }
    this.remoteDescription = description;
  }
  async addIceCandidate({ candidate }: { candidate: string }) {
    this.asked.push(`candidate ${candidate}`);
    if (candidate === 'bad') throw new Error('no');
  }
  gather(candidate: string) {
    const missing = { sdpMid: null, sdpMLineIndex: null, usernameFragment: null };
    this.onicecandidate?.({ candidate: { candidate, ...missing } });
  }
  state(state: string) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
  close = vi.fn();
}

const done = () => new Promise((resolve) => setTimeout(resolve, 0));
const NONE = { audio: null, video: null, screen: null };
let said: LinkEvent[];
let listener: LinkListener;

beforeEach(() => {
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  vi.stubGlobal('RTCRtpReceiver', class {});
  said = [];
  listener = {
    event: (event) => said.push(event),
    said: vi.fn(),
    open: vi.fn(),
    chat: { opened: vi.fn(), sent: vi.fn(), heard: vi.fn() },
    files: { opened: vi.fn(), sent: vi.fn(), heard: vi.fn(), piece: vi.fn() },
    tracks: vi.fn(),
  };
});

afterEach(() => vi.unstubAllGlobals());

const streams = { camera: {} as MediaStream, screen: {} as MediaStream };

function link(offerer: boolean) {
  const made = new PeerLink({}, offerer, NONE, streams, listener);
  return { link: made, connection: FakeConnection.newest };
}

/** What was said, in short. */
const words = () =>
  said.map((event) => {
    switch (event.type) {
      case 'description':
        return event.sdp;
      case 'candidate':
        return event.candidate.candidate;
      case 'state':
        return event.state;
      case 'broken':
        return 'broken';
    }
  });

describe('the side that offers', () => {
  it('has voice, camera, screen and channels in this order', () => {
    const { connection } = link(true);
    expect(connection.asked).toEqual([
      'add audio',
      'add video',
      'add video',
      'channel quartet {"negotiated":true,"id":0}',
      'channel chat {"negotiated":true,"id":1}',
      'channel files-control {"negotiated":true,"id":2}',
      'channel files {"negotiated":true,"id":3}',
    ]);
    expect(listener.tracks).toHaveBeenCalledTimes(1);
  });

  it('announces its description before any candidate', async () => {
    const { link: made, connection } = link(true);
    made.act({ type: 'offer', iceRestart: false });
    await done();
    connection.gather('late');
    expect(words()).toEqual(['offer', 'early', 'late']);
    made.act({ type: 'offer', iceRestart: true });
    await done();
    expect(words().slice(3)).toEqual(['restart', 'early']);
  });

  it('repeats an offer only as long as it has no answer', async () => {
    const { link: made, connection } = link(true);
    made.act({ type: 'offer', iceRestart: false });
    made.act({ type: 'repeat_offer' });
    await done();
    expect(words()).toEqual(['offer', 'early', 'offer']);
    connection.signalingState = 'stable';
    made.act({ type: 'repeat_offer' });
    await done();
    expect(words()).toEqual(['offer', 'early', 'offer']);
  });

  it('keeps early candidates for the description that they belong to', async () => {
    const { link: made, connection } = link(true);
    made.act({ type: 'candidate', candidate: { candidate: 'a' } });
    made.act({ type: 'candidate', candidate: { candidate: 'bad' } });
    made.act({ type: 'description', kind: 'answer', sdp: 'm=audio' });
    made.act({ type: 'candidate', candidate: { candidate: 'b' } });
    await done();
    const order = ['remote answer', 'candidate a', 'candidate bad', 'candidate b'];
    expect(connection.asked.slice(7)).toEqual(order);
    expect(words()).toEqual([]);
  });
});

describe('the side that answers', () => {
  it('answers with voice, camera and screen of its own', async () => {
    const { link: made, connection } = link(false);
    made.act({ type: 'description', kind: 'offer', sdp: 'm=audio\r\nm=video' });
    await done();
    expect(words()).toEqual(['answer', 'early']);
    expect(connection.transceivers.map((it) => it.direction)).toEqual(Array(3).fill('sendrecv'));
    expect(listener.tracks).toHaveBeenLastCalledWith({
      audio: { kind: 'audio' },
      video: { kind: 'video' },
      screen: { kind: 'video' },
    });
  });

  it('breaks at what it cannot take, and says so once', async () => {
    const { link: made, connection } = link(false);
    connection.failing = 'offer';
    made.act({ type: 'description', kind: 'offer', sdp: 'm=audio' });
    await done();
    expect(words()).toEqual(['broken']);
  });

  it('takes as many sections as allowed and not more', async () => {
    const sections = (count: number) => 'm=audio\r\n'.repeat(count);
    const { link: made, connection } = link(false);
    made.act({ type: 'description', kind: 'offer', sdp: sections(MAX_SDP_SECTIONS + 1) });
    await done();
    expect(connection.asked.filter((it) => it.startsWith('remote'))).toEqual([]);
    expect(words()).toEqual(['broken']);
    const other = link(false);
    other.link.act({ type: 'description', kind: 'offer', sdp: sections(MAX_SDP_SECTIONS) });
    await done();
    expect(other.connection.asked).toContain('remote offer');
  });
});

describe('every link', () => {
  it('tells how it is', () => {
    const { connection } = link(true);
    for (const state of ['connecting', 'connected', 'disconnected', 'failed', 'closed']) {
      connection.state(state);
    }
    expect(words()).toEqual(['connecting', 'connected', 'disconnected', 'failed']);
  });

  it('changes what is sent without a new description', async () => {
    const { link: made, connection } = link(true);
    const camera = { kind: 'video' } as MediaStreamTrack;
    made.setTracks({ ...NONE, video: camera });
    made.setSending({ active: false, scaleResolutionDownBy: 2, maxBitrate: 500_000 });
    await done();
    const video = connection.transceivers[1]?.sender;
    expect(video?.track).toBe(camera);
    expect(video?.parameters.encodings).toEqual([
      { active: false, scaleResolutionDownBy: 2, maxBitrate: 500_000 },
    ]);
    expect(words()).toEqual([]);
  });

  it('shares a screen in a section of its own, and to those who show it', async () => {
    const { link: made, connection } = link(true);
    const screen = { kind: 'video' } as MediaStreamTrack;
    made.setTracks({ ...NONE, screen });
    made.setScreenWanted(true);
    await done();
    const [, camera, shared] = connection.transceivers.map(({ sender }) => sender);
    expect(camera?.track).toBeNull();
    expect(shared?.track).toBe(screen);
    expect(shared?.parameters.encodings[0]).toMatchObject({ active: true });
    made.setScreenWanted(false);
    await done();
    expect(shared?.parameters.encodings[0]).toMatchObject({ active: false });
    expect(words()).toEqual([]);
  });

  it('sets the picture once it can be set', async () => {
    const { link: made, connection } = link(true);
    const video = connection.transceivers[1]!.sender;
    video.parameters = { encodings: [] };
    made.setSending({ active: true, scaleResolutionDownBy: 1, maxBitrate: 1 });
    await done();
    video.parameters = { encodings: [{}] };
    connection.state('connected');
    await done();
    expect(video.parameters.encodings).toEqual([
      { active: true, scaleResolutionDownBy: 1, maxBitrate: 1 },
    ]);
  });

  it('hears what it understands, and talks only on an open channel', () => {
    const { link: made, connection } = link(true);
    made.say({ type: 'view', height: 360 });
    expect(connection.channel.send).not.toHaveBeenCalled();
    connection.channel.readyState = 'open';
    made.say({ type: 'view', height: 360 });
    expect(connection.channel.send).toHaveBeenCalledWith('{"type":"view","height":360}');
    connection.channel.onmessage?.({ data: 'nonsense' });
    connection.channel.onmessage?.({ data: '{"type":"view","height":720}' });
    expect(listener.said).toHaveBeenCalledExactlyOnceWith({ type: 'view', height: 720 });
  });

  it('gives the browser no more of a chat than a voice can wait for', () => {
    const { link: made, connection } = link(true);
    const { chat } = connection;
    chat.readyState = 'open';
    chat.onopen?.();
    expect(listener.chat.opened).toHaveBeenCalledTimes(1);
    chat.send.mockImplementation((text: string) => (chat.bufferedAmount += text.length));
    const text = 'x'.repeat(4000);
    for (let seq = 1; seq <= 4; seq++) made.sayInChat({ type: 'text', seq, clock: 1, text });
    expect(chat.send).toHaveBeenCalledTimes(2);
    expect(listener.chat.sent).toHaveBeenCalledTimes(2);
    chat.bufferedAmount = 0;
    chat.onbufferedamountlow?.();
    expect(chat.send).toHaveBeenCalledTimes(4);
    const order = chat.send.mock.calls.map(([said]) => JSON.parse(said).seq);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('hears so many messages of a chat at once and no more', () => {
    const { connection } = link(true);
    for (let seq = 1; seq <= 2 * CHAT_BURST; seq++) {
      const data = JSON.stringify({ type: 'text', seq, clock: 1, text: 'buy!' });
      connection.chat.onmessage?.({ data });
    }
    const heard = vi.mocked(listener.chat.heard).mock.calls.length;
    expect(heard).toBeGreaterThanOrEqual(CHAT_BURST);
    expect(heard).toBeLessThan(CHAT_BURST + 100);
  });

  it('is silent once it is closed', async () => {
    const { link: made, connection } = link(true);
    made.act({ type: 'offer', iceRestart: false });
    made.close();
    made.close();
    await done();
    connection.state('failed');
    connection.channel.onmessage?.({ data: '{"type":"view","height":720}' });
    expect(words()).toEqual([]);
    expect(listener.said).not.toHaveBeenCalled();
    expect(connection.close).toHaveBeenCalledTimes(1);
  });
});

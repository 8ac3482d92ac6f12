// One connection to one other person under one epoch: an `RTCPeerConnection`, with a voice, a
// picture of the camera, one of a shared screen, and the data channels. Everything that is asked of it is done in order, one after the
// other, so that a candidate never comes before its description.
//
// Each is withheld by putting other tracks, or none, in their place, never by their
// direction: nothing is negotiated for a switch.

import { ChatLink, type ChatLinkListener } from './chat_link';
import { preferCodecs, type MediaKind } from './codecs';
import type { FilesMessage } from './core/files/message';
import { MAX_SDP_SECTIONS } from './core/limits';
import type { Counted } from './core/figures';
import type { ChatMessage } from './core/chat_message';
import type { Candidate, DescriptionKind } from './core/messages';
import type { LinkAction, LinkEvent, LinkState } from './core/output';
import { CHANNEL, readPeerMessage, type PeerMessage } from './core/peer_message';
import { SCREEN_SENDING, type Sending } from './core/sending';
import { FileLink, type FileLinkListener } from './file_link';

/** A sound that came longer ago than this is not being heard now, milliseconds. */
const HEARD_FOR = 400;
/** Browsers give the peak of a packet where meters show its root mean square. */
const PEAK_TO_RMS = 0.5;

/** What each section carries, in their order. */
const SLOTS = ['audio', 'video', 'screen'] as const;
export type Slot = (typeof SLOTS)[number];

export type Tracks = Record<Slot, MediaStreamTrack | null>;

/** What belongs together for the browser: voice and camera; the screen comes when it comes. */
export interface Streams {
  camera: MediaStream;
  screen: MediaStream;
}

export interface LinkListener {
  event(event: LinkEvent): void;
  /** The other side says something, past the server. */
  said(message: PeerMessage): void;
  /** The channel for that is open. */
  open(): void;
  /** What happens on the channel of the chat. */
  readonly chat: ChatLinkListener;
  /** What happens on the channels of the files. */
  readonly files: FileLinkListener;
  /** The tracks of the other side. */
  tracks(tracks: Tracks): void;
}

export class PeerLink {
  private readonly connection: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly chat: ChatLink;
  private readonly files: FileLink;
  private transceivers: Partial<Record<Slot, RTCRtpTransceiver>> = {};
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  private sending: Sending | null = null;
  /** What each sender was last told. */
  private readonly applied: Partial<Record<Slot, string>> = {};
  private screenWanted = true;
  /** Candidates of the other side from before its description. */
  private early: Candidate[] = [];
  /** Own candidates from before the own description was announced. */
  private held: Candidate[] | null = [];

  /** Throws where the browser makes no connection. `tracks` are what is sent from the start. */
  constructor(
    configuration: RTCConfiguration,
    offerer: boolean,
    private tracks: Tracks,
    private readonly streams: Streams,
    private readonly listener: LinkListener,
  ) {
    this.connection = new RTCPeerConnection(configuration);
    if (offerer) {
      for (const slot of SLOTS) this.adopt(slot, this.transceiver(slot));
    }
    this.channel = this.connection.createDataChannel(CHANNEL.label, {
      negotiated: true,
      id: CHANNEL.id,
    });
    this.channel.onopen = () => this.listener.open();
    this.channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = readPeerMessage(data);
      if (message && !this.closed) this.listener.said(message);
    };
    this.chat = new ChatLink(this.connection, this.listener.chat);
    this.files = new FileLink(this.connection, this.listener.files);
    this.connection.onconnectionstatechange = () => this.stateChanged();
    this.connection.onicecandidate = ({ candidate }) => {
      if (candidate) this.ownCandidate(candidate);
    };
    if (offerer) this.announceTracks();
  }

  /** Does something that the session wants, after everything before it. */
  act(action: LinkAction): void {
    const critical = action.type === 'offer' || action.type === 'description';
    this.enqueue(() => this.perform(action), critical);
  }

  /** Sends other tracks from now on. */
  setTracks(tracks: Tracks): void {
    this.tracks = tracks;
    this.enqueue(() => this.replaceTracks());
  }

  /** How the picture is to be encoded from now on. */
  setSending(sending: Sending): void {
    this.sending = sending;
    this.enqueue(() => this.applySending());
  }

  /** Whether the other side shows the shared screen. */
  setScreenWanted(wanted: boolean): void {
    this.screenWanted = wanted;
    this.enqueue(() => this.applySending());
  }

  /** What cannot be said is lost: it is said anew when the channel opens. */
  say(message: PeerMessage): void {
    if (this.channel.readyState === 'open') this.channel.send(JSON.stringify(message));
  }

  /** Says something on the channel of the chat, after it has opened. */
  sayInChat(message: ChatMessage): void {
    this.chat.say(message);
  }

  /** Says something about files, after their channels have opened. */
  sayOfFiles(message: FilesMessage): void {
    this.files.say(message);
  }

  /** Sends the answer to a request for a part of a file. */
  sendOfFile(id: number, bytes: Uint8Array): void {
    this.files.send(id, bytes);
  }

  /** How loud the other side is, root mean square, 0 to 1; `null` where the browser does not say. */
  level(): number | null {
    const receiver = this.transceivers.audio?.receiver;
    if (!receiver || !('getSynchronizationSources' in receiver)) return null;
    const [source] = receiver.getSynchronizationSources();
    if (!source) return 0;
    if (source.audioLevel === undefined) return null;
    const age = performance.timeOrigin + performance.now() - source.timestamp;
    return age < HEARD_FOR ? source.audioLevel * PEAK_TO_RMS : 0;
  }

  /** What the browser counts. */
  async stats(): Promise<Counted[]> {
    const report: Counted[] = [];
    (await this.connection.getStats()).forEach((entry: Counted) => report.push(entry));
    return report;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.connection.onconnectionstatechange = null;
    this.connection.onicecandidate = null;
    this.chat.close();
    this.files.close();
    this.connection.close();
  }

  private async perform(action: LinkAction): Promise<void> {
    switch (action.type) {
      case 'offer':
        await this.describe(await this.connection.createOffer({ iceRestart: action.iceRestart }));
        return;
      case 'repeat_offer':
        if (this.connection.signalingState === 'have-local-offer') this.announce();
        return;
      case 'description':
        return this.takeDescription(action.kind, action.sdp);
      case 'candidate':
        if (this.connection.remoteDescription === null) this.early.push(action.candidate);
        else await this.connection.addIceCandidate(action.candidate);
        return;
      case 'ice_servers': {
        const { iceServers } = action;
        this.connection.setConfiguration({ ...this.connection.getConfiguration(), iceServers });
      }
    }
  }

  private async takeDescription(kind: DescriptionKind, sdp: string): Promise<void> {
    if ((sdp.match(/^m=/gm)?.length ?? 0) > MAX_SDP_SECTIONS) throw new Error('too many sections');
    await this.connection.setRemoteDescription({ type: kind, sdp });
    for (const candidate of this.early.splice(0)) {
      await this.connection.addIceCandidate(candidate).catch(() => {});
    }
    if (kind === 'offer') {
      this.adoptOffered();
      await this.replaceTracks();
      await this.describe(await this.connection.createAnswer());
    }
    await this.applySending();
  }

  /** Makes a description the own one, and announces it before its candidates. */
  private async describe(description: RTCSessionDescriptionInit): Promise<void> {
    this.held ??= [];
    await this.connection.setLocalDescription(description);
    if (!this.announce()) return;
    const held = this.held;
    this.held = null;
    for (const candidate of held) this.listener.event({ type: 'candidate', candidate });
  }

  /** Says the own description, in which the browser puts the candidates so far. */
  private announce(): boolean {
    const { type, sdp } = this.connection.localDescription ?? {};
    if (this.closed || !sdp || (type !== 'offer' && type !== 'answer')) return false;
    this.listener.event({ type: 'description', kind: type, sdp });
    return true;
  }

  private ownCandidate(it: RTCIceCandidate): void {
    const candidate: Candidate = { candidate: it.candidate };
    if (it.sdpMid !== null) candidate.sdpMid = it.sdpMid;
    if (it.sdpMLineIndex !== null) candidate.sdpMLineIndex = it.sdpMLineIndex;
    if (it.usernameFragment !== null) candidate.usernameFragment = it.usernameFragment;
    if (this.held) this.held.push(candidate);
    else this.listener.event({ type: 'candidate', candidate });
  }

  private transceiver(slot: Slot): RTCRtpTransceiver {
    return this.connection.addTransceiver(this.tracks[slot] ?? kindOf(slot), {
      direction: 'sendrecv',
      streams: [this.stream(slot)],
    });
  }

  private stream(slot: Slot): MediaStream {
    return slot === 'screen' ? this.streams.screen : this.streams.camera;
  }

  /** The first section of sound is the voice; of pictures, the camera, and the second the screen. */
  private adoptOffered(): void {
    const offered = this.connection.getTransceivers();
    const of = (kind: MediaKind) => offered.filter(({ receiver }) => receiver.track.kind === kind);
    const [[voice], [camera, screen]] = [of('audio'), of('video')];
    for (const [slot, transceiver] of [
      ['audio', voice],
      ['video', camera],
      ['screen', screen],
    ] as const) {
      if (!transceiver) continue;
      transceiver.direction = 'sendrecv';
      const { sender } = transceiver;
      if ('setStreams' in sender) sender.setStreams(this.stream(slot));
      this.adopt(slot, transceiver);
    }
    this.announceTracks();
  }

  private adopt(slot: Slot, transceiver: RTCRtpTransceiver): void {
    if (this.transceivers[slot] === transceiver) return;
    this.transceivers[slot] = transceiver;
    preferCodecs(transceiver, kindOf(slot));
  }

  private announceTracks(): void {
    const track = (slot: Slot) => this.transceivers[slot]?.receiver.track ?? null;
    this.listener.tracks({
      audio: track('audio'),
      video: track('video'),
      screen: track('screen'),
    });
  }

  private async replaceTracks(): Promise<void> {
    for (const slot of SLOTS) {
      const sender = this.transceivers[slot]?.sender;
      if (sender && sender.track !== this.tracks[slot]) {
        await sender.replaceTrack(this.tracks[slot]);
      }
    }
  }

  private async applySending(): Promise<void> {
    await this.apply('video', this.sending);
    await this.apply('screen', { ...SCREEN_SENDING, active: this.screenWanted });
  }

  private async apply(slot: Slot, sending: Sending | null): Promise<void> {
    const sender = this.transceivers[slot]?.sender;
    const wanted = JSON.stringify(sending);
    if (!sender || !sending || wanted === this.applied[slot]) return;
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings;
    // Not negotiated yet: it is applied after that.
    if (!encoding) return;
    Object.assign(encoding, sending);
    await sender.setParameters(parameters);
    this.applied[slot] = wanted;
  }

  private stateChanged(): void {
    const states: Partial<Record<RTCPeerConnectionState, LinkState>> = {
      connecting: 'connecting',
      connected: 'connected',
      disconnected: 'disconnected',
      failed: 'failed',
    };
    const state = states[this.connection.connectionState];
    if (state) this.listener.event({ type: 'state', state });
    if (state === 'connected') this.enqueue(() => this.applySending());
  }

  /** A failure of what is critical breaks the link; any other costs itself only. */
  private enqueue(task: () => Promise<void>, critical = false): void {
    this.work = this.work.then(async () => {
      if (this.closed) return;
      try {
        await task();
      } catch {
        if (critical && !this.closed) this.listener.event({ type: 'broken' });
      }
    });
  }
}

function kindOf(slot: Slot): MediaKind {
  return slot === 'audio' ? 'audio' : 'video';
}

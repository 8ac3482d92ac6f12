// One connection to one other person under one epoch: an `RTCPeerConnection`, with a voice, a
// picture and the data channels. Everything that is asked of it is done in order, one after the
// other, so that a candidate never comes before its description.
//
// Voice and picture are withheld by putting other tracks, or none, in their place, never by their
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
import type { Sending } from './core/sending';
import { FileLink, type FileLinkListener } from './file_link';

/** A sound that came longer ago than this is not being heard now, milliseconds. */
const HEARD_FOR = 400;
/** Browsers give the peak of a packet where meters show its root mean square. */
const PEAK_TO_RMS = 0.5;

export type Tracks = Record<MediaKind, MediaStreamTrack | null>;

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
  private transceivers: Partial<Record<MediaKind, RTCRtpTransceiver>> = {};
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  private sending: Sending | null = null;
  private applied = '';
  /** Candidates of the other side from before its description. */
  private early: Candidate[] = [];
  /** Own candidates from before the own description was announced. */
  private held: Candidate[] | null = [];

  /** Throws where the browser makes no connection. `tracks` are what is sent from the start. */
  constructor(
    configuration: RTCConfiguration,
    offerer: boolean,
    private tracks: Tracks,
    /** Tells the other side that voice and picture belong together. */
    private readonly stream: MediaStream,
    private readonly listener: LinkListener,
  ) {
    this.connection = new RTCPeerConnection(configuration);
    if (offerer) {
      this.adopt('audio', this.transceiver('audio'));
      this.adopt('video', this.transceiver('video'));
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

  private transceiver(kind: MediaKind): RTCRtpTransceiver {
    const streams = [this.stream];
    return this.connection.addTransceiver(this.tracks[kind] ?? kind, {
      direction: 'sendrecv',
      streams,
    });
  }

  /** The first section of each kind is the voice, or the picture. */
  private adoptOffered(): void {
    for (const kind of ['audio', 'video'] as const) {
      const offered = this.connection
        .getTransceivers()
        .find(({ receiver }) => receiver.track.kind === kind);
      if (!offered) continue;
      offered.direction = 'sendrecv';
      if ('setStreams' in offered.sender) offered.sender.setStreams(this.stream);
      this.adopt(kind, offered);
    }
    this.announceTracks();
  }

  private adopt(kind: MediaKind, transceiver: RTCRtpTransceiver): void {
    if (this.transceivers[kind] === transceiver) return;
    this.transceivers[kind] = transceiver;
    preferCodecs(transceiver, kind);
  }

  private announceTracks(): void {
    const { audio, video } = this.transceivers;
    this.listener.tracks({
      audio: audio?.receiver.track ?? null,
      video: video?.receiver.track ?? null,
    });
  }

  private async replaceTracks(): Promise<void> {
    for (const kind of ['audio', 'video'] as const) {
      const sender = this.transceivers[kind]?.sender;
      if (sender && sender.track !== this.tracks[kind]) {
        await sender.replaceTrack(this.tracks[kind]);
      }
    }
  }

  private async applySending(): Promise<void> {
    const sender = this.transceivers.video?.sender;
    const wanted = JSON.stringify(this.sending);
    if (!sender || !this.sending || wanted === this.applied) return;
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings;
    // Not negotiated yet: it is applied after that.
    if (!encoding) return;
    Object.assign(encoding, this.sending);
    await sender.setParameters(parameters);
    this.applied = wanted;
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

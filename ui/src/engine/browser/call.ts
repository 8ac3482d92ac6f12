// One visit to a room, carried out: the session with its socket, and a link to each person there.

import type { Figures, PeerFigures, Settings } from '../../bindings';
import { Chatting } from './chatting';
import type { ChatLine } from './core/chat';
import { Gestures } from './core/gestures';
import type { Unsayable } from './core/chat_message';
import type { FileOffer } from './core/files/message';
import type { FileState } from './core/files/types';
import { Driver, type Other } from './driver';
import { usableIceServers } from './core/ice';
import type { Epoch, IceServer, MediaState, PeerId } from './core/messages';
import type { LinkAction, SessionEvent } from './core/output';
import { FigureReader } from './core/figures';
import type { ConditionWord, PeerMessage, Reaction, RoomWord } from './core/peer_message';
import { GROWTH, sending, sendingAtAge, type Sending } from './core/sending';
import { Session, type Input, type SessionConfig } from './core/session';
import type { Code } from './core/trust';
import type { Progress } from './file_disk';
import type { Sink } from './file_sink';
import { Filing } from './filing';
import { PeerLink, type Tracks } from './peer_link';

export interface CallListener {
  event(event: SessionEvent): void;
  /** Something was said in the chat. */
  chat(line: ChatLine): void;
  /** Whose hands are up, in the order of raising, the own one included. */
  hands(order: PeerId[]): void;
  /** Somebody reacts, or this side does. */
  reaction(peer: PeerId, kind: Reaction): void;
  /** How far a file is. */
  file(state: FileState): void;
  /** How far the reading of a file is that is to be offered. */
  hashing(progress: Progress): void;
  /** Where a file goes that was taken. */
  place(offer: FileOffer): Promise<Sink>;
  /** The voice and the picture of somebody, or none any more. */
  tracks(peer: PeerId, tracks: Tracks): void;
}

interface Network extends Pick<Settings, 'ice_servers' | 'relay_only'> {
  /** The same for all links of the visit. */
  certificate: RTCCertificate;
}

interface OpenLink {
  epoch: Epoch;
  link: PeerLink;
  /** For the first time. */
  connectedAt: number | null;
}

export const NOTHING: Tracks = { audio: null, video: null, screen: null };

export class Call {
  private readonly driver: Driver<Input>;
  private readonly links = new Map<PeerId, OpenLink>();
  private readonly present = new Set<PeerId>();
  /** How high each person shows the own picture; it holds for new links too, until said anew. */
  private readonly shows = new Map<PeerId, number>();
  /** The same of the shared screen. */
  private readonly showsScreen = new Map<PeerId, number>();
  /** How high each person's picture is shown here. */
  private readonly views = new Map<PeerId, number>();
  /** And their screen. */
  private readonly screenViews = new Map<PeerId, number>();
  /** What each person is told past the server, again on each new link. */
  private readonly words = new Map<PeerId, RoomWord>();
  /** How each person is doing, by their own word. */
  private readonly conditions = new Map<PeerId, ConditionWord>();
  private readonly readers = new Map<PeerId, FigureReader>();
  private readonly streams = { camera: new MediaStream(), screen: new MediaStream() };
  private readonly chatting: Chatting;
  private readonly own: PeerId;
  private readonly gestures: Gestures;
  readonly filing: Filing;

  constructor(
    config: SessionConfig,
    address: string,
    private readonly network: Network,
    private tracks: Tracks,
    private readonly listener: CallListener,
  ) {
    this.own = config.own;
    this.gestures = new Gestures(config.own);
    this.chatting = new Chatting(config.own, {
      send: (to, message) => this.links.get(to)?.link.sayInChat(message),
      show: (line) => this.listener.chat(line),
    });
    this.filing = new Filing({
      say: (to, message) => this.links.get(to)?.link.sayOfFiles(message),
      send: (to, id, bytes) => this.links.get(to)?.link.sendOfFile(id, bytes),
      show: (state) => this.listener.file(state),
      hashing: (progress) => this.listener.hashing(progress),
      place: (offer) => this.listener.place(offer),
    });
    const session = new Session(config, performance.now());
    this.driver = new Driver<Input>(
      session,
      address,
      (output) => this.carryOut(output),
      () => {},
    );
  }

  leave(): void {
    this.driver.tell({ type: 'leave' });
  }

  /** Who gets in, and who is put out. */
  rule(input: Extract<Input, { type: 'policy' | 'admit' | 'refuse' | 'remove' }>): void {
    this.driver.tell(input);
  }

  confirmCode(peer: PeerId, code: Code, matches: boolean): void {
    this.driver.tell({ type: 'confirm_code', peer, code, matches });
  }

  networkChanged(): void {
    this.driver.tell({ type: 'network_changed' });
  }

  /** What is sent from now on, and what the others are told of it. */
  send(tracks: Tracks, media: MediaState): void {
    this.driver.tell({ type: 'media', media });
    const { audio, video, screen } = this.tracks;
    if (tracks.audio === audio && tracks.video === video && tracks.screen === screen) return;
    this.tracks = tracks;
    for (const { link } of this.links.values()) link.setTracks(tracks);
    this.adapt();
  }

  /** Says something in the chat; gives why it cannot be said. */
  say(text: string): Unsayable | null {
    return this.chatting.say(text);
  }

  raiseHand(up: boolean): void {
    const word = this.gestures.raise(up);
    if (!word) return;
    this.tellAll(word);
    this.listener.hands(this.gestures.hands());
  }

  /** Shown here, too, unless it was too often. */
  react(kind: Reaction): void {
    const word = this.gestures.react(performance.now(), kind);
    if (!word) return;
    this.tellAll(word);
    this.listener.reaction(this.own, kind);
  }

  /** Somebody's picture is shown so high, pixels. */
  view(peer: PeerId, height: number): void {
    this.views.set(peer, height);
    this.sayView(peer);
  }

  /** Somebody's screen is shown so high, pixels. */
  viewScreen(peer: PeerId, height: number): void {
    this.screenViews.set(peer, height);
    this.sayView(peer);
  }

  /** How loud each person is who is connected; `null` where the browser does not say. */
  *levels(): Generator<[PeerId, number | null]> {
    for (const [peer, { link }] of this.links) yield [peer, link.level()];
  }

  /** The figures of the last second; asked for once a second. */
  async figures(): Promise<Figures> {
    const links = [...this.links].filter(([, { connectedAt }]) => connectedAt !== null);
    const peers = await Promise.all(links.map(([peer, { link }]) => this.figuresOf(peer, link)));
    return { load: null, peers };
  }

  private async figuresOf(peer: PeerId, link: PeerLink): Promise<PeerFigures> {
    const report = await link.stats();
    const reader = this.readers.get(peer) ?? new FigureReader(peer);
    this.readers.set(peer, reader);
    const figures = reader.read(performance.now(), report, this.conditions.get(peer) ?? null);
    // A browser that encodes no more than is shown does not call that a limit.
    const { scaled } = this.chosen(peer);
    if (figures.limited_by === 'none' && scaled) figures.limited_by = 'view';
    const { limited_by } = figures;
    link.say({ type: 'condition', limited_by, busy: limited_by === 'cpu' });
    return figures;
  }

  private carryOut(output: Other): void {
    switch (output.type) {
      case 'open_link':
        return this.open(output.peer, output.epoch, output.offerer, output.iceServers);
      case 'link':
        return this.act(output.peer, output.epoch, output.action);
      case 'tell':
        this.words.set(output.peer, output.message);
        return this.links.get(output.peer)?.link.say(output.message);
      case 'close_link':
        return this.close(output.peer, output.epoch);
      case 'event':
        return this.event(output.event);
    }
  }

  private event(event: SessionEvent): void {
    if (event.type === 'peer_joined') {
      this.present.add(event.peer.id);
      this.chatting.tell({ type: 'joined', peer: event.peer.id, name: event.peer.name });
      this.gestures.joined(event.peer.id);
      this.filing.tell({ type: 'joined', peer: event.peer.id });
      this.adapt();
    } else if (event.type === 'peer_left') {
      const { id } = event.peer;
      this.present.delete(id);
      this.chatting.tell({ type: 'left', peer: id });
      if (this.gestures.left(id)) this.listener.hands(this.gestures.hands());
      this.filing.tell({ type: 'left', peer: id });
      for (const of of [this.shows, this.showsScreen, this.views, this.screenViews]) of.delete(id);
      this.words.delete(id);
      this.conditions.delete(id);
      this.readers.delete(id);
      this.adapt();
    }
    if (event.type === 'ended') {
      this.chatting.stop();
      this.filing.stop();
    }
    this.listener.event(event);
  }

  private act(peer: PeerId, epoch: Epoch, action: LinkAction): void {
    if (action.type === 'ice_servers') {
      const iceServers = usableIceServers(this.network.ice_servers, action.iceServers);
      action = { type: 'ice_servers', iceServers };
    }
    this.link(peer, epoch)?.act(action);
  }

  private open(peer: PeerId, epoch: Epoch, offerer: boolean, theirs: IceServer[]): void {
    const configuration: RTCConfiguration = {
      iceServers: usableIceServers(this.network.ice_servers, theirs),
      iceTransportPolicy: this.network.relay_only ? 'relay' : 'all',
      bundlePolicy: 'max-bundle',
      certificates: [this.network.certificate],
    };
    // Of a link that is closed, the session wants to hear nothing.
    const isOpen = () => this.links.get(peer)?.epoch === epoch;
    try {
      const link = new PeerLink(configuration, offerer, this.tracks, this.streams, {
        event: (event) => {
          if (event.type === 'state' && event.state === 'connected') this.connected(peer, epoch);
          this.driver.tell({ type: 'link', peer, epoch, event });
        },
        said: (message) => {
          if (isOpen()) this.heard(peer, message);
        },
        open: () => {
          if (!isOpen()) return;
          const word = this.words.get(peer);
          if (word) link.say(word);
          if (isOpen()) this.sayView(peer);
          const hand = this.gestures.greeting();
          if (isOpen() && hand) link.say(hand);
        },
        chat: {
          opened: () => isOpen() && this.chatting.tell({ type: 'opened', peer }),
          sent: () => isOpen() && this.chatting.tell({ type: 'sent', peer }),
          heard: (message) => isOpen() && this.chatting.tell({ type: 'heard', peer, message }),
        },
        files: {
          opened: () => isOpen() && this.filing.tell({ type: 'opened', peer }),
          sent: () => isOpen() && this.filing.tell({ type: 'sent', peer }),
          heard: (message) => isOpen() && this.filing.tell({ type: 'heard', peer, message }),
          piece: (id, offset, content) =>
            isOpen() && this.filing.tell({ type: 'piece', peer, id, offset, content }),
        },
        tracks: (tracks) => this.listener.tracks(peer, tracks),
      });
      this.links.set(peer, { epoch, link, connectedAt: null });
      this.adapt();
    } catch {
      this.driver.tell({ type: 'link', peer, epoch, event: { type: 'broken' } });
    }
  }

  /** What somebody says past the server. */
  private heard(peer: PeerId, message: PeerMessage): void {
    switch (message.type) {
      case 'room':
        return this.driver.tell({ type: 'said', peer, message });
      case 'view':
        this.shows.set(peer, message.height);
        if (message.screen !== undefined) this.showsScreen.set(peer, message.screen);
        return this.adapt();
      case 'condition':
        this.conditions.set(peer, message);
        return;
      case 'hand':
        if (this.gestures.heardHand(peer, message)) this.listener.hands(this.gestures.hands());
        return;
      case 'reaction':
        if (!this.gestures.heardReaction(performance.now(), peer, message)) return;
        return this.listener.reaction(peer, message.kind);
    }
  }

  private tellAll(message: PeerMessage): void {
    for (const { link } of this.links.values()) link.say(message);
  }

  private sayView(peer: PeerId): void {
    const height = this.views.get(peer);
    if (height === undefined) return;
    // A screen that is nowhere on the page is not needed.
    const screen = this.screenViews.get(peer) ?? 0;
    this.links.get(peer)?.link.say({ type: 'view', height, screen });
  }

  private close(peer: PeerId, epoch: Epoch): void {
    const link = this.link(peer, epoch);
    if (!link) return;
    this.links.delete(peer);
    link.close();
    this.chatting.tell({ type: 'closed', peer });
    this.filing.tell({ type: 'closed', peer });
    this.listener.tracks(peer, NOTHING);
  }

  private connected(peer: PeerId, epoch: Epoch): void {
    const open = this.links.get(peer);
    if (open?.epoch !== epoch || open.connectedAt !== null) return;
    open.connectedAt = performance.now();
    // A little later, as timers may be early. Harmless after the end of the link.
    for (const age of GROWTH) setTimeout(() => this.adapt(), age + 20);
  }

  private link(peer: PeerId, epoch: Epoch): PeerLink | undefined {
    const open = this.links.get(peer);
    return open?.epoch === epoch ? open.link : undefined;
  }

  /** Everybody gets of the picture what they show, as far as a browser can encode it for all. */
  private adapt(): void {
    const now = performance.now();
    for (const [peer, { link, connectedAt }] of this.links) {
      const { later, source } = this.chosen(peer);
      const age = connectedAt === null ? null : now - connectedAt;
      link.setSending(sendingAtAge(later, source, age));
      link.setScreenWanted(this.showsScreen.get(peer) !== 0);
    }
  }

  /** What somebody is sent of the own picture once the connection has settled. */
  private chosen(peer: PeerId): { later: Sending; source: number; scaled: boolean } {
    const source = this.tracks.video?.getSettings().height ?? 0;
    const sharing = this.tracks.screen !== null;
    const later = sending(this.shows.get(peer) ?? null, this.present.size, source, sharing);
    return { later, source, scaled: later.scaleResolutionDownBy > 1 };
  }
}

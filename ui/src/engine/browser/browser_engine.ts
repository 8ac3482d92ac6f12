// The page's own engine, for guests: what the desktop shell is to the app, here with the browser's
// devices, cryptography and connections. It holds the parts together; the rules are in `core`.

import type {
  Boot,
  DeviceState,
  DeviceView,
  FailureView,
  PolicyView,
  ReactionKind,
  Settings,
  SharingView,
  UiEvent,
} from '../../bindings';
import {
  screenOf,
  sharerOf,
  type CallEngine,
  type DeviceKind,
  type GuestPage,
  type PictureListener,
  type TileId,
} from '../engine';
import { hrefOf } from '../../chat/links';
import { BrowserFiles } from './browser_files';
import { Call, NOTHING } from './call';
import type { ChatLine } from './core/chat';
import { entrance, type Entrance } from './core/entrance';
import { parseLink, webLink, webSocketAddress, type JoinLink } from './core/link';
import type { PeerId } from './core/messages';
import { Model } from './core/model';
import { displayableName } from './core/name';
import type { SessionEvent } from './core/output';
import type { Code } from './core/trust';
import { Watch, type WatchInput } from './core/watch';
import { choices, idOf, standInFor } from './device_words';
import { Driver } from './driver';
import { authKeyOf, newCertificate, newId16, newSeed, participantOf, roomOf } from './identity';
import { Levels } from './levels';
import type { Tracks } from './peer_link';
import { watchPermissions } from './permissions';
import { Playback } from './playback';
import type { SourceKind } from './source';
import { canShareScreens, SharedScreen } from './shared_screen';
import { Sources } from './sources';
import {
  choseBrowser,
  keepChoiceOfBrowser,
  keepDevice,
  keepSettings,
  keptDevice,
  keptSettings,
} from './storage';
import { canCall } from './support';
import { Tiles } from './tiles';
import { VERSION } from './version';
import { SPEAKERS_CAN_BE_CHOSEN, Voices } from './voices';

/** Between two reports of how loud everybody is, milliseconds. */
const LEVELS_EVERY = 100;

/** Between two reports of how the connections are, milliseconds. */
const FIGURES_EVERY = 1000;

const OWN: TileId = 'own';
const DEVICE_KINDS = ['camera', 'microphone', 'speaker'] as const satisfies DeviceKind[];

export class BrowserEngine implements CallEngine, GuestPage {
  readonly guest = this;
  readonly entrance: Entrance = entrance({
    href: location.href,
    secure: isSecureContext,
    capable: canCall(),
    remembered: choseBrowser(),
  });

  readonly files = new BrowserFiles((event) => this.events(event));

  private events: (event: UiEvent) => void = () => {};
  private settings: Settings = keptSettings();
  private readonly model = new Model();
  private readonly playback = new Playback(() => this.notice('sound_blocked', 'a touch is needed'));
  private readonly tiles = new Tiles(this.playback);
  private readonly voices = new Voices(this.playback, (state) => this.device('speaker', state));
  private readonly levels = new Levels();
  private readonly sources = new Sources((kind, state, track) => this.source(kind, state, track));
  private microphone: MediaStreamTrack | null = null;
  /** The own voice is played here, too. */
  private hearsSelf = false;
  /** What stands in for chosen devices that are not there. */
  private standIns: Partial<Record<DeviceKind, string>> = {};
  /** What is sent: the camera, and a copy of the microphone that can be silenced by itself. */
  private sent: Tracks = NOTHING;
  private readonly screen = new SharedScreen((track, what) => this.shared(track, what));
  private readonly voicesHeard = new Map<PeerId, MediaStreamTrack>();
  private link: JoinLink | null = null;
  private watch: Driver<WatchInput> | null = null;
  private call: Call | null = null;
  private ticking: ReturnType<typeof setInterval> | undefined;
  private measuring: ReturnType<typeof setInterval> | undefined;

  connect(events: (event: UiEvent) => void): Promise<Boot> {
    this.events = events;
    addEventListener('pagehide', () => this.leaveNow());
    // Brought back from the browser's memory: everything was ended when it went there.
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
    addEventListener('online', () => this.networkChanged());
    const { connection } = navigator as { connection?: EventTarget };
    connection?.addEventListener('change', () => this.networkChanged());
    // The address of another room was put in the place of this one's.
    addEventListener('hashchange', () => location.reload());
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.devicesChanged());
    watchPermissions(() => void this.devicesChanged());
    this.render();
    return Promise.resolve({
      settings: this.settings,
      system_language: /^th\b/i.test(navigator.language) ? 'th' : 'en',
      version: VERSION,
      software_rendering: false,
    });
  }

  async begin(remember: boolean): Promise<void> {
    if (remember) keepChoiceOfBrowser();
    if (location.pathname.startsWith('/j')) await this.openLink(location.href);
  }

  newCall(): Promise<void> {
    return this.enter({ server: location.origin, secret: newId16() });
  }

  openLink(text: string): Promise<void> {
    const link = parseLink(text);
    if (!link) return refuse('invalid_link', 'this is not a Quartet link');
    if (this.model.isInCall) return refuse('already_in_call', 'leave the call first');
    if (link.server === location.origin) return this.enter(link);
    // Another server's page is another page; this one talks to its own server only.
    location.assign(webLink(link));
    return Promise.resolve();
  }

  setPolicy(policy: PolicyView): Promise<void> {
    this.call?.rule({ type: 'policy', policy });
    return Promise.resolve();
  }

  answerKnock(peer: string, admit: boolean): Promise<void> {
    this.call?.rule({ type: admit ? 'admit' : 'refuse', peer });
    return Promise.resolve();
  }

  remove(peer: string): Promise<void> {
    this.call?.rule({ type: 'remove', peer });
    return Promise.resolve();
  }

  raiseHand(up: boolean): Promise<void> {
    this.call?.raiseHand(up);
    return Promise.resolve();
  }

  react(kind: ReactionKind): Promise<void> {
    this.call?.react(kind);
    return Promise.resolve();
  }

  setVolume(peer: string, volume: number): Promise<void> {
    if (this.model.setVolume(peer, volume)) this.voices.setGain(peer, volume / 100);
    this.render();
    return Promise.resolve();
  }

  async join(name: string, askFirst: boolean): Promise<void> {
    const { link } = this;
    const displayable = displayableName(name);
    if (!displayable) return refuse('invalid_name', 'this name cannot be used');
    if (!link || !this.model.startJoining()) return refuse('no_room', 'there is no room to join');
    this.keep({ ...this.settings, name: displayable });
    this.render();
    const key = newId16();
    const [room, own, auth, certificate] = await Promise.all([
      roomOf(link.secret),
      participantOf(key),
      authKeyOf(link.secret),
      newCertificate(),
    ]);
    if (this.model.view.phase.at !== 'joining' || this.link !== link) return;
    this.stopWatching();
    const policy: PolicyView = askFirst ? 'knock' : 'open';
    const config = {
      room,
      key,
      own,
      auth,
      seed: newSeed(),
      name: displayable,
      media: this.model.media,
      policy,
    };
    const { ice_servers, relay_only } = this.settings;
    const network = { ice_servers, relay_only, certificate };
    this.call = new Call(config, webSocketAddress(link.server), network, this.sent, {
      event: (event) => this.session(event),
      chat: (line) => this.line(own, line),
      hands: (order) => {
        this.model.setHands(order);
        this.render();
      },
      reaction: (peer, kind) => {
        this.events({ type: 'reaction', data: { tile: this.model.whom(peer), kind } });
      },
      file: (state) => void this.files.show(state),
      hashing: (data) => this.events({ type: 'file_hashing', data }),
      place: (offer) => this.files.place(offer),
      tracks: (peer, tracks) => this.heardAndSeen(peer, tracks),
    });
    clearInterval(this.measuring);
    this.measuring = setInterval(() => void this.reportFigures(), FIGURES_EVERY);
    this.files.use(this.call.filing);
  }

  confirmCode(peer: string, code: Code, matches: boolean): Promise<void> {
    this.call?.confirmCode(peer, code, matches);
    return Promise.resolve();
  }

  leave(): Promise<void> {
    if (!this.call) return this.goHome();
    this.call.leave();
    return Promise.resolve();
  }

  goHome(): Promise<void> {
    this.leaveNow();
    this.link = null;
    this.model.goHome();
    history.replaceState(null, '', '/');
    this.render();
    return Promise.resolve();
  }

  setMuted(muted: boolean): Promise<void> {
    this.model.setOwn({ ...this.model.view.me, muted });
    this.sendChosen();
    return Promise.resolve();
  }

  async setCameraOff(camera_off: boolean): Promise<void> {
    this.model.setOwn({ ...this.model.view.me, camera_off });
    this.sendChosen();
    await this.sources.change(this.used, camera_off);
  }

  async choose(kind: DeviceKind, id: string): Promise<string> {
    const same = this.settings[kind] === id;
    this.keep({ ...this.settings, [kind]: id });
    await this.listDevices();
    if (kind === 'speaker') await this.voices.choose(this.used.speaker);
    else if (same) await this.sources.again(kind);
    else await this.sources.change(this.used, this.model.view.me.camera_off);
    return id;
  }

  async saveSettings(settings: Settings): Promise<Settings> {
    this.keep({ ...settings, server: '' });
    await this.sources.change(this.used, this.model.view.me.camera_off);
    return this.settings;
  }

  hearSelf(on: boolean): Promise<void> {
    this.hearsSelf = on;
    this.voices.set(OWN, on ? this.sent.audio : null);
    return Promise.resolve();
  }

  async copyLink(): Promise<void> {
    const { link } = this;
    if (!link) return refuse('no_room', 'there is no room');
    try {
      await navigator.clipboard.writeText(webLink(link));
    } catch {
      return refuse('clipboard', 'the browser does not let the page copy');
    }
  }

  say(text: string): Promise<void> {
    if (!this.call) return refuse('chat_not_in_call', 'there is no call');
    const wrong = this.call.say(text);
    if (wrong === null) return Promise.resolve();
    return refuse(wrong === 'too_long' ? 'chat_too_long' : 'chat_text', 'it cannot be said');
  }

  openUrl(url: string): Promise<void> {
    const href = hrefOf(url);
    if (href === null) return refuse('open_url', 'this is no address of the web');
    // The new page learns neither this one's address, which has the secret, nor its window.
    window.open(href, '_blank', 'noopener,noreferrer');
    return Promise.resolve();
  }

  showTile(tile: TileId, place: HTMLElement, listener: PictureListener): () => void {
    return this.tiles.show(tile, place, listener);
  }

  viewTile(tile: TileId, height: number): void {
    const sharer = sharerOf(tile);
    if (sharer !== null) this.call?.viewScreen(sharer, height);
    else if (tile !== OWN) this.call?.view(tile, height);
  }

  readonly canShare = canShareScreens();

  /** The browser shows what there is, and asks the person itself. */
  screens(): Promise<null> {
    return Promise.resolve(null);
  }

  thumbnail(): Promise<null> {
    return Promise.resolve(null);
  }

  async share(): Promise<void> {
    if (!this.call) return refuse('sharing_not_in_call', 'there is no call');
    const refusal = await this.screen.ask();
    if (refusal) throw refusal;
  }

  stopSharing(): Promise<void> {
    this.screen.stop();
    return Promise.resolve();
  }

  private shared(track: MediaStreamTrack | null, what: SharingView | null): void {
    // The call may have ended while the person was choosing.
    if (track && !this.call) return this.screen.stop();
    this.sent = { ...this.sent, screen: track };
    this.model.setSharing(what);
    this.sendChosen();
  }

  /** To the green room of a link. */
  private async enter(link: JoinLink): Promise<void> {
    this.leaveNow();
    this.link = link;
    // The address is the room's, so that a reload comes back to it.
    history.replaceState(null, '', `/j#${link.secret}`);
    const { start_muted: muted, start_camera_off: camera_off } = this.settings;
    this.model.setOwn({ muted, camera_off });
    this.model.enterGreenRoom(link);
    this.render();
    this.ticking = setInterval(() => this.reportLevels(), LEVELS_EVERY);
    void this.openDevices(camera_off);
    this.startWatching(link, await roomOf(link.secret));
  }

  private async openDevices(cameraOff: boolean): Promise<void> {
    await this.listDevices();
    void this.voices.choose(this.used.speaker);
    await this.sources.open(this.used, cameraOff);
    // Names of devices are told to those only who may use one.
    await this.listDevices();
  }

  /** Ends whatever is under way, without a word about it. */
  private leaveNow(): void {
    this.stopWatching();
    this.call?.leave();
    this.closeDevices();
  }

  private closeDevices(): void {
    void this.hearSelf(false);
    clearInterval(this.ticking);
    clearInterval(this.measuring);
    this.screen.stop();
    this.sources.close();
    this.levels.forget(OWN);
    this.device('speaker', { is: 'none' });
  }

  private startWatching(link: JoinLink, room: string): void {
    if (this.link !== link || this.model.view.phase.at !== 'green_room') return;
    const watch = new Watch(room, performance.now());
    let told = watch.roster;
    this.watch = new Driver<WatchInput>(
      watch,
      webSocketAddress(link.server),
      () => {},
      () => {
        if (watch.roster === told) return;
        told = watch.roster;
        this.model.setWaiting(told, watch.policy);
        this.render();
      },
    );
  }

  private stopWatching(): void {
    this.watch?.tell({ type: 'stop' });
    this.watch = null;
  }

  private networkChanged(): void {
    this.watch?.tell({ type: 'network_changed' });
    this.call?.networkChanged();
  }

  private session(event: SessionEvent): void {
    const refusal = this.model.apply(event);
    if (refusal) this.events({ type: 'notice', data: refusal });
    if (event.type === 'peer_left') this.heardAndSeen(event.peer.id, NOTHING);
    if (event.type === 'ended') {
      this.call = null;
      this.voices.forgetGains();
      this.files.use(null);
      this.closeDevices();
    }
    this.render();
  }

  private line(own: PeerId, { passedOnBy, ...line }: ChatLine): void {
    const said = { ...line, own: line.author === own, passed_on_by: passedOnBy?.name ?? null };
    this.events({ type: 'chat', data: [said] });
  }

  private heardAndSeen(peer: PeerId, { audio, video, screen }: Tracks): void {
    this.tiles.set(peer, video);
    this.tiles.set(screenOf(peer), screen);
    this.voices.set(peer, audio);
    if (audio) this.voicesHeard.set(peer, audio);
    else this.voicesHeard.delete(peer);
    if (!audio) this.levels.forget(peer);
  }

  private source(kind: SourceKind, state: DeviceState, track: MediaStreamTrack | null): void {
    if (kind === 'camera') {
      this.sent = { ...this.sent, video: track };
      this.tiles.set(OWN, track);
    } else {
      this.sent.audio?.stop();
      this.microphone = track;
      // The meter goes on while the others hear nothing.
      this.sent = { ...this.sent, audio: track?.clone() ?? null };
      if (this.hearsSelf) this.voices.set(OWN, this.sent.audio);
    }
    this.model.setDevice(kind, state);
    this.sendChosen();
  }

  private device(kind: DeviceKind, state: DeviceState): void {
    this.model.setDevice(kind, state);
    this.render();
  }

  /** Sends, withholds and tells what the person chose, as far as devices give it. */
  private sendChosen(): void {
    if (this.sent.audio) this.sent.audio.enabled = !this.model.view.me.muted;
    this.call?.send(this.sent, this.model.media);
    this.render();
  }

  private async devicesChanged(): Promise<void> {
    const { speaker } = this.used;
    await this.listDevices();
    await this.sources.change(this.used, this.model.view.me.camera_off);
    if (this.used.speaker !== speaker && this.model.view.me.speaker.is !== 'none') {
      await this.voices.choose(this.used.speaker);
    }
    await this.sources.retry();
  }

  /** What is chosen, with what stands in for it. */
  private get used(): Settings {
    return { ...this.settings, ...this.standIns };
  }

  private async listDevices(): Promise<void> {
    const found = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    this.standIns = {};
    for (const kind of DEVICE_KINDS) {
      const standIn = standInFor(kind, this.settings[kind], found);
      if (standIn !== null) this.standIns[kind] = standIn;
    }
    this.model.setStandIns(Object.keys(this.standIns) as DeviceKind[]);
    this.model.setDevices({
      cameras: this.choices('camera', found),
      microphones: this.choices('microphone', found),
      speakers: this.choices('speaker', SPEAKERS_CAN_BE_CHOSEN ? found : []),
    });
    this.render();
  }

  private choices(kind: DeviceKind, found: MediaDeviceInfo[]): DeviceView[] {
    const chosen = this.settings[kind];
    const all = choices(kind, found, keptDevice(kind, chosen));
    const device = all.find(({ id }) => id === chosen);
    if (device && idOf(chosen) !== null) keepDevice(kind, device);
    return all;
  }

  private reportLevels(): void {
    const data = [{ tile: OWN, level: this.levels.read(OWN, this.microphone) }];
    for (const [tile, said] of this.call?.levels() ?? []) {
      const level = said ?? this.levels.read(tile, this.voicesHeard.get(tile) ?? null);
      data.push({ tile, level });
    }
    this.events({ type: 'levels', data });
  }

  private async reportFigures(): Promise<void> {
    const { call } = this;
    // A connection that has just ended counts nothing any more.
    const data = await call?.figures().catch(() => null);
    if (data && call === this.call) this.events({ type: 'figures', data });
  }

  private keep(settings: Settings): void {
    this.settings = settings;
    if (!keepSettings(settings)) this.notice('not_kept', 'the browser keeps nothing');
  }

  private notice(code: string, message: string): void {
    this.events({ type: 'notice', data: { code, message } });
  }

  private render(): void {
    this.events({ type: 'view', data: this.model.view });
  }
}

function refuse(code: string, message: string): Promise<never> {
  return Promise.reject({ code, message } satisfies FailureView);
}

// A call that is only painted: for working on the page without the app, for its tests, and for
// pictures of it. No network, no devices.
//
// The query chooses a scene: `?demo` alone begins at home; `?demo&at=green_room|joining|in_call|left`
// (or `waiting`) with `people=1…4`, `lang=en|th`, `policy=open|knock|locked`, `knocking=1…2`,
// `offline`, `files` (some come and go), `failure=CODE`, `broken` (devices), `busy` (the computer), `chat` (something was
// written), `names=A,B,C`.

import type {
  AppView,
  Boot,
  DeviceState,
  DoorView,
  KnockView,
  PeerView,
  PhaseView,
  PolicyView,
  ReactionKind,
  RoomView,
  ScreenView,
  Settings,
  UiEvent,
} from '../bindings';
import { DemoFiles } from './demo_files';
import { DemoPainter } from './demo_pictures';
import { REACTIONS } from './browser/core/peer_message';
import type { Code } from './browser/core/trust';
import type { CallEngine, DeviceKind, PictureListener, TileId } from './engine';

const RUNNING: DeviceState = { is: 'running' };
const LINK = 'http://192.168.1.20:47800/j#q3T9vXbL0mKz7RyE2uWc5A';
const NAMES = { en: ['Mali', 'Jonas', 'Aroha'], th: ['มะลิ', 'Jonas', 'อรุณ'] };

type Said = [author: string, text: string, passedOn?: true];
const CONVERSATION: Record<'en' | 'th', (first: string, second: string) => Said[]> = {
  en: (first, second) => [
    ['gone', 'I have to go. The notes are in the folder.', true],
    [first, 'Here is the map: https://www.openstreetmap.org/#map=6/13.2/101.5'],
    [first, 'And the timetable.\nThe last boat leaves at seven.'],
    [second, 'Is it this one? https://example.org/ตาราง, or the other?'],
    ['own', 'That one. See you there!'],
  ],
  th: (first, second) => [
    ['gone', 'ต้องไปก่อนนะ บันทึกอยู่ในโฟลเดอร์', true],
    [first, 'แผนที่อยู่นี่ https://www.openstreetmap.org/#map=6/13.2/101.5'],
    [first, 'ส่วนตารางเรือ\nเที่ยวสุดท้ายออกหนึ่งทุ่ม'],
    [second, 'อันนี้ใช่ไหม https://example.org/ตาราง'],
    ['own', 'ใช่ อันนั้นเลย แล้วเจอกัน'],
  ],
};

export class DemoEngine implements CallEngine {
  readonly files = new DemoFiles((event) => this.events(event));
  private events: (event: UiEvent) => void = () => {};
  private view: AppView;
  private settings: Settings;
  private policy: PolicyView;
  private readonly language: 'en' | 'th';
  private readonly peers: PeerView[];
  private said = 0;
  private readonly painters = new Map<TileId, DemoPainter>();

  constructor(private readonly query: URLSearchParams = new URLSearchParams()) {
    this.language = query.get('lang') === 'th' ? 'th' : 'en';
    const policy = query.get('policy');
    this.policy = policy === 'knock' || policy === 'locked' ? policy : 'open';
    const names = query.get('names')?.split(',') ?? NAMES[this.language];
    this.peers = names.slice(0, 3).map((name, index) => ({
      id: `00000000000000a${index}`,
      name,
      muted: index === 2,
      camera_off: index === 2 && query.has('dark'),
      sharing: index === 0 && query.has('shared') ? 'window' : null,
      connection: 'connected',
      trust: {
        code: [17 + index, 54 - index, 9 + index, 41 + index],
        mark: index === 0 && query.has('confirmed') ? 'confirmed' : 'unconfirmed',
      },
      volume: index === 1 && query.has('quiet') ? 0 : 100,
    }));
    const broken: DeviceState = { is: 'failed', code: 'busy', message: 'in use' };
    this.view = {
      phase: { at: 'home' },
      room: null,
      me: {
        muted: false,
        camera_off: false,
        sharing: query.has('sharing') ? 'window' : null,
        camera: query.has('broken') ? broken : RUNNING,
        microphone: query.has('broken') ? broken : RUNNING,
        speaker: RUNNING,
        busy: query.has('busy'),
        stand_ins: query.has('standin') ? ['microphone'] : [],
      },
      devices: {
        cameras: [
          { id: 'camera', label: 'Default' },
          { id: 'camera:/dev/video0', label: 'Integrated Camera' },
          { id: 'pattern', label: 'Pattern' },
          { id: 'none', label: 'None' },
        ],
        microphones: [
          { id: 'mic', label: 'Default' },
          { id: 'mic:usb', label: 'USB Microphone' },
          { id: 'tone', label: 'Tone' },
          { id: 'none', label: 'None' },
        ],
        speakers: [
          { id: 'speaker', label: 'speaker' },
          { id: 'speaker:hdmi', label: 'HDMI' },
          { id: 'none', label: 'None' },
        ],
      },
    };
    this.settings = {
      name: this.language === 'th' ? 'สมชาย' : 'Sam',
      language: 'system',
      camera: 'camera:/dev/video0',
      microphone: 'mic',
      speaker: 'speaker',
      start_muted: false,
      start_camera_off: false,
      process_voice: true,
      space: 'talk',
      server: '',
      ice_servers: [
        { url: 'stun:stun.example.org', username: '', credential: '' },
        { url: 'turn:turn.example.org:3478', username: 'sam', credential: 'secret' },
      ],
      relay_only: false,
    };
  }

  connect(events: (event: UiEvent) => void): Promise<Boot> {
    this.events = events;
    const at = this.query.get('at');
    if (at) this.stand(at, Number(this.query.get('people') ?? '3') - 1);
    else this.change({});
    setInterval(() => this.levels(), 100);
    setInterval(() => this.figures(), 1000);
    return Promise.resolve({
      settings: this.settings,
      system_language: this.language,
      version: '0.1.0',
      software_rendering: false,
    });
  }

  newCall(): Promise<void> {
    this.stand('green_room', 0);
    return Promise.resolve();
  }

  openLink(link: string): Promise<void> {
    if (!/^(https?|quartet):\/\/\S+#[\w-]{22}$/.test(link)) {
      return Promise.reject({ code: 'invalid_link', message: 'this is not a Quartet link' });
    }
    this.stand('green_room', 2);
    return Promise.resolve();
  }

  setPolicy(policy: PolicyView): Promise<void> {
    this.changeDoor({ policy, by: 'own' });
    return Promise.resolve();
  }

  answerKnock(peer: string, admit: boolean): Promise<void> {
    const { room } = this.view;
    const knocking = room?.door.knocking ?? [];
    const newcomer = knocking.find((it) => it.id === peer);
    this.changeDoor({ knocking: knocking.filter((it) => it !== newcomer) });
    if (admit && newcomer && room) {
      const known: Omit<PeerView, 'id' | 'name'> = {
        muted: false,
        camera_off: true,
        sharing: null,
        connection: 'connected',
        trust: { code: null, mark: 'unconfirmed' },
        volume: 100,
      };
      this.changeRoom({ peers: [...room.peers, { ...newcomer, ...known }] });
    }
    return Promise.resolve();
  }

  remove(peer: string): Promise<void> {
    this.changeDoor({ policy: 'knock', by: 'own', removed: { id: peer, by: 'own' } });
    this.changeRoom({ peers: this.view.room?.peers.filter((it) => it.id !== peer) ?? [] });
    return Promise.resolve();
  }

  raiseHand(up: boolean): Promise<void> {
    const others = this.view.room?.hands.filter((it) => it !== 'own') ?? [];
    this.changeRoom({ hands: up ? [...others, 'own'] : others });
    return Promise.resolve();
  }

  react(kind: ReactionKind): Promise<void> {
    this.events({ type: 'reaction', data: { tile: 'own', kind } });
    return Promise.resolve();
  }

  setVolume(peer: string, volume: number): Promise<void> {
    const change = (it: PeerView) => (it.id === peer ? { ...it, volume } : it);
    this.changeRoom({ peers: this.view.room?.peers.map(change) ?? [] });
    return Promise.resolve();
  }

  join(name: string, askFirst: boolean): Promise<void> {
    this.settings = { ...this.settings, name };
    if (askFirst) this.policy = 'knock';
    this.change({ phase: { at: 'joining' } });
    const others = this.view.room?.waiting?.length ?? 0;
    setTimeout(() => this.stand('in_call', others), 300);
    return Promise.resolve();
  }

  leave(): Promise<void> {
    if (this.view.phase.at === 'in_call') this.change({ phase: { at: 'left', failure: null } });
    else this.change({ phase: { at: 'home' }, room: null });
    return Promise.resolve();
  }

  goHome(): Promise<void> {
    this.change({ phase: { at: 'home' }, room: null });
    return Promise.resolve();
  }

  setMuted(muted: boolean): Promise<void> {
    this.change({ me: { ...this.view.me, muted } });
    return Promise.resolve();
  }

  setCameraOff(cameraOff: boolean): Promise<void> {
    this.change({ me: { ...this.view.me, camera_off: cameraOff } });
    return Promise.resolve();
  }

  async hearSelf(): Promise<void> {}
  readonly canShare = true;

  screens(): Promise<ScreenView[]> {
    return Promise.resolve([
      { id: 'screen:1', is: 'screen', title: 'DP-1', width: 1920, height: 1080 },
      { id: 'window:1', is: 'window', title: 'Map – Browser', width: 1200, height: 800 },
      { id: 'window:2', is: 'window', title: 'ตารางเรือ.ods', width: 900, height: 700 },
    ]);
  }

  thumbnail(id: string): Promise<ImageData | null> {
    if (id === 'window:2') return Promise.resolve(null);
    const image = new ImageData(160, id === 'screen:1' ? 90 : 107);
    for (let at = 0; at < image.data.length; at += 4) {
      const [x, y] = [(at / 4) % 160, Math.floor(at / 640)];
      image.data.set(y < 10 ? [70, 76, 90, 255] : [200 - x / 2, 210 - y, 220, 255], at);
    }
    return Promise.resolve(image);
  }

  share(id: string | null): Promise<void> {
    const sharing = id?.startsWith('window') ? 'window' : 'screen';
    this.change({ me: { ...this.view.me, sharing } });
    return Promise.resolve();
  }

  stopSharing(): Promise<void> {
    this.change({ me: { ...this.view.me, sharing: null } });
    return Promise.resolve();
  }

  choose(kind: DeviceKind, id: string): Promise<string> {
    // There is no file to pick from here.
    if (id === 'file') return Promise.resolve(this.settings[kind]);
    const state: DeviceState = id === 'none' ? { is: 'none' } : RUNNING;
    this.settings = { ...this.settings, [kind]: id };
    this.change({ me: { ...this.view.me, [kind]: state } });
    return Promise.resolve(id);
  }

  saveSettings(settings: Settings): Promise<Settings> {
    this.settings = settings;
    return Promise.resolve(settings);
  }

  async copyLink(): Promise<void> {
    await navigator.clipboard?.writeText(LINK).catch(() => {});
  }

  say(text: string): Promise<void> {
    this.line('own', text.trim(), null);
    return Promise.resolve();
  }

  async openUrl(url: string): Promise<void> {
    window.open(url, '_blank', 'noopener,noreferrer');
  }

  confirmCode(id: string, _code: Code, matches: boolean): Promise<void> {
    const { room } = this.view;
    const mark = matches ? ('confirmed' as const) : ('unconfirmed' as const);
    const peers = room?.peers.map((peer) =>
      peer.id === id ? { ...peer, trust: { ...peer.trust, mark } } : peer,
    );
    if (room && peers) this.change({ room: { ...room, peers } });
    return Promise.resolve();
  }

  showTile(tile: TileId, place: HTMLElement, listener: PictureListener): () => void {
    const canvas = place.appendChild(document.createElement('canvas'));
    const painter = new DemoPainter(canvas, tile, listener);
    this.painters.set(tile, painter);
    return () => {
      painter.stop();
      canvas.remove();
    };
  }

  viewTile(tile: TileId, height: number): void {
    this.painters.get(tile)?.seen(height > 0);
  }

  /** Goes straight to a place, with so many others. */
  private stand(at: string, others: number): void {
    const peers = this.peers.slice(0, others).map((peer, index) => {
      if (index === 1 && this.query.has('bad')) {
        return { ...peer, connection: 'reconnecting' as const };
      }
      return peer;
    });
    const failure = this.query.get('failure');
    const phases: Record<string, PhaseView> = {
      home: { at: 'home' },
      green_room: { at: 'green_room' },
      joining: { at: 'joining' },
      waiting: { at: 'waiting' },
      in_call: { at: 'in_call', signalling_online: !this.query.has('offline') },
      left: { at: 'left', failure: failure ? { code: failure, message: failure } : null },
    };
    const phase = phases[at] ?? { at: 'home' };
    this.change({
      phase,
      room: {
        link: LINK,
        server: '192.168.1.20:47800',
        server_is_here: true,
        waiting: peers.map((peer) => peer.name),
        peers: phase.at === 'in_call' ? peers : [],
        door: {
          policy: this.policy,
          by: null,
          knocking: phase.at === 'in_call' ? this.knocking() : [],
          removed: null,
        },
        hands: this.query.has('hands') ? [...peers.map(({ id }) => id).slice(0, 1), 'own'] : [],
      },
    });
    if (this.query.has('chat') && at === 'in_call') this.converse();
    if (this.query.has('files') && at === 'in_call') this.files.list(this.language);
    if (this.query.has('reactions') && at === 'in_call') this.cheer();
  }

  /** Again and again, as each is shown for a moment only. */
  private cheer(): void {
    const cheers = REACTIONS.flatMap((kind, index) => {
      const tile = [...this.peers.map(({ id }) => id), 'own'][index % 4];
      return tile === undefined ? [] : [{ tile, kind }];
    });
    setInterval(() => {
      for (const data of cheers) this.events({ type: 'reaction', data });
    }, 1_000);
  }

  private line(author: string, text: string, passedOnBy: string | null): void {
    const seq = ++this.said;
    const name = this.peers.find((peer) => peer.id === author)?.name ?? 'Ida';
    const own = author === 'own';
    const line = { clock: seq, author, seq, own, name, text, passed_on_by: passedOnBy };
    this.events({ type: 'chat', data: [line] });
  }

  private converse(): void {
    const [first, second] = this.peers;
    if (!first || !second) return;
    for (const [author, text, passedOnBy] of CONVERSATION[this.language](first.id, second.id)) {
      this.line(author, text, passedOnBy ? first.name : null);
    }
  }

  private knocking(): KnockView[] {
    const names = this.language === 'th' ? ['กานต์', 'ปลา'] : ['Kim', 'Robin'];
    const count = Number(this.query.get('knocking') ?? '0');
    return names.slice(0, count).map((name, index) => ({ id: `00000000000000c${index}`, name }));
  }

  private changeDoor(part: Partial<DoorView>): void {
    const { room } = this.view;
    if (room) this.changeRoom({ door: { ...room.door, ...part } });
  }

  private changeRoom(part: Partial<RoomView>): void {
    const { room } = this.view;
    if (room) this.change({ room: { ...room, ...part } });
  }

  private change(part: Partial<AppView>): void {
    this.view = { ...this.view, ...part };
    this.events({ type: 'view', data: this.view });
  }

  /** As of calls on an ordinary line; the second person's is thin. */
  private figures(): void {
    if (this.view.phase.at !== 'in_call') return;
    const seconds = performance.now() / 1000;
    const about = (value: number, phase: number) =>
      value * (1 + 0.12 * Math.sin(seconds * 1.7 + phase) + 0.06 * Math.sin(seconds * 4.1 + phase));
    const peers = (this.view.room?.peers ?? []).map(({ id, camera_off, muted }, index) => {
      const thin = index === 1;
      const size = thin ? { width: 320, height: 180 } : { width: 640, height: 360 };
      const picture = { ...size, fps: 30, kbps: about(thin ? 150 : 620, index) };
      const none = { width: 0, height: 0, fps: 0, kbps: 0 };
      return {
        id,
        path: { local: 'host', remote: index === 0 ? 'host' : 'srflx', by_stream: false },
        rtt_ms: about(thin ? 90 : 22, index),
        estimate_kbps: about(2800, index),
        loss_out: 0,
        loss_in: Math.max(0, 0.004 * Math.sin(seconds / 3 + index)),
        picture_in: camera_off ? none : picture,
        frozen_ms: 0,
        picture_out: { width: 640, height: 360, fps: 30, kbps: about(600, index + 4) },
        limited_by: 'none' as const,
        voice_in_kbps: muted ? 0 : about(31, index),
        played_ms: seconds * 1000,
        concealed_ms: 0,
        voice_delay_ms: about(48, index),
        voice_out_kbps: about(31, index + 2),
        condition: { limited_by: thin ? ('bandwidth' as const) : ('none' as const), busy: false },
      };
    });
    this.events({ type: 'figures', data: { load: 0.3, peers } });
  }

  private levels(): void {
    // In turn, as in a conversation.
    const seconds = performance.now() / 1000;
    const talkers = [
      'own',
      ...(this.view.room?.peers.filter((it) => !it.muted) ?? []).map((it) => it.id),
    ];
    const turn = talkers[Math.floor(seconds / 4 + 1) % talkers.length];
    const voice = 0.05 + 0.03 * Math.sin(seconds * 9) + 0.01 * Math.sin(seconds * 23);
    this.events({
      type: 'levels',
      data: talkers.map((tile) => ({ tile, level: tile === turn ? voice : 0.001 })),
    });
  }
}

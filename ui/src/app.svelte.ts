// What the page knows, and what it can be asked to do.

import { Announcer } from './announce';
import type {
  AppView,
  Boot,
  ChatLineView,
  FailureView,
  LevelView,
  PeerView,
  PolicyView,
  ReactionKind,
  ReactionView,
  ScreenView,
  Settings,
  UiEvent,
} from './bindings';
import { Cheers } from './cheers.svelte';
import { Details } from './doctor/details.svelte';
import { EMPTY, Herald, take, type Inbox } from './chat/inbox';
import { Hold } from './hold';
import { InOrder } from './in_order';
import type { TileId } from './layout/arrange';
import { keepLook, keptLook, type Look } from './layout/look';
import { nextPinned, Turn } from './layout/stage';
import { MutedNotice } from './muted_notice';
import type { Entrance } from './engine/browser/core/entrance';
import { failureOf, NOWHERE, type CallEngine, type DeviceKind } from './engine/engine';
import { Files } from './files/files.svelte';
import { displayName } from './i18n/names';
import { failureText, translator, type LanguageCode } from './i18n/translate';
import { loudness, SpeechDetector } from './speech';
import { Views } from './video/views';

/** News on the screen goes by itself after this, milliseconds. */
const NEWS_MS = 4000;
/** A failure, which has more words and says what to do, milliseconds. */
const FAILURE_MS = 8000;
/** Notes at once; older ones make room. */
const MAX_NOTES = 2;
/** Sentences kept for screen readers; they read what is added. */
const MAX_SAID = 5;
/** Characters of a message that are said in passing. */
const MAX_EXCERPT = 120;
/** Without news for this long, milliseconds, it is silent: the app only reports what is heard. */
const SILENCE_MS = 400;

export interface Note {
  id: number;
  text: string;
  /** The failure's code; `null` for a piece of news. */
  code: string | null;
}

export class App {
  view = $state.raw<AppView>(NOWHERE);
  boot = $state.raw<Boot | null>(null);
  settings = $state.raw<Settings | null>(null);
  /** Why the page cannot work at all. */
  fatal = $state.raw<FailureView | null>(null);
  /** Why the last attempt to get to a room did not work. */
  refusal = $state.raw<FailureView | null>(null);
  /** An attempt to get to a room is under way. */
  busy = $state(false);
  notes = $state.raw<Note[]>([]);
  said = $state.raw<{ id: number; text: string }[]>([]);
  /** Of the tiles, 0 to 1, as people hear it. */
  loud = $state.raw<ReadonlyMap<string, number>>(new Map());
  speaking = $state.raw<ReadonlySet<string>>(new Set());
  /** The person speaks, muted. */
  speaksMuted = $state(false);
  dialog = $state<'settings' | 'help' | 'leave' | 'room' | 'look' | 'verify' | 'share' | null>(
    null,
  );
  /** Whose code the dialog `verify` shows. */
  verifying = $state<string | null>(null);
  /** What the dialog `share` offers. */
  choices = $state.raw<readonly ScreenView[]>([]);
  /** What stands between a guest's page and its use. */
  entrance = $state.raw<Entrance>({ at: 'open' });

  readonly cheers = new Cheers();
  /** How the person likes to see a call. */
  look = $state.raw<Look>(keptLook());
  /** Who is always large, in this call. */
  pinned = $state<TileId | null>(null);
  /** Who has the word. */
  speaker = $state<TileId | null>(null);
  fullScreen = $state(false);
  /** The reactions to choose from are shown. */
  reacting = $state(false);

  inbox = $state.raw<Inbox>(EMPTY);
  chatOpen = $state(false);
  readonly details = new Details();
  /** What is written and not sent; it stays while the chat is closed. */
  draft = $state('');

  readonly language: LanguageCode = $derived.by(() => {
    const wanted = this.settings?.language ?? 'system';
    const code = wanted === 'system' ? this.boot?.system_language : wanted;
    return code === 'th' ? 'th' : 'en';
  });
  readonly t = $derived(translator(this.language));

  readonly files: Files;

  private readonly announcer = new Announcer();
  private readonly speech = new SpeechDetector();
  private readonly herald = new Herald((lines) => this.announceChat(lines));
  private readonly turn = new Turn();
  private readonly hold = new Hold();
  private readonly muting = new InOrder();
  private readonly mutedNotice = new MutedNotice();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private nextId = 0;

  /** What the tiles on the page say of their size. */
  readonly views: Views;

  constructor(readonly engine: CallEngine) {
    this.views = new Views((tile, height) => engine.viewTile(tile, height));
    this.files = new Files(engine.files, this);
    if (engine.guest) this.entrance = engine.guest.entrance;
  }

  async start(): Promise<void> {
    try {
      const boot = await this.engine.connect((event) => this.take(event));
      this.settings = boot.settings;
      this.boot = boot;
      if (this.entrance.at === 'open') await this.begin(false);
    } catch (error) {
      this.fatal = failureOf(error);
    }
  }

  /** A guest goes on in the browser. */
  begin(remember: boolean): Promise<void> {
    this.entrance = { at: 'open' };
    return this.enter(async () => this.engine.guest?.begin(remember));
  }

  newCall(): Promise<void> {
    return this.enter(() => this.engine.newCall());
  }

  openLink(link: string): Promise<void> {
    return this.enter(() => this.engine.openLink(link));
  }

  /** Back to the green room of the call that is over. */
  async rejoin(): Promise<void> {
    if (this.view.room) await this.openLink(this.view.room.link);
  }

  join(name: string, askFirst = false): Promise<void> {
    // The shell keeps the name as well; this is what the next green room shows.
    if (this.settings) this.settings = { ...this.settings, name };
    return this.attempt(() => this.engine.join(name, askFirst));
  }

  setPolicy(policy: PolicyView): Promise<void> {
    return this.attempt(() => this.engine.setPolicy(policy));
  }

  answerKnock(peer: string, admit: boolean): Promise<void> {
    return this.attempt(() => this.engine.answerKnock(peer, admit));
  }

  remove(peer: string): Promise<void> {
    return this.attempt(() => this.engine.remove(peer));
  }

  leave(): Promise<void> {
    this.dialog = null;
    return this.attempt(() => this.engine.leave());
  }

  goHome(): Promise<void> {
    this.refusal = null;
    return this.attempt(() => this.engine.goHome());
  }

  toggleMuted(): Promise<void> {
    return this.setMuted(!this.view.me.muted);
  }

  /** The space bar went down; true when it means something here. */
  pressSpace(): boolean {
    const does = this.settings?.space ?? 'nothing';
    if (this.view.phase.at !== 'in_call' || this.dialog !== null || does === 'nothing')
      return false;
    const muted = this.hold.press(does, this.view.me.muted);
    if (muted !== null) void this.setMuted(muted);
    return true;
  }

  /** It went up, or the window has lost the keyboard; true when it was held for something. */
  releaseSpace(): boolean {
    const muted = this.hold.release();
    if (muted !== null) void this.setMuted(muted);
    return muted !== null;
  }

  /** In order: after a quick press nobody may stay unmuted. */
  private setMuted(muted: boolean): Promise<void> {
    return this.muting.run(() => this.attempt(() => this.engine.setMuted(muted)));
  }

  toggleCamera(): Promise<void> {
    return this.attempt(() => this.engine.setCameraOff(!this.view.me.camera_off));
  }

  toggleHand(): Promise<void> {
    const up = this.view.room?.hands.includes('own') ?? false;
    return this.attempt(() => this.engine.raiseHand(!up));
  }

  react(kind: ReactionKind): Promise<void> {
    return this.attempt(() => this.engine.react(kind));
  }

  /** How loud somebody is to be heard, in percent. */
  setVolume(peer: string, volume: number): Promise<void> {
    return this.attempt(() => this.engine.setVolume(peer, volume));
  }

  /** Another way to see the call, from now on and the next time. */
  setLook(changed: Partial<Look>): void {
    const { ownHidden } = this.look;
    this.look = { ...this.look, ...changed };
    keepLook(this.look);
    if (this.look.ownHidden !== ownHidden) {
      this.tell(this.t(ownHidden ? 'said.ownShown' : 'said.ownHidden'));
    }
  }

  /** Shows somebody large until another is, or nobody. */
  pin(tile: TileId | null): void {
    this.pinned = tile;
    const peer = this.view.room?.peers.find(({ id }) => id === tile);
    if (peer)
      this.tell(this.t('said.large', { name: displayName(peer.name, this.t('name.nobody')) }));
    else this.tell(this.t(tile === null ? 'said.nobodyLarge' : 'said.ownLarge'));
  }

  pinNext(): void {
    const people = this.view.room?.peers.map(({ id }) => ({ id, is: 'person' as const })) ?? [];
    this.pin(nextPinned(people, this.pinned));
  }

  setFullScreen(on: boolean): Promise<void> {
    return this.attempt(async () => {
      try {
        if (on) await document.documentElement.requestFullscreen();
        else if (document.fullscreenElement) await document.exitFullscreen();
      } catch (error) {
        throw { ...failureOf(error), code: 'full_screen' };
      }
    });
  }

  /** The own voice from the own speaker, to try both. */
  hearSelf(on: boolean): Promise<void> {
    return this.attempt(() => this.engine.hearSelf(on));
  }

  /** Stops what is shared; else lets the person choose what to share. */
  toggleSharing(): Promise<void> {
    if (!this.engine.canShare) return Promise.resolve();
    if (this.view.me.sharing) return this.stopSharing();
    return this.attempt(async () => {
      const choices = await this.engine.screens();
      if (choices === null) return this.engine.share(null);
      this.choices = choices;
      this.dialog = 'share';
    });
  }

  share(id: string): Promise<void> {
    this.dialog = null;
    return this.attempt(() => this.engine.share(id));
  }

  stopSharing(): Promise<void> {
    return this.attempt(() => this.engine.stopSharing());
  }

  choose(kind: DeviceKind, id: string): Promise<void> {
    // Picking a file changes nothing before one is picked.
    if (id !== 'file') this.chosen(kind, id);
    return this.attempt(async () => this.chosen(kind, await this.engine.choose(kind, id)));
  }

  private chosen(kind: DeviceKind, id: string): void {
    if (this.settings) this.settings = { ...this.settings, [kind]: id };
  }

  /** Resolves to whether the change was kept. */
  async save(changed: Partial<Settings>): Promise<boolean> {
    const before = this.settings;
    if (!before) return false;
    // Shown at once, so that a second change goes on top of the first.
    const wanted = { ...before, ...changed };
    this.settings = wanted;
    let kept: Settings | null = null;
    await this.attempt(async () => {
      kept = await this.engine.saveSettings(wanted);
    });
    // A refused change must not be part of the next one.
    if (this.settings === wanted) this.settings = kept ?? before;
    return kept !== null;
  }

  async copyLink(): Promise<boolean> {
    let copied = false;
    await this.attempt(async () => {
      await this.engine.copyLink();
      copied = true;
      this.tell(this.t('control.copied'));
    });
    return copied;
  }

  toggleChat(): void {
    if (this.chatOpen) this.closeChat();
    else {
      this.chatOpen = true;
      this.details.open = this.files.open = false;
    }
    this.readChat();
  }

  toggleFiles(): void {
    if (!this.files.engine) return;
    if (this.files.open) this.files.close();
    else this.files.open = true;
    if (this.files.open) this.chatOpen = this.details.open = false;
  }

  /** The focus goes back to what opens it. */
  closeChat(): void {
    this.chatOpen = false;
    document.querySelector<HTMLElement>('[data-testid="chat-toggle"]')?.focus();
  }

  toggleDetails(): void {
    if (this.details.open) return this.closeDetails();
    this.chatOpen = false;
    this.details.open = true;
    this.files.open = false;
  }

  /** The focus goes back to what opens it. */
  closeDetails(): void {
    this.details.open = false;
    document.querySelector<HTMLElement>('[data-testid="details-toggle"]')?.focus();
  }

  /** What is in front of the person's eyes is read. */
  readChat(): void {
    if (this.isReading && this.inbox.unread > 0) this.inbox = { ...this.inbox, unread: 0 };
  }

  /** Resolves to whether it was said. */
  async say(text: string): Promise<boolean> {
    let said = false;
    await this.attempt(async () => {
      await this.engine.say(text);
      said = true;
    });
    return said;
  }

  openUrl(url: string): Promise<void> {
    return this.attempt(() => this.engine.openUrl(url));
  }

  private get isReading(): boolean {
    return this.chatOpen && !document.hidden;
  }

  /** Shows somebody's code. */
  verify(peer: string): void {
    this.verifying = peer;
    this.dialog = 'verify';
  }

  /** The person has compared somebody's code with them, or takes that back. */
  confirmCode(peer: PeerView, matches: boolean): Promise<void> {
    const { code } = peer.trust;
    return this.attempt(async () => {
      if (code) await this.engine.confirmCode(peer.id, code, matches);
    });
  }

  dismiss(id: number): void {
    this.notes = this.notes.filter((note) => note.id !== id);
  }

  private take(event: UiEvent): void {
    switch (event.type) {
      case 'view':
        return this.show(event.data);
      case 'levels':
        return this.hear(event.data);
      case 'chat':
        return this.takeChat(event.data);
      case 'reaction':
        return this.takeReaction(event.data);
      case 'figures':
        return this.details.take(event.data);
      case 'files':
        return this.files.take(event.data);
      case 'file_hashing':
        return this.files.hashing(event.data);
      case 'files_dropped':
        this.chatOpen = this.details.open = false;
        return void this.files.dropped();
      case 'notice':
        return this.notify(event.data);
    }
  }

  private show(view: AppView): void {
    const before = this.view;
    this.view = view;
    if (view.me.muted !== before.me.muted) this.lookMuted(true);
    if (view.phase.at !== before.phase.at) {
      this.refusal = null;
      const ofCall = ['leave', 'room', 'look', 'verify'].includes(this.dialog ?? '');
      if (view.phase.at !== 'in_call' && ofCall) this.dialog = null;
      if (view.phase.at !== 'in_call') this.releaseSpace();
      if (view.phase.at === 'in_call') {
        this.turn.forget();
        this.pinned = null;
      } else if (this.fullScreen) {
        void this.setFullScreen(false);
      }
      this.reacting = false;
      this.cheers.clear();
      if (view.phase.at === 'in_call') {
        this.beginChat();
        this.details.begin(performance.now());
      }
      // What was noted is about a call or a room that is no longer in front of anybody.
      if (view.phase.at === 'home' || view.phase.at === 'left') this.notes = [];
    }
    for (const { message, visible } of this.announcer.compare(
      before,
      view,
      this.t,
      this.language,
    )) {
      const text = this.t(...message);
      this.tell(text);
      if (visible) this.note(text, null);
    }
  }

  private beginChat(): void {
    this.inbox = EMPTY;
    this.chatOpen = false;
    this.draft = '';
    this.herald.forget();
    this.files.begin();
  }

  private takeChat(lines: ChatLineView[]): void {
    const { inbox, fresh } = take(this.inbox, lines, this.isReading);
    this.inbox = inbox;
    this.herald.add(fresh);
  }

  private takeReaction(reaction: ReactionView): void {
    if (!this.cheers.add(reaction, performance.now())) return;
    const { tile, kind } = reaction;
    const peer = this.view.room?.peers.find(({ id }) => id === tile);
    const what = this.t(`reaction.${kind}`);
    if (tile === 'own') this.tell(this.t('said.ownReaction', { what }));
    else if (peer) {
      this.tell(
        this.t('said.reaction', { name: displayName(peer.name, this.t('name.nobody')), what }),
      );
    }
  }

  private announceChat(lines: ChatLineView[]): void {
    const [first] = lines;
    if (!first) return;
    const name = displayName(first.name, this.t('name.nobody'));
    const text =
      lines.length === 1
        ? this.t('said.chat', { name, text: excerpt(first.text) })
        : this.t('said.chatMany', { count: lines.length });
    this.tell(text);
    if (!this.chatOpen) this.note(text, null);
  }

  private hear(levels: LevelView[]): void {
    clearTimeout(this.silence);
    this.details.hear(levels.find(({ tile }) => tile === 'own')?.level ?? null, performance.now());
    this.loud = new Map(levels.map(({ tile, level }) => [tile, loudness(level)]));
    const speaking = this.speech.hear(this.loud, performance.now());
    // Ten sets a second with the same people in them would redraw every tile.
    if (!sameMembers(speaking, this.speaking)) this.speaking = speaking;
    this.speaker = this.turn.hear(speaking, performance.now());
    this.lookMuted(levels.length > 0);
    if (levels.length > 0) this.silence = setTimeout(() => this.hear([]), SILENCE_MS);
  }

  /** Where nothing is heard any more, nobody speaks. */
  private lookMuted(hearing: boolean): void {
    const { muted } = this.view.me;
    const speaking = this.speaking.has('own');
    this.speaksMuted = this.mutedNotice.hear(muted && hearing, speaking, performance.now());
  }

  private notify(failure: FailureView): void {
    const text = failureText(this.t, failure);
    this.tell(text);
    this.note(text, failure.code);
  }

  private note(text: string, code: string | null): void {
    const id = this.nextId++;
    const others = this.notes.filter((note) => note.text !== text);
    this.notes = [...others, { id, text, code }].slice(-MAX_NOTES);
    setTimeout(() => this.dismiss(id), code === null ? NEWS_MS : FAILURE_MS);
  }

  get peers(): readonly PeerView[] {
    return this.view.room?.peers ?? [];
  }

  /** To screen readers, and, `visible`, as a note. */
  mention(text: string, visible: boolean): void {
    this.tell(text);
    if (visible) this.note(text, null);
  }

  /** To screen readers. */
  private tell(text: string): void {
    this.said = [...this.said, { id: this.nextId++, text }].slice(-MAX_SAID);
  }

  private async enter(go: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.refusal = null;
    try {
      await go();
    } catch (error) {
      this.refusal = failureOf(error);
    } finally {
      this.busy = false;
    }
  }

  async attempt(go: () => Promise<void>): Promise<void> {
    try {
      await go();
    } catch (error) {
      this.notify(failureOf(error));
    }
  }
}

/** The beginning of a long text. */
function excerpt(text: string): string {
  const characters = [...text.replace(/\s+/g, ' ')];
  return characters.length > MAX_EXCERPT
    ? `${characters.slice(0, MAX_EXCERPT).join('')} …`
    : characters.join('');
}

function sameMembers<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
}

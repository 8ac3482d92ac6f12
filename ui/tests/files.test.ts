import { afterEach, describe, expect, it } from 'vitest';
import { flushSync } from 'svelte';

import type { FileView } from '../src/bindings';
import { secondsLeft, sizeText, timeText, withFiles } from '../src/files/shelf';
import { all, click, find, inCall, page, peer, press, settle } from './fake_engine';

function file(part: Partial<FileView> = {}): FileView {
  const what = { file: 'f1', peer: 'a1', name: 'film.mkv', kind: '', size: 1_000, bytes: 0 };
  return { ...what, outgoing: false, rate: 0, phase: 'offered', error: null, held: false, ...part };
}

describe('the list', () => {
  it('has the newest first, each once, and one that comes once whoever it comes from', () => {
    const first = withFiles([], [file(), file({ file: 'f2' })]);
    expect(first.map((it) => it.file)).toEqual(['f2', 'f1']);
    const then = withFiles(first, [file({ peer: 'b2', phase: 'sending' })]);
    expect(then.map((it) => [it.file, it.peer])).toEqual([
      ['f2', 'a1'],
      ['f1', 'b2'],
    ]);
    const sent = [file({ outgoing: true }), file({ outgoing: true, peer: 'b2' })];
    expect(withFiles(then, sent)).toHaveLength(4);
  });

  it('does not grow without end, and keeps what is under way', () => {
    const many = Array.from({ length: 400 }, (_, it) =>
      file({ file: `f${it}`, phase: it === 0 ? 'sending' : 'done' }),
    );
    const list = withFiles([], many);
    expect(list).toHaveLength(300);
    expect(list.at(-1)?.phase).toBe('sending');
  });

  it('says sizes and times as people do', () => {
    expect(sizeText(0, 'en')).toBe('0 byte');
    expect(sizeText(1_449_000, 'en')).toBe('1.4 MB');
    expect(sizeText(4.2e9, 'en')).toBe('4.2 GB');
    expect(sizeText(11e6, 'en', true)).toBe('11 MB/s');
    expect(timeText(45, 'en')).toBe('45 seconds');
    expect(timeText(200, 'en')).toBe('3 minutes');
    expect(timeText(9_000, 'th')).toMatch(/3.*ชั่วโมง/);
    expect(secondsLeft(file({ phase: 'sending', bytes: 500, rate: 50 }))).toBe(10);
    expect(secondsLeft(file({ phase: 'sending' }))).toBeNull();
  });
});

describe('the files on the page', () => {
  let opened: Awaited<ReturnType<typeof page>>;
  afterEach(() => opened.close());

  async function open(...files: FileView[]) {
    opened = await page(inCall([peer('a1', { name: 'Ann' }), peer('b2', { name: 'Bo' })]));
    opened.engine.events({ type: 'files', data: files });
    flushSync();
    return opened;
  }

  it('that wait are counted, said, and taken by a click', async () => {
    const { app, engine } = await open(file({ name: '<b>film</b>.mkv' }));
    expect(find('files-toggle-badge').textContent?.trim()).toBe('1');
    expect(app.said.at(-1)?.text).toContain('<b>film</b>.mkv');
    press('f');
    expect(find('file').querySelector('b')).toBeNull();
    expect(find('file').textContent).toContain('Ann');
    click('file-accept');
    click('file-accept-in');
    click('file-cancel');
    await settle();
    expect(engine.files.accept.mock.calls).toEqual([
      ['f1', false],
      ['f1', true],
    ]);
    expect(engine.files.cancel).toHaveBeenCalledExactlyOnceWith('f1');
  });

  it('that come are paused, and those that go are held and taken back', async () => {
    const { engine } = await open(
      file({ phase: 'sending', bytes: 500, rate: 100 }),
      file({ file: 'f2', outgoing: true, phase: 'paused' }),
    );
    press('f');
    const [goes, comes] = all('file');
    expect(comes?.textContent).toMatch(/500.* of .*5 seconds/s);
    comes?.querySelector<HTMLElement>('[data-testid=file-pause]')?.click();
    goes?.querySelector<HTMLElement>('[data-testid=file-resume]')?.click();
    goes?.querySelector<HTMLElement>('[data-testid=file-cancel]')?.click();
    await settle();
    expect(engine.files.pause).toHaveBeenCalledExactlyOnceWith('f1', true);
    expect(engine.files.hold).toHaveBeenCalledExactlyOnceWith('f2', false);
    expect(engine.files.withdraw).toHaveBeenCalledExactlyOnceWith('f2', 'a1');
  });

  it('that are dropped or pasted go to whom is chosen, and to nobody who has left', async () => {
    const { app, engine } = await open();
    press('f');
    app.files.recipient = 'b2';
    engine.events({ type: 'files_dropped', data: 2 });
    await settle();
    expect(engine.files.offerDropped).toHaveBeenLastCalledWith('b2');
    engine.show(inCall([peer('a1')]));
    click('files-pick');
    await settle();
    expect(engine.files.pick).toHaveBeenLastCalledWith(null);
    expect(app.files.recipient).toBeNull();
  });

  it('that failed say why, and can be tried again', async () => {
    const { engine } = await open(file({ phase: 'failed', error: 'disk_full' }));
    press('f');
    expect(find('file-state').textContent).toContain('room');
    click('file-accept');
    await settle();
    expect(engine.files.accept).toHaveBeenCalledExactlyOnceWith('f1', false);
  });

  it('are beside the chat or it is, never both, and the focus goes back', async () => {
    await open();
    press('f');
    press('Escape', {}, find('files-pick'));
    expect(all('files')).toHaveLength(0);
    expect(document.activeElement).toBe(find('files-toggle'));
    press('f');
    click('chat-toggle');
    expect([all('files').length, all('chat').length]).toEqual([0, 1]);
    click('files-toggle');
    expect([all('files').length, all('chat').length]).toEqual([1, 0]);
  });
});

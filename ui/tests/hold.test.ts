import { describe, expect, it } from 'vitest';

import { Hold } from '../src/hold';
import { InOrder } from '../src/in_order';
import { MutedNotice } from '../src/muted_notice';

describe('the space bar, held', () => {
  it.each([
    ['talk', true, false, true],
    ['talk', false, null, null],
    ['mute', false, true, false],
    ['mute', true, null, null],
    ['nothing', true, null, null],
  ] as const)('%s while muted is %s: %s, and then %s', (does, muted, held, after) => {
    const hold = new Hold();
    expect(hold.release()).toBeNull();
    expect(hold.press(does, muted)).toBe(held);
    // A key that repeats changes nothing.
    expect(hold.press(does, held ?? muted)).toBeNull();
    expect(hold.release()).toBe(after);
    expect(hold.release()).toBeNull();
  });
});

describe('what is asked', () => {
  it('arrives in its order, however long an answer takes, and whatever fails', async () => {
    const order = new InOrder();
    const done: string[] = [];
    let answer = () => {};
    const first = order.run(() => new Promise((resolve) => (answer = resolve)));
    const second = order.run(async () => {
      done.push('second');
      throw new Error('refused');
    });
    const third = order.run(async () => void done.push('third'));
    await Promise.resolve();
    expect(done).toEqual([]);
    answer();
    await Promise.all([first, second, third]);
    expect(done).toEqual(['second', 'third']);
  });
});

describe('the notice that one is muted', () => {
  const at = (notice: MutedNotice, times: [number, boolean, boolean][]) =>
    times.map(([now, muted, speaking]) => notice.hear(muted, speaking, now));

  it('comes when somebody goes on speaking, and stays to be read', () => {
    const seen = at(new MutedNotice(), [
      [0, true, true],
      [800, true, true],
      [900, true, true],
      [1_500, true, false],
      [3_800, true, false],
      [3_900, true, false],
    ]);
    expect(seen).toEqual([false, false, true, true, true, false]);
  });

  it('is not for a cough, and not for those who are heard', () => {
    expect(
      at(new MutedNotice(), [
        [0, true, true],
        [600, true, false],
        [700, true, true],
        [1_500, true, true],
        [9_000, false, true],
      ]),
    ).toEqual([false, false, false, false, false]);
  });

  it('goes at once with the mute', () => {
    const notice = new MutedNotice();
    at(notice, [
      [0, true, true],
      [1_000, true, true],
    ]);
    expect(notice.hear(false, true, 1_100)).toBe(false);
    // And needs as long again after that.
    expect(notice.hear(true, true, 1_200)).toBe(false);
  });
});

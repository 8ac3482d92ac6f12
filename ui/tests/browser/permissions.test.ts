import { afterEach, expect, it, vi } from 'vitest';

import { watchPermissions } from '../../src/engine/browser/permissions';

afterEach(() => vi.unstubAllGlobals());

it('hears of what the person allows later, as far as the browser knows of it', async () => {
  const status = new EventTarget();
  const query = vi.fn(({ name }: { name: string }) =>
    name === 'camera' ? Promise.resolve(status) : Promise.reject(new TypeError('unknown')),
  );
  vi.stubGlobal('navigator', { permissions: { query } });
  const changed = vi.fn();
  watchPermissions(changed);
  await Promise.resolve();
  await Promise.resolve();
  expect(changed).not.toHaveBeenCalled();
  status.dispatchEvent(new Event('change'));
  expect(changed).toHaveBeenCalledTimes(1);
});

it('asks nothing where browsers have no such thing', () => {
  vi.stubGlobal('navigator', {});
  expect(() => watchPermissions(vi.fn())).not.toThrow();
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { i420Bytes, i420ToRgba } from '../src/video/i420';
import { parseTileMessage } from '../src/video/message';
import { TilePainter, type Platform, type TileFeed } from '../src/video/painter';

function message(flags: number, payload = 8, width = 640, height = 360): ArrayBuffer {
  const data = new ArrayBuffer(16 + payload);
  const bytes = new DataView(data);
  bytes.setUint8(0, flags);
  bytes.setUint16(2, width, true);
  bytes.setUint16(4, height, true);
  bytes.setBigUint64(8, 33_000n, true);
  return data;
}
const key = () => message(1);
const delta = () => message(0);

class FakeDecoder {
  state = 'configured';
  decodeQueueSize = 0;
  readonly decoded: string[] = [];
  constructor(readonly init: VideoDecoderInit) {}
  configure = vi.fn();
  decode(chunk: { type: string }): void {
    this.decoded.push(chunk.type);
  }
  close(): void {
    this.state = 'closed';
  }
  output(frame: unknown): void {
    this.init.output(frame as VideoFrame);
  }
  fail(): void {
    this.state = 'closed';
    this.init.error(new DOMException('broken'));
  }
}

class FakeFeed implements TileFeed {
  send: (data: ArrayBuffer) => void = () => {};
  readonly attach = vi.fn((_decoded: boolean, take: (data: ArrayBuffer) => void) => {
    this.send = take;
  });
  readonly detach = vi.fn();
  readonly shown = vi.fn();
  readonly refresh = vi.fn();
}

function frame(width = 640, height = 360) {
  return { displayWidth: width, displayHeight: height, close: vi.fn() };
}

let decoders: FakeDecoder[];
let screen: (() => void) | null;
let time: number;
let canDecode: boolean;
let hidden: boolean;
const context = { drawImage: vi.fn(), createImageData: vi.fn(), putImageData: vi.fn() };

const platform: Platform = {
  canDecode: () => Promise.resolve(canDecode),
  decoder(init) {
    const decoder = new FakeDecoder(init);
    decoders.push(decoder);
    return decoder as unknown as VideoDecoder;
  },
  requestFrame(callback) {
    screen = callback;
    return 1;
  },
  cancelFrame() {
    screen = null;
  },
  now: () => time,
};

function refreshScreen(): void {
  const callback = screen;
  screen = null;
  callback?.();
}

function hide(value: boolean): void {
  hidden = value;
  document.dispatchEvent(new Event('visibilitychange'));
}

async function painter() {
  const canvas = document.createElement('canvas');
  vi.spyOn(canvas, 'getContext').mockReturnValue(context as unknown as CanvasRenderingContext2D);
  const feed = new FakeFeed();
  const listener = vi.fn();
  const made = new TilePainter(canvas, feed, listener, platform);
  open.push(made);
  await Promise.resolve();
  return { painter: made, canvas, feed, listener };
}
const open: TilePainter[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal(
    'EncodedVideoChunk',
    class {
      type: string;
      constructor(init: { type: string }) {
        this.type = init.type;
      }
    },
  );
  decoders = [];
  screen = null;
  time = 0;
  canDecode = true;
  hidden = false;
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
});

afterEach(() => {
  for (const one of open.splice(0)) one.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.clearAllMocks();
});

describe('the decoder', () => {
  it('gets nothing before a key frame', async () => {
    const { feed } = await painter();
    feed.send(delta());
    expect(decoders).toHaveLength(0);
    feed.send(key());
    feed.send(delta());
    expect(decoders[0]?.decoded).toEqual(['key', 'delta']);
  });

  it('is replaced after an error, and a key frame is asked for', async () => {
    const { feed } = await painter();
    feed.send(key());
    decoders[0]?.fail();
    expect(feed.refresh).toHaveBeenCalledTimes(1);
    feed.send(delta());
    expect(decoders).toHaveLength(1);
    feed.send(key());
    expect(decoders[1]?.decoded).toEqual(['key']);
  });

  it('asks again when the key frame does not come, once a second at most', async () => {
    const { feed } = await painter();
    feed.send(key());
    time = 5000;
    decoders[0]?.fail();
    time = 5900;
    feed.send(delta());
    expect(feed.refresh).toHaveBeenCalledTimes(1);
    time = 6000;
    feed.send(delta());
    feed.send(delta());
    expect(feed.refresh).toHaveBeenCalledTimes(2);
  });

  it('does not ask in a circle when every key frame breaks it', async () => {
    const { feed } = await painter();
    vi.spyOn(FakeDecoder.prototype, 'decode').mockImplementation(() => {
      throw new DOMException('broken');
    });
    time = 5000;
    for (let i = 0; i < 50; i++) feed.send(key());
    expect(feed.refresh).toHaveBeenCalledTimes(1);
  });
});

describe('the canvas', () => {
  it('shows only the newest picture and closes every one', async () => {
    const { feed } = await painter();
    feed.send(key());
    const pictures = [frame(), frame(), frame()];
    for (const picture of pictures) decoders[0]?.output(picture);
    expect(context.drawImage).not.toHaveBeenCalled();
    refreshScreen();
    expect(context.drawImage).toHaveBeenCalledTimes(1);
    expect(context.drawImage).toHaveBeenCalledWith(pictures[2], 0, 0);
    for (const picture of pictures) expect(picture.close).toHaveBeenCalledTimes(1);
  });

  it('follows the size of the pictures and says so once', async () => {
    const { feed, canvas, listener } = await painter();
    feed.send(key());
    for (const size of [
      [640, 360],
      [640, 360],
      [320, 180],
    ] as const) {
      decoders[0]?.output(frame(...size));
      refreshScreen();
    }
    expect([canvas.width, canvas.height]).toEqual([320, 180]);
    expect(listener.mock.calls).toEqual([
      [{ width: 640, height: 360 }],
      [{ width: 320, height: 180 }],
    ]);
  });

  it('closes a picture that comes out of a decoder already given up', async () => {
    const { feed } = await painter();
    feed.send(key());
    decoders[0]?.fail();
    const late = frame();
    decoders[0]?.output(late);
    expect(late.close).toHaveBeenCalled();
    expect(screen).toBeNull();
  });

  it('is painted from planes where the webview cannot decode', async () => {
    canDecode = false;
    context.createImageData.mockReturnValue({
      width: 4,
      height: 2,
      data: new Uint8ClampedArray(32),
    });
    const { feed, listener } = await painter();
    expect(feed.attach).toHaveBeenCalledWith(true, expect.any(Function));
    feed.send(message(3, i420Bytes(4, 2), 4, 2));
    refreshScreen();
    expect(decoders).toHaveLength(0);
    expect(context.putImageData).toHaveBeenCalledTimes(1);
    expect(listener).toHaveBeenCalledWith({ width: 4, height: 2 });
  });
});

describe('acknowledgements', () => {
  it('go out every four messages, with the sum', async () => {
    const { feed } = await painter();
    feed.send(key());
    for (let i = 0; i < 7; i++) feed.send(delta());
    expect(feed.shown.mock.calls).toEqual([[4], [8]]);
  });

  it('go out after 100 ms for fewer', async () => {
    const { feed } = await painter();
    feed.send(key());
    vi.advanceTimersByTime(99);
    expect(feed.shown).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(feed.shown.mock.calls).toEqual([[1]]);
    vi.advanceTimersByTime(1000);
    expect(feed.shown).toHaveBeenCalledTimes(1);
  });

  it('wait for a decoder that does not follow', async () => {
    const { feed } = await painter();
    feed.send(key());
    const decoder = decoders[0];
    if (!decoder) throw new Error('no decoder');
    decoder.decodeQueueSize = 20;
    for (let i = 0; i < 19; i++) feed.send(delta());
    vi.advanceTimersByTime(500);
    expect(feed.shown).not.toHaveBeenCalled();
    decoder.decodeQueueSize = 0;
    vi.advanceTimersByTime(100);
    expect(feed.shown.mock.calls).toEqual([[20]]);
  });
});

describe('a hidden page', () => {
  it('is sent nothing, and begins anew when it is seen again', async () => {
    const { feed } = await painter();
    feed.send(key());
    const stale = feed.send;
    hide(true);
    expect(feed.detach).toHaveBeenCalledTimes(1);
    expect(decoders[0]?.state).toBe('closed');
    hide(false);
    await Promise.resolve();
    expect(feed.attach).toHaveBeenCalledTimes(2);
    stale(key());
    expect(decoders).toHaveLength(1);
    feed.send(delta());
    expect(decoders).toHaveLength(1);
    feed.send(key());
    expect(decoders).toHaveLength(2);
  });
});

it('stops with nothing left running', async () => {
  const { painter: made, feed, listener } = await painter();
  feed.send(key());
  const picture = frame();
  decoders[0]?.output(picture);
  made.stop();
  expect(picture.close).toHaveBeenCalled();
  expect(decoders[0]?.state).toBe('closed');
  expect(screen).toBeNull();
  expect(feed.detach).toHaveBeenCalledTimes(1);
  expect(listener).toHaveBeenLastCalledWith(null);
  expect(vi.getTimerCount()).toBe(0);
  hide(true);
  hide(false);
  await Promise.resolve();
  expect(feed.attach).toHaveBeenCalledTimes(1);
});

it('stopped before the browser has answered, it never attaches', async () => {
  const feed = new FakeFeed();
  new TilePainter(document.createElement('canvas'), feed, () => {}, platform).stop();
  await Promise.resolve();
  expect(feed.attach).not.toHaveBeenCalled();
  expect(feed.detach).not.toHaveBeenCalled();
});

describe('a message', () => {
  it('is read as it is written', () => {
    expect(parseTileMessage(key())).toMatchObject({
      key: true,
      decoded: false,
      width: 640,
      height: 360,
      timestamp: 33_000,
    });
  });

  it.each([
    ['empty', new ArrayBuffer(0)],
    ['without a picture', new ArrayBuffer(16)],
    ['with planes of another size', message(3, 10, 4, 2)],
    ['of no size', message(3, 1, 0, 0)],
  ])('%s is none', (_, data) => {
    expect(parseTileMessage(data)).toBeNull();
  });
});

describe('planes', () => {
  it.each([
    ['black', [16, 128, 128], [0, 0, 0]],
    ['white', [235, 128, 128], [255, 255, 255]],
    ['red', [81, 90, 240], [255, 0, 0]],
    ['blue', [41, 240, 110], [0, 0, 255]],
  ])('%s', (_, [y = 0, u = 0, v = 0], rgb) => {
    // Odd sizes: chroma rounds up.
    const planes = new Uint8Array(i420Bytes(3, 3)).fill(y, 0, 9).fill(u, 9, 13).fill(v, 13, 17);
    const rgba = new Uint8ClampedArray(36);
    i420ToRgba(planes, 3, 3, rgba);
    for (const at of [0, 16, 32]) {
      rgb.forEach((value, index) => {
        expect(Math.abs((rgba[at + index] ?? -9) - value)).toBeLessThanOrEqual(2);
      });
      expect(rgba[at + 3]).toBe(255);
    }
  });
});

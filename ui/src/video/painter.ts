// Paints one tile: encoded pictures in, the newest one on the canvas at every refresh of the
// screen. Plain code outside Svelte: thirty pictures a second are no reactive state.
//
// Rules. The decoder gets nothing before a key frame, and a new one after every error. Only the
// newest picture is kept; every other is closed at once, because decoders run out of buffers.
// What the decoder has taken is acknowledged, so that a page that cannot follow is sent less.
// A hidden page is sent nothing.

import type { PictureListener } from '../engine/engine';
import { i420ToRgba } from './i420';
import { parseTileMessage, type TileMessage } from './message';

/** Where a tile's messages come from. */
export interface TileFeed {
  /** Sends messages, beginning with a key frame. */
  attach(decoded: boolean, message: (data: ArrayBuffer) => void): void;
  detach(): void;
  /** Messages taken since `attach`. */
  shown(count: number): void;
  /** A key frame, please. */
  refresh(): void;
}

/** What the painter needs of the browser; tests bring their own. */
export interface Platform {
  canDecode(): Promise<boolean>;
  decoder(init: VideoDecoderInit): VideoDecoder;
  requestFrame(callback: () => void): number;
  cancelFrame(handle: number): void;
  now(): number;
}

const CONFIG: VideoDecoderConfig = { codec: 'vp8', optimizeForLatency: true };

/** An acknowledgement goes out after this many messages … */
const ACK_EVERY = 4;
/** … or this long after the first unacknowledged one, milliseconds. */
const ACK_AFTER = 100;
/** A key frame that was asked for and did not come is asked for again after this, milliseconds. */
const REFRESH_AGAIN = 1000;

let supported: Promise<boolean> | undefined;

const browser: Platform = {
  canDecode() {
    supported ??=
      typeof VideoDecoder === 'undefined'
        ? Promise.resolve(false)
        : VideoDecoder.isConfigSupported(CONFIG).then(
            (answer) => answer.supported === true,
            () => false,
          );
    return supported;
  },
  decoder: (init) => new VideoDecoder(init),
  requestFrame: (callback) => requestAnimationFrame(callback),
  cancelFrame: (handle) => cancelAnimationFrame(handle),
  now: () => performance.now(),
};

export class TilePainter {
  private readonly context: CanvasRenderingContext2D | null;
  private decoder: VideoDecoder | null = null;
  private newest: VideoFrame | TileMessage | null = null;
  private image: ImageData | null = null;
  private size = { width: 0, height: 0 };
  private frameRequest: number | null = null;
  private ackTimer: ReturnType<typeof setTimeout> | null = null;
  private waitsForKey = true;
  private askedAt = 0;
  private received = 0;
  private acknowledged = 0;
  /** Counts attachments: a message of an earlier one is nobody's. */
  private generation = 0;
  private attached = false;
  private stopped = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly feed: TileFeed,
    private readonly listener: PictureListener,
    private readonly platform: Platform = browser,
  ) {
    // Without a graphics card, a canvas in main memory is the cheapest to draw a picture on.
    this.context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    document.addEventListener('visibilitychange', this.visibility);
    if (!document.hidden) void this.attach();
  }

  stop(): void {
    this.stopped = true;
    document.removeEventListener('visibilitychange', this.visibility);
    this.detach();
    this.listener(null);
  }

  private readonly visibility = (): void => {
    if (document.hidden) this.detach();
    else void this.attach();
  };

  private async attach(): Promise<void> {
    const generation = ++this.generation;
    const decodes = await this.platform.canDecode();
    if (this.stopped || generation !== this.generation) return;
    this.attached = true;
    this.waitsForKey = true;
    this.askedAt = this.platform.now();
    this.received = 0;
    this.acknowledged = 0;
    this.feed.attach(!decodes, (data) => {
      if (generation === this.generation) this.take(data);
    });
  }

  private detach(): void {
    this.generation++;
    if (this.attached) this.feed.detach();
    this.attached = false;
    this.closeDecoder();
    this.keep(null);
    if (this.frameRequest !== null) this.platform.cancelFrame(this.frameRequest);
    this.frameRequest = null;
    if (this.ackTimer !== null) clearTimeout(this.ackTimer);
    this.ackTimer = null;
  }

  private take(data: ArrayBuffer): void {
    this.received++;
    const message = parseTileMessage(data);
    if (message?.decoded) this.keep(message);
    else if (message) this.decode(message);
    this.acknowledge();
  }

  private decode(message: TileMessage): void {
    if (this.waitsForKey && !message.key) {
      if (this.platform.now() - this.askedAt >= REFRESH_AGAIN) this.askForKey();
      return;
    }
    try {
      this.decoder ??= this.newDecoder();
      this.decoder.decode(
        new EncodedVideoChunk({
          type: message.key ? 'key' : 'delta',
          timestamp: message.timestamp,
          data: message.payload,
        }),
      );
      this.waitsForKey = false;
    } catch {
      this.beginAgain();
    }
  }

  private newDecoder(): VideoDecoder {
    const decoder = this.platform.decoder({
      output: (frame) => {
        // An output may arrive after its decoder was given up.
        if (decoder === this.decoder) this.keep(frame);
        else frame.close();
      },
      error: () => {
        if (decoder === this.decoder) this.beginAgain();
      },
    });
    decoder.configure(CONFIG);
    return decoder;
  }

  private beginAgain(): void {
    this.closeDecoder();
    // A stream that breaks every decoder costs its sender one key frame a second, not more.
    const first = !this.waitsForKey || this.platform.now() - this.askedAt >= REFRESH_AGAIN;
    this.waitsForKey = true;
    if (first) this.askForKey();
  }

  private askForKey(): void {
    this.askedAt = this.platform.now();
    this.feed.refresh();
  }

  private closeDecoder(): void {
    const decoder = this.decoder;
    this.decoder = null;
    // After an error the browser has closed it already.
    if (decoder && decoder.state !== 'closed') decoder.close();
  }

  /** Messages that still wait inside the decoder do not count as taken. */
  private acknowledge(atLeast = ACK_EVERY): void {
    const taken = this.received - (this.decoder?.decodeQueueSize ?? 0);
    if (taken - this.acknowledged >= atLeast) {
      this.acknowledged = taken;
      this.feed.shown(taken);
    }
    if (this.acknowledged === this.received) return;
    this.ackTimer ??= setTimeout(() => {
      this.ackTimer = null;
      this.acknowledge(1);
    }, ACK_AFTER);
  }

  private keep(picture: VideoFrame | TileMessage | null): void {
    if (this.newest && 'close' in this.newest) this.newest.close();
    this.newest = picture;
    if (picture) this.frameRequest ??= this.platform.requestFrame(this.draw);
  }

  private readonly draw = (): void => {
    this.frameRequest = null;
    const picture = this.newest;
    if (!picture) return;
    if ('close' in picture) {
      this.resize(picture.displayWidth, picture.displayHeight);
      this.context?.drawImage(picture, 0, 0);
    } else {
      this.resize(picture.width, picture.height);
      this.drawDecoded(picture);
    }
    this.keep(null);
  };

  private drawDecoded({ width, height, payload }: TileMessage): void {
    if (!this.context) return;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = this.context.createImageData(width, height);
    }
    i420ToRgba(payload, width, height, this.image.data);
    this.context.putImageData(this.image, 0, 0);
  }

  private resize(width: number, height: number): void {
    if (width === this.size.width && height === this.size.height) return;
    this.size = { width, height };
    this.canvas.width = width;
    this.canvas.height = height;
    this.listener({ width, height });
  }
}

// The two channels of the files to one person: what is said, and the bytes. Bytes leave as
// `SendWindow` allows, so that no voice waits behind them; what the other side needs for that is
// said from here.

import { Allowance } from './core/allowance';
import {
  CONTROL_CHANNEL,
  DATA_CHANNEL,
  PIECE_HEADER_BYTES,
  readFilesMessage,
  readPiece,
  writeFilesMessage,
  writePiece,
  type FilesMessage,
} from './core/files/message';
import { SendWindow } from './core/files/send_window';
import { FILES_BURST, FILES_MESSAGES_PER_SECOND } from './core/limits';

/** What came is acknowledged no more often than this, milliseconds. */
const ACK_INTERVAL = 4;

export interface FileLinkListener {
  opened(): void;
  sent(): void;
  heard(message: FilesMessage): void;
  piece(id: number, offset: number, content: Uint8Array): void;
}

export class FileLink {
  private readonly control: RTCDataChannel;
  private readonly data: RTCDataChannel;
  private readonly answers: { id: number; bytes: Uint8Array; sent: number }[] = [];
  private readonly allowance = new Allowance(FILES_BURST, 1_000 / FILES_MESSAGES_PER_SECOND);
  private readonly window = new SendWindow(performance.now());
  private open = 0;
  private came = 0;
  private cameAt = 0;
  private acking: ReturnType<typeof setTimeout> | undefined;

  constructor(
    connection: RTCPeerConnection,
    private readonly listener: FileLinkListener,
  ) {
    const open = ({ label, id }: { label: string; id: number }) =>
      connection.createDataChannel(label, { negotiated: true, id });
    this.control = open(CONTROL_CHANNEL);
    this.data = open(DATA_CHANNEL);
    this.data.binaryType = 'arraybuffer';
    this.control.onopen = this.data.onopen = () => {
      this.open++;
      if (this.open === 2) listener.opened();
    };
    this.control.onmessage = ({ data }: MessageEvent<unknown>) => this.hear(data);
    this.data.onmessage = ({ data }: MessageEvent<unknown>) => this.take(data);
  }

  say(message: FilesMessage): void {
    if (this.control.readyState === 'open') this.control.send(writeFilesMessage(message));
  }

  send(id: number, bytes: Uint8Array): void {
    this.answers.push({ id, bytes, sent: 0 });
    this.give();
  }

  /** Nothing comes from it any more. */
  close(): void {
    clearTimeout(this.acking);
    this.control.onopen = this.control.onmessage = null;
    this.data.onopen = this.data.onmessage = null;
    this.answers.length = 0;
  }

  private hear(data: unknown): void {
    // Whoever talks without end is not even read.
    if (!this.allowance.take(performance.now())) return;
    const message = readFilesMessage(data);
    if (message?.type === 'ack') {
      this.window.onAck(performance.now(), message.bytes, message.at);
      this.give();
    } else if (message) {
      this.listener.heard(message);
    }
  }

  private take(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    this.came += data.byteLength;
    this.cameAt = performance.now();
    this.acking ??= setTimeout(() => {
      this.acking = undefined;
      this.say({ type: 'ack', bytes: this.came, at: Math.round(this.cameAt * 1_000) });
    }, ACK_INTERVAL);
    const piece = readPiece(data);
    if (piece) this.listener.piece(piece.id, piece.offset, piece.content);
  }

  private give(): void {
    while (this.data.readyState === 'open') {
      const [answer] = this.answers;
      if (!answer) return;
      const room = this.window.room() - PIECE_HEADER_BYTES;
      if (room <= 0) return;
      const content = answer.bytes.subarray(answer.sent, answer.sent + room);
      const message = writePiece(answer.id, answer.sent, content);
      this.window.onSent(performance.now(), message.byteLength);
      this.data.send(message);
      answer.sent += content.length;
      if (answer.sent < answer.bytes.length) continue;
      this.answers.shift();
      this.listener.sent();
    }
  }
}

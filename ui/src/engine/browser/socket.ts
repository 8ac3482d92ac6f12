// The signalling socket: JSON messages over one WebSocket. Each instance is one connection.

import { MAX_MESSAGE_BYTES } from './core/limits';
import { readServerMessage, type ClientMessage, type ServerMessage } from './core/messages';

/** A server that lets more bytes pile up is treated as gone: four peers' offers several times. */
const MAX_WAITING_BYTES = 8 * MAX_MESSAGE_BYTES;

export interface SocketListener {
  opened(): void;
  message(message: ServerMessage): void;
  /** It could not be opened, or has ended by itself. Nothing comes after. */
  closed(): void;
}

export class Socket {
  private readonly socket: WebSocket;
  /** `null` once nothing is to come any more. */
  private listener: SocketListener | null;

  constructor(address: string, listener: SocketListener) {
    this.listener = listener;
    this.socket = new WebSocket(address);
    this.socket.onopen = () => this.listener?.opened();
    this.socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = typeof data === 'string' ? readServerMessage(data) : null;
      // What cannot be read costs itself only; a newer server may say more than we know.
      if (message) this.listener?.message(message);
    };
    this.socket.onclose = () => this.end();
  }

  send(message: ClientMessage): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(message));
    // An offer that does not arrive would leave two people waiting for each other: a new
    // connection begins with a complete state instead.
    if (this.socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.socket.close();
      this.end();
    }
  }

  /** Sends what was given to it, and closes; nothing is heard of it any more. */
  close(): void {
    this.listener = null;
    this.socket.close();
  }

  private end(): void {
    const { listener } = this;
    this.listener = null;
    listener?.closed();
  }
}

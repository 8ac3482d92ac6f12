// Runs a pure machine (a session, a watch): its clock, its one timer and its socket. Everything else
// that it wants is handed on.

import type { Output } from './core/output';
import type { ServerMessage } from './core/messages';
import { Socket } from './socket';

export type SocketInput =
  | { type: 'socket_opened' }
  | { type: 'socket_message'; message: ServerMessage }
  | { type: 'socket_closed' };

export interface Machine<Input> {
  handle(now: number, input: Input | SocketInput): void;
  poll(): Output | undefined;
  pollTimeout(): number | null;
  handleTimeout(now: number): void;
}

/** What the machine wants besides its socket. */
export type Other = Exclude<Output, { type: 'open_socket' | 'close_socket' | 'send' }>;

export class Driver<Input> {
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly inputs: (Input | SocketInput)[] = [];
  private running = false;

  /** `address` is the WebSocket's; `settled` is called when all that was wanted is done. */
  constructor(
    private readonly machine: Machine<Input>,
    private readonly address: string,
    private readonly carryOut: (output: Other) => void,
    private readonly settled: () => void,
  ) {
    this.run();
  }

  /** What is told while something is carried out waits for its turn. */
  tell(input: Input | SocketInput): void {
    this.inputs.push(input);
    this.run();
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    do {
      const input = this.inputs.shift();
      if (input) this.machine.handle(performance.now(), input);
      this.carryOutAll();
    } while (this.inputs.length > 0);
    this.running = false;
    this.arm();
    this.settled();
  }

  private carryOutAll(): void {
    for (let output = this.machine.poll(); output; output = this.machine.poll()) {
      switch (output.type) {
        case 'open_socket':
          this.openSocket();
          break;
        case 'close_socket':
          this.socket?.close();
          this.socket = null;
          break;
        case 'send':
          this.socket?.send(output.message);
          break;
        default:
          this.carryOut(output);
      }
    }
  }

  private openSocket(): void {
    this.socket?.close();
    this.socket = new Socket(this.address, {
      opened: () => this.tell({ type: 'socket_opened' }),
      message: (message) => this.tell({ type: 'socket_message', message }),
      closed: () => {
        this.socket = null;
        this.tell({ type: 'socket_closed' });
      },
    });
  }

  private arm(): void {
    clearTimeout(this.timer);
    const at = this.machine.pollTimeout();
    if (at === null) return;
    this.timer = setTimeout(
      () => {
        this.machine.handleTimeout(performance.now());
        this.run();
      },
      Math.max(0, at - performance.now()),
    );
  }
}

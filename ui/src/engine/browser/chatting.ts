// Runs the chat of a call: its clock and its one timer. What it wants to say goes to the links.

import { Chat, type ChatInput, type ChatLine } from './core/chat';
import type { ChatMessage, Unsayable } from './core/chat_message';
import type { PeerId } from './core/messages';

export interface ChattingListener {
  send(to: PeerId, message: ChatMessage): void;
  show(line: ChatLine): void;
}

export class Chatting {
  private readonly chat: Chat;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly inputs: ChatInput[] = [];
  private running = false;

  constructor(
    own: PeerId,
    private readonly listener: ChattingListener,
  ) {
    this.chat = new Chat(own);
  }

  say(text: string): Unsayable | null {
    const wrong = this.chat.say(performance.now(), text);
    this.run();
    return wrong;
  }

  /** What is told while something is carried out waits for its turn. */
  tell(input: ChatInput): void {
    this.inputs.push(input);
    this.run();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    do {
      const input = this.inputs.shift();
      if (input) this.chat.handle(performance.now(), input);
      for (let output = this.chat.poll(); output; output = this.chat.poll()) {
        if (output.type === 'send') this.listener.send(output.to, output.message);
        else this.listener.show(output.line);
      }
    } while (this.inputs.length > 0);
    this.running = false;
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    const at = this.chat.pollTimeout();
    if (at === null) return;
    this.timer = setTimeout(
      () => {
        this.chat.handleTimeout(performance.now());
        this.run();
      },
      Math.max(0, at - performance.now()),
    );
  }
}

// The channel of the chat to one person: ordered, reliable, and with little in the browser's own
// buffer, so that a voice on the same path need not wait for it.

import { Allowance } from './core/allowance';
import { CHAT_CHANNEL, readChatMessage, type ChatMessage } from './core/chat_message';
import { CHAT_BURST, CHAT_MESSAGES_PER_SECOND } from './core/limits';

/** Nothing more is given to the browser while it holds so many bytes. */
const BACKLOG = 4 * 1024;

export interface ChatLinkListener {
  opened(): void;
  /** The next of the messages that it was given is on its way. */
  sent(): void;
  heard(message: ChatMessage): void;
}

export class ChatLink {
  private readonly channel: RTCDataChannel;
  private readonly waiting: string[] = [];
  private readonly allowance = new Allowance(CHAT_BURST, 1_000 / CHAT_MESSAGES_PER_SECOND);

  constructor(
    connection: RTCPeerConnection,
    private readonly listener: ChatLinkListener,
  ) {
    const { label, id } = CHAT_CHANNEL;
    this.channel = connection.createDataChannel(label, { negotiated: true, id });
    this.channel.bufferedAmountLowThreshold = BACKLOG / 2;
    this.channel.onopen = () => listener.opened();
    this.channel.onbufferedamountlow = () => this.give();
    this.channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      // Whoever talks without end is not even read.
      if (!this.allowance.take(performance.now())) return;
      const message = readChatMessage(data);
      if (message) listener.heard(message);
    };
  }

  say(message: ChatMessage): void {
    this.waiting.push(JSON.stringify(message));
    this.give();
  }

  /** Nothing comes from it any more. */
  close(): void {
    this.channel.onopen = this.channel.onmessage = this.channel.onbufferedamountlow = null;
    this.waiting.length = 0;
  }

  private give(): void {
    while (this.channel.readyState === 'open' && this.channel.bufferedAmount < BACKLOG) {
      const text = this.waiting.shift();
      if (text === undefined) return;
      this.channel.send(text);
      this.listener.sent();
    }
  }
}

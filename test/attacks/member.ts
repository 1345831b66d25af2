/**
 * A member that is up to no good: it has the key, and after an honest handshake says what it likes.
 */
import type { KeyObject } from 'node:crypto';
import { epochAt, type Message } from '@grapevine/core';
import { encodeChannel, type EncodedFrame, Encoder, Told } from '@grapevine/wire';
import { aHello, type Stranger, type StrangerOptions, type Strangers } from './strangers.ts';

const channel = 1;

/** How much may wait in this process to be sent, in bytes. */
const mostWaiting = 256 * 1024;

export class Member {
  readonly stranger: Stranger;
  readonly #encoder = new Encoder();
  readonly #told = new Told();

  private constructor(stranger: Stranger) {
    this.stranger = stranger;
  }

  /** Proves itself, is let in, and declares the instance `grapevine`. @throws when it is not let in */
  static async join(
    strangers: Strangers,
    url: string,
    { name, key, options }: { readonly name: string; readonly key: KeyObject; readonly options?: StrangerOptions },
  ): Promise<Member> {
    const hello = aHello({ name, epoch: nextEpoch() });
    const stranger = await strangers.speak(url, hello, key, options);
    await stranger.frames(2);
    stranger.say(new Uint8Array());
    stranger.say(encodeChannel({ channel, instance: 'grapevine', protocol: 'hybrid', newestEpochOfYou: 0 }));
    return new Member(stranger);
  }

  say(message: Message): void {
    const frame: EncodedFrame = this.#encoder.encode(channel, message);
    for (const origins of this.#told.missing(frame)) this.stranger.say(origins);
    this.stranger.say(frame.bytes);
  }

  /** Resolves when there is room to say more, or it is connected no more. */
  async room(): Promise<void> {
    const { socket } = this.stranger;
    await new Promise((resolve) => void setImmediate(resolve));
    while (socket.readyState === socket.OPEN && socket.bufferedAmount > mostWaiting)
      await new Promise((resolve) => void setTimeout(resolve, 2));
  }

  /** Bytes below the WebSocket, as they are. */
  write(bytes: Uint8Array): void {
    if (!this.stranger.stream.destroyed) this.stranger.stream.write(bytes);
  }
}

let lastEpoch = 0;

/** Higher at every call: each connection is one of a node that started anew. */
export function nextEpoch(): number {
  lastEpoch = Math.max(lastEpoch + 1, epochAt(Date.now(), Math.random));
  return lastEpoch;
}

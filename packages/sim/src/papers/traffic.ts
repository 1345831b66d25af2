/**
 * What an experiment sends, counted as the papers count and as a network operator would.
 *
 * Invariants
 *  1. A push is counted per dot and receiver, useful or not, by value or by dot alone, and once: an asked-for value that
 *     follows is a value, not another push.
 *  2. Bytes are those of the frames that the real codec makes, with the frames that tell a connection its origins.
 *
 * Headers of WebSocket, TCP and IP are not counted, nor is the handshake of a connection.
 */

import { countDots, type Message } from '@grapevine/core';
import { Encoder, Told } from '@grapevine/wire';

export class Traffic {
  /** Dots pushed, or told to who pulled. */
  pushes = 0;
  /** Updates that travelled with their value. */
  values = 0;
  messages = 0;
  /** `NaN` unless bytes are measured. */
  bytes: number;
  readonly #meter: Meter | undefined;

  /** @param measured whether bytes are counted: every message is then encoded, which takes most of an experiment's time */
  constructor(measured: boolean) {
    this.#meter = measured ? new Meter() : undefined;
    this.bytes = measured ? 0 : Number.NaN;
  }

  /** Counts a message from one site to another, both by number. */
  count(from: number, to: number, message: Message): void {
    this.messages++;
    if (message.type === 'announce') this.pushes += countDots(message.dots);
    else if (message.type === 'updates') {
      this.values += message.updates.length;
      if (message.cause !== 'answer') this.pushes += message.updates.length;
    } else if (message.type === 'chunk') this.values += message.updates.length;
    if (this.#meter !== undefined) this.bytes += this.#meter.bytesOf(from, to, message);
  }
}

/** Frames' bytes, over connections that were told nothing before. */
class Meter {
  /** One for all sites: they number origins alike, as nothing but the order in which they meet them decides. */
  readonly #encoder = new Encoder();
  readonly #told = new Map<number, Told>();

  bytesOf(from: number, to: number, message: Message): number {
    const frame = this.#encoder.encode(0, message);
    if (frame.origins.length === 0) return frame.bytes.length;
    const connection = from * 2 ** 24 + to;
    let told = this.#told.get(connection);
    if (told === undefined) {
      told = new Told();
      this.#told.set(connection, told);
    }
    return told.missing(frame).reduce((sum, { length }) => sum + length, frame.bytes.length);
  }
}

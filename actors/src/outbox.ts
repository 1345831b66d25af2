/**
 * The outbox of a party: its messages, encoded once and sent down the lines of those they are for.
 *
 * Invariants
 *  1. A message is encoded once, however many it is for.
 *  2. It goes out on the connection that its party knows of, and on no later one: a transfer belongs to one connection.
 *  3. Nobody is told of an origin that every replica has forgotten.
 *
 * Source: docs/algorithm.md, rules 3 and 9.
 */

import { type GossipError, isGossipError, type Message, type Origin } from '@grapevine/core';
import type { Encoder } from '@grapevine/wire';

import type { Line } from './line.ts';

export interface OutboxOptions {
  readonly channel: number;
  readonly encoder: Encoder;
  /** The open connections by the peer's name. */
  readonly lines: ReadonlyMap<string, Line>;
}

/** The connection of a peer, as the party knows it. */
export type SessionOf = (name: string) => number | undefined;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sessionOf: SessionOf;
  /** Frames given to connections so far. */
  sent = 0;

  constructor(options: OutboxOptions, sessionOf: SessionOf) {
    this.#options = options;
    this.#sessionOf = sessionOf;
  }

  /**
   * Sends to those of `to` that are there.
   * @throws GossipError VALUE_NOT_SERIALISABLE, FRAME_TOO_LARGE; nothing sent
   */
  send(to: string | readonly string[], message: Message): void {
    const { channel, encoder, lines } = this.#options;
    let frame;
    for (const name of typeof to === 'string' ? [to] : to) {
      const line = lines.get(name);
      if (line === undefined || line.session.id !== this.#sessionOf(name)) continue;
      frame ??= encoder.encode(channel, message);
      if (line.send(frame)) this.sent += 1;
    }
  }

  /** An origin that this node forgot leaves the numbering too. */
  forget(origin: Origin): void {
    const number = this.#options.encoder.forget(origin);
    if (number === undefined) return;
    for (const line of this.#options.lines.values()) line.forget(number);
  }
}

/** What a protocol sent and nobody can carry: a fault of the protocol's, told as such. */
export function notSent(error: unknown): GossipError {
  if (isGossipError(error)) return error;
  throw error;
}

/**
 * The outbox of a party: its messages, encoded once and sent down the lines of those they are for.
 *
 * Invariants
 *  1. A message is encoded once, however many it is for.
 *  2. It goes out on the connection that its party knows of, and on no later one: a transfer belongs to one connection.
 *  3. Origins that only peers have spoken of, in what was refused or asked for, keep no number: there are at most twice as
 *     many numbers as origins that this node knows, and some.
 *  4. Nobody is told of an origin that every replica has forgotten.
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
  /** Whether any replica of this node knows an origin. @default all are known */
  readonly isKnown?: (origin: Origin) => boolean;
}

/** So many numbers are given before any is taken back. */
export const FEW_NUMBERS = 4096;
/** Numbers of one frame that takes them back: five bytes each at most, and every node takes a frame of 16 KiB. */
const NUMBERS_AT_ONCE = 3200;

/** The connection of a peer, as the party knows it. */
export type SessionOf = (name: string) => number | undefined;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sessionOf: SessionOf;
  /** Frames given to connections so far. */
  sent = 0;
  #pruneAt = FEW_NUMBERS;

  constructor(options: OutboxOptions, sessionOf: SessionOf) {
    this.#options = options;
    this.#sessionOf = sessionOf;
  }

  /**
   * Sends to those of `to` that are there.
   * @throws GossipError VALUE_NOT_SERIALISABLE, nothing sent; FRAME_TOO_LARGE, sent to those alone who take such a frame
   */
  send(to: string | readonly string[], message: Message): void {
    const { channel, encoder, lines, isKnown } = this.#options;
    if (isKnown !== undefined && encoder.numbered > this.#pruneAt) this.#prune(isKnown);
    let frame;
    let tooLarge: GossipError | undefined;
    for (const name of typeof to === 'string' ? [to] : to) {
      const line = lines.get(name);
      if (line === undefined || line.session.id !== this.#sessionOf(name)) continue;
      frame ??= encoder.encode(channel, message);
      try {
        if (line.send(frame)) this.sent += 1;
      } catch (error) {
        tooLarge ??= notSent(error);
      }
    }
    if (tooLarge !== undefined) throw tooLarge;
  }

  #prune(isKnown: (origin: Origin) => boolean): void {
    const { encoder, lines } = this.#options;
    const dropped = encoder.prune(isKnown);
    for (let i = 0; i < dropped.length; i += NUMBERS_AT_ONCE)
      for (const line of lines.values()) line.forget(dropped.slice(i, i + NUMBERS_AT_ONCE));
    this.#pruneAt = 2 * encoder.numbered + FEW_NUMBERS;
  }

  /** An origin that this node forgot leaves the numbering too. */
  forget(origin: Origin): void {
    const number = this.#options.encoder.forget(origin);
    if (number === undefined) return;
    for (const line of this.#options.lines.values()) line.forget([number]);
  }
}

/** What a protocol sent and nobody can carry: a fault of the protocol's, told as such. */
export function notSent(error: unknown): GossipError {
  if (isGossipError(error)) return error;
  throw error;
}

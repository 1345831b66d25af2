/**
 * Refusals: the last few connections and instances that were refused, for those who ask why nobody is there.
 *
 * Invariants
 *  1. At most `MOST` are kept. The same again, as a peer dials on, is counted and not listed twice.
 *
 * Source: docs/lifecycle.md.
 */

import type { ErrorCode, GossipError } from '@grapevine/core';

/** A connection that came to nothing since one side refused the other, or an instance that a peer refused. */
export interface Refusal {
  readonly code: ErrorCode;
  /** The sentence that names the cause and the cure. */
  readonly message: string;
  /** Which side refused the other. */
  readonly by: 'us' | 'peer';
  /** The name of the other node, where it was told. */
  readonly peer: string | null;
  /** The URL that this node dialled; `null` where the other node dialled. */
  readonly url: string | null;
  /** The network address of the other node, where it is known. */
  readonly address: string | null;
  /** When it was refused last, in wall-clock milliseconds. */
  readonly atMs: number;
  /** How often it was refused. */
  readonly times: number;
}

/** What is known of one that happens now. */
export interface Refused extends Omit<Refusal, 'code' | 'message' | 'atMs' | 'times'> {
  readonly error: GossipError;
}

/** How many different ones are kept. */
const MOST = 16;

export class Refusals {
  readonly #clock: () => number;
  /** The latest last. */
  readonly #kept = new Map<string, { readonly refusal: Refusal; readonly error: GossipError }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The latest last. */
  get list(): readonly Refusal[] {
    return Array.from(this.#kept.values(), ({ refusal }) => refusal);
  }

  /** The error of the latest; `undefined` where nothing was refused. */
  get latest(): GossipError | undefined {
    return [...this.#kept.values()].at(-1)?.error;
  }

  note({ error, by, peer, url, address }: Refused): Refusal {
    const { code, message } = error;
    const key = JSON.stringify([code, by, peer, url, address]);
    const times = (this.#kept.get(key)?.refusal.times ?? 0) + 1;
    const refusal: Refusal = { code, message, by, peer, url, address, atMs: this.#clock(), times };
    this.#kept.delete(key);
    this.#kept.set(key, { refusal, error });
    if (this.#kept.size > MOST) for (const oldest of this.#kept.keys()) return this.#drop(oldest, refusal);
    return refusal;
  }

  #drop(key: string, refusal: Refusal): Refusal {
    this.#kept.delete(key);
    return refusal;
  }
}

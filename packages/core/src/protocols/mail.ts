/**
 * Direct mail: what is written here leaves at once, with its value, to as many peers as `mail` says.
 *
 * Invariants
 *  1. The first write after a pause leaves in the same step; what follows within a millisecond leaves together.
 *  2. A mailed update is encoded once, however many receive it: one message to all of them.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.2.
 */

import type { Environment } from '../protocol.ts';
import { sample } from '../random.ts';
import type { Update } from '../update.ts';
import { inBatches } from './batches.ts';

const COALESCE_MS = 1;

export interface MailOptions {
  /** The most peers that get a write directly. */
  readonly mail: number;
  /** Whether everybody in view is among the peers. */
  readonly reachesAll: () => boolean;
  /** What has been mailed goes on from here: told whether it went to everybody. */
  readonly posted: (updates: readonly Update[], toEverybody: boolean, nowMs: number) => void;
}

export class Mail {
  readonly #environment: Environment;
  readonly #options: MailOptions;
  #waiting: Update[] = [];
  #postedMs: number = -Infinity;

  constructor(environment: Environment, options: MailOptions) {
    this.#environment = environment;
    this.#options = options;
  }

  /** Takes own writes to be mailed, now or within a millisecond. */
  add(updates: readonly Update[], peers: readonly string[], nowMs: number): void {
    const isQuiet = this.#waiting.length === 0 && !(nowMs >= this.#postedMs && nowMs < this.#postedMs + COALESCE_MS);
    if (isQuiet) return this.#post(updates, peers, nowMs);
    if (this.#waiting.length === 0) this.#environment.effects.setTimer('mail', COALESCE_MS);
    for (const update of updates) this.#waiting.push(update);
  }

  /** The millisecond is over. */
  tick(peers: readonly string[], nowMs: number): void {
    // What was superseded while it waited need not go: what superseded it waits behind it.
    const updates = this.#waiting.filter((update) => update.arrival > 0);
    this.#waiting = [];
    if (updates.length > 0) this.#post(updates, peers, nowMs);
  }

  #post(updates: readonly Update[], peers: readonly string[], nowMs: number): void {
    this.#postedMs = nowMs;
    const { effects, random } = this.#environment;
    const { mail, posted, reachesAll } = this.#options;
    const toAllPeers = peers.length <= mail;
    const to = toAllPeers ? peers : sample(random, peers, mail);
    if (to.length > 0)
      for (const batch of inBatches(updates)) effects.send(to, { type: 'updates', cause: 'mail', updates: batch });
    posted(updates, toAllPeers && reachesAll(), nowMs);
  }
}

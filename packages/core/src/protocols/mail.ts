/**
 * Direct mail: what is written here leaves at once, with its value, to as many peers as `mail` says.
 *
 * Invariants
 *  1. The first write after a pause leaves in the same step; what follows within a millisecond leaves together.
 *  2. Where there are more peers than `mail`, those come first from whom news goes on; who only dials is told by them.
 *  3. A mailed update is encoded once, however many receive it: one message to all of them.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.2.
 */

import { Batch, type UpdateList } from '../batch.ts';
import type { Environment } from '../protocol.ts';
import { sample } from '../random.ts';
import { inBatches } from './batches.ts';
import type { Sessions } from './sessions.ts';

const COALESCE_MS = 1;

export interface MailOptions {
  /** The most peers that get a write directly. */
  readonly mail: number;
  /** What has been mailed goes on from here: told whether it went to everybody. */
  readonly posted: (updates: Batch, toEverybody: boolean, nowMs: number) => void;
}

/** Who can be mailed to, and whether they are all who are in view. */
type Addressees = Pick<Sessions, 'names' | 'others' | 'dependents' | 'reachesAll'>;

export class Mail {
  readonly #environment: Environment;
  readonly #options: MailOptions;
  #waiting: Batch[] = [];
  #postedMs: number = -Infinity;

  constructor(environment: Environment, options: MailOptions) {
    this.#environment = environment;
    this.#options = options;
  }

  /** Takes own writes to be mailed, now or within a millisecond. */
  add(updates: UpdateList, peers: Addressees, nowMs: number): void {
    const isQuiet = this.#waiting.length === 0 && !(nowMs >= this.#postedMs && nowMs < this.#postedMs + COALESCE_MS);
    const batch = Batch.of(updates);
    if (isQuiet) return this.#post(batch, peers, nowMs);
    if (this.#waiting.length === 0) this.#environment.effects.setTimer('mail', COALESCE_MS);
    this.#waiting.push(batch);
  }

  /** The millisecond is over. */
  tick(peers: Addressees, nowMs: number): void {
    // What was superseded while it waited need not go: what superseded it waits behind it.
    const { store } = this.#environment.replica;
    const waiting = this.#waiting.map((batch) => batch.pick(store.heldRows(batch)));
    this.#waiting = [];
    const updates = Batch.joined(waiting);
    if (updates.length > 0) this.#post(updates, peers, nowMs);
  }

  #post(updates: Batch, { names, others, dependents, reachesAll }: Addressees, nowMs: number): void {
    this.#postedMs = nowMs;
    const { effects, random } = this.#environment;
    const { mail, posted } = this.#options;
    const toAllPeers = names.length <= mail;
    const to = toAllPeers
      ? names
      : [...sample(random, others, mail), ...sample(random, dependents, Math.max(0, mail - others.length))];
    if (to.length > 0)
      for (const batch of inBatches(updates)) effects.send(to, { type: 'updates', cause: 'mail', updates: batch });
    posted(updates, toAllPeers && reachesAll, nowMs);
  }
}

/**
 * A write of this node that the handler judges before it is stored, with `judgeWrites`.
 *
 * Invariants
 *  1. Writes are stored in the order in which they were asked for, removals and renewals among them, which are not judged.
 *  2. A message is written as a whole or not at all. It is tried once: whoever wrote it is told, and may try again.
 *
 * Source: docs/handlers.md.
 */

import { type Bytes, GossipError, type Origin, type StoredView, tiedAs, Update } from '@grapevine/core';

import type { Add, AddMany, Refresh, Remove, Write } from './messages.ts';
import type { Ruling } from './verdict.ts';

/** What the handler said of it: what is to be written, or why nothing is. */
export type WriteOutcome = { readonly writes: readonly Write[] } | { readonly error: GossipError };

export class OwnWrite {
  readonly message: Add | AddMany | Remove | Refresh;
  readonly writes: readonly Write[];
  #outcome: WriteOutcome | null;
  /** The snapshot that the handler is shown. It is kept here, so that it is let go of even where the handler crashes. */
  #stored: StoredView | null = null;

  constructor(message: Add | AddMany | Remove | Refresh) {
    this.message = message;
    this.writes = message.type === 'add-many' ? message.writes : [message];
    this.#outcome = message.type === 'remove' || message.type === 'refresh' ? { writes: this.writes } : null;
  }

  /** `null`: it waits for the handler. */
  get outcome(): WriteOutcome | null {
    return this.#outcome;
  }

  /** Whether the handler was asked, and nothing has come of it yet. */
  get isTrying(): boolean {
    return this.#stored !== null;
  }

  /** The handler is asked. @param stored what it is shown of what is stored; released with the outcome */
  begin(stored: StoredView): void {
    this.#stored = stored;
  }

  /** What the handler is shown. */
  updates(origin: Origin): Update[] {
    return this.writes.map(({ id, bytes }) => new Update(id, bytes, 0, origin, 0, undefined));
  }

  judged({ reset, kept }: Ruling, gossip: string): void {
    if (reset) {
      this.failed(
        new GossipError('VERDICT_INVALID', "An own write is judged by 'ok', { ok: kept } or 'ignore'."),
        gossip,
      );
      return;
    }
    const left = this.writes.find(({ id }) => !kept.has(id));
    if (left === undefined)
      // A value that the handler has changed is tied to this node as what was to be written.
      this.#decide({
        writes: this.writes.map(({ id, bytes }) => ({ id, bytes: tiedAs(bytes as Bytes, kept.get(id) as Bytes) })),
      });
    else this.#refuse(left.id, 'its verdict does not keep it', gossip, undefined);
  }

  failed(error: unknown, gossip: string): void {
    const why = hasMessage(error) ? error.message : String(error);
    this.#refuse(this.writes[0]?.id ?? '', why, gossip, error);
  }

  #refuse(id: string, why: string, gossip: string, cause: unknown): void {
    const which =
      this.writes.length > 1 ? `a batch of ${this.writes.length} writes` : `the write of '${id.slice(0, 80)}'`;
    const error = new GossipError(
      'WRITE_REFUSED',
      `The handler of '${gossip}' refused ${which}: ${why}. Nothing of it was written.`,
      { context: { gossip, id: id.slice(0, 80) }, cause },
    );
    this.#decide({ error });
  }

  #decide(outcome: WriteOutcome): void {
    this.#outcome = outcome;
    this.#stored?.release();
    this.#stored = null;
  }
}

/** Also an error of another realm. */
function hasMessage(error: unknown): error is { readonly message: string } {
  return typeof (error as { readonly message?: unknown } | null)?.message === 'string';
}

/**
 * Dots that mean two updates: what has come under a dot that is held as another update, or under this replica's own dots that
 * it never wrote.
 *
 * Invariants
 *  1. Each is counted whenever it comes. It is said once of each origin, and of a few origins.
 *  2. What is held stays: nobody knows which of the two is right.
 *
 * Source: docs/algorithm.md, rule 2.
 */

import { GossipError } from '../errors.ts';
import { shownId } from '../printable.ts';
import type { Update } from '../update.ts';

/** Of so many origins it is said. */
const MOST_SAID = 16;

export class ReusedDots {
  /** How often one has come. */
  count = 0;
  readonly #said = new Set<string>();

  /** @param held what is held under the dot; `undefined`: it is a dot of this replica that it never wrote */
  notice(held: Update | undefined, arrived: Update, report: (error: GossipError) => void): void {
    this.count++;
    const { origin, sequence } = arrived;
    if (this.#said.has(origin.key) || this.#said.size >= MOST_SAID) return;
    this.#said.add(origin.key);
    const id = shownId(arrived.id);
    const heldId = held === undefined ? null : shownId(held.id);
    const there = heldId === null ? 'this node has not written' : `is held here as another, of '${heldId}'`;
    report(
      new GossipError(
        'DOT_REUSED',
        `Update ${sequence} of '${origin.name}' came with the id '${id}' and ${there}: two processes write under one name and one epoch (${origin.epoch}). What they write differs between nodes without a difference of hashes. Give each process its own name, restart '${origin.name}', and write again what differs.`,
        { context: { origin: origin.name, epoch: origin.epoch, sequence, id, heldId } },
      ),
    );
  }
}

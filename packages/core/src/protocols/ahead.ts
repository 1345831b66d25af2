/**
 * Says that own writes are stamped too far ahead: the clock of this node was ahead when they were made.
 *
 * Invariant: it is said once, and again only after the stamps were no longer ahead.
 */

import { GossipError } from '../errors.ts';
import type { Environment } from '../protocol.ts';

export class Ahead {
  readonly #environment: Environment;
  #isSaid = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Compares the newest own stamp with the clock. */
  look(nowMs: number): void {
    const { replica, effects } = this.#environment;
    const aheadMs = replica.aheadMs(nowMs);
    const isAhead = aheadMs > 0;
    if (isAhead === this.#isSaid) return;
    this.#isSaid = isAhead;
    if (!isAhead) return;
    const { maxDriftMs } = replica;
    const writes = replica.countAhead(nowMs);
    effects.report(
      new GossipError(
        'CLOCK_WAS_AHEAD',
        `The newest write of this node is stamped ${aheadMs} ms ahead of its clock, more than maxDriftMs (--max-drift-ms, ${maxDriftMs}): the clock was ahead and was set back. ${writes} ${writes === 1 ? 'write that is' : 'writes that are'} stamped so far ahead reach other nodes only when their time comes; new ids are stamped by the clock as it is now. Write what must be seen now under a new id, or restart this node where no other node has taken those writes; keep the clock right (NTP).`,
        { context: { aheadMs, maxDriftMs, writes } },
      ),
    );
  }
}

/**
 * Totals: what all connections of a node have carried since it started, those that are closed among them.
 *
 * Invariants
 *  1. Every figure only grows, over closed connections and crashes of the transport alike: counters of a connection are added
 *     once, when it closes, and read in place until then.
 *
 * Source: docs/architecture.md.
 */

import type { SessionCounters } from '@grapevine/transport';

import type { Line } from './line.ts';

/** Counters that only grow while the node lives. */
export interface NodeTotals extends Readonly<SessionCounters> {
  /** Connections that were opened. */
  readonly connections: number;
  /** How often a peer had used up its allowance. */
  readonly throttled: number;
}

type Sums = { -readonly [Name in keyof NodeTotals]: number };

export class Totals {
  readonly #open = new Set<Line>();
  readonly #closed: Sums = {
    connections: 0,
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: 0,
    throttled: 0,
  };

  opened(line: Line): void {
    this.#closed.connections += 1;
    this.#open.add(line);
  }

  closed(line: Line): void {
    if (this.#open.delete(line)) addTo(this.#closed, line);
  }

  read(): NodeTotals {
    const sums = { ...this.#closed };
    for (const line of this.#open) addTo(sums, line);
    return sums;
  }
}

function addTo(sums: Sums, { session: { counters }, throttled }: Line): void {
  sums.framesIn += counters.framesIn;
  sums.framesOut += counters.framesOut;
  sums.bytesIn += counters.bytesIn;
  sums.bytesOut += counters.bytesOut;
  sums.dropped += counters.dropped;
  sums.throttled += throttled;
}

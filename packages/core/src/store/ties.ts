/**
 * Ties: what readers see only while its writer is there, by writer.
 *
 * Invariants
 *  1. A row is tied to the writer of the ephemeral value that readers see under it, once.
 *  2. Whether readers see it follows from its writer and the view alone, whatever came first.
 *  3. Of a store without ephemeral values nothing is kept here.
 */

import type { Origin } from '../origin.ts';

/** Whether a writer is there, by its origin. */
export type IsThere = (writer: Origin) => boolean;

interface Writer {
  readonly origin: Origin;
  isThere: boolean;
  /** Of the rows that are tied to it. */
  readonly arrivals: Set<number>;
}

const anybody: IsThere = () => true;

export class Ties {
  readonly #writers = new Map<string, Writer>();
  #isThere = anybody;
  /** Rows whose writers are gone. */
  readonly gone: Set<number> = new Set();

  /** Ties a row to a writer. @returns whether the writer is there */
  add(writer: Origin, arrival: number): boolean {
    let known = this.#writers.get(writer.key);
    if (known === undefined) {
      known = { origin: writer, isThere: this.#isThere(writer), arrivals: new Set() };
      this.#writers.set(writer.key, known);
    }
    known.arrivals.add(arrival);
    if (!known.isThere) this.gone.add(arrival);
    return known.isThere;
  }

  delete(writer: Origin, arrival: number): void {
    const known = this.#writers.get(writer.key);
    if (known === undefined) return;
    known.arrivals.delete(arrival);
    this.gone.delete(arrival);
    if (known.arrivals.size === 0) this.#writers.delete(writer.key);
  }

  /** The rows that are tied to a writer. */
  of(writer: Origin): Iterable<number> {
    return this.#writers.get(writer.key)?.arrivals ?? [];
  }

  /** Who is there from now on. @returns the rows whose writers have come or gone, for `turn` */
  judge(isThere: IsThere): number[] {
    this.#isThere = isThere;
    const turning: number[] = [];
    for (const writer of this.#writers.values()) {
      const isNow = isThere(writer.origin);
      if (isNow === writer.isThere) continue;
      writer.isThere = isNow;
      for (const arrival of writer.arrivals) turning.push(arrival);
    }
    return turning;
  }

  /** A row whose writer has come or gone is shown or hidden. @returns whether it is shown */
  turn(arrival: number): boolean {
    if (this.gone.delete(arrival)) return true;
    this.gone.add(arrival);
    return false;
  }
}

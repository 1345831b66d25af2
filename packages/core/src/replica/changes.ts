/**
 * What has changed for readers here and was not told yet, in order.
 *
 * Invariants
 *  1. Rows of one batch that follow each other are noted as a range of it: they are not copied before they are taken.
 */

import { Batch } from '../batch.ts';
import type { Update } from '../update.ts';

/** Rows from `first` up to `end`. */
interface Part {
  readonly batch: Batch;
  readonly first: number;
  end: number;
}

export class Changes implements Iterable<Update> {
  #parts: Part[] = [];
  #length = 0;
  /** Of changes that came as updates. */
  #own: Batch = new Batch();

  get length(): number {
    return this.#length;
  }

  /** Notes a row, in which readers here see its value. */
  note(batch: Batch, row: number): void {
    this.#length++;
    const last = this.#parts[this.#parts.length - 1];
    if (last !== undefined && last.batch === batch && last.end === row) last.end++;
    else this.#parts.push({ batch, first: row, end: row + 1 });
  }

  add(update: Update): void {
    this.#own.add(update);
    this.note(this.#own, this.#own.length - 1);
  }

  clear(): void {
    this.#parts = [];
    this.#length = 0;
    this.#own = new Batch();
  }

  /** All of them as a batch that nothing is appended to; there are none from then on. */
  take(): Batch {
    const parts = this.#parts;
    this.clear();
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only.batch.slice(only.first, only.end);
    const all = new Batch();
    for (const { batch, first, end } of parts) for (let row = first; row < end; row++) all.take(batch, row);
    return all;
  }

  *[Symbol.iterator](): IterableIterator<Update> {
    for (const { batch, first, end } of this.#parts) for (let row = first; row < end; row++) yield batch.at(row);
  }
}

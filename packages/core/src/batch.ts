/**
 * A batch: updates on their way, in columns. A column has a row for each update, in the order of the batch.
 *
 * What arrives in a frame, what is written here and what subscribers are told are batches. An `Update` is a view of a row, made when
 * somebody asks for it: a handler, the author of a protocol, a test.
 *
 * Invariants
 *  1. Rows are only appended, and no row changes. So a batch may be shared by all who were given it.
 *  2. Nothing of a frame stays referenced: ids are strings of their own, values are copies.
 */

import { Context, type OriginDots } from './context.ts';
import type { Stamp } from './hlc.ts';
import type { Origin } from './origin.ts';
import { Update, UPDATE_BYTES, type View } from './update.ts';
import { Values } from './values.ts';

/** Updates one after the other: an array of them, or a batch. */
export interface UpdateList extends Iterable<Update> {
  readonly length: number;
}

/** The expiry of what has none. */
const NEVER = -1;

export class Batch implements UpdateList {
  readonly ids: string[];
  readonly stamps: Stamp[];
  readonly origins: Origin[];
  readonly sequences: number[];
  readonly values: Values;
  /** Made with the first row that expires. */
  #expiries: number[] | null = null;
  /** What readers here see instead, by the rows of which that is so. */
  #views: Map<number, View> | null = null;

  /** Without columns it is empty. */
  constructor(
    values: Values = new Values(),
    ids: string[] = [],
    stamps: Stamp[] = [],
    origins: Origin[] = [],
    sequences: number[] = [],
  ) {
    this.values = values;
    this.ids = ids;
    this.stamps = stamps;
    this.origins = origins;
    this.sequences = sequences;
  }

  /** The same updates as a batch: itself, where it is one. */
  static of(updates: UpdateList): Batch {
    if (updates instanceof Batch) return updates;
    const batch = new Batch(new Values(updates.length));
    for (const update of updates) batch.add(update);
    return batch;
  }

  /** All rows of these, in order. */
  static joined(parts: readonly Batch[]): Batch {
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only;
    const joined = new Batch(new Values(parts.reduce((sum, { length }) => sum + length, 0)));
    for (const part of parts) for (let row = 0; row < part.length; row++) joined.take(part, row);
    return joined;
  }

  get length(): number {
    return this.ids.length;
  }

  /** Appends a row without its value, which is to be appended to `values`. @param expiresAt wall-clock milliseconds */
  push(id: string, stamp: Stamp, origin: Origin, sequence: number, expiresAt: number | undefined): void {
    const row = this.ids.push(id) - 1;
    this.stamps.push(stamp);
    this.origins.push(origin);
    this.sequences.push(sequence);
    if (expiresAt !== undefined && this.#expiries === null) this.#expiries = Array.from({ length: row }, () => NEVER);
    this.#expiries?.push(expiresAt ?? NEVER);
  }

  /** Appends an update. */
  add({ id, value, stamp, origin, sequence, expiresAt, view }: Update): void {
    if (view !== undefined) (this.#views ??= new Map()).set(this.length, view);
    this.push(id, stamp, origin, sequence, expiresAt);
    this.values.append(value);
  }

  /** Appends a row of another batch. */
  take(from: Batch, row: number): void {
    const view = from.#views?.get(row);
    if (view !== undefined) (this.#views ??= new Map()).set(this.length, view);
    this.push(
      from.ids[row] as string,
      from.stamps[row] as Stamp,
      from.origins[row] as Origin,
      from.sequences[row] as number,
      from.expiresAt(row),
    );
    this.values.take(from.values, row);
  }

  /** The update of a row, made anew with each call. */
  at(row: number): Update {
    const update = new Update(
      this.ids[row] as string,
      this.values.at(row),
      this.stamps[row] as Stamp,
      this.origins[row] as Origin,
      this.sequences[row] as number,
      this.expiresAt(row),
    );
    update.view = this.#views?.get(row);
    return update;
  }

  *[Symbol.iterator](): IterableIterator<Update> {
    for (let row = 0; row < this.length; row++) yield this.at(row);
  }

  /** Wall-clock milliseconds; `undefined`: never. */
  expiresAt(row: number): number | undefined {
    const expiry = this.#expiries === null ? NEVER : (this.#expiries[row] as number);
    return expiry === NEVER ? undefined : expiry;
  }

  /** What readers here see of a row instead of its value. */
  viewOf(row: number): View | undefined {
    return this.#views?.get(row);
  }

  /** Bytes of id and value, as `maxUpdateBytes` counts them. */
  bytesOf(row: number): number {
    return (this.ids[row] as string).length + this.values.lengthOf(row);
  }

  /** As `updateBytes` counts. */
  updateBytes(row: number): number {
    return this.bytesOf(row) + UPDATE_BYTES;
  }

  /** The rows from `first` up to `end`: a copy of a few arrays, whatever is appended here later. */
  slice(first: number, end: number): Batch {
    const part = new Batch(
      this.values.slice(first, end),
      this.ids.slice(first, end),
      this.stamps.slice(first, end),
      this.origins.slice(first, end),
      this.sequences.slice(first, end),
    );
    if (this.#expiries !== null) part.#expiries = this.#expiries.slice(first, end);
    if (this.#views !== null)
      for (const [row, view] of this.#views)
        if (row >= first && row < end) (part.#views ??= new Map()).set(row - first, view);
    return part;
  }

  /** These rows, which rise. */
  pick(rows: readonly number[]): Batch {
    if (rows.length === this.length) return this;
    const picked = new Batch(new Values(rows.length));
    for (const row of rows) picked.take(this, row);
    return picked;
  }

  dots(): OriginDots[] {
    const { origins, sequences, length } = this;
    const dots = new Context();
    for (let row = 0; row < length;) {
      const origin = origins[row] as Origin;
      const first = sequences[row] as number;
      let next = first + 1;
      row++;
      while (row < length && sequences[row] === next && origins[row] === origin) {
        next++;
        row++;
      }
      dots.add(origin, first, next - 1);
    }
    return dots.dots();
  }
}

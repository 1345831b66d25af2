/**
 * A page: rows of a store in order of arrival, a column for each field, and the bytes of their values in one slab.
 *
 * Invariants
 *  1. Rows are only appended. One that is taken out leaves a gap, until the page is made anew or the whole page goes.
 *  2. Nothing that is put in stays referenced but the id and a long value: they are strings of their own.
 */

import type { Update } from '../update.ts';
import { Values } from '../values.ts';

/** Rows of a page at most. A row's number in its store is the page's number times this, plus its slot. */
export const PAGE_ROWS = 4096;
/** Bits of a row's number that name its slot. */
export const SLOT_BITS = 12;

const FIRST_ROWS = 16;
/** The expiry of what has none. */
const NEVER = -1;

export class Page {
  readonly number: number;
  /** Rows that were appended, gaps among them, and rows that are there. */
  used = 0;
  live = 0;
  /** `undefined`: the row was taken out. */
  readonly ids: (string | undefined)[] = [];
  stamps: Float64Array;
  sequences: Float64Array;
  arrivals: Float64Array;
  origins: Int32Array;
  /** A row without one is a tombstone. */
  readonly values: Values;
  /** Made with the first row that expires. */
  #expiries: Float64Array<ArrayBuffer> | null = null;

  /** @param rows places to begin with */
  constructor(number: number, rows: number = FIRST_ROWS) {
    this.number = number;
    this.stamps = new Float64Array(rows);
    this.sequences = new Float64Array(rows);
    this.arrivals = new Float64Array(rows);
    this.origins = new Int32Array(rows);
    this.values = new Values(rows);
  }

  /** Rows that there is memory for. */
  get places(): number {
    return this.stamps.length;
  }

  /** Doubles the memory for rows, up to a whole page. */
  grow(): void {
    const rows = Math.min(PAGE_ROWS, 2 * this.places);
    this.stamps = grown(new Float64Array(rows), this.stamps);
    this.sequences = grown(new Float64Array(rows), this.sequences);
    this.arrivals = grown(new Float64Array(rows), this.arrivals);
    this.origins = grown(new Int32Array(rows), this.origins);
    if (this.#expiries !== null) this.#expiries = grown(new Float64Array(rows), this.#expiries);
  }

  /**
   * Appends a row, for which there must be memory, without its value, which is to be appended to `values`.
   * @param origin the number of its writer
   * @returns its slot
   */
  append(
    id: string,
    origin: number,
    arrival: number,
    stamp: number,
    sequence: number,
    expiresAt: number | undefined,
  ): number {
    const slot = this.used++;
    this.live++;
    this.ids.push(id);
    this.stamps[slot] = stamp;
    this.sequences[slot] = sequence;
    this.arrivals[slot] = arrival;
    this.origins[slot] = origin;
    if (expiresAt !== undefined && this.#expiries === null) this.#expiries = new Float64Array(this.places).fill(NEVER);
    if (this.#expiries !== null) this.#expiries[slot] = expiresAt ?? NEVER;
    return slot;
  }

  /** Appends a row of another page. @returns its slot here */
  take(from: Page, slot: number): number {
    const to = this.append(
      from.ids[slot] as string,
      from.origins[slot] as number,
      from.arrivals[slot] as number,
      from.stamps[slot] as number,
      from.sequences[slot] as number,
      from.expiresAt(slot),
    );
    this.values.take(from.values, slot);
    return to;
  }

  /** Takes a row out. */
  remove(slot: number): void {
    this.ids[slot] = undefined;
    this.live--;
    this.values.remove(slot);
  }

  /** Whether a row is this very update, told by nothing but its dot. A value that has expired here was the same. */
  isAs(slot: number, { id, value, stamp, expiresAt }: Update): boolean {
    if (this.stamps[slot] !== stamp || this.ids[slot] !== id || this.expiresAt(slot) !== expiresAt) return false;
    if (this.isTombstone(slot)) return value === undefined || expiresAt !== undefined;
    return value !== undefined && this.values.is(slot, value);
  }

  isTombstone(slot: number): boolean {
    return !this.values.has(slot);
  }

  expiresAt(slot: number): number | undefined {
    const expiry = this.#expiries === null ? NEVER : (this.#expiries[slot] as number);
    return expiry === NEVER ? undefined : expiry;
  }
}

/** The larger array with what the smaller one holds. */
function grown<T extends Float64Array | Int32Array>(larger: T, smaller: T): T {
  larger.set(smaller);
  return larger;
}

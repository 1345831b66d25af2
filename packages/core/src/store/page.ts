/**
 * A page: rows of a store in order of arrival, a column for each field, and the bytes of their values in one slab.
 *
 * Invariants
 *  1. Rows are only appended. One that is taken out leaves a gap, until the page is made anew or the whole page goes.
 *  2. Starts of values rise with the rows, so that the slab is compacted in place: when half of it is dead.
 *  3. Nothing that is put in stays referenced but the id and a long value: they are strings of their own.
 */

import type { Bytes, Update } from '../update.ts';

/** Rows of a page at most. A row's number in its store is the page's number times this, plus its slot. */
export const PAGE_ROWS = 4096;
/** Bits of a row's number that name its slot. */
export const SLOT_BITS = 12;

const FIRST_ROWS = 16;
const FIRST_BYTES = 128;
/** A longer value is kept as the string that it came as: it takes little more than its characters, and is not read anew. */
const SHORT = 64;
/** Where a value starts that is not in the slab. */
const NONE = -1;
const LONG = -2;
/** The expiry of what has none. */
const NEVER = -1;

export class Page {
  readonly number: number;
  /** Rows that were appended, gaps among them, and rows that are there. */
  used = 0;
  live = 0;
  /** `undefined`: the row was taken out. */
  readonly ids: (string | undefined)[] = [];
  stamps: Float64Array<ArrayBuffer>;
  sequences: Float64Array<ArrayBuffer>;
  arrivals: Float64Array<ArrayBuffer>;
  origins: Int32Array<ArrayBuffer>;
  #starts: Int32Array<ArrayBuffer>;
  #lengths: Uint8Array<ArrayBuffer>;
  /** Made with the first row that expires. */
  #expiries: Float64Array<ArrayBuffer> | null = null;
  #slab: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #filled = 0;
  #dead = 0;
  #long: Map<number, Bytes> | null = null;

  /** @param rows places to begin with */
  constructor(number: number, rows: number = FIRST_ROWS) {
    this.number = number;
    this.stamps = new Float64Array(rows);
    this.sequences = new Float64Array(rows);
    this.arrivals = new Float64Array(rows);
    this.origins = new Int32Array(rows);
    this.#starts = new Int32Array(rows);
    this.#lengths = new Uint8Array(rows);
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
    this.#starts = grown(new Int32Array(rows), this.#starts);
    this.#lengths = grown(new Uint8Array(rows), this.#lengths);
    if (this.#expiries !== null) this.#expiries = grown(new Float64Array(rows), this.#expiries);
  }

  /** Appends a row, for which there must be memory. @returns its slot */
  append({ id, value, stamp, sequence, expiresAt }: Update, origin: number, arrival: number): number {
    const slot = this.#enter(id, origin, arrival, stamp, sequence);
    if (expiresAt !== undefined) this.#expire(slot, expiresAt);
    if (value === undefined) {
      this.#starts[slot] = NONE;
      return slot;
    }
    const { length } = value;
    if (length > SHORT) {
      this.#starts[slot] = LONG;
      (this.#long ??= new Map()).set(slot, value);
      return slot;
    }
    this.#reserve(length);
    const slab = this.#slab;
    const start = this.#filled;
    for (let i = 0; i < length; i++) slab[start + i] = value.charCodeAt(i);
    this.#place(slot, start, length);
    return slot;
  }

  /** Appends a row of another page. @returns its slot here */
  take(from: Page, slot: number): number {
    const to = this.#enter(
      from.ids[slot] as string,
      from.origins[slot] as number,
      from.arrivals[slot] as number,
      from.stamps[slot] as number,
      from.sequences[slot] as number,
    );
    const expiry = from.#expiries === null ? NEVER : (from.#expiries[slot] as number);
    if (expiry !== NEVER) this.#expire(to, expiry);
    const start = from.#starts[slot] as number;
    if (start === LONG) (this.#long ??= new Map()).set(to, from.#long?.get(slot) ?? '');
    if (start < 0) {
      this.#starts[to] = start;
      return to;
    }
    const length = from.#lengths[slot] as number;
    this.#reserve(length);
    const slab = this.#slab;
    const at = this.#filled;
    for (let i = 0; i < length; i++) slab[at + i] = from.#slab[start + i] as number;
    this.#place(to, at, length);
    return to;
  }

  /** Takes a row out. */
  remove(slot: number): void {
    const start = this.#starts[slot] as number;
    this.ids[slot] = undefined;
    this.live--;
    if (start === LONG) this.#long?.delete(slot);
    if (start < 0) return;
    this.#dead += this.#lengths[slot] as number;
    if (2 * this.#dead > this.#filled && this.#filled > FIRST_BYTES) this.#compact();
  }

  /** Whether a row is this very update, told by nothing but its dot. A value that has expired here was the same. */
  isAs(slot: number, { id, value, stamp, expiresAt }: Update): boolean {
    if (this.stamps[slot] !== stamp || this.ids[slot] !== id || this.expiresAt(slot) !== expiresAt) return false;
    const start = this.#starts[slot] as number;
    if (start === NONE) return value === undefined || expiresAt !== undefined;
    if (value === undefined) return false;
    if (start === LONG) return this.#long?.get(slot) === value;
    const { length } = value;
    if (length !== this.#lengths[slot]) return false;
    const slab = this.#slab;
    for (let i = 0; i < length; i++) if (slab[start + i] !== value.charCodeAt(i)) return false;
    return true;
  }

  /** `undefined`: the row is a tombstone. */
  value(slot: number): Bytes | undefined {
    const start = this.#starts[slot] as number;
    if (start >= 0) return textOf(this.#slab, start, start + (this.#lengths[slot] as number));
    return start === LONG ? this.#long?.get(slot) : undefined;
  }

  isTombstone(slot: number): boolean {
    return this.#starts[slot] === NONE;
  }

  /** Length of the value; 0 for a tombstone. */
  valueLength(slot: number): number {
    const start = this.#starts[slot] as number;
    if (start >= 0) return this.#lengths[slot] as number;
    return start === LONG ? (this.#long?.get(slot)?.length ?? 0) : 0;
  }

  expiresAt(slot: number): number | undefined {
    const expiry = this.#expiries === null ? NEVER : (this.#expiries[slot] as number);
    return expiry === NEVER ? undefined : expiry;
  }

  /** Gives back memory that nothing will be appended to. */
  trim(): void {
    if (this.#slab.length > this.#filled) this.#slab = this.#slab.slice(0, this.#filled);
  }

  #enter(id: string, origin: number, arrival: number, stamp: number, sequence: number): number {
    const slot = this.used++;
    this.live++;
    this.ids.push(id);
    this.stamps[slot] = stamp;
    this.sequences[slot] = sequence;
    this.arrivals[slot] = arrival;
    this.origins[slot] = origin;
    if (this.#expiries !== null) this.#expiries[slot] = NEVER;
    return slot;
  }

  #expire(slot: number, expiresAt: number): void {
    this.#expiries ??= new Float64Array(this.places).fill(NEVER);
    this.#expiries[slot] = expiresAt;
  }

  /** Makes room for so many bytes more. */
  #reserve(length: number): void {
    const needed = this.#filled + length;
    if (needed > this.#slab.length)
      this.#slab = grown(new Uint8Array(Math.max(2 * this.#slab.length, needed)), this.#slab);
  }

  #place(slot: number, start: number, length: number): void {
    this.#starts[slot] = start;
    this.#lengths[slot] = length;
    this.#filled = start + length;
  }

  /** Moves the values of the rows that are there together. */
  #compact(): void {
    let filled = 0;
    for (let slot = 0; slot < this.used; slot++) {
      const start = this.#starts[slot] as number;
      if (start < 0 || this.ids[slot] === undefined) continue;
      const length = this.#lengths[slot] as number;
      this.#slab.copyWithin(filled, start, start + length);
      this.#starts[slot] = filled;
      filled += length;
    }
    this.#filled = filled;
    this.#dead = 0;
    this.#slab = this.#slab.slice(0, Math.max(FIRST_BYTES, filled));
  }
}

/** The larger array with what the smaller one holds. */
function grown<T extends Float64Array | Int32Array | Uint8Array>(larger: T, smaller: T): T {
  larger.set(smaller);
  return larger;
}

const { fromCharCode } = String;

/** Bytes as a string of one character a byte: eight at a time, since each call and each joining costs. */
function textOf(bytes: Uint8Array, start: number, end: number): Bytes {
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8)
    text += fromCharCode(
      bytes[at] as number,
      bytes[at + 1] as number,
      bytes[at + 2] as number,
      bytes[at + 3] as number,
      bytes[at + 4] as number,
      bytes[at + 5] as number,
      bytes[at + 6] as number,
      bytes[at + 7] as number,
    );
  switch (end - at) {
    case 0:
      return text;
    case 1:
      return text + fromCharCode(bytes[at] as number);
    case 2:
      return text + fromCharCode(bytes[at] as number, bytes[at + 1] as number);
    case 3:
      return text + fromCharCode(bytes[at] as number, bytes[at + 1] as number, bytes[at + 2] as number);
    default:
      text += fromCharCode(
        bytes[at] as number,
        bytes[at + 1] as number,
        bytes[at + 2] as number,
        bytes[at + 3] as number,
      );
      return text + textOf(bytes, at + 4, end);
  }
}

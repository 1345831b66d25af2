/**
 * A column of values: the bytes of all of them side by side in one slab, in the order of their rows.
 *
 * Invariants
 *  1. Values are only appended. Starts in the slab rise with the rows, so that it is compacted in place: when half of it is dead.
 *  2. Nothing that is put in stays referenced but a long value: that is a string of its own.
 */

import { type Bytes, isEphemeral } from './update.ts';

const FIRST_ROWS = 16;
const FIRST_BYTES = 128;
/** A longer value is kept as the string that it came as: it takes little more than its characters, and is not read anew. */
export const SHORT_VALUE = 64;
/** Where a value starts that is not in the slab. */
const NONE = -1;
const LONG = -2;
const GONE = -3;

export class Values {
  #starts: Int32Array<ArrayBuffer>;
  #lengths: Uint8Array<ArrayBuffer>;
  #count = 0;
  #slab: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #dead = 0;
  #long: Map<number, Bytes> | null = null;

  /**
   * @param rows places to begin with
   * @param bytes of short values, likewise
   */
  constructor(rows: number = FIRST_ROWS, bytes: number = FIRST_BYTES) {
    this.#starts = new Int32Array(Math.max(1, rows));
    this.#lengths = new Uint8Array(Math.max(1, rows));
    this.#slab = new Uint8Array(bytes);
  }

  /** The rows from `first` up to `end`. They share their bytes with this column, of which no row may be taken out then. */
  slice(first: number, end: number): Values {
    const part = new Values(0, 0);
    part.#starts = this.#starts.slice(first, end);
    part.#lengths = this.#lengths.slice(first, end);
    part.#count = end - first;
    part.#slab = this.#slab;
    part.#filled = this.#slab.length;
    if (this.#long !== null)
      for (const [row, value] of this.#long)
        if (row >= first && row < end) (part.#long ??= new Map()).set(row - first, value);
    return part;
  }

  /** Appends a value; `undefined`: the row has none. */
  append(value: Bytes | undefined): void {
    if (value === undefined) return this.#appendOther(NONE);
    const { length } = value;
    if (length > SHORT_VALUE) return this.#appendLong(value);
    this.#reserve(length);
    const slab = this.#slab;
    const start = this.#filled;
    for (let i = 0; i < length; i++) slab[start + i] = value.charCodeAt(i);
    this.#place(length);
  }

  /** Appends the bytes from `start` to `end`, at most `SHORT_VALUE`. */
  appendBytes(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    const slab = this.#slab;
    const at = this.#filled;
    for (let i = 0; i < length; i++) slab[at + i] = bytes[start + i] as number;
    this.#place(length);
  }

  /** Appends a value of another column. */
  take(from: Values, row: number): void {
    const start = from.#starts[row] as number;
    if (start >= 0) this.appendBytes(from.#slab, start, start + (from.#lengths[row] as number));
    else if (start === LONG) this.#appendLong(from.#long?.get(row) ?? '');
    else this.#appendOther(NONE);
  }

  /** Takes a value out; its row stays. */
  remove(row: number): void {
    const start = this.#starts[row] as number;
    if (start === LONG) this.#long?.delete(row);
    this.#starts[row] = GONE;
    if (start < 0) return;
    this.#dead += this.#lengths[row] as number;
    if (2 * this.#dead > this.#filled && this.#filled > FIRST_BYTES) this.#compact();
  }

  /** `undefined`: the row has none. */
  at(row: number): Bytes | undefined {
    const start = this.#starts[row] as number;
    if (start >= 0) return textOf(this.#slab, start, start + (this.#lengths[row] as number));
    return start === LONG ? this.#long?.get(row) : undefined;
  }

  /** Whether a row has a value. */
  has(row: number): boolean {
    return this.#starts[row] !== NONE;
  }

  /** Whether a value is tied to its writer. */
  isEphemeral(row: number): boolean {
    const start = this.#starts[row] as number;
    if (start === LONG) return isEphemeral(this.#long?.get(row) ?? '');
    const slab = this.#slab;
    return start >= 0 && slab[start] === 0xdc && isEphemeral(this.at(row) as Bytes);
  }

  /** Bytes of a value; 0 where there is none. */
  lengthOf(row: number): number {
    const start = this.#starts[row] as number;
    if (start >= 0) return this.#lengths[row] as number;
    return start === LONG ? (this.#long?.get(row)?.length ?? 0) : 0;
  }

  /** Whether the value of a row is this one. */
  is(row: number, value: Bytes): boolean {
    const start = this.#starts[row] as number;
    if (start === LONG) return this.#long?.get(row) === value;
    const { length } = value;
    if (start < 0 || length !== this.#lengths[row]) return false;
    const slab = this.#slab;
    for (let i = 0; i < length; i++) if (slab[start + i] !== value.charCodeAt(i)) return false;
    return true;
  }

  /** The bytes of all short values; those of a row begin at `startOf`. A view, good until the column changes. */
  get bytes(): Uint8Array {
    return this.#slab.subarray(0, this.#filled);
  }

  /** Where a short value begins in `bytes`; below 0: the row has none, or a long one. */
  startOf(row: number): number {
    return this.#starts[row] as number;
  }

  /** Gives back memory that nothing will be appended to. */
  trim(): void {
    if (this.#slab.length > this.#filled) this.#slab = this.#slab.slice(0, this.#filled);
  }

  #appendLong(value: Bytes): void {
    (this.#long ??= new Map()).set(this.#count, value);
    this.#appendOther(LONG);
  }

  #appendOther(start: number): void {
    if (this.#count === this.#starts.length) this.#grow();
    this.#starts[this.#count++] = start;
  }

  /** Makes room for so many bytes more. */
  #reserve(length: number): void {
    const needed = this.#filled + length;
    if (needed <= this.#slab.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#slab.length, needed, FIRST_BYTES));
    larger.set(this.#slab);
    this.#slab = larger;
  }

  #place(length: number): void {
    if (this.#count === this.#starts.length) this.#grow();
    const row = this.#count++;
    this.#starts[row] = this.#filled;
    this.#lengths[row] = length;
    this.#filled += length;
  }

  #grow(): void {
    const starts = new Int32Array(Math.max(FIRST_ROWS, 2 * this.#count));
    starts.set(this.#starts);
    this.#starts = starts;
    const lengths = new Uint8Array(starts.length);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }

  /** Moves the values that are there together. */
  #compact(): void {
    let filled = 0;
    for (let row = 0; row < this.#count; row++) {
      const start = this.#starts[row] as number;
      if (start < 0) continue;
      const length = this.#lengths[row] as number;
      this.#slab.copyWithin(filled, start, start + length);
      this.#starts[row] = filled;
      filled += length;
    }
    this.#filled = filled;
    this.#dead = 0;
    this.#slab = this.#slab.slice(0, Math.max(FIRST_BYTES, filled));
  }
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

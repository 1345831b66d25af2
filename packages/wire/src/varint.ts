/**
 * Columns: bytes written and read one small integer after the other, as LEB128 varints.
 *
 * A varint holds 7 bits a byte, the lowest first; the top bit says that another byte follows. A signed number n is
 * written as the varint of 2n where n is not negative, and of -2n - 1 where it is.
 *
 * Invariants
 *  1. Every whole number up to 2^53 - 1 in size goes through unchanged; what is larger is malformed.
 *  2. Reading never goes past a column's end. Writing makes no garbage, but for the growth of the scratch memory.
 */

import { malformed } from './malformed.ts';

const { floor } = Math;
const { MAX_SAFE_INTEGER } = Number;
/** A varint of 2^53 - 1 has eight bytes. */
const MAX_BYTES = 8;
/** Below this, a loop beats the call into native code. */
const SHORT = 32;

/** A column to write. It is reused from frame to frame. */
export class Column {
  #bytes: Buffer = Buffer.allocUnsafeSlow(512);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clear(): this {
    this.#length = 0;
    return this;
  }

  /** What was written: a view, good until the next `clear`. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Copies what was written to `target`. */
  copyTo(target: Uint8Array, at: number): void {
    const length = this.#length;
    const bytes = this.#bytes;
    if (length > SHORT) target.set(bytes.subarray(0, length), at);
    else for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number;
  }

  varint(value: number): void {
    if (this.#length + MAX_BYTES > this.#bytes.length) this.#grow(MAX_BYTES);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    while (rest > 0x7fffffff) {
      bytes[at++] = (rest & 127) | 128;
      rest = floor(rest / 128);
    }
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  signed(value: number): void {
    // Twice a large number would not fit a double's 53 bits, so the lowest six bits go first with the sign.
    const sign = value < 0 ? 1 : 0;
    const size = value < 0 ? -value - 1 : value;
    const low = ((size & 63) << 1) | sign;
    if (size < 64) {
      this.byte(low);
    } else {
      this.byte(low | 128);
      this.varint(floor(size / 64));
    }
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  int32(value: number): void {
    if (this.#length + 4 > this.#bytes.length) this.#grow(4);
    this.#length = this.#bytes.writeInt32LE(value, this.#length);
  }

  /** Writes the bytes from `start` to `end`. */
  bytes(from: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    const bytes = this.#bytes;
    const at = this.#length;
    this.#length = at + length;
    if (length > SHORT) bytes.set(from.subarray(start, end), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = from[start + i] as number;
  }

  /** Writes a string of one character a byte. */
  latin1(text: string): void {
    const { length } = text;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    const bytes = this.#bytes;
    const at = this.#length;
    this.#length = at + length;
    if (length > SHORT) bytes.write(text, at, length, 'latin1');
    else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
  }

  /** Writes a text as UTF-8. @returns how many bytes it took */
  utf8(text: string): number {
    const { length } = text;
    const most = 3 * length;
    if (this.#length + most > this.#bytes.length) this.#grow(most);
    const bytes = this.#bytes;
    const at = this.#length;
    let i = 0;
    if (length <= SHORT) {
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        bytes[at + i] = code;
      }
    }
    const size = i === length ? length : bytes.write(text, at, most, 'utf8');
    this.#length = at + size;
    return size;
  }

  #grow(by: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * Math.max(this.#bytes.length, by));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** A column to read. */
export class ColumnReader {
  readonly #bytes: Buffer;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Buffer, name: string) {
    this.#bytes = bytes;
    this.#name = name;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  varint(): number {
    const byte = this.byte();
    return byte < 128 ? byte : this.#more(byte & 127, 128);
  }

  signed(): number {
    const byte = this.byte();
    const low = (byte >> 1) & 63;
    const size = byte < 128 ? low : this.#more(low, 64);
    return (byte & 1) === 0 ? size : -size - 1;
  }

  int32(): number {
    if (this.#at + 4 > this.#bytes.length) throw malformed(`${this.#name} ends inside a 32-bit integer`);
    const value = this.#bytes.readInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw malformed(`${this.#name} ends too early`);
    return this.#bytes[this.#at++] as number;
  }

  finish(): void {
    if (!this.done) throw malformed(`${this.#name} holds ${this.#bytes.length - this.#at} bytes too many`);
  }

  #more(low: number, scale: number): number {
    let value = low;
    let factor = scale;
    let byte: number;
    let count = 1;
    do {
      if (++count > MAX_BYTES) throw malformed(`a number in ${this.#name} has more than ${MAX_BYTES} bytes`);
      byte = this.byte();
      value += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    if (value > MAX_SAFE_INTEGER) throw malformed(`a number in ${this.#name} is above 2^53 - 1`);
    return value;
  }
}

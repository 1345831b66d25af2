/**
 * The fields of a frame, each read with its check when it is asked for.
 *
 * By hand and not by msgpackr, which would build all of a frame first: a byte that is an empty map takes two hundred in memory.
 *
 * Invariants
 *  1. Fields behind those that are asked for are ignored: a newer peer may say more. They are never built, and neither are
 *     arrays, maps and timestamps, which no field here is.
 */

import { hasHidden } from '@grapevine/core';
import { malformed } from './malformed.ts';
import { isText, problemOf, skipValue } from './well-formed.ts';

const NIL = 0xc0;

export class FrameFields {
  readonly #bytes: Buffer;
  #left: number;
  #at: number;
  #frame = 'a frame';

  /**
   * @param bytes one frame, which binary fields are views of
   * @throws FRAME_MALFORMED when it is not one well-formed array
   */
  constructor(bytes: Uint8Array) {
    const { length } = bytes;
    const problem = problemOf(skipValue(bytes, 0, length), length);
    if (problem !== null) throw malformed(`it ${problem}`);
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, length);
    const token = bytes[0] as number;
    if (token >= 0x90 && token < 0xa0) [this.#left, this.#at] = [token & 15, 1];
    else if (token === 0xdc) [this.#left, this.#at] = [this.#bytes.readUInt16BE(1), 3];
    else if (token === 0xdd) [this.#left, this.#at] = [this.#bytes.readUInt32BE(1), 5];
    else throw malformed('it is no array');
  }

  /** The first field. */
  kind(): number {
    const value = this.#next();
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw malformed('its kind is no whole number');
  }

  /** Errors call the frame so from now on. */
  set frame(name: string) {
    this.#frame = name;
  }

  get left(): number {
    return this.#left;
  }

  integer(name: string, low: number = 0, high: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#next();
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low && value <= high) return value;
    throw this.#wrong(name, `a whole number from ${low} to ${high}`);
  }

  int32(name: string): number {
    return this.integer(name, -0x80000000, 0x7fffffff);
  }

  flag(name: string): boolean {
    const value = this.#next();
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name, 'true or false');
  }

  /** @param most bytes in UTF-8 */
  text(name: string, least: number, most: number): string {
    const value = this.#next();
    if (typeof value === 'string' && value.length >= least && Buffer.byteLength(value) <= most) return value;
    throw this.#wrong(name, `a text of ${least} to ${most} bytes of UTF-8`);
  }

  /** A text without control characters, separators of lines and invisible characters. @param most bytes in UTF-8 */
  label(name: string, least: number, most: number): string {
    const value = this.text(name, least, most);
    if (!hasHidden(value)) return value;
    throw this.#wrong(name, 'a text without control characters, separators of lines and invisible characters');
  }

  /** A view of the frame. */
  binary(name: string): Buffer {
    const value = this.#next();
    if (Buffer.isBuffer(value)) return value;
    throw this.#wrong(name, 'binary');
  }

  binaryOrNil(name: string): Buffer | null {
    if (this.#left > 0 && this.#bytes[this.#at] === NIL) {
      this.#next();
      return null;
    }
    return this.binary(name);
  }

  /** A word of a list, written as its index. */
  word<Word extends string>(name: string, words: readonly Word[]): Word {
    return words[this.integer(name, 0, words.length - 1)] as Word;
  }

  /** @returns undefined where there is none, and for what no field can be. All lengths have been checked. */
  #next(): number | boolean | null | string | Buffer | undefined {
    if (this.#left === 0) return undefined;
    this.#left--;
    const bytes = this.#bytes;
    const start = this.#at;
    const token = bytes[start] as number;
    const at = start + 1;
    this.#at = at;
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    if (token >= 0xa0 && token < NIL) return this.#text(at, token & 31);
    switch (token) {
      case NIL:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(at + 1, bytes[at] as number);
      case 0xc5:
        return this.#binary(at + 2, bytes.readUInt16BE(at));
      case 0xc6:
        return this.#binary(at + 4, bytes.readUInt32BE(at));
      case 0xca:
        this.#at = at + 4;
        return bytes.readFloatBE(at);
      case 0xcb:
        this.#at = at + 8;
        return bytes.readDoubleBE(at);
      case 0xcc:
        this.#at = at + 1;
        return bytes[at];
      case 0xcd:
        this.#at = at + 2;
        return bytes.readUInt16BE(at);
      case 0xce:
        this.#at = at + 4;
        return bytes.readUInt32BE(at);
      case 0xcf:
        this.#at = at + 8;
        return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      case 0xd0:
        this.#at = at + 1;
        return bytes.readInt8(at);
      case 0xd1:
        this.#at = at + 2;
        return bytes.readInt16BE(at);
      case 0xd2:
        this.#at = at + 4;
        return bytes.readInt32BE(at);
      case 0xd3:
        this.#at = at + 8;
        return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      case 0xd9:
        return this.#text(at + 1, bytes[at] as number);
      case 0xda:
        return this.#text(at + 2, bytes.readUInt16BE(at));
      case 0xdb:
        return this.#text(at + 4, bytes.readUInt32BE(at));
      default:
        this.#at = skipValue(bytes, start, bytes.length);
        return undefined;
    }
  }

  #text(start: number, length: number): string | undefined {
    this.#at = start + length;
    if (!isText(this.#bytes, start, this.#at)) return undefined;
    return this.#bytes.toString('utf8', start, this.#at);
  }

  #binary(start: number, length: number): Buffer {
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }

  #wrong(name: string, right: string): Error {
    return malformed(`${name} of ${this.#frame} is not ${right}`);
  }
}

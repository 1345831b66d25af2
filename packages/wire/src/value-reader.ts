/**
 * Reads a value off its bytes as a store keeps them, a string of one character a byte.
 *
 * By hand and not by msgpackr, because msgpackr wants a buffer (a copy), costs three times as much for small values and
 * renames the key `__proto__`.
 *
 * Invariants
 *  1. What it returns shares nothing with other readers of the same bytes, and no prototype can be changed by a key.
 *  2. Whatever `encodeValue` wrote is read as it was, but for: a Map whose keys are all strings is read as a plain object.
 */

import type { Bytes } from '@grapevine/core';
import { maxDepth } from './limits.ts';
import { malformed } from './malformed.ts';

const { defineProperty } = Object;
/** V8 copies shorter pieces of a string; longer ones keep the whole string alive, */
const COPIED = 13;
/** which does no harm where the whole is no longer than this. */
const HARMLESS = 256;
const KNOWN_KEYS = 256;
/**
 * Keys that were read lately: ASCII alone, since only that is the same in bytes and in characters. A key that is the very same string
 * as before costs no copy, and V8 finds its place in an object at once.
 */
const knownKeys: string[] = Array.from({ length: KNOWN_KEYS }, () => '');
const scratch = new DataView(new ArrayBuffer(8));

export class ValueReader {
  readonly #bytes: Bytes;
  readonly #wide: 'bigints' | 'numbers';
  #at = 0;

  /** @param wide what whole numbers of 64 bits are read as: always bigints, or numbers where those have them exactly */
  constructor(bytes: Bytes, wide: 'bigints' | 'numbers' = 'bigints') {
    this.#bytes = bytes;
    this.#wide = wide;
  }

  /** The one value that the bytes hold. */
  only(): unknown {
    return this.between(0, this.#bytes.length);
  }

  /** The value that begins at one byte and ends before another. */
  between(start: number, end: number): unknown {
    this.#at = start;
    const value = this.#value(0);
    if (this.#at !== end) throw malformed('a value is followed by further bytes');
    return value;
  }

  #value(depth: number): unknown {
    const token = this.#uint8();
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    if (token < 0x90) return this.#map(token & 15, depth);
    if (token < 0xa0) return this.#array(token & 15, depth);
    if (token < 0xc0) return this.#text(token & 31);
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint8());
      case 0xc5:
        return this.#binary(this.#uint16());
      case 0xc6:
        return this.#binary(this.#uint32());
      case 0xc7:
        return this.#timestamp96();
      case 0xca:
        scratch.setUint32(0, this.#uint32());
        return scratch.getFloat32(0);
      case 0xcb:
        this.#load64();
        return scratch.getFloat64(0);
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        this.#load64();
        return this.#whole(scratch.getBigUint64(0));
      case 0xd0:
        return (this.#uint8() << 24) >> 24;
      case 0xd1:
        return (this.#uint16() << 16) >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xd3:
        this.#load64();
        return this.#whole(scratch.getBigInt64(0));
      case 0xd6:
        this.#expectTimestamp();
        return new Date(this.#uint32() * 1000);
      case 0xd7:
        return this.#timestamp64();
      case 0xd9:
        return this.#text(this.#uint8());
      case 0xda:
        return this.#text(this.#uint16());
      case 0xdb:
        return this.#text(this.#uint32());
      case 0xdc:
        return this.#array(this.#uint16(), depth);
      case 0xdd:
        return this.#array(this.#uint32(), depth);
      case 0xde:
        return this.#map(this.#uint16(), depth);
      case 0xdf:
        return this.#map(this.#uint32(), depth);
      default:
        throw malformed(`a value holds the byte 0x${token.toString(16)}, which starts nothing that Grapevine carries`);
    }
  }

  #whole(value: bigint): bigint | number {
    if (this.#wide === 'bigints') return value;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #array(count: number, depth: number): unknown[] {
    this.#enter(count, depth);
    const array: unknown[] = [];
    for (let i = 0; i < count; i++) array.push(this.#value(depth + 1));
    return array;
  }

  #map(count: number, depth: number): unknown {
    this.#enter(2 * count, depth);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key(depth);
      if (typeof key !== 'string') return this.#mapFrom(object, key, count - i, depth);
      setOwn(object, key, this.#value(depth + 1));
    }
    return object;
  }

  /** A key of a map: most often one that was read before. */
  #key(depth: number): unknown {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    const length = bytes.charCodeAt(start - 1) - 0xa0;
    // Anything but a text of 1 to 31 bytes that ends before the bytes do.
    if (!(length > 0 && length < 32) || start + length > bytes.length) return this.#value(depth + 1);
    const place = (bytes.charCodeAt(start) + 7 * bytes.charCodeAt(start + length - 1) + 31 * length) & (KNOWN_KEYS - 1);
    const known = knownKeys[place] as string;
    if (known.length === length) {
      let i = 0;
      while (i < length && bytes.charCodeAt(start + i) === known.charCodeAt(i)) i++;
      if (i === length) {
        this.#at = start + length;
        return known;
      }
    }
    const key = this.#value(depth + 1) as string;
    if (isAscii(key)) knownKeys[place] = key;
    return key;
  }

  /** Goes on as a Map, where a key is no string. */
  #mapFrom(before: Readonly<Record<string, unknown>>, firstKey: unknown, left: number, depth: number): unknown {
    const map = new Map<unknown, unknown>(Object.entries(before));
    map.set(firstKey, this.#value(depth + 1));
    for (let i = 1; i < left; i++) map.set(this.#value(depth + 1), this.#value(depth + 1));
    return map;
  }

  #text(length: number): string {
    const start = this.#skip(length);
    const bytes = this.#bytes;
    if (length < COPIED || bytes.length <= HARMLESS) {
      let i = start;
      while (i < this.#at && bytes.charCodeAt(i) < 128) i++;
      if (i === this.#at) return bytes.slice(start, i);
    }
    return Buffer.from(bytes.slice(start, this.#at), 'latin1').toString('utf8');
  }

  #binary(length: number): Uint8Array {
    const start = this.#skip(length);
    return new Uint8Array(Buffer.from(this.#bytes.slice(start, this.#at), 'latin1'));
  }

  #timestamp64(): Date {
    this.#expectTimestamp();
    const high = this.#uint32();
    const low = this.#uint32();
    return dateOf((high & 3) * 4294967296 + low, high >>> 2);
  }

  #timestamp96(): Date {
    if (this.#uint8() !== 12) throw malformed('a value holds an extension that is no timestamp');
    this.#expectTimestamp();
    const nanoseconds = this.#uint32();
    this.#load64();
    return dateOf(Number(scratch.getBigInt64(0)), nanoseconds);
  }

  #expectTimestamp(): void {
    if (this.#uint8() !== 0xff) throw malformed('a value holds an extension that is no timestamp');
  }

  #enter(items: number, depth: number): void {
    if (depth === maxDepth) throw malformed(`a value is nested deeper than ${maxDepth} levels`);
    if (items > this.#bytes.length - this.#at) throw malformed('a value ends too early');
  }

  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw malformed('a value ends too early');
    this.#at = start + length;
    return start;
  }

  #uint8(): number {
    if (this.#at >= this.#bytes.length) throw malformed('a value ends too early');
    return this.#bytes.charCodeAt(this.#at++);
  }

  #uint16(): number {
    return (this.#uint8() << 8) | this.#uint8();
  }

  #uint32(): number {
    return this.#uint16() * 65536 + this.#uint16();
  }

  #load64(): void {
    scratch.setUint32(0, this.#uint32());
    scratch.setUint32(4, this.#uint32());
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** Assigns as a literal would: `object.__proto__ = …` would change the prototype instead. */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

function dateOf(seconds: number, nanoseconds: number): Date {
  return new Date(seconds * 1000 + Math.floor(nanoseconds / 1e6));
}

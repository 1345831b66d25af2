/**
 * Whether bytes are well-formed MessagePack of the kinds that Grapevine carries, without building anything.
 *
 * Invariants
 *  1. What passes can be decoded: every length fits, no 0xc1, no extension but the timestamp, at most `maxDepth`
 *     containers inside each other.
 *  2. Time is linear in the bytes, whatever the headers claim.
 *
 * Source: the MessagePack specification (github.com/msgpack/msgpack/blob/master/spec.md).
 */

import { isUtf8 } from 'node:buffer';
import { bytesOfObject, maxDepth, maxObjectsInAnyCase } from './limits.ts';

/** Why there is no well-formed value, as negative places: every place of a byte is 0 or higher. */
const ENDS_EARLY = -1;
const TOO_DEEP = -2;
const NO_TYPE = -3;
const EXTENSION = -4;
const TIMESTAMP = 0xff;

/**
 * Steps over one value.
 * @param depth how many containers it stands in
 * @returns where the next one starts; below 0 when there is no well-formed value up to `end`, see `problemOf`
 */
export function skipValue(bytes: Uint8Array, at: number, end: number, depth = 0): number {
  if (at >= end) return ENDS_EARLY;
  const token = bytes[at] as number;
  const next = at + 1;
  if (token < 0x80 || token >= 0xe0) return next;
  if (token < 0x90) return skipMany(bytes, next, end, 2 * (token & 15), depth);
  if (token < 0xa0) return skipMany(bytes, next, end, token & 15, depth);
  if (token < 0xc0) return fits(next + (token & 31), end);
  switch (token) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return next;
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return at + 2 > end ? ENDS_EARLY : fits(at + 2 + (bytes[next] as number), end);
    case 0xc5: // bin 16
    case 0xda: // str 16
      return at + 3 > end ? ENDS_EARLY : fits(at + 3 + uint16(bytes, next), end);
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return at + 5 > end ? ENDS_EARLY : fits(at + 5 + uint32(bytes, next), end);
    case 0xc7: // ext 8, for the timestamp of 96 bits
      if (at + 3 > end) return ENDS_EARLY;
      return bytes[next] === 12 && bytes[at + 2] === TIMESTAMP ? fits(at + 15, end) : EXTENSION;
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return fits(at + 2, end);
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return fits(at + 3, end);
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return fits(at + 5, end);
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return fits(at + 9, end);
    case 0xd6: // fixext 4
      return at + 2 > end ? ENDS_EARLY : bytes[next] === TIMESTAMP ? fits(at + 6, end) : EXTENSION;
    case 0xd7: // fixext 8
      return at + 2 > end ? ENDS_EARLY : bytes[next] === TIMESTAMP ? fits(at + 10, end) : EXTENSION;
    case 0xdc: // array 16
      return at + 3 > end ? ENDS_EARLY : skipMany(bytes, at + 3, end, uint16(bytes, next), depth);
    case 0xdd: // array 32
      return at + 5 > end ? ENDS_EARLY : skipMany(bytes, at + 5, end, uint32(bytes, next), depth);
    case 0xde: // map 16
      return at + 3 > end ? ENDS_EARLY : skipMany(bytes, at + 3, end, 2 * uint16(bytes, next), depth);
    case 0xdf: // map 32
      return at + 5 > end ? ENDS_EARLY : skipMany(bytes, at + 5, end, 2 * uint32(bytes, next), depth);
    case 0xc1:
      return NO_TYPE;
    default: // the other extensions
      return EXTENSION;
  }
}

/**
 * Names the rule that bytes break which should be one well-formed value.
 * @param next what `skipValue` answered
 * @returns an end of a sentence that begins with what the bytes are; `null` when they are well-formed
 */
export function problemOf(next: number, end: number): string | null {
  switch (next) {
    case end:
      return null;
    case ENDS_EARLY:
      return 'is not well-formed MessagePack: it ends before its last value does';
    case TOO_DEEP:
      return `has more than ${maxDepth} arrays and maps inside each other`;
    case NO_TYPE:
      return 'is not well-formed MessagePack: it holds the byte 0xc1, which starts nothing';
    case EXTENSION:
      return 'holds a MessagePack extension that is not the timestamp (type -1 in 4, 8 or 12 bytes)';
    default:
      return `is one MessagePack value with further bytes behind it (${end - next})`;
  }
}

/**
 * How many objects are made of a value: arrays, maps, binaries and timestamps, whatever stands in them.
 * @param bytes one well-formed value
 */
export function countObjects(bytes: Uint8Array): number {
  let objects = 0;
  for (let at = 0; at < bytes.length;) {
    const header = headerOf(bytes[at] as number);
    if (header > 0) {
      objects++;
      at += header;
    } else {
      if (isBytesOrTime(bytes[at] as number)) objects++;
      at = skipValue(bytes, at, bytes.length);
    }
  }
  return objects;
}

/** Whether a value would take far more memory than its bytes: see `limits.ts`. @param bytes one well-formed value */
export function hasTooManyObjects(bytes: Uint8Array): boolean {
  if (bytes.length <= maxObjectsInAnyCase) return false;
  return countObjects(bytes) > maxObjectsInAnyCase + bytes.length / bytesOfObject;
}

/** Whether a text in a value is not UTF-8. @param bytes one well-formed value */
export function hasBrokenText(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length;) {
    const token = bytes[at] as number;
    const header = headerOf(token);
    const end = header > 0 ? at + header : skipValue(bytes, at, bytes.length);
    const start = textStart(token);
    if (start > 0 && !isText(bytes, at + start, end)) return true;
    at = end;
  }
  return false;
}

/** Whether the bytes from `start` to `end` are UTF-8. */
export function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) > 127) return isUtf8(bytes.subarray(at, end));
  return true;
}

/** Bytes before the text of a str; 0: it is none. */
function textStart(token: number): number {
  if (token >= 0xa0 && token < 0xc0) return 1;
  return token === 0xd9 ? 2 : token === 0xda ? 3 : token === 0xdb ? 5 : 0;
}

/** Bytes before what stands in a container; 0: it is none. */
function headerOf(token: number): number {
  if (token >= 0x80 && token < 0xa0) return 1;
  if (token === 0xdc || token === 0xde) return 3;
  return token === 0xdd || token === 0xdf ? 5 : 0;
}

function isBytesOrTime(token: number): boolean {
  return (token >= 0xc4 && token <= 0xc7) || token === 0xd6 || token === 0xd7;
}

function skipMany(bytes: Uint8Array, at: number, end: number, count: number, depth: number): number {
  if (depth === maxDepth) return TOO_DEEP;
  let next = at;
  for (let i = 0; i < count && next >= 0; i++) next = skipValue(bytes, next, end, depth + 1);
  return next;
}

function fits(next: number, end: number): number {
  return next <= end ? next : ENDS_EARLY;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
}

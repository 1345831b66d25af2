/**
 * MessagePack by msgpackr, set so that every peer writes the same bytes for the same data.
 *
 * Invariants
 *  1. No records, the smallest map header, no `toJSON`: `contentId` depends on the bytes.
 *  2. A frame of small fields is written here, in the very bytes that msgpackr would write, in a fraction of its time.
 *  3. No byte of a peer becomes code. Only hellos are unpacked by msgpackr, after `skipValue`. Its main build makes functions
 *     of the keys of records, even with `useRecords: false`, and reads strings by a native module: ours is the build that does
 *     neither, should that check ever fail.
 */

import { Packr } from 'msgpackr/index-no-eval';
import { Column } from './varint.ts';

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  useToJSON: false,
  mapsAsObjects: false,
  int64AsType: 'number',
});

/** @returns a view of shared memory that a later call overwrites: copy it at once */
export function packToView(value: unknown): Buffer {
  return packr.pack(value);
}

/** Frames up to so many bytes are written here. */
const WRITTEN_BYTES = 16 * 1024;
/** No number takes more, and no header. */
const FIELD_BYTES = 9;
/** An array of up to so many items has a header of one byte. */
const SHORT_ARRAY = 15;
const written = new Uint8Array(WRITTEN_BYTES);
const writtenView = new DataView(written.buffer);

/**
 * The bytes of a frame, in memory of their own and of exactly their size.
 * @param fields plain data, and columns, which become binary
 */
export function packFrame(fields: readonly unknown[]): Uint8Array {
  const length = write(fields);
  if (length > 0) return written.slice(0, length);
  return new Uint8Array(packr.pack(fields.map((field) => (field instanceof Column ? field.view() : field))));
}

/** Writes a frame of integers, flags, nils and columns. @returns its length; 0: it has others, or is too large */
function write(fields: readonly unknown[]): number {
  if (fields.length > SHORT_ARRAY) return 0;
  written[0] = 0x90 | fields.length;
  let at = 1;
  for (const field of fields) {
    if (at + FIELD_BYTES > WRITTEN_BYTES) return 0;
    if (typeof field === 'number') at = writeNumber(field, at);
    else if (field === null) written[at++] = 0xc0;
    else if (typeof field === 'boolean') written[at++] = field ? 0xc3 : 0xc2;
    else if (field instanceof Column) {
      const { length } = field;
      if (at + FIELD_BYTES + length > WRITTEN_BYTES) return 0;
      if (length < 0x100) {
        written[at++] = 0xc4;
      } else {
        written[at++] = 0xc5;
        written[at++] = length >> 8;
      }
      written[at++] = length & 0xff;
      field.copyTo(written, at);
      at += length;
    } else return 0;
  }
  return at;
}

/** As msgpackr does: the shortest form up to 32 bits, beyond them a double. @returns where the next field starts */
function writeNumber(value: number, start: number): number {
  let at = start;
  if (value >>> 0 === value) {
    if (value < 0x80) {
      written[at++] = value;
    } else if (value < 0x100) {
      written[at++] = 0xcc;
      written[at++] = value;
    } else if (value < 0x10000) {
      written[at++] = 0xcd;
      written[at++] = value >> 8;
      written[at++] = value & 0xff;
    } else {
      written[at] = 0xce;
      writtenView.setUint32(at + 1, value);
      at += 5;
    }
  } else if (value >> 0 === value) {
    if (value >= -0x20) {
      written[at++] = value + 0x100;
    } else if (value >= -0x80) {
      written[at++] = 0xd0;
      written[at++] = value + 0x100;
    } else if (value >= -0x8000) {
      written[at] = 0xd1;
      writtenView.setInt16(at + 1, value);
      at += 3;
    } else {
      written[at] = 0xd2;
      writtenView.setInt32(at + 1, value);
      at += 5;
    }
  } else {
    written[at] = 0xcb;
    writtenView.setFloat64(at + 1, value);
    at += FIELD_BYTES;
  }
  return at;
}

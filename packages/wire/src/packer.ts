/**
 * MessagePack by msgpackr, set so that every peer writes the same bytes for the same data.
 *
 * Invariants
 *  1. No records, the smallest map header, no `toJSON`: `contentId` depends on the bytes.
 *  2. What is unpacked here has passed `skipValue` before: msgpackr alone would take 0xc1, records and extensions.
 */

import { Packr } from 'msgpackr';

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

/** The bytes of a frame, in memory of their own and of exactly their size. */
export function packFrame(fields: readonly unknown[]): Uint8Array {
  return new Uint8Array(packr.pack(fields));
}

/** @param bytes have passed `skipValue`; binary parts of the result are views of them */
export function unpackFrame(bytes: Buffer): unknown {
  return packr.unpack(bytes);
}

/**
 * Updates in columns: neighbours share what they have in common, and each column is small integers or one blob.
 *
 * Invariants
 *  1. Lossless for every update: any stamp, any order of sequence numbers, any expiry.
 *  2. Nothing that is read keeps the frame's memory alive: ids and values are strings of their own.
 *  3. Every value that is read is one well-formed MessagePack value, every id a text of 1 to `maxIdLength` characters.
 *
 * The layout is in docs/wire.md, section "Updates".
 */

import { isAscii, isUtf8 } from 'node:buffer';
import { Batch, type Origin, SHORT_VALUE, type UpdateList, Values } from '@grapevine/core';
import { maxIdLength } from './limits.ts';
import { malformed } from './malformed.ts';
import type { FrameFields } from './frame-fields.ts';
import type { OriginEntry, OriginNumbers, OriginTable } from './origin-numbers.ts';
import { Column, ColumnReader } from './varint.ts';
import { problemOf, skipValue } from './well-formed.ts';

const { floor } = Math;
const { MAX_SAFE_INTEGER } = Number;
/** Counter values of a stamp within a millisecond. */
const COUNTERS = 4096;
/** V8 copies shorter pieces of a string; longer ones would keep the whole string alive. */
const COPIED = 13;
/** The place of the next update that expires, where none does. */
const NEVER = Infinity;

/** Writes updates; its memory is reused from frame to frame. */
export class UpdateColumns {
  readonly #runs = new Column();
  readonly #stamps = new Column();
  readonly #idLengths = new Column();
  readonly #ids = new Column();
  readonly #valueLengths = new Column();
  readonly #values = new Column();
  readonly #expiries = new Column();

  /** @returns the fields of the frame, good until the next call */
  write(updates: UpdateList, numbers: OriginNumbers): unknown[] {
    const batch = Batch.of(updates);
    const { stamps: times, origins, sequences, length } = batch;
    const runs = this.#runs.clear();
    const stamps = this.#stamps.clear();
    const idLengths = this.#idLengths.clear();
    const ids = this.#ids.clear();
    this.#writeExpiries(batch);
    let run: OriginEntry | null = null;
    let runFirst = 0;
    let runNext = 0;
    let stampBefore = 0;
    for (let row = 0; row < length; row++) {
      const origin = origins[row] as Origin;
      const sequence = sequences[row] as number;
      const stamp = times[row] as number;
      if (run === null || sequence !== runNext || (origin !== run.origin && origin.key !== run.origin.key)) {
        if (run !== null) writeRun(runs, run, runFirst, runNext);
        run = numbers.use(origin);
        runFirst = sequence;
      }
      runNext = sequence + 1;
      writeStamp(stamps, stamp, stampBefore);
      stampBefore = stamp;
      idLengths.varint(ids.utf8(batch.ids[row] as string));
    }
    if (run !== null) writeRun(runs, run, runFirst, runNext);
    const [valueLengths, values] = this.#writeValues(batch);
    return [length, runs, stamps, idLengths, ids, valueLengths, values, this.#expiries];
  }

  #writeValues({ values, length }: Batch): [lengths: Column, bytes: Column] {
    const lengths = this.#valueLengths.clear();
    const written = this.#values.clear();
    const { bytes } = values;
    for (let row = 0; row < length; row++) {
      const size = values.lengthOf(row);
      lengths.varint(size);
      const start = values.startOf(row);
      if (start >= 0) written.bytes(bytes, start, start + size);
      else if (size > 0) written.latin1(values.at(row) as string);
    }
    return [lengths, written];
  }

  #writeExpiries(batch: Batch): void {
    const expiries = this.#expiries.clear();
    let free = 0;
    let before = 0;
    for (let row = 0; row < batch.length; row++) {
      const expiresAt = batch.expiresAt(row);
      if (expiresAt === undefined) continue;
      expiries.varint(row - free);
      expiries.signed(expiresAt - before);
      free = row + 1;
      before = expiresAt;
    }
  }
}

function writeRun(runs: Column, entry: OriginEntry, first: number, next: number): void {
  runs.varint(entry.number);
  runs.varint(next - first);
  runs.signed(first - entry.nextSequence);
  entry.nextSequence = next;
}

/** 0 for the stamp that follows the one before; else 1 + 2 × the signed step in milliseconds + whether a counter follows. */
function writeStamp(stamps: Column, stamp: number, before: number): void {
  if (stamp === before + 1) {
    stamps.byte(0);
    return;
  }
  const ms = floor(stamp / COUNTERS);
  const counter = stamp - ms * COUNTERS;
  const step = ms - floor(before / COUNTERS);
  const zigzag = step < 0 ? -2 * step - 1 : 2 * step;
  stamps.varint(1 + 2 * zigzag + (counter === 0 ? 0 : 1));
  if (counter !== 0) stamps.varint(counter);
}

function readStamp(stamps: ColumnReader, before: number): number {
  const token = stamps.varint();
  let stamp = before + 1;
  if (token !== 0) {
    const flag = (token - 1) % 2;
    const zigzag = (token - 1 - flag) / 2;
    const step = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    const counter = flag === 0 ? 0 : stamps.varint();
    if (counter >= COUNTERS) throw malformed(`a stamp's counter is ${counter}, not below ${COUNTERS}`);
    stamp = (floor(before / COUNTERS) + step) * COUNTERS + counter;
  }
  if (stamp > 0 && stamp <= MAX_SAFE_INTEGER) return stamp;
  throw malformed(`a stamp is ${stamp}, not from 1 to 2^53 - 1`);
}

/** Reads the fields that `UpdateColumns` wrote. */
export function readUpdates(fields: FrameFields, table: OriginTable): Batch {
  const count = fields.integer('the count of updates');
  const runs = new ColumnReader(fields.binary('the column of origins'), 'the column of origins');
  const stampBytes = fields.binary('the column of stamps');
  // Every update has a stamp of a byte at least, so the count is bounded by bytes that really came.
  if (count > stampBytes.length) throw malformed(`${count} updates have ${stampBytes.length} bytes of stamps`);
  const stamps = new ColumnReader(stampBytes, 'the column of stamps');
  const idLengths = new ColumnReader(fields.binary('the lengths of ids'), 'the lengths of ids');
  const ids = new IdBlob(fields.binary('the ids'));
  const valueLengths = new ColumnReader(fields.binary('the lengths of values'), 'the lengths of values');
  const values = new ValueBlob(fields.binary('the values'));
  const expiries = new ColumnReader(fields.binary('the column of expiries'), 'the column of expiries');

  const batch = new Batch(new Values(count, values.length));
  table.beginList();
  let origin: Origin | null = null;
  let sequence = 0;
  let runLeft = 0;
  let stamp = 0;
  let expiresAt = 0;
  let nextExpiring = expiries.done ? NEVER : expiries.varint();
  for (let i = 0; i < count; i++) {
    if (runLeft === 0) {
      const entry = table.use(runs.varint());
      runLeft = runs.varint();
      sequence = entry.nextSequence + runs.signed();
      if (runLeft < 1 || runLeft > count - i)
        throw malformed(`a run of ${runLeft} updates where ${count - i} are left`);
      if (sequence < 1 || sequence - 1 > MAX_SAFE_INTEGER - runLeft)
        throw malformed('a sequence number is not from 1 to 2^53 - 1');
      entry.nextSequence = sequence + runLeft;
      origin = entry.origin;
    }
    runLeft--;
    stamp = readStamp(stamps, stamp);
    const id = ids.next(idLengths.varint());
    values.next(valueLengths.varint(), batch.values);
    let expiry: number | undefined;
    if (i === nextExpiring) {
      expiresAt += expiries.signed();
      if (expiresAt < 0 || expiresAt > MAX_SAFE_INTEGER) throw malformed('an expiry is not from 0 to 2^53 - 1');
      expiry = expiresAt;
      nextExpiring = expiries.done ? NEVER : i + 1 + expiries.varint();
    }
    batch.push(id, stamp, origin as Origin, sequence++, expiry);
  }
  if (nextExpiring !== NEVER) throw malformed(`an expiry belongs to update ${nextExpiring} of ${count}`);
  for (const column of [runs, stamps, idLengths, ids, valueLengths, values, expiries]) column.finish();
  return batch;
}

/** All bytes of a blob as one string, from which short pieces are cut: far cheaper than a native call for each. */
class Cuttable {
  readonly bytes: Buffer;
  #text: string | null = null;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The bytes as a string of one character a byte, which holds on to nothing else. */
  cut(start: number, end: number): string {
    if (end - start >= COPIED) return this.bytes.toString('latin1', start, end);
    this.#text ??= this.bytes.toString('latin1');
    return this.#text.slice(start, end);
  }
}

class IdBlob {
  readonly #blob: Cuttable;
  readonly #ascii: boolean;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#blob = new Cuttable(bytes);
    this.#ascii = isAscii(bytes);
    if (!this.#ascii && !isUtf8(bytes)) throw malformed('the ids are not UTF-8');
  }

  next(length: number): string {
    const { bytes } = this.#blob;
    const start = this.#at;
    const end = start + length;
    if (length === 0) throw malformed('an id is empty');
    if (end > bytes.length) throw malformed('an id ends behind the blob of ids');
    this.#at = end;
    if (this.#ascii) {
      if (length > maxIdLength) throw malformed(`an id is longer than ${maxIdLength} characters`);
      return this.#blob.cut(start, end);
    }
    // The whole blob is UTF-8, so each id is, if none begins inside a character.
    if (((bytes[start] as number) & 0xc0) === 0x80) throw malformed('an id begins inside a character');
    const id = bytes.toString('utf8', start, end);
    if (id.length > maxIdLength) throw malformed(`an id is longer than ${maxIdLength} characters`);
    return id;
  }

  finish(): void {
    if (this.#at !== this.#blob.bytes.length) throw malformed('the blob of ids holds more than the lengths say');
  }
}

class ValueBlob {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Appends the next value to a column. @param length 0 for a tombstone: no value has fewer bytes than one */
  next(length: number, to: Values): void {
    if (length === 0) return to.append(undefined);
    const bytes = this.#bytes;
    const start = this.#at;
    const end = start + length;
    if (end > bytes.length) throw malformed('a value ends behind the blob of values');
    const next = skipValue(bytes, start, end);
    if (next !== end) throw malformed(`a value ${problemOf(next, end)}`);
    this.#at = end;
    if (length > SHORT_VALUE) to.append(bytes.toString('latin1', start, end));
    else to.appendBytes(bytes, start, end);
  }

  finish(): void {
    if (this.#at !== this.#bytes.length) throw malformed('the blob of values holds more than the lengths say');
  }
}

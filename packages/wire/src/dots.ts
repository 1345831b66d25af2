/**
 * Sets of dots, lists of buckets and sums of buckets, as columns.
 *
 * Invariants
 *  1. Intervals travel as the gap before them and their length less one, so that none can overlap or touch the one
 *     before: what is read is always rising and maximal.
 *  2. Of the two forms of sums, the sender takes the shorter; a receiver reads both.
 */

import type { Buckets, Dots, OriginDots } from '@grapevine/core';
import { malformed } from './malformed.ts';
import type { OriginNumbers, OriginTable } from './origin-numbers.ts';
import { type Column, ColumnReader } from './varint.ts';

const { MAX_SAFE_INTEGER } = Number;

/** Whether the newest stamp of each origin travels too. */
export type DotsForm = 'bare' | 'with newest';

export function writeDots(column: Column, dots: Dots, form: DotsForm, numbers: OriginNumbers): Column {
  for (const { origin, intervals, newest } of dots) {
    if (intervals.length === 0) continue;
    column.varint(numbers.use(origin).number);
    if (form === 'with newest') column.varint(newest);
    column.varint(intervals.length / 2);
    let free = 1;
    for (let i = 0; i < intervals.length; i += 2) {
      const first = intervals[i] as number;
      const last = intervals[i + 1] as number;
      column.varint(first - free);
      column.varint(last - first);
      free = last + 2;
    }
  }
  return column;
}

export function readDots(bytes: Buffer, form: DotsForm, table: OriginTable): OriginDots[] {
  const column = new ColumnReader(bytes, 'a set of dots');
  const dots: OriginDots[] = [];
  table.beginList();
  while (!column.done) {
    const { origin } = table.useOnce(column.varint());
    const newest = form === 'with newest' ? column.varint() : 0;
    dots.push({ origin, intervals: readIntervals(column), newest });
  }
  return dots;
}

function readIntervals(column: ColumnReader): number[] {
  const count = column.varint();
  if (count === 0) throw malformed('a set of dots has an origin without intervals');
  const intervals: number[] = [];
  let free = 1;
  for (let i = 0; i < count; i++) {
    const first = free + column.varint();
    const last = first + column.varint();
    if (last > MAX_SAFE_INTEGER) throw malformed('a sequence number is above 2^53 - 1');
    intervals.push(first, last);
    free = last + 2;
  }
  return intervals;
}

/** @returns null for all buckets */
export function writeBuckets(column: Column, buckets: Buckets): Column | null {
  if (buckets === 'all') return null;
  for (const bucket of buckets) column.varint(bucket);
  return column;
}

/** @param count how many buckets there are */
export function readBuckets(bytes: Buffer | null, count: number): Buckets {
  if (bytes === null) return 'all';
  const column = new ColumnReader(bytes, 'a list of buckets');
  const buckets = new Set<number>();
  while (!column.done) {
    const bucket = column.varint();
    if (bucket >= count) throw malformed(`bucket ${bucket} is not below ${count}`);
    if (buckets.has(bucket)) throw malformed(`bucket ${bucket} stands twice in a list`);
    buckets.add(bucket);
  }
  return [...buckets];
}

/** How sums are laid out: each of them, or only those that are not zero with the gap before each. */
const DENSE = 0;
const SPARSE = 1;

/** @returns the form and its bytes */
export function writeSums(column: Column, sums: Int32Array): [form: number, bytes: Column] {
  let filled = 0;
  for (const sum of sums) if (sum !== 0) filled++;
  if (5 * filled >= 4 * sums.length) {
    for (const sum of sums) column.int32(sum);
    return [DENSE, column];
  }
  let free = 0;
  for (let i = 0; i < sums.length; i++) {
    const sum = sums[i] as number;
    if (sum === 0) continue;
    column.varint(i - free);
    column.int32(sum);
    free = i + 1;
  }
  return [SPARSE, column];
}

/** @param length how many sums there are, both lanes counted */
export function readSums(form: number, bytes: Buffer, length: number): Int32Array {
  const column = new ColumnReader(bytes, 'the sums of buckets');
  const sums = new Int32Array(length);
  if (form === DENSE) {
    for (let i = 0; i < length; i++) sums[i] = column.int32();
    column.finish();
    return sums;
  }
  for (let free = 0; !column.done;) {
    const at = free + column.varint();
    if (at >= length) throw malformed(`the sums of buckets name place ${at} of ${length}`);
    sums[at] = column.int32();
    free = at + 1;
  }
  return sums;
}

/**
 * The memory of this process: what is alive on the heap and beside it, and what the system gave it.
 */

import { getHeapCodeStatistics } from 'node:v8';

const MEGA = 1e6;

export interface Memory {
  /** Used heap before and after full collections, in megabytes; garbage is in the first. */
  readonly heapBeforeMb: number;
  readonly heapMb: number;
  /** Memory beside the heap that objects on it own, after the same collections. */
  readonly externalMb: number;
  /** What of the heap is code that V8 has compiled and knows about it: it still grows while little else does. */
  readonly codeMb: number;
  readonly rssMb: number;
  /** Timers, sockets and whatever else keeps the event loop alive. */
  readonly resources: number;
}

/** Needs `--expose-gc`. */
export function readMemory(): Memory {
  const before = process.memoryUsage();
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const after = process.memoryUsage();
  const code = getHeapCodeStatistics();
  return {
    heapBeforeMb: before.heapUsed / MEGA,
    heapMb: after.heapUsed / MEGA,
    externalMb: after.external / MEGA,
    codeMb: (code.code_and_metadata_size + code.bytecode_and_metadata_size) / MEGA,
    rssMb: before.rss / MEGA,
    resources: process.getActiveResourcesInfo().length,
  };
}

/**
 * The vital signs of this process, measured, never made up.
 *
 * Invariant: each reading covers exactly the time since the one before it.
 */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

export interface Vitals {
  /** Of one core, in percent. */
  readonly cpu: number;
  /** Resident memory, in megabytes. */
  readonly rss: number;
  /** Used JavaScript heap, in megabytes. */
  readonly heap: number;
  /** How late the event loop is, 99th percentile, in milliseconds. */
  readonly delay: number;
  /** How many ids this node holds in its other gossips. */
  readonly ids: number;
  readonly pid: number;
}

/** How often the event loop is looked at, in milliseconds. Finer wakes the process more often. */
const RESOLUTION_MS = 20;

export class VitalSigns {
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu: NodeJS.CpuUsage = process.cpuUsage();
  #atMs: number = performance.now();

  constructor() {
    this.#loop.enable();
  }

  read(ids: number): Vitals {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedUs = Math.max(1, (nowMs - this.#atMs) * 1000);
    // The histogram holds how long each wait of RESOLUTION_MS really took.
    const delay = this.#loop.count === 0 ? 0 : Math.max(0, this.#loop.percentile(99) / 1e6 - RESOLUTION_MS);
    this.#loop.reset();
    this.#cpu = process.cpuUsage();
    this.#atMs = nowMs;
    const { rss, heapUsed } = process.memoryUsage();
    return {
      cpu: round(((user + system) / elapsedUs) * 100),
      rss: round(rss / 1e6),
      heap: round(heapUsed / 1e6),
      delay: round(delay),
      ids,
      pid: process.pid,
    };
  }

  stop(): void {
    this.#loop.disable();
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

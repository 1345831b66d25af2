/**
 * The shortest history that still fails: fewer nodes, fewer faults, fewer operations.
 *
 * Invariants
 *  1. What is left fails by the same oracle, and is replayed by its options alone.
 *  2. It tries a bounded number of histories.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin).
 */

import { allFaults, type FaultName } from './faults.ts';
import { type HistoryOptions, type HistoryReport, runHistory } from './history.ts';

export interface Shrunk {
  readonly options: HistoryOptions;
  readonly report: HistoryReport;
  /** How many histories were tried. */
  readonly tries: number;
}

/** Runs a history: `runHistory`, or a stand-in. */
export type Run = (options: HistoryOptions) => HistoryReport;

/** @param limit the most histories to try */
export function shrink(options: HistoryOptions, failed: HistoryReport, limit?: number): Shrunk {
  return shrinkWith(runHistory, options, failed, limit);
}

/** As `shrink`, for whatever runs histories. */
export function shrinkWith(run: Run, options: HistoryOptions, failed: HistoryReport, limit = 300): Shrunk {
  const shrinker = new Shrinker(run, options, failed, limit);
  shrinker.nodes();
  shrinker.operations();
  shrinker.faults();
  shrinker.operations();
  return shrinker.result;
}

class Shrinker {
  readonly #run: Run;
  readonly #oracle: string;
  readonly #limit: number;
  #options: HistoryOptions;
  #report: HistoryReport;
  #tries = 0;

  constructor(run: Run, options: HistoryOptions, report: HistoryReport, limit: number) {
    this.#run = run;
    this.#options = options;
    this.#report = report;
    this.#limit = limit;
    this.#oracle = report.violation?.oracle ?? '';
  }

  get result(): Shrunk {
    return { options: this.#options, report: this.#report, tries: this.#tries };
  }

  nodes(): void {
    for (let nodes = 2; nodes < this.#options.nodes; nodes++) if (this.#fails({ ...this.#options, nodes })) return;
  }

  faults(): void {
    for (const name of Object.keys(allFaults) as FaultName[])
      this.#fails({ ...this.#options, without: [...(this.#options.without ?? []), name] });
  }

  operations(): void {
    let kept = [...this.#report.operations];
    if (!this.#fails({ ...this.#options, only: new Set(kept) })) return;
    for (let parts = 2; kept.length > 0 && this.#tries < this.#limit;) {
      const size = Math.ceil(kept.length / parts);
      let isSmaller = false;
      for (let from = 0; from < kept.length; from += size) {
        const rest = kept.filter((_, index) => index < from || index >= from + size);
        if (!this.#fails({ ...this.#options, only: new Set(rest) })) continue;
        kept = rest;
        isSmaller = true;
        break;
      }
      if (isSmaller) parts = Math.max(2, parts - 1);
      else if (size === 1) return;
      else parts = Math.min(kept.length, 2 * parts);
    }
  }

  /** Whether it still fails in the same way; if so, these are the options now. */
  #fails(options: HistoryOptions): boolean {
    if (this.#tries >= this.#limit) return false;
    this.#tries++;
    const report = this.#run(options);
    if (report.violation?.oracle !== this.#oracle) return false;
    this.#options = options;
    this.#report = report;
    return true;
  }
}

/** The command that replays a history. */
export function replayCommand({
  seed,
  nodes,
  minutes,
  protocol,
  membership,
  hubs,
  only,
  without,
}: HistoryOptions): string {
  const parts = [`npm run simulate:seeds -- --seed ${seed} --nodes ${nodes} --minutes ${minutes}`];
  if (protocol !== undefined) parts.push(`--protocol ${protocol}`);
  if (membership !== undefined) parts.push(`--membership ${membership}`);
  if (hubs !== undefined) parts.push(`--hubs ${hubs}`);
  if (without !== undefined && without.length > 0) parts.push(`--without ${without.join(',')}`);
  if (only !== undefined) parts.push(`--only ${[...only].join(',') || 'none'}`);
  return `${parts.join(' ')} --trace`;
}

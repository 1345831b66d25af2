/**
 * How one update spread through one experiment, and what many such runs say together.
 *
 * Invariants
 *  1. The writer has its update at time 0; a site that never gets it is in no mean of times.
 *  2. `summarise` depends on the runs alone, not on their order but for the last bits of floating point.
 *
 * Source: Demers et al. 1987, section 1.4, which names residue, traffic and delay as the criteria of a good epidemic.
 */

export interface Spread {
  /** When each site got the update, in cycles; `Infinity`: never. */
  readonly arrivals: Float64Array;
  /** When each site lost interest in it, in cycles; `Infinity`: never, or not while the experiment ran. */
  readonly removals: Float64Array;
  /** Dots pushed. */
  readonly pushes: number;
  /** Updates sent with their value. */
  readonly values: number;
  readonly messages: number;
  /** `NaN`: not counted. */
  readonly bytes: number;
}

/** A mean over runs, and how sure it is. */
export interface Mean {
  readonly mean: number;
  /** Standard error of the mean. */
  readonly error: number;
}

export interface Summary {
  readonly runs: number;
  /** Share of sites that never get the update: s. */
  readonly residue: Mean;
  /** Dots pushed per site, useful or not: m. */
  readonly traffic: Mean;
  /** Mean time until a site that gets the update has it, in cycles. */
  readonly tAvg: Mean;
  /** Time until the last site that gets the update has it, in cycles. */
  readonly tLast: Mean;
  /** Updates sent with their value, all sites together. */
  readonly values: Mean;
  /** Messages per site. */
  readonly messages: Mean;
  /** Bytes per site, over the runs in which they were counted. */
  readonly bytes: Mean;
}

/** What is taken from one run. */
export type Figures = Readonly<Record<Exclude<keyof Summary, 'runs'>, number>>;

export function figuresOf({ arrivals, pushes, values, messages, bytes }: Spread): Figures {
  const nodes = arrivals.length;
  let reached = 0;
  let sum = 0;
  let tLast = 0;
  for (const at of arrivals) {
    if (at === Infinity) continue;
    reached++;
    sum += at;
    if (at > tLast) tLast = at;
  }
  return {
    residue: 1 - reached / nodes,
    traffic: pushes / nodes,
    tAvg: sum / reached,
    tLast,
    values,
    messages: messages / nodes,
    bytes: bytes / nodes,
  };
}

export function summarise(figures: readonly Figures[]): Summary {
  const mean = (name: keyof Figures): Mean =>
    meanOf(figures.map((each) => each[name]).filter((value) => !Number.isNaN(value)));
  return {
    runs: figures.length,
    residue: mean('residue'),
    traffic: mean('traffic'),
    tAvg: mean('tAvg'),
    tLast: mean('tLast'),
    values: mean('values'),
    messages: mean('messages'),
    bytes: mean('bytes'),
  };
}

export function meanOf(values: readonly number[]): Mean {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  return { mean, error: Math.sqrt(variance / count) };
}

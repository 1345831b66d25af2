/**
 * The experiments of docs/papers.md, each as data: its setup, and what its paper says.
 *
 * Invariants
 *  1. A figure of a paper stands here once, beside the setup that answers it.
 *  2. Seeds are fixed: whoever runs the plan again gets the very same figures.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, tables 1 to 3; Pittel, "On
 * Spreading a Rumor", 1987.
 */
import type { RumorOptions } from '@grapevine/core';
import type { Setup } from '@grapevine/sim';

export const SEED = 1987;
export const SITES = 1000;

/** A line of one of the paper's tables. */
export interface PaperLine {
  readonly k: number;
  readonly s: number;
  readonly m: number;
  readonly tAvg: number;
  readonly tLast: number;
}

export const table1: readonly PaperLine[] = [
  { k: 1, s: 0.18, m: 1.7, tAvg: 11.0, tLast: 16.8 },
  { k: 2, s: 0.037, m: 3.3, tAvg: 12.1, tLast: 16.9 },
  { k: 3, s: 0.011, m: 4.5, tAvg: 12.5, tLast: 17.4 },
  { k: 4, s: 0.0036, m: 5.6, tAvg: 12.7, tLast: 17.5 },
  { k: 5, s: 0.0012, m: 6.7, tAvg: 12.8, tLast: 17.7 },
];

export const table2: readonly PaperLine[] = [
  { k: 1, s: 0.96, m: 0.04, tAvg: 19, tLast: 38 },
  { k: 2, s: 0.2, m: 1.6, tAvg: 17, tLast: 33 },
  { k: 3, s: 0.06, m: 2.8, tAvg: 15, tLast: 32 },
  { k: 4, s: 0.021, m: 3.9, tAvg: 14.1, tLast: 32 },
  { k: 5, s: 0.008, m: 4.9, tAvg: 13.8, tLast: 32 },
];

export const table3: readonly PaperLine[] = [
  { k: 1, s: 0.031, m: 2.7, tAvg: 9.97, tLast: 17.6 },
  { k: 2, s: 0.00058, m: 4.5, tAvg: 10.07, tLast: 15.4 },
  { k: 3, s: 0.000004, m: 6.1, tAvg: 10.08, tLast: 14 },
];

/** The residue of s = e^(−(k+1)(1−s)), the paper's differential equation for a cumulative counter or a coin. */
export function analyticResidue(k: number): number {
  let s = 0;
  for (let step = 0; step < 1000; step++) s = Math.exp(-(k + 1) * (1 - s));
  return s;
}

/** More runs where the residue is small: it is then sure to some two percent too. */
const runsOfK: readonly number[] = [0, 200, 300, 500, 700, 1200];

/** An experiment of the paper's kind: 1,000 sites in synchronous cycles. */
export function inCycles(options: Partial<RumorOptions>, runs: number, more: Partial<Setup> = {}): Setup {
  return {
    protocol: { name: 'rumor', options: { eager: false, gc: false, ...options } },
    nodes: SITES,
    runs,
    seed: SEED,
    synchronous: true,
    measuredRuns: 10,
    ...more,
  };
}

export function table1Setup(k: number): Setup {
  return inCycles({ removal: 'reset-counter', rounds: k }, runsOfK[k] as number);
}

export function cumulativeSetup(k: number): Setup {
  return inCycles({ removal: 'counter', rounds: k }, [0, 200, 200, 200, 400, 600][k] as number, { inOrder: true });
}

export function table2Setup(k: number): Setup {
  return inCycles({ blind: true, removal: 'coin', rounds: k }, [0, 1000, 200, 200, 200, 200][k] as number);
}

export function table3Setup(k: number): Setup {
  return inCycles({ direction: 'pull', removal: 'reset-counter', rounds: k }, [0, 100, 200, 50][k] as number);
}

export interface Variation {
  readonly key: string;
  readonly title: string;
  readonly setup: Setup;
}

const RUNS = 50;

/** The rest of the paper's design space, all with counters that a useful push resets unless said otherwise. */
export const variations: readonly Variation[] = [
  {
    key: 'push-coin',
    title: 'push, feedback, coin, k = 2',
    setup: inCycles({ removal: 'coin', rounds: 2 }, RUNS),
  },
  {
    key: 'push-blind-counter',
    title: 'push, blind, counter, k = 3',
    setup: inCycles({ blind: true, removal: 'counter', rounds: 3 }, RUNS),
  },
  {
    key: 'push',
    title: 'push, k = 2',
    setup: inCycles({ removal: 'reset-counter', rounds: 2 }, RUNS),
  },
  {
    key: 'push-limit',
    title: 'push, k = 2, one connection a cycle',
    setup: inCycles({ removal: 'reset-counter', rounds: 2 }, RUNS, { connectionLimit: 1 }),
  },
  {
    key: 'push-hunt',
    title: 'push, k = 2, one connection a cycle, hunting 4',
    setup: inCycles({ removal: 'reset-counter', rounds: 2 }, RUNS, { connectionLimit: 1, hunt: 4 }),
  },
  {
    key: 'pull',
    title: 'pull, k = 1',
    setup: inCycles({ direction: 'pull', removal: 'reset-counter', rounds: 1 }, RUNS),
  },
  {
    key: 'pull-limit',
    title: 'pull, k = 1, one connection a cycle',
    setup: inCycles({ direction: 'pull', removal: 'reset-counter', rounds: 1 }, RUNS, { connectionLimit: 1 }),
  },
  {
    key: 'pull-hunt',
    title: 'pull, k = 1, one connection a cycle, hunting 4',
    setup: inCycles({ direction: 'pull', removal: 'reset-counter', rounds: 1 }, RUNS, { connectionLimit: 1, hunt: 4 }),
  },
  {
    key: 'push-pull',
    title: 'push-pull, k = 2',
    setup: inCycles({ direction: 'push-pull', removal: 'reset-counter', rounds: 2 }, RUNS),
  },
  {
    key: 'push-pull-minimised',
    title: 'push-pull, k = 2, minimisation',
    setup: inCycles({ direction: 'push-pull', removal: 'reset-counter', rounds: 2 }, RUNS, { minimised: true }),
  },
];

/** Push with no end, for Pittel's law. */
export const pittelSites: readonly number[] = [100, 200, 500, 1000, 2000, 5000, 10_000];

export function pittelSetup(nodes: number): Setup {
  return inCycles({ rounds: 1_000_000 }, nodes > 2000 ? 25 : 50, { nodes, untilAll: true, measuredRuns: 0 });
}

/** Where Pittel's law puts the last site. */
export function pittel(nodes: number): number {
  return Math.log2(nodes) + Math.log(nodes);
}

export const directions = ['push', 'pull', 'push-pull'] as const;
export const entropySites: readonly number[] = [32, 100, 316, 1000];

export function entropySetup(direction: (typeof directions)[number], nodes: number): Setup {
  return {
    protocol: { name: 'entropy', options: { direction, gc: false } },
    nodes,
    runs: nodes > 500 ? 20 : 50,
    seed: SEED,
    synchronous: true,
    measuredRuns: 5,
  };
}

export const missingUpdates: readonly number[] = [0, 1, 10, 100, 1000, 10_000];
export const HELD_UPDATES = 100_000;

export const losses: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5];
export const lossyProtocols = ['rumor', 'entropy', 'hybrid'] as const;

export function lossSetup(name: (typeof lossyProtocols)[number], loss: number): Setup {
  return { protocol: { name, options: {} }, nodes: 100, runs: 50, seed: SEED, loss, measuredRuns: 10 };
}

/** The experiments that are runs of one setup, by their keys. */
export function experiments(): ReadonlyMap<string, Setup> {
  const all = new Map<string, Setup>();
  for (const { k } of table1) all.set(`table1-${k}`, table1Setup(k));
  for (const { k } of table1) all.set(`cumulative-${k}`, cumulativeSetup(k));
  for (const { k } of table2) all.set(`table2-${k}`, table2Setup(k));
  for (const { k } of table3) all.set(`table3-${k}`, table3Setup(k));
  for (const { key, setup } of variations) all.set(key, setup);
  for (const nodes of pittelSites) all.set(`pittel-${nodes}`, pittelSetup(nodes));
  for (const direction of directions)
    for (const nodes of entropySites) all.set(`entropy-${direction}-${nodes}`, entropySetup(direction, nodes));
  for (const name of lossyProtocols) for (const loss of losses) all.set(`loss-${name}-${loss}`, lossSetup(name, loss));
  return all;
}

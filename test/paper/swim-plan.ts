/**
 * The experiments with SWIM of docs/papers.md, each as data.
 *
 * Invariants
 *  1. Seeds are fixed: whoever runs the plan again gets the very same figures.
 *  2. Options are the defaults, but where plain SWIM is asked for.
 *
 * Source: Das, Gupta, Motivala, "SWIM", 2002; Dadgar, Phillips, Currey, "Lifeguard", 2018, section V.
 */
import type { SwimOptions } from '@grapevine/core';
import type { CrashSetup, CutSetup, JoinSetup, LoadSetup, LossSetup, StallSetup, SwimExperiment } from '@grapevine/sim';

export const SWIM_SEED = 2002;
/** e/(e − 1): so many periods until somebody first picks a dead node as a target, on average. */
export const FIRST_PICK: number = Math.E / (Math.E - 1);

/** SWIM with suspicion, without Lifeguard. */
export const plain: Partial<SwimOptions> = { awarenessMax: 1, suspicionMaxMult: 1, tellSuspects: false };

const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => SWIM_SEED + index);

/** Nodes, worlds and deaths in each. */
export const losses: readonly (readonly [nodes: number, worlds: number, victims: number])[] = [
  [50, 20, 10],
  [100, 10, 20],
  [200, 4, 10],
  [500, 4, 15],
  [1000, 4, 12],
];

export function lossesOf(nodes: number): CrashSetup[] {
  return losses
    .filter(([each]) => each === nodes)
    .flatMap(([, worlds, victims]) => seeds(worlds).map((seed) => ({ nodes, seed, victims, how: 'lose' as const })));
}

export const crashes: readonly CrashSetup[] = seeds(4).map((seed) => ({ nodes: 100, seed, victims: 20, how: 'crash' }));

export const loadNodes: readonly number[] = [50, 100, 200, 500, 1000];
export const loads: readonly LoadSetup[] = loadNodes.map((nodes) => ({ nodes, seed: SWIM_SEED, periods: 120 }));

export interface Anomaly {
  readonly kind: StallSetup['kind'];
  readonly anomalous: number;
  readonly blockedMs: number;
  readonly freeMs: number;
}

/** A part of the paper's grid: C from 4 to 32, D from 8,192 ms, I from 64 ms. */
export const anomalies: readonly Anomaly[] = [
  { kind: 'blocked', anomalous: 4, blockedMs: 16_384, freeMs: 64 },
  { kind: 'blocked', anomalous: 8, blockedMs: 16_384, freeMs: 64 },
  { kind: 'blocked', anomalous: 16, blockedMs: 8192, freeMs: 64 },
  { kind: 'blocked', anomalous: 16, blockedMs: 16_384, freeMs: 64 },
  { kind: 'blocked', anomalous: 16, blockedMs: 16_384, freeMs: 1024 },
  { kind: 'blocked', anomalous: 16, blockedMs: 32_768, freeMs: 1024 },
  { kind: 'blocked', anomalous: 32, blockedMs: 16_384, freeMs: 1024 },
  { kind: 'stopped', anomalous: 16, blockedMs: 16_384, freeMs: 64 },
  { kind: 'stopped', anomalous: 32, blockedMs: 8192, freeMs: 256 },
  { kind: 'stopped', anomalous: 32, blockedMs: 32_768, freeMs: 64 },
];

export interface Way {
  readonly name: string;
  readonly options: Partial<SwimOptions>;
  readonly tellsStalls: boolean;
}

export const ways: readonly Way[] = [
  { name: 'plain SWIM', options: plain, tellsStalls: false },
  { name: 'Lifeguard', options: {}, tellsStalls: false },
  { name: 'and own stalls', options: {}, tellsStalls: true },
];

export function stallSetup(anomaly: Anomaly, { options, tellsStalls }: Way, seed: number = SWIM_SEED): StallSetup {
  return { ...anomaly, nodes: 128, seed, forMs: 120_000, tellsStalls, options };
}

/** A process that runs on has no stall to tell of. */
export function waysOf({ kind }: Anomaly): readonly Way[] {
  return kind === 'stopped' ? ways : ways.slice(0, 2);
}

/** 1,000 node-hours: 5 % of the messages are lost, and every minute somebody stands still for up to 3 s. */
export const quiet: readonly LossSetup[] = seeds(20).map((seed) => ({
  nodes: 100,
  seed,
  hours: 0.5,
  loss: 0.05,
  stallEveryMs: 60_000,
  stalledMs: 3000,
}));

export const joinNodes: readonly number[] = [50, 200];
export const joins: readonly JoinSetup[] = joinNodes.flatMap((nodes) =>
  [0, 2000].flatMap((startWithinMs) => seeds(5).map((seed) => ({ nodes, seed, startWithinMs }))),
);

export const cutNodes: readonly (readonly [nodes: number, worlds: number])[] = [
  [5, 5],
  [50, 5],
  [200, 2],
];
export const cutWays = ['both', 'inward', 'outward'] as const;
export const cuts: readonly CutSetup[] = cutNodes.flatMap(([nodes, worlds]) =>
  cutWays.flatMap((way) =>
    seeds(worlds).map((seed) => ({ nodes, seed, cut: Math.floor(nodes / 2), way, forMs: 60_000 })),
  ),
);

/** The longest first. */
export function swimExperiments(): SwimExperiment[] {
  const of = <K extends SwimExperiment['kind'], S>(kind: K, setups: readonly S[]): { kind: K; setup: S }[] =>
    setups.map((setup) => ({ kind, setup }));
  return [
    ...of(
      'crashes',
      losses.toReversed().flatMap(([nodes]) => lossesOf(nodes)),
    ),
    ...of('crashes', crashes),
    ...of(
      'stalls',
      anomalies.flatMap((anomaly) => waysOf(anomaly).map((way) => stallSetup(anomaly, way))),
    ),
    ...of('loss', quiet),
    ...of('cut', cuts),
    ...of('load', loads),
    ...of('join', joins),
  ];
}

/**
 * What the experiments with SWIM found, as it stands in docs/papers/swim.json, and figures made of it.
 */
import type {
  CutSetup,
  Death,
  FalsePositives,
  Load,
  QuietHours,
  StallSetup,
  SwimExperiment,
  SwimFinding,
} from '@grapevine/sim';
import { type Anomaly, stallSetup, type Way } from './swim-plan.ts';

export interface SwimResults {
  readonly seed: number;
  readonly node: string;
  /** In the order of the plan. */
  readonly findings: readonly SwimFinding[];
}

/** The members of memberlist's LAN profile: a period and a gossip interval, in milliseconds. */
export const PERIOD_MS = 1000;
export const GOSSIP_MS = 200;

type Finding<K extends SwimExperiment['kind']> = Extract<SwimFinding, { kind: K }>;

function findings<K extends SwimExperiment['kind']>({ findings: all }: SwimResults, kind: K): Finding<K>[] {
  return all.filter((finding): finding is Finding<K> => finding.kind === kind);
}

export function deaths(results: SwimResults, nodes: number, how: 'lose' | 'crash' = 'lose'): Death[] {
  return findings(results, 'crashes')
    .filter(({ setup }) => setup.nodes === nodes && setup.how === how)
    .flatMap(({ found }) => found);
}

export interface Estimate {
  readonly mean: number;
  readonly error: number;
  readonly most: number;
}

export function estimate(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length), most: Math.max(...values) };
}

/** From the first suspicion until the last member knows. */
export function spreads(results: SwimResults, nodes: number): number[] {
  return deaths(results, nodes).map(({ suspected, downLast }) => downLast - suspected);
}

/** The least time of suspicion in a cluster of so many, in milliseconds: what it comes to once others confirm. */
export function leastSuspicionMs(nodes: number): number {
  return 4 * Math.max(1, Math.log10(nodes)) * PERIOD_MS;
}

/** What may come to it until everybody knows: log2 n gossip intervals. */
export function spreadBoundMs(nodes: number): number {
  return leastSuspicionMs(nodes) + Math.log2(nodes) * GOSSIP_MS;
}

export function loadOf(results: SwimResults, nodes: number): Load {
  const finding = findings(results, 'load').find(({ setup }) => setup.nodes === nodes);
  return (finding as Finding<'load'>).found;
}

export function falsePositives(results: SwimResults, anomaly: Anomaly, way: Way): FalsePositives {
  const wanted = stallSetup(anomaly, way);
  const same = (setup: StallSetup): boolean => JSON.stringify(setup) === JSON.stringify(wanted);
  return (findings(results, 'stalls').find(({ setup }) => same(setup)) as Finding<'stalls'>).found;
}

export function quietHours(results: SwimResults): QuietHours {
  const sum = { nodeHours: 0, suspicions: 0, downs: 0, stalls: 0 };
  for (const { found } of findings(results, 'loss')) {
    sum.nodeHours += found.nodeHours;
    sum.suspicions += found.suspicions;
    sum.downs += found.downs;
    sum.stalls += found.stalls;
  }
  return sum;
}

/** In milliseconds; who never was done counts as infinitely late. */
export function joinsOf(results: SwimResults, nodes: number, startWithinMs: number): number[] {
  return findings(results, 'join')
    .filter(({ setup }) => setup.nodes === nodes && setup.startWithinMs === startWithinMs)
    .map(({ found }) => found ?? Infinity);
}

export function healingsOf(results: SwimResults, nodes: number, way: CutSetup['way']): number[] {
  return findings(results, 'cut')
    .filter(({ setup }) => setup.nodes === nodes && setup.way === way)
    .map(({ found }) => found.healedMs ?? Infinity);
}

/** What a run says: a line a round, a summary, and where it failed what a person needs to look on. */
import { median } from '../bench/statistics.ts';
import { describeFault, type FaultKind, faultKinds } from './plan.ts';
import type { RoundResult, RunResult } from './run.ts';

export interface Summary {
  readonly seed: number;
  readonly nodes: number;
  readonly faults: number;
  readonly rounds: number;
  readonly kinds: Readonly<Partial<Record<FaultKind, number>>>;
  readonly writes: number;
  readonly acknowledged: number;
  /** Writes that died with all who held them, in blackouts and else. */
  readonly diedInBlackouts: number;
  readonly died: number;
  readonly lost: number;
  readonly returned: number;
  readonly unequal: number;
  readonly troubles: number;
  /** Processes, the first ones included. */
  readonly started: number;
  /** From the end of the last fault of a round until all were equal. */
  readonly medianEqualMs: number;
  readonly maxEqualMs: number;
  readonly medianFaultMs: number;
  readonly tookMs: number;
}

export function summarize(seed: number, nodes: number, { rounds, started, acknowledged }: RunResult): Summary {
  const sum = (of: (round: RoundResult) => number): number => rounds.reduce((total, round) => total + of(round), 0);
  const kinds: Partial<Record<FaultKind, number>> = {};
  for (const { round } of rounds) for (const { kind } of round.faults) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return {
    seed,
    nodes,
    faults: sum(({ round }) => round.faults.length),
    rounds: rounds.length,
    kinds,
    writes: sum(({ writes }) => writes),
    acknowledged,
    diedInBlackouts: sum((round) => (isBlackout(round) ? round.died : 0)),
    died: sum((round) => (isBlackout(round) ? 0 : round.died)),
    lost: sum(({ lost }) => lost.length),
    returned: sum(({ returned }) => returned.length),
    unequal: rounds.filter(({ unequal }) => unequal.length > 0).length,
    troubles: sum(({ troubles }) => troubles.length),
    started,
    medianEqualMs: Math.round(median(rounds.map(({ equalMs }) => equalMs))),
    maxEqualMs: Math.round(Math.max(...rounds.map(({ equalMs }) => equalMs))),
    medianFaultMs: Math.round(median(rounds.map(({ tookMs, round }) => tookMs / round.faults.length))),
    tookMs: Math.round(sum(({ tookMs }) => tookMs)),
  };
}

export function showRound(result: RoundResult, faults: number): string {
  const { round, hits, downs, equalMs, ids, writes, died, lost, returned } = result;
  const what = round.faults
    .map((fault, i) => `${describeFault(fault)}${hits[i] === null ? '' : ` (${hits[i]})`}`)
    .join(', ');
  return (
    `${round.number}: ${what}; ${writes} writes, ${downs} downs; equal after ${seconds(equalMs)}, ${ids} ids, lost ${lost.length}` +
    `${returned.length > 0 ? `, returned ${returned.length}` : ''}${died > 0 ? `, died with their holders ${died}` : ''}` +
    ` (${faults} faults)`
  );
}

export function showSummary(summary: Summary): string {
  const { kinds } = summary;
  return [
    `${summary.faults} faults in ${summary.rounds} rounds, seed ${summary.seed}, ${summary.nodes} agents, ${seconds(summary.tookMs)}:`,
    ...Object.entries(kinds).map(
      ([kind, count]) => `  ${String(count).padStart(5)}  ${kind}: ${faultKinds[kind as FaultKind].text}`,
    ),
    `${summary.started} processes started; ${summary.writes} writes handed out, ${summary.acknowledged} acknowledged,`,
    `${summary.diedInBlackouts} died where all were killed at once, ${summary.died} with a writer that was killed before others had them`,
    `lost ${summary.lost}, returned ${summary.returned}, rounds that did not end equal ${summary.unequal}, troubles ${summary.troubles}`,
    `equal after ${seconds(summary.medianEqualMs)} in the median, ${seconds(summary.maxEqualMs)} at most; ${seconds(summary.medianFaultMs)} a fault in the median`,
  ].join('\n');
}

export function showFailure(seed: number, { rounds, tails }: RunResult, folder: string): string {
  const { round, lost, returned, unequal, troubles } = rounds.at(-1) as RoundResult;
  return [
    `FAILED: seed ${seed}, round ${round.number}: ${round.faults.map(describeFault).join(', ')}`,
    ...Object.entries({ lost, returned, unequal, troubles }).flatMap(([name, lines]) =>
      lines.map((line) => `  ${name}: ${line}`),
    ),
    ...[...tails].map(([name, tail]) => `--- the end of the log of ${name}\n${tail}`),
    `--- all of it is in ${folder}`,
  ].join('\n');
}

function isBlackout({ round }: RoundResult): boolean {
  return round.faults.some(({ kind }) => kind === 'blackout');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

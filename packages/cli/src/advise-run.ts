/**
 * The cheapest options that reach a target: what `grapevine advise` does.
 *
 * A residue of a millionth cannot be measured in a sensible time. So the residue is measured where it is large, for few
 * rounds, and carried on from there by the law that it follows: s = e^(−(k+1)(1−s)), by which every further round leaves at
 * most an e-th of the former residue.
 *
 * Invariants
 *  1. What is carried on is never carried on faster than by an e-th a round, nor faster than what was measured last.
 *  2. What was found is run once more as it is recommended: costs are measured, never carried on.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4.
 */
import { figuresOf, idleCost, type ProtocolSetup, type Setup, summarise, type Summary } from '@grapevine/sim';
import { runInPool } from '@grapevine/sim/pool';
import type { AdviseFlags } from './advise-flags.ts';
import { showFigure } from './simulate-figures.ts';
import { ProgressBar } from './simulate-progress.ts';

/** One way to do it, and what it costs. */
export interface Advice {
  readonly protocol: ProtocolSetup['name'];
  readonly options: Readonly<Record<string, unknown>>;
  /** How surely a node gets an update. 1: anti-entropy repairs what is missing, as long as nodes can reach each other. */
  readonly reaches: number;
  /** Sent by a node for one update. */
  readonly messagesPerUpdate: number;
  readonly bytesPerUpdate: number;
  /** Until the last node has it, on average. */
  readonly lastMs: number;
  /** Sent by a node in a second while there is no news. */
  readonly idleMessagesPerSecond: number;
  readonly idleBytesPerSecond: number;
  /** All told at the rate of updates that was asked for: ways are ranked by it. */
  readonly bytesPerSecond: number;
  /** How it is known. */
  readonly because: string;
}

/** A residue that was measured for some rounds. */
interface Measured {
  readonly rounds: number;
  readonly residue: number;
  /** How many nodes were left out in all runs: what the residue stands on. */
  readonly missed: number;
}

const MEASURED_ROUNDS = [1, 2, 3, 4];
/** Nodes reached or not in all runs of one measurement. */
const SAMPLES = 20_000;
/** Fewer than this make no residue. */
const ENOUGH_MISSED = 30;
/** Above: too slow a decline to be carried on. */
const MOST_ROUNDS = 60;
const DEFAULT_DELTA_MS = 500;
const removals = ['counter', 'reset-counter'] as const;

export async function advise(flags: AdviseFlags): Promise<void> {
  const ways = (await findWays(flags)).toSorted((a, b) => a.bytesPerSecond - b.bytesPerSecond);
  const { nodes, target, rate, loss, seed } = flags;
  const [best] = ways;
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ nodes, target, rate, loss, seed, best, others: ways.slice(1) })}\n`);
  else process.stdout.write(tell(flags, ways));
}

async function findWays(flags: AdviseFlags): Promise<Advice[]> {
  const { nodes } = flags;
  const runs = Math.min(250, Math.max(20, Math.ceil(SAMPLES / nodes)));
  const probes = removals.flatMap((removal) =>
    MEASURED_ROUNDS.map((rounds) => setupOf(flags, { name: 'rumor', options: { removal, rounds } }, runs)),
  );
  const measured = await runAll(probes, 'measuring');
  const found = removals.flatMap((removal, index) => {
    const points = MEASURED_ROUNDS.map((rounds, at): Measured => {
      const { residue } = measured[index * MEASURED_ROUNDS.length + at] as Summary;
      return { rounds, residue: residue.mean, missed: Math.round(residue.mean * nodes * runs) };
    });
    const reached = reach(points, 1 - flags.target, nodes * runs);
    return reached === undefined ? [] : [{ removal, ...reached }];
  });
  const candidates = [
    ...found.map(({ removal, rounds, residue, because }) => ({
      protocol: { name: 'rumor', options: { removal, rounds } } as const,
      reaches: 1 - residue,
      because,
    })),
    ...(['hybrid', 'entropy'] as const).map((name) => ({
      protocol: { name, options: {} },
      reaches: 1,
      because: 'anti-entropy compares until nothing is missing: it is certain while nodes can reach each other',
    })),
  ];
  const setups = candidates.map(({ protocol }) => setupOf(flags, protocol, Math.min(40, runs)));
  const costs = await runAll(setups, 'costing');
  return candidates.map((candidate, index) => adviceOf(candidate, costs[index] as Summary, flags));
}

function setupOf({ nodes, seed, loss, delta }: AdviseFlags, protocol: ProtocolSetup, runs: number): Setup {
  return { protocol: withDelta(protocol, delta), nodes, runs, seed, loss };
}

function withDelta({ name, options }: ProtocolSetup, delta: number): ProtocolSetup {
  return { name, options: { ...options, delta } };
}

async function runAll(setups: readonly Setup[], what: string): Promise<Summary[]> {
  const bar = new ProgressBar(
    process.stderr,
    setups.reduce((sum, { runs }) => sum + runs, 0),
    `runs, ${what}`,
  );
  try {
    return (await runInPool(setups, figuresOf, (done) => bar.show(done))).map(summarise);
  } finally {
    bar.close();
  }
}

/** The fewest rounds that leave no more than `residue`; nothing, if it cannot be said. */
function reach(
  points: readonly Measured[],
  residue: number,
  samples: number,
): { readonly rounds: number; readonly residue: number; readonly because: string } | undefined {
  const sure = points.filter(({ missed }) => missed >= ENOUGH_MISSED);
  const direct = sure.find((point) => point.residue * (1 + 2 / Math.sqrt(point.missed)) <= residue);
  if (direct !== undefined)
    return {
      rounds: direct.rounds,
      residue: direct.residue,
      because: `measured: ${direct.missed} of ${samples.toLocaleString('en')} nodes were left out`,
    };
  // With nobody left out, three in all would be the most to be believed (19 times of 20).
  const last = sure.at(-1) ?? { rounds: 1, residue: 3 / samples, missed: 0 };
  const before = sure.at(-2);
  const decline = before === undefined ? 1 : Math.min(1, Math.log(before.residue / last.residue));
  const more = Math.max(0, Math.ceil(Math.log(last.residue / residue) / decline));
  if (!(decline > 0) || last.rounds + more > MOST_ROUNDS) return undefined;
  return {
    rounds: last.rounds + more,
    residue: last.residue * Math.exp(-decline * more),
    because: `${last.missed} of ${samples.toLocaleString('en')} nodes were left out with rounds ${last.rounds}; each further round leaves at most e^-${showFigure(decline)} of that, as measured and as by s = e^(-(k+1)(1-s))`,
  };
}

function adviceOf(
  {
    protocol,
    reaches,
    because,
  }: { readonly protocol: ProtocolSetup; readonly reaches: number; readonly because: string },
  { messages, bytes, tLast }: Summary,
  { nodes, delta, rate }: AdviseFlags,
): Advice {
  const idle = idleCost(withDelta(protocol, delta), nodes);
  const cyclesPerSecond = 1000 / delta;
  // What would have been sent anyway while it spread is no cost of the update.
  const messagesPerUpdate = Math.max(0, messages.mean - idle.messages * tLast.mean);
  const bytesPerUpdate = Math.max(0, bytes.mean - idle.bytes * tLast.mean);
  const idleBytesPerSecond = idle.bytes * cyclesPerSecond;
  return {
    protocol: protocol.name,
    options: delta === DEFAULT_DELTA_MS ? { ...protocol.options } : { ...protocol.options, delta },
    reaches,
    messagesPerUpdate,
    bytesPerUpdate,
    lastMs: tLast.mean * delta,
    idleMessagesPerSecond: idle.messages * cyclesPerSecond,
    idleBytesPerSecond,
    bytesPerSecond: rate * bytesPerUpdate + idleBytesPerSecond,
    because,
  };
}

function tell({ nodes, target, rate, loss }: AdviseFlags, ways: readonly Advice[]): string {
  const lost = loss === 0 ? '' : `, ${showFigure(100 * loss)} % of messages lost`;
  const paragraphs = ways.map((way, index) => {
    const options = Object.entries(way.options).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    const lead = index === 0 ? 'cheapest' : 'or';
    return [
      `${lead}: ${way.protocol}(${options.length === 0 ? '' : `{ ${options.join(', ')} }`})`,
      `  reaches     ${way.reaches === 1 ? 'everybody, certainly' : `all but ${showFigure(1 - way.reaches)}`}`,
      `  an update   ${showFigure(way.messagesPerUpdate)} messages and ${showFigure(way.bytesPerUpdate)} bytes a node; the last has it after ${showFigure(way.lastMs)} ms`,
      `  idle        ${showFigure(way.idleMessagesPerSecond)} messages and ${showFigure(way.idleBytesPerSecond)} bytes a node a second`,
      `  together    ${showFigure(way.bytesPerSecond)} bytes a node a second`,
      `  known by    ${way.because}`,
    ].join('\n');
  });
  return `${nodes} nodes, target ${target}, ${showFigure(rate)} updates a second${lost}\n\n${paragraphs.join('\n\n')}\n`;
}

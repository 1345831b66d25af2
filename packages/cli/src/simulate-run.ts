/**
 * How one update spreads, by the protocol that ships, many times over: what `grapevine simulate` does.
 *
 * Invariants
 *  1. Only what was asked for is given to the protocol: its own resolver knows defaults and names every violation.
 *  2. The same words and seed give the same figures, whatever the machine and the number of its processors.
 */
import { writeFileSync } from 'node:fs';
import {
  type Curves,
  curvesOf,
  figuresOf,
  type Setup,
  type Share,
  type Spread,
  summarise,
  type Summary,
} from '@grapevine/sim';
import { drawChart, type Series } from '@grapevine/sim/plot';
import { runInPool } from '@grapevine/sim/pool';
import type { SimulateFlags } from './simulate-flags.ts';
import { showBytes, showFigure } from './simulate-figures.ts';
import { ProgressBar } from './simulate-progress.ts';

/** What `--json` prints: means over the runs; times in cycles. */
export interface SimulateResult {
  readonly protocol: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly synchronous: boolean;
  readonly nodes: number;
  readonly runs: number;
  readonly seed: number;
  readonly loss: number;
  readonly residue: number;
  readonly traffic: number;
  readonly tAvg: number;
  readonly tLast: number;
  readonly bytesPerNode: number;
  readonly payloadsPerUpdate: number;
  readonly messagesPerNode: number;
  /** Standard errors of the means above. */
  readonly errors: Readonly<Record<'residue' | 'traffic' | 'tAvg' | 'tLast' | 'bytesPerNode', number>>;
}

/** Runs it, draws it if asked to, and prints what came out. @throws GossipError OPTIONS_INVALID before anything runs */
export async function simulate(flags: SimulateFlags): Promise<void> {
  const setup = setupOf(flags);
  const bar = new ProgressBar(process.stderr, setup.runs, 'runs');
  let runs: Spread[];
  try {
    [runs = []] = await runInPool(
      [setup],
      (run) => run,
      (done) => bar.show(done),
    );
  } finally {
    bar.close();
  }
  const result = resultOf(setup, summarise(runs.map(figuresOf)));
  if (flags.plot !== undefined)
    writeFileSync(flags.plot, plotOf(result, curvesOf(runs, setup.synchronous === true), runs.length));
  process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : tell(result));
}

/** What was asked for, as an experiment. */
function setupOf(flags: SimulateFlags): Setup {
  const {
    protocol,
    direction,
    blind,
    removal,
    rounds,
    level,
    synchronous = false,
    nodes,
    runs,
    seed,
    loss = 0,
  } = flags;
  const asked = { direction, blind, removal, rounds, level, ...flags.option };
  const given: Record<string, unknown> = Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined),
  );
  // One push a cycle is what a synchronous cycle means.
  if (synchronous && protocol === 'rumor') given['eager'] ??= false;
  const inOrder = flags.judged === undefined ? isCumulative(protocol, given) : flags.judged === 'arrival';
  return {
    protocol: { name: protocol, options: given },
    nodes,
    runs,
    seed,
    loss,
    synchronous,
    inOrder: synchronous && inOrder,
  };
}

function isCumulative(protocol: string, { removal = 'counter' }: Readonly<Record<string, unknown>>): boolean {
  return protocol === 'rumor' && removal === 'counter';
}

function resultOf(setup: Setup, summary: Summary): SimulateResult {
  const { residue, traffic, tAvg, tLast, bytes, values, messages } = summary;
  const { protocol, nodes, runs, seed, loss = 0, synchronous = false } = setup;
  return {
    protocol: protocol.name,
    options: { ...protocol.options },
    synchronous,
    nodes,
    runs,
    seed,
    loss,
    residue: residue.mean,
    traffic: traffic.mean,
    tAvg: tAvg.mean,
    tLast: tLast.mean,
    bytesPerNode: bytes.mean,
    payloadsPerUpdate: values.mean,
    messagesPerNode: messages.mean,
    errors: {
      residue: residue.error,
      traffic: traffic.error,
      tAvg: tAvg.error,
      tLast: tLast.error,
      bytesPerNode: bytes.error,
    },
  };
}

function nameOf({ protocol, options }: SimulateResult): string {
  const said = Object.entries(options).filter(([key]) => key !== 'eager');
  const words = said.map(([key, value]) => `${key} ${String(value)}`);
  return words.length === 0 ? protocol : `${protocol}: ${words.join(', ')}`;
}

function plotOf(result: SimulateResult, curves: Curves, runs: number): string {
  const series = (name: string, shares: readonly Share[]): Series => ({
    name,
    points: shares.map(({ time, mean, low, high }) => ({ x: time, y: mean, low, high })),
  });
  const { nodes, residue, synchronous, loss } = result;
  const lost = loss === 0 ? '' : `, ${showFigure(100 * loss)} % lost`;
  const way = synchronous ? 'synchronous cycles' : 'by their own clocks';
  return drawChart({
    title: nameOf(result),
    subtitle: `${nodes} nodes, ${way}${lost}; mean and tenth to ninetieth percentile of ${runs} runs; residue ${showFigure(residue)}`,
    x: { label: 'time in cycles' },
    y: { label: 'share of the nodes', domain: [0, 1] },
    series: [
      series('susceptible', curves.susceptible),
      series('infective', curves.infective),
      series('removed', curves.removed),
    ],
  });
}

function tell(result: SimulateResult): string {
  const { nodes, runs, seed, residue, traffic, tAvg, tLast, bytesPerNode, payloadsPerUpdate, messagesPerNode, errors } =
    result;
  const line = (name: string, value: string, meaning: string): string =>
    `  ${name.padEnd(10)} ${value.padStart(22)}   ${meaning}\n`;
  const mean = (value: number, error: number): string => `${showFigure(value)} ± ${error.toPrecision(1)}`;
  return [
    `${nameOf(result)}\n`,
    `${nodes} nodes, ${runs} runs, seed ${seed}; means ± standard errors\n`,
    line('residue', mean(residue, errors.residue), 'share of the nodes that never get it'),
    line('traffic', mean(traffic, errors.traffic), 'pushes per node, useful or not'),
    line('t_avg', mean(tAvg, errors.tAvg), 'cycles until a node has it, on average'),
    line('t_last', mean(tLast, errors.tLast), 'cycles until the last one has it'),
    line('messages', showFigure(messagesPerNode), 'sent per node, all kinds'),
    line('bytes', showBytes(bytesPerNode), 'sent per node, without headers of WebSocket and TCP'),
    line('payloads', showFigure(payloadsPerUpdate), 'values sent, all nodes together'),
  ].join('');
}

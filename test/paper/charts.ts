/**
 * The charts of docs/papers.md, of the results alone.
 */
import type { Curves, Share, Summary } from '@grapevine/sim';
import { drawChart, type Point } from '@grapevine/sim/plot';
import {
  analyticResidue,
  directions,
  entropySites,
  HELD_UPDATES,
  losses,
  lossyProtocols,
  type PaperLine,
  pittel,
  pittelSites,
  table1,
  table2,
  table3,
} from './plan.ts';
import type { Results } from './results.ts';

/** Every chart by the name of its file, without `.svg`. */
export function charts(results: Results): ReadonlyMap<string, string> {
  const of = (key: string): Summary => results.summaries[key] as Summary;
  return new Map([
    ['course', course(results.curves['k1'] as Curves)],
    ['table1', residues('Push with feedback and counter: the paper’s table 1', 'table1', table1, of)],
    ['cumulative', cumulative(of)],
    ['table2', residues('Push, blind, with a coin: the paper’s table 2', 'table2', table2, of)],
    ['table3', residues('Pull with feedback and counter: the paper’s table 3', 'table3', table3, of)],
    ['traffic', residueByTraffic(of)],
    ['pittel', spreading(of)],
    ['entropy', entropyCycles(of)],
    ['catching-up', catchingUp(results)],
    ['loss', loss(of)],
  ]);
}

function course({ susceptible, infective, removed }: Curves): string {
  const series = (name: string, shares: readonly Share[]): { name: string; points: Point[] } => ({
    name,
    points: shares.map(({ time, mean, low, high }) => ({ x: time, y: mean, low, high })),
  });
  return drawChart({
    title: 'The course of a rumor: push, feedback, counter, k = 1',
    subtitle: '1,000 sites; mean of 100 runs, the bands from the tenth to the ninetieth percentile',
    x: { label: 'cycles', domain: [0, 25] },
    y: { label: 'share of the sites', domain: [0, 1] },
    series: [
      series('susceptible', cut(susceptible)),
      series('infective', cut(infective)),
      series('removed', cut(removed)),
    ],
  });
}

function cut(shares: readonly Share[]): readonly Share[] {
  return shares.filter(({ time }) => time <= 25);
}

function residues(title: string, table: string, lines: readonly PaperLine[], of: (key: string) => Summary): string {
  const ours = lines
    .map(({ k }) => ({ k, residue: of(`${table}-${k}`).residue }))
    .filter(({ residue }) => residue.mean > 0);
  return drawChart({
    title,
    subtitle: '1,000 sites in synchronous cycles; circles are the paper’s figures',
    x: { label: 'k', domain: [1, lines.length], whole: true },
    y: { label: 'residue s', scale: 'log' },
    series: [
      { name: 'ours', points: ours.map(({ k, residue }) => ({ x: k, y: residue.mean })), colour: 0 },
      { name: 'the paper', points: lines.map(({ k, s }) => ({ x: k, y: s })), mark: 'dots', colour: 1 },
    ],
  });
}

function cumulative(of: (key: string) => Summary): string {
  const points = (y: (k: number) => number): Point[] => table1.map(({ k }) => ({ x: k, y: y(k) }));
  return drawChart({
    title: 'Counters: cumulative and in order, or reset and in batches',
    subtitle: 'the dashed line is s = e^(−(k+1)(1−s)); circles are the paper’s table 1',
    x: { label: 'k', domain: [1, 5], whole: true },
    y: { label: 'residue s', scale: 'log' },
    series: [
      { name: 'cumulative', points: points((k) => of(`cumulative-${k}`).residue.mean), colour: 2 },
      { name: 'analytic', points: points(analyticResidue), mark: 'dashes', colour: 6 },
      { name: 'reset', points: points((k) => of(`table1-${k}`).residue.mean), colour: 0 },
      { name: 'the paper', points: table1.map(({ k, s }) => ({ x: k, y: s })), mark: 'dots', colour: 1 },
    ],
  });
}

/** Residue over traffic: the paper's point that all pushes lie on s = e^(−m). */
function residueByTraffic(of: (key: string) => Summary): string {
  const line = (table: string, lines: readonly PaperLine[]): Point[] =>
    lines
      .map(({ k }) => of(`${table}-${k}`))
      .filter(({ residue }) => residue.mean > 1e-5)
      .map(({ traffic, residue }) => ({ x: traffic.mean, y: residue.mean }));
  const exponential = Array.from({ length: 36 }, (_, step) => ({ x: step / 5, y: Math.exp(-step / 5) }));
  return drawChart({
    title: 'What a push buys: residue over traffic',
    subtitle: 'every kind of push lies on s = e^(−m); pull does better',
    x: { label: 'traffic m: pushes per site', domain: [0, 7] },
    y: { label: 'residue s', scale: 'log', domain: [1e-4, 1] },
    series: [
      { name: 'e^(−m)', points: exponential, mark: 'dashes', colour: 6 },
      { name: 'push, counter', points: line('table1', table1) },
      { name: 'push, blind, coin', points: line('table2', table2) },
      { name: 'pull, counter', points: line('table3', table3.slice(0, 2)) },
    ],
  });
}

function spreading(of: (key: string) => Summary): string {
  return drawChart({
    title: 'Push until everybody has it',
    subtitle: 'cycles until the last of n sites has it; the dashed line is log2 n + ln n (Pittel 1987)',
    x: { label: 'sites n', scale: 'log', domain: [100, 10_000] },
    y: { label: 'cycles', domain: [0, 26] },
    series: [
      { name: 'ours', points: pittelSites.map((n) => ({ x: n, y: of(`pittel-${n}`).tLast.mean })) },
      { name: 'Pittel', points: pittelSites.map((n) => ({ x: n, y: pittel(n) })), mark: 'dashes', colour: 6 },
    ],
  });
}

function entropyCycles(of: (key: string) => Summary): string {
  return drawChart({
    title: 'Anti-entropy until everybody has it',
    subtitle: 'cycles until the last of n sites has one update; the dashed line is log2 n + ln n',
    x: { label: 'sites n', scale: 'log', domain: [32, 1000] },
    y: { label: 'cycles' },
    series: [
      ...directions.map((direction) => ({
        name: direction,
        points: entropySites.map((n) => ({ x: n, y: of(`entropy-${direction}-${n}`).tLast.mean })),
      })),
      { name: 'Pittel', points: entropySites.map((n) => ({ x: n, y: pittel(n) })), mark: 'dashes' as const, colour: 6 },
    ],
  });
}

function catchingUp(results: Results): string {
  const found = (where: string): typeof results.catchingUp =>
    results.catchingUp.filter((each) => each.where === where && each.missing > 0);
  return drawChart({
    title: `Catching up on what is missing among ${HELD_UPDATES.toLocaleString('en')}`,
    subtitle: 'bytes of the whole exchange; the dashed line is the missing updates alone',
    x: { label: 'missing updates d', scale: 'log' },
    y: { label: 'bytes', scale: 'log' },
    series: [
      { name: 'scattered', points: found('scattered').map(({ missing, bytes }) => ({ x: missing, y: bytes })) },
      { name: 'the newest', points: found('newest').map(({ missing, bytes }) => ({ x: missing, y: bytes })) },
      {
        name: 'updates alone',
        points: found('newest').map(({ missing, updateBytes }) => ({ x: missing, y: updateBytes })),
        mark: 'dashes',
        colour: 6,
      },
    ],
  });
}

function loss(of: (key: string) => Summary): string {
  return drawChart({
    title: 'Under loss: until the last site that gets it has it',
    subtitle: '100 sites by their own clocks, a message a millisecond; delta 500 ms, default options',
    x: { label: 'share of messages that are lost', domain: [0, 0.5] },
    y: { label: 'cycles', scale: 'log' },
    series: lossyProtocols.map((name) => ({
      name,
      points: losses.map((share) => ({ x: share, y: of(`loss-${name}-${share}`).tLast.mean })),
    })),
  });
}

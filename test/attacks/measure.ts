/**
 * One row measured: quiet, attacked, quiet, attacked, quiet, among the same processes.
 *
 * Invariants
 *  1. Every id that an honest node wrote arrives at every node, attack or not; one that does not fails the row.
 *  2. An attack is held against the calmest of the quiet windows around it: what comes after one may still feel it.
 *  3. What the attacker saw and what the victim logged is what the catalogue says, or the row fails.
 */
import { seededRandom } from '@grapevine/core';
import { inTime, pass, sharedNowMs } from '../bench/clock.ts';
import { median, percentile } from '../bench/statistics.ts';
import type { Attempt } from './attack.ts';
import type { Row } from './catalogue.ts';
import { Company, type CompanyOptions } from './company.ts';

/** Then V8 has compiled what honest nodes do. */
const WARM_UP_UPDATES = 600;
/** From the begin of an attack until it is in its stride, and from its end until the last of it is gone. */
const SETTLE_MS = 500;
/** Longer than any arrival may take. */
const ARRIVAL_LIMIT_MS = 30_000;
/** Longer than the first of an attack may take. */
const ATTEMPT_LIMIT_MS = 30_000;

export interface MeasureOptions extends CompanyOptions {
  /** How long a window is. */
  readonly windowMs: number;
  /** How often it is attacked, where attacks are no longer than a window. */
  readonly rounds: number;
  readonly seed: number;
}

/** Latencies in milliseconds. */
export interface Latency {
  readonly p50: number;
  /** The nearest rank: of 150 the second greatest, of 300 the fourth. */
  readonly p99: number;
  /** Of so many updates. */
  readonly count: number;
}

export interface Finding {
  readonly id: string;
  /** What he saw, how often. */
  readonly saw: Readonly<Record<string, number>>;
  /** A sentence that came with it. */
  readonly sentence: string;
  /** Codes in the log of the victim, and how many lines all in all. */
  readonly logged: readonly string[];
  readonly logLines: number;
  /** Connections a second. */
  readonly perSecond: number;
  /** Of an attempt, or of a second of one that lasts. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly heldMs: number;
  readonly cpuMs: number;
  /** From the `add` at one honest node until both others have it. */
  readonly quiet: Latency;
  readonly attacked: Latency;
  /** The p99 of each quiet window: how far they are apart is noise, or comes after an attack. */
  readonly quietP99s: readonly number[];
  /** The same until the victim has it. */
  readonly quietAtVictim: Latency;
  readonly attackedAtVictim: Latency;
  /** What differs from what the catalogue says. */
  readonly problems: readonly string[];
}

interface Window {
  readonly latencies: number[];
  readonly latenciesAtVictim: number[];
  readonly cpuMs: number;
  readonly durationMs: number;
}

export async function measure(row: Row, options: MeasureOptions): Promise<Finding> {
  return Company.run(row, options, async (company) => {
    const watch = new Stopwatch(company, options.seed);
    await watch.window(WARM_UP_UPDATES, 2);
    const { windowMs } = options;
    const attackedMs = Math.max(windowMs, row.atLeastMs ?? 0);
    const rounds = row.atLeastMs === undefined ? options.rounds : 1;
    const quiet: Window[] = [await watch.windowOf(windowMs)];
    const attacked: Window[] = [];
    const attempts: Attempt[] = [];
    const inWindows: Attempt[] = [];
    for (let round = 0; round < rounds; round++) {
      await company.attack();
      await pass(SETTLE_MS);
      attempts.push(...(await company.attacker.call('attempts')));
      attacked.push(await watch.windowOf(attackedMs));
      inWindows.push(...(await endedAttempts(company, row)));
      attempts.push(...(await company.attacker.call('stop')));
      await pass(SETTLE_MS);
      quiet.push(await watch.windowOf(windowMs));
    }
    attempts.push(...inWindows);
    return findingOf(row, { quiet, attacked, attempts, inWindows, log: company.victim.errorOutput });
  });
}

/** Those that ended since this was last asked; waits for one that ended as the catalogue says, on a machine that is busy. */
async function endedAttempts({ attacker }: Company, { saw }: Row): Promise<Attempt[]> {
  const ended = await attacker.call('attempts');
  const limitAt = sharedNowMs() + ATTEMPT_LIMIT_MS;
  while (!saw.test('stopped') && !ended.some((each) => saw.test(each.saw)) && sharedNowMs() < limitAt) {
    await pass(20);
    ended.push(...(await attacker.call('attempts')));
  }
  return ended;
}

class Stopwatch {
  readonly #company: Company;
  readonly #random: () => number;
  #next = 0;

  constructor(company: Company, seed: number) {
    this.#company = company;
    this.#random = seededRandom(seed);
  }

  /** Fifty updates a second, unevenly, so that no timer of anybody falls into step with the writer. */
  windowOf(durationMs: number): Promise<Window> {
    return this.window(Math.ceil(durationMs / 20), 20);
  }

  async window(count: number, meanPauseMs: number): Promise<Window> {
    const { victim, honest } = this.#company;
    const [writer, ...others] = honest;
    if (writer === undefined) throw new Error('Nobody writes.');
    const first = this.#next;
    this.#next += count;
    const pauses = Array.from({ length: count }, () => meanPauseMs * (0.5 + this.#random()));
    const before = await victim.call('usage');
    const written = await writer.call('trickle', first, pauses);
    const after = await victim.call('usage');
    const arrivals = async (nodes: typeof honest): Promise<number[][]> => {
      const all = Promise.all(nodes.map((node) => node.call('arrivals', first, count)));
      const times = await inTime(all, ARRIVAL_LIMIT_MS);
      if (times === undefined) throw new Error(`Honest updates have not arrived after ${ARRIVAL_LIMIT_MS} ms.`);
      return times;
    };
    const [atOthers, atVictim] = await Promise.all([arrivals(others), arrivals([victim])]);
    const latencies = (times: readonly number[][]): number[] =>
      written.map((at, index) => Math.max(...times.map((each) => each[index] as number)) - at);
    return {
      latencies: latencies(atOthers),
      latenciesAtVictim: latencies(atVictim),
      cpuMs: after.cpuMs - before.cpuMs,
      durationMs: after.atMs - before.atMs,
    };
  }
}

interface Measured {
  readonly quiet: readonly Window[];
  readonly attacked: readonly Window[];
  readonly attempts: readonly Attempt[];
  readonly inWindows: readonly Attempt[];
  readonly log: string;
}

function findingOf(row: Row, { quiet, attacked, attempts, inWindows, log }: Measured): Finding {
  const saw: Record<string, number> = {};
  for (const { saw: what } of attempts) saw[what] = (saw[what] ?? 0) + 1;
  const { codes, lines, strange } = readLog(log);
  const attackedMs = sum(attacked, 'durationMs');
  const spentInPeace = Math.min(...quiet.map(({ cpuMs, durationMs }) => cpuMs / durationMs));
  const beyondMs = sum(attacked, 'cpuMs') - spentInPeace * attackedMs;
  // What lasts ends by his own hand, after the window.
  const counted = row.lasting === true ? attempts : inWindows;
  const isExpected = ({ saw: what }: Attempt): boolean => row.saw.test(what);
  const typical = counted.filter(isExpected);
  const middle = (figure: 'bytesIn' | 'bytesOut' | 'heldMs'): number => median(typical.map((each) => each[figure]));
  const rate = (figure: 'bytesIn' | 'bytesOut'): number =>
    (1000 * typical.reduce((total, each) => total + each[figure], 0)) /
    typical.reduce((total, { heldMs }) => total + heldMs, 0);
  const seconds = attackedMs / 1000;
  return {
    id: row.id,
    saw,
    sentence: attempts.find(isExpected)?.sentence ?? '',
    logged: codes,
    logLines: lines,
    perSecond: inWindows.length / seconds,
    bytesIn: row.lasting === true ? rate('bytesIn') : middle('bytesIn'),
    bytesOut: row.lasting === true ? rate('bytesOut') : middle('bytesOut'),
    heldMs: middle('heldMs'),
    cpuMs: beyondMs / (row.lasting === true ? seconds : inWindows.length),
    quiet: calmest(quiet, 'latencies'),
    attacked: latencyOf(attacked, 'latencies'),
    quietP99s: quiet.map((window) => latencyOf([window], 'latencies').p99),
    quietAtVictim: calmest(quiet, 'latenciesAtVictim'),
    attackedAtVictim: latencyOf(attacked, 'latenciesAtVictim'),
    problems: [
      ...(typical.length === 0 ? ['no attempt ended as expected'] : []),
      ...Object.keys(saw)
        .filter((what) => what !== 'stopped' && !row.saw.test(what))
        .map((what) => `he saw ${what}, ${saw[what]} times: ${attempts.find((each) => each.saw === what)?.sentence}`),
      ...codes
        .filter((code) => !row.logs.includes(code) && row.mayLog?.includes(code) !== true)
        .map((code) => `${code} was logged`),
      ...row.logs.filter((code) => !codes.includes(code)).map((code) => `${code} was not logged`),
      ...strange.map((line) => `the victim wrote: ${line}`),
    ],
  };
}

function sum(windows: readonly Window[], figure: 'cpuMs' | 'durationMs'): number {
  return windows.reduce((total, window) => total + window[figure], 0);
}

function latencyOf(windows: readonly Window[], figure: 'latencies' | 'latenciesAtVictim'): Latency {
  const all = windows.flatMap((window) => window[figure]);
  return { p50: percentile(all, 0.5), p99: percentile(all, 0.99), count: all.length };
}

/** That of the window with the lowest median. */
function calmest(windows: readonly Window[], figure: 'latencies' | 'latenciesAtVictim'): Latency {
  const each = windows.map((window) => latencyOf([window], figure));
  return each.reduce((best, other) => (other.p50 < best.p50 ? other : best));
}

/** What pino wrote: a code of each error, or the message where there is none. */
function readLog(text: string): { readonly codes: string[]; readonly lines: number; readonly strange: string[] } {
  const codes = new Set<string>();
  const strange: string[] = [];
  const lines = text.split('\n').filter((line) => line !== '');
  for (const line of lines)
    try {
      const { err, msg } = JSON.parse(line) as { readonly err?: { readonly code?: string }; readonly msg: string };
      codes.add(err?.code ?? msg);
    } catch {
      strange.push(line);
    }
  return { codes: [...codes], lines: lines.length, strange };
}

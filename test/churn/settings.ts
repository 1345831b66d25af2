/**
 * What the churn is told on the command line.
 */
import { parseArgs } from 'node:util';
import { positive, whole } from '../bench/command-line.ts';
import type { Horizons } from './party.ts';

export interface Settings {
  readonly seed: number;
  /** How long there is churn. */
  readonly durationMs: number;
  /** How long before memory is judged: caches fill, code is compiled, and the first that is forgotten is as old as that. */
  readonly warmUpMs: number;
  /** From one reading of memory to the next; each takes full collections, after which V8 compiles some code anew. */
  readonly sampleEveryMs: number;
  /** From one join to the next; as often, one node ends. */
  readonly joinEveryMs: number;
  /** How long a node lives that comes and goes, at least and at most. */
  readonly lifeMs: readonly [number, number];
  /** New ids a second, of all that stay together; half as many are changed once. */
  readonly idsPerSecond: number;
  /** From one connection that is broken, of each that stays, to the next. */
  readonly breakEveryMs: number;
  readonly horizons: Horizons;
  /** Whether V8 compiles nothing in those who stay: what grows then is what is remembered. */
  readonly interpreted: boolean;
  /** Whether it shows that it runs, judges no memory, and leaves the page alone. */
  readonly quick: boolean;
}

export const usage = `npm run churn -- [options]
  --minutes 20     how long there is churn
  --warm-up 5      the minutes before memory is judged; default a quarter of all
  --sample 60      the seconds from one reading of memory to the next, each after full collections
  --seed 1         of everything random
  --interpreted    V8 compiles nothing, so that what grows is what is remembered
  --quick          15 seconds: shows that it runs and that all is forgotten; judges no memory, leaves the page alone`;

const hour = { forgetAfterMs: 60_000, tombstoneTtlMs: 30_000, rumorTtlMs: 30_000 };
const quickly = { forgetAfterMs: 8000, tombstoneTtlMs: 4000, rumorTtlMs: 4000 };

/** @throws Error that says which argument is wrong */
export function settingsFrom(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      'warm-up': { type: 'string' },
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      interpreted: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  const minutes = positive('minutes', values.minutes ?? (quick ? '0.25' : '20'));
  const warmUp = Number(values['warm-up'] ?? (quick ? 0 : minutes / 4));
  if (!(warmUp >= 0 && warmUp < minutes))
    throw new Error(`--warm-up must be at least 0 and less than --minutes, not '${values['warm-up']}'.`);
  return {
    seed: whole('seed', values.seed, 0),
    durationMs: minutes * 60_000,
    warmUpMs: warmUp * 60_000,
    sampleEveryMs: 1000 * positive('sample', values.sample ?? (quick ? '2.5' : '60')),
    joinEveryMs: quick ? 1000 : 2000,
    lifeMs: quick ? [2000, 5000] : [5000, 15_000],
    idsPerSecond: 300,
    breakEveryMs: quick ? 1000 : 2000,
    horizons: quick ? quickly : hour,
    interpreted: values.interpreted,
    quick,
  };
}

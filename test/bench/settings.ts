/**
 * What the benchmarks are told on the command line.
 */
import { parseArgs } from 'node:util';
import { someOf, whole } from './command-line.ts';

export interface Settings {
  /** Benchmarks to run, by name. */
  readonly only: readonly string[];
  /** Smaller loads and one run: shows that it runs, measures nothing, and leaves the page alone. */
  readonly quick: boolean;
  /** The largest clusters, too, where a benchmark has sizes. */
  readonly full: boolean;
  readonly runs: number;
  readonly seed: number;
  /** The first is held to the bounds; the others are reported beside it. */
  readonly protocols: readonly string[];
  /** Profile the burst even if every bound holds. */
  readonly profile: boolean;
}

export const usage = `npm run bench -- [options]
  --only burst,latency,idle,join,sealing,memory,cold,membership,crowd,networks,growth,million
                                          some of the benchmarks; default all
  --protocols hybrid,rumor,entropy        which protocols; the first is held to the bounds
  --runs 5                                rounds; each contestant runs once in each
  --seed 1                                of everything random
  --quick                                 small loads, one run, the page is left alone
  --full                                  networks of 200 as well as of 10 and 50
  --profile                               say where the burst spends its time, even if every bound holds`;

/** @throws Error that says which argument is wrong */
export function settingsFrom(args: readonly string[], known: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: known.join(',') },
      protocols: { type: 'string', default: 'hybrid,rumor,entropy' },
      runs: { type: 'string' },
      seed: { type: 'string', default: '1' },
      full: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  return {
    only: someOf('benchmark', values.only, known),
    quick: values.quick,
    full: values.full,
    runs: whole('runs', values.runs ?? (values.quick ? '1' : '5'), 1),
    seed: whole('seed', values.seed, 0),
    protocols: values.protocols.split(',').filter((protocol) => protocol !== ''),
    profile: values.profile,
  };
}

/**
 * What the measurement is told on the command line.
 */
import { parseArgs } from 'node:util';
import { positive, someOf, whole } from '../bench/command-line.ts';

export interface Settings {
  /** Rows, by id. */
  readonly only: readonly string[];
  /** Whether these are all that there are: only then is the page written. */
  readonly all: boolean;
  /** Of a window. */
  readonly seconds: number;
  readonly rounds: number;
  readonly seed: number;
  /** Print what was found as JSON, a line a row, and nothing else. */
  readonly json: boolean;
  /** Where to write profiles of the nodes. */
  readonly profile: string | undefined;
}

export const usage = `npm run attacks -- [options]
  --only wrong-key,no-key   some of the rows; default all. The page is written when all were measured
  --seconds 3               how long a window is, quiet or attacked
  --rounds 2                how often each is attacked, between quiet windows
  --seed 1                  of everything random
  --json                    print what was found as JSON, a line a row; the page is left alone
  --profile folder          have nodes write profiles of their CPU time there`;

/** @throws Error that says which argument is wrong */
export function settingsFrom(args: readonly string[], known: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '2' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  });
  return {
    only: values.only === undefined ? known : someOf('attack', values.only, known),
    all: values.only === undefined,
    seconds: positive('seconds', values.seconds),
    rounds: whole('rounds', values.rounds, 1),
    seed: whole('seed', values.seed, 0),
    json: values.json,
    profile: values.profile,
  };
}

/** The arguments of `npm run fuzz`. */
import { parseArgs } from 'node:util';
import { positive, whole } from '../bench/command-line.ts';

export interface FuzzArguments {
  readonly frames: number;
  readonly minutes: number;
  readonly seed: number;
  readonly replay: string | undefined;
}

export const usage = `npm run fuzz -- [options]
  --frames 10000000   frames that are to be read
  --minutes 25        the longest that liars talk
  --seed 1            of what is said
  --replay file       plays what a failure left behind, or a file of the corpus`;

/** @throws Error that says which argument is wrong */
export function readArguments(args: readonly string[]): FuzzArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      frames: { type: 'string', default: '10000000' },
      minutes: { type: 'string', default: '25' },
      seed: { type: 'string', default: '1' },
      replay: { type: 'string' },
    },
  });
  return {
    frames: whole('frames', values.frames, 1),
    minutes: positive('minutes', values.minutes),
    seed: whole('seed', values.seed, 1),
    replay: values.replay,
  };
}

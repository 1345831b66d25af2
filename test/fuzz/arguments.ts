/** The arguments of `npm run fuzz`. */
import { Command, InvalidArgumentError } from 'commander';

export interface FuzzArguments {
  readonly frames: number;
  readonly minutes: number;
  readonly seed: number;
  readonly replay?: string;
}

/** @throws CommanderError */
export function readArguments(args: readonly string[]): FuzzArguments {
  return new Command('npm run fuzz --')
    .description('Lets liars talk to nodes, and says whether the nodes hold out.')
    .option('--frames <n>', 'frames that are to be read', count, 10_000_000)
    .option('--minutes <m>', 'the longest that liars talk, in minutes', positive, 25)
    .option('--seed <s>', 'what is said', count, 1)
    .option('--replay <file>', 'plays what a failure left behind, or a file of the corpus')
    .exitOverride()
    .parse([...args], { from: 'user' })
    .opts<FuzzArguments>();
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 1e6) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/**
 * Experiments shared out among the processors of this machine, block by block.
 *
 * Invariants
 *  1. A block is done by one worker from its beginning, and results stand in the order of the runs: they do not depend on
 *     how many workers there are.
 *  2. A worker that fails fails the whole, and all others are ended.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { BLOCK_RUNS, blocksOf, protocolOf, type Setup } from './experiment.ts';
import type { Spread } from './spread.ts';
import type { Task } from './worker.ts';

/** Machines make much that lives for one message only: room for it keeps the garbage collector idle. */
const resourceLimits = { maxYoungGenerationSizeMb: 128 };

interface Open extends Task {
  readonly experiment: number;
}

/**
 * Runs experiments, and keeps of each run what `take` makes of it.
 * @param progress called after each run, with how many are done so far
 * @returns for each setup its runs, in their order
 * @throws GossipError OPTIONS_INVALID before anything runs
 */
export async function runInPool<T>(
  setups: readonly Setup[],
  take: (spread: Spread) => T,
  progress: (done: number) => void = () => undefined,
): Promise<T[][]> {
  for (const { protocol } of setups) protocolOf(protocol);
  const results = setups.map((): T[] => []);
  // Large ones last longest: begun last, they would keep one worker busy while the others have nothing left.
  const open = setups
    .flatMap((setup, experiment) =>
      Array.from({ length: blocksOf(setup) }, (_, block): Open => ({ experiment, setup, block })),
    )
    .toSorted((a, b) => b.setup.nodes - a.setup.nodes);
  let done = 0;
  const work = async (worker: Worker): Promise<void> => {
    for (let task = open.shift(); task !== undefined; task = open.shift()) {
      const { experiment, setup, block } = task;
      let run = block * BLOCK_RUNS;
      await runBlockIn(worker, { setup, block }, (spread) => {
        (results[experiment] as T[])[run++] = take(spread);
        progress(++done);
      });
    }
  };
  const workers = Array.from(
    { length: Math.min(open.length, availableParallelism()) },
    () => new Worker(new URL('worker.js', import.meta.url), { resourceLimits }),
  );
  try {
    await Promise.all(workers.map(work));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}

function runBlockIn(worker: Worker, task: Task, spread: (spread: Spread) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', receive);
      worker.off('error', fail);
    };
    const fail = (error: unknown): void => {
      settle();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const receive = (message: Spread | null): void => {
      if (message !== null) return spread(message);
      settle();
      resolve();
    };
    worker.on('message', receive);
    worker.on('error', fail);
    worker.postMessage(task);
  });
}

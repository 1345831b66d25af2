/**
 * SWIM experiments shared out among the processors of this machine.
 *
 * Invariant: findings stand in the order of the experiments, whoever made them.
 */

import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SwimExperiment, SwimFinding } from './swim-experiment.ts';

/** @param progress called after each experiment, with how many are done so far */
export async function runSwimInPool(
  experiments: readonly SwimExperiment[],
  progress: (done: number) => void = () => undefined,
): Promise<SwimFinding[]> {
  const findings: SwimFinding[] = [];
  const open = [...experiments.entries()];
  let done = 0;
  const work = async (worker: Worker): Promise<void> => {
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      const [index, experiment] = next;
      worker.postMessage(experiment);
      // An error of the worker rejects it.
      const [finding] = (await once(worker, 'message')) as [SwimFinding];
      findings[index] = finding;
      progress(++done);
    }
  };
  const workers = Array.from(
    { length: Math.min(open.length, availableParallelism()) },
    () => new Worker(new URL('swim-worker.js', import.meta.url)),
  );
  try {
    await Promise.all(workers.map(work));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return findings;
}

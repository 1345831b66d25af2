/**
 * Experiments shared out among the processors of this machine, block by block.
 *
 * Invariants
 *  1. A block is done by one worker from its beginning, so the figures do not depend on how many workers there are.
 *  2. A worker that fails fails the whole, and all others are ended.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { blocksOf, type Figures, type Setup } from '@grapevine/sim';
import type { Task, TaskDone } from './worker.ts';

/** @param done called as blocks come in, with their number so far and altogether */
export async function runPool(
  setups: ReadonlyMap<string, Setup>,
  done: (blocks: number, all: number) => void,
): Promise<Map<string, Figures[]>> {
  // The largest sites last as long as anything else together: first come those that take longest.
  const tasks = [...setups]
    .flatMap(([key, setup]) => Array.from({ length: blocksOf(setup) }, (_, block): Task => ({ key, setup, block })))
    .toSorted((a, b) => b.setup.nodes - a.setup.nodes);
  const all = tasks.length;
  const results = new Map([...setups].map(([key, setup]) => [key, new Array<Figures[]>(blocksOf(setup))]));
  let finished = 0;
  const workers = Array.from(
    { length: Math.min(all, availableParallelism()) },
    () => new Worker(workerUrl, { resourceLimits }),
  );
  try {
    await Promise.all(
      workers.map(async (worker) => {
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
          const { key, block, figures } = await ask(worker, task);
          (results.get(key) as Figures[][])[block] = figures;
          done(++finished, all);
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return new Map([...results].map(([key, blocks]) => [key, blocks.flat()]));
}

/** Machines make much that lives for one message only: room for it keeps the garbage collector idle. */
const resourceLimits = { maxYoungGenerationSizeMb: 128 };
const workerUrl = new URL('worker.js', import.meta.url);

function ask(worker: Worker, task: Task): Promise<TaskDone> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (done: TaskDone) => {
      worker.off('error', reject);
      resolve(done);
    });
    worker.postMessage(task);
  });
}

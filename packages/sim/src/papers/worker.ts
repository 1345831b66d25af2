/**
 * One worker of the pool: takes a block of an experiment, answers with its runs, and waits for the next.
 */

import { parentPort } from 'node:worker_threads';
import { runBlock, type Setup } from './experiment.ts';
import type { Spread } from './spread.ts';

export interface Task {
  readonly setup: Setup;
  readonly block: number;
}

parentPort?.on('message', ({ setup, block }: Task) => {
  for (const spread of runBlock(setup, block)) parentPort?.postMessage(spread satisfies Spread);
  parentPort?.postMessage(null);
});

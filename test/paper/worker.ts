/**
 * One worker of the pool: takes a block of an experiment, answers with its figures, and waits for the next.
 */
import { parentPort } from 'node:worker_threads';
import { type Figures, figuresOf, runBlock, type Setup } from '@grapevine/sim';

export interface Task {
  readonly key: string;
  readonly setup: Setup;
  readonly block: number;
}

export interface TaskDone {
  readonly key: string;
  readonly block: number;
  readonly figures: Figures[];
}

parentPort?.on('message', ({ key, setup, block }: Task) => {
  parentPort?.postMessage({ key, block, figures: Array.from(runBlock(setup, block), figuresOf) } satisfies TaskDone);
});

/**
 * One worker of the SWIM experiments: takes one, answers with what it found, and waits for the next.
 */

import { parentPort } from 'node:worker_threads';
import { runSwim, type SwimExperiment } from './swim-experiment.ts';

parentPort?.on('message', (experiment: SwimExperiment) => {
  parentPort?.postMessage(runSwim(experiment));
});

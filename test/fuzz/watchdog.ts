/** Notices that the process hangs, from another thread, which then saves the tape and ends it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Tape } from './tape.ts';

const BEAT_MS = 500;

/** Ends the process if its event loop stands still for a minute. */
export function watchdog(tape: Tape): { stop(): Promise<void> } {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const beating = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS);
  const worker = new Worker(new URL('./watchdog-worker.js', import.meta.url), {
    workerData: { beats, tape: tape.shared },
  });
  worker.unref();
  return {
    async stop() {
      clearInterval(beating);
      worker.ref();
      const ended = once(worker, 'exit');
      worker.postMessage('stop');
      await ended;
    },
  };
}

/** The thread of the watchdog. */
import { mkdtempSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { writeScript } from './script.ts';
import { Tape } from './tape.ts';

const PATIENCE_MS = 60_000;
const { beats, tape } = workerData as { readonly beats: Int32Array; readonly tape: SharedArrayBuffer };

let last = -1;
const looking = setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now === last) {
    const path = join(mkdtempSync(join(tmpdir(), 'grapevine-fuzz-')), 'hung.txt');
    writeFileSync(path, writeScript(new Tape(tape).read().values(), 'The last frames before the process hung.'));
    writeSync(2, `\nFAILED: nothing has moved for ${PATIENCE_MS / 1000} s. The last frames are in ${path}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  last = now;
}, PATIENCE_MS);
parentPort?.once('message', () => clearInterval(looking));

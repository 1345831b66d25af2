/**
 * A node in a process memory of its own that draws its epochs from a clock and from chance that the test gives: for
 * twins.test.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createGrapevine } from '@grapevine/node';

const { seeds, listen, startMs, draws, writes } = workerData;
const logs = [];
const log = (fields, message) => void logs.push({ code: fields.err?.code, message });
const logger = { debug: () => undefined, info: () => undefined, warn: log, error: log };
let isMade = false;
let go;
const gone = new Promise((resolve) => {
  go = resolve;
});
const node = await createGrapevine({
  name: 'twin',
  // It joins when all that it is to write before is written.
  seeds: [() => gone.then(() => seeds)],
  logger,
  listen,
  redialMinMs: 50,
  redialMaxMs: 500,
  clock: () => (isMade ? Date.now() : startMs),
  // The first is of the node's epoch, the last, after whatever else draws meanwhile, of its replica's.
  random: () => (isMade ? Math.random() : draws.length > 1 ? draws.shift() : draws[0]),
});
const gossip = node.gossip();
isMade = true;
for (const write of writes) await gossip.add(`by ${write}`, write);
const { epoch, url } = node.status();
parentPort.postMessage({ epoch, url });
parentPort.on('message', ({ id, value, join }) => {
  if (join === true) go();
  const done = id === undefined ? Promise.resolve() : gossip.add(id, value);
  void done.then(() => {
    const { epoch: now, refusals, gossips, members } = node.status();
    const [{ reusedDots }] = Object.values(gossips);
    parentPort.postMessage({
      epoch: now,
      logs,
      refusals: refusals.map(({ code }) => code),
      reusedDots,
      keys: Array.from(gossip.entries(), ([key]) => key).toSorted((a, b) => (a < b ? -1 : 1)),
      members: members.map(({ name }) => name),
    });
  });
});

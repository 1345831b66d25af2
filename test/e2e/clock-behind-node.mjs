/**
 * A node in a process of its own whose clock is wrong by so many milliseconds: for clock-behind.test.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createGrapevine } from '@grapevine/node';

const { name, byMs, seeds } = workerData;
const lines = [];
const log = (_fields, message) => void lines.push(message);
const logger = { debug: log, info: log, warn: log, error: log };
const node = await createGrapevine({
  name,
  seeds,
  logger,
  listen: { port: 0 },
  clock: () => Date.now() + byMs,
  maxDriftMs: 86_400_000,
});
await node.gossip().add(`by ${name}`, byMs);
parentPort.postMessage({ url: node.url });
parentPort.once('message', () => {
  void node.leave().then(() => parentPort.postMessage({ lines }));
});

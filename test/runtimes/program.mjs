/**
 * A program with Grapevine in it, for the matrix: two nodes meet, one of them loaded by the way that is asked for.
 * Prints `met`, and ends by itself once both have left.
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const load = () => import('@grapevine/node');

async function node(createGrapevine, name, seeds) {
  const grapevine = await createGrapevine({ name, listen: { port: 0 }, seeds });
  const values = grapevine.gossip('values');
  await values.add(name, { from: name });
  return { grapevine, values };
}

/** Settles when the node holds what both wrote. */
async function hasBoth({ values }) {
  for await (const change of values.changes()) {
    void change;
    if (values.get('a')?.from === 'a' && values.get('b')?.from === 'b') return;
  }
}

if (isMainThread) {
  const way = process.argv[2];
  const { createGrapevine } = way === 'require' ? createRequire(import.meta.url)('@grapevine/node') : await load();
  const a = await node(createGrapevine, 'a', []);
  if (way === 'worker') {
    const worker = new Worker(new URL(import.meta.url), { workerData: { seed: a.grapevine.url } });
    const gone = once(worker, 'exit');
    await Promise.all([hasBoth(a), once(worker, 'message')]);
    worker.postMessage('leave');
    const [code] = await gone;
    if (code !== 0) throw new Error(`the worker ended with ${code}`);
  } else {
    const b = await node(createGrapevine, 'b', [a.grapevine.url]);
    await Promise.all([hasBoth(a), hasBoth(b)]);
    await b.grapevine.leave();
  }
  await a.grapevine.leave();
  process.stdout.write('met\n');
} else {
  const { createGrapevine } = await load();
  const b = await node(createGrapevine, 'b', [workerData.seed]);
  await hasBoth(b);
  const asked = once(parentPort, 'message');
  parentPort.postMessage('met');
  await asked;
  await b.grapevine.leave();
  process.exit(0);
}

/**
 * Two workers of node:cluster that each start a node: on one port, or each on a free one. Prints one JSON object.
 */
import cluster from 'node:cluster';
import { createServer } from 'node:net';
import { once } from 'node:events';

import { createGrapevine } from '@grapevine/node';

/** The port that both ask for. */
let same;

if (cluster.isPrimary) await runPrimary();
else await runWorker();

async function runPrimary() {
  const told = [];
  for (let number = 1; number <= 2; number += 1) {
    const seed = told[0]?.url ?? '';
    const worker = cluster.fork({
      NUMBER: String(number),
      PORT: process.argv[2] === 'same' ? await samePort() : '0',
      SEED: seed,
    });
    const [message] = await once(worker, 'message');
    told.push(message);
  }
  process.stdout.write(JSON.stringify(told));
  for (const worker of Object.values(cluster.workers)) worker.kill();
}

async function samePort() {
  if (same !== undefined) return same;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  same = String(server.address().port);
  server.close();
  await once(server, 'close');
  return same;
}

async function runWorker() {
  const { NUMBER, PORT, SEED } = process.env;
  try {
    const node = await createGrapevine({
      name: `worker ${NUMBER}`,
      listen: { port: Number(PORT) },
      seeds: SEED === '' ? [] : [SEED],
      logger: false,
    });
    if (SEED !== '')
      for await (const change of node.memberChanges())
        if (change.type === 'nodeup' || change.members?.length > 0) break;
    process.send({ url: node.url, members: node.members().map(({ name }) => name) });
  } catch (error) {
    process.send({ code: error.code, message: error.message });
  }
}

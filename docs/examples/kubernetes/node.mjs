/**
 * A node in a pod: finds the others by the headless service, says where it is by the pod's address, and leaves in order.
 *
 * Invariants
 *  1. Liveness says that the event loop turns, and nothing of others: a cut network must not restart pods.
 *  2. Readiness is about traffic from outside. The others find this pod before it is ready, since the service publishes
 *     addresses that are not.
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { createGrapevine, dns, swim } from '@grapevine/node';

const { POD_NAME, POD_IP } = process.env;

/** The Secret as a file, which follows it within a minute: one key a line, the first to prove this node with. */
const keys = () => readFileSync('/etc/grapevine/keys', 'utf8').split('\n').filter(Boolean);

const grapevine = await createGrapevine({
  name: POD_NAME,
  security: { keys: keys() },
  listen: { port: 7001, host: '0.0.0.0' },
  advertise: `ws://${POD_IP}:7001`,
  membership: swim({
    seeds: [dns({ name: 'grapevine.default.svc.cluster.local', type: 'A', port: 7001 })],
  }),
});
const flags = grapevine.gossip('flags');

let isLeaving = false;
/** Whether what the others held when this pod came is here; a pod that has met nobody yet is not ready. */
let isReady = false;
const becomeReady = async () => {
  await grapevine.joined({ timeoutMs: Infinity });
  await flags.synced({ timeoutMs: Infinity });
  isReady = true;
};
becomeReady().catch((error) => console.error(`not ready: ${error.message}`));

const health = createServer((request, response) => {
  const isUp = request.url === '/live' || (request.url === '/ready' && isReady && !isLeaving);
  response.writeHead(isUp ? 200 : 503, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ name: POD_NAME, members: isLeaving ? 0 : grapevine.members().length }));
}).listen(8080);

// kubectl exec grapevine-0 -- kill -HUP 1
process.on('SIGHUP', () => {
  grapevine.rotateKeys(keys()).catch((error) => console.error(`the keys stay as they were: ${error.message}`));
});

process.once('SIGTERM', () => {
  isLeaving = true;
  // Brings what was written here to another pod, and says goodbye, so that nobody has to find out by probing.
  void grapevine.leave().then(({ undelivered }) => {
    if (undelivered > 0) console.error(`${undelivered} writes of this pod are lost: no other has them`);
    health.close();
  });
});

for await (const event of flags.changes()) console.log(JSON.stringify(event));

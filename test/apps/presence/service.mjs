/**
 * A service of several copies behind HTTP: who is online, which flags are on, and at which copy a user's session is.
 *
 * Started as `node service.mjs NAME [SEED…]`. Prints one line of JSON once it serves: its URLs. SIGTERM ends it in good order.
 */
import Fastify from 'fastify';
import { createGrapevine } from '@grapevine/node';

const [name, ...seeds] = process.argv.slice(2);

const grapevine = await createGrapevine({ name, listen: { port: 0 }, seeds, meta: { role: 'web' } });
const flags = grapevine.gossip('flags');
const routes = grapevine.gossip('routes');

const app = Fastify();
app.get('/online', () =>
  grapevine
    .members({ self: true })
    .map((member) => member.name)
    .sort(),
);
app.get('/flags', () => Object.fromEntries(flags.entries()));
app.put('/flags/:id', async ({ params, body }) => {
  await flags.add(params.id, body);
  return { stored: params.id };
});
app.delete('/flags/:id', async ({ params }) => {
  await flags.remove(params.id);
  return { removed: params.id };
});
app.get('/routes', () => Object.fromEntries(routes.entries()));
// Asks the copy of that name, wherever it is.
app.get('/at/:name/flags', async ({ params }, reply) => {
  const url = routes.get(params.name);
  if (typeof url !== 'string') return reply.code(404).send({ error: `no copy is called ${params.name}` });
  const response = await fetch(`${url}/flags`);
  return response.json();
});

// Serves once it has what the others have, so that no request meets an empty copy.
await grapevine.joined({ timeoutMs: 60_000 });
await Promise.all([flags.synced({ timeoutMs: 60_000 }), routes.synced({ timeoutMs: 60_000 })]);
const url = await app.listen({ port: 0 });
await routes.add(name, url, { ephemeral: true }); // gone with this copy, however it ends
console.log(JSON.stringify({ name, http: url, gossip: grapevine.url, pid: process.pid }));

process.once('SIGTERM', () => void end());

async function end() {
  await app.close(); // no new requests; those under way are answered
  const { undelivered } = await grapevine.leave(); // says goodbye, after the others have what was written here
  if (undelivered > 0) process.exitCode = 1;
}

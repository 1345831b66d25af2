/** One node of rolling-upgrade.test.ts. Arguments: name, port, URLs of the others as JSON, key or nothing. */
import { createGrapevine } from '@grapevine/node';

const [, , name, port, seeds, key] = process.argv;
const grapevine = await createGrapevine({
  name,
  listen: { port: Number(port) },
  seeds: JSON.parse(seeds),
  logger: false,
  ...(key === '' ? {} : { security: { keys: [key] } }),
});
const gossip = grapevine.gossip('upgrade');

async function answer({ number, add = [], tie = [], remove = [], leave = false }) {
  await Promise.all(add.map((id) => gossip.add(id, 1)));
  await Promise.all(tie.map((id) => gossip.add(id, 1, { ephemeral: true })));
  await Promise.all(remove.map((id) => gossip.remove(id)));
  if (leave) {
    await grapevine.close();
    process.exit(0);
  }
  process.send({ number, ids: [...gossip.entries()].map(([id]) => id), members: grapevine.members().length });
}

process.on('message', (question) => void answer(question));
process.send({ number: 0 });

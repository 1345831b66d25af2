/**
 * A process without the permission to use the network: what becomes of a node. Prints one JSON object.
 */
import { createGrapevine } from '@grapevine/node';

const told = [];
for (const options of [{ listen: { port: 0 } }, { seeds: ['ws://127.0.0.1:9'] }]) {
  try {
    const node = await createGrapevine({ name: 'a', logger: false, ...options });
    await node.close();
    told.push('started');
  } catch ({ code, message }) {
    told.push({ code, message });
  }
}
process.stdout.write(JSON.stringify(told));

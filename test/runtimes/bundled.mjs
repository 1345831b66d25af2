/** A program to be bundled, for the matrix: two nodes meet. Prints `met`. No await outside of a function, as CommonJS has none. */
import { createGrapevine } from '@grapevine/node';

async function main() {
  const a = await createGrapevine({ name: 'a', listen: { port: 0 } });
  const b = await createGrapevine({ name: 'b', listen: { port: 0 }, seeds: [a.url] });
  await a.gossip('values').add('of a', { from: 'a' });
  for await (const change of b.gossip('values').changes()) {
    void change;
    if (b.gossip('values').get('of a')?.from === 'a') break;
  }
  await b.leave();
  await a.leave();
  process.stdout.write('met\n');
}

void main();

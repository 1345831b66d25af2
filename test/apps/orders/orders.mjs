/**
 * Orders that a shop takes and a ledger checks, as actors of nact. The ledger's handler throws on a value that is no order.
 *
 * Started as `node orders.mjs shop` or `node orders.mjs ledger SEED`. Takes commands of a shop as lines: `take FIRST COUNT`.
 * Prints lines of JSON. SIGTERM ends it in good order.
 */
import { createInterface } from 'node:readline';
import { dispatch, spawn, start, stop } from 'nact';
import {
  add,
  gossipView,
  leaveGrapevine,
  ready,
  spawnGossip,
  spawnGrapevine,
  subscribe,
  swim,
} from '@grapevine/actors';

const [name, ...seeds] = process.argv.slice(2);
const print = (line) => console.log(JSON.stringify(line));

/** As a schema's `parse`: gives an order, or throws. */
function parseOrder(id, value) {
  if (typeof value?.amount !== 'number') throw new TypeError(`${id} has no amount`);
  return value;
}

const handler = {
  push(received) {
    const orders = new Map();
    for (const [id, value] of received) orders.set(id, parseOrder(id, value));
    return { ok: orders };
  },
};

const system = start();
const node = spawnGrapevine(system, { name, listen: { port: 0 }, membership: swim({ seeds }) });
const orders = spawnGossip(node, name === 'ledger' ? { name: 'orders', handler } : { name: 'orders' });
const view = gossipView(orders);

const clerk = spawn(system, (_state, event) => {
  if (event.type === 'deadletters')
    for (const { id, error } of event.letters) print({ event: 'dead letter', id, error: error.message });
  // The last event may come when the instance has stopped, and a view of that is not to be read.
  else if (!view.stopped) print({ event: event.type, orders: [...view.keys()].length });
});
dispatch(orders, subscribe(clerk));

print({ event: 'ready', url: (await ready(node)).url });

// Every tenth has no amount.
const lines = createInterface({ input: process.stdin }).on('line', (line) => {
  const [, first, count] = line.split(' ').map(Number);
  for (let n = first; n < first + count; n += 1)
    dispatch(orders, add(`order ${n}`, n % 10 === 0 ? { price: n } : { amount: n }));
  print({ event: 'taken' });
});

process.once('SIGTERM', () => void end());

async function end() {
  lines.close();
  process.stdin.destroy();
  await leaveGrapevine(node); // works off what was dispatched, hands it over, says goodbye
  stop(system);
  print({ event: 'left' });
}

/** A peer that says again and again that a node lived later than it knows: the node takes a higher epoch, and lives on. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Decoder, encodeChannel, Encoder } from '@grapevine/wire';
import { createMemoryTransport, type Session, type Transport } from '@grapevine/transport';
import { start, stop } from 'nact';

import { ready } from './grapevine.ts';
import { isGone } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { swim } from './swim.ts';
import { Cluster } from './testing/cluster.ts';

/** Machines may be busy. */
const patienceMs = 20_000;
jest.setTimeout(2 * patienceMs);
async function until(holds: () => boolean): Promise<void> {
  const givesUpAt = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > givesUpAt) throw new Error(`not within ${patienceMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

let system: Ref<never>;
let cluster: Cluster;
const transports: Transport[] = [];
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.close()));
  await cluster.stop();
  stop(system);
});

const DOWN = 2;
const GOSSIP = 4;
const HASH = 5;
const WHO = 7;

test('lives on where a peer says without end that it lived later', async () => {
  const node = cluster.node('a', { membership: swim({}) });
  const { url } = await ready(node);
  const encoder = new Encoder();
  let said = 0;
  const lie = (session: Session): void => {
    said += 1;
    const record = ['a', session.peer.epoch + said, 0, DOWN, null, {}, []];
    for (const body of [[GOSSIP, [record]], [WHO]])
      session.send(encoder.encode(0, { type: 'custom', body }).bytes, 'reply');
  };
  const details = { name: 'liar', epoch: Date.now(), redialMinMs: 1, redialMaxMs: 20 };
  const transport = createMemoryTransport(cluster.network, details);
  transports.push(transport);
  transport.dial([url as string]);
  await transport.start({
    opened: (session) => {
      const decoder = new Decoder();
      session.onFrames = (frames) => {
        for (const frame of frames) {
          const heard = decoder.decode(frame);
          // What answers WHO ends with it: the lie before it was taken.
          if (heard?.type === 'gossip' && heard.message.type === 'custom' && isHash(heard.message.body)) lie(session);
        }
      };
      session.send(
        encodeChannel({ channel: 0, instance: '$membership', protocol: 'swim', newestEpochOfYou: 0 }),
        'reply',
      );
      lie(session);
    },
    closed: () => {},
  });
  await until(() => said >= 12 || isGone(node));
  expect(isGone(node)).toBe(false);
  const renewals = cluster.log.lines.filter(({ message }) => message.includes('takes a higher epoch'));
  expect(renewals.length).toBeGreaterThan(0);
  expect(renewals.length).toBeLessThan(4);
});

function isHash(body: unknown): boolean {
  return Array.isArray(body) && body[0] === HASH;
}

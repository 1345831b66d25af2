/** What a peer can tell a node of the node itself, without end: it lives on, and fills no log. */
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

const ALIVE = 0;
const DOWN = 2;
const GOSSIP = 4;
const HASH = 5;
const WHO = 7;

/** A peer that says of the node it is connected with what `record` makes, again as soon as that was taken. */
async function aLiar(
  url: string,
  record: (epoch: number, said: number) => unknown,
): Promise<{ readonly said: number }> {
  const liar = { said: 0 };
  const encoder = new Encoder();
  const lie = (session: Session): void => {
    liar.said += 1;
    for (const body of [[GOSSIP, [record(session.peer.epoch, liar.said)]], [WHO]])
      session.send(encoder.encode(0, { type: 'custom', body }).bytes, 'reply');
  };
  const details = { name: 'liar', epoch: Date.now(), redialMinMs: 1, redialMaxMs: 20 };
  const transport = createMemoryTransport(cluster.network, details);
  transports.push(transport);
  transport.dial([url]);
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
  return liar;
}

function isHash(body: unknown): boolean {
  return Array.isArray(body) && body[0] === HASH;
}

test('lives on where a peer says without end that it lived later', async () => {
  const node = cluster.node('a', { membership: swim({}) });
  const { url } = await ready(node);
  const liar = await aLiar(url as string, (epoch, said) => ['a', epoch + said, 0, DOWN, null, {}, []]);
  await until(() => liar.said >= 12 || isGone(node));
  expect(isGone(node)).toBe(false);
  const renewals = cluster.log.lines.filter(({ message }) => message.includes('takes a higher epoch'));
  expect(renewals.length).toBeGreaterThan(0);
  expect(renewals.length).toBeLessThan(4);
});

test('says once that another bears its name, however many a peer makes up', async () => {
  const node = cluster.node('a', { membership: swim({}) });
  const { url } = await ready(node);
  const liar = await aLiar(url as string, (epoch, said) => ['a', epoch + said, 0, ALIVE, `ws://b${said}`, {}, []]);
  await until(() => liar.said >= 12);
  const aloud = cluster.log.lines.filter(({ level }) => level === 'warn');
  expect(aloud.filter(({ message }) => message.includes('Another node bears the name'))).toHaveLength(1);
});

test('says a thousand refusals a minute at most, whatever names a peer gives itself', async () => {
  const node = cluster.node('a', { maxConnections: 2 });
  for (const peer of ['b', 'c']) cluster.node(peer);
  await cluster.connected(node, 'b', 'c');
  const refused = (): number => cluster.log.codes.filter((code) => code === 'TOO_MANY_CONNECTIONS').length;
  for (let i = 0; i < 1100; i++) {
    const transport = createMemoryTransport(cluster.network, { name: `liar ${i}`, epoch: 1 });
    transport.connect('memory://a');
    await new Promise<void>((resolve, reject) => {
      void transport.start({ opened: () => {}, closed: () => {}, dialEnded: () => resolve() }).catch(reject);
    });
    await transport.close();
  }
  await until(() => refused() >= 1100);
  expect(cluster.log.lines.filter(({ level }) => level === 'warn').length).toBeLessThanOrEqual(1010);
});

/** The network does to two real nodes what it is told, to the pair that it is told of. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine } from '@grapevine/node';

import { innerHost, Network } from './network.ts';

let network = new Network();
const nodes: Grapevine[] = [];

/** `n1` to `n3`, each behind its proxy; all dial the first. */
beforeEach(async () => {
  network = new Network();
  let seed: string | undefined;
  for (const name of ['n1', 'n2', 'n3']) {
    const port = await network.listen(name);
    const advertise = `ws://127.0.0.1:${port}`;
    const seeds = seed === undefined ? [] : [seed];
    seed ??= advertise;
    // What is half-open is found by pings alone.
    const listen = { port, host: innerHost };
    nodes.push(await createGrapevine({ name, seeds, advertise, listen, logger: false, pingIntervalMs: 300 }));
  }
  await until(() => nodes.every((node) => sessions(node).size === 2));
});

afterEach(async () => {
  // First, as whoever closes a connection that is half-open waits for an answer.
  await network.close();
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

/** The numbers of the connections, by the names at their other ends. */
const sessions = (node: Grapevine | undefined): Map<string, number> =>
  new Map(node?.status().links.map(({ peer, session }) => [peer, session]));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Waits until two have another connection than before. @returns whether those with the third stayed */
async function replaced(): Promise<boolean> {
  const [first, second, third] = nodes;
  const before = [sessions(first), sessions(second), sessions(third)] as const;
  await until(() => {
    const [now, other] = [sessions(first).get('n2'), sessions(second).get('n1')];
    return now !== undefined && other !== undefined && now !== before[0].get('n2') && other !== before[1].get('n1');
  });
  return JSON.stringify([...sessions(third)]) === JSON.stringify([...before[2]]);
}

describe('between two of three', () => {
  test('a reset ends the connection at once, and the next one stands', async () => {
    const done = replaced();
    expect(network.reset('n1', 'n2')).toBe(1);
    expect(await done).toBe(true);
  }, 30_000);

  test.each([[['n1']], [['n2']], [['n1', 'n2']]])(
    'what is swallowed from %j is found out',
    async (from) => {
      const done = replaced();
      expect(network.swallow('n1', 'n2', from)).toBe(1);
      expect(await done).toBe(true);
    },
    30_000,
  );
});

describe('a network cut in two', () => {
  const applies = (a: string, b: string): boolean => (a === 'n1') !== (b === 'n1');

  test('has no connection across while it refuses, and connections again afterwards', async () => {
    const end = network.add({ applies, weather: 'refused' });
    await until(() => sessions(nodes[0]).size === 0);
    expect([...sessions(nodes[1]).keys()]).toEqual(['n3']);
    end();
    await until(() => nodes.every((node) => sessions(node).size === 2));
    expect(sessions(nodes[1]).has('n1')).toBe(true);
  }, 30_000);

  test('brings late what was said while it was silent', async () => {
    const end = network.add({ applies, weather: 'silent' });
    await nodes[0]?.gossip().add('said', 1);
    await nodes[1]?.gossip().add('said here', 1);
    await until(() => nodes[2]?.gossip().has('said here') === true);
    expect(nodes[2]?.gossip().has('said')).toBe(false);
    end();
    await until(() => nodes.every((node) => node.gossip().has('said')));
    expect(nodes[2]?.gossip().get('said')).toBe(1);
  }, 30_000);
});

/**
 * Nodes that nobody can dial, behind one hub or several: those that stand between them carry for them.
 *
 * The figures beside which these stand are those of a mesh: every message takes 10 ms.
 */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, type Protocol, rumor } from '@grapevine/core';
import { Network, type Node } from './network.ts';

const LATENCY_MS = 10;
/** What is announced within a millisecond is announced together. */
const COALESCE_MS = 1;

interface Star {
  readonly network: Network;
  readonly hubs: readonly Node[];
  readonly leaves: readonly Node[];
}

/** Every hub is connected with every other; each leaf has dialled so many of them. */
function aStar(
  protocol: Protocol,
  {
    hubs: hubCount,
    leaves: leafCount,
    dials = hubCount,
    seed = 1,
  }: { hubs: number; leaves: number; dials?: number; seed?: number },
): Star {
  const network = new Network({ protocol, seed, latencyMs: () => LATENCY_MS, views: true });
  const hubs = Array.from({ length: hubCount }, (_, i) => network.node(`hub ${i}`));
  const leaves = Array.from({ length: leafCount }, (_, i) => network.node(`leaf ${i}`, { dialsOnly: true }));
  for (const a of hubs) for (const b of hubs) network.connect(a, b);
  leaves.forEach((leaf, i) => {
    for (let dial = 0; dial < dials; dial++) network.connect(leaf, hubs[(i + dial) % hubCount] as Node);
  });
  network.run(5000);
  return { network, hubs, leaves };
}

/** How long until everybody has what one writes, in milliseconds. */
function spread({ network }: Star, writer: Node, id: string, limitMs = 20_000): number {
  const beganMs = network.nowMs;
  writer.add(id, id);
  network.until(() => network.all.every((node) => node.visible[id] === id), limitMs);
  return network.nowMs - beganMs;
}

/** How many lack what one writes, when all has come to rest. */
function residue({ network }: Star, writer: Node, id: string): number {
  writer.add(id, id);
  network.run(10_000);
  return network.all.filter((node) => node.visible[id] !== id).length;
}

const shapes = [
  { hubs: 1, leaves: 10 },
  { hubs: 1, leaves: 50 },
  { hubs: 3, leaves: 50 },
  { hubs: 3, leaves: 50, dials: 1 },
] as const;

/**
 * From a leaf to its hubs; from there each step is an announcement, the request and the answer: to the other leaves, and, where a
 * leaf has not dialled every hub, to the other hubs before.
 */
function hopsOf({ hubs, dials = hubs }: { readonly hubs: number; readonly dials?: number }): number {
  return dials < hubs ? 7 : 4;
}

describe.each(shapes)('%o', (shape) => {
  test('hybrid: what a leaf writes is everywhere after a few hops, with its value once for each node', () => {
    const star = aStar(hybrid(), shape);
    star.leaves.slice(0, 10).forEach((leaf, i) => {
      star.network.sent.length = 0;
      expect(spread(star, leaf, `of ${i}`)).toBeLessThanOrEqual(hopsOf(shape) * LATENCY_MS + COALESCE_MS);
      star.network.run(3000);
      const values = star.network.sent.filter(({ message }) => message.type === 'updates').length;
      const { hubs, leaves } = shape;
      expect(values).toBeLessThanOrEqual(hubs * 3 + leaves);
    });
  });

  test('hybrid: what a hub writes is everywhere as soon', () => {
    const star = aStar(hybrid(), shape);
    expect(spread(star, star.hubs[0] as Node, 'of a hub')).toBeLessThanOrEqual(
      hopsOf(shape) * LATENCY_MS + COALESCE_MS,
    );
  });

  test('rumor: nobody lacks anything', () => {
    const star = aStar(rumor(), shape);
    const lacking = star.leaves.slice(0, 20).map((leaf, i) => residue(star, leaf, `of ${i}`));
    expect(lacking).toEqual(lacking.map(() => 0));
  });

  test('rumor, once a cycle: nobody lacks anything', () => {
    const star = aStar(rumor({ eager: false }), shape);
    const lacking = star.leaves.slice(0, 5).map((leaf, i) => residue(star, leaf, `of ${i}`));
    expect(lacking).toEqual(lacking.map(() => 0));
  });

  test('all come to rest: after a write replicas compare as seldom as in a mesh', () => {
    const star = aStar(hybrid(), shape);
    spread(star, star.leaves[0] as Node, 'one');
    star.network.run(30_000);
    star.network.sent.length = 0;
    star.network.run(30_000);
    // One comparison in a rest of 20 cycles, and perhaps its echo.
    expect(star.network.sent.length).toBeLessThanOrEqual(2 * 4 * star.network.all.length);
    expect(star.network.sent.filter(({ message }) => message.type !== 'hashes')).toEqual([]);
  });
});

test('a leaf that comes while a rumor goes round hears it', () => {
  const network = new Network({ protocol: rumor({ delta: 500 }), seed: 1, latencyMs: () => LATENCY_MS, views: true });
  const hub = network.node('hub');
  const first = network.node('first', { dialsOnly: true });
  network.connect(hub, first);
  network.run(1000);
  hub.add('news', 'news');
  network.run(100);
  const late = network.node('late', { dialsOnly: true });
  network.connect(hub, late);
  network.run(5 * LATENCY_MS);
  expect(late.visible['news']).toBe('news');
});

test('in a mesh no peer is told anything beside the pushes', () => {
  for (const protocol of [rumor(), hybrid(), entropy()]) {
    const network = new Network({ protocol, seed: 1, latencyMs: () => LATENCY_MS, views: true });
    const nodes = Array.from({ length: 8 }, (_, i) => network.node(`node ${i}`));
    network.connectAll();
    network.run(2000);
    nodes[0]?.add('one', 'one');
    network.run(5000);
    const beside = network.sent.filter(({ message }) => message.type === 'announce' && message.pulled);
    expect(beside).toEqual([]);
  }
});

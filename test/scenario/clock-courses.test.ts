/**
 * Courses of clocks, drawn: ahead by seconds, an hour and ten years, once and repeatedly, back at once and in steps, while the
 * monotonic clock goes on. At quiet, all that was acknowledged is there.
 */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, type Protocol, type Random, seededRandom } from '@grapevine/core';
import { Network, type Node } from './network.ts';
import { wireCarrier } from './wire-carrier.ts';

const DRIFT_MS = 60_000;
const FAR_MS = [2_000, 61_000, 90_000, 3_600_000, 315_360_000_000];
const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

const protocols: readonly (readonly [string, () => Protocol])[] = [
  ['hybrid', () => hybrid({ mail: 2 })],
  ['entropy', () => entropy()],
];

interface World {
  readonly network: Network;
  readonly nodes: readonly Node[];
  readonly set: (node: Node, skewMs: number) => void;
  readonly random: Random;
  /** What the only writer of each id wrote last. */
  readonly last: Map<string, string | undefined>;
  readonly write: (node: Node) => void;
}

function aWorld(seed: number, protocol: Protocol): World {
  const network = new Network({ protocol, seed, carry: wireCarrier() });
  const random = seededRandom(seed);
  const skews = new Map<Node, { skewMs: number }>();
  const nodes = ['a', 'b', 'c', 'd'].map((name) => {
    const options = { skewMs: 0 };
    const node = network.node(name, options);
    skews.set(node, options);
    return node;
  });
  network.connectAll();
  network.run(2000);
  const last = new Map<string, string | undefined>();
  let written = 0;
  return {
    network,
    nodes,
    random,
    last,
    set: (node, skewMs) => {
      const options = skews.get(node) as { skewMs: number };
      // The monotonic clock tells that it was set, and did not sleep.
      node.replica.clockSet(skewMs - options.skewMs);
      options.skewMs = skewMs;
    },
    write: (node) => {
      const id = `${node.name}${Math.floor(random() * 4)}`;
      if (random() < 0.2) {
        node.remove(id);
        last.set(id, undefined);
      } else {
        const value = `v${++written}`;
        node.add(id, value);
        last.set(id, value);
      }
      // Some ids are written by all.
      if (random() < 0.3) node.add('shared', `v${++written}`);
    },
  };
}

/** One node's clock goes wrong and comes right again, while all write and connections break. */
function course({ network, nodes, set, random, write }: World, node: Node): void {
  const farMs = FAR_MS[Math.floor(random() * FAR_MS.length)] as number;
  const steps = random() < 0.5 ? 1 : 2 + Math.floor(random() * 4);
  for (let step = steps; step >= 0; step--) {
    set(node, Math.round((farMs * step) / steps));
    for (let i = 0; i < 6; i++) {
      if (random() < 0.6) write(node);
      if (random() < 0.4) write(nodes[Math.floor(random() * nodes.length)] as Node);
      if (random() < 0.1) network.cut(node, nodes[Math.floor(random() * nodes.length)] as Node);
      if (random() < 0.2) network.connectAll();
      network.run(Math.floor(random() * 2500));
    }
  }
}

function expectedOf(last: ReadonlyMap<string, string | undefined>): Record<string, string> {
  const entries = [...last].filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const withoutShared = ({ visible }: Node): Record<string, string> =>
  Object.fromEntries(Object.entries(visible).filter(([id]) => id !== 'shared'));

describe.each(protocols)('%s', (_name, protocol) => {
  test.each(SEEDS)('one clock at a time, seed %d: readers everywhere see all within maxDriftMs', (seed) => {
    const world = aWorld(seed, protocol());
    const { network, nodes, random, last } = world;
    for (let times = 1 + Math.floor(3 * random()); times > 0; times--)
      course(world, nodes[Math.floor(random() * nodes.length)] as Node);
    network.connectAll();
    network.run(DRIFT_MS);
    const expected = expectedOf(last);
    expect(nodes.map(withoutShared)).toEqual(nodes.map(() => expected));
    expect(new Set(nodes.map(({ visible }) => visible['shared'])).size).toBe(1);
    expect(network.isEqual).toBe(true);
    expect(nodes.map(({ replica, nowMs }) => [replica.countAhead(nowMs), replica.countHeldThere()])).toEqual(
      nodes.map(() => [0, 0]),
    );
  });
});

test.each(SEEDS)(
  'two wrong clocks that take from each other, seed %d: all see the same when the time has come',
  (seed) => {
    const world = aWorld(seed, hybrid());
    const { network, nodes, last, set, write, random } = world;
    const [a, b] = nodes as [Node, Node];
    set(a, 90_000);
    set(b, 90_000);
    for (let i = 0; i < 8; i++) {
      write(random() < 0.5 ? a : b);
      network.run(300);
    }
    set(a, 0);
    network.run(1500);
    for (let i = 0; i < 4; i++) write(a);
    network.run(1500);
    set(b, 0);
    network.run(3000);
    for (let i = 0; i < 4; i++) write(nodes[i % 4] as Node);
    network.run(200_000);
    const expected = expectedOf(last);
    expect(nodes.map(withoutShared)).toEqual(nodes.map(() => expected));
    expect(network.isEqual).toBe(true);
  },
  60_000,
);

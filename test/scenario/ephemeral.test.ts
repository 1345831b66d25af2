/** What is tied to a node over hours of virtual time: its node renews it for as long as it runs, and nobody keeps it for ever after that. */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, LEASE_MS, type Protocol, visible } from '@grapevine/core';
import { noFaults, type SimNode, StepOracles, Trace, type Violation, World } from '@grapevine/sim';
import { encodeEphemeral } from '@grapevine/wire';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Scene {
  readonly world: World;
  readonly nodes: readonly [SimNode, SimNode, SimNode];
  readonly violations: Violation[];
  /** How many changes the subscribers of a node were told. */
  readonly told: (node: SimNode) => number;
}

/** Three nodes on a good network, with cycles of seconds: hours are to pass. */
function aScene(protocol: Protocol): Scene {
  const violations: Violation[] = [];
  const observer = new StepOracles({
    object: (rule, oracle, text) => violations.push({ rule, oracle, text, atMs: world.nowMs }),
    repairs: true,
    tombstoneTtlMs: HOUR_MS,
    forgetAfterMs: DAY_MS,
    rumorTtlMs: 30_000,
  });
  const counts = new Map<SimNode, number>();
  const stepped = observer.stepped.bind(observer);
  observer.stepped = (node, input, told): void => {
    counts.set(node, (counts.get(node) ?? 0) + told.length);
    stepped(node, input, told);
  };
  const world: World = new World({
    seed: 1,
    nodes: 3,
    edges: [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
    protocol,
    faults: noFaults,
    replica: { maxDriftMs: 60_000, maxUpdateBytes: 2 ** 20, forgetAfterMs: DAY_MS },
    observer,
    trace: new Trace(),
  });
  world.start();
  world.run(30_000);
  return { world, nodes: world.nodes as unknown as Scene['nodes'], violations, told: (node) => counts.get(node) ?? 0 };
}

const value = encodeEphemeral('here');

describe.each([
  ['entropy', entropy({ delta: 10_000 })],
  ['hybrid', hybrid({ entropy: { delta: 10_000 }, rumor: { delta: 10_000 } })],
] as const)('with %s, what is tied to a node', (_name, protocol) => {
  test('is there for hours with one write in half an hour, and its readers hear of the first alone', () => {
    const { world, nodes, violations, told } = aScene(protocol);
    const [a, b, c] = nodes;
    a.write('x', value);
    world.run(30_000);
    expect(told(b)).toBe(1);
    const { sequence } = b.replica.store.get('x') ?? { sequence: 0 };
    // Longer than its lease, in steps in which its instance may crash.
    for (let step = 0; step < 10; step++) {
      world.run(HOUR_MS / 2);
      a.crash();
      expect(nodes.map(({ replica }) => replica.get('x'))).toEqual([value, value, value]);
    }
    expect(told(b)).toBe(1);
    expect(a.replica.store.get('x')?.sequence).toBe(sequence + 10);
    expect(c.replica.store.get('x')?.origin.name).toBe(a.name);
    expect(violations).toEqual([]);
  });

  test('is hidden once its node has died, and held by nobody when its lease is over', () => {
    const { world, nodes, violations } = aScene(protocol);
    const [a, b, c] = nodes;
    a.write('x', value);
    world.run(30_000);
    a.die(false);
    world.run(30_000);
    for (const { replica } of [b, c]) {
      expect(replica.get('x')).toBeUndefined();
      expect(replica.store.get('x')?.value).toBe(value);
    }
    world.run(LEASE_MS);
    for (const { replica } of [b, c]) {
      expect(replica.store.get('x')?.value).toBeUndefined();
      expect([...replica.store].filter((update) => visible(update) !== undefined)).toEqual([]);
    }
    expect(violations).toEqual([]);
  });
});

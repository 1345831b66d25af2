/**
 * The world of SWIM alone does what it says: the same run by the same seed, and faults as they are described.
 */
import { describe, expect, test } from '@jest/globals';
import { SWIM_SYNC } from '@grapevine/core';
import { type Belief, SwimWorld } from '@grapevine/sim';

const HASH = 5;

/** What happens while one node is lost, one is stopped and some messages are. */
function course(seed: number, codec = false): string[] {
  const world = new SwimWorld({ nodes: 30, seed, loss: 0.1, codec });
  const lines: string[] = [];
  world.onBelief(({ atMs, observer, subject, state }) =>
    lines.push(`${atMs} ${observer.name} ${subject.name} ${state}`),
  );
  world.onSent((from, to, body) => lines.push(`${world.nowMs} ${from.name} ${to} ${JSON.stringify(body)}`));
  world.run(3000);
  world.lose(world.process(3));
  world.process(5).stall(2000);
  world.run(10_000);
  return lines;
}

describe('a world of SWIM', () => {
  test('goes the same way by the same seed, with and without the codec, and another by another', () => {
    const first = course(1);
    expect(course(1)).toEqual(first);
    expect(course(1, true)).toEqual(first);
    expect(course(2)).not.toEqual(first);
  });

  test('starts joined, with equal hashes: nobody sends all it knows', () => {
    const world = new SwimWorld({ nodes: 40, seed: 3 });
    const kinds = new Set<unknown>();
    world.onSent((_from, _to, body) => kinds.add((body as readonly unknown[])[0]));
    world.run(60_000);
    expect(world.isAgreed).toBe(true);
    expect(kinds).toContain(HASH);
    expect(kinds).not.toContain(SWIM_SYNC);
  });

  test('a crash is heard of by those who are connected, the loss of a machine is not', () => {
    for (const how of ['crash', 'lose'] as const) {
      const world = new SwimWorld({ nodes: 10, seed: 4 });
      const inputs: Belief['input'][] = [];
      world.run(5000);
      const peers = [...world.process(0).links.keys()];
      world[how](world.process(0));
      world.run(20);
      expect(peers).toHaveLength(9);
      const linked = world.up.filter(({ links }) => links.has('node-0'));
      expect(linked).toHaveLength(how === 'crash' ? 0 : 9);
      world.onBelief(({ input }) => inputs.push(input));
      world.run(20_000);
      expect(inputs).toContain('tick');
      expect(world.isAgreed).toBe(true);
    }
  });

  test('who stands still takes its inputs afterwards, in order', () => {
    const world = new SwimWorld({ nodes: 10, seed: 5 });
    world.run(5000);
    const stopped = world.process(2);
    const sentMs: number[] = [];
    const startMs = world.nowMs;
    world.onSent((from) => {
      if (from === stopped) sentMs.push(world.nowMs - startMs);
    });
    stopped.stall(3000);
    world.run(3000);
    expect(Math.min(...sentMs)).toBe(3000);
    expect(sentMs.length).toBeGreaterThan(0);
    world.run(10_000);
    expect(world.isAgreed).toBe(true);
  });

  test('who leaves is gone at once, and nobody suspects it', () => {
    const world = new SwimWorld({ nodes: 20, seed: 6 });
    const states = new Set<string>();
    world.run(5000);
    world.onBelief(({ state }) => states.add(state));
    world.leave(world.process(1));
    expect(world.runUntil(() => world.isAgreed, 5000)).toBeDefined();
    world.run(60_000);
    expect([...states]).toEqual(['left']);
  });

  test('who is started anew, at the same URL or another, is taken up as itself', () => {
    for (const url of [undefined, 'ws://10.9.9.9:7001']) {
      const world = new SwimWorld({ nodes: 20, seed: 7 });
      world.run(5000);
      const former = world.process(4);
      world.crash(former);
      world.run(500);
      const process = url === undefined ? world.restart(former) : world.restart(former, url);
      expect(world.runUntil(() => world.isAgreed, 20_000)).toBeDefined();
      expect(process.self.epoch).toBe(2);
    }
  });

  test('nodes that know the first alone find each other', () => {
    const world = new SwimWorld({ nodes: 20, seed: 8, start: 'through-one' });
    expect(world.runUntil(() => world.isAgreed, 30_000)).toBeDefined();
  });
});

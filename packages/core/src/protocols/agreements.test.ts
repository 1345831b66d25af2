import { describe, expect, test } from '@jest/globals';

import type { Message } from '../messages.ts';
import type { Machine } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { entropy, type EntropyOptions } from './entropy.ts';

const NOW = Date.UTC(2026, 0, 1);

interface Node {
  readonly replica: Replica;
  readonly machine: Machine;
  readonly sent: [to: string, message: Message][];
  readonly timers: Map<string, number>;
}

function aNode(self: string, options: Partial<EntropyOptions> = {}): Node {
  const replica = new Replica({
    name: self,
    epoch: NOW,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86_400_000,
  });
  const sent: Node['sent'] = [];
  const timers: Node['timers'] = new Map();
  const machine = entropy({ delta: 500, ...options }).create({
    self,
    replica,
    random: seededRandom(7),
    judged: false,
    effects: {
      send: (to, message) => sent.push(...[to].flat().map((name): [string, Message] => [name, message])),
      offer() {},
      setTimer: (timer, delayMs) => timers.set(timer, delayMs),
      report() {},
    },
  });
  machine.start(NOW);
  return { replica, machine, sent, timers };
}

function aPair(options: Partial<EntropyOptions> = {}): [Node, Node] {
  const [a, b] = [aNode('a', options), aNode('b', options)];
  a.machine.peersChanged([{ name: 'b', session: 1, epochOfUs: 0 }], NOW);
  b.machine.peersChanged([{ name: 'a', session: 1, epochOfUs: 0 }], NOW);
  return [a, b];
}

/** Carries what both say until nothing is left. @returns how many messages */
function carry(a: Node, b: Node): number {
  let count = 0;
  for (;;) {
    const [speaker, name, hearer] = a.sent.length > 0 ? [a, 'a', b] : [b, 'b', a];
    const message = speaker.sent.shift()?.[1];
    if (message === undefined) return count;
    count++;
    hearer.machine.receive([{ from: name, message }], NOW);
  }
}

/** Lets so many cycles end at both. @returns the messages in each */
function cycles(a: Node, b: Node, count: number): number[] {
  return Array.from({ length: count }, () => {
    a.machine.tick('cycle', NOW);
    b.machine.tick('cycle', NOW);
    return carry(a, b);
  });
}

describe('replicas that are known to be equal', () => {
  test('rest for twenty cycles, then compare once', () => {
    const [a, b] = aPair();
    carry(a, b);
    expect(cycles(a, b, 1)).toEqual([2]);
    expect([a.timers.get('cycle'), b.timers.get('cycle')]).toEqual([10_000, 10_000]);
    expect(cycles(a, b, 1)).toEqual([2]);
  });

  test('end their rest when one of them changes, within a cycle', () => {
    const [a, b] = aPair();
    carry(a, b);
    cycles(a, b, 1);
    b.replica.write('x', '1', undefined, NOW);
    b.machine.add(b.replica.takeFresh(), NOW);
    expect(b.timers.get('cycle')).toBeLessThanOrEqual(500);
    expect(a.timers.get('cycle')).toBe(10_000);
    b.machine.tick('cycle', NOW);
    carry(a, b);
    expect(a.timers.get('cycle')).toBeLessThanOrEqual(500);
  });

  test('end their rest when somebody comes', () => {
    const [a, b] = aPair();
    carry(a, b);
    cycles(a, b, 1);
    a.machine.peersChanged(
      [
        { name: 'b', session: 1, epochOfUs: 0 },
        { name: 'c', session: 2, epochOfUs: 0 },
      ],
      NOW,
    );
    expect(a.timers.get('cycle')).toBeLessThanOrEqual(500);
  });

  test('compare again as soon as one of them has changed, whoever it is', () => {
    const [a, b] = aPair();
    carry(a, b);
    b.replica.write('x', '1', undefined, NOW);
    expect(cycles(a, b, 1)[0]).toBeGreaterThan(2);
    expect(a.replica.get('x')).toBe('1');
    a.replica.write('x', undefined, undefined, NOW);
    expect(cycles(a, b, 1)[0]).toBeGreaterThan(2);
    expect(b.replica.get('x')).toBeUndefined();
  });

  test('compare again on a new connection', () => {
    const [a, b] = aPair();
    carry(a, b);
    a.machine.peersChanged([{ name: 'b', session: 2, epochOfUs: 0 }], NOW);
    b.machine.peersChanged([{ name: 'a', session: 2, epochOfUs: 0 }], NOW);
    expect(carry(a, b)).toBe(2);
  });

  test('go on comparing where everybody pulls: nobody else would say that something has changed', () => {
    const [a, b] = aPair({ direction: 'pull' });
    carry(a, b);
    expect(cycles(a, b, 5).every((count) => count > 0)).toBe(true);
  });
});

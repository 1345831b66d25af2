/**
 * The engine against the figures of Demers et al. 1987, section 1.4: the residue is the share of nodes that never hear
 * of a rumor. Synchronous cycles as in the paper: all push, then each node is handed what it got as one batch.
 */

import { describe, expect, test } from '@jest/globals';
import type { Message } from '../messages.ts';
import type { Machine, Received } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { Update } from '../update.ts';
import { epidemicStatus, rumor } from './rumor.ts';
import type { RumorOptions } from './rumor-options.ts';

const T0 = 1_800_000_000_000;

interface Node {
  readonly replica: Replica;
  readonly machine: Machine;
  inbox: Received[];
}

interface Outcome {
  /** Share of nodes without a rumor, on average. */
  readonly residue: number;
  /** Pushes of a rumor per node, on average. */
  readonly traffic: number;
}

/**
 * Lets `rumors` spread from as many nodes at once, cycle by cycle, until nobody is infective.
 * @param inOrder every message is a batch of its own: known is judged one after the other
 */
function spread(options: Partial<RumorOptions>, n: number, rumors: number, seed: number, inOrder = false): Outcome {
  const random = seededRandom(seed);
  const protocol = rumor({ eager: false, gc: false, ...options });
  let pushes = 0;
  let awake: Node[] = [];
  const nodes = new Map<string, Node>();
  for (let i = 0; i < n; i++) {
    const name = `n${i}`;
    const replica = new Replica({ name, epoch: 1, maxDriftMs: 6e4, maxUpdateBytes: 1e6, forgetAfterMs: 1e9 });
    const send = (to: string | readonly string[], message: Message): void => {
      for (const peer of typeof to === 'string' ? [to] : to) {
        const node = nodes.get(peer) as Node;
        if (node.inbox.length === 0) awake.push(node);
        node.inbox.push({ from: name, message: copyOf(message) });
        if (message.type === 'updates' && message.cause === 'push') pushes += message.updates.length;
        if (message.type === 'announce') pushes += message.dots.length;
      }
    };
    const effects = { send, offer: () => undefined, setTimer: () => undefined, report: () => undefined };
    const machine = protocol.create({ self: name, replica, effects, random, judged: false });
    nodes.set(name, { replica, machine, inbox: [] });
  }
  const names = [...nodes.keys()];
  for (const [name, { machine }] of nodes) {
    machine.start(T0);
    machine.peersChanged(
      names.filter((other) => other !== name).map((other) => ({ name: other, session: 1, epochOfUs: 0 })),
      T0,
    );
  }
  const all = [...nodes.values()];
  for (const node of all.slice(0, rumors)) {
    node.replica.write(`by ${node.replica.name}`, 'v', undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
  }
  const settle = (): void => {
    while (awake.length > 0) {
      const round = awake.map((node) => ({ node, batch: node.inbox }));
      for (const { node } of round) node.inbox = [];
      awake = [];
      for (const { node, batch } of round) {
        if (!inOrder) node.machine.receive(batch, T0);
        else
          for (const received of batch) {
            node.machine.receive([received], T0);
            settle();
          }
      }
    }
  };
  for (let cycle = 1; all.some(({ machine }) => (epidemicStatus(machine)?.infective as number) > 0); cycle++) {
    for (const { machine } of all)
      if (options.direction !== undefined || (epidemicStatus(machine)?.infective as number) > 0)
        machine.tick('rumor', T0 + cycle * 500);
    settle();
  }
  const held = all.reduce((sum, { replica }) => sum + replica.store.size, 0);
  return { residue: 1 - held / (n * rumors), traffic: pushes / (n * rumors) };
}

function copyOf(message: Message): Message {
  if (message.type !== 'updates') return message;
  return {
    ...message,
    updates: [...message.updates].map((u) => new Update(u.id, u.value, u.stamp, u.origin, u.sequence, u.expiresAt)),
  };
}

describe('rumor mongering leaves the residue of the paper', () => {
  // Table 1: push, feedback, counters.
  test.each([
    { rounds: 1, residue: 0.18, traffic: 1.74 },
    { rounds: 2, residue: 0.037, traffic: 3.3 },
    { rounds: 3, residue: 0.011, traffic: 4.53 },
  ])('push with a counter that is reset, k = $rounds: $residue', ({ rounds, residue, traffic }) => {
    const outcome = spread({ removal: 'reset-counter', rounds }, 1000, 15, 7);
    expectNear(outcome.residue, residue, 0.25);
    expectNear(outcome.traffic, traffic, 0.05);
  });

  // Table 3: pull, feedback, counters.
  test('pull with a counter that is reset, k = 1: 0.031', () => {
    const outcome = spread({ removal: 'reset-counter', direction: 'pull', rounds: 1 }, 1000, 5, 7);
    expectNear(outcome.residue, 0.031, 0.25);
    expectNear(outcome.traffic, 2.7, 0.05);
  });

  // The differential equations of the section: s = e^(-(k+1)(1-s)), for contacts one after the other.
  test.each([
    { rounds: 1, residue: 0.203 },
    { rounds: 2, residue: 0.0595 },
  ])('push with a cumulative counter, one contact after the other, k = $rounds: $residue', ({ rounds, residue }) => {
    expectNear(spread({ rounds }, 1000, 10, 7, true).residue, residue, 0.25);
  });
});

function expectNear(actual: number, expected: number, tolerance: number): void {
  expect(actual).toBeGreaterThan(expected * (1 - tolerance));
  expect(actual).toBeLessThan(expected * (1 + tolerance));
}

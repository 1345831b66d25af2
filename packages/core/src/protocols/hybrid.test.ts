import { describe, expect, test } from '@jest/globals';

import type { Message, Updates } from '../messages.ts';
import { Origin } from '../origin.ts';
import type { Machine } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { Update } from '../update.ts';
import { stampAt } from '../hlc.ts';
import { hybrid } from './hybrid.ts';
import type { HybridOptions } from './hybrid-options.ts';
import { epidemicStatus } from './rumor.ts';

const NOW = Date.UTC(2026, 0, 1);

/** As it travels: with its updates as objects that no store has seen. */
function asData(message: Message): Message {
  if (!('updates' in message)) return message;
  const updates = Array.from(
    message.updates,
    ({ id, value, stamp, origin, sequence, expiresAt }) => new Update(id, value, stamp, origin, sequence, expiresAt),
  );
  return { ...message, updates };
}

class Node {
  readonly replica: Replica = new Replica({
    name: 'a',
    epoch: NOW,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86_400_000,
  });
  readonly machine: Machine;
  readonly #sent: [to: readonly string[], message: Message][] = [];
  readonly timers: Map<string, number> = new Map();

  constructor(options: HybridOptions, ...peers: readonly string[]) {
    this.machine = hybrid(options).create({
      self: 'a',
      replica: this.replica,
      random: seededRandom(3),
      judged: false,
      effects: {
        send: (to, message) => this.#sent.push([[to].flat(), asData(message)]),
        offer() {},
        setTimer: (timer, delayMs) => this.timers.set(timer, delayMs),
        report() {},
      },
    });
    this.machine.start(NOW);
    this.machine.peersChanged(
      peers.map((name, i) => ({ name, session: i + 1, epochOfUs: 0 })),
      NOW,
    );
    this.sent();
  }

  write(id: string, nowMs: number): void {
    this.replica.write(id, '1', undefined, nowMs);
    this.machine.add(this.replica.takeFresh(), nowMs);
  }

  sent(): [to: readonly string[], message: Message][] {
    return this.#sent.splice(0);
  }

  types(): string[] {
    return this.sent().map(([, { type }]) => type);
  }
}

function mail(sequence: number): Updates {
  const update = new Update(`m${sequence}`, '1', stampAt(NOW), new Origin('z', 1), sequence, undefined);
  return { type: 'updates', cause: 'mail', updates: [update] };
}

describe('direct mail', () => {
  test('goes at once, as one message, to everybody in a view no larger than mail', () => {
    const node = new Node({ mail: 3 }, 'b', 'c', 'd');
    node.write('x', NOW);
    expect(node.sent()).toMatchObject([[['b', 'c', 'd'], { type: 'updates', cause: 'mail' }]]);
  });

  test('of one that only dials goes on to others of its kind at once, and to nobody else whom it has mailed itself', () => {
    const node = new Node({ mail: 4, rumor: { delta: 60_000 } });
    const only = (name: string) => ({ name, session: 1, epochOfUs: 0, dialsOnly: true });
    const all = { name: 'b', session: 1, epochOfUs: 0 };
    node.machine.peersChanged([all, only('d1'), only('d2')], NOW);
    node.sent();
    node.machine.receive([{ from: 'd1', message: mail(1) }], NOW);
    expect(node.sent()).toMatchObject([[['d1', 'd2'], { type: 'announce', pulled: true }]]);
    // In a view too large for its mail this node carries it to everybody.
    node.machine.viewChanged?.(new Set(['b', 'd1', 'd2', 'beyond']), 1, NOW);
    node.machine.receive([{ from: 'd1', message: mail(2) }], NOW);
    expect(node.sent()).toMatchObject([
      [['d1', 'd2'], { type: 'announce', pulled: true }],
      [['b'], { type: 'announce', pulled: true }],
    ]);
  });

  test('goes to so many at random in a larger view, and eagerly on by its dot', () => {
    const node = new Node({ mail: 2 }, 'b', 'c', 'd');
    node.write('x', NOW);
    const [mailed, pushed] = node.sent();
    expect(mailed?.[0]).toHaveLength(2);
    expect(pushed?.[1]).toMatchObject({ type: 'announce', dots: [{ intervals: [1, 1] }] });
  });

  test('of what follows within a millisecond goes together, without what was superseded meanwhile', () => {
    const node = new Node({}, 'b');
    for (const id of ['x', 'y', 'z', 'y']) node.write(id, NOW);
    expect(node.types()).toEqual(['updates']);
    expect(node.timers.get('mail')).toBe(1);
    node.machine.tick('mail', NOW + 1);
    const [[, later]] = node.sent() as [[readonly string[], Updates]];
    expect([...later.updates].map(({ id, sequence }) => [id, sequence])).toEqual([
      ['z', 3],
      ['y', 4],
    ]);
  });

  test('is not answered, and goes on by its dot with the next cycle of rumors', () => {
    const node = new Node({}, 'b', 'c');
    node.machine.receive([{ from: 'b', message: mail(1) }], NOW);
    expect(node.sent()).toEqual([]);
    expect(node.replica.get('m1')).toBe('1');
    node.machine.tick('rumor', NOW + 500);
    expect(node.sent()).toMatchObject([[[expect.any(String)], { type: 'announce', dots: [{ intervals: [1, 1] }] }]]);
  });

  test('with mail 0 there is none: the rumor carries the value', () => {
    const node = new Node({ mail: 0 }, 'b');
    node.write('x', NOW);
    expect(node.sent()).toMatchObject([[['b'], { type: 'updates', cause: 'push' }]]);
  });
});

describe('the net of entropy', () => {
  test('compares in every cycle while nothing comes in, and in every fourth while news does', () => {
    const node = new Node({}, 'b');
    const compared: boolean[] = [];
    for (let cycle = 0; cycle < 9; cycle++) {
      node.machine.receive([{ from: 'b', message: mail(cycle + 1) }], NOW);
      node.machine.tick('cycle', NOW);
      compared.push(node.types().includes('hashes'));
    }
    expect(compared).toEqual([false, false, false, true, false, false, false, true, false]);
    node.machine.tick('cycle', NOW);
    expect(node.types()).toContain('hashes');
  });

  test('leaves alone what the peer lacks of the last two cycles, and gives everything once something is older', () => {
    const node = new Node({}, 'b');
    const lacking: Message = { type: 'contexts', buckets: 'all', dots: [], invitation: 5, answer: false };
    node.machine.receive([{ from: 'b', message: mail(1) }], NOW);
    node.machine.receive([{ from: 'b', message: lacking }], NOW);
    expect(node.types()).toEqual(['end']);
    node.machine.tick('cycle', NOW);
    node.machine.tick('cycle', NOW);
    node.machine.receive([{ from: 'b', message: mail(2) }], NOW);
    node.sent();
    node.machine.receive([{ from: 'b', message: lacking }], NOW);
    expect(node.sent().map(([, message]) => message)).toMatchObject([
      { type: 'chunk', updates: [{ id: 'm1' }, { id: 'm2' }] },
      { type: 'end', claim: [{ intervals: [1, 2] }] },
    ]);
  });
});

describe('a node alone', () => {
  test('keeps nothing of what it has overwritten, and spreads what is left when somebody comes', () => {
    const node = new Node({});
    for (let i = 0; i < 1000; i++) node.write('x', NOW + i);
    expect(epidemicStatus(node.machine)).toEqual({ infective: 1, removed: 0, runs: 1 });
    node.machine.peersChanged([{ name: 'b', session: 1, epochOfUs: 0 }], NOW + 1000);
    node.machine.tick('rumor', NOW + 1500);
    expect(node.sent().map(([, message]) => message)).toContainEqual(
      expect.objectContaining({ type: 'announce', dots: [expect.objectContaining({ intervals: [1000, 1000] })] }),
    );
  });
});

describe('options', () => {
  test('outside go to both halves, inside go before them', () => {
    const node = new Node({ delta: 70, entropy: { delta: 30 } }, 'b');
    node.machine.tick('cycle', NOW);
    expect(node.timers.get('cycle')).toBe(30);
    node.write('x', NOW);
    expect(node.timers.get('rumor')).toBeLessThanOrEqual(70);
  });

  test('are refused with every violation, once each, by the path at which they stand', () => {
    const options = { delta: -1, mails: 3, rumor: { blind: true, removal: 'reset-counter' }, entropy: { level: 0.5 } };
    let violations: unknown;
    try {
      hybrid(options as HybridOptions);
    } catch (error) {
      violations = (error as { context: { violations: { path: string }[] } }).context.violations.map(
        ({ path }) => path,
      );
    }
    expect(violations).toEqual(['delta', 'mails', 'rumor.blind', 'entropy.level']);
  });
});

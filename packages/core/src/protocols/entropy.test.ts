import { describe, expect, test } from '@jest/globals';
import { STAMP_EPOCH_MS } from '../hlc.ts';
import type { Message } from '../messages.ts';
import type { Machine, Peer } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { entropy, type EntropyOptions, isExchangeMessage } from './entropy.ts';
import { hybrid } from './hybrid.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;

interface Bench {
  readonly machine: Machine;
  readonly replica: Replica;
  /** What was sent since it was last asked for, one entry per receiver. */
  sent(): [to: string, message: Message][];
  readonly timers: [timer: string, delayMs: number][];
}

function aNode(options: Partial<EntropyOptions> = {}, self = 'm'): Bench {
  const outbox: [string, Message][] = [];
  const timers: [string, number][] = [];
  const replica = new Replica({
    name: self,
    epoch: NOW,
    maxDriftMs: 60000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86400000,
  });
  const machine = entropy(options).create({
    self,
    replica,
    effects: {
      send: (to, message) => {
        for (const name of typeof to === 'string' ? [to] : to) outbox.push([name, message]);
      },
      offer: () => {},
      setTimer: (timer, delayMs) => timers.push([timer, delayMs]),
      report: () => {},
    },
    random: seededRandom(7),
    judged: false,
  });
  machine.start(NOW);
  return { machine, replica, sent: () => outbox.splice(0), timers };
}

const peers = (...names: string[]): Peer[] => names.map((name, i) => ({ name, session: i + 1, epochOfUs: 0 }));

describe('a cycle', () => {
  test('comes every delta, the first at a random part of it', () => {
    const { machine, timers } = aNode({ delta: 400 });
    const [[timer, first]] = timers as [[string, number]];
    expect(timer).toBe('cycle');
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(400);
    machine.peersChanged(peers('a'), NOW);
    machine.tick('cycle', NOW + first);
    expect(timers.at(-1)).toEqual(['cycle', 400]);
  });

  test.each([
    [1, 1],
    [3, 3],
    [0, 5],
  ])('with level %i compares hashes with %i of five peers, each once', (level, count) => {
    const { machine, sent } = aNode({ level });
    machine.peersChanged(peers('a', 'b', 'c', 'd', 'e'), NOW);
    sent();
    machine.tick('cycle', NOW + 500);
    const messages = sent();
    expect(messages.map(([, { type }]) => type)).toEqual(Array.from({ length: count }, () => 'hashes'));
    expect(new Set(messages.map(([to]) => to)).size).toBe(count);
  });

  test('picks every peer in the course of time', () => {
    const { machine, sent } = aNode({ level: 1 });
    machine.peersChanged(peers('a', 'b', 'c'), NOW);
    for (let i = 0; i < 50; i++) machine.tick('cycle', NOW + i);
    expect(new Set(sent().map(([to]) => to))).toEqual(new Set(['a', 'b', 'c']));
  });

  test('without a peer says nothing', () => {
    const { machine, sent } = aNode({ level: 0 });
    machine.tick('cycle', NOW + 500);
    expect(sent()).toEqual([]);
  });
});

describe('a node', () => {
  test('says nothing of an own write before the next exchange', () => {
    const { machine, replica, sent } = aNode();
    machine.peersChanged(peers('a'), NOW);
    sent();
    replica.write('x', '1', undefined, NOW);
    machine.add(replica.takeFresh(), NOW);
    expect(sent()).toEqual([]);
  });

  test('begins an exchange on a new connection if its name is the lower one', () => {
    const { machine, sent } = aNode({}, 'm');
    machine.peersChanged(peers('a', 'z'), NOW);
    expect(sent()).toMatchObject([['z', { type: 'hashes' }]]);
    machine.peersChanged(peers('a', 'z'), NOW);
    expect(sent()).toEqual([]);
    machine.peersChanged([{ name: 'z', session: 9, epochOfUs: 0 }], NOW);
    expect(sent()).toMatchObject([['z', { type: 'hashes' }]]);
  });

  test('answers equal hashes by silence, and others by its context', () => {
    const [a, b] = [aNode(), aNode({}, 'z')];
    a.machine.peersChanged(peers('z'), NOW);
    const [[, hashes]] = a.sent() as [[string, Message]];
    b.machine.peersChanged(peers('m'), NOW);
    b.machine.receive([{ from: 'm', message: hashes }], NOW);
    b.sent();
    b.machine.receive([{ from: 'm', message: hashes }], NOW);
    expect(b.sent()).toEqual([]);
    b.replica.write('x', '1', undefined, NOW);
    b.machine.receive([{ from: 'm', message: hashes }], NOW);
    expect(b.sent()).toMatchObject([['m', { type: 'contexts', buckets: 'all', answer: true }]]);
  });

  test.each([
    ['push', false, true],
    ['pull', true, false],
    ['push-pull', true, true],
  ] as const)('asked to %s: it tells its context, answer %p, invitation %p', (direction, answer, invited) => {
    const { machine, replica, sent } = aNode();
    machine.peersChanged(peers('a'), NOW);
    replica.write('x', '1', undefined, NOW);
    const none = new Int32Array(4);
    const message: Message = { type: 'hashes', context: none, live: none, horizonMs: NOW, direction };
    machine.receive([{ from: 'a', message }], NOW);
    const [[, told]] = sent() as [[string, Message]];
    expect(told).toMatchObject({ type: 'contexts', answer });
    expect((told as { invitation: number }).invitation > 0).toBe(invited);
  });

  test('ignores what it does not know, and never throws for what a peer sends out of turn', () => {
    const { machine, replica, sent } = aNode();
    machine.peersChanged(peers('a'), NOW);
    sent();
    const none = new Int32Array(4);
    const turns: Message[] = [
      { type: 'custom', body: {} },
      { type: 'pull' },
      { type: 'ack', invitation: 5, index: 5 },
      { type: 'chunk', invitation: 5, index: 5, updates: [] },
      {
        type: 'end',
        invitation: 5,
        index: 5,
        buckets: 'all',
        claim: [],
        context: none,
        live: none,
        horizonMs: NOW,
      },
      { type: 'refused', dots: [] },
      { type: 'room', dots: [] },
    ];
    machine.receive(
      turns.map((message) => ({ from: 'a', message })),
      NOW,
    );
    expect(sent()).toEqual([]);
    expect(replica.store.size).toBe(0);
  });

  test('wakes when something expires', () => {
    const { machine, replica, timers } = aNode();
    replica.write('x', '1', NOW + 5000, NOW);
    machine.add(replica.takeFresh(), NOW);
    expect(timers.at(-1)).toEqual(['expiry', 5000]);
    machine.tick('expiry', NOW + 5000);
    expect(replica.get('x')).toBeUndefined();
  });
});

describe('the protocol', () => {
  test('takes the messages of the exchange, and no others', () => {
    const { accepts } = entropy();
    expect(accepts({ type: 'refused', dots: [] })).toBe(true);
    for (const message of [{ type: 'pull' }, { type: 'custom', body: 1 }] as const) {
      expect(accepts(message)).toBe(false);
      expect(isExchangeMessage(message)).toBe(false);
    }
  });

  test('names every wrong option at once', () => {
    expect(() => entropy({ delta: 0, level: -1, direction: 'up' as 'push', rounds: 3 } as object)).toThrow(
      /'delta'.*'level'.*'direction'.*'rounds'/,
    );
  });
});

describe('tombstoneTtl', () => {
  test.each([
    ['entropy', entropy({ tombstoneTtl: 1001 })],
    ['hybrid', hybrid({ tombstoneTtl: 1001 })],
    ['hybrid, set apart', hybrid({ entropy: { tombstoneTtl: 1001 } })],
  ])('is at most what the node remembers of origins: %s', (_name, protocol) => {
    expect(protocol.violations?.({ forgetAfterMs: 1001 })).toEqual([]);
    expect(protocol.violations?.({ forgetAfterMs: 1000 })).toEqual([
      { path: 'tombstoneTtl', problem: expect.stringMatching(/at most the node's forgetAfter \(1000\), not 1001/) },
    ]);
  });
});

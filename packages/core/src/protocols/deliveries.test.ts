/** Which own writes a peer is known to have, as the machines of all protocols tell it. */
import { describe, expect, test } from '@jest/globals';
import type { Message } from '../messages.ts';
import type { Machine, Offer, Protocol } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { keepAll } from '../replica/verdict.ts';
import { Deliveries } from './deliveries.ts';
import { entropy } from './entropy.ts';
import { hybrid } from './hybrid.ts';
import { rumor } from './rumor.ts';

const NOW = Date.UTC(2026, 0, 1);

class Side {
  readonly replica: Replica;
  readonly machine: Machine;
  readonly outbox: Message[] = [];
  readonly timers: Map<string, number> = new Map();
  readonly offers: Offer[] = [];

  constructor(
    name: string,
    protocol: Protocol,
    { judged = false, ...limits }: { judged?: boolean; maxIds?: number } = {},
  ) {
    const bounds = { maxDriftMs: 60_000, maxUpdateBytes: 1000, forgetAfterMs: 86_400_000 };
    this.replica = new Replica({ name, epoch: NOW, ...bounds, ...limits });
    this.machine = protocol.create({
      self: name,
      replica: this.replica,
      random: seededRandom(name.charCodeAt(0)),
      judged,
      effects: {
        send: (_to, message) => void this.outbox.push(message),
        offer: (offer) => void this.offers.push(offer),
        setTimer: (timer, delayMs) => void this.timers.set(timer, delayMs),
        report: () => undefined,
      },
    });
    this.machine.start(NOW);
  }

  write(id: string, expiresAt?: number): void {
    this.replica.write(id, '1', expiresAt, NOW);
    this.machine.add(this.replica.takeFresh(), NOW);
  }

  get undelivered(): number | undefined {
    return this.machine.undelivered?.(NOW);
  }
}

function meet(a: Side, b: Side): void {
  a.machine.peersChanged([{ name: b.replica.name, session: 1, epochOfUs: 0 }], NOW);
  b.machine.peersChanged([{ name: a.replica.name, session: 1, epochOfUs: 0 }], NOW);
}

/** Messages are what they were when they were said. */
function carried(message: Message): Message {
  if (message.type !== 'chunk' && message.type !== 'updates') return message;
  const copies = [...message.updates].map((update) =>
    Object.assign(Object.create(Object.getPrototypeOf(update)), update),
  );
  for (const copy of copies) copy.arrival = 0;
  return { ...message, updates: copies };
}

/** Lets both speak until nothing is left to say, without any cycle. */
function converse(a: Side, b: Side): void {
  for (;;) {
    const [from, to] = a.outbox.length > 0 ? [a, b] : [b, a];
    const message = from.outbox.shift();
    if (message === undefined) return;
    to.machine.receive([{ from: from.replica.name, message: carried(message) }], NOW);
  }
}

const protocols: readonly (readonly [string, () => Protocol])[] = [
  ['hybrid', () => hybrid()],
  ['hybrid without mail', () => hybrid({ mail: 0 })],
  ['entropy', () => entropy()],
  ['entropy that pushes', () => entropy({ direction: 'push' })],
  ['rumor', () => rumor()],
  ['rumor that pulls', () => rumor({ direction: 'pull', eager: false })],
];

describe.each(protocols)('what is undelivered with %s', (_name, protocol) => {
  test('is every write of a node that has met nobody', () => {
    const a = new Side('a', protocol());
    a.write('x');
    a.write('y');
    expect(a.undelivered).toBe(2);
  });

  test('is nothing once a peer has said that it has all, and it says so when it is asked', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol())];
    a.write('x');
    meet(a, b);
    a.write('y');
    for (let i = 0; i < 3; i++) {
      a.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(b.replica.get('x')).toBe('1');
    expect(b.replica.get('y')).toBe('1');
    expect(a.undelivered).toBe(0);
  });

  test('is what was sent, for as long as the peer says nothing', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol())];
    meet(a, b);
    converse(a, b);
    a.write('x');
    a.machine.confirm?.(NOW);
    a.outbox.length = 0;
    expect(a.undelivered).toBe(1);
  });

  test('is all again when the only holder is gone', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol())];
    a.write('x');
    meet(a, b);
    for (let i = 0; i < 3; i++) {
      a.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(a.undelivered).toBe(0);
    a.machine.peersChanged([], NOW);
    expect(a.undelivered).toBe(1);
  });

  test('is not what has expired or was superseded', () => {
    const a = new Side('a', protocol());
    a.write('x', NOW + 10);
    a.write('y');
    a.write('y');
    expect(a.machine.undelivered?.(NOW)).toBe(2);
    expect(a.machine.undelivered?.(NOW + 10)).toBe(1);
  });

  test('is what the peer has no room for', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol(), { maxIds: 1 })];
    b.write('full');
    meet(a, b);
    converse(a, b);
    a.write('x');
    for (let i = 0; i < 4; i++) {
      a.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(b.replica.get('x')).toBeUndefined();
    expect(a.undelivered).toBe(1);
  });

  test('is what the handler of the peer still has', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol(), { judged: true })];
    meet(a, b);
    a.write('x');
    for (let i = 0; i < 3; i++) {
      a.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(b.offers).toHaveLength(1);
    expect(a.undelivered).toBe(1);
    b.machine.judged(b.offers[0]?.number ?? -1, keepAll, NOW);
    for (let i = 0; i < 3; i++) {
      a.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(a.undelivered).toBe(0);
  });
});

test('with blind rumors nobody can tell what is undelivered', () => {
  const { machine } = new Side('a', rumor({ blind: true, removal: 'counter' }));
  expect([machine.undelivered, machine.confirm]).toEqual([undefined, undefined]);
});

describe.each(protocols.slice(0, 4))('a machine of %s', (name, protocol) => {
  test('is synced when it has taken all that a peer had, and so is one that found hashes equal', () => {
    const [a, b] = [new Side('a', protocol()), new Side('b', protocol())];
    for (let i = 0; i < 50; i++) a.write(`x${i}`);
    expect([a.machine.isSynced, b.machine.isSynced]).toEqual([false, false]);
    meet(a, b);
    for (let i = 0; i < 3; i++) {
      if (!name.includes('hybrid')) a.machine.tick('cycle', NOW);
      else for (const side of [a, b]) side.machine.confirm?.(NOW);
      converse(a, b);
    }
    expect(b.replica.store.liveCount).toBe(50);
    expect([a.machine.isSynced, b.machine.isSynced]).toEqual([true, true]);
  });
});

describe.each(protocols.filter(([name]) => name === 'hybrid' || name === 'entropy'))(
  'a machine of %s',
  (_name, protocol) => {
    test('is not synced while a transfer has not come to its end', () => {
      const [a, b] = [new Side('a', protocol()), new Side('b', protocol())];
      for (let i = 0; i < 50; i++) a.write(`x${i}`);
      meet(a, b);
      a.machine.confirm?.(NOW);
      for (;;) {
        const [from, to] = a.outbox.length > 0 ? [a, b] : [b, a];
        const message = from.outbox.shift();
        if (message === undefined) throw new Error('no transfer');
        if (message.type === 'end') break;
        to.machine.receive([{ from: from.replica.name, message: carried(message) }], NOW);
      }
      expect(b.machine.isSynced).toBe(false);
    });
  },
);

test('a claim that leaves out what is young does not make a machine of hybrid synced', () => {
  const [a, b] = [new Side('a', hybrid()), new Side('b', hybrid())];
  a.write('young');
  meet(a, b);
  converse(a, b);
  expect(b.replica.get('young')).toBeUndefined();
  expect(b.machine.isSynced).toBe(false);
});

test('a machine of rumor does not say whether it is synced: it never compares', () => {
  expect(new Side('a', rumor()).machine.isSynced).toBeUndefined();
});

test('a peer that says that it has what is not written yet has said nothing of what is written later', () => {
  const replica = new Replica({
    name: 'a',
    epoch: NOW,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86_400_000,
  });
  const deliveries = new Deliveries(replica);
  deliveries.told('b', [{ origin: replica.origin, intervals: [1, 1000], newest: 0 }]);
  replica.write('x', '1', undefined, NOW);
  expect(deliveries.undelivered(NOW)).toBe(1);
});

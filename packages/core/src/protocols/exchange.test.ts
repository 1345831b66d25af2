/** The exchange of two replicas, message by message; histories of many nodes are in test/scenario. */
import { describe, expect, jest, test } from '@jest/globals';
import { Context, countDots, type Dots, Journal } from '../context.ts';
import { STAMP_EPOCH_MS, stampAt } from '../hlc.ts';
import { Intake } from '../intake.ts';
import type { Contexts, Direction, End, ExchangeMessage, LiveDots } from '../messages.ts';
import { Origin } from '../origin.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { keepAll } from '../replica/verdict.ts';
import { Update } from '../update.ts';
import { COMPARE_IN_FULL_MS, Exchange } from './exchange.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;

interface Side {
  readonly replica: Replica;
  readonly exchange: Exchange;
  young: Journal;
  outbox: ExchangeMessage[];
}

function aSide(
  name: string,
  { direction = 'push-pull', ...limits }: { maxBytes?: number; maxOrigins?: number; direction?: Direction } = {},
): Side {
  const outbox: ExchangeMessage[] = [];
  const bounds = { maxDriftMs: 1000, maxUpdateBytes: 100000, forgetAfterMs: 86400000, ...limits };
  const replica = new Replica({ name, epoch: NOW, ...bounds });
  const environment = {
    self: name,
    replica,
    effects: {
      send: (_to: string | readonly string[], message: unknown) => void outbox.push(message as ExchangeMessage),
      offer: () => {},
      setTimer: () => {},
      report: () => {},
    },
    random: seededRandom(name.charCodeAt(0)),
    judged: false,
  };
  const exchange: Exchange = new Exchange(environment, new Intake(environment), { direction, patienceMs: 5000 }, () => [
    side.young,
  ]);
  const side: Side = { replica, exchange, young: new Journal(), outbox };
  return side;
}

/** Another object for every update: each replica takes over what it is given. */
function carried(message: ExchangeMessage): ExchangeMessage {
  if (message.type !== 'chunk') return message;
  const updates = [...message.updates].map(
    ({ id, value, stamp, origin, sequence, expiresAt }) =>
      new Update(id, value, stamp, new Origin(origin.name, origin.epoch), sequence, expiresAt),
  );
  return { ...message, updates };
}

/** Lets both speak until nothing is left to say. @returns what was said, with its speaker */
function converse(a: Side, b: Side, nowMs: number = NOW): [speaker: string, message: ExchangeMessage][] {
  const said: [string, ExchangeMessage][] = [];
  for (;;) {
    const [from, to] = a.outbox.length > 0 ? [a, b] : [b, a];
    const message = from.outbox.shift();
    if (message === undefined) return said;
    said.push([from.replica.name, message]);
    to.exchange.receive(from.replica.name, carried(message), nowMs);
  }
}

function exchanged(a: Side, b: Side, nowMs: number = NOW): [string, ExchangeMessage][] {
  a.exchange.begin([b.replica.name], nowMs);
  return converse(a, b, nowMs);
}

const typesOf = (said: readonly [string, ExchangeMessage][]): string[] =>
  said.map(([speaker, { type }]) => `${speaker}: ${type}`);

const contentOf = ({ replica }: Side): [string, string | undefined][] =>
  [...replica.visible()]
    .map(({ id, value }): [string, string | undefined] => [id, value])
    .sort(([x], [y]) => (x < y ? -1 : 1));

describe('an exchange', () => {
  test('of equals is one message, and one more where the other has not heard of it', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    expect(typesOf(exchanged(a, b))).toEqual(['a: hashes', 'b: hashes']);
    expect(typesOf(exchanged(a, b))).toEqual(['a: hashes']);
    expect(typesOf(exchanged(b, a))).toEqual(['b: hashes']);
  });

  test('brings each what it lacks, and nobody what it has', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('x', '1', undefined, NOW);
    b.replica.write('y', '1', undefined, NOW);
    exchanged(a, b);
    a.replica.write('z', '1', undefined, NOW);
    const said = exchanged(a, b);
    expect(contentOf(a)).toEqual(contentOf(b));
    expect(contentOf(a)).toHaveLength(3);
    const values = said.flatMap(([, message]) => (message.type === 'chunk' ? [...message.updates] : []));
    expect(values.map(({ id }) => id)).toEqual(['z']);
    expect(new Set(exchanged(b, a).map(([, { type }]) => type))).toEqual(new Set(['hashes']));
  });

  test('sends of an id only what is newest, and claims the rest', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    for (let i = 0; i < 50; i++) a.replica.write('x', String(i), undefined, NOW);
    const said = exchanged(a, b);
    expect(said.flatMap(([, message]) => (message.type === 'chunk' ? [...message.updates] : []))).toHaveLength(1);
    expect(b.replica.context.sum).toEqual(a.replica.context.sum);
  });

  test('leaves what is young alone, claims nothing of it, and sweeps even so', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('removed', '1', undefined, NOW);
    a.replica.write('stays', '1', undefined, NOW);
    exchanged(a, b);
    a.replica.write('removed', undefined, undefined, NOW);
    a.replica.collectTombstones(0, NOW);
    b.replica.claim(a.replica.context.dots(), new Context(), NOW);
    a.replica.write('young', '1', undefined, NOW);
    a.young.note(a.replica.origin, 4, 4);
    const said = exchanged(b, a);
    expect(said.some(([, { type }]) => type === 'chunk')).toBe(false);
    const end = said.find(([, { type }]) => type === 'end')?.[1] as End;
    expect(end.claim).toMatchObject([{ intervals: [1, 3] }]);
    // b may not sweep by a context that it does not cover, but what it lacks comes by itself.
    expect(said.some(([, { type }]) => type === 'live-dots')).toBe(true);
    a.young = new Journal();
    exchanged(b, a);
    expect(contentOf(b)).toEqual([
      ['stays', '1'],
      ['young', '1'],
    ]);
  });

  test('in which only the young differs lists nothing that is live', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('x', '1', undefined, NOW);
    exchanged(a, b);
    a.replica.write('young', '1', undefined, NOW);
    a.young.note(a.replica.origin, 2, 2);
    expect(typesOf(exchanged(b, a))).toEqual(['b: hashes', 'a: contexts', 'b: contexts', 'b: end', 'a: end']);
  });
});

describe('the sweep', () => {
  /** Both have `x`; then a removed it, and has forgotten the tombstone. */
  function removed(): [Side, Side] {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('x', '1', undefined, NOW);
    exchanged(a, b);
    a.replica.write('x', undefined, undefined, NOW);
    a.replica.collectTombstones(0, NOW);
    return [a, b];
  }

  const liveDots = (side: Side, options: Partial<LiveDots> = {}): LiveDots => ({
    type: 'live-dots',
    buckets: 'all',
    dots: [],
    context: side.replica.context.dots(),
    horizonMs: NOW,
    answer: false,
    ...options,
  });

  test('drops what the other has seen and no longer holds', () => {
    const [a, b] = removed();
    exchanged(a, b);
    expect(contentOf(b)).toEqual([]);
    expect(b.replica.context.sum).toEqual(a.replica.context.sum);
    expect(new Set(exchanged(a, b).map(([, { type }]) => type))).toEqual(new Set(['hashes']));
  });

  test('drops nothing while our own context does not cover the other’s', () => {
    const [a, b] = removed();
    b.exchange.receive('a', liveDots(a), NOW);
    expect(contentOf(b)).toEqual([['x', '1']]);
    b.replica.claim(a.replica.context.dots(), new Context(), NOW);
    b.exchange.receive('a', liveDots(a), NOW);
    expect(contentOf(b)).toEqual([]);
  });

  test('drops nothing that the other has not seen, or lists', () => {
    const [a, b] = removed();
    b.replica.claim(a.replica.context.dots(), new Context(), NOW);
    b.replica.write('own', '1', undefined, NOW);
    const [x] = [...b.replica.store] as [Update];
    const dots = [{ origin: x.origin, intervals: [x.sequence, x.sequence], newest: 0 }];
    b.exchange.receive('a', liveDots(a, { dots }), NOW);
    expect(contentOf(b)).toHaveLength(2);
    b.exchange.receive('a', liveDots(a), NOW);
    expect(contentOf(b)).toEqual([['own', '1']]);
  });

  test('leaves alone what expires within maxDriftMs of the later of both clocks', () => {
    const b = aSide('b');
    const update = (id: string, sequence: number, expiresAt: number): Update =>
      new Update(id, '1', stampAt(NOW), new Origin('other', 1), sequence, expiresAt);
    b.exchange.receive(
      'a',
      {
        type: 'chunk',
        invitation: 1,
        index: 0,
        updates: [update('soon', 1, NOW + 5000), update('late', 2, NOW + 9000)],
      },
      NOW,
    );
    const a = aSide('a');
    a.replica.claim(b.replica.context.dots(), new Context(), NOW);
    // The other's clock is 6 s ahead: to it, what expires in 5 s is over.
    b.exchange.receive('a', liveDots(a, { horizonMs: NOW + 6000 + 1000 }), NOW);
    expect(contentOf(b).map(([id]) => id)).toEqual(['soon']);
  });
});

describe('an invitation', () => {
  const toldBy = (side: Side): Contexts => side.outbox.find(({ type }) => type === 'contexts') as Contexts;

  test('is open to one peer at a time, and to another when that one is silent for too long', () => {
    const [a, b, c] = [aSide('a'), aSide('b'), aSide('c')];
    for (const { replica } of [b, c]) replica.write(replica.name, '1', undefined, NOW);
    const invitedBy = (from: Side, nowMs: number): boolean => {
      from.exchange.begin(['a'], nowMs);
      a.outbox.length = 0;
      a.exchange.receive(from.replica.name, from.outbox.pop() as ExchangeMessage, nowMs);
      return toldBy(a).invitation > 0;
    };
    expect(invitedBy(b, NOW)).toBe(true);
    expect(invitedBy(c, NOW + 5000)).toBe(false);
    expect(invitedBy(c, NOW + 5001)).toBe(true);
    a.exchange.change([], ['c']);
    expect(invitedBy(b, NOW + 5002)).toBe(true);
    // The clock was set back by an hour: nobody waits until it has caught up.
    expect(invitedBy(c, NOW - 3_600_000)).toBe(true);
  });
});

describe('a transfer', () => {
  test('one frame of which is missing brings what came and claims nothing more', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    for (let i = 0; i < 5000; i++) a.replica.write(`id-${i}`, 'v', undefined, NOW);
    a.exchange.begin(['b'], NOW);
    let isLost = false;
    for (;;) {
      const [from, to] = a.outbox.length > 0 ? [a, b] : [b, a];
      const message = from.outbox.shift();
      if (message === undefined) break;
      if (message.type === 'chunk' && message.index === 1) isLost = true;
      else to.exchange.receive(from.replica.name, carried(message), NOW);
    }
    expect(isLost).toBe(true);
    expect(b.replica.store.size).toBeGreaterThan(2000);
    expect(b.replica.store.size).toBeLessThan(5000);
    expect(countDots(b.replica.context.dots())).toBe(b.replica.store.size);
    expect(exchanged(a, b, NOW + 6000).map(([, { type }]) => type)).toContain('end');
    expect(b.replica.store.size).toBe(5000);
  });
});

describe('a replica that is full', () => {
  /** b refused x of a, and was told of nothing else yet. */
  function full(): [a: Side, b: Side] {
    const [a, b] = [aSide('a'), aSide('b', { maxBytes: 1000 })];
    b.replica.write('mine', 'y'.repeat(600), undefined, NOW);
    a.replica.write('x', 'x'.repeat(500), undefined, NOW);
    exchanged(a, b);
    expect([b.replica.get('x'), b.replica.context.has(a.replica.origin, 1)]).toEqual([undefined, false]);
    return [a, b];
  }

  test('and gets room while a transfer is under way claims nothing that the transfer did not bring', () => {
    const [a, b] = full();
    // Ten chunks of what always fits: two more than the window.
    for (let i = 0; i < 20_000; i++) a.replica.write(`r${i}`, undefined, undefined, NOW);
    a.exchange.begin(['b'], NOW);
    let isLifted = false;
    let answered: string[] = [];
    for (;;) {
      const [from, to] = b.outbox.length > 0 ? [b, a] : [a, b];
      const message = from.outbox.shift();
      if (message === undefined) break;
      to.exchange.receive(from.replica.name, carried(message), NOW);
      if (message.type === 'chunk' && !isLifted) {
        isLifted = true;
        b.replica.write('mine', undefined, undefined, NOW);
        b.exchange.makeRoom(NOW);
        answered = b.outbox.map(({ type }) => type);
      }
    }
    expect(answered).toContain('room');
    expect(b.replica.get('x')).toBe('x'.repeat(500));
    expect(a.replica.get('x')).toBe('x'.repeat(500));
  });

  test('claims nothing that it held back when it came and has no room for when its time comes', () => {
    const [a, b] = [aSide('a'), aSide('b', { maxBytes: 1000 })];
    b.replica.write('mine', 'y'.repeat(600), undefined, NOW);
    a.replica.write('x', 'x'.repeat(500), undefined, NOW + 1500);
    a.exchange.begin(['b'], NOW);
    let isReleased = false;
    for (;;) {
      const [from, to] = b.outbox.length > 0 ? [b, a] : [a, b];
      const message = from.outbox.shift();
      if (message === undefined) break;
      to.exchange.receive(from.replica.name, carried(message), isReleased ? NOW + 600 : NOW);
      if (from !== a || message.type !== 'chunk') continue;
      isReleased = true;
      expect(b.replica.admit(b.replica.release(NOW + 600), keepAll, NOW + 600)).toHaveLength(0);
    }
    expect(isReleased).toBe(true);
    expect(b.replica.context.has(a.replica.origin, 1)).toBe(false);
    expect(a.replica.get('x')).toBe('x'.repeat(500));
  });

  test('is told what its peer would claim without what it refused: then both know that they are equal but for that', () => {
    const [a, b] = full();
    a.replica.write('small', '1', undefined, NOW);
    const said = exchanged(a, b);
    const end = said.map(([, message]) => message).findLast(({ type }) => type === 'end') as End;
    expect(Context.of(end.claim).has(a.replica.origin, 1)).toBe(false);
    expect(end.context).toEqual(b.replica.context.sum);
    expect(end.live).toEqual(b.replica.store.liveSum(end.horizonMs));
    expect(typesOf(said)).not.toContain('b: live-dots');
  });

  test('and its peer take each other for equal but for what each of them refuses, and fall silent', () => {
    const [a, b] = [aSide('a', { maxBytes: 1000 }), aSide('b', { maxBytes: 1000 })];
    a.replica.write('of a', 'x'.repeat(600), undefined, NOW);
    b.replica.write('of b', 'y'.repeat(600), undefined, NOW);
    exchanged(a, b);
    expect([a.replica.get('of b'), b.replica.get('of a')]).toEqual([undefined, undefined]);
    // One of them has yet to hear that they are.
    expect(typesOf(exchanged(b, a))).toEqual(['b: hashes', 'a: hashes']);
    expect(typesOf(exchanged(b, a)).slice(1)).toEqual([]);
    expect(typesOf(exchanged(a, b)).slice(1)).toEqual([]);
    for (const [side, other] of [
      [a, 'b'],
      [b, 'a'],
    ] as const)
      expect(side.exchange.cycle([other], 1, NOW)).toBe(true);
  });

  test('keeps its sender from believing it about what it has refused, until its context has been without that', () => {
    const a = aSide('a');
    const { origin } = a.replica.write('x', 'x'.repeat(500), undefined, NOW);
    a.exchange.receive('b', { type: 'refused', dots: [{ origin, intervals: [1, 1], newest: 0 }] }, NOW);
    const claiming: LiveDots = {
      type: 'live-dots',
      buckets: 'all',
      dots: [],
      context: [{ origin, intervals: [1, 1], newest: 0 }],
      horizonMs: NOW + 1000,
      answer: false,
    };
    // Its refusal has crossed the claim, which it took up whole.
    a.exchange.receive('b', claiming, NOW);
    expect(a.replica.get('x')).toBe('x'.repeat(500));
    // Another peer is believed.
    a.exchange.receive('c', claiming, NOW);
    expect(a.replica.get('x')).toBeUndefined();
  });

  test('is believed about what it has refused once its context has been without that', () => {
    const a = aSide('a');
    const { origin } = a.replica.write('x', 'x'.repeat(500), undefined, NOW);
    a.exchange.receive('b', { type: 'refused', dots: [{ origin, intervals: [1, 1], newest: 0 }] }, NOW);
    const tell = (dots: LiveDots['context']): void =>
      a.exchange.receive(
        'b',
        { type: 'live-dots', buckets: 'all', dots: [], context: dots, horizonMs: NOW + 1000, answer: false },
        NOW,
      );
    tell([]);
    tell([{ origin, intervals: [1, 1], newest: 0 }]);
    expect(a.replica.get('x')).toBeUndefined();
  });

  test('takes whatever it refused where it says that there is room, of no dots', () => {
    const [a, b] = full();
    b.replica.write('mine', undefined, undefined, NOW);
    a.exchange.receive('b', { type: 'room', dots: [] }, NOW);
    exchanged(a, b);
    expect(b.replica.get('x')).toBe('x'.repeat(500));
  });

  test('speaks of room to nobody that it refused nothing, and peers that were told nothing do not mind', () => {
    const [a, b] = full();
    b.exchange.change([], ['a']);
    b.replica.write('mine', undefined, undefined, NOW);
    b.exchange.makeRoom(NOW);
    expect(b.outbox).toEqual([]);
    a.exchange.receive('c', { type: 'room', dots: [] }, NOW);
    expect(a.outbox).toEqual([]);
  });
});

describe('thousands of origins that are new', () => {
  const many = (count: number): Update[] =>
    Array.from(
      { length: count },
      (_, i) => new Update(i % 2 === 0 ? 'x' : `id${i}`, '1', stampAt(NOW), new Origin(`node ${i}`, 1), 1, undefined),
    );

  test('come at once to a replica that joins, what is over of them too', () => {
    const [a, b] = [aSide('a'), aSide('b', { maxOrigins: 16_384 })];
    a.replica.admit(many(3000), keepAll, NOW);
    exchanged(b, a);
    expect(b.replica.context.sum).toEqual(a.replica.context.sum);
    expect(b.exchange.isSynced).toBe(true);
  });

  test('come at a pace to one that is there, and in the end it is equal', () => {
    const [a, b] = [aSide('a'), aSide('b', { maxOrigins: 16_384 })];
    exchanged(a, b);
    a.replica.admit(many(3000), keepAll, NOW);
    exchanged(b, a);
    expect(b.replica.context.size).toBe(256);
    let seconds = 0;
    while (b.replica.context.size < 3000 && seconds < 1000) {
      const nowMs = NOW + 1000 * ++seconds;
      const before = b.replica.context.size;
      b.exchange.cycle(['a'], 1, nowMs);
      converse(a, b, nowMs);
      expect(b.replica.context.size - before).toBeLessThanOrEqual(16);
    }
    exchanged(a, b, NOW + 1000 * seconds);
    expect(contentOf(b)).toEqual(contentOf(a));
    expect(b.replica.context.sum).toEqual(a.replica.context.sum);
  });
});

describe('a peer that asks on and on for what costs a walk through the store', () => {
  const full = (expiring: boolean): Side => {
    const side = aSide('a');
    for (let i = 0; i < 50_000; i++)
      side.replica.write(`id${i}`, '1', expiring ? NOW + 10_000 + 1000 * i : undefined, NOW);
    return side;
  };

  test('is answered a few times, and later again', () => {
    const a = full(false);
    const ask = (nowMs: number): number => {
      const sent = a.outbox.length;
      for (let i = 0; i < 1000; i++) {
        const horizonMs = nowMs + 1000;
        a.exchange.receive(
          'b',
          { type: 'live-dots', buckets: [5], dots: [], context: [], horizonMs, answer: true },
          nowMs,
        );
      }
      return a.outbox.length - sent;
    };
    const [first, second] = [ask(NOW), ask(NOW + 1000)];
    expect(first).toBeGreaterThan(1);
    expect(first).toBeLessThan(100);
    expect(second).toBe(first);
  });

  test('or that refuses for ever what nobody holds, has it looked for among few, not in the store', () => {
    const a = full(false);
    const looked = jest.spyOn(a.replica.store, 'next');
    const refused: Dots = [{ origin: new Origin('made up', 1), intervals: [1, 2 ** 50], newest: 0 }];
    for (let i = 0; i < 100; i++) a.exchange.receive('b', { type: 'refused', dots: refused, tooLarge: true }, NOW);
    expect(looked.mock.calls.length).toBeLessThan(1000);
  });

  test('is answered a few times where only the horizon of its sums is new', () => {
    const a = full(true);
    const context = a.replica.context.sum.slice();
    for (let i = 0; i < 1000; i++) {
      const live = Int32Array.of(1, i, 0, 0);
      a.exchange.receive('b', { type: 'hashes', context, live, horizonMs: NOW + i, direction: 'push-pull' }, NOW);
    }
    expect(typesOf(a.outbox.map((message) => ['a', message]))).toContain('a: live-sums');
    expect(a.outbox.length).toBeLessThan(100);
  });
});

describe('replicas whose sums are equal although their contents are not, as an attacker may make them', () => {
  /** Sums that say nothing. */
  function blinded(...sides: readonly Side[]): void {
    for (const { replica } of sides) {
      Object.defineProperty(replica.context, 'sum', { get: () => new Int32Array(4) });
      Object.defineProperty(replica.store, 'liveSum', { value: () => new Int32Array(4) });
    }
  }

  /** One cycle of each, and all that follows from it. @returns the values that went over */
  function cycled(a: Side, b: Side, nowMs: number): number {
    a.exchange.cycle(['b'], 1, nowMs);
    b.exchange.cycle(['a'], 1, nowMs);
    return converse(a, b, nowMs).filter(([, { type }]) => type === 'chunk').length;
  }

  test('stay apart for ten minutes, and then find what one of them lacks', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('honest', 'v', undefined, NOW);
    blinded(a, b);
    for (let atMs = 0; atMs < COMPARE_IN_FULL_MS; atMs += 10_000) expect(cycled(a, b, NOW + atMs)).toBe(0);
    expect(b.replica.get('honest')).toBeUndefined();
    cycled(a, b, NOW + COMPARE_IN_FULL_MS);
    expect(b.replica.get('honest')).toBe('v');
  });

  test.each(['push', 'pull'] as const)('also where exchanges go one way (%s)', (direction) => {
    const [a, b] = [aSide('a', { direction }), aSide('b', { direction })];
    a.replica.write('of a', 'v', undefined, NOW);
    b.replica.write('of b', 'v', undefined, NOW);
    blinded(a, b);
    for (const atMs of [0, 10_000, COMPARE_IN_FULL_MS]) cycled(a, b, NOW + atMs);
    expect([a.replica.get('of b'), b.replica.get('of a')]).toEqual(['v', 'v']);
  });

  test('also where the clock was set back meanwhile', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    blinded(a, b);
    cycled(a, b, NOW + 3_600_000);
    a.replica.write('honest', 'v', undefined, NOW);
    cycled(a, b, NOW);
    cycled(a, b, NOW + COMPARE_IN_FULL_MS);
    expect(b.replica.get('honest')).toBe('v');
  });

  test('also find what one of them has dropped', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    const written = a.replica.write('over', 'v', undefined, NOW);
    b.replica.context.add(written.origin, written.sequence);
    blinded(a, b);
    cycled(a, b, NOW);
    expect(a.replica.get('over')).toBe('v');
    cycled(a, b, NOW + COMPARE_IN_FULL_MS);
    expect(a.replica.get('over')).toBeUndefined();
  });

  test('say no more in a cycle than they did before that', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    a.replica.write('honest', 'v', undefined, NOW);
    a.exchange.cycle(['b'], 1, NOW);
    converse(a, b, NOW);
    const said: string[] = [];
    for (let atMs = 10_000; atMs < COMPARE_IN_FULL_MS; atMs += 10_000) {
      a.exchange.cycle(['b'], 1, NOW + atMs);
      said.push(...typesOf(converse(a, b, NOW + atMs)));
    }
    expect(new Set(said)).toEqual(new Set(['a: hashes', 'b: hashes']));
  });

  test('are compared in full once in ten minutes, and not in each cycle from then on', () => {
    const [a, b] = [aSide('a'), aSide('b')];
    const inFull: number[] = [];
    for (let atMs = 0; atMs <= 2 * COMPARE_IN_FULL_MS; atMs += 10_000) {
      a.exchange.cycle(['b'], 1, NOW + atMs);
      if (typesOf(converse(a, b, NOW + atMs)).includes('a: contexts')) inFull.push(atMs);
    }
    expect(inFull).toEqual([COMPARE_IN_FULL_MS, 2 * COMPARE_IN_FULL_MS]);
  });
});

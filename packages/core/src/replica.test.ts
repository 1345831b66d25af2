import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { Context, Journal } from './context.ts';
import type { GossipError } from './errors.ts';
import { STAMP_EPOCH_MS, stampAt } from './hlc.ts';
import { Origin } from './origin.ts';
import { Replica, type ReplicaOptions } from './replica.ts';
import { keepAll, type Verdict } from './replica/verdict.ts';
import { type Bytes, isExpired, isNewer, Update, visible } from './update.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;
const none = new Context();

function aReplica(options: Partial<ReplicaOptions> = {}): Replica {
  const replica = new Replica({
    name: 'self',
    epoch: NOW,
    maxDriftMs: 60000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86400000,
    ...options,
  });
  replica.observed = true;
  return replica;
}

interface UpdateOptions {
  readonly id?: string;
  readonly value?: Bytes | undefined;
  readonly atMs?: number;
  readonly from?: string;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly expiresAt?: number;
}

function anUpdate(options: UpdateOptions = {}): Update {
  const { id = 'x', atMs = NOW, from = 'other', epoch = 1, sequence = 1, expiresAt } = options;
  const value = 'value' in options ? options.value : 'v';
  return new Update(id, value, stampAt(atMs), new Origin(from, epoch), sequence, expiresAt);
}

function copyOf({ id, value, stamp, origin, sequence, expiresAt }: Update): Update {
  return new Update(id, value, stamp, new Origin(origin.name, origin.epoch), sequence, expiresAt);
}

/** Receives a batch as an instance does, with this verdict. */
function receive(
  replica: Replica,
  updates: readonly Update[],
  verdict: Verdict = keepAll,
  nowMs: number = NOW,
): Update[] {
  const errors: GossipError[] = [];
  const { news } = replica.screen(updates, none, nowMs, (error) => errors.push(error));
  return [...replica.admit(news, verdict, nowMs)];
}

describe('an error about an update of another node', () => {
  const id = `x\u001b[2J\u009b\u202e${'y'.repeat(200)}`;

  test('shows as much of the id as tells which it is, and no character of it that moves a cursor', () => {
    const replica = aReplica();
    const errors: GossipError[] = [];
    const report = (error: GossipError): void => void errors.push(error);
    const tooLarge = anUpdate({ id, value: 'v'.repeat(2000) });
    const ahead = anUpdate({ id, atMs: NOW + 3_600_000, from: 'ahead' });
    replica.screen([tooLarge, ahead], none, NOW, report);
    receive(replica, [anUpdate({ id, sequence: 7 })]);
    replica.screen([anUpdate({ id: `${id}z`, value: 'w', sequence: 7 })], none, NOW, report);
    report(replica.refusing(anUpdate({ id })));
    expect(errors.map(({ code }) => code)).toEqual(['UPDATE_TOO_LARGE', 'CLOCK_TOO_FAR', 'DOT_REUSED', 'STORE_FULL']);
    for (const { message, context } of errors) {
      expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(context['id']).toBe(`x\\u001b[2J\\u009b\\u202e${'y'.repeat(73)}`);
    }
  });
});

describe('a life that is renewed', () => {
  const later = NOW + 60_000;
  const told = (replica: Replica): number => replica.changes.take().length;

  test('by a write or by what arrives is no news where the bytes and the fact of an end stay', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ expiresAt: NOW + 1000 })]);
    expect(told(replica)).toBe(1);
    expect(replica.refresh('x', later, NOW)).toMatchObject({ value: 'v', expiresAt: later, origin: { name: 'self' } });
    receive(replica, [anUpdate({ atMs: NOW + 10, sequence: 2, expiresAt: later })]);
    expect(told(replica)).toBe(0);
    expect(replica.store.get('x')).toMatchObject({ sequence: 2, expiresAt: later });
    receive(replica, [anUpdate({ atMs: NOW + 20, sequence: 3, expiresAt: later, value: 'w' })]);
    receive(replica, [anUpdate({ atMs: NOW + 30, sequence: 4, value: 'w' })]);
    expect(told(replica)).toBe(2);
  });

  test('is news where it has ended meanwhile', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ expiresAt: NOW + 1000 })]);
    replica.expire(NOW + 1000);
    receive(replica, [anUpdate({ atMs: NOW + 10, sequence: 2, expiresAt: later })], keepAll, NOW + 1000);
    expect(told(replica)).toBe(3);
  });

  test('keeps what a handler made of the value, and is refused where it hides it, or there is nothing', () => {
    const changed = aReplica();
    receive(changed, [anUpdate({ expiresAt: NOW + 1000 })], { type: 'keep', kept: new Map([['x', 'shown']]) });
    told(changed);
    changed.refresh('x', later, NOW);
    expect([changed.get('x'), changed.store.get('x')?.value, told(changed)]).toEqual(['shown', 'v', 0]);
    const hidden = aReplica();
    receive(hidden, [anUpdate()], { type: 'keep', kept: new Map() });
    expect([hidden.refresh('x', later, NOW), hidden.refresh('y', later, NOW)]).toEqual([undefined, undefined]);
    expect(hidden.hasFresh).toBe(false);
  });
});

describe('a store at its bound', () => {
  test('takes removals as fast as below it: the oldest tombstone is found without a walk over those that are gone', () => {
    const maxIds = 1000;
    const replica = aReplica({ maxIds });
    const remove = (from: number): void => {
      for (let id = from; id < from + maxIds; id++) replica.write(`id ${id}`, undefined, undefined, NOW);
    };
    remove(0);
    // A new iterator over a Map walks the slots of the entries that were deleted before the first that is there.
    const iterators = (['keys', 'values', 'entries', Symbol.iterator] as const).map((method) =>
      jest.spyOn(Map.prototype, method),
    );
    remove(maxIds);
    const made = iterators.map(({ mock }) => mock.calls.length);
    for (const spy of iterators) spy.mockRestore();
    expect(replica.store.tombstoneCount).toBe(maxIds);
    expect(Math.max(...made)).toBeLessThan(maxIds / 100);
  });
});

const keep = (...kept: [string, Bytes][]): Verdict => ({ type: 'keep', kept: new Map(kept) });
const reset = (offeredArrival: number, ...kept: [string, Bytes][]): Verdict => ({
  type: 'reset',
  kept: new Map(kept),
  offeredArrival,
});
const ignore: Verdict = { type: 'ignore' };

const byId = <T extends readonly unknown[]>(entries: T[]): T[] =>
  entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));

const contentOf = (replica: Replica): unknown =>
  byId([...replica.store].map(({ id, value, stamp, origin, sequence }) => [id, value, stamp, origin.key, sequence]));

const batches = fc.array(
  fc.record({
    id: fc.constantFrom('x', 'y', 'z'),
    value: fc.option(fc.constantFrom('1', '2'), { nil: undefined, freq: 3 }),
    atMs: fc.integer({ min: NOW - 3, max: NOW + 3 }),
    from: fc.constantFrom('a', 'b', 'self'),
    epoch: fc.constantFrom(1, 2),
  }),
  { maxLength: 20 },
);

describe('the higher version wins', () => {
  test('in any order, with any duplication, in any batches: content, context and sums end equal', () => {
    fc.assert(
      fc.property(
        batches,
        fc.array(fc.nat({ max: 1000 }), { maxLength: 60 }),
        fc.array(fc.nat({ max: 5 })),
        (made, picks, cuts) => {
          const updates = made.map((options, i) => anUpdate({ ...options, sequence: i + 1 }));
          const straight = aReplica();
          for (const update of updates) receive(straight, [copyOf(update)]);
          const order = [
            ...picks.map((pick) => updates[pick % Math.max(1, updates.length)]),
            ...[...updates].reverse(),
          ];
          const shuffled = aReplica();
          const rest = order.filter((update) => update !== undefined).map(copyOf);
          for (const cut of cuts) receive(shuffled, rest.splice(0, cut));
          receive(shuffled, rest);

          expect(contentOf(shuffled)).toEqual(contentOf(straight));
          expect(shuffled.context.sum).toEqual(straight.context.sum);
          expect(shuffled.store.liveSum(0)).toEqual(straight.store.liveSum(0));
          const beaten = [...shuffled.store].filter((update) =>
            updates.some((other) => other.id === update.id && isNewer(other, update)),
          );
          expect(beaten).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('among updates with the same stamp by name, then epoch, then sequence number', () => {
    const rising = [
      anUpdate({ from: 'a', epoch: 9, sequence: 9 }),
      anUpdate({ from: 'b', epoch: 1, sequence: 9 }),
      anUpdate({ from: 'b', epoch: 2, sequence: 1 }),
      anUpdate({ from: 'b', epoch: 2, sequence: 2 }),
    ];
    rising.forEach((a, i) => rising.forEach((b, j) => expect(isNewer(a, b)).toBe(i > j)));
  });

  test('and an own write is newer than all that was taken before', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ atMs: NOW + 50000 })]);
    const own = replica.write('x', 'own', undefined, NOW);
    expect(replica.store.get('x')).toEqual(own);
    expect(own.stamp).toBeGreaterThan(stampAt(NOW + 50000));
  });
});

describe('screening', () => {
  test('tells news, what is known, and what is under judgement', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ sequence: 1 })]);
    const pending = new Context();
    pending.add(new Origin('other', 1), 2);
    const batch = [1, 2, 3].map((sequence) => anUpdate({ sequence }));
    const { news, known } = replica.screen(batch, pending, NOW, () => undefined);
    expect([...news]).toEqual([batch[2]]);
    expect(known).toMatchObject([{ intervals: [1, 2] }]);
  });

  test('holds back what is more than maxDriftMs ahead, in no context, and names its origin once', () => {
    const replica = aReplica();
    const errors: GossipError[] = [];
    const early = anUpdate({ atMs: NOW + 60001, from: 'rushing' });
    for (let i = 0; i < 3; i++)
      expect(replica.screen([copyOf(early)], none, NOW, (error) => errors.push(error)).news).toHaveLength(0);
    const another = anUpdate({ atMs: NOW + 60001, from: 'rushing', sequence: 2 });
    replica.screen([another], none, NOW, (error) => errors.push(error));
    expect(errors).toMatchObject([{ code: 'CLOCK_TOO_FAR', context: { origin: 'rushing' } }]);
    expect(replica.context.isEmpty).toBe(true);
    replica.claim([{ origin: new Origin('rushing', 1), intervals: [1, 1], newest: stampAt(NOW) }], none, NOW);
    expect(replica.context.isEmpty).toBe(true);

    expect(replica.release(NOW)).toEqual([]);
    expect(replica.release(NOW + 1)).toMatchObject([{ id: 'x' }, { id: 'x' }]);
    expect(replica.release(NOW + 1)).toEqual([]);
    expect(receive(replica, [copyOf(early)], keepAll, NOW + 1)).toHaveLength(1);
  });

  test('does not fill the log for a crowd that is ahead', () => {
    const replica = aReplica();
    const errors: GossipError[] = [];
    const crowd = Array.from({ length: 100 }, (_, i) => anUpdate({ atMs: NOW + 60001, from: `rushing ${i}` }));
    replica.screen(crowd, none, NOW, (error) => errors.push(error));
    expect(errors).toHaveLength(16);
    expect(replica.release(NOW + 1)).toHaveLength(100);
  });

  test('takes what is exactly maxDriftMs ahead', () => {
    expect(receive(aReplica(), [anUpdate({ atMs: NOW + 60000 })])).toHaveLength(1);
  });

  test('leaves to their senders those from the future that there is no room for', () => {
    const replica = aReplica();
    const updates = Array.from({ length: 1030 }, (_, i) =>
      anUpdate({ atMs: NOW + 70000, id: `${i}`, sequence: i + 1 }),
    );
    const { news, left } = replica.screen(updates, none, NOW, () => undefined);
    expect(news).toHaveLength(0);
    expect(left).toMatchObject([{ intervals: [1025, 1030] }]);
  });

  test('refuses what is larger than maxUpdateBytes, and no claim takes it up', () => {
    const replica = aReplica({ maxUpdateBytes: 10 });
    const batch = [anUpdate({ value: '123456789' }), anUpdate({ value: '1234567890', sequence: 2 })];
    const errors: GossipError[] = [];
    const screen = (): ReturnType<Replica['screen']> => replica.screen(batch, none, NOW, (error) => errors.push(error));
    const { news, tooLarge } = screen();
    expect([...news]).toEqual([batch[0]]);
    expect(tooLarge).toMatchObject([{ intervals: [2, 2] }]);
    expect(screen().tooLarge).toEqual(tooLarge);
    expect(replica.refusals).toBe(1);
    expect(errors.map(({ code, fault, message }) => [code, fault, message.slice(0, 92)])).toEqual([
      [
        'UPDATE_TOO_LARGE',
        'peer',
        "The update of 'x' by 'other' takes 11 bytes, more than maxUpdateBytes (10) of this node. It ",
      ],
    ]);
    replica.claim([{ origin: new Origin('other', 1), intervals: [1, 3], newest: stampAt(NOW) }], none, NOW);
    expect(replica.context.dots()).toMatchObject([{ intervals: [1, 1, 3, 3] }]);
  });

  test('an own write that is too large changes nothing', () => {
    const replica = aReplica({ maxUpdateBytes: 10 });
    expect(() => replica.write('x', '1234567890', undefined, NOW)).toThrow(
      expect.objectContaining({ code: 'UPDATE_TOO_LARGE', stateChanged: false }),
    );
    expect([replica.context.isEmpty, replica.store.size, replica.hasFresh, [...replica.changes]]).toEqual([
      true,
      0,
      false,
      [],
    ]);
    expect(replica.write('x', '1', undefined, NOW).sequence).toBe(1);
  });
});

describe('a claim', () => {
  const claim = { origin: new Origin('other', 1), intervals: [1, 3], newest: stampAt(NOW) };

  test('leaves out what is under judgement', () => {
    const replica = aReplica();
    const pending = new Context();
    pending.add(claim.origin, 2);
    replica.claim([claim], pending, NOW);
    expect(replica.context.dots()).toMatchObject([{ intervals: [1, 1, 3, 3] }]);
  });

  test('older than forgetAfter is not taken up, unless its origin is known', () => {
    const replica = aReplica({ forgetAfterMs: 1000 });
    replica.claim([claim], none, NOW + 2000);
    expect(replica.context.isEmpty).toBe(true);
    receive(replica, [anUpdate({ sequence: 3 })]);
    replica.claim([claim], none, NOW + 2000);
    expect(replica.context.dots()).toMatchObject([{ intervals: [1, 3] }]);
  });

  test('of what is known is no arrival', () => {
    const replica = aReplica();
    replica.claim([claim], none, NOW);
    const journal = new Journal();
    replica.context.journal = journal;
    replica.claim([{ ...claim, intervals: [1, 4] }], none, NOW);
    expect(journal.lacking(replica.context.dots())).toMatchObject([{ intervals: [1, 3] }]);
  });
});

describe('origins that are new here', () => {
  const fromMany = (count: number, from = 0): Update[] =>
    Array.from({ length: count }, (_, i) => anUpdate({ id: `id${from + i}`, from: `node ${from + i}` }));
  const claimOf = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => ({
      origin: new Origin(`node ${from + i}`, 1),
      intervals: [1, 1],
      newest: stampAt(NOW),
    }));

  test('are taken up as they come by a replica that joins', () => {
    const replica = aReplica({ maxOrigins: 16_384 });
    receive(replica, fromMany(5000));
    replica.claim(claimOf(5000, 5000), none, NOW);
    expect(replica.context.size).toBe(10_000);
  });

  test('are taken up at a pace by one that has held all that a peer had, and what was refused of them is let in then', () => {
    const replica = aReplica({ maxOrigins: 16_384 });
    replica.settled(NOW);
    receive(replica, fromMany(1000));
    expect([replica.context.size, replica.refusals]).toEqual([256, 744]);
    expect(replica.lift(NOW)).toBeNull();
    expect(replica.lift(NOW + 1000)?.dots).toHaveLength(16);
    receive(replica, fromMany(1000), keepAll, NOW + 1000);
    expect(replica.context.size).toBe(272);
    // That the pace lets some in is no news.
    replica.isSaidFull = true;
    replica.lift(NOW + 2000);
    expect(replica.isSaidFull).toBe(true);
    // More of those that are known need no pace.
    receive(replica, [anUpdate({ id: 'more', from: 'node 1', sequence: 2 })], keepAll, NOW + 1000);
    expect(replica.get('more')).toBe('v');
  });

  test('have a place for each node that comes into view, or is started anew, so that a cluster can be started at once', () => {
    const replica = aReplica({ maxOrigins: 16_384 });
    replica.settled(NOW);
    const nodes = (epoch: number) => new Map(Array.from({ length: 1000 }, (_, i) => [`node ${i}`, epoch] as const));
    replica.membersChanged(nodes(1), 1, NOW);
    receive(replica, fromMany(1000));
    expect([replica.context.size, replica.refusals]).toEqual([1000, 0]);
    // That the same nodes are there still makes no room, and that they come and go makes no more than they are.
    for (let i = 0; i < 10; i++) replica.membersChanged(nodes(1), 1, NOW);
    replica.claim(claimOf(1000, 1000), none, NOW);
    expect(replica.context.size).toBe(1256);
    for (let epoch = 2; epoch < 10; epoch++) replica.membersChanged(nodes(epoch), 1, NOW);
    replica.claim(claimOf(5000, 2000), none, NOW);
    expect(replica.context.size).toBe(2512);
  });

  test('of claims count as well; what is not taken up is claimed again', () => {
    const replica = aReplica({ maxOrigins: 16_384 });
    replica.settled(NOW);
    replica.claim(claimOf(1000), none, NOW);
    expect([replica.context.size, replica.refusedOrigins]).toEqual([256, 744]);
    replica.claim(claimOf(1000), none, NOW + 10_000);
    expect(replica.context.size).toBe(416);
  });

  test('come at a pace whatever the clock does, and as they come again once the replica has rejoined empty', () => {
    const replica = aReplica({ maxOrigins: 16_384, forgetAfterMs: 3_600_000 });
    replica.settled(NOW);
    receive(replica, fromMany(600));
    receive(replica, fromMany(600, 600), keepAll, NOW - 50_000);
    expect(replica.context.size).toBe(256);
    receive(replica, fromMany(600, 600), keepAll, NOW - 49_000);
    expect(replica.context.size).toBe(272);
    replica.wake(NOW);
    replica.wake(NOW + 7_200_000);
    replica.claim(
      claimOf(1000).map((entry) => ({ ...entry, newest: stampAt(NOW + 7_200_000) })),
      none,
      NOW + 7_200_000,
    );
    expect(replica.context.size).toBe(1000);
  });
});

describe('what is over by the word of others alone', () => {
  const over = { origin: new Origin('over', 1), intervals: [1, 1], newest: stampAt(NOW) };

  test('is not vouched for while it may be over for what is refused, nor once that is let in, until it has come', () => {
    const replica = aReplica({ maxIds: 1 });
    replica.write('own', '1', undefined, NOW);
    const update = anUpdate();
    receive(replica, [update]);
    replica.claim([over], none, NOW);
    expect(replica.vouched([over])).toEqual([]);
    replica.write('own', undefined, undefined, NOW);
    expect(replica.lift(NOW)?.dots).toHaveLength(1);
    expect(replica.vouched([over])).toEqual([]);
    const later = { ...over, origin: new Origin('later', 1) };
    replica.claim([later], none, NOW);
    expect(replica.vouched([later])).toEqual([]);
    receive(replica, [update]);
    expect(replica.vouched([over, later])).toEqual([over, later]);
  });

  test('is not vouched for while a handler has what it may be over for, and what was held back until then', () => {
    const replica = aReplica();
    const atMs = NOW + 70_000;
    receive(replica, [anUpdate({ atMs })]);
    replica.claim([over], none, NOW);
    const due = replica.release(NOW + 10_000);
    expect(due).toHaveLength(1);
    expect(replica.vouched([over])).toEqual([]);
    replica.admit(due, keepAll, NOW + 10_000);
    expect(replica.vouched([over])).toEqual([over]);
  });

  test('is vouched for once nobody has brought for forgetAfter what it may be over for', () => {
    const replica = aReplica({ maxIds: 1, forgetAfterMs: 1000 });
    replica.write('own', '1', undefined, NOW);
    receive(replica, [anUpdate()]);
    replica.claim([over], none, NOW);
    replica.write('own', undefined, undefined, NOW);
    replica.lift(NOW);
    for (const atMs of [NOW + 1, NOW + 1000]) replica.forgetOrigins(() => true, atMs);
    expect(replica.vouched([over])).toEqual([]);
    replica.forgetOrigins(() => true, NOW + 1001);
    expect(replica.vouched([over])).toEqual([over]);
  });
});

describe('a former life of this node', () => {
  test('that beats a live write of this one is overwritten by it again', () => {
    const replica = aReplica();
    replica.write('x', 'present', undefined, NOW);
    receive(replica, [anUpdate({ atMs: NOW + 1000, from: 'self', epoch: NOW - 1, value: 'former' })]);
    expect(replica.get('x')).toBe('present');
    expect(replica.context.has(new Origin('self', NOW - 1), 1)).toBe(true);
    expect(replica.store.get('x')?.stamp).toBeGreaterThan(stampAt(NOW + 1000));
    expect(replica.takeFresh()).toHaveLength(2);
  });

  test('leaves snapshots as they were', () => {
    const replica = aReplica();
    replica.write('x', 'present', undefined, NOW);
    const snapshot = replica.snapshot();
    receive(replica, [anUpdate({ atMs: NOW + 1000, from: 'self', epoch: 1, value: 'former' })]);
    expect(snapshot.get('x')).toBe('present');
  });

  test('is whatever this one wrote before a sleep so long that it rejoined empty', () => {
    const replica = aReplica({ forgetAfterMs: 1000 });
    replica.wake(NOW);
    const first = replica.write('x', 'first', undefined, NOW);
    const second = replica.write('x', 'second', undefined, NOW);
    expect(replica.wake(NOW + 1001)).toBe(true);
    expect([replica.store.size, replica.context.isEmpty]).toEqual([0, true]);
    // A peer that was cut off still has the first of them.
    for (const update of [first, second]) receive(replica, [copyOf(update)], keepAll, NOW + 1001);
    expect(replica.get('x')).toBe('second');
  });

  test('gives back what this one has not written, and what it has removed if it is newer', () => {
    const replica = aReplica();
    replica.write('y', undefined, undefined, NOW);
    receive(replica, [
      anUpdate({ from: 'self', value: 'former' }),
      anUpdate({ atMs: NOW + 1000, from: 'self', id: 'y', value: 'former', sequence: 2 }),
    ]);
    expect([replica.get('x'), replica.get('y')]).toEqual(['former', 'former']);
  });
});

describe('the epoch', () => {
  test('rises above a known higher one, and numbers start anew', () => {
    const replica = aReplica();
    replica.write('x', '1', undefined, NOW);
    replica.adoptEpoch(NOW + 5);
    expect(replica.origin.epoch).toBe(NOW + 6);
    expect(replica.write('x', '2', undefined, NOW)).toMatchObject({ sequence: 1, origin: { epoch: NOW + 6 } });
  });

  test('rises above its equal only while nothing was written under it', () => {
    const [blank, written] = [aReplica(), aReplica()];
    written.write('x', '1', undefined, NOW);
    for (const replica of [blank, written]) replica.adoptEpoch(NOW);
    expect([blank.origin.epoch, written.origin.epoch]).toEqual([NOW + 1, NOW]);
  });

  test('stays where a peer knows a lower one, or none', () => {
    const replica = aReplica();
    for (const known of [0, NOW - 1]) replica.adoptEpoch(known);
    expect(replica.origin.epoch).toBe(NOW);
  });
});

describe('a dot that comes again', () => {
  /** What is counted and said when these come, where `held` is. */
  function noticed(held: Update, ...come: readonly Update[]): readonly [count: number, errors: readonly GossipError[]] {
    const replica = aReplica();
    const errors: GossipError[] = [];
    receive(replica, [held]);
    for (const update of come) replica.screen([update], none, NOW, (error) => errors.push(error));
    return [replica.reusedDots, errors];
  }

  test('as the update that is held is no news of any kind', () => {
    const held = anUpdate({ expiresAt: NOW + 1000 });
    expect(noticed(held, copyOf(held))).toEqual([0, []]);
  });

  test.each([
    ['id', { id: 'y' }],
    ['value', { value: 'w' }],
    ['stamp', { atMs: NOW + 1 }],
    ['expiry', { expiresAt: NOW + 1 }],
    ['removal', { value: undefined }],
  ])('with another %s is counted, and said once of its origin', (_what, other) => {
    const [count, errors] = noticed(anUpdate(), anUpdate(other), anUpdate(other));
    expect(count).toBe(2);
    expect(errors).toMatchObject([
      { code: 'DOT_REUSED', fault: 'peer', context: { origin: 'other', epoch: 1, sequence: 1 } },
    ]);
  });

  test('of a value that has expired here meanwhile is the same', () => {
    const replica = aReplica();
    const held = anUpdate({ expiresAt: NOW + 10 });
    receive(replica, [held]);
    replica.expire(NOW + 10);
    replica.screen([copyOf(held)], none, NOW + 10, () => undefined);
    expect(replica.reusedDots).toBe(0);
    replica.screen([anUpdate({ id: 'y', expiresAt: NOW + 10 })], none, NOW + 10, () => undefined);
    expect(replica.reusedDots).toBe(1);
  });

  test('leaves what is held, and is said of so many origins', () => {
    const replica = aReplica();
    const errors: GossipError[] = [];
    for (let epoch = 1; epoch <= 40; epoch++) {
      receive(replica, [anUpdate({ id: `x${epoch}`, epoch })]);
      replica.screen([anUpdate({ id: `x${epoch}`, epoch, value: 'w' })], none, NOW, (error) => errors.push(error));
    }
    expect([replica.reusedDots, errors.length, replica.get('x7')]).toEqual([40, 16, 'v']);
  });
});

describe('another process that writes under the epoch of a replica', () => {
  const random = (): number => 0.5;
  const mine = (options: UpdateOptions): Update => anUpdate({ from: 'self', epoch: NOW, ...options });

  test('is noticed by a dot that the replica never wrote; what it wrote is written again, under an epoch of its own', () => {
    const replica = aReplica({ random });
    const errors: GossipError[] = [];
    replica.write('a', '1', undefined, NOW);
    replica.write('gone', undefined, undefined, NOW);
    replica.takeFresh();
    const { news } = replica.screen([mine({ id: 'b', sequence: 3 })], none, NOW, (error) => errors.push(error));
    replica.admit(news, keepAll, NOW);
    expect([replica.reusedDots, errors.map(({ code }) => code)]).toEqual([1, ['DOT_REUSED']]);
    expect(replica.origin.epoch).toBeGreaterThan(NOW);
    expect([...replica.takeFresh()]).toMatchObject([
      { id: 'a', value: '1', sequence: 1, origin: { epoch: replica.origin.epoch } },
    ]);
    expect([replica.get('a'), replica.get('b')]).toEqual(['1', 'v']);
  });

  test('is noticed by an own dot that comes with another content', () => {
    const replica = aReplica({ random });
    replica.write('a', '1', undefined, NOW);
    replica.takeFresh();
    replica.screen([mine({ id: 'b' })], none, NOW, () => undefined);
    expect(replica.reusedDots).toBe(1);
    expect([...replica.takeFresh()]).toMatchObject([{ id: 'a', value: '1', sequence: 1 }]);
  });

  test('makes it write all again once in ten seconds at most, whatever it is told', () => {
    const replica = aReplica({ random });
    replica.write('a', '1', undefined, NOW);
    const rewritten = (nowMs: number): number => {
      replica.takeFresh();
      const { epoch } = replica.origin;
      const update = anUpdate({ from: 'self', epoch, id: 'b', sequence: 7, atMs: nowMs });
      replica.admit(replica.screen([update], none, nowMs, () => undefined).news, keepAll, nowMs);
      return replica.takeFresh().length;
    };
    expect([rewritten(NOW), rewritten(NOW + 9999), rewritten(NOW + 10_000)]).toEqual([1, 0, 1]);
    expect(replica.reusedDots).toBe(3);
  });

  test('is evaded by a write whose number a peer has claimed already', () => {
    const replica = aReplica({ random });
    replica.write('a', '1', undefined, NOW);
    replica.claim([{ origin: new Origin('self', NOW), intervals: [1, 2], newest: stampAt(NOW) }], none, NOW);
    const update = replica.write('b', '2', undefined, NOW);
    expect(update.origin.epoch).toBeGreaterThan(NOW);
    expect([update.sequence, replica.reusedDots]).toEqual([1, 1]);
  });
});

describe('a handler', () => {
  test('that ignores hides: stored, claimed and live, but not seen, not told and not spread', () => {
    const replica = aReplica();
    expect(receive(replica, [anUpdate()], ignore)).toEqual([]);
    expect(replica.get('x')).toBeUndefined();
    expect(replica.store.get('x')?.value).toBe('v');
    expect(replica.context.has(new Origin('other', 1), 1)).toBe(true);
    expect(replica.store.liveSum(0)).not.toEqual(new Int32Array(4));
    expect(replica.changes).toHaveLength(0);
  });

  test.each<[string, Verdict]>([
    ['ignores', ignore],
    ['does not keep', keep()],
    ['lets go to the dead letters', { type: 'dead' }],
  ])('that %s an update leaves readers what they saw, until the id changes', (_name, verdict) => {
    const replica = aReplica();
    receive(replica, [anUpdate({ value: 'old' })]);
    replica.changes.take();
    receive(replica, [anUpdate({ value: 'new', atMs: NOW + 1, sequence: 2 })], verdict);
    receive(replica, [anUpdate({ value: 'newer', atMs: NOW + 2, sequence: 3 })], verdict);
    expect(replica.get('x')).toBe('old');
    expect(replica.changes).toHaveLength(0);
    receive(replica, [anUpdate({ value: 'last', atMs: NOW + 3, sequence: 4 })]);
    expect(replica.get('x')).toBe('last');
  });

  test('that keeps some hides the others of the batch', () => {
    const replica = aReplica();
    const kept = receive(replica, [anUpdate({ id: 'x' }), anUpdate({ id: 'y', sequence: 2 })], keep(['x', 'v']));
    expect(kept.map(({ id }) => id)).toEqual(['x']);
    expect([replica.get('x'), replica.get('y')]).toEqual(['v', undefined]);
  });

  test('that changes a value changes what readers here see, not the update', () => {
    const replica = aReplica();
    const [kept] = receive(replica, [anUpdate()], keep(['x', 'changed']));
    expect(replica.get('x')).toBe('changed');
    expect(kept).toMatchObject({ value: 'v' });
    expect([...replica.changes].map(visible)).toEqual(['changed']);
  });

  test('that resets hides all that was here at the offer and is not kept, and nothing that came later', () => {
    const replica = aReplica();
    for (const id of ['a', 'b', 'c']) replica.write(id, id, undefined, NOW);
    const { arrival } = replica.snapshot();
    replica.write('late', 'late', undefined, NOW);
    replica.changes.take();
    receive(replica, [anUpdate()], reset(arrival, ['x', 'v'], ['b', 'b'], ['c', 'changed']));
    expect([...replica.visible()].map((update) => [update.id, visible(update)])).toEqual([
      ['b', 'b'],
      ['c', 'changed'],
      ['late', 'late'],
      ['x', 'v'],
    ]);
    expect(replica.store.liveCount).toBe(5);
    expect(byId([...replica.changes].map((update) => [update.id, visible(update)]))).toEqual([
      ['a', undefined],
      ['c', 'changed'],
      ['x', 'v'],
    ]);
  });

  test('does not judge tombstones', () => {
    const replica = aReplica();
    receive(replica, [anUpdate()]);
    receive(replica, [anUpdate({ value: undefined, atMs: NOW + 1, sequence: 2 })], ignore);
    expect(replica.get('x')).toBeUndefined();
  });

  test('has no say any more about what was superseded while it judged', () => {
    const replica = aReplica();
    replica.write('x', 'newer', undefined, NOW + 1000);
    receive(replica, [anUpdate()], keep(['x', 'changed']));
    expect(replica.get('x')).toBe('newer');
  });

  test('judges the newest of an id in a batch; the older ones are never seen', () => {
    const replica = aReplica();
    receive(
      replica,
      [anUpdate({ value: 'old' }), anUpdate({ value: 'new', atMs: NOW + 1, sequence: 2 })],
      keep(['x', 'new']),
    );
    expect([...replica.changes].map(visible)).toEqual(['new']);
  });
});

describe('expiry', () => {
  test('turns an update into a tombstone of the same dot, and says so', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ expiresAt: NOW + 10 })]);
    const { sum } = replica.context;
    const before = sum.slice();
    expect(replica.expire(NOW + 9)).toBe(0);
    expect(replica.expire(NOW + 10)).toBe(1);
    const tombstone = replica.store.byDot(new Origin('other', 1), 1) as Update;
    expect(tombstone).toMatchObject({ id: 'x', value: undefined, sequence: 1 });
    expect(isExpired(tombstone)).toBe(true);
    expect(sum).toEqual(before);
    expect([...replica.changes].map(visible)).toEqual(['v', undefined]);
  });

  test('of what has expired on its way supersedes even so', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ value: 'old' })]);
    expect(receive(replica, [anUpdate({ atMs: NOW + 1, sequence: 2, expiresAt: NOW - 1 })])).toEqual([]);
    expect(replica.get('x')).toBeUndefined();
    expect(replica.context.has(new Origin('other', 1), 2)).toBe(true);
  });
});

describe('garbage', () => {
  test('of tombstones goes when they have been here for their time, and their dots stay known', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ value: undefined, atMs: NOW - 50000 })], keepAll, NOW);
    replica.collectTombstones(1000, NOW + 999);
    expect(replica.store.size).toBe(1);
    replica.collectTombstones(1000, NOW + 1000);
    expect(replica.store.size).toBe(0);
    expect(replica.context.has(new Origin('other', 1), 1)).toBe(true);
  });

  test('of tombstones that came while the clock was ahead goes by the clock that is right', () => {
    const replica = aReplica();
    receive(replica, [anUpdate({ value: undefined })], keepAll, NOW + 315_360_000_000);
    replica.collectTombstones(1000, NOW);
    replica.collectTombstones(1000, NOW + 999);
    expect(replica.store.size).toBe(1);
    replica.collectTombstones(1000, NOW + 1000);
    expect(replica.store.size).toBe(0);
  });

  test('of origins goes when they are long gone, hold nothing live and are not in view', () => {
    const replica = aReplica({ forgetAfterMs: 1000 });
    receive(replica, [
      anUpdate({ from: 'holding', id: 'x' }),
      anUpdate({ from: 'viewed', id: 'y', value: undefined }),
      anUpdate({ from: 'gone', id: 'z', value: undefined }),
      anUpdate({ from: 'young', id: 'u', value: undefined, atMs: NOW + 5 }),
      anUpdate({ from: 'self', id: 'w', value: undefined }),
    ]);
    replica.collectTombstones(0, NOW + 1001);
    replica.forgetOrigins((name) => name === 'viewed', NOW + 1001);
    expect(replica.context.dots().map(({ origin }) => origin.name)).toEqual(['holding', 'viewed', 'young', 'self']);
    expect(replica.context.sum).toEqual(Context.of(replica.context.dots()).sum);
    // It may come back.
    receive(replica, [anUpdate({ from: 'gone', id: 'z', sequence: 2 })]);
    expect(replica.get('z')).toBe('v');
  });
});

test('a node that is there keeps its latest origin and none of its former ones', () => {
  for (const name of ['viewed', 'self']) {
    const replica = aReplica({ forgetAfterMs: 1000 });
    receive(
      replica,
      [1, 2, 3].map((epoch) => anUpdate({ from: name, epoch, id: `${epoch}`, value: undefined })),
    );
    replica.collectTombstones(0, NOW + 1001);
    replica.forgetOrigins((viewed) => viewed === 'viewed', NOW + 1001);
    expect(replica.context.dots().map(({ origin }) => origin.epoch)).toEqual([3]);
  }
});

describe('a snapshot', () => {
  test('shows what readers saw at its moment, whatever comes, until it is released', () => {
    const replica = aReplica();
    replica.write('a', '1', undefined, NOW);
    replica.write('b', '1', undefined, NOW);
    replica.write('e', '1', NOW + 5, NOW);
    const snapshot = replica.snapshot();
    replica.write('a', '2', undefined, NOW);
    replica.write('a', '3', undefined, NOW);
    replica.write('b', undefined, undefined, NOW);
    replica.write('c', '1', undefined, NOW);
    replica.expire(NOW + 5);
    receive(replica, [anUpdate()], reset(replica.store.lastArrival));
    expect(['a', 'b', 'c', 'e', 'x'].map((id) => snapshot.get(id))).toEqual(['1', '1', undefined, '1', undefined]);
    expect(byId([...snapshot.entries()])).toEqual([
      ['a', '1'],
      ['b', '1'],
      ['e', '1'],
    ]);
    snapshot.release();
    expect([...replica.snapshot().entries()]).toEqual([]);
  });

  test('is iterated as it was, each id once, whatever is changed, removed or hidden before or behind the iteration', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(9), fc.constantFrom('write', 'remove', 'add', 'reset')), { maxLength: 24 }),
        fc.nat(9),
        (changes, pace) => {
          const replica = aReplica();
          for (let i = 0; i < 10; i++) replica.write(`x${i}`, String(i), undefined, NOW);
          replica.write('x3', undefined, undefined, NOW);
          const snapshot = replica.snapshot();
          const change = ([number, how]: readonly [number, string]): void => {
            if (how === 'write') replica.write(`x${number}`, 'changed', undefined, NOW);
            else if (how === 'remove') replica.write(`x${number}`, undefined, undefined, NOW);
            else if (how === 'add') replica.write(`new${number}`, 'new', undefined, NOW);
            else {
              const { arrival } = replica.snapshot();
              replica.admit(
                [],
                { type: 'reset', kept: new Map([[`x${number}`, 'kept']]), offeredArrival: arrival },
                NOW,
              );
            }
          };
          const left = changes.slice();
          const seen: [string, Bytes][] = [];
          for (const entry of snapshot.entries()) {
            seen.push(entry);
            for (const next of left.splice(0, pace)) change(next);
          }
          const before = Array.from({ length: 10 }, (_, i): [string, Bytes] => [`x${i}`, String(i)]);
          expect(byId(seen)).toEqual(before.filter(([id]) => id !== 'x3'));
        },
      ),
    );
  });
});

describe('changes', () => {
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom('write', 'remove', 'receive', 'receive', 'expire', 'drop', 'drain', 'collect'),
      id: fc.constantFrom('x', 'y', 'z'),
      verdict: fc.constantFrom<'keep-all' | 'ignore' | 'keep' | 'change' | 'reset' | 'dead'>(
        'keep-all',
        'ignore',
        'keep',
        'change',
        'reset',
        'dead',
      ),
      atMs: fc.integer({ min: 0, max: 100 }),
      expiresInMs: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 3 }),
      from: fc.constantFrom('a', 'self'),
    }),
    { maxLength: 40 },
  );

  test('put together are exactly what readers see, at all times', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const replica = aReplica();
        const told = new Map<string, Bytes>();
        let nowMs = NOW;
        taken.forEach(({ step, id, verdict, atMs, expiresInMs, from }, i) => {
          nowMs += 3;
          const expiresAt = expiresInMs === undefined ? undefined : nowMs + expiresInMs;
          const held = replica.store.get(id);
          if (step === 'write') replica.write(id, `own${i}`, expiresAt, nowMs);
          else if (step === 'remove') replica.write(id, undefined, undefined, nowMs);
          else if (step === 'expire') replica.expire(nowMs);
          else if (step === 'collect') replica.collectTombstones(10, nowMs);
          else if (step === 'drop' && held?.value !== undefined) replica.drop(held);
          else if (step === 'receive') {
            const options = { id, value: `v${i}`, atMs: NOW + atMs, from, sequence: i + 1 };
            const update = anUpdate(expiresAt === undefined ? options : { ...options, expiresAt });
            const { arrival } = replica.snapshot();
            const verdicts: Record<typeof verdict, Verdict> = {
              'keep-all': keepAll,
              ignore,
              keep: keep([id, `v${i}`]),
              change: keep([id, 'changed']),
              reset: reset(arrival, ['y', 'changed']),
              dead: { type: 'dead' },
            };
            receive(replica, [update], verdicts[verdict], nowMs);
          }
          if (step === 'write') return;
          for (const update of replica.changes.take()) {
            const value = visible(update);
            if (value === undefined) told.delete(update.id);
            else told.set(update.id, value);
          }
          expect(Object.fromEntries(told)).toEqual(
            Object.fromEntries([...replica.visible()].map((update) => [update.id, visible(update)])),
          );
        });
      }),
      { numRuns: 500 },
    );
  });
});

test('updates from the future are held up to a number of bytes, the rest is left', () => {
  const { replica } = {
    replica: new Replica({ name: 'z', epoch: 1, maxDriftMs: 1000, maxUpdateBytes: 2 ** 21, forgetAfterMs: 1e9 }),
  };
  const origin = new Origin('future', 1);
  const ahead = stampAt(STAMP_EPOCH_MS + 1e9 + 100_000);
  const updates = Array.from(
    { length: 20 },
    (_, i) => new Update(`id${i}`, 'x'.repeat(2 ** 20), ahead + i, origin, i + 1, undefined),
  );
  const { left, news } = replica.screen(updates, new Context(), STAMP_EPOCH_MS + 1e9, () => {});
  expect([news.length, left[0]?.intervals]).toEqual([0, [16, 20]]);
});

test('refused updates of one origin that come after all are taken from what is refused together, and not one by one', () => {
  const replica = aReplica();
  const origin = new Origin('sparse', 1);
  for (let n = 1; n <= 20_000; n++) replica.refused.add(origin, 2 * n, 'size', 2000);
  const updates = Array.from(
    { length: 500 },
    (_, n) => new Update(`id${n}`, 'v', stampAt(NOW), origin, 2 * (1000 - n), undefined),
  );
  let moved = 0;
  const splice = Array.prototype.splice;
  const spy = jest.spyOn(Array.prototype, 'splice').mockImplementation(function (
    this: unknown[],
    ...args: Parameters<typeof splice>
  ) {
    moved += this.length - args[0];
    return splice.apply(this, args);
  });
  try {
    replica.admit(updates, keepAll, NOW);
  } finally {
    spy.mockRestore();
  }
  // The dots of the batch alone move each other, here and in the context; one by one each would move 40,000 bounds.
  expect(moved).toBeLessThan(2 * 500 * 1000);
  expect([replica.refused.has(origin, 1002), replica.refused.has(origin, 1000)]).toEqual([false, true]);
  expect(replica.context.has(origin, 1002)).toBe(true);
});

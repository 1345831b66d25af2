/** What is ephemeral: readers see it while its writer is there, and it expires once nobody renews it. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Context } from '../context.ts';
import { STAMP_EPOCH_MS, stampAt } from '../hlc.ts';
import { Origin } from '../origin.ts';
import { Replica, type ReplicaOptions } from '../replica.ts';
import { type Bytes, EPHEMERAL, judgedValue, Update, visible } from '../update.ts';
import { LEASE_MS } from './leases.ts';
import { keepAll, type Verdict } from './verdict.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;
const DAY_MS = 86_400_000;
const none = new Context();
const tied = (text: string): Bytes => EPHEMERAL + text;

function aReplica(options: Partial<ReplicaOptions> = {}): Replica {
  const replica = new Replica({
    name: 'self',
    epoch: 100,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: DAY_MS,
    ...options,
  });
  replica.observed = true;
  return replica;
}

interface Arriving {
  readonly id?: string;
  readonly value?: Bytes | undefined;
  readonly atMs?: number;
  readonly from?: string;
  readonly epoch?: number;
  readonly sequence?: number;
}

function receive(replica: Replica, arriving: Arriving = {}, verdict: Verdict = keepAll): Update[] {
  const { id = 'x', atMs = NOW, from = 'a', epoch = 1, sequence = 1 } = arriving;
  const value = 'value' in arriving ? arriving.value : tied('v');
  const update = new Update(id, value, stampAt(atMs), new Origin(from, epoch), sequence, NOW + 10 * LEASE_MS);
  const { news } = replica.screen([update], none, atMs, () => undefined);
  return [...replica.admit(news, verdict, atMs)];
}

const see = (replica: Replica, members: Readonly<Record<string, number>>, epoch = 100, nowMs = NOW): void =>
  replica.membersChanged(new Map(Object.entries(members)), epoch, nowMs);

/** What subscribers are told since the last call: each id with what is to be seen of it now. */
const told = (replica: Replica): unknown[] => [...replica.changes.take()].map((update) => [update.id, visible(update)]);

const keep = (...kept: [string, Bytes][]): Verdict => ({ type: 'keep', kept: new Map(kept) });

describe('what is ephemeral', () => {
  test('is stored before its writer is there, and shown once it is', () => {
    const replica = aReplica();
    see(replica, {});
    // It goes on to others: the writer may be there for them.
    expect(receive(replica)).toHaveLength(1);
    expect([replica.get('x'), replica.store.visibleCount, told(replica)]).toEqual([undefined, 0, []]);
    expect(Array.from(replica.store.hidden(), ({ view }) => view?.why)).toEqual(['gone']);
    expect(replica.store.hiddenCount).toBe(1);
    const { version } = replica;
    see(replica, { a: 1 });
    expect([replica.get('x'), replica.store.visibleCount, told(replica)]).toEqual([tied('v'), 1, [['x', tied('v')]]]);
    expect([replica.store.hiddenCount, replica.version]).toEqual([0, version]);
  });

  test('goes with its writer, and comes back where that was an error', () => {
    const replica = aReplica();
    see(replica, { a: 1, b: 1 });
    receive(replica);
    receive(replica, { id: 'y', value: 'plain', sequence: 2 });
    receive(replica, { id: 'z', from: 'b' });
    told(replica);
    const sum = replica.store.liveSum(0);
    see(replica, { b: 1 });
    expect(told(replica)).toEqual([['x', undefined]]);
    expect(Array.from(replica.visible(), ({ id }) => id)).toEqual(['y', 'z']);
    expect(replica.store.liveSum(0)).toEqual(sum);
    see(replica, { b: 1 });
    expect(told(replica)).toEqual([]);
    see(replica, { a: 1, b: 1 });
    expect(told(replica)).toEqual([['x', tied('v')]]);
  });

  test('of a former process of a node is gone with that, and a later epoch of the process is there', () => {
    const replica = aReplica();
    see(replica, { a: 5 });
    receive(replica, { epoch: 5 });
    receive(replica, { id: 'y', epoch: 7 });
    expect([replica.get('x'), replica.get('y')]).toEqual([tied('v'), tied('v')]);
    see(replica, { a: 6 });
    expect([replica.get('x'), replica.get('y')]).toEqual([undefined, tied('v')]);
    receive(replica, { atMs: NOW + 1, epoch: 7, sequence: 2, value: tied('again') });
    expect(replica.get('x')).toBe(tied('again'));
  });

  test('stays hidden when it is spread: nothing is taken from others', () => {
    const replica = aReplica();
    see(replica, {});
    receive(replica);
    const dots = replica.context.dots();
    expect(replica.store.spreadable(dots)).toHaveLength(1);
    expect(replica.store.byDots(dots)[0]).toMatchObject({ value: tied('v') });
  });

  test('is tied no more once its id is written without, by anybody', () => {
    const replica = aReplica();
    see(replica, { a: 1, b: 1 });
    receive(replica);
    receive(replica, { from: 'b', atMs: NOW + 1, value: 'plain' });
    told(replica);
    see(replica, {});
    expect([replica.get('x'), told(replica)]).toEqual(['plain', []]);
  });

  test('is told as gone where it takes the place of a value that readers saw, and its writer is not there', () => {
    const replica = aReplica();
    see(replica, {});
    receive(replica, { value: 'plain' });
    told(replica);
    receive(replica, { from: 'b', atMs: NOW + 1 });
    expect([replica.get('x'), told(replica)]).toEqual([undefined, [['x', undefined]]]);
    receive(replica, { from: 'b', atMs: NOW + 2, sequence: 2, value: undefined });
    expect(told(replica)).toEqual([]);
  });

  test('cannot be renewed while readers do not see it', () => {
    const replica = aReplica();
    see(replica, {});
    receive(replica);
    expect(replica.refresh('x', NOW + 1000, NOW)).toBeUndefined();
  });

  test('is shown by a snapshot as readers saw it then', () => {
    const replica = aReplica();
    see(replica, { a: 1 });
    receive(replica);
    const stored = replica.snapshot();
    see(replica, {});
    expect([stored.get('x'), [...stored.entries()]]).toEqual([tied('v'), [['x', tied('v')]]]);
    expect([...replica.snapshot().entries()]).toEqual([]);
  });
});

describe('a verdict on what is ephemeral', () => {
  test('holds when the node is back: a reset while it was gone', () => {
    const replica = aReplica();
    see(replica, { a: 1 });
    receive(replica);
    see(replica, {});
    told(replica);
    receive(
      replica,
      { id: 'y', from: 'b', value: 'plain' },
      { type: 'reset', kept: new Map([['y', 'plain']]), offeredArrival: replica.store.lastArrival },
    );
    see(replica, { a: 1 });
    expect([replica.get('x'), told(replica)]).toEqual([undefined, [['y', 'plain']]]);
    expect(Array.from(replica.store.hidden(), ({ view }) => view?.why)).toEqual(['reset']);
  });

  test('that changes its value leaves it tied to its node, and one that keeps its value changes nothing', () => {
    const replica = aReplica();
    see(replica, { a: 1 });
    receive(replica, {}, keep(['x', 'shown']));
    receive(replica, { id: 'y', sequence: 2 }, keep(['y', 'v']));
    expect([replica.get('x'), replica.store.get('y')?.view]).toEqual([tied('shown'), undefined]);
    see(replica, {});
    expect([replica.get('x'), replica.get('y')]).toEqual([undefined, undefined]);
    see(replica, { a: 1 });
    expect(replica.get('x')).toBe(tied('shown'));
  });

  test('that refuses what replaces it leaves it to readers while its own writer is there', () => {
    const replica = aReplica();
    see(replica, { a: 1, b: 1 });
    receive(replica);
    receive(replica, { from: 'b', atMs: NOW + 1, value: 'plain' }, keep());
    expect(replica.get('x')).toBe(tied('v'));
    told(replica);
    see(replica, { b: 1 });
    expect([replica.get('x'), told(replica)]).toEqual([undefined, [['x', undefined]]]);
    expect(replica.store.hiddenCount).toBe(1);
    see(replica, { a: 1 });
    expect([replica.get('x'), replica.store.hiddenCount]).toEqual([tied('v'), 1]);
  });
});

describe('of its own node a replica', () => {
  test('shows what this process wrote, and not what a former one did', () => {
    const replica = aReplica();
    see(replica, {}, 90);
    receive(replica, { id: 'former', from: 'self', epoch: 89 });
    receive(replica, { id: 'closed before', from: 'self', epoch: 95 });
    replica.write('x', tied('v'), undefined, NOW);
    replica.adoptEpoch(150);
    replica.leaveEpoch(NOW);
    replica.write('y', tied('v'), undefined, NOW);
    expect(Array.from(replica.visible(), ({ id }) => id)).toEqual(['closed before', 'x', 'y']);
  });

  test('writes under no lower epoch than the node what is tied to it, also what it wrote before', () => {
    const replica = aReplica();
    see(replica, {}, 90);
    replica.write('x', tied('v'), undefined, NOW);
    replica.write('y', 'plain', undefined, NOW);
    receive(replica, { id: 'former', from: 'self', epoch: 120 });
    told(replica);
    see(replica, {}, 200);
    expect(replica.store.get('x')?.origin.epoch).toBeGreaterThanOrEqual(200);
    expect(replica.store.get('y')?.origin.epoch).toBe(100);
    expect([replica.get('x'), replica.get('former'), told(replica)]).toEqual([
      tied('v'),
      undefined,
      [['former', undefined]],
    ]);
    const early = aReplica();
    see(early, {}, 200);
    expect(early.write('x', tied('v'), undefined, NOW).origin.epoch).toBeGreaterThanOrEqual(200);
  });
});

describe('a lease', () => {
  const HALF = NOW + LEASE_MS / 2;

  test('is renewed at half of it, silently, and only where the value was given no life of its own', () => {
    const replica = aReplica();
    replica.write('x', tied('v'), undefined, NOW);
    replica.write('own', tied('v'), NOW + LEASE_MS, NOW);
    replica.write('plain', 'v', undefined, NOW);
    told(replica);
    expect([replica.store.get('x')?.expiresAt, replica.store.get('plain')?.expiresAt]).toEqual([
      NOW + LEASE_MS,
      undefined,
    ]);
    expect(replica.nextExpiryMs).toBe(HALF);
    replica.takeFresh();
    replica.expire(HALF - 1);
    expect(replica.hasFresh).toBe(false);
    replica.expire(HALF);
    expect(Array.from(replica.takeFresh(), ({ id, expiresAt }) => [id, expiresAt])).toEqual([['x', HALF + LEASE_MS]]);
    expect(told(replica)).toEqual([]);
    replica.expire(NOW + LEASE_MS);
    expect([replica.get('x'), replica.get('own'), told(replica)]).toEqual([tied('v'), undefined, [['own', undefined]]]);
  });

  test('is renewed though the process stood still for longer', () => {
    const replica = aReplica();
    replica.write('x', tied('v'), undefined, NOW);
    told(replica);
    replica.expire(NOW + 5 * LEASE_MS);
    expect([replica.get('x'), told(replica)]).toEqual([tied('v'), []]);
    // It has slept for longer than others remember it.
    const late = NOW + 2 * DAY_MS;
    replica.wake(NOW + 5 * LEASE_MS);
    replica.wake(late);
    expect(replica.store.get('x')).toMatchObject({ value: tied('v'), expiresAt: late + LEASE_MS });
  });

  test('ends with a life of its own, a removal, or a write of another', () => {
    const replica = aReplica();
    for (const id of ['own', 'refreshed', 'removed', 'other', 'kept']) replica.write(id, tied('v'), undefined, NOW);
    replica.write('own', tied('v'), NOW + 10 * LEASE_MS, NOW);
    replica.refresh('refreshed', NOW + 10 * LEASE_MS, NOW);
    replica.write('removed', undefined, undefined, NOW);
    receive(replica, { id: 'other', atMs: NOW + 1 });
    replica.takeFresh();
    replica.expire(HALF);
    expect(Array.from(replica.takeFresh(), ({ id }) => id)).toEqual(['kept']);
  });

  test('is renewed in time after the clock was set back', () => {
    const replica = aReplica();
    replica.write('x', tied('v'), undefined, NOW + 3 * LEASE_MS);
    replica.write('y', tied('v'), undefined, NOW);
    replica.takeFresh();
    replica.expire(HALF);
    expect(Array.from(replica.takeFresh(), ({ id }) => id)).toEqual(['x', 'y']);
  });
});

test('whatever comes in whatever order, readers see exactly what verdicts and the view have, and subscribers are told it', () => {
  const writers = ['a', 'b', 'self'] as const;
  const step = fc.oneof(
    fc.record({
      type: fc.constant('write' as const),
      from: fc.constantFrom(...writers),
      epoch: fc.integer({ min: 99, max: 102 }),
      id: fc.constantFrom('x', 'y'),
      value: fc.constantFrom(undefined, 'plain', tied('v'), tied('w')),
      verdict: fc.constantFrom('keep-all', 'ignore', 'change', 'reset'),
      atMs: fc.integer({ min: 0, max: 20 }),
    }),
    fc.record({
      type: fc.constant('view' as const),
      members: fc.dictionary(fc.constantFrom('a', 'b'), fc.integer({ min: 99, max: 102 }), { noNullPrototype: true }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const replica = aReplica();
      let members: Readonly<Record<string, number>> = {};
      see(replica, members);
      const subscriber = new Map<string, Bytes>();
      const sequences = new Map<string, number>();
      for (const given of steps) {
        if (given.type === 'view') {
          members = given.members;
          see(replica, members);
        } else {
          const { from, epoch, id, value, verdict } = given;
          const sequence = (sequences.get(`${from} ${epoch}`) ?? 0) + 1;
          sequences.set(`${from} ${epoch}`, sequence);
          const kept = new Map([[id, 'changed']]);
          const verdicts: Readonly<Record<string, Verdict>> = {
            'keep-all': keepAll,
            ignore: { type: 'ignore' },
            change: { type: 'keep', kept },
            reset: { type: 'reset', kept, offeredArrival: replica.store.lastArrival },
          };
          // The own present epoch is written under by the replica alone.
          if (from === 'self' && epoch === 100) replica.write(id, value, undefined, NOW);
          else receive(replica, { id, from, epoch, sequence, value, atMs: NOW + given.atMs }, verdicts[verdict]);
        }
        for (const update of replica.changes.take()) {
          const shown = visible(update);
          if (shown === undefined) subscriber.delete(update.id);
          else subscriber.set(update.id, shown);
        }
        const seen = new Map<string, Bytes>();
        let hidden = 0;
        for (const update of replica.store) {
          const value = judgedValue(update);
          const writer = update.view?.back?.view?.writer ?? update.view?.writer ?? update.origin;
          const least = writer.name === 'self' ? 100 : members[writer.name];
          const isSeen =
            value !== undefined && (!value.startsWith(EPHEMERAL) || (least !== undefined && writer.epoch >= least));
          if (isSeen) seen.set(update.id, value);
          if (update.value !== undefined && update.view?.why !== undefined) hidden++;
          expect(replica.get(update.id)).toBe(isSeen ? value : undefined);
        }
        expect(new Map(Array.from(replica.visible(), (update) => [update.id, visible(update)]))).toEqual(seen);
        expect(subscriber).toEqual(seen);
        expect([replica.store.visibleCount, replica.store.hiddenCount]).toEqual([seen.size, hidden]);
        expect([...replica.store.hidden()]).toHaveLength(hidden);
      }
    }),
  );
});

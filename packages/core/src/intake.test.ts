import { describe, expect, test } from '@jest/globals';
import { STAMP_EPOCH_MS, stampAt } from './hlc.ts';
import { type Arrival, Intake } from './intake.ts';
import { Origin } from './origin.ts';
import type { Environment, Offer } from './protocol.ts';
import { seededRandom } from './random.ts';
import { Replica } from './replica.ts';
import { keepAll } from './replica/verdict.ts';
import { isHidden, Update, visible } from './update.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;

/** What became of a batch, with its updates as objects. */
type Stored = Omit<Arrival, 'news' | 'kept'> & { readonly news: Update[]; readonly kept: Update[] };

const storedOf = ({ news, kept, ...rest }: Arrival): Stored => ({ ...rest, news: [...news], kept: [...kept] });

interface Bench {
  readonly environment: Environment;
  readonly intake: Intake;
  readonly offers: Offer[];
  readonly arrivals: Stored[];
  receive(...updates: Update[]): void;
}

function aBench(judged: boolean): Bench {
  const offers: Offer[] = [];
  const arrivals: Stored[] = [];
  const environment: Environment = {
    self: 'self',
    replica: new Replica({
      name: 'self',
      epoch: NOW,
      maxDriftMs: 60000,
      maxUpdateBytes: 1000,
      forgetAfterMs: 86400000,
    }),
    effects: {
      send: () => undefined,
      offer: (offer) => offers.push(offer),
      setTimer: () => undefined,
      report: () => undefined,
    },
    random: seededRandom(1),
    judged,
  };
  const intake = new Intake(environment);
  const receive = (...updates: Update[]): void =>
    intake.receive(updates, NOW, (arrival) => arrivals.push(storedOf(arrival)));
  return { environment, intake, offers, arrivals, receive };
}

function anUpdate(sequence: number, id = `id${sequence}`, value: string | undefined = 'v'): Update {
  return new Update(id, value, stampAt(NOW) + sequence, new Origin('other', 1), sequence, undefined);
}

const aTombstone = (sequence: number, id: string): Update =>
  new Update(id, undefined, stampAt(NOW) + sequence, new Origin('other', 1), sequence, undefined);

describe('without a handler', () => {
  test('all is kept, at once', () => {
    const { intake, arrivals, environment, receive } = aBench(false);
    receive(anUpdate(1), anUpdate(2));
    expect(arrivals).toMatchObject([{ kept: [{ id: 'id1' }, { id: 'id2' }], known: [] }]);
    expect(environment.replica.store.size).toBe(2);
    expect(intake.backlog).toBe(0);
  });
});

describe('with a handler', () => {
  test('what waits when all is let go of is news again, and the open verdict decides nothing', () => {
    const { intake, offers, arrivals, environment, receive } = aBench(true);
    receive(anUpdate(1), anUpdate(2));
    receive(anUpdate(3));
    intake.abandon();
    expect([intake.backlog, intake.backlogBytes]).toEqual([0, 0]);
    receive(anUpdate(1));
    intake.judged(offers[0]?.number ?? 0, keepAll, NOW);
    expect(environment.replica.store.size).toBe(0);
    expect(offers.map(({ updates }) => updates.map(({ id }) => id))).toEqual([['id1', 'id2'], ['id1']]);
    intake.judged(offers[1]?.number ?? 0, keepAll, NOW);
    expect(arrivals).toMatchObject([{ known: [], kept: [{ id: 'id1' }] }]);
  });

  test('nothing of an offer is in store or context before its verdict, and it need not come again', () => {
    const { environment, intake, offers, arrivals, receive } = aBench(true);
    receive(anUpdate(1));
    expect(offers).toMatchObject([{ updates: [{ id: 'id1' }] }]);
    expect([environment.replica.store.size, environment.replica.context.isEmpty]).toEqual([0, true]);
    expect(intake.backlog).toBe(1);
    receive(anUpdate(1));
    expect(arrivals).toEqual([]);

    intake.judged((offers[0] as Offer).number, keepAll, NOW);
    expect(arrivals).toMatchObject([{ known: [] }, { known: [{ intervals: [1, 1] }], kept: [] }]);
    expect(environment.replica.context.has(new Origin('other', 1), 1)).toBe(true);
    expect([intake.backlog, intake.pending.isEmpty]).toEqual([0, true]);
  });

  test('one offer is open at a time, and what comes meanwhile waits in its order', () => {
    const { environment, intake, offers, arrivals, receive } = aBench(true);
    receive(anUpdate(1));
    receive(aTombstone(2, 'removed'));
    receive(anUpdate(3));
    let settled = 0;
    intake.settled(NOW, () => settled++);
    expect([offers.length, environment.replica.store.size]).toEqual([1, 0]);

    intake.judged((offers[0] as Offer).number, keepAll, NOW);
    expect([...environment.replica.store].map(({ id }) => id)).toEqual(['id1', 'removed']);
    expect([offers.length, arrivals.length, settled]).toEqual([2, 2, 0]);
    intake.judged((offers[1] as Offer).number, { type: 'ignore' }, NOW);
    expect([arrivals.length, settled]).toEqual([3, 1]);
  });

  test('tombstones alone are stored without it', () => {
    const { environment, offers, receive } = aBench(true);
    receive(aTombstone(1, 'x'));
    expect(offers).toEqual([]);
    expect(environment.replica.store.size).toBe(1);
  });

  test('it is offered the newest of each id, no tombstones, and what readers saw at that moment', () => {
    const { environment, offers, receive } = aBench(true);
    environment.replica.write('x', 'own', undefined, NOW - 1);
    receive(anUpdate(2, 'x', 'new'), anUpdate(1, 'x', 'old'), anUpdate(3, 'y'), aTombstone(4, 'y'));
    const { updates, stored } = offers[0] as Offer;
    expect(updates.map(({ id, value }) => [id, value])).toEqual([['x', 'new']]);
    environment.replica.write('x', 'later', undefined, NOW);
    expect([...stored.entries()]).toEqual([['x', 'own']]);
  });

  test('a stale verdict changes nothing', () => {
    const { environment, intake, offers, receive } = aBench(true);
    receive(anUpdate(1));
    const { number } = offers[0] as Offer;
    for (const stale of [0, number + 1]) intake.judged(stale, keepAll, NOW);
    expect(environment.replica.store.size).toBe(0);
    intake.judged(number, keepAll, NOW);
    intake.judged(number, keepAll, NOW);
    expect(environment.replica.store.size).toBe(1);
  });

  test('a reset hides what was there at the offer, not what has come since', () => {
    const { environment, intake, offers, receive } = aBench(true);
    environment.replica.write('before', '1', undefined, NOW - 1);
    receive(anUpdate(1));
    environment.replica.write('since', '1', undefined, NOW);
    intake.judged((offers[0] as Offer).number, { type: 'reset', kept: new Map(), offeredArrival: 999 }, NOW);
    expect([...environment.replica.visible()].map(({ id }) => id)).toEqual(['since']);
  });

  test('a machine that takes over from a crashed one lets go of its snapshot', () => {
    const { environment, offers, receive } = aBench(true);
    environment.replica.write('x', '1', undefined, NOW - 1);
    receive(anUpdate(1));
    const { stored } = offers[0] as Offer;
    expect(new Intake(environment).backlog).toBe(0);
    environment.replica.write('x', '2', undefined, NOW);
    // The snapshot of the dead costs nothing any more, and so sees what everybody sees.
    expect(stored.get('x')).toBe('2');
  });
});

describe('what there is no room for', () => {
  test('is found out when it is stored, not when it comes; it is told as refused, and reported once', () => {
    const bench = aBench(true);
    const reports: unknown[] = [];
    const replica = new Replica({
      name: 'self',
      epoch: NOW,
      maxDriftMs: 60000,
      maxUpdateBytes: 1000,
      forgetAfterMs: 1e9,
      maxIds: 1,
    });
    const effects = { ...bench.environment.effects, report: (error: unknown) => void reports.push(error) };
    const intake = new Intake({ ...bench.environment, replica, effects });
    const arrivals: Stored[] = [];
    intake.receive([anUpdate(1)], NOW, (arrival) => arrivals.push(storedOf(arrival)));
    intake.receive([anUpdate(2), anUpdate(3)], NOW, (arrival) => arrivals.push(storedOf(arrival)));
    expect(intake.backlogBytes).toBe(3 * 16);
    for (const { number } of bench.offers.slice(0, 1)) intake.judged(number, keepAll, NOW);
    intake.judged((bench.offers[1] as Offer).number, keepAll, NOW);
    expect(arrivals[0]).toMatchObject({ kept: [{ id: 'id1' }], turnedAway: [] });
    expect(arrivals[1]).toMatchObject({ kept: [], news: [], turnedAway: [{ intervals: [2, 3] }] });
    expect(replica.store.size).toBe(1);
    expect(replica.context.dots()).toMatchObject([{ intervals: [1, 1] }]);
    expect(reports).toMatchObject([{ code: 'STORE_FULL', fault: 'peer' }]);
    expect([intake.backlog, intake.backlogBytes, intake.pending.isEmpty]).toEqual([0, 0, true]);
    // Said again once there was room, and then none.
    replica.write('id1', undefined, undefined, NOW);
    replica.lift(NOW);
    intake.receive([aTombstone(9, 'q'), anUpdate(4)], NOW, () => undefined);
    intake.judged((bench.offers[2] as Offer).number, keepAll, NOW);
    intake.receive([anUpdate(5)], NOW, () => undefined);
    intake.judged((bench.offers[3] as Offer).number, keepAll, NOW);
    expect(reports).toHaveLength(2);
  });
});

describe('a verdict on the first updates of an offer', () => {
  test('stores those at once, and has the rest offered again, beside what is stored by then', () => {
    const { intake, offers, arrivals, environment, receive } = aBench(true);
    receive(anUpdate(1), anUpdate(2), anUpdate(3));
    intake.judged(1, { type: 'keep-all', count: 1 }, NOW);
    expect(environment.replica.get('id1')).toBe('v');
    expect(environment.replica.context.has(new Origin('other', 1), 2)).toBe(false);
    expect(arrivals).toEqual([]);
    expect(offers[1]).toMatchObject({ number: 2, isRest: true, updates: [{ id: 'id2' }, { id: 'id3' }] });
    expect(offers[1]?.stored.get('id1')).toBe('v');
    expect(intake.backlog).toBe(2);
    intake.judged(2, { type: 'dead', count: 1 }, NOW);
    intake.judged(3, keepAll, NOW);
    expect(arrivals).toMatchObject([
      { news: [{ id: 'id1' }, { id: 'id2' }, { id: 'id3' }], kept: [{ id: 'id1' }, { id: 'id3' }] },
    ]);
    expect(intake.pending.isEmpty).toBe(true);
    expect([...environment.replica.store.hidden()].map(({ id, view }) => [id, view?.why])).toEqual([
      ['id2', 'deadletter'],
    ]);
    expect(environment.replica.store.visibleCount).toBe(2);
  });

  test('stores removals in their place among them, and those after the last only with it', () => {
    const { intake, environment, receive } = aBench(true);
    receive(anUpdate(1), aTombstone(2, 'gone'), anUpdate(3), aTombstone(4, 'over'));
    intake.judged(1, { type: 'keep-all', count: 1 }, NOW);
    expect([...environment.replica.store].map(({ id }) => id)).toEqual(['id1', 'gone']);
    intake.judged(2, keepAll, NOW);
    expect([...environment.replica.store].map(({ id }) => id)).toEqual(['id1', 'gone', 'id3', 'over']);
  });

  test('shows no former update of an id that is still to be judged', () => {
    const { intake, environment, receive } = aBench(true);
    receive(anUpdate(1, 'a', 'old'), anUpdate(2, 'b'), anUpdate(3, 'a', 'new'));
    intake.judged(1, { type: 'keep-all', count: 1 }, NOW);
    expect(environment.replica.get('b')).toBe('v');
    expect(environment.replica.get('a')).toBeUndefined();
    intake.judged(2, { type: 'dead' }, NOW);
    expect(environment.replica.get('a')).toBeUndefined();
    expect(environment.replica.store.hiddenCount).toBe(1);
  });
});

describe('what is hidden', () => {
  test('is counted until the id changes, with why, and whatever readers go on to see', () => {
    const { intake, environment, receive } = aBench(true);
    const { replica } = environment;
    receive(anUpdate(1, 'a', 'good'));
    intake.judged(1, keepAll, NOW);
    receive(anUpdate(2, 'a', 'bad'), anUpdate(3, 'b'));
    intake.judged(2, { type: 'ignore' }, NOW);
    const [a, b] = [...replica.store.hidden()];
    expect([a, b].map((update) => [update?.id, update?.view?.why, update && visible(update)])).toEqual([
      ['a', 'ignored', 'good'],
      ['b', 'ignored', undefined],
    ]);
    expect([replica.store.liveCount, replica.store.visibleCount]).toEqual([2, 1]);
    receive(anUpdate(4, 'a', 'fine'));
    intake.judged(3, { type: 'reset', kept: new Map([['a', 'changed']]), offeredArrival: 0 }, NOW);
    expect(isHidden(replica.store.get('a') as Update)).toBe(false);
    expect([...replica.store.hidden()].map(({ id }) => id)).toEqual(['b']);
    receive(anUpdate(5, 'c'));
    intake.judged(4, { type: 'reset', kept: new Map(), offeredArrival: 0 }, NOW);
    expect(new Set([...replica.store.hidden()].map(({ id, view }) => `${id} ${view?.why}`))).toEqual(
      new Set(['a reset', 'b ignored', 'c ignored']),
    );
    for (const id of ['a', 'b', 'c']) replica.write(id, undefined, undefined, NOW);
    expect([replica.store.hiddenCount, replica.store.visibleCount]).toEqual([0, 0]);
  });
});

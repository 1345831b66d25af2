/** What is live among given dots: that it is right, and how many rows are looked at for it. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Context, type Dots } from '../../context.ts';
import { addTerm, emptySum, hashDot, type Sum } from '../../hash.ts';
import { STAMP_EPOCH_MS } from '../../hlc.ts';
import type { End } from '../../messages.ts';
import { Origin } from '../../origin.ts';
import { seededRandom } from '../../random.ts';
import { Replica } from '../../replica.ts';
import { liveBucketOf, outlives, type Store } from '../../store.ts';
import { DotIndex } from '../../store/dot-index.ts';
import { Page } from '../../store/page.ts';
import { dotsOf } from '../dots.ts';
import { liveWithout } from './held.ts';
import { Sweep } from './sweep.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;
const IDS = 5000;
const HORIZON = NOW + 5000;

/** A replica that has written, written again, removed and given a life to many ids. */
function aReplica(): Replica {
  const replica = new Replica({
    name: 'a',
    epoch: NOW,
    maxDriftMs: 1000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86_400_000,
  });
  for (let n = 0; n < IDS; n++) replica.write(`id ${n}`, 'v', n % 7 === 0 ? NOW + (n % 10) * 1000 : undefined, NOW);
  for (let n = 0; n < IDS; n += 3) replica.write(`id ${n}`, 'w', undefined, NOW);
  for (let n = 0; n < IDS; n += 5) replica.write(`id ${n}`, undefined, undefined, NOW);
  replica.takeFresh();
  return replica;
}

function sumByHand(store: Store, dots: Context): Sum {
  const sum = emptySum();
  for (const update of store)
    if (outlives(update, HORIZON) && dots.has(update.origin, update.sequence))
      addTerm(sum, 0, hashDot(update.origin.seeds, update.sequence), 1);
  return sum;
}

/** Counts the dots that are looked up, and the rows that are looked at, while `run` runs. */
function looksOf(run: () => void): number {
  const dots = jest.spyOn(DotIndex.prototype, 'get');
  const rows = jest.spyOn(Page.prototype, 'isTombstone');
  run();
  return dots.mock.calls.length + rows.mock.calls.length;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('what is live among dots', () => {
  test.each([1, 10, 1000, 4000, 8000])('is summed up as by hand, among about %p of all numbers', (about) => {
    const { store, context } = aReplica();
    const [{ origin }] = context.dots() as [Dots[number]];
    const random = seededRandom(about);
    const some = new Context();
    for (let number = 0; number <= 8000; number++) if (random() * 8000 < about) some.add(origin, number);
    // Of an origin that is not known here.
    some.add(new Origin('b', NOW), 1, 9);
    expect(store.liveSumOf(some.dots(), HORIZON)).toEqual(sumByHand(store, some));
    const rest = Context.of(some.lacking(context.dots()));
    expect(liveWithout(store, some.dots(), HORIZON)).toEqual(sumByHand(store, rest));
  });

  test('is listed as by hand, of all buckets and of some', () => {
    const { store } = aReplica();
    const live = [...store].filter((update) => outlives(update, HORIZON));
    expect(store.liveDots(null, HORIZON)).toEqual(dotsOf(live));
    const buckets = new Set([3, 700, 701]);
    const chosen = live.filter(({ id }) => buckets.has(liveBucketOf(id)));
    expect(chosen.length).toBeGreaterThan(0);
    expect(store.liveDots(buckets, HORIZON)).toEqual(dotsOf(chosen));
  });

  test('costs by the dots where these are few, and never more than by all rows', () => {
    const { store, context } = aReplica();
    const [{ origin }] = context.dots() as [Dots[number]];
    const of = (first: number, last: number): Dots => [{ origin, intervals: [first, last], newest: 0 }];
    expect(looksOf(() => store.liveSumOf(of(11, 30), HORIZON))).toBeLessThanOrEqual(2 * 20);
    jest.restoreAllMocks();
    expect(looksOf(() => store.liveSumOf(of(1, 1_000_000), HORIZON))).toBeLessThanOrEqual(IDS);
  });
});

test('the end of a transfer from a peer that has little is judged by what that peer has, and not by all that it lacks', () => {
  const replica = aReplica();
  const environment = {
    self: 'a',
    replica,
    effects: { send: () => {}, offer: () => {}, setTimer: () => {}, report: () => {} },
    random: seededRandom(1),
    judged: false,
  };
  const [{ origin }] = replica.context.dots() as [Dots[number]];
  const claim: Dots = [{ origin, intervals: [101, 120], newest: 0 }];
  const end: End = {
    type: 'end',
    invitation: 1,
    index: 0,
    buckets: 'all',
    claim,
    context: Context.of(claim).sum.slice(),
    live: sumByHand(replica.store, Context.of(claim)),
    horizonMs: HORIZON,
  };
  const sweep = new Sweep(environment, 5000);
  let isAlike: boolean | undefined;
  expect(
    looksOf(() => {
      isAlike = sweep.isLiveAs(end);
    }),
  ).toBeLessThanOrEqual(2 * 20);
  expect(isAlike).toBe(true);
  // A peer that has dropped one of what it had differs.
  expect(sweep.isLiveAs({ ...end, live: emptySum() })).toBe(false);
});

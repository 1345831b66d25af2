/**
 * SWIM's experiments with few nodes and short runs: what a change of the machine would show at once. docs/papers.md has the
 * figures of the whole plan, and swim-results.test.ts holds those against the bounds.
 */
import { describe, expect, test } from '@jest/globals';
import {
  type Death,
  steadyLoad,
  type StallSetup,
  watchCrashes,
  watchCut,
  watchJoin,
  watchLoss,
  watchStalls,
} from '@grapevine/sim';
import { plain, SWIM_SEED } from './swim-plan.ts';
import { estimate, leastSuspicionMs, PERIOD_MS, spreadBoundMs } from './swim-results.ts';

const seed = SWIM_SEED;

describe('a dead node', () => {
  const deaths = (how: 'lose' | 'crash'): Death[] =>
    [0, 1, 2, 3, 4, 5].flatMap((more) =>
      watchCrashes({ nodes: 40, seed: seed + more, victims: 10, how, gapMs: [5000, 9000] }),
    );
  const lost = deaths('lose');

  test('is found by the failure detector within 1.6 periods on average', () => {
    const { mean, error } = estimate(lost.map(({ unanswered }) => unanswered / PERIOD_MS));
    expect(mean).toBeLessThanOrEqual(1.6 + error);
    // Half a period is the timeout: a mean below one would be a miscount.
    expect(mean).toBeGreaterThan(1);
  });

  test('is known to be dead everywhere within the least time of suspicion and log2 n gossip intervals', () => {
    const { mean, most } = estimate(lost.map(({ suspected, downLast }) => downLast - suspected));
    expect(mean).toBeLessThanOrEqual(spreadBoundMs(40));
    // Never before a suspect of the least cluster of all had time to refute.
    expect(Math.min(...lost.map(({ suspected, downFirst }) => downFirst - suspected))).toBeGreaterThanOrEqual(
      leastSuspicionMs(30) - PERIOD_MS,
    );
    expect(most).toBeLessThan(2 * spreadBoundMs(40));
  });

  test('is suspected at once where its connections close', () => {
    expect(estimate(deaths('crash').map(({ suspected }) => suspected)).most).toBeLessThan(100);
  });
});

test('a member of 300 sends what a member of 50 does, within ±10 %', () => {
  const [few, many] = [50, 300].map((nodes) => steadyLoad({ nodes, seed, periods: 40 }));
  for (const key of ['messages', 'bytes'] as const)
    expect(Math.abs((many?.[key] ?? 0) / (few?.[key] ?? 1) - 1)).toBeLessThanOrEqual(0.1);
});

test('Lifeguard takes 50 times fewer healthy members for dead at healthy ones', () => {
  const found = (options: StallSetup['options']): number =>
    watchStalls({
      kind: 'blocked',
      nodes: 64,
      seed,
      anomalous: 8,
      blockedMs: 16_384,
      freeMs: 64,
      forMs: 60_000,
      tellsStalls: false,
      options: options ?? {},
    }).atHealthy;
  const without = found(plain);
  expect(without).toBeGreaterThan(500);
  expect(found({})).toBeLessThanOrEqual(without / 50);
});

// That telling matters is held by one machine, in swim-suspicion.test.ts of core: here what is late is judged, and what has arrived
// meanwhile is read, in the same moment, and plain SWIM accuses somebody in one run of ten or so.
test.each([seed, 1, 2])(
  'who is told of its own stall accuses nobody afterwards, and nobody else does, seed %i',
  (each) => {
    const setup: StallSetup = {
      kind: 'stopped',
      nodes: 64,
      seed: each,
      anomalous: 8,
      blockedMs: 16_384,
      freeMs: 64,
      forMs: 60_000,
      tellsStalls: false,
      options: plain,
    };
    expect(watchStalls(setup)).toMatchObject({ atHealthy: 0, healed: true });
    expect(watchStalls({ ...setup, tellsStalls: true, options: {} })).toMatchObject({ all: 0, healed: true });
  },
);

test('nobody is taken for dead in 20 node-hours with 5 % loss and stalls up to 3 s', () => {
  const found = watchLoss({ nodes: 40, seed, hours: 0.5, loss: 0.05, stallEveryMs: 30_000, stalledMs: 3000 });
  expect(found).toMatchObject({ nodeHours: 20, downs: 0 });
  expect(found.suspicions).toBeGreaterThan(0);
});

test('fifty nodes know each other ten seconds after they were started with one seed', () => {
  expect(watchJoin({ nodes: 50, seed, startWithinMs: 0 })).toBeLessThan(10_000);
  expect(watchJoin({ nodes: 50, seed, startWithinMs: 2000 })).toBeLessThan(10_000);
});

test.each(['both', 'inward', 'outward'] as const)('a cut of half for a minute (%s) heals within 70 s', (way) => {
  const { down, healedMs } = watchCut({ nodes: 24, seed, cut: 12, way, forMs: 60_000 });
  expect(down).toBe(12);
  expect(healedMs ?? Infinity).toBeLessThanOrEqual(70_000);
});

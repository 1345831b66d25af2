/**
 * The papers' experiments with few runs: what a change of the machines would show at once. Each tolerance is some three
 * standard errors of its mean; docs/papers.md has the figures of many runs.
 */
import { describe, expect, test } from '@jest/globals';
import { rumor, seededRandom } from '@grapevine/core';
import { catchUp, curvesOf, figuresOf, figuresOfAll, runAll, runBlock, type Setup, summarise } from '@grapevine/sim';
import { CycleCrowd } from '../../packages/sim/src/papers/cycles.ts';
import { analyticResidue, entropySetup, inCycles, lossSetup, pittel, pittelSetup } from './plan.ts';

const found = (setup: Setup): ReturnType<typeof summarise> => summarise(figuresOfAll(setup));

describe('1,000 sites in synchronous cycles', () => {
  test.each([
    { k: 1, s: 0.18, m: 1.74, tLast: 16.8, tolerance: 0.06 },
    { k: 2, s: 0.037, m: 3.3, tLast: 16.9, tolerance: 0.12 },
  ])('push with feedback and counter leaves $s, k = $k (table 1)', ({ k, s, m, tLast, tolerance }) => {
    const { residue, traffic, tLast: last } = found(inCycles({ removal: 'reset-counter', rounds: k }, 30));
    expectWithin(residue.mean, s, tolerance);
    expectWithin(traffic.mean, m, 0.02);
    expectWithin(last.mean, tLast, 0.06);
  });

  test('a cumulative counter, message by message, follows s = e^(-(k+1)(1-s))', () => {
    const { residue } = found(inCycles({ removal: 'counter', rounds: 1 }, 20, { inOrder: true }));
    expectWithin(residue.mean, analyticResidue(1), 0.06);
  });

  test('a blind coin leaves 0.20, k = 2 (table 2)', () => {
    const { residue, traffic } = found(inCycles({ blind: true, removal: 'coin', rounds: 2 }, 30));
    expectWithin(residue.mean, 0.2, 0.07);
    expectWithin(traffic.mean, 1.6, 0.05);
  });

  test('pull leaves 0.031, k = 1 (table 3)', () => {
    const { residue, traffic } = found(inCycles({ direction: 'pull', removal: 'reset-counter', rounds: 1 }, 10));
    expectWithin(residue.mean, 0.031, 0.2);
    expectWithin(traffic.mean, 2.7, 0.03);
  });

  test('a connection limit helps push and hurts pull', () => {
    const push = inCycles({ removal: 'reset-counter', rounds: 1 }, 10, { nodes: 500 });
    const pull = inCycles({ direction: 'pull', removal: 'reset-counter', rounds: 1 }, 5, { nodes: 500 });
    const residue = (setup: Setup): number => found(setup).residue.mean;
    expect(residue({ ...push, connectionLimit: 1 })).toBeLessThan(0.9 * residue(push));
    expect(residue({ ...pull, connectionLimit: 1 })).toBeGreaterThan(3 * residue(pull));
  });

  test('hunting makes push faster under a connection limit', () => {
    const push = inCycles({ removal: 'reset-counter', rounds: 2 }, 10, { connectionLimit: 1, nodes: 500 });
    expect(found({ ...push, hunt: 4 }).tLast.mean).toBeLessThan(found(push).tLast.mean - 1);
  });

  test('minimisation leaves a smaller residue', () => {
    const both = inCycles({ direction: 'push-pull', removal: 'counter', rounds: 2 }, 15, { nodes: 400 });
    expect(found({ ...both, minimised: true }).residue.mean).toBeLessThan(0.8 * found(both).residue.mean);
  });

  test('push alone spreads to 200 sites in log2 n + ln n cycles and about one', () => {
    const { tLast, residue } = found(pittelSetup(200));
    expect(residue.mean).toBe(0);
    expect(Math.abs(tLast.mean - pittel(200) - 1)).toBeLessThan(0.7);
  });

  test('anti-entropy by push-pull is done sooner than by pull, and that than by push', () => {
    const cycles = (direction: 'push' | 'pull' | 'push-pull'): number =>
      found({ ...entropySetup(direction, 100), runs: 15 }).tLast.mean;
    expect(cycles('push-pull')).toBeLessThan(cycles('pull') - 1);
    expect(cycles('pull')).toBeLessThan(cycles('push') - 1);
  });
});

describe('how it is counted', () => {
  const options = {
    protocol: rumor({ eager: false, gc: false, removal: 'reset-counter', rounds: 2 }),
    nodes: 200,
    deltaMs: 500,
    level: 1,
  };

  test('a crowd that has spread other updates before does the very same as a new one', () => {
    const used = new CycleCrowd(options);
    for (let run = 1; run <= 5; run++) used.spread(seededRandom(run));
    expect(used.spread(seededRandom(6), true)).toEqual(new CycleCrowd(options).spread(seededRandom(6), true));
  });

  test('so it does under loss, pull and limits', () => {
    for (const more of [
      { loss: 0.3 },
      { connectionLimit: 1, hunt: 2 },
      { protocol: rumor({ eager: false, direction: 'push-pull', rounds: 2 }), minimisation: { resets: false } },
    ]) {
      const used = new CycleCrowd({ ...options, ...more });
      for (let run = 1; run <= 3; run++) used.spread(seededRandom(run));
      expect(used.spread(seededRandom(4))).toEqual(new CycleCrowd({ ...options, ...more }).spread(seededRandom(4)));
    }
  });

  test('a stand-in for one of the others is as good as a list of all their names', () => {
    const summaries = [true, false].map((fullView) => {
      const crowd = new CycleCrowd({ ...options, fullView });
      return summarise(Array.from({ length: 60 }, (_, run) => figuresOf(crowd.spread(seededRandom(run)))));
    });
    const [full, drawn] = summaries.map(({ residue, traffic }) => ({ residue, traffic }));
    if (full === undefined || drawn === undefined) return;
    expect(Math.abs(full.traffic.mean - drawn.traffic.mean)).toBeLessThan(
      3 * (full.traffic.error + drawn.traffic.error),
    );
    expect(Math.abs(full.residue.mean - drawn.residue.mean)).toBeLessThan(
      3 * (full.residue.error + drawn.residue.error),
    );
    expectWithin(drawn.traffic.mean, full.traffic.mean, 0.03);
  });

  test('a block of runs is the same wherever it is run', () => {
    for (const synchronous of [true, false]) {
      const setup = { ...lossSetup('rumor', 0.1), nodes: 20, runs: 55, synchronous };
      expect([...runBlock(setup, 1)]).toEqual([...runAll(setup)].slice(50));
    }
  });

  test('shares add up to one at every time, and nobody who lost interest is susceptible again', () => {
    const runs = [...runAll(inCycles({ removal: 'reset-counter', rounds: 1 }, 5, { nodes: 100 }))];
    const { susceptible, infective, removed } = curvesOf(runs, true);
    for (const [index, { mean }] of susceptible.entries())
      expect(mean + (infective[index]?.mean ?? 0) + (removed[index]?.mean ?? 0)).toBeCloseTo(1, 10);
    for (let i = 1; i < removed.length; i++)
      expect(removed[i]?.mean ?? 0).toBeGreaterThanOrEqual(removed[i - 1]?.mean ?? 1);
  });
});

describe('by their own clocks', () => {
  test.each(['entropy', 'hybrid'] as const)('%s brings everything to everybody, though half of all is lost', (name) => {
    expect(found({ ...lossSetup(name, 0.5), nodes: 20, runs: 5 }).residue.mean).toBe(0);
  });

  test('an eager rumor needs a fraction of a cycle, and one that is not eager many', () => {
    const rumorOf = (eager: boolean): Setup => ({
      ...lossSetup('rumor', 0),
      protocol: { name: 'rumor', options: { eager } },
      runs: 10,
    });
    expect(found(rumorOf(true)).tAvg.mean).toBeLessThan(0.3);
    expect(found(rumorOf(false)).tAvg.mean).toBeGreaterThan(3);
  });

  test('catching up on 50 of 5,000 sends 50 updates and less than three bytes a gap beside them', () => {
    for (const where of ['newest', 'scattered'] as const) {
      const { sent, bytes, updateBytes, equal } = catchUp({ total: 5000, missing: 50, where, seed: 1 });
      expect([sent, equal]).toEqual([50, true]);
      expect(bytes - updateBytes).toBeLessThan(150 + 3 * 50);
    }
  });
});

function expectWithin(actual: number, expected: number, tolerance: number): void {
  expect(Math.abs(actual / expected - 1)).toBeLessThanOrEqual(tolerance);
}

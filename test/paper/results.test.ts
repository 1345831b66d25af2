/**
 * The figures of docs/papers.md, as `npm run papers` wrote them down: where they must agree with the papers, they do.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { renderPage } from './page.ts';
import { analyticResidue, experiments, pittel, pittelSites, SEED, table1, table2, table3 } from './plan.ts';
import type { Results } from './results.ts';
import type { SwimResults } from './swim-results.ts';

const docs = join(__dirname, '../../docs');
const results = JSON.parse(readFileSync(join(docs, 'papers/results.json'), 'utf8')) as Results;
const swimResults = JSON.parse(readFileSync(join(docs, 'papers/swim.json'), 'utf8')) as SwimResults;

describe('the figures of docs/papers.md', () => {
  test('are of the whole plan, by its seed', () => {
    expect(results.seed).toBe(SEED);
    const runs = (all: Iterable<[string, { readonly runs: number }]>): Record<string, number> =>
      Object.fromEntries([...all].map(([key, each]) => [key, each.runs]));
    expect(runs(Object.entries(results.summaries))).toEqual(runs(experiments()));
  });

  test('stand on the page as they were found', () => {
    expect(readFileSync(join(docs, 'papers.md'), 'utf8')).toBe(renderPage(results, swimResults));
  });

  test.each(table1)('table 1, k = $k: s, m and t_last within 5 %, of at least 200 runs', ({ k, s, m, tLast }) => {
    const ours = summaryOf(`table1-${k}`);
    expect(ours.runs).toBeGreaterThanOrEqual(200);
    expectWithin(ours.residue.mean, s, 0.05);
    expectWithin(ours.traffic.mean, m, 0.05);
    expectWithin(ours.tLast.mean, tLast, 0.05);
  });

  test.each(table1)('the cumulative counter follows its equation within 5 %, k = $k', ({ k }) => {
    expectWithin(summaryOf(`cumulative-${k}`).residue.mean, analyticResidue(k), 0.05);
  });

  test.each(table2)('table 2, k = $k: m and t_last within 5 %, s within 15 %', ({ k, s, m, tLast }) => {
    const ours = summaryOf(`table2-${k}`);
    expectWithin(ours.residue.mean, s, 0.15);
    expectWithin(ours.traffic.mean, m, 0.05);
    expectWithin(ours.tLast.mean, tLast, 0.05);
  });

  test.each(table3)('table 3, k = $k: m, t_avg and t_last within 5 %', ({ k, m, tAvg, tLast }) => {
    const ours = summaryOf(`table3-${k}`);
    expectWithin(ours.traffic.mean, m, 0.05);
    expectWithin(ours.tAvg.mean, tAvg, 0.05);
    expectWithin(ours.tLast.mean, tLast, 0.05);
  });

  test('push spreads in log2 n + ln n + O(1) cycles', () => {
    for (const n of pittelSites)
      expect(Math.abs(summaryOf(`pittel-${n}`).tLast.mean - pittel(n) - 1)).toBeLessThan(1.5);
  });

  test('catching up sends what is missing, and nothing else', () => {
    for (const { missing, sent, equal, bytes, updateBytes } of results.catchingUp) {
      expect([sent, equal]).toEqual([missing, true]);
      expect(bytes - updateBytes).toBeLessThan(150 + 3 * missing);
    }
  });
});

function summaryOf(key: string): Results['summaries'][string] {
  return results.summaries[key] as Results['summaries'][string];
}

function expectWithin(actual: number, expected: number, tolerance: number): void {
  expect(Math.abs(actual / expected - 1)).toBeLessThanOrEqual(tolerance);
}

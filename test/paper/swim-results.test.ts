/**
 * The figures of SWIM in docs/papers.md, as `npm run papers` wrote them down, against the bounds that they must keep.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  anomalies,
  cutNodes,
  cutWays,
  joinNodes,
  loadNodes,
  losses,
  SWIM_SEED,
  swimExperiments,
  type Way,
  ways,
  waysOf,
} from './swim-plan.ts';
import {
  deaths,
  estimate,
  falsePositives,
  healingsOf,
  joinsOf,
  loadOf,
  PERIOD_MS,
  quietHours,
  spreadBoundMs,
  spreads,
  type SwimResults,
} from './swim-results.ts';

const results = JSON.parse(readFileSync(join(__dirname, '../../docs/papers/swim.json'), 'utf8')) as SwimResults;

test('are of the whole plan, by its seed', () => {
  expect(results.seed).toBe(SWIM_SEED);
  expect(results.findings.map(({ kind, setup }) => ({ kind, setup }))).toEqual(swimExperiments());
});

test('a lost machine is first detected within 1.6 periods on average', () => {
  const all = losses.flatMap(([nodes]) => deaths(results, nodes));
  expect(estimate(all.map(({ unanswered }) => unanswered / PERIOD_MS)).mean).toBeLessThanOrEqual(1.6);
});

test.each(losses)('of %d nodes, all know of a death within the bound', (nodes) => {
  expect(estimate(spreads(results, nodes)).mean).toBeLessThanOrEqual(spreadBoundMs(nodes));
});

test('the load per member is flat within ±10 %', () => {
  const first = loadOf(results, loadNodes[0] as number);
  for (const nodes of loadNodes)
    for (const key of ['messages', 'bytes'] as const)
      expect(Math.abs(loadOf(results, nodes)[key] / first[key] - 1)).toBeLessThanOrEqual(0.1);
});

test('false positives at healthy members are 50 times fewer with Lifeguard', () => {
  const sum = (way: Way, by: Way): number =>
    anomalies
      .filter((anomaly) => waysOf(anomaly).includes(by))
      .reduce((all, anomaly) => all + falsePositives(results, anomaly, way).atHealthy, 0);
  const [bare, lifeguard] = ways as [Way, Way];
  expect(sum(bare, lifeguard)).toBeGreaterThan(500);
  expect(sum(lifeguard, lifeguard)).toBeLessThanOrEqual(sum(bare, lifeguard) / 50);
});

test('nobody is taken for dead in 1,000 node-hours under loss', () => {
  expect(quietHours(results)).toMatchObject({ nodeHours: 1000, downs: 0 });
});

test('all know each other ten seconds after they were started', () => {
  for (const nodes of joinNodes)
    for (const withinMs of [0, 2000]) expect(Math.max(...joinsOf(results, nodes, withinMs))).toBeLessThan(10_000);
});

test('a cut heals within 70 s', () => {
  for (const [nodes] of cutNodes)
    for (const way of cutWays) expect(Math.max(...healingsOf(results, nodes, way))).toBeLessThanOrEqual(70_000);
});

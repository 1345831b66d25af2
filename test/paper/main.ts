/**
 * The papers as experiments: runs the plan and writes docs/papers.md, its charts and docs/papers/results.json.
 *
 * Run from the top of the repository by `npm run papers`; with `-- --page` only the page and the charts are made anew, of
 * the results that are there; with `-- --swim` only the experiments with SWIM are run.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { catchUp, curvesOf, figuresOf, runAll, summarise, type Summary } from '@grapevine/sim';
import { runInPool } from '@grapevine/sim/pool';
import { runSwimInPool } from '@grapevine/sim/swim-pool';
import { charts } from './charts.ts';
import { renderPage } from './page.ts';
import { experiments, HELD_UPDATES, missingUpdates, SEED, table1Setup } from './plan.ts';
import type { Results } from './results.ts';
import { swimCharts } from './swim-charts.ts';
import { SWIM_SEED, swimExperiments } from './swim-plan.ts';
import type { SwimResults } from './swim-results.ts';

const docs = join(resolve(), 'docs');
const folder = join(docs, 'papers');
const resultsFile = join(folder, 'results.json');
const swimFile = join(folder, 'swim.json');
const asked = (flag: string): boolean => process.argv.includes(flag);

mkdirSync(folder, { recursive: true });
if (!asked('--page')) {
  if (!asked('--swim')) writeFileSync(resultsFile, `${JSON.stringify(await run(), rounded, 1)}\n`);
  writeFileSync(swimFile, `${JSON.stringify(await runSwim(), rounded)}\n`);
}
const results = JSON.parse(readFileSync(resultsFile, 'utf8')) as Results;
const swimResults = JSON.parse(readFileSync(swimFile, 'utf8')) as SwimResults;
for (const [name, svg] of [...charts(results), ...swimCharts(swimResults)])
  writeFileSync(join(folder, `${name}.svg`), svg);
writeFileSync(join(docs, 'papers.md'), renderPage(results, swimResults));

async function runSwim(): Promise<SwimResults> {
  const plan = swimExperiments();
  const findings = await runSwimInPool(plan, (done) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${plan.length} experiments with SWIM`);
  });
  return { seed: SWIM_SEED, node: process.version, findings };
}

async function run(): Promise<Results> {
  const plan = experiments();
  const all = [...plan.values()].reduce((sum, { runs }) => sum + runs, 0);
  const figures = await runInPool([...plan.values()], figuresOf, (done) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${all} runs`);
  });
  const summaries: Record<string, Summary> = {};
  for (const [index, key] of [...plan.keys()].entries()) summaries[key] = summarise(figures[index] ?? []);
  const courses = [1, 2].map((k) => [`k${k}`, curvesOf([...runAll({ ...table1Setup(k), runs: 100 })], true)] as const);
  const catchingUp = (['newest', 'scattered'] as const).flatMap((where) =>
    missingUpdates
      .filter((missing) => missing > 0 || where === 'newest')
      .map((missing) => {
        const setup = { total: HELD_UPDATES, missing, where, seed: SEED };
        return { ...setup, ...catchUp(setup) };
      }),
  );
  return { seed: SEED, node: process.version, summaries, curves: Object.fromEntries(courses), catchingUp };
}

/** Six digits are more than any experiment is sure of. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

/**
 * The benchmarks: each runs ours and its peers in turn and writes its section of docs/benchmarks.md or docs/benchmarks-growth.md.
 *
 * Run from the top of the repository by `npm run bench`.
 */
import { cpus, loadavg } from 'node:os';
import { join as joinPath, resolve } from 'node:path';
import { burst } from './burst.ts';
import { pass } from './clock.ts';
import { cold } from './cold.ts';
import { readCommandLine } from './command-line.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { join } from './join.ts';
import { latency } from './latency.ts';
import { crowd, membership } from './membership.ts';
import { memory } from './memory.ts';
import { million } from './million.ts';
import { networks } from './networks.ts';
import { provenanceOf, render, type Section, writeSection } from './page.ts';
import { redisVersion } from './redis-server.ts';
import { sealing } from './sealing.ts';
import { type Settings, settingsFrom, usage } from './settings.ts';

const benchmarks: Readonly<Record<string, (settings: Settings) => Promise<Section>>> = {
  burst,
  latency,
  idle,
  join,
  sealing,
  memory,
  cold,
  membership,
  crowd,
  networks,
  growth,
  million,
};

/** How long other things are watched before a section. */
const LOOK_MS = 1000;

const settings = readCommandLine(usage, (args) => settingsFrom(args, Object.keys(benchmarks)));
const docs = joinPath(resolve(), 'docs');
const [load = NaN] = loadavg();
const version = redisVersion();
const peers = version === null ? [] : [`redis-server ${version}`];
for (const name of settings.only) {
  const busyShare = await busyShareOf(LOOK_MS);
  const section = await (benchmarks[name] as (settings: Settings) => Promise<Section>)(settings);
  const provenance = provenanceOf({ ...settings, runs: section.runs ?? settings.runs, load, busyShare, peers });
  console.log(`\n${render(section, provenance)}\n`);
  if (!settings.quick) writeSection(docs, section, provenance);
}

/** How much of all processors is taken in the next `ms`, in which nothing of ours runs: from 0 to 1. */
async function busyShareOf(ms: number): Promise<number> {
  const read = (): readonly number[] => {
    const all = cpus().flatMap(({ times }) => Object.values(times));
    return [sumOf(cpus().map(({ times }) => times.idle)), sumOf(all)];
  };
  const [idleBefore = 0, allBefore = 0] = read();
  await pass(ms);
  const [idleAfter = 0, allAfter = 0] = read();
  return 1 - (idleAfter - idleBefore) / (allAfter - allBefore);
}

function sumOf(times: readonly number[]): number {
  return times.reduce((sum, time) => sum + time, 0);
}

/**
 * The benchmarks: each runs ours and the floor in turn and writes its section of docs/benchmarks.md.
 *
 * Run from the top of the repository by `npm run bench`.
 */
import { loadavg } from 'node:os';
import { join as joinPath, resolve } from 'node:path';
import { burst } from './burst.ts';
import { readCommandLine } from './command-line.ts';
import { idle } from './idle.ts';
import { join } from './join.ts';
import { latency } from './latency.ts';
import { crowd, membership } from './membership.ts';
import { memory } from './memory.ts';
import { networks } from './networks.ts';
import { provenanceOf, render, type Section, writeSection } from './page.ts';
import { type Settings, settingsFrom, usage } from './settings.ts';

const benchmarks: Readonly<Record<string, (settings: Settings) => Promise<Section>>> = {
  burst,
  latency,
  idle,
  join,
  memory,
  membership,
  crowd,
  networks,
};

const settings = readCommandLine(usage, (args) => settingsFrom(args, Object.keys(benchmarks)));
const page = joinPath(resolve(), 'docs', 'benchmarks.md');
const [load = NaN] = loadavg();
for (const name of settings.only) {
  const section = await (benchmarks[name] as (settings: Settings) => Promise<Section>)(settings);
  const provenance = provenanceOf({ ...settings, runs: section.runs ?? settings.runs, load });
  console.log(`\n${render(section, provenance)}\n`);
  if (!settings.quick) writeSection(page, section, provenance);
}

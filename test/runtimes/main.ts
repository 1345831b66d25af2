/**
 * `npm run runtimes`: what works on which runtime, seen by doing it, and the table of docs/runtimes.md.
 *
 * Run from the top of the repository, built. Each runtime plays alone, then some together. The exit code is 0 if all that
 * could be run works, or is refused as it should be; what could not be run is told with the reason.
 */
import { arch, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { readCommandLine, someOf } from '../bench/command-line.ts';
import { bundleRows, bundles, pins } from './bundles.ts';
import { removeProject } from '../packages/project.ts';
import { makePlace, play } from './matrix.ts';
import { type Column, render, type Skipped, writePage } from './page.ts';
import { folderIn, mixed, mixedTitle, obtain, type Runtime, specs, titleOf } from './runtimes.ts';
import { rows, scenarios } from './scenarios.ts';

const casts = [...specs.map(({ id }) => id), 'mixed', 'bundles'];

const usage = `npm run runtimes -- [options]
  --only node-22,mixed,…   some of: ${casts.join(', ')}
  --short                  what CI has minutes for: each runtime alone, a part of the scenarios
  --obtain                 only install them; prints what each is run with, or why it cannot be had, as JSON

The page is written when all was run, and nothing failed.`;

interface Arguments {
  readonly only: readonly string[];
  readonly short: boolean;
  readonly obtain: boolean;
}

const root = resolve();
const folder = folderIn(root);

function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      obtain: { type: 'boolean', default: false },
    },
  });
  const only = values.only === undefined ? casts : someOf('cast', values.only, casts);
  const { short } = values;
  return { only: only.filter((id) => !short || (id !== 'mixed' && id !== 'bundles')), short, obtain: values.obtain };
}

/** Those that these casts need. @returns of each how it is run, or why it cannot be had */
async function obtainAll(only: readonly string[]): Promise<Map<string, Runtime | string>> {
  const needed = new Set(only.flatMap((id) => (id === 'mixed' ? mixed : id === 'bundles' ? ['node-24', 'bun'] : id)));
  const wanted = specs.filter(({ id }) => needed.has(id));
  return new Map(await Promise.all(wanted.map(async (spec) => [spec.id, await obtain(spec, folder)] as const)));
}

async function main({ only, short, obtain: isToObtain }: Arguments): Promise<void> {
  const had = await obtainAll(only);
  if (isToObtain) {
    say(JSON.stringify(Object.fromEntries(had)));
    return;
  }
  const skipped: Skipped[] = [];
  const columns: Column[] = [];
  const failures: string[] = [];
  const runtimes = new Map<string, Runtime>();
  for (const spec of specs) {
    const runtime = had.get(spec.id);
    if (typeof runtime === 'string') skipped.push({ title: titleOf(spec), reason: runtime });
    else if (runtime !== undefined) runtimes.set(spec.id, runtime);
  }
  for (const { title, reason } of skipped) say(`${title}: skipped, ${reason}`);

  const place = makePlace(root);
  process.on('exit', () => removeProject(place));
  const onStage = async (title: string, cast: readonly Runtime[]): Promise<void> => {
    const result = await play({
      project: place.folder,
      cast,
      scenarios: scenarios.filter((scenario) => !short || scenario.short),
      onRow: ({ id }, outcome) => say(`${title}: ${id}: ${outcome}`),
      onScenario: (tookMs) => say(`${title}: ${(tookMs / 1000).toFixed(1)} s`),
    });
    columns.push({ title, outcomes: result.outcomes });
    failures.push(...result.failures);
  };
  for (const spec of specs) {
    const runtime = runtimes.get(spec.id);
    if (only.includes(spec.id) && runtime !== undefined) await onStage(titleOf(spec), [runtime, runtime]);
  }
  if (only.includes('mixed')) {
    const cast = mixed.flatMap((id) => runtimes.get(id) ?? []);
    if (cast.length === mixed.length) await onStage(mixedTitle, cast);
    else skipped.push({ title: mixedTitle, reason: 'not all of them can be had' });
  }
  const bundled = only.includes('bundles') ? await bundles({ project: place.folder, folder, runtimes, say }) : null;
  failures.push(...(bundled?.failures ?? []));

  const text = render({
    tables: [{ rows, columns }, ...(bundled === null ? [] : [{ rows: bundleRows, columns: bundled.columns }])],
    skipped: [...skipped, ...(bundled?.skipped ?? [])],
    provenance: [
      `\`npm run runtimes\` · ${platform()} ${arch()}`,
      ...pins.map(({ name, version }) => `${name} ${version}`),
      new Date().toISOString().slice(0, 10),
    ].join(' · '),
  });
  if (failures.length === 0 && only.length === casts.length) writePage(join(root, 'docs', 'runtimes.md'), text);
  else say(`\n${text}`);
  for (const failure of failures) process.stderr.write(`\n${failure}\n`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Agents are killed when this process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main(readCommandLine(usage, readArguments));

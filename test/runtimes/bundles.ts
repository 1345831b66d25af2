/**
 * Bundles: one file, or one program, that holds Grapevine and all it needs, run where no `node_modules` is near.
 *
 * Invariant: a bundle works when two nodes in it have met; one that must not work has failed in the way that the row names.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Column, Skipped } from './page.ts';
import type { Runtime } from './runtimes.ts';
import { type Row, works } from './scenarios.ts';

const run = promisify(execFile);

export const pins: readonly { readonly name: string; readonly version: string }[] = [
  { name: 'esbuild', version: '0.28.2' },
  { name: 'rolldown', version: '1.3.3' },
  { name: '@vercel/ncc', version: '0.45.0' },
  { name: 'postject', version: '1.0.0-alpha.6' },
];

/** The line that ws and pino need in an ES module of esbuild: they call `require`, which is none there. */
export const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

interface Bundle extends Row {
  /** The runtime that bundles, or runs what was bundled. */
  readonly on: string;
  /** How the failure reads, of one that must fail. */
  readonly fails?: string;
  /** Makes it in `folder`. @returns how to run it */
  readonly make: (tools: Tools) => Promise<readonly string[]>;
}

interface Tools {
  readonly entry: string;
  readonly folder: string;
  /** The program of the runtime. */
  readonly program: string;
  /** Runs a tool of the bundlers' folder with the runtime, by its path there. */
  readonly tool: (path: string, ...args: readonly string[]) => Promise<void>;
}

const esbuild = 'esbuild/bin/esbuild';

const all: readonly Bundle[] = [
  {
    id: 'esbuild-esm',
    title: `esbuild, ES module, with \`--banner:js="${banner}"\``,
    on: 'node-24',
    make: async ({ entry, folder, program, tool }) => {
      const file = join(folder, 'app.mjs');
      const args = ['--bundle', '--platform=node', '--format=esm', `--banner:js=${banner}`, `--outfile=${file}`];
      await tool(esbuild, entry, ...args);
      return [program, file];
    },
  },
  {
    id: 'esbuild-esm-bare',
    title: 'esbuild, ES module, without that line',
    on: 'node-24',
    fails: 'Dynamic require of',
    make: async ({ entry, folder, program, tool }) => {
      const file = join(folder, 'app.mjs');
      await tool(esbuild, entry, '--bundle', '--platform=node', '--format=esm', `--outfile=${file}`);
      return [program, file];
    },
  },
  {
    id: 'esbuild-cjs',
    title: 'esbuild, CommonJS',
    on: 'node-24',
    make: async ({ entry, folder, program, tool }) => {
      const file = join(folder, 'app.cjs');
      await tool(esbuild, entry, '--bundle', '--platform=node', '--format=cjs', `--outfile=${file}`);
      return [program, file];
    },
  },
  {
    id: 'rolldown',
    title: 'rolldown, ES module (`--platform node`)',
    on: 'node-24',
    make: async ({ entry, folder, program, tool }) => {
      const file = join(folder, 'app.mjs');
      await tool('rolldown/bin/cli.mjs', entry, '--platform', 'node', '--format', 'esm', '--file', file);
      return [program, file];
    },
  },
  {
    id: 'ncc',
    title: 'ncc (`ncc build`)',
    on: 'node-24',
    make: async ({ entry, folder, program, tool }) => {
      const out = join(folder, 'out');
      await tool('@vercel/ncc/dist/ncc/cli.js', 'build', entry, '-o', out);
      const module = join(out, 'index.mjs');
      return [program, existsSync(module) ? module : join(out, 'index.js')];
    },
  },
  {
    id: 'single-node',
    title: 'a single executable of Node.js, from the CommonJS bundle',
    on: 'node-24',
    make: async ({ entry, folder, program, tool }) => {
      const [main, output, app] = ['app.cjs', 'app.blob', 'app'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      await tool(esbuild, entry, '--bundle', '--platform=node', '--format=cjs', `--outfile=${main}`);
      const config = join(folder, 'sea.json');
      writeFileSync(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
      await run(program, ['--experimental-sea-config', config]);
      copyFileSync(program, app);
      const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
      await tool('postject/dist/cli.js', app, 'NODE_SEA_BLOB', output, '--sentinel-fuse', fuse);
      return [app];
    },
  },
  {
    id: 'single-bun',
    title: 'a single executable of Bun (`bun build --compile`)',
    on: 'bun',
    make: async ({ entry, folder, program }) => {
      const app = join(folder, 'app');
      await run(program, ['build', '--compile', entry, '--outfile', app], { cwd: folder });
      return [app];
    },
  },
];

export const bundleRows: readonly Row[] = all;

export interface Bundled {
  readonly columns: readonly Column[];
  readonly skipped: readonly Skipped[];
  readonly failures: readonly string[];
}

export async function bundles({
  project,
  folder,
  runtimes,
  say,
}: {
  readonly project: string;
  readonly folder: string;
  readonly runtimes: ReadonlyMap<string, Runtime>;
  readonly say: (line: string) => void;
}): Promise<Bundled> {
  const outcomes = new Map<string, string>();
  const skipped: Skipped[] = [];
  const failures: string[] = [];
  const place = join(folder, `bundlers-${pins.map(({ version }) => version).join('-')}`);
  if (!existsSync(join(place, 'node_modules', esbuild))) {
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'package.json'), '{ "private": true }\n');
    const packages = pins.map(({ name, version }) => `${name}@${version}`);
    await run('npm', ['install', '--prefix', place, '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
      cwd: place,
    });
  }
  for (const { id, title, on, fails, make } of all) {
    const runtime = runtimes.get(on);
    if (runtime === undefined) {
      skipped.push({ title, reason: `it needs ${on}, which was not to be had or not asked for` });
      continue;
    }
    const program = runtime.command[0] as string;
    const scratch = mkdtempSync(join(tmpdir(), 'grapevine-bundle-'));
    const tool = async (path: string, ...args: readonly string[]): Promise<void> => {
      await run(program, [join(place, 'node_modules', path), ...args], { cwd: scratch });
    };
    try {
      const entry = join(project, 'bundled.mjs');
      const [command, ...args] = await make({ entry, folder: scratch, program, tool });
      const ended = await run(command as string, args, { cwd: scratch, timeout: 30_000 }).catch((error: unknown) => {
        if (fails === undefined || !String((error as { stderr?: string }).stderr).includes(fails)) throw error;
        return null;
      });
      if ((ended === null) !== (fails !== undefined)) throw new Error('it works, though it should not');
      if (ended !== null && ended.stdout !== 'met\n') throw new Error(`it said ${ended.stdout}${ended.stderr}`);
      outcomes.set(id, fails === undefined ? works : `fails: ${fails} …`);
    } catch (error) {
      const { stderr = '' } = error as { readonly stderr?: string };
      failures.push(`${id}: ${String((error as Error).stack)}\n${stderr}`);
      outcomes.set(id, '**fails**');
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    say(`bundles: ${id}: ${outcomes.get(id)}`);
  }
  return { columns: [{ title: 'two nodes in it', outcomes }], skipped, failures };
}

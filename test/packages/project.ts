/**
 * Empty projects outside of the workspace with the packed tarballs installed in them: what a user gets.
 *
 * Each project gets only what it names and what that needs, so that a dependency missing in a manifest is missing here. An
 * installation is bounded in time. Where the registry cannot be reached there is no project, and the reason why.
 */
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { closureOf, packagesOf } from './workspace.ts';

export const root = resolve();
export const workspacePackages = packagesOf(root);

const npmWithinMs = 120_000;

let tarballFolder: string | undefined;

/** @returns the tarballs of this build by the name of their package, packed if no test has packed them yet */
export function tarballs(): ReadonlyMap<string, string> {
  tarballFolder ??= execFileSync(process.execPath, ['node_modules/.cache/grapevine-pack/main.js'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const folder = tarballFolder;
  return new Map(
    workspacePackages.map(({ manifest: { name, version } }) => [
      name,
      join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
    ]),
  );
}

export interface ProjectOptions {
  /** Packages of ours. What they need of ours comes with them. */
  readonly ours: readonly string[];
  /** Others by name, with their version. @default none */
  readonly others?: Readonly<Record<string, string>>;
  /** @default 'module' */
  readonly type?: 'module' | 'commonjs';
}

export type Project =
  | { readonly folder: string; readonly hindrance: null }
  | { readonly folder: null; readonly hindrance: string };

/**
 * Makes a project in a new temporary folder and installs its packages.
 * @throws when the installation fails for another reason than a registry that cannot be reached
 */
export function makeProject({ ours, others = {}, type = 'module' }: ProjectOptions): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'grapevine-project-')));
  const files = [...closureOf(ours, workspacePackages)].map((name) => [name, `file:${tarballs().get(name)}`] as const);
  const manifest = { name: 'project', private: true, type, dependencies: { ...Object.fromEntries(files), ...others } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  const installed = npm(folder, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
  if (installed.status === 0) return { folder, hindrance: null };
  // Of a registry that cannot be reached npm may say that peer dependencies conflict: so it is asked something else.
  const asked = npm(folder, 'view', 'nact@7.6.2', 'version', '--prefer-online');
  rmSync(folder, { recursive: true });
  if (asked.status === 0)
    throw new Error(`npm install failed (${installed.signal ?? installed.status}):\n${installed.stderr}`);
  const [, code] = /npm error code (\w+)/.exec(asked.stderr) ?? [];
  return { folder: null, hindrance: `the npm registry cannot be reached: ${asked.signal ?? code ?? asked.status}` };
}

/** Runs npm, for a bounded time. Settings of the workspace reach it by the environment, as `npm run` passes them on. */
function npm(folder: string, ...words: readonly string[]): SpawnSyncReturns<string> {
  const bounds = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=30000'];
  return spawnSync('npm', [...words, '--no-engine-strict', ...bounds], {
    cwd: folder,
    encoding: 'utf8',
    timeout: npmWithinMs,
  });
}

/** Ends a project. */
export function removeProject({ folder }: Project): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
}

/** @returns what a package of ours holds, relative to it, in a project that has it */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}

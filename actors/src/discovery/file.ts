/**
 * Discovery by a file: one URL a line, or a JSON array of texts. Whoever can write a file can say where nodes are.
 *
 * Invariants
 *  1. A file that is not there finds nothing, and is picked up when it appears.
 *  2. A malformed line takes no other with it: the good ones are found, and it is said which line is wrong, and why.
 *  3. After its watch was stopped nobody is told of a change, and neither a timer nor a watcher is left.
 *
 * The directory is watched, not the file: editors replace files, and Kubernetes swaps a link beside it when a ConfigMap
 * changes. What a watch misses (a network file system, a link into another directory, a directory that was not there) is
 * noticed by reading the file every `intervalMs`; its content decides, not its times, which need not differ.
 */

import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import {
  fillOptions,
  GossipError,
  type OptionRules,
  show,
  optionsObject,
  throwViolations,
  type Violation,
  wholeNumber,
} from '@grapevine/core';

import { type Cancel, systemClock } from '../kernel/clock.ts';
import { urlProblem } from './node-url.ts';
import type { ReportingDiscovery } from './source.ts';

export interface ResolvedFileOptions {
  /** The file. Relative to the working directory of the process. Required. */
  readonly path: string;
  /**
   * How often the file is read where its watch says nothing, in milliseconds. Shorter notices sooner what a watch misses.
   * @default 5000
   */
  readonly intervalMs: number;
}

/** What `file` takes. */
export type FileOptions = Pick<ResolvedFileOptions, 'path'> & {
  readonly [Option in keyof ResolvedFileOptions]?: ResolvedFileOptions[Option] | undefined;
};

export const fileRules: OptionRules<ResolvedFileOptions> = {
  path: {
    check: (value) =>
      typeof value === 'string' && value !== '' && !value.includes('\0') ? undefined : 'must be the path of a file',
    default: '',
  },
  intervalMs: { check: wholeNumber('milliseconds', 1, 2 ** 31 - 1), default: 5000 },
};

/** A writer that empties a file and then fills it makes two events, and a busy directory many; one look serves them all. */
const settleMs = 50;

/**
 * Nodes by a file, watched for changes. Empty lines mean nothing, nor does what follows a `#` at the begin of a line or
 * after a space.
 * @returns a source whose `find` rejects with GossipError DISCOVERY_FAILED when the file cannot be read, or begins with
 *   `[` and is no JSON; what is wrong with single lines is in `problems()`, and logged by the node
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function file(stated: FileOptions): ReportingDiscovery {
  const violations: Violation[] = [];
  const given = optionsObject('', stated, Object.keys(fileRules), violations);
  const options = fillOptions('', given, fileRules, violations);
  if (given['path'] === undefined) violations.push({ path: 'path', problem: 'is required: the path of a file' });
  throwViolations(violations);
  return new UrlFile(options);
}

class UrlFile implements ReportingDiscovery {
  readonly name: string;
  readonly #options: ResolvedFileOptions;
  #problems: readonly GossipError[] = [];
  /** What the newest find read; `undefined` before the first. */
  #found: string | undefined;

  constructor(options: ResolvedFileOptions) {
    this.#options = options;
    this.name = `file ${options.path}`;
  }

  async find(): Promise<readonly string[]> {
    const { path } = this.#options;
    const text = await readText(path);
    this.#found = text;
    const { urls, problems } = parseUrls(path, text);
    this.#problems = problems;
    return urls;
  }

  problems(): readonly GossipError[] {
    return this.#problems;
  }

  watch(changed: () => void): () => void {
    const { path, intervalMs } = this.#options;
    // A file that cannot be read says so when it is asked; here it counts as one more content.
    const read = (): Promise<string> => readText(path).catch((error: GossipError) => `\0${error.message}`);
    const fileWatch = new FileWatch({ path, intervalMs, read, seen: this.#found, changed });
    return () => fileWatch.stop();
  }
}

interface FileWatchParts extends ResolvedFileOptions {
  readonly read: () => Promise<string>;
  readonly seen: string | undefined;
  readonly changed: () => void;
}

class FileWatch {
  readonly #parts: FileWatchParts;
  readonly #cancelPoll: Cancel;
  #cancelSettle: Cancel | null = null;
  #watcher: FSWatcher | null = null;
  /** What is no change: what the newest find read or, before any, what the first look reads. */
  #content: string | undefined;
  #isLooking = false;
  #isStopped = false;

  constructor(parts: FileWatchParts) {
    this.#parts = parts;
    this.#content = parts.seen;
    this.#cancelPoll = systemClock.every(parts.intervalMs, () => {
      this.#watchDirectory();
      this.#look();
    });
    this.#watchDirectory();
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelPoll();
    this.#cancelSettle?.();
    this.#watcher?.close();
    this.#watcher = null;
  }

  #watchDirectory(): void {
    if (this.#watcher !== null) return;
    try {
      const watcher = watch(dirname(this.#parts.path), { persistent: false }, () => this.#stirred());
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = null;
      });
      this.#watcher = watcher;
    } catch {
      // No such directory yet, or no watches left: the poll goes on, and tries this again.
    }
  }

  #stirred(): void {
    if (this.#isStopped || this.#cancelSettle !== null) return;
    this.#cancelSettle = systemClock.after(settleMs, () => {
      this.#cancelSettle = null;
      this.#look();
    });
  }

  #look(): void {
    // A read that is still under way began after whatever stirred, or the poll comes back to it.
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#parts.read().then((text) => {
      this.#isLooking = false;
      if (this.#isStopped) return;
      const before = this.#content ?? text;
      this.#content = text;
      if (text !== before) this.#parts.changed();
    });
  }
}

/** The file's text; none for a file that is not there. @throws GossipError DISCOVERY_FAILED */
async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw new GossipError('DISCOVERY_FAILED', `'${path}' cannot be read: ${unreadable(code, error)}.`, {
      context: { path, code },
      cause: error,
    });
  }
}

function unreadable(code: string | undefined, error: unknown): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'this process has not the right to';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return (error as Error).message;
  }
}

interface Parsed {
  readonly urls: readonly string[];
  readonly problems: readonly GossipError[];
}

/** @throws GossipError DISCOVERY_FAILED for JSON that is none */
function parseUrls(path: string, text: string): Parsed {
  const content = text.replace(/^\uFEFF/, '');
  const isJson = content.trimStart().startsWith('[');
  const entries = isJson ? jsonEntries(path, content) : lineEntries(content);
  const urls = new Set<string>();
  const problems: GossipError[] = [];
  for (const { place, value } of entries) {
    const problem = typeof value === 'string' ? urlProblem(value) : 'must be a text';
    if (problem === undefined) urls.add(value as string);
    else
      problems.push(
        new GossipError('DISCOVERY_FAILED', `'${path}', ${place}: ${show(value)} ${problem}.`, {
          context: { path, place },
        }),
      );
  }
  return { urls: [...urls], problems };
}

interface Entry {
  readonly place: string;
  readonly value: unknown;
}

function lineEntries(content: string): Entry[] {
  return content
    .split('\n')
    .map((line, index) => ({ place: `line ${index + 1}`, value: line.replace(/(^|\s)#.*$/, '').trim() }))
    .filter(({ value }) => value !== '');
}

function jsonEntries(path: string, content: string): Entry[] {
  try {
    // What begins with a bracket and is JSON is an array.
    const values = JSON.parse(content) as unknown[];
    return values.map((value, index) => ({ place: `entry ${index + 1}`, value }));
  } catch (error) {
    throw new GossipError(
      'DISCOVERY_FAILED',
      `'${path}' begins with '[' and is no JSON array of texts: ${(error as Error).message}.`,
      { context: { path }, cause: error },
    );
  }
}

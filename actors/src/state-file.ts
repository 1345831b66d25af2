/**
 * The state file: the URLs that a node tries at its next start beside its seeds, so that it finds its cluster again when
 * every seed has moved.
 *
 * Invariants
 *  1. The file is always whole: what is new is written beside it, forced to the disk and renamed over it.
 *  2. A file that was not understood is never overwritten: it is kept as `<path>.bad`, in place of a former one, and where
 *     that fails, nothing is written.
 *  3. One write at most is under way and one at most begins a second; the newest list wins, and one that is on the disk
 *     already is not written again.
 *  4. Nothing here throws at the node: without a state file it is as a node that starts for the first time.
 *
 * The list is of use, not of need: the directory is not forced to the disk, and a crash of the machine may lose the last
 * rename and leaves the list before it.
 *
 * Source: docs/operations.md, "Discovery".
 */

import { open, readFile, rename, rm } from 'node:fs/promises';

import { GossipError, show } from '@grapevine/core';

import { type Cancel, type Clock, systemClock } from './kernel/clock.ts';
import { harmless, type Logger } from './kernel/logger.ts';

export interface StateFileParts {
  readonly path: string;
  /** The label of the cluster: the URLs of another are of no use. */
  readonly cluster: string;
  /** Who writes. For people: a list that another node wrote is as good. */
  readonly node: string;
  readonly logger: Logger;
  /** @default systemClock */
  readonly clock?: Clock;
}

const version = 1;
const minIntervalMs = 1000;

export class StateFile {
  readonly #path: string;
  readonly #cluster: string;
  readonly #node: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** What shall be on the disk, as text; `null` before the first `write`. */
  #wanted: string | null = null;
  /** What is there by our own hand. */
  #written: string | null = null;
  #nextAtMs = -Infinity;
  #cancelTimer: Cancel | null = null;
  #underWay: { readonly text: string; readonly end: Promise<void> } | null = null;
  /** What has failed since the last success, by its cause. */
  readonly #told = new Set<string>();
  #mayWrite = true;

  constructor({ path, cluster, node, logger, clock = systemClock }: StateFileParts) {
    this.#path = path;
    this.#cluster = cluster;
    this.#node = node;
    this.#logger = harmless(logger);
    this.#clock = clock;
  }

  /**
   * What was remembered, most useful first. Comes before the first `write`.
   * @returns nothing where there is no file yet, or one that is of no use: that is logged, and the file kept as `<path>.bad`
   */
  async read(): Promise<readonly string[]> {
    try {
      return parse(await readFile(this.#path, 'utf8'), this.#cluster);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      await this.#setAside(error instanceof Unusable ? error.message : reasonOf(error), error);
      return [];
    }
  }

  /** Remembers these from now on, most useful first. Returns at once. */
  write(urls: readonly string[]): void {
    const content = { version, cluster: this.#cluster, node: this.#node, urls };
    this.#wanted = `${JSON.stringify(content, null, 2)}\n`;
    this.#schedule();
  }

  /** Writes what waits, now. @returns when nothing waits and nothing is under way, written or not */
  async flush(): Promise<void> {
    this.#unschedule();
    const underWay = this.#underWay;
    await underWay?.end;
    // The end of that write may have planned another. One that failed just now would fail again.
    this.#unschedule();
    if (this.#underWay === null && this.#isDue() && this.#wanted !== underWay?.text) this.#begin();
    await this.#underWay?.end;
    this.#unschedule();
  }

  #isDue(): boolean {
    return this.#mayWrite && this.#wanted !== null && this.#wanted !== this.#written;
  }

  #schedule(): void {
    if (this.#underWay !== null || this.#cancelTimer !== null || !this.#isDue()) return;
    const waitMs = this.#nextAtMs - this.#clock.now();
    if (waitMs <= 0) {
      this.#begin();
      return;
    }
    this.#cancelTimer = this.#clock.after(waitMs, () => {
      this.#cancelTimer = null;
      if (this.#isDue()) this.#begin();
    });
  }

  #unschedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #begin(): void {
    const text = this.#wanted as string;
    this.#nextAtMs = this.#clock.now() + minIntervalMs;
    const end = this.#replace(text).then(() => {
      this.#underWay = null;
      // One that failed is tried again with the next change: a full disk is not asked every second.
      if (this.#wanted !== text) this.#schedule();
    });
    this.#underWay = { text, end };
  }

  async #replace(text: string): Promise<void> {
    // One name for all: what a crash left behind is swept by the next write.
    const beside = `${this.#path}.tmp`;
    try {
      await rm(beside, { force: true });
      await writeThrough(beside, text);
      await rename(beside, this.#path);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {});
      this.#failed(error);
      return;
    }
    this.#written = text;
    if (this.#told.size > 0) this.#logger.info({ path: this.#path }, `The state file '${this.#path}' is written again`);
    this.#told.clear();
  }

  #failed(cause: unknown): void {
    const code = codeOf(cause);
    const told = code ?? String(cause);
    const error = new GossipError(
      'STATE_FILE_FAILED',
      `The state file '${this.#path}' cannot be written: ${reasonOf(cause)}. ${cureOf(code)} The next change is tried again.`,
      { context: { path: this.#path, code }, cause },
    );
    this.#logger[this.#told.has(told) ? 'debug' : 'warn']({ err: error, node: this.#node }, error.message);
    this.#told.add(told);
  }

  async #setAside(reason: string, cause: unknown): Promise<void> {
    const aside = `${this.#path}.bad`;
    let kept = `It is kept as '${aside}'.`;
    try {
      // Somebody's directory is not ours to move.
      if (codeOf(cause) === 'EISDIR') throw cause;
      await rename(this.#path, aside);
    } catch (error) {
      this.#mayWrite = false;
      kept = `It cannot be kept as '${aside}' (${reasonOf(error)}), so nothing is written: move it, and start anew.`;
    }
    const error = new GossipError(
      'STATE_FILE_FAILED',
      `The state file '${this.#path}' is of no use: ${reason}. This node starts with its seeds alone. ${kept}`,
      { context: { path: this.#path, code: codeOf(cause) }, cause },
    );
    this.#logger.warn({ err: error, node: this.#node }, error.message);
  }
}

/** What was read is no list for this node. */
class Unusable extends Error {}

/** @throws Unusable */
function parse(text: string, cluster: string): readonly string[] {
  const content = parseJson(text);
  if (typeof content !== 'object' || content === null || !('version' in content))
    throw new Unusable('it is no object with a version');
  const { version: found, cluster: label, urls } = content as Record<'version' | 'cluster' | 'urls', unknown>;
  if (Number.isInteger(found) && (found as number) > version)
    throw new Unusable(`a newer release wrote it, in version ${String(found)} where this one reads ${version}`);
  if (found !== version) throw new Unusable(`its version is ${show(found)}, and must be ${version}`);
  if (typeof label !== 'string') throw new Unusable("it names no 'cluster'");
  if (label !== cluster)
    throw new Unusable(
      `it is of the cluster ${show(label)}, and this node's is '${cluster}': give each a file of its own`,
    );
  if (!Array.isArray(urls) || !urls.every((url) => typeof url === 'string' && /^[a-z]+:\/\/./i.test(url)))
    throw new Unusable("its 'urls' are no array of URLs");
  return urls as readonly string[];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unusable(text.trim() === '' ? 'it is empty' : `it is no JSON: ${(error as Error).message}`);
  }
}

async function writeThrough(path: string, text: string): Promise<void> {
  // Never through a link that somebody put there.
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null | undefined)?.code;
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full';
    case 'EACCES':
    case 'EPERM':
      return 'this process has not the right to';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOENT':
      return 'its directory does not exist';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return (error as Partial<Error> | null | undefined)?.message ?? String(error);
  }
}

function cureOf(code: string | undefined): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Make room.';
    case 'EACCES':
    case 'EPERM':
      return 'Give it the right to write in that directory.';
    case 'EROFS':
      return 'Name a place that can be written, such as a mounted volume.';
    case 'ENOENT':
      return 'Create the directory.';
    default:
      return 'Look at the disk.';
  }
}

/**
 * What must hold while liars talk: no crash, no promise that fails unheard, no end without a name, no changed prototype,
 * memory that comes back.
 */
import type { Logger } from '@grapevine/node';
import { closeCodes, type CloseInfo } from '@grapevine/transport';

const nameOfCode: ReadonlyMap<number, string> = new Map(Object.entries(closeCodes).map(([name, code]) => [code, name]));

/** What a node may say at level `error` where a peer is to blame. */
const blamesPeers: ReadonlySet<unknown> = new Set(['PROTOCOL_MISMATCH']);

export class Oracle {
  /** What did not hold, the first first. */
  readonly failures: string[] = [];
  /** How often connections of liars ended in which way. */
  readonly ends = new Map<string, number>();
  /** How often nodes logged what, at level `warn` or above. */
  readonly logged = new Map<string, number>();
  /** What was said the first time. */
  readonly samples = new Map<string, string>();
  readonly #prototypes = prototypes.map((prototype) => Reflect.ownKeys(prototype).length);
  peakRssBytes = 0;
  peakHeapBytes = 0;

  readonly #listeners: readonly (readonly [string, (error: unknown) => void])[] = [
    ['uncaughtException', (error) => this.fail(`an exception that nobody caught: ${textOf(error)}`)],
    ['unhandledRejection', (error) => this.fail(`a rejection that nobody handled: ${textOf(error)}`)],
    ['warning', (error) => this.fail(`Node.js warns: ${textOf(error)}`)],
  ];

  constructor() {
    for (const [event, listener] of this.#listeners) process.on(event, listener);
  }

  /** Listens no more. */
  retire(): void {
    for (const [event, listener] of this.#listeners) process.off(event, listener);
  }

  get hasFailed(): boolean {
    return this.failures.length > 0;
  }

  fail(what: string): void {
    if (this.failures.length < 20) this.failures.push(what);
  }

  /** The log of a node. */
  logger(node: string): Logger {
    const note = (fields: object, message: string): void => {
      const { code = message.replace(/[^a-z ].*/i, '') } = ((fields as { err?: unknown }).err ?? {}) as {
        code?: string;
      };
      add(this.logged, code);
      if (!this.samples.has(code)) this.samples.set(code, `${node}: ${message}`);
    };
    return {
      debug() {},
      info() {},
      warn: (fields, message) => {
        note(fields, message);
        if (message.includes('failed after its end') || message.includes('ends without it'))
          this.fail(`${node}: ${message}: ${errorIn(fields)}`);
      },
      error: (fields, message) => {
        note(fields, message);
        const { code } = ((fields as { err?: unknown }).err ?? {}) as { code?: unknown };
        if (!blamesPeers.has(code)) this.fail(`${node}: ${message}: ${errorIn(fields)}`);
      },
    };
  }

  /** A connection of a liar is over. @returns the name of its end */
  ended({ code, reason }: CloseInfo, by: 'node' | 'liar'): string {
    const name = nameOfCode.get(code);
    if (name === undefined) this.fail(`a liar was let go with ${code}, which has no name: ${reason}`);
    if (by === 'node' && name === 'NORMAL') this.fail(`a liar was let go with NORMAL: ${reason}`);
    const end = by === 'liar' ? 'left by himself' : (name ?? String(code));
    this.count(end);
    return end;
  }

  count(end: string): void {
    add(this.ends, end);
  }

  /** Looks at what can be seen at any time. */
  look(): void {
    const { rss, heapUsed } = process.memoryUsage();
    this.peakRssBytes = Math.max(this.peakRssBytes, rss);
    this.peakHeapBytes = Math.max(this.peakHeapBytes, heapUsed);
    for (const [i, prototype] of prototypes.entries())
      if (Reflect.ownKeys(prototype).length !== this.#prototypes[i])
        this.fail(`a prototype was changed: ${Reflect.ownKeys(prototype).map(String).join(', ')}`);
  }
}

const prototypes: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  String.prototype,
  Uint8Array.prototype,
];

/** What stays in use, in bytes: the least of several looks, each after a collection, while the nodes go on. */
export async function heapInUse(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('Run it by node --expose-gc.');
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < LOOKS; i++) {
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    gc();
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

const LOOKS = 12;
const BETWEEN_LOOKS_MS = 250;

function add(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function errorIn(fields: object): string {
  return textOf((fields as { err?: unknown }).err);
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error);
}

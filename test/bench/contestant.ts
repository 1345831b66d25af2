/**
 * One process of a benchmark: a contestant and the commands that its parent gives it.
 *
 * Invariants
 *  1. All contestants are driven and measured by this same code; they differ only in how they send and store.
 *  2. Times are taken in the process where the thing happens and collected afterwards; no message to the parent lies
 *     between a start and an end.
 *  3. Waiting costs nothing: whoever takes updates in says how many ids it holds.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { serveCommands } from './child.ts';
import { pass, sharedNowMs } from './clock.ts';
import { heapBytes, Meter, type Reading } from './meter.ts';
import { type FunctionTime, startProfile, stopProfile } from './profile.ts';

/** What a contestant is told about itself. */
export interface Setup {
  readonly index: number;
  /** How updates travel, where the contestant knows more than one way. */
  readonly protocol: string;
  /** Milliseconds. */
  readonly delta: number;
  readonly seed: number;
  /** Whom to dial: the processes started before this one, or the server where there is one. */
  readonly peers: readonly string[];
  /** By which the processes prove themselves to each other, where the contestant can. @default none */
  readonly keys?: readonly string[];
}

/** @param held how many ids are held now @param ids of the batch, which is read only where somebody asks when each came */
export type Grew = (held: number, ids: () => Iterable<string>) => void;

/** Ids are `k0`, `k1`, …; the value of `k<n>` is `{ value: n }`. */
export interface Contestant {
  /**
   * Listens and dials.
   * @param grew called after every batch taken in
   * @returns the URL to dial here
   */
  start(setup: Setup, grew: Grew): Promise<string>;
  /** Resolves once `count` peers are connected. */
  connected(count: number): Promise<void>;
  /** Adds `k<first>` … in one synchronous stretch, as a user does. */
  add(first: number, count: number, expiresInMs?: number): void;
  /** Removes them likewise. */
  remove(first: number, count: number): void;
  /** The sum of the values held: lost, doubled or wrong ones show. */
  sum(): number;
  /** Of all that is held, where the contestant knows one: equal where the same is held. */
  hash?(): string;
  /** Own counts worth reporting beside the measured ones. */
  counters?(): Readonly<Record<string, number>>;
}

/** The Map of a receiver that is written by hand: takes updates in, reads every value, and says how many ids it holds. */
export class Arrived {
  readonly #values = new Map<string, { readonly value: number }>();
  readonly #grew: Grew;
  #read = 0;

  constructor(grew: Grew) {
    this.#grew = grew;
  }

  /** @param updates ids and values by turns */
  take(updates: readonly (string | { readonly value: number })[]): void {
    for (let at = 0; at < updates.length; at += 2) {
      const value = updates[at + 1] as { readonly value: number };
      this.#values.set(updates[at] as string, value);
      this.#read += value.value;
    }
    this.#grew(this.#values.size, () => updates.filter((_, at) => at % 2 === 0) as string[]);
  }

  /** All that is held, ids and values by turns. */
  updates(): (string | { readonly value: number })[] {
    return [...this.#values].flat();
  }

  sum(): number {
    let sum = 0;
    for (const { value } of this.#values.values()) sum += value;
    return sameSum(sum, this.#read);
  }
}

/** @throws Error when the values that were read as they came are not those that are held */
export function sameSum(held: number, read: number): number {
  if (held !== read) throw new Error(`The values read as they came sum up to ${read}, those held to ${held}.`);
  return held;
}

export interface Trickle {
  readonly first: number;
  readonly count: number;
  /** Milliseconds from one update to the next, one for each. */
  readonly pauses: readonly number[];
}

export interface Work {
  readonly what: 'add' | 'remove';
  /** Of the ids `k0` to `k<count - 1>`, each once. */
  readonly count: number;
  /** So many in one turn of the event loop. */
  readonly part: number;
  /** From one id to the next, around; has no divisor in common with `count`. */
  readonly stride: number;
}

/** The commands. Times are in milliseconds of the shared clock. */
export class Station {
  readonly #contestant: Contestant;
  readonly #meter = new Meter();
  readonly #pauses = monitorEventLoopDelay({ resolution: 1 });
  #held = 0;
  #awaited = Infinity;
  #reached: ((at: number) => void) | null = null;
  #awaitedFall = -1;
  #fallen: (() => void) | null = null;
  /** By the numbers of the ids. */
  #arrivals: number[] | null = null;

  constructor(contestant: Contestant) {
    this.#contestant = contestant;
  }

  async start(setup: Setup): Promise<{ url: string; startedAt: number }> {
    const startedAt = sharedNowMs();
    return { url: await this.#contestant.start(setup, (held, ids) => this.#grew(held, ids)), startedAt };
  }

  connected(count: number): Promise<void> {
    return this.#contestant.connected(count);
  }

  /** @returns when the first was added */
  add(first: number, count: number, expiresInMs?: number): number {
    const startedAt = sharedNowMs();
    this.#contestant.add(first, count, expiresInMs);
    return startedAt;
  }

  remove(first: number, count: number): void {
    this.#contestant.remove(first, count);
  }

  /** @returns when this process first held `count` ids; never, if it does not */
  untilHolding(count: number): Promise<number> {
    if (this.#held >= count) return Promise.resolve(sharedNowMs());
    this.#awaited = count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  /** Resolves when this process holds no more than `count` ids; never, if it goes on holding more. */
  untilDownTo(count: number): Promise<void> {
    if (this.#held <= count) return Promise.resolve();
    this.#awaitedFall = count;
    return new Promise((resolve) => {
      this.#fallen = resolve;
    });
  }

  /** Adds one update at a time. @returns when each was added */
  async trickle({ first, count, pauses }: Trickle): Promise<number[]> {
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      await pass(pauses[index] as number);
      times.push(this.add(first + index, 1));
    }
    return times;
  }

  /** From now on it is kept when each id comes first. */
  recordArrivals(): void {
    this.#arrivals = [];
  }

  /** @returns when each id came, by its number */
  arrivals(): number[] {
    return this.#arrivals ?? [];
  }

  read(): Reading {
    return this.#meter.read();
  }

  /** What this process uses in the next `ms`, with no command of the parent in it. */
  async spend(ms: number): Promise<Reading> {
    const before = this.read();
    await pass(ms);
    const after = this.read();
    return { cpuMs: after.cpuMs - before.cpuMs, bytesOut: after.bytesOut - before.bytesOut };
  }

  startProfile(): Promise<void> {
    return startProfile();
  }

  stopProfile(): Promise<FunctionTime[]> {
    return stopProfile();
  }

  heapBytes(): number {
    return heapBytes();
  }

  /** Of the whole process, after full collections. */
  rssBytes(): number {
    heapBytes();
    return process.memoryUsage.rss();
  }

  /** Begins to look for pauses of the event loop. Costs a timer each millisecond. */
  watchPauses(): void {
    this.#pauses.enable();
  }

  /** @returns the longest pause since the last look, in milliseconds; one of a millisecond is none */
  longestPause(): number {
    const longestMs = this.#pauses.max / 1e6;
    this.#pauses.reset();
    return longestMs;
  }

  /**
   * Adds or removes ids a part at a time, as a program does that must not stop: lets everything else run until a part is stored
   * before it goes on. For contestants that count what they have written.
   * @returns how long it took, in milliseconds
   */
  async work({ what, count, part, stride }: Work): Promise<number> {
    const startedAt = sharedNowMs();
    const written = (): number => this.counters()['written'] ?? NaN;
    const before = written();
    let number = 0;
    for (let done = 0; done < count;) {
      const end = Math.min(count, done + part);
      for (; done < end; done++) {
        this.#contestant[what](number, 1);
        number = (number + stride) % count;
      }
      // A count that is none ends this, too: there is nothing to wait for.
      do await new Promise(setImmediate);
      while (written() - before < done);
    }
    return sharedNowMs() - startedAt;
  }

  held(): number {
    return this.#held;
  }

  sum(): number {
    return this.#contestant.sum();
  }

  /** @throws Error where the contestant knows none */
  hash(): string {
    const hash = this.#contestant.hash?.();
    if (hash === undefined) throw new Error('This contestant has no hash of what it holds.');
    return hash;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#contestant.counters?.() ?? {};
  }

  #grew(held: number, ids: () => Iterable<string>): void {
    this.#held = held;
    if (this.#arrivals !== null) {
      const at = sharedNowMs();
      for (const id of ids()) this.#arrivals[Number(id.slice(1))] ??= at;
    }
    if (held <= this.#awaitedFall) {
      this.#awaitedFall = -1;
      this.#fallen?.();
    }
    if (held < this.#awaited) return;
    this.#awaited = Infinity;
    this.#reached?.(sharedNowMs());
  }
}

/** Serves the parent until it lets go. */
export function serve(contestant: Contestant): void {
  serveCommands(new Station(contestant));
}

/**
 * One process of a benchmark: a contestant and the commands that its parent gives it.
 *
 * Invariants
 *  1. All contestants are driven and measured by this same code; they differ only in how they send and store.
 *  2. Times are taken in the process where the thing happens and collected afterwards; no message to the parent lies
 *     between a start and an end.
 *  3. Waiting costs nothing: whoever takes updates in says how many ids it holds.
 */
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

/** Ids are `k0`, `k1`, …; the value of `k<n>` is `{ value: n }`. */
export interface Contestant {
  /**
   * Listens and dials.
   * @param grew called after every batch taken in, with the number of ids held
   * @returns the URL to dial here
   */
  start(setup: Setup, grew: (held: number) => void): Promise<string>;
  /** Resolves once `count` peers are connected. */
  connected(count: number): Promise<void>;
  /** Adds `k<first>` … in one synchronous stretch, as a user does. */
  add(first: number, count: number, expiresInMs?: number): void;
  /** Removes them likewise. */
  remove(first: number, count: number): void;
  /** The sum of the values held: lost, doubled or wrong ones show. */
  sum(): number;
  /** Own counts worth reporting beside the measured ones. */
  counters?(): Readonly<Record<string, number>>;
}

/** The Map of a receiver that is written by hand: takes updates in, reads every value, and says how many ids it holds. */
export class Arrived {
  readonly #values = new Map<string, { readonly value: number }>();
  readonly #grew: (held: number) => void;
  #read = 0;

  constructor(grew: (held: number) => void) {
    this.#grew = grew;
  }

  /** @param updates ids and values by turns */
  take(updates: readonly (string | { readonly value: number })[]): void {
    for (let at = 0; at < updates.length; at += 2) {
      const value = updates[at + 1] as { readonly value: number };
      this.#values.set(updates[at] as string, value);
      this.#read += value.value;
    }
    this.#grew(this.#values.size);
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

/** The commands. Times are in milliseconds of the shared clock. */
export class Station {
  readonly #contestant: Contestant;
  readonly #meter = new Meter();
  #held = 0;
  #awaited = Infinity;
  #reached: ((at: number) => void) | null = null;
  #awaitedFall = -1;
  #fallen: (() => void) | null = null;
  #arrivals: number[] | null = null;
  #arrivalsFrom = 0;

  constructor(contestant: Contestant) {
    this.#contestant = contestant;
  }

  async start(setup: Setup): Promise<{ url: string; startedAt: number }> {
    const startedAt = sharedNowMs();
    return { url: await this.#contestant.start(setup, (held) => this.#grew(held)), startedAt };
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

  /** From now on the time of every arrival is kept. */
  recordArrivals(): void {
    this.#arrivals = [];
    this.#arrivalsFrom = this.#held;
  }

  /** @returns the times at which the ids held grew, one for each id */
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

  held(): number {
    return this.#held;
  }

  sum(): number {
    return this.#contestant.sum();
  }

  counters(): Readonly<Record<string, number>> {
    return this.#contestant.counters?.() ?? {};
  }

  #grew(held: number): void {
    this.#held = held;
    if (this.#arrivals !== null) {
      const at = sharedNowMs();
      while (this.#arrivals.length < held - this.#arrivalsFrom) this.#arrivals.push(at);
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

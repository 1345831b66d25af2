/**
 * What is done to a world: storms of writes and faults, each of which a quiet time follows.
 *
 * Invariants
 *  1. A storm depends on the seed and its own number alone, never on what happened before; so operations can be left
 *     out, and the others stay what they are.
 *  2. Every operation is over when its storm is.
 */

import { below, type Random } from '@grapevine/core';
import { chance, pick, type Range, stream, within } from './chance.ts';
import type { Faults } from './faults.ts';

/** `sleep`: a process is stopped, and its host is off the network.
 * `restart`: its clock is `backMs` behind then, and if it `rewrites`, it writes the id
 * that it wrote last once more, before it has heard of anybody.
 * `tie`: it writes a value that is tied to it, for as long as it renews it where `expiresInMs` is 0.
 * `twins`: it ends, and is started anew as two processes of its name, each of which writes this id at once.
 * `course`: its clock is set ahead by `byMs`, so many times (`ups`), and back in so many equal steps (`downs`), one step every
 * `everyMs`. */
export type Operation =
  | {
      readonly type: 'write';
      readonly node: number;
      readonly id: number;
      readonly bytes: number;
      readonly expiresInMs: number;
    }
  | { readonly type: 'tie'; readonly node: number; readonly id: number; readonly expiresInMs: number }
  | { readonly type: 'remove'; readonly node: number; readonly id: number }
  | { readonly type: 'break'; readonly a: number; readonly b: number }
  | {
      readonly type: 'partition';
      readonly members: readonly number[];
      readonly way: 'both' | 'in' | 'out';
      readonly forMs: number;
    }
  | { readonly type: 'crash'; readonly node: number }
  | {
      readonly type: 'restart';
      readonly node: number;
      readonly silent: boolean;
      readonly backMs: number;
      readonly rewrites: boolean;
      readonly forMs: number;
    }
  | {
      readonly type: 'twins';
      readonly node: number;
      readonly silent: boolean;
      readonly id: number;
      readonly forMs: number;
    }
  | { readonly type: 'pause'; readonly node: number; readonly forMs: number }
  | { readonly type: 'sleep'; readonly node: number; readonly forMs: number }
  | { readonly type: 'jump'; readonly node: number; readonly byMs: number; readonly forMs: number }
  | {
      readonly type: 'course';
      readonly node: number;
      readonly byMs: number;
      readonly ups: number;
      readonly downs: number;
      readonly everyMs: number;
    }
  | { readonly type: 'slow'; readonly a: number; readonly b: number; readonly rate: number; readonly forMs: number };

export interface Planned {
  /** 1,000 × the storm's number and its own number in it: what `--only` names. */
  readonly number: number;
  /** Milliseconds after the beginning of the storm. */
  readonly atMs: number;
  readonly operation: Operation;
}

export interface Storm {
  readonly durationMs: number;
  /** In order of time. */
  readonly operations: readonly Planned[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly faults: Faults;
  /** How many ids there are. */
  readonly ids: number;
  /** Share of writes that are large. */
  readonly large: number;
  readonly maxDriftMs: number;
  /** What is forgotten after, in milliseconds; `null`: nothing is, in any history. */
  readonly forgetAfterMs: number | null;
  /** Whether a membership finds out who is there. */
  readonly seeks: boolean;
}

const DURATIONS_MS: Range = [4000, 75000];
/** Well below what is forgotten where histories forget. */
const LONGEST_FAULT_MS = 40000;
/** A sleep is longer than what is forgotten after by so much: clocks that jump meanwhile must not make it look shorter. */
const OVERSLEPT_MS: Range = [40_000, 55_000];
const SLEEPS = 0.4;
/** After a sleep the storm goes on for as much. */
const AWAKE_MS = 1000;
/** Of a storm with clocks that go wrong. */
const COURSES = 0.5;
/** Seconds, which others wait for; and what nobody waits for: an hour, and ten years. */
const SECONDS_AHEAD_MS: Range = [2000, 30_000];
const FAR_AHEAD_MS = [3_600_000, 315_360_000_000] as const;
/** Twins go on together for as long in their storm. */
const TOGETHER_MS = 2000;
/** One fills a chunk of a transfer; and with more than eight of them the window closes. */
const LARGE_BYTES = 50000;

export function planStorm(options: PlanOptions, number: number): Storm {
  const { seed, nodes, faults } = options;
  const random = stream(seed, 4, number);
  const durationMs = within(random, DURATIONS_MS);
  const operations: { atMs: number; operation: Operation }[] = [];
  const put = (operation: Operation, atMs = below(random, durationMs)): void => {
    operations.push({ atMs, operation });
  };
  const forMs = (): number => 200 + below(random, chance(random, 0.5) ? 3000 : Math.min(durationMs, LONGEST_FAULT_MS));
  const node = (): number => below(random, nodes);

  // Writes come scattered and in bursts; some storms are busy, some all but idle.
  const writes = within(random, [1, chance(random, 0.1) ? 6 * nodes : 3 + nodes]);
  for (let i = 0; i < writes;) {
    const atMs = below(random, durationMs);
    const writer = node();
    const burst = chance(random, 0.1) ? within(random, [2, 12]) : 1;
    for (let j = 0; j < burst; j++, i++) {
      const write = writeOf(options, random, writer);
      put(write, atMs);
      // Two write one id in the same millisecond.
      if (chance(random, 0.1)) put({ ...write, node: node() }, atMs);
    }
  }
  for (let i = within(random, [0, nodes]); i > 0; i--)
    put({ type: 'remove', node: node(), id: below(random, options.ids) });

  const times = (range: Range): number => (chance(random, 0.4) ? 0 : within(random, range));
  for (let i = times([faults.breaks[0] * nodes, faults.breaks[1] * nodes]); i > 0; i--)
    put({ type: 'break', a: node(), b: node() });
  for (let i = times(faults.partitions); i > 0; i--)
    put({ type: 'partition', members: someOf(random, nodes), way: pick(random, ways), forMs: forMs() });
  for (let i = times(faults.crashes); i > 0; i--) put({ type: 'crash', node: node() });
  for (let i = times(faults.restarts); i > 0; i--)
    put({
      type: 'restart',
      node: node(),
      rewrites: chance(random, 0.5),
      silent: chance(random, 0.5),
      backMs: chance(random, 0.3) ? below(random, 8000) : 0,
      forMs: forMs(),
    });
  for (let i = times(faults.pauses); i > 0; i--) put({ type: 'pause', node: node(), forMs: forMs() });
  for (let i = times(faults.jumps); i > 0; i--) {
    const far = chance(random, 0.4) ? options.maxDriftMs + 6000 : options.maxDriftMs / 2;
    put({ type: 'jump', node: node(), byMs: Math.floor((2 * random() - 1) * Math.min(far, 12000)), forMs: forMs() });
  }
  for (let i = times(faults.slowLinks); i > 0; i--)
    put({ type: 'slow', a: node(), b: node(), rate: within(random, [1, 40]), forMs: forMs() });

  operations.sort((a, b) => a.atMs - b.atMs);
  const planned = operations.map(({ atMs, operation }, index): Planned => ({
    number: 1000 * number + index,
    atMs,
    operation,
  }));
  // From a stream of their own, and behind all others: who leaves them out has the history that was there before them.
  const sleeps = sleepsOf(options, number, durationMs);
  let endMs = durationMs;
  for (const { atMs, operation } of sleeps) {
    planned.push({ number: 1000 * number + planned.length, atMs, operation });
    endMs = Math.max(endMs, atMs + operation.forMs + AWAKE_MS);
  }
  const twins = twinsOf(options, number, durationMs);
  for (const { atMs, operation } of twins) {
    planned.push({ number: 1000 * number + planned.length, atMs, operation });
    endMs = Math.max(endMs, atMs + operation.forMs + TOGETHER_MS);
  }
  const ties = tiesOf(options, number, durationMs);
  for (const { atMs, operation } of ties) planned.push({ number: 1000 * number + planned.length, atMs, operation });
  const courses = coursesOf(options, number, durationMs);
  for (const { atMs, operation } of courses) planned.push({ number: 1000 * number + planned.length, atMs, operation });
  const hasMore = sleeps.length + twins.length + ties.length + courses.length > 0;
  return { durationMs: endMs, operations: hasMore ? planned.sort((a, b) => a.atMs - b.atMs) : planned };
}

function sleepsOf(
  { seed, nodes, faults, forgetAfterMs }: PlanOptions,
  number: number,
  durationMs: number,
): { readonly atMs: number; readonly operation: Extract<Operation, { type: 'sleep' }> }[] {
  if (forgetAfterMs === null) return [];
  const random = stream(seed, 7, number);
  if (!chance(random, SLEEPS)) return [];
  return Array.from({ length: within(random, faults.sleeps) }, () => ({
    atMs: below(random, durationMs),
    operation: { type: 'sleep', node: below(random, nodes), forMs: forgetAfterMs + within(random, OVERSLEPT_MS) },
  }));
}

function twinsOf(
  { seed, nodes, faults, ids, seeks }: PlanOptions,
  number: number,
  durationMs: number,
): { readonly atMs: number; readonly operation: Extract<Operation, { type: 'twins' }> }[] {
  if (!seeks) return [];
  const random = stream(seed, 13, number);
  return Array.from({ length: within(random, faults.twins) }, () => ({
    atMs: below(random, durationMs),
    operation: {
      type: 'twins',
      // The first node is where everybody joins.
      node: 1 + below(random, nodes - 1),
      silent: chance(random, 0.5),
      id: below(random, ids),
      forMs: 200 + below(random, 10_000),
    },
  }));
}

function tiesOf(
  { seed, nodes, faults, ids }: PlanOptions,
  number: number,
  durationMs: number,
): { readonly atMs: number; readonly operation: Extract<Operation, { type: 'tie' }> }[] {
  const random = stream(seed, 18, number);
  return Array.from({ length: within(random, faults.ephemeral) }, () => ({
    atMs: below(random, durationMs),
    operation: {
      type: 'tie',
      node: below(random, nodes),
      id: below(random, ids),
      expiresInMs: chance(random, 0.15) ? 200 + below(random, 5000) : 0,
    },
  }));
}

/**
 * Of each history one clock alone is ever far ahead: two that are take each other's writes, which keep their stamps for as long (rule
 * 1), and all others differ from these two meanwhile, rightly so.
 */
function coursesOf(
  { seed, nodes, faults }: PlanOptions,
  number: number,
  durationMs: number,
): { readonly atMs: number; readonly operation: Extract<Operation, { type: 'course' }> }[] {
  const far = below(stream(seed, 24), nodes);
  const random = stream(seed, 24, number);
  if (!chance(random, COURSES)) return [];
  return Array.from({ length: within(random, faults.courses) }, () => {
    const isFar = chance(random, 0.6);
    const node = below(random, nodes);
    const ups = pick(random, [1, 1, 2, 3]);
    const downs = pick(random, [1, 1, 2, 5]);
    const byMs = isFar ? pick(random, FAR_AHEAD_MS) : within(random, SECONDS_AHEAD_MS);
    const everyMs = 200 + below(random, chance(random, 0.5) ? 3000 : LONGEST_FAULT_MS / (ups + downs));
    return {
      atMs: below(random, durationMs),
      operation: { type: 'course', node: isFar ? far : node, byMs, ups, downs, everyMs },
    };
  });
}

const ways = ['both', 'both', 'in', 'out'] as const;

function writeOf({ ids, large }: PlanOptions, random: Random, node: number): Extract<Operation, { type: 'write' }> {
  const bytes = chance(random, large) ? LARGE_BYTES : 0;
  const expiresInMs = chance(random, 0.15) ? 200 + below(random, 5000) : 0;
  return { type: 'write', node, id: below(random, ids), bytes, expiresInMs };
}

/** At least one of them, and not all. */
function someOf(random: Random, nodes: number): number[] {
  const share = random();
  const members = Array.from({ length: nodes }, (_, index) => index).filter(() => random() < share);
  return members.length === 0 || members.length === nodes ? [below(random, nodes)] : members;
}

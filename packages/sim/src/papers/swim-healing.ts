/**
 * Until everybody knows everybody: after a start through one seed, and after a cut has ended.
 */

import type { SwimOptions } from '@grapevine/core';
import { sample } from '@grapevine/core';
import { stream } from '../chance.ts';
import { SwimWorld } from '../swim/swim-world.ts';

export interface JoinSetup {
  readonly nodes: number;
  readonly seed: number;
  /** Over so long they are started. */
  readonly startWithinMs: number;
  readonly loss?: number;
  readonly options?: Partial<SwimOptions>;
}

const STEP_MS = 50;
const LONGEST_MS = 300_000;

/** @returns when everybody has known everybody, in milliseconds from the first start; `null`: it did not */
export function watchJoin({ nodes, seed, startWithinMs, loss = 0, options = {} }: JoinSetup): number | null {
  const world = new SwimWorld({ nodes, seed, start: 'through-one', startWithinMs, loss, options });
  const startMs = world.nowMs;
  world.run(startWithinMs);
  const agreedMs = world.runUntil(() => world.isAgreed, LONGEST_MS, STEP_MS);
  return agreedMs === undefined ? null : agreedMs - startMs;
}

export interface CutSetup {
  readonly nodes: number;
  readonly seed: number;
  /** How many are cut off from the others. */
  readonly cut: number;
  /** `inward`: these hear the others no more, but are heard. `outward`: they are not heard. */
  readonly way: 'both' | 'inward' | 'outward';
  readonly forMs: number;
  readonly options?: Partial<SwimOptions>;
}

export interface Healing {
  /** How many members somebody took for dead at the end of the cut, on average over all. */
  readonly down: number;
  /** From the end of the cut until all views are equal again, in milliseconds; `null`: not within five minutes. */
  readonly healedMs: number | null;
}

const WARM_MS = 20_000;

export function watchCut({ nodes, seed, cut, way, forMs, options = {} }: CutSetup): Healing {
  const world = new SwimWorld({ nodes, seed, options });
  world.run(WARM_MS);
  const inside = sample(stream(seed, 10), world.processes, cut);
  const outside = world.processes.filter((process) => !inside.includes(process));
  const heals: (() => void)[] = [];
  if (way !== 'outward') heals.push(world.network.cut(outside, inside));
  if (way !== 'inward') heals.push(world.network.cut(inside, outside));
  world.run(forMs);
  const downs = world.processes.map(({ members }) => members.filter(({ state }) => state === 'down').length);
  for (const heal of heals) heal();
  const endMs = world.nowMs;
  const healedMs = world.runUntil(() => world.isAgreed, LONGEST_MS);
  return {
    down: downs.reduce((sum, down) => sum + down, 0) / nodes,
    healedMs: healedMs === undefined ? null : healedMs - endMs,
  };
}

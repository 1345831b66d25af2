/**
 * What can go wrong in a simulated world: each fault a named option with a range.
 *
 * Invariants
 *  1. Counts are per storm and drawn anew for each; shares and times are drawn once per link or node.
 *  2. Frames of a connection are never lost singly (but droppable ones, as by a full queue), doubled or put out of
 *     order: TCP does not do that. Loss is a connection that breaks with frames under way; what is doubled is whole
 *     exchanges, over the next connection; what is out of order is what comes over different connections.
 */

import type { Range } from './chance.ts';

export interface Faults {
  /** Milliseconds that a frame takes at least; per link. @default [1, 90] */
  readonly delayMs: Range;
  /** Milliseconds that it may take beyond; per link. @default [0, 40] */
  readonly jitterMs: Range;
  /** Share of the droppable frames that full queues drop; per link. @default [0, 0.15] */
  readonly drops: Range;
  /** Share of deliveries that arrive with a flipped bit; the connection ends there. @default [0, 0.0004] */
  readonly corruption: Range;
  /** Milliseconds that a node's clock is ahead of true time; per node. @default [-400, 400] */
  readonly skewMs: Range;
  /** Share of nodes with a handler, which judges, takes its time, and hides some of what arrives. @default [0, 0.6] */
  readonly handlers: Range;
  /** Milliseconds during which a node gathers what arrives into one batch; per node. @default [0, 12] */
  readonly gatherMs: Range;
  /** Connections that break, per storm and node. @default [0, 1] */
  readonly breaks: Range;
  /** Partitions per storm, of any subset, symmetric or one-way. @default [0, 3] */
  readonly partitions: Range;
  /** Instances that crash and are started again with their replica, per storm. @default [0, 4] */
  readonly crashes: Range;
  /** Nodes that die and come back with a new epoch and an empty store, per storm. @default [0, 3] */
  readonly restarts: Range;
  /** Processes that are stopped for a while, per storm. @default [0, 3] */
  readonly pauses: Range;
  /** Clocks that jump, ahead or back, and later return, per storm. @default [0, 3] */
  readonly jumps: Range;
  /**
   * Clocks that are set ahead, by seconds, an hour or ten years, once or repeatedly, and come back at once or in steps; per storm.
   * @default [0, 2]
   */
  readonly courses: Range;
  /** Links that become slow for a while, per storm. @default [0, 4] */
  readonly slowLinks: Range;
  /** Processes that sleep for longer than what is forgotten after, per storm, where histories forget. @default [0, 1] */
  readonly sleeps: Range;
  /**
   * Processes that end and are started anew as two of one name, in the same millisecond; per storm, where a membership finds who is
   * there. @default [0, 1]
   */
  readonly twins: Range;
  /** Values that are tied to the node that writes them, per storm. @default [0, 4] */
  readonly ephemeral: Range;
  /** Share of nodes that take small updates only, where there are large ones. @default [0, 0.5] */
  readonly refusals: Range;
  /** Share of nodes that take small frames only, and no update that fits into none of them. @default [0, 0.5] */
  readonly frames: Range;
}

export type FaultName = keyof Faults;

/** All faults on. */
export const allFaults: Faults = {
  delayMs: [1, 90],
  jitterMs: [0, 40],
  drops: [0, 0.15],
  corruption: [0, 0.0004],
  skewMs: [-400, 400],
  handlers: [0, 0.6],
  gatherMs: [0, 12],
  breaks: [0, 1],
  partitions: [0, 3],
  crashes: [0, 4],
  restarts: [0, 3],
  pauses: [0, 3],
  jumps: [0, 3],
  courses: [0, 2],
  slowLinks: [0, 4],
  sleeps: [0, 1],
  twins: [0, 1],
  ephemeral: [0, 4],
  refusals: [0, 0.5],
  frames: [0, 0.5],
};

/** A quiet network: a little delay, and nothing else. */
export const noFaults: Faults = {
  delayMs: [1, 5],
  jitterMs: [0, 5],
  drops: [0, 0],
  corruption: [0, 0],
  skewMs: [0, 0],
  handlers: [0, 0],
  gatherMs: [0, 0],
  breaks: [0, 0],
  partitions: [0, 0],
  crashes: [0, 0],
  restarts: [0, 0],
  pauses: [0, 0],
  jumps: [0, 0],
  courses: [0, 0],
  slowLinks: [0, 0],
  sleeps: [0, 0],
  twins: [0, 0],
  ephemeral: [0, 0],
  refusals: [0, 0],
  frames: [0, 0],
};

/** All faults but the named ones. */
export function faultsWithout(names: readonly FaultName[], faults: Faults = allFaults): Faults {
  const rest: Record<FaultName, Range> = { ...faults };
  for (const name of names) rest[name] = noFaults[name];
  return rest;
}

/**
 * What a leaving can be told, and what it reports.
 *
 * Source: docs/lifecycle.md.
 */

import { throwViolations } from '@grapevine/core';

export interface LeaveOptions {
  /**
   * How long to wait at most until other nodes have what was written here, in milliseconds; 0 waits for nobody. Longer
   * outlasts slow peers and seeds that are still starting; keep it below what your supervisor grants before it kills.
   * @default 5000
   */
  readonly deadlineMs?: number | undefined;
  /** Whether it is an error (UNDELIVERED) when something was not delivered. What was to stop has stopped all the same. @default false */
  readonly required?: boolean | undefined;
}

export interface LeaveReport {
  /** How many writes of this node no other node is known to have: they are lost, unless a peer took them without saying so. */
  readonly undelivered: number;
  /** The same by instance; those with nothing are left out. */
  readonly gossips: Readonly<Record<string, number>>;
  /** Instances whose protocol cannot tell, such as blind rumors: nothing was waited for, and nothing of them is counted. */
  readonly unknown: readonly string[];
}

const DEADLINE_MS = 5000;

/** @throws GossipError OPTIONS_INVALID */
export function deadlineOf({ deadlineMs = DEADLINE_MS }: LeaveOptions): number {
  if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0))
    throwViolations([{ path: 'deadlineMs', problem: `must be milliseconds from 0 on, not ${String(deadlineMs)}` }]);
  return deadlineMs;
}

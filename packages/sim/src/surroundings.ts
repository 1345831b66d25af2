/**
 * What a node and a connection know of the world around them: its time, its order of happenings, and who watches.
 */

import type { Protocol, ReplicaOptions } from '@grapevine/core';
import type { Act } from './event-queue.ts';
import type { Observer, WatchedNode } from './observer.ts';
import type { Trace } from './trace.ts';

export interface Surroundings {
  /** Virtual milliseconds since the world began. */
  readonly nowMs: number;
  /** Nothing more shall happen. */
  readonly isOver: boolean;
  /** The name of the one gossip instance that every node runs. */
  readonly instance: string;
  readonly protocol: Protocol;
  readonly replicaOptions: Omit<ReplicaOptions, 'name' | 'epoch' | 'maxUpdateBytes'>;
  readonly observer: Observer;
  readonly trace: Trace;
  at(atMs: number, act: Act): void;
  after(delayMs: number, act: Act): void;
  nextSession(): number;
  log(node: WatchedNode, text: string): void;
}

/**
 * What membership costs while nothing happens.
 *
 * Bytes are those of the messages as the codec writes them, without the frame about them, WebSocket, TCP and IP. A dial costs
 * a handshake beside that, and is counted by itself.
 */

import type { SwimOptions } from '@grapevine/core';
import { SwimWorld } from '../swim/swim-world.ts';

export interface LoadSetup {
  readonly nodes: number;
  readonly seed: number;
  readonly periods: number;
  readonly options?: Partial<SwimOptions>;
}

/** Per member and `probeInterval`. */
export interface Load {
  readonly messages: number;
  readonly bytes: number;
  readonly dials: number;
  /** Of the member that sends most. */
  readonly mostMessages: number;
  /** Open connections of a member. */
  readonly links: number;
  readonly mostLinks: number;
}

const WARM_MS = 60_000;

export function steadyLoad({ nodes, seed, periods, options = {} }: LoadSetup): Load {
  const world = new SwimWorld({ nodes, seed, options, measuredEvery: 1 });
  const { probeInterval = 1000 } = options;
  world.run(WARM_MS);
  const before = world.processes.map(({ messages, bytes, dials }) => ({ messages, bytes, dials }));
  world.run(periods * probeInterval);
  const { processes } = world;
  const each = (key: 'messages' | 'bytes' | 'dials'): number[] =>
    processes.map((process, index) => (process[key] - (before[index]?.[key] ?? 0)) / periods);
  const links = processes.map((process) => process.links.size);
  return {
    messages: average(each('messages')),
    bytes: average(each('bytes')),
    dials: average(each('dials')),
    mostMessages: Math.max(...each('messages')),
    links: average(links),
    mostLinks: Math.max(...links),
  };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

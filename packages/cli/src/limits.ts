/**
 * `--limit key=value`: the bounds on what peers can make grow, as the node and its gossips take them.
 *
 * Invariant: nothing is judged here but which word belongs where. The library's resolver knows what a bound may be and names
 * what is wrong, so that the command and the library say the same.
 */
import { unknownOption, type Violation } from '@grapevine/core';
import type { GossipOptions, NodeOptions } from '@grapevine/node';

const ofNode = [
  'maxConnections',
  'maxConnectionsPerAddress',
  'maxHandshakes',
  'maxUpdatesPerSecond',
  'maxBytesPerSecond',
  'stallTimeout',
] as const;
const ofGossip = ['maxIds', 'maxBytes', 'maxOrigins'] as const;

/** All that can be named. */
export const limits: readonly string[] = [...ofNode, ...ofGossip];

export interface Limits {
  readonly node: Partial<Pick<NodeOptions, (typeof ofNode)[number]>>;
  /** Of every gossip. */
  readonly gossip: Partial<Pick<GossipOptions, (typeof ofGossip)[number]>>;
}

/**
 * Sorts bounds by whose they are.
 * @returns those that are known; every other one is appended to `violations`
 */
export function limitsOf(given: Readonly<Record<string, unknown>>, violations: Violation[]): Limits {
  const unknown = Object.keys(given).filter((name) => !limits.includes(name));
  for (const path of unknown) violations.push({ path, problem: unknownOption(path, limits) });
  const only = (names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
  return { node: only(ofNode), gossip: only(ofGossip) };
}

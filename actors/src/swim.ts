/**
 * SWIM for those who spawn nodes: the membership of core, with seeds of every kind.
 *
 * Invariants
 *  1. A function among the seeds is a source as any other: asked anew at every attempt, and free to fail.
 */

import { type Membership, swim as coreSwim, type SwimOptions as CoreOptions } from '@grapevine/core';

import { asDiscovery, type Seed } from './discovery/source.ts';

export interface SwimOptions extends Omit<CoreOptions, 'seeds'> {
  /**
   * Where others can be found: URLs, `dns({ … })`, `file({ … })` and functions that know URLs, any number together. One that
   * leads to a living node is enough. They are tried for ever: the more seldom, the longer in vain, at least once a minute.
   * @default []
   */
  readonly seeds: readonly Seed[];
}

/**
 * The membership that needs one address to join: SWIM with Lifeguard's additions.
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function swim(options: Partial<SwimOptions> = {}): Membership {
  const { seeds } = (options as Partial<SwimOptions> | null) ?? {};
  if (!Array.isArray(seeds)) return coreSwim(options as Partial<CoreOptions>);
  const sources = seeds.map((seed: Seed) => (typeof seed === 'string' ? seed : asDiscovery(seed)));
  return coreSwim({ ...options, seeds: sources });
}

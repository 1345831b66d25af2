/**
 * A node as all have it here: SWIM, keys, one instance of `hybrid` and one of `entropy`, all options at their defaults but
 * those that say when something is forgotten.
 */
import { seededRandom } from '@grapevine/core';
import { createGrapevine, entropy, type Gossip, type Grapevine, hybrid } from '@grapevine/node';

/** After how many milliseconds what is gone is forgotten. */
export interface Horizons {
  /** Dead names, and what they wrote. @see NodeOptions.forgetAfter */
  readonly forgetAfterMs: number;
  readonly tombstoneTtlMs: number;
  readonly rumorTtlMs: number;
}

export interface Birth {
  readonly name: string;
  readonly seeds: readonly string[];
  /** Of what this node does by chance. */
  readonly seed: number;
  readonly horizons: Horizons;
}

export interface Party {
  readonly grapevine: Grapevine;
  readonly gossips: readonly Gossip[];
}

/** No secret: everybody who takes part is on this machine. */
const keys = ['a key for nodes that come and go'];

export async function createParty({ name, seeds, seed, horizons }: Birth): Promise<Party> {
  const { forgetAfterMs, tombstoneTtlMs, rumorTtlMs } = horizons;
  const grapevine = await createGrapevine({
    name,
    seeds,
    // Of its own, so that who dials what is gone meets nobody else of this machine.
    listen: { port: 0, host: '127.0.0.7' },
    security: { keys },
    forgetAfter: forgetAfterMs,
    random: seededRandom(seed),
  });
  const gossips = [
    grapevine.gossip('hybrid', { protocol: hybrid({ tombstoneTtl: tombstoneTtlMs, ttl: rumorTtlMs }) }),
    grapevine.gossip('entropy', { protocol: entropy({ tombstoneTtl: tombstoneTtlMs }) }),
  ];
  return { grapevine, gossips };
}

/** Who asks from outside needs them too. */
export const security = { keys };

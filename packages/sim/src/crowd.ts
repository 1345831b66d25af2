/**
 * A crowd: writes of many origins of a former life, which most nodes know from the beginning. With it contexts and live
 * ids are too many to be told at once, and the exchange goes by buckets.
 */

import { keepAll, Origin, Update } from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';
import { chance, stream } from './chance.ts';
import { START_MS } from './node.ts';
import type { World } from './world.ts';

const WRITES = 8;
/** A millisecond long before the world began, as a stamp. */
const STAMP = 4096 * 1000;

export function crowd(world: World, origins: number): void {
  const random = stream(world.seed, 6);
  const value = encodeValue('of old');
  for (let o = 0; o < origins; o++) {
    for (const node of world.nodes) {
      // The first node knows all, and the ledger learns of them by it.
      if (node.index > 0 && chance(random, 0.1)) continue;
      const origin = new Origin(`z${o}`, START_MS);
      const updates = Array.from(
        { length: WRITES },
        (_, i) => new Update(`crowd${o}.${i}`, value, STAMP + o, origin, i + 1, undefined),
      );
      node.known(() => node.replica.admit(updates, keepAll, node.nowMs));
    }
  }
}

/** What nodes say to each other, and of each other, about updates that one of them does not take. */

import type { Dots } from '../../context.ts';
import { GossipError } from '../../errors.ts';
import type { Refused } from '../../messages.ts';
import type { Effects, Environment } from '../../protocol.ts';
import { dotFrames } from '../dots.ts';
import { heldAmong } from './held.ts';

/** Of so many peers it is said that they refuse an update for its size. */
const SAID_OF = 1024;

/** Tells a peer what is refused here: for ever, or for lack of room. */
export function sayRefused(effects: Effects, to: string, tooLarge: Dots, turnedAway: Dots): void {
  for (const dots of dotFrames(tooLarge)) effects.send(to, { type: 'refused', dots, tooLarge: true });
  for (const dots of dotFrames(turnedAway)) effects.send(to, { type: 'refused', dots });
}

/** Reports, once of each peer, that a peer stays without an update because it is too large there. */
export class TooLargeThere {
  readonly #environment: Environment;
  readonly #said = new Set<string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  heard(from: string, { dots, tooLarge }: Refused): void {
    if (tooLarge !== true || this.#said.has(from) || this.#said.size >= SAID_OF) return;
    const { replica, effects } = this.#environment;
    const [update] = heldAmong(replica.store, dots);
    if (update === undefined) return;
    this.#said.add(from);
    const id = update.id.slice(0, 80);
    const bytes = update.id.length + (update.value?.length ?? 0);
    effects.report(
      new GossipError(
        'UPDATE_TOO_LARGE',
        `'${from}' refuses the update of '${id}', which takes ${bytes} bytes: that is more than its maxUpdateBytes. It stays without it. Raise maxUpdateBytes on '${from}' to that of this node (${replica.maxUpdateBytes}), or gossip a reference.`,
        { fault: 'peer', context: { peer: from, id, bytes, maxUpdateBytes: replica.maxUpdateBytes } },
      ),
    );
  }
}

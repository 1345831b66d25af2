/** What nodes say to each other, and of each other, about updates that one of them does not take. */

import type { Dots } from '../../context.ts';
import { GossipError } from '../../errors.ts';
import type { Intake } from '../../intake.ts';
import type { Refused, Withheld } from '../../messages.ts';
import { shownId } from '../../printable.ts';
import type { Effects, Environment } from '../../protocol.ts';
import { dotFrames, firstDots } from '../dots.ts';
import { type FrameBytesOf, fits } from '../fitting.ts';

/** Of so many peers it is said that they refuse an update for its size. */
const SAID_OF = 1024;
/** Among so many of the dots that a peer refuses one is looked for that is held: a peer may refuse what nobody holds, and more than all. */
const LOOKED_AT = 64;

/** Tells a peer what is refused here: for ever, or for lack of room. */
export function sayRefused(effects: Effects, to: string, tooLarge: Dots, turnedAway: Dots): void {
  for (const dots of dotFrames(tooLarge)) effects.send(to, { type: 'refused', dots, tooLarge: true });
  for (const dots of dotFrames(turnedAway)) effects.send(to, { type: 'refused', dots });
}

/**
 * Refuses what a peer has withheld, as if it had come.
 * @returns its dot; none, where it is here or over, or under judgement
 */
export function refuseWithheld({ replica, effects }: Environment, intake: Intake, message: Withheld): Dots {
  const { origin, sequence } = message;
  if (intake.pending.has(origin, sequence)) return [];
  if (!replica.refuseWithheld(message, (error) => effects.report(error))) return [];
  return [{ origin, intervals: [sequence, sequence], newest: 0 }];
}

/** Reports, once of each peer, that a peer stays without an update because it is too large there. */
export class TooLargeThere {
  readonly #environment: Environment;
  readonly #said = new Set<string>();

  readonly #frameBytesOf: FrameBytesOf;

  constructor(environment: Environment, frameBytesOf: FrameBytesOf = () => Infinity) {
    this.#environment = environment;
    this.#frameBytesOf = frameBytesOf;
  }

  heard(from: string, { dots, tooLarge }: Refused): void {
    if (tooLarge !== true || this.#said.has(from) || this.#said.size >= SAID_OF) return;
    const { replica, effects } = this.#environment;
    const [update] = replica.store.byDots(firstDots(dots, LOOKED_AT));
    if (update === undefined) return;
    this.#said.add(from);
    const id = shownId(update.id);
    const bytes = update.id.length + (update.value?.length ?? 0);
    const { maxUpdateBytes } = replica;
    const maxFrameBytes = this.#frameBytesOf(from);
    if (!fits(update, maxFrameBytes)) {
      const problem = `The update of '${id}' takes ${bytes} bytes, more than a frame of '${from}' holds (its maxFrameBytes is ${maxFrameBytes}). It is not sent there, and '${from}' stays without it; others get it. Raise maxFrameBytes (--max-frame-bytes) and maxUpdateBytes (--max-update-bytes) on '${from}' to those of this node, or gossip a reference.`;
      const context = { peer: from, id, bytes, maxFrameBytes, maxUpdateBytes };
      effects.report(new GossipError('UPDATE_TOO_LARGE', problem, { fault: 'peer', context }));
      return;
    }
    effects.report(
      new GossipError(
        'UPDATE_TOO_LARGE',
        `'${from}' refuses the update of '${id}', which takes ${bytes} bytes: that is more than its maxUpdateBytes. It stays without it. Raise maxUpdateBytes on '${from}' to that of this node (${maxUpdateBytes}), or gossip a reference.`,
        { fault: 'peer', context: { peer: from, id, bytes, maxUpdateBytes } },
      ),
    );
  }
}

/**
 * A turn of a machine that compares with others: what comes before an input, and what after it.
 *
 * Invariants
 *  1. What slept too long neither takes up old claims nor spreads what it held: it rejoins empty before anything is heard or
 *     said, and what was open by then is dropped.
 *  2. What a peer sends on the word of a context that has lost dots since is taken as news and as no claim.
 *  3. After a turn the timer of expiry fits what is stored, and no rest outlasts a change.
 */

import { GossipError } from '../errors.ts';
import type { Intake } from '../intake.ts';
import type { Environment } from '../protocol.ts';
import type { Ahead } from './ahead.ts';
import type { Exchange } from './exchange.ts';
import type { Expiry } from './expiry.ts';
import type { Pace } from './pace.ts';

/** The parts of a machine that a turn has to do with. */
export interface TurnParts {
  readonly intake: Intake;
  readonly exchange: Exchange;
  readonly expiry: Expiry;
  readonly pace: Pace;
  readonly ahead: Ahead;
}

export class Turn {
  readonly #environment: Environment;
  readonly #parts: TurnParts;

  constructor(environment: Environment, parts: TurnParts) {
    this.#environment = environment;
    this.#parts = parts;
  }

  /** Before anything is heard or said. */
  wake(nowMs: number): void {
    const { replica, effects } = this.#environment;
    if (this.#parts.ahead.look(nowMs)) this.#parts.exchange.revoke();
    if (!replica.wake(nowMs)) return;
    this.#parts.intake.abandon();
    this.#parts.exchange.abandon();
    effects.report(slept(replica.forgetAfterMs));
  }

  /** After whatever may have changed the replica. */
  settle(nowMs: number): void {
    this.#parts.ahead.tellWriters();
    this.#parts.expiry.schedule(nowMs);
    this.#parts.pace.stir();
  }
}

/** What a node says that slept too long. */
function slept(forgetAfterMs: number): GossipError {
  return new GossipError(
    'SLEPT_TOO_LONG',
    `This process slept longer than forgetAfter (${forgetAfterMs} ms), or its clock was set ahead by as much on a machine that does not tell its uptime. It may hold what others have forgotten, so it rejoins with nothing but what no peer was ever sent, and is filled by its peers. If processes do sleep that long, raise forgetAfter on every node.`,
    { stateChanged: true, context: { forgetAfterMs } },
  );
}

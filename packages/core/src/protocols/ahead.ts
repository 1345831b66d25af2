/**
 * Writes that are stamped too far ahead, since the clock of their writer was ahead: their writer writes them again once its clock is
 * right, and those who hold them back until their time tell it so.
 *
 * Invariants
 *  1. It is said once that own stamps are ahead, and again only after they no longer were; and that peers hold own writes back once,
 *     and again only after none is held back any more.
 *  2. What another node took while it was as wrong wins there as its stamp says, until its writer meets it and writes over it.
 *  3. Peers hear what is disowned before the writes that take its place, and on every new connection.
 *
 * Source: docs/algorithm.md, rule 1.
 */

import type { Dots } from '../context.ts';
import { GossipError } from '../errors.ts';
import type { Disowned, HeldBack, Message } from '../messages.ts';
import { shownId } from '../printable.ts';
import type { Environment } from '../protocol.ts';
import type { Update } from '../update.ts';
import { dotFrames, dotsOf } from './dots.ts';
import { heldAmong } from './exchange/held.ts';

/** The whole store is looked through once in so many milliseconds at most, while something stays ahead. */
const AGAIN_MS = 1000;

export class Ahead {
  readonly #environment: Environment;
  readonly #peers: () => readonly string[];
  #isSaid = false;
  #isHeldSaid = false;
  #lookedMs = -Infinity;

  /** @param peers who can be spoken to now */
  constructor(environment: Environment, peers: () => readonly string[]) {
    this.#environment = environment;
    this.#peers = peers;
  }

  /**
   * Compares the newest own stamp with the clock, and writes again what is too far ahead of it.
   * @returns whether dots have left the context of the replica
   */
  look(nowMs: number): boolean {
    const { replica } = this.#environment;
    if (this.#isHeldSaid && replica.heldThere.isEmpty) this.#isHeldSaid = false;
    const aheadMs = replica.aheadMs(nowMs);
    if (aheadMs === 0) {
      this.#isSaid = false;
      return false;
    }
    if (nowMs >= this.#lookedMs && nowMs < this.#lookedMs + AGAIN_MS) return false;
    this.#lookedMs = nowMs;
    const writes = replica.countAhead(nowMs);
    const disowned = replica.rewriteAhead(nowMs);
    this.#tell(this.#peers(), disowned);
    if (!this.#isSaid) this.#say(aheadMs, writes, replica.countAhead(nowMs));
    this.#isSaid = replica.aheadMs(nowMs) > 0;
    if (replica.heldThere.isEmpty) this.#isHeldSaid = false;
    return disowned.length > 0;
  }

  /** These peers have just been connected: they may hold back what was disowned meanwhile. */
  arrived(names: readonly string[]): void {
    this.#tell(names, this.#environment.replica.disowned);
  }

  /** Tells the writers of what has been held back here since the last call. To be called after whatever may have received. */
  tellWriters(): void {
    const { replica, effects } = this.#environment;
    const held = replica.takeHeldBack();
    if (held.length === 0) return;
    const peers = new Set(this.#peers());
    const byWriter = new Map<string, Update[]>();
    for (const update of held) {
      const { name } = update.origin;
      if (!peers.has(name)) continue;
      const updates = byWriter.get(name);
      if (updates === undefined) byWriter.set(name, [update]);
      else updates.push(update);
    }
    for (const [writer, updates] of byWriter)
      for (const dots of dotFrames(dotsOf(updates))) effects.send(writer, { type: 'held-back', dots });
  }

  receive(from: string, message: HeldBack | Disowned): void {
    if (message.type === 'disowned') this.#environment.replica.dropHeldBack(from, message.dots);
    else this.#heldBack(from, message.dots);
  }

  #heldBack(from: string, dots: Dots): void {
    const { replica, effects } = this.#environment;
    // Only own writes that exist: a peer cannot make this grow by dots that it makes up.
    const held = heldAmong(replica.store, replica.context.common(replica.own(dots)));
    const [first] = held;
    if (first === undefined) return;
    for (const { origin, sequence } of held) replica.heldThere.add(origin, sequence);
    if (this.#isHeldSaid) return;
    this.#isHeldSaid = true;
    const id = shownId(first.id);
    effects.report(
      new GossipError(
        'CLOCK_TOO_FAR',
        `'${from}' holds back what this node writes (such as '${id}'), since it is stamped more than maxDriftMs (--max-drift-ms) ahead of the clock of '${from}': the clock of this node is ahead, or that one is behind. Readers there see it when its time comes, or once the clock of this node is right: then it is written again. Set both clocks right (NTP).`,
        { context: { peer: from, id, writes: held.length } },
      ),
    );
  }

  #tell(peers: readonly string[], dots: Dots): void {
    if (peers.length === 0) return;
    for (const frame of dotFrames(dots)) this.#environment.effects.send(peers, { type: 'disowned', dots: frame });
  }

  #say(aheadMs: number, writes: number, left: number): void {
    const { replica, effects } = this.#environment;
    const { maxDriftMs } = replica;
    const again = writes - left;
    const stay =
      left === 0
        ? ''
        : ` ${left} ${left === 1 ? 'stays as it is' : 'stay as they are'}, since this node has taken writes of another node whose clock was ahead as well: nodes with a right clock see that when its time comes.`;
    effects.report(
      new GossipError(
        'CLOCK_WAS_AHEAD',
        `The newest write of this node is stamped ${aheadMs} ms ahead of its clock, more than maxDriftMs (--max-drift-ms, ${maxDriftMs}): the clock was ahead and was set back. ${again} ${again === 1 ? 'write is' : 'writes are'} written again under the present time.${stay} Keep the clock right (NTP).`,
        { context: { aheadMs, maxDriftMs, writes, rewritten: again } },
      ),
    );
  }
}

/** Whether it is a message about writes that are stamped too far ahead. */
export function isAboutStamps(message: Message): message is HeldBack | Disowned {
  return message.type === 'held-back' || message.type === 'disowned';
}

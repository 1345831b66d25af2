/**
 * The oracles over each connection: nobody is sent a value that it said it has, that it refused, or that it did not ask
 * for (docs/algorithm.md, rule 3).
 */

import { type Context, Context as Dots, type Dots as DotList, type Message } from '@grapevine/core';
import type { End } from '../connection.ts';
import type { SimNode } from '../node.ts';
import type { Object as Objection } from '../violation.ts';
import { name } from './wording.ts';

/** What was said on an end of a connection. */
class Heard {
  invitation = 0;
  invited: DotList = [];
  context: Context | null = null;
  /** Dots that the peer announced, told or asked for. */
  readonly has = new Dots();
  readonly asked = new Dots();
  /** Dots that the peer refused. */
  readonly refused = new Dots();
  /** Virtual milliseconds of when it last did: what came before it, perhaps in one batch, may be answered first. */
  refusedAtMs = -Infinity;

  /** The peer takes these again: none, all. It has room, or has forgotten whose they are. */
  makeRoom(dots: DotList): void {
    this.refused.removeAll(dots.length === 0 ? this.refused.dots() : dots);
  }
}

export class ConnectionOracles {
  readonly #object: Objection;
  readonly #heard = new WeakMap<End, Heard>();

  constructor(object: Objection) {
    this.#object = object;
  }

  sent(end: End, message: Message): void {
    if (message.type === 'chunk') {
      const heard = this.#heardOn(end);
      if (heard.invitation !== message.invitation) return;
      const context = (heard.context ??= Dots.of(heard.invited));
      const isTaken = (end.node as SimNode).world.nowMs - heard.refusedAtMs > (end.node as SimNode).nature.gatherMs;
      for (const update of message.updates)
        if (isTaken && heard.refused.has(update.origin, update.sequence))
          this.#object(
            3,
            'refused-again',
            `${end.node.name} sends ${end.peer.node.name} ${name(update)}, which it refused`,
          );
        else if (update.value !== undefined && context.has(update.origin, update.sequence))
          this.#object(
            3,
            'sent-again',
            `${end.node.name} sends ${end.peer.node.name} ${name(update)}, which it said it has`,
          );
    } else if (message.type === 'updates') {
      const heard = this.#heardOn(end);
      for (const update of message.updates) {
        if (message.cause === 'answer' && !heard.asked.has(update.origin, update.sequence))
          this.#object(3, 'unasked', `${end.node.name} answers ${end.peer.node.name} with ${name(update)}, unasked`);
        if (message.cause !== 'answer' && heard.has.has(update.origin, update.sequence))
          this.#object(
            3,
            'pushed-again',
            `${end.node.name} pushes ${end.peer.node.name} ${name(update)}, which it said it has`,
          );
      }
    }
  }

  /** `end` is the receiver's: what comes in over it is what its peer says. */
  received(end: End, message: Message): void {
    switch (message.type) {
      case 'contexts':
        if (message.invitation === 0) return;
        Object.assign(this.#heardOn(end), { invitation: message.invitation, invited: message.dots, context: null });
        return;
      case 'announce':
        return this.#heardOn(end).has.addAll(message.dots);
      case 'refused':
        this.#heardOn(end).refusedAtMs = (end.node as SimNode).world.nowMs;
        return this.#heardOn(end).refused.addAll(message.dots);
      case 'room':
        return this.#heardOn(end).makeRoom(message.dots);
      case 'ask':
        return this.#heardOn(end).asked.addAll(message.dots);
      case 'updates':
        for (const { origin, sequence } of message.updates) this.#heardOn(end).has.add(origin, sequence);
        return;
      default:
    }
  }

  /** Whether the node of this end has heard on this connection that its peer refuses these. */
  hasHeardRefused(end: End, dots: DotList): boolean {
    return this.#heard.get(end)?.refused.covers(dots) === true;
  }

  /** A new machine has heard nothing yet, even on connections that live on. */
  forget(ends: Iterable<End>): void {
    for (const end of ends) this.#heard.delete(end);
  }

  #heardOn(end: End): Heard {
    let heard = this.#heard.get(end);
    if (heard === undefined) this.#heard.set(end, (heard = new Heard()));
    return heard;
  }
}

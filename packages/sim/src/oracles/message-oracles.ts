/**
 * The oracles over what a machine says: what has expired or is hidden is never pushed, and feedback tells the truth about
 * the batch (docs/algorithm.md, rules 5 and 6).
 */

import { Context as Dots, type Dots as DotList, isExpired, type Message } from '@grapevine/core';
import type { SimNode } from '../node.ts';
import type { Object as Objection } from '../violation.ts';
import type { Watched } from './watched.ts';
import { name } from './wording.ts';

export class MessageOracles {
  readonly #object: Objection;

  constructor(object: Objection) {
    this.#object = object;
  }

  sending(node: SimNode, watched: Watched, message: Message): void {
    if (message.type === 'announce') return this.#pushed(node, watched, message.dots);
    if (message.type === 'feedback') return this.#fedBack(node, watched, message.known, message.news);
    if (message.type !== 'updates' && message.type !== 'chunk') return;
    const isRumor = message.type === 'updates' && message.cause !== 'answer';
    for (const update of message.updates) {
      if (isExpired(update))
        this.#object(5, 'expired-sent', `${node.name} sends on ${name(update)}, which has expired`);
      if (isRumor && watched.hidden.has(update.origin, update.sequence))
        this.#object(6, 'hidden-pushed', `${node.name} pushes ${name(update)}, which it hides`);
    }
  }

  #pushed(node: SimNode, { hidden }: Watched, dots: DotList): void {
    const { store } = node.replica;
    for (const { origin, intervals } of dots)
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const update = store.byDot(origin, sequence);
          if (update === undefined || isExpired(update))
            this.#object(6, 'stale-pushed', `${node.name} announces ${sequence}.${origin.key}, which it holds no more`);
        }
    if (hidden.isEmpty) return;
    for (const { origin, intervals } of hidden.common(dots)) {
      for (let i = 0; i < intervals.length; i += 2) {
        const update = node.replica.store.byDot(origin, intervals[i] as number);
        if (update !== undefined && update.value !== undefined)
          this.#object(6, 'hidden-pushed', `${node.name} announces ${name(update)}, which it hides`);
      }
    }
  }

  /** Without a handler a batch is answered in the step that stored it: known is what was there before, news what was not. */
  #fedBack(node: SimNode, { entered }: Watched, known: DotList, news: DotList): void {
    if (node.nature.habit !== null) return;
    const inStep = new Dots();
    for (const { origin, first, last } of entered) inStep.add(origin, first, last);
    const wronglyKnown = [
      ...inStep.common(known),
      ...node.replica.notHeldBack(node.replica.refused.lacking(node.replica.context.lacking(known))),
    ];
    if (wronglyKnown.length > 0)
      this.#object(
        6,
        'feedback',
        `${node.name} says that it knew ${wronglyKnown[0]?.intervals[0]}.${wronglyKnown[0]?.origin.key}, which it did not`,
      );
    const wronglyNew = inStep.lacking(node.replica.context.common(news));
    if (wronglyNew.length > 0)
      this.#object(
        6,
        'feedback',
        `${node.name} says that ${wronglyNew[0]?.intervals[0]}.${wronglyNew[0]?.origin.key} was news, which it was not`,
      );
  }
}

/**
 * The handler: runs the user's judgement of what arrived, isolated.
 *
 * It is a supervisor with one child, `judge`, in which the user's code runs: so its crashes count against its own
 * intensity, which is unlimited since the judgement counts the tries, and never against the instance's.
 *
 * Invariants
 *  1. A handler that throws, rejects, gives no verdict or does not answer in time crashes the judge, which is started
 *     again and takes up the open judgement where it stands.
 *  2. An answer to a former try is void.
 *
 * What cannot be isolated in one process is code that never returns: it blocks the event loop for all.
 *
 * Source: docs/architecture.md.
 */

import { performance } from 'node:perf_hooks';

import { GossipError, type Update } from '@grapevine/core';

import type { Holding } from './holding.ts';
import type { HandlerMessage } from './instance-messages.ts';
import type { Judgement } from './judgement.ts';
import { tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Cancel } from './kernel/clock.ts';
import type { Ref } from './kernel/nact.ts';
import { type Handler, isHandler, type PushMessage } from './push.ts';
import { Received, type Stored, storedOf } from './received.ts';
import { type HandlerVerdict, readVerdict } from './verdict.ts';

/** @param handler what the options gave */
export function handlerSpec(holding: Holding, handler: Handler | Ref<PushMessage>): ActorSpec<HandlerMessage> {
  return {
    name: 'handler',
    supervision: { maxRestarts: Number.POSITIVE_INFINITY, backoff: { minMs: 5, maxMs: 100 } },
    start(self) {
      holding.handlerRef = self.spawn<HandlerMessage>({
        name: 'judge',
        start: (judge) => new Judge(holding, handler, judge),
      });
    },
  };
}

/** One try. */
interface Attempt {
  readonly judgement: Judgement;
  readonly received: Received;
  cancelTimer: Cancel;
}

class Judge implements Behaviour<HandlerMessage> {
  readonly #holding: Holding;
  readonly #handler: Handler | Ref<PushMessage>;
  readonly #self: Self<HandlerMessage>;
  #attempt: Attempt | null = null;

  constructor(holding: Holding, handler: Handler | Ref<PushMessage>, self: Self<HandlerMessage>) {
    this.#holding = holding;
    this.#handler = handler;
    this.#self = self;
    // In a turn of its own: a crash in `start` would be a crash of an actor that never was.
    const { judgement } = holding;
    if (judgement !== null) tell(self.ref, { type: 'judge', judgement });
  }

  receive(message: HandlerMessage): void {
    if (message.type === 'judge') {
      const { judgement } = message;
      if (judgement === this.#holding.judgement && judgement !== this.#attempt?.judgement) this.#try(judgement);
      return;
    }
    if (message.attempt !== this.#attempt) return;
    switch (message.type) {
      case 'answer':
        return this.#answered(message.verdict);
      case 'failure':
        throw message.error;
      case 'late': {
        const { handlerTimeout, name } = this.#holding.options;
        throw this.#noted(
          new GossipError('HANDLER_TIMEOUT', `The handler of '${name}' did not answer within ${handlerTimeout} ms.`),
        );
      }
      default:
        message satisfies never;
    }
  }

  #try(judgement: Judgement): void {
    const updates = judgement.next(performance.now());
    if (updates === null) {
      this.#attempt = null;
      tell(this.#holding.ref, { type: 'judged', judgement, verdict: judgement.verdict() });
      return;
    }
    const attempt = this.#begin(judgement, updates);
    let answer: unknown;
    try {
      answer = this.#push(attempt.received, storedOf(judgement.offer.stored));
    } catch (error) {
      throw this.#noted(error);
    }
    if (!isThenable(answer)) {
      this.#answered(answer);
      return;
    }
    const { ref } = this.#self;
    Promise.resolve(answer).then(
      (verdict) => tell(ref, { type: 'answer', attempt, verdict }),
      (error: unknown) => {
        if (attempt === this.#attempt) judgement.note(error);
        tell(ref, { type: 'failure', attempt, error });
      },
    );
  }

  #begin(judgement: Judgement, updates: readonly Update[]): Attempt {
    const attempt: Attempt = { judgement, received: new Received(updates), cancelTimer: () => {} };
    this.#attempt = attempt;
    attempt.cancelTimer = this.#self.schedule(this.#holding.options.handlerTimeout, { type: 'late', attempt });
    return attempt;
  }

  #push(received: Received, stored: Stored): unknown {
    if (isHandler(this.#handler)) return this.#handler.push(received, stored);
    const { name, handlerTimeout } = this.#holding.options;
    const makeMessage = (replyTo: Ref<HandlerVerdict>): PushMessage => ({
      type: 'push',
      gossip: name,
      received,
      stored,
      replyTo,
    });
    return ask(this.#handler, makeMessage, { timeoutMs: handlerTimeout });
  }

  #answered(answer: unknown): void {
    const { judgement, received, cancelTimer } = this.#attempt as Attempt;
    cancelTimer();
    try {
      judgement.succeeded(readVerdict(answer, received, judgement.offer.stored));
    } catch (error) {
      throw this.#noted(error);
    }
    this.#attempt = null;
    // The instance was started anew meanwhile, and gave this offer up.
    if (judgement === this.#holding.judgement) this.#try(judgement);
  }

  #noted(error: unknown): unknown {
    this.#attempt?.judgement.note(error);
    return error;
  }
}

function isThenable(answer: unknown): answer is PromiseLike<unknown> {
  return typeof answer === 'object' && answer !== null && typeof (answer as { then?: unknown }).then === 'function';
}

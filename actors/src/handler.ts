/**
 * The handler: runs the user's judgement of what arrived, isolated.
 *
 * It is a supervisor with one child, `judge`, in which the user's code runs.
 *
 * Invariants
 *  1. A handler that throws, rejects, gives no verdict or does not answer in time has failed on what it was given. Nothing
 *     is restarted for it: the judgement says what is tried next.
 *  2. One call is open at a time, but for those that did not answer in time. An answer to a former try is void.
 *  3. While an actor that is the handler is gone nothing is judged: what arrives waits for it to be spawned again.
 *  4. Own writes and what arrives are judged by turns: neither waits for more than one try of the other.
 *
 * What cannot be isolated in one process is code that never returns: it blocks the event loop for all.
 *
 * Source: docs/handlers.md.
 */

import { GossipError, isGossipError, type StoredView } from '@grapevine/core';

import type { Holding } from './holding.ts';
import type { HandlerMessage } from './instance-messages.ts';
import { Judgement } from './judgement.ts';
import { isGone, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Cancel } from './kernel/clock.ts';
import { onNactFault, type Ref } from './kernel/nact.ts';
import { onceGone } from './kernel/watch.ts';
import { OwnWrite } from './own-write.ts';
import { type Handler, isHandler, type PushMessage } from './push.ts';
import { Received, storedOf } from './received.ts';
import { type HandlerVerdict, readVerdict } from './verdict.ts';

/** How often to look whether a handler that is gone has been spawned again, in milliseconds. */
const LOOK_MS = 100;

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
  readonly task: Judgement | OwnWrite;
  readonly received: Received;
  readonly stored: StoredView;
  cancelTimer: Cancel;
}

class Judge implements Behaviour<HandlerMessage> {
  readonly #holding: Holding;
  readonly #handler: Handler | Ref<PushMessage>;
  readonly #self: Self<HandlerMessage>;
  #attempt: Attempt | null = null;
  /** Whether the latest try was about an own write. */
  #wasOwn = false;
  /** What an actor that is the handler threw last. */
  #thrown: unknown = undefined;
  #unwatch: Cancel = () => {};

  constructor(holding: Holding, handler: Handler | Ref<PushMessage>, self: Self<HandlerMessage>) {
    this.#holding = holding;
    this.#handler = handler;
    this.#self = self;
    this.#watch();
    // In a turn of its own: a crash in `start` would be a crash of an actor that never was.
    tell(self.ref, { type: 'judge' });
  }

  receive(message: HandlerMessage): void {
    switch (message.type) {
      case 'judge':
        return this.#goOn();
      case 'ended':
        return this.#ended();
      case 'look':
        return this.#look();
      default:
    }
    const { attempt } = message;
    if (attempt !== this.#attempt) return;
    this.#attempt.cancelTimer();
    switch (message.type) {
      case 'answer':
        return this.#answered(this.#attempt, message.verdict);
      case 'failure':
        return this.#failed(this.#attempt.task, message.error);
      case 'late': {
        const { handlerTimeout, name } = this.#holding.options;
        const error = new GossipError(
          'HANDLER_TIMEOUT',
          `The handler of '${name}' did not answer within ${handlerTimeout} ms (handlerTimeout).`,
        );
        return this.#failed(this.#attempt.task, error, { isLate: true });
      }
      default:
        message satisfies never;
    }
  }

  stopped(): void {
    this.#unwatch();
  }

  /** Tries what is next, unless a try is open. */
  #goOn(): void {
    const { judgement, writes, handlerState } = this.#holding;
    if (handlerState === 'gone') return this.#refuseWrites();
    const open = this.#attempt?.task;
    // Of another offer: the instance was started anew meanwhile, and gave that up.
    const isVoid = open instanceof Judgement && open !== judgement;
    if (open !== undefined && !isVoid) return;
    this.#attempt?.cancelTimer();
    this.#attempt = null;
    // Somebody waits for an own write; and what others wrote has every second turn, however many of those there are.
    const write = writes.find(({ outcome }) => outcome === null);
    const isTheirTurn = this.#wasOwn && judgement !== null && judgement.outcome === null;
    const task = write === undefined || isTheirTurn ? judgement : write;
    if (task === null) return;
    if (task.outcome !== null) return this.#tellOutcome(task);
    if (task.isTrying) return this.#failed(task, new Error('the handler ended before it answered'));
    this.#try(task);
  }

  #try(task: Judgement | OwnWrite): void {
    const attempt = this.#begin(task);
    let answer: unknown;
    try {
      answer = this.#push(attempt);
    } catch (error) {
      attempt.cancelTimer();
      return this.#failed(task, error);
    }
    if (!isThenable(answer)) {
      attempt.cancelTimer();
      return this.#answered(attempt, answer);
    }
    const { ref } = this.#self;
    Promise.resolve(answer).then(
      (verdict) => tell(ref, { type: 'answer', attempt, verdict }),
      (error: unknown) => tell(ref, { type: 'failure', attempt, error }),
    );
  }

  #begin(task: Judgement | OwnWrite): Attempt {
    const { replica } = this.#holding;
    const isOwn = task instanceof OwnWrite;
    const received = new Received(isOwn ? task.updates(replica.origin) : task.next());
    // The snapshot of an offer is its intake's.
    const stored = isOwn ? replica.snapshot() : task.offer.stored;
    if (isOwn) task.begin(stored);
    this.#wasOwn = isOwn;
    const attempt: Attempt = { task, received, stored, cancelTimer: () => {} };
    this.#attempt = attempt;
    attempt.cancelTimer = this.#self.schedule(this.#holding.options.handlerTimeout, { type: 'late', attempt });
    return attempt;
  }

  #push({ task, received, stored: view }: Attempt): unknown {
    const own = task instanceof OwnWrite;
    const stored = storedOf(view);
    if (isHandler(this.#handler)) return this.#handler.push(received, stored, { own });
    const { name, handlerTimeout } = this.#holding.options;
    const makeMessage = (replyTo: Ref<HandlerVerdict | Error>): PushMessage => ({
      type: 'push',
      gossip: name,
      received,
      stored,
      own,
      replyTo,
    });
    // The timer of the try is the one that counts.
    return ask(this.#handler, makeMessage, { timeoutMs: 2 * handlerTimeout }).catch((error: unknown) => {
      // What the actor itself threw says more than that it has crashed.
      throw isGossipError(error) && error.code === 'ACTOR_CRASHED' ? error.cause : error;
    });
  }

  #answered({ task, received, stored }: Attempt, answer: unknown): void {
    try {
      const ruling = readVerdict(answer, received, stored);
      if (task instanceof OwnWrite) task.judged(ruling, this.#holding.instance);
      else task.succeeded(ruling);
    } catch (error) {
      return this.#failed(task, error);
    }
    this.#end();
    this.#holding.handlerState = 'ready';
    this.#tellOutcome(task);
  }

  #failed(task: Judgement | OwnWrite, error: unknown, { isLate = false }: { readonly isLate?: boolean } = {}): void {
    this.#end();
    if (this.#holding.handlerState !== 'gone') this.#holding.handlerState = isLate ? 'late' : 'ready';
    if (task instanceof OwnWrite) task.failed(error, this.#holding.instance);
    else task.failed(error, { isLate });
    if (task.outcome !== null) return this.#tellOutcome(task);
    // In a turn of its own, so that the end of the handler is heard first.
    tell(this.#self.ref, { type: 'judge' });
  }

  #end(): void {
    this.#attempt = null;
  }

  /** What is next comes in a turn of its own. */
  #tellOutcome(task: Judgement | OwnWrite): void {
    if (task instanceof Judgement) tell(this.#holding.ref, { type: 'judged', judgement: task });
    else tell(this.#holding.ref, { type: 'write-judged' });
    if (task instanceof OwnWrite || this.#holding.writes.some(({ outcome }) => outcome === null))
      tell(this.#self.ref, { type: 'judge' });
  }

  /** Who writes is told at once that nobody judges. */
  #refuseWrites(): void {
    const waiting = this.#holding.writes.filter(({ outcome }) => outcome === null);
    if (waiting.length === 0) return;
    const error = new GossipError('HANDLER_GONE', 'the actor that is the handler has stopped');
    for (const write of waiting) write.failed(error, this.#holding.instance);
    tell(this.#holding.ref, { type: 'write-judged' });
  }

  // A handler that is an actor

  #watch(): void {
    const handler = this.#handler;
    if (isHandler(handler)) return;
    const { ref } = this.#self;
    const forgetFaults = onNactFault(handler, (_message, error) => (this.#thrown = error));
    const forgetEnd = onceGone(handler, () => tell(ref, { type: 'ended' }));
    this.#unwatch = () => {
      forgetFaults();
      forgetEnd();
    };
  }

  #ended(): void {
    this.#unwatch();
    this.#self.schedule(LOOK_MS, { type: 'look' });
    const holding = this.#holding;
    if (holding.handlerState === 'gone') return;
    holding.handlerState = 'gone';
    const path = String((this.#handler as { readonly path?: unknown }).path);
    const error = new GossipError(
      'HANDLER_GONE',
      `The actor ${path} that is the handler of '${holding.instance}' has stopped: nothing that arrives is judged or shown until it is spawned again under the same name and parent. An actor of nact ends at the first throw unless it has an onCrash: see docs/handlers.md.`,
      { context: { gossip: holding.instance, handler: path }, cause: this.#thrown },
    );
    this.#thrown = undefined;
    this.#self.logger.error({ err: error, gossip: holding.instance, node: holding.node }, error.message);
    this.#refuseWrites();
  }

  #look(): void {
    const holding = this.#holding;
    if (isGone(this.#handler)) return void this.#self.schedule(LOOK_MS, { type: 'look' });
    holding.handlerState = 'ready';
    const fields = { gossip: holding.instance, node: holding.node };
    this.#self.logger.info(fields, 'the actor that is the handler is there again: it judges what has waited');
    this.#watch();
    this.#goOn();
  }
}

function isThenable(answer: unknown): answer is PromiseLike<unknown> {
  return typeof answer === 'object' && answer !== null && typeof (answer as { then?: unknown }).then === 'function';
}

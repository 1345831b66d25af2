/**
 * Asking: a message that carries where to answer, and a promise of the answer.
 *
 * Rule of nact: `query` to an actor that stops or fails waits for its timeout, with a timer that keeps the process
 * alive, and fires at once when the timeout is over 2³¹−1 ms. Ours fails as soon as no answer can come any more.
 *
 * Invariants
 *  1. The promise settles exactly once, and then nothing of the question is left: no timer, no listener, no reference.
 *  2. Where to answer is a plain reference: our `tell` and nact's `dispatch` both reach it, the first answer counts.
 */

import { GossipError } from '@grapevine/core';

import { cellOf, tell } from './actor.ts';
import { systemClock } from './clock.ts';
import { claimReply, onNactFault, type Ref } from './nact.ts';
import { putBehind } from './postbox.ts';
import { onceGone } from './watch.ts';

export interface AskOptions {
  /** How long to wait for the answer, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Asks an actor, ours or the user's.
 * @throws (rejects) GossipError ACTOR_GONE when it is gone or stops before it answers, ACTOR_CRASHED when it crashes on
 *   this very message (the error that it threw is the cause), MAILBOX_FULL when the message was refused or dropped, ASK_TIMEOUT
 */
export function ask<M, R>(ref: Ref<M>, makeMessage: (replyTo: Ref<R>) => M, { timeoutMs }: AskOptions): Promise<R> {
  return new Promise((resolve, reject) => {
    let open = true;
    const cleanups: (() => unknown)[] = [];
    const settle = (finish: () => void): void => {
      if (!open) return;
      open = false;
      for (const cleanup of cleanups) cleanup();
      finish();
    };
    const fail = (error: GossipError): void => settle(() => reject(error));
    const answered = (answer: unknown): void => settle(() => resolve(answer as R));
    let thrown: { readonly error: unknown } | null = null;
    const gone = (): void =>
      fail(
        thrown === null
          ? new GossipError('ACTOR_GONE', `The actor that was asked has stopped: ${nameOf(ref)}.`)
          : new GossipError('ACTOR_CRASHED', `${nameOf(ref)} crashed on the message.`, { cause: thrown.error }),
      );

    const reply = claimReply(ref, answered);
    putBehind(reply.ref, {
      get closed() {
        return !open;
      },
      post(answer) {
        const accepted = open;
        answered(answer);
        return accepted;
      },
    });
    cleanups.push(reply.release);

    let message: M;
    try {
      message = makeMessage(reply.ref);
    } catch (error) {
      settle(() => reject(error));
      return;
    }
    const late = (): void =>
      fail(new GossipError('ASK_TIMEOUT', `No answer within ${timeoutMs} ms from ${nameOf(ref)}.`));
    cleanups.push(systemClock.after(timeoutMs, late));
    cleanups.push(onceGone(ref, gone));
    if (!open) return;
    const crashed = (crashedOn: unknown, error: unknown, decided: Promise<unknown>): void => {
      if (crashedOn !== message) return;
      thrown = { error };
      // Its `onCrash` may still answer.
      void decided.then(gone);
    };
    if (cellOf(ref) === undefined) cleanups.push(onNactFault(ref, crashed));
    const forget = cellOf(ref)?.expect(message, fail);
    if (forget !== undefined) cleanups.push(forget);
    // A message that a full mailbox refused has failed already, as expected; what is left are those about to stop.
    if (!tell(ref, message)) gone();
  });
}

function nameOf(ref: Ref<never>): string {
  return String((ref as { readonly path?: unknown }).path);
}

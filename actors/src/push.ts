/**
 * What users write to judge what arrives: an object with a function, or an actor that answers messages.
 *
 * Source: docs/architecture.md; named as in the original, where a handler's `push` is called with what a peer pushed.
 */

import type { Ref } from './kernel/nact.ts';
import type { Stored } from './received.ts';
import type { HandlerVerdict } from './verdict.ts';

/** Judges what arrives: a function of an object. */
export interface Handler {
  /**
   * @param received the newest of each id, no removals
   * @param stored what readers here see, as of the offer
   */
  push(
    received: ReadonlyMap<string, unknown>,
    stored: Stored,
    about: PushContext,
  ): HandlerVerdict | Promise<HandlerVerdict>;
}

/** What else a handler is told. */
export interface PushContext {
  /** Whether this node is about to write it itself: with `judgeWrites`. */
  readonly own: boolean;
}

/** What a handler that is an actor is sent; it answers by `dispatch(replyTo, verdict)`, or with an `Error`: as a throw. */
export interface PushMessage {
  readonly type: 'push';
  /** The instance's name. */
  readonly gossip: string;
  readonly received: ReadonlyMap<string, unknown>;
  readonly stored: Stored;
  /** Whether this node is about to write it itself: with `judgeWrites`. */
  readonly own: boolean;
  readonly replyTo: Ref<HandlerVerdict | Error>;
}

export function isHandler(handler: Handler | Ref<PushMessage>): handler is Handler {
  return typeof (handler as Partial<Handler>).push === 'function';
}

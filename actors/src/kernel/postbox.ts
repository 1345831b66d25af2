/**
 * What stands behind a reference of ours, carried by the reference itself: an actor, or somebody who waits for an answer.
 *
 * Invariants
 *  1. To users a reference is nact's plain `Ref`; what is behind it cannot be named, listed or serialised.
 *  2. Looking it up costs one property access: it is on the way of every message.
 */

import type { Ref } from './nact.ts';

export interface Postbox {
  /** Whether it takes no message any more. */
  readonly closed: boolean;
  /** @returns whether the message was accepted */
  post(message: unknown): boolean;
}

const behind = Symbol('postbox');

export function postboxOf(ref: Ref<never>): Postbox | undefined {
  return (ref as { readonly [behind]?: Postbox } | undefined)?.[behind];
}

export function putBehind(ref: Ref<never>, postbox: Postbox): void {
  Object.defineProperty(ref, behind, { value: postbox });
}

/**
 * What a replica does not vouch for: dots that it knows to be over by the word of others alone, taken while it lacked
 * something. They may be over for that very thing, and others would drop them without having it.
 *
 * Invariants
 *  1. What was refused or held back is lacked until its dot is in the context: that it is let in again does not bring it.
 *  2. It is awaited for `forgetAfter` at least and twice that at most: its holders may be no more. And only so much is, as
 *     `Context.room` counts it.
 *
 * Source: docs/algorithm.md, rules 1 and 3.
 */

import { Context, type Dots, roomOf } from '../context.ts';
import type { Origin } from '../origin.ts';

const AWAITED_ROOM = 65_536;

export class Vouching {
  readonly #context: Context;
  readonly #unvouched = new Context();
  /** What was refused or held back, is not any more, and has not come. */
  #awaited = new Context();
  /** What was awaited already when the present period began. */
  #former = new Context();
  #periodMs = 0;

  /** @param context of the replica */
  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether something is awaited that has been refused or held back. */
  get isAwaiting(): boolean {
    return !this.#awaited.isEmpty || !this.#former.isEmpty;
  }

  /** These are refused or held back no more, and have yet to come. */
  expect(dots: Dots): void {
    this.#arrive();
    for (const entry of dots) if (this.#awaited.room + roomOf([entry]) <= AWAITED_ROOM) this.#awaited.addAll([entry]);
  }

  /** These were taken by the word of others, while something is lacked. */
  doubt(dots: Dots): void {
    this.#unvouched.addAll(dots);
  }

  /** What of these dots, all of the context, can be vouched for. @param lacks whether something is refused or held back */
  vouched(dots: Dots, lacks: boolean): Dots {
    this.#arrive();
    if (!lacks && !this.isAwaiting) this.#unvouched.removeAll(this.#unvouched.dots());
    return this.#unvouched.isEmpty ? dots : this.#unvouched.lacking(dots);
  }

  /** An origin is forgotten. */
  forget(origin: Origin): void {
    this.#unvouched.forget(origin);
  }

  /** Awaits no more what has been awaited for so long. To be called now and then. */
  giveUp(nowMs: number, forgetAfterMs: number): void {
    if (nowMs >= this.#periodMs && nowMs - this.#periodMs < forgetAfterMs) return;
    // A clock that was set back begins a period and ends none.
    if (nowMs >= this.#periodMs) {
      this.#former = this.#awaited;
      this.#awaited = new Context();
    }
    this.#periodMs = nowMs;
  }

  clear(): void {
    this.#unvouched.removeAll(this.#unvouched.dots());
    this.#awaited = new Context();
    this.#former = new Context();
  }

  /** What is in the context by now has come, or is over for something that is. */
  #arrive(): void {
    for (const awaited of [this.#awaited, this.#former])
      if (!awaited.isEmpty) awaited.removeAll(this.#context.common(awaited.dots()));
  }
}

/**
 * An audience: who subscribed to something that is told as a whole first, and then by every change of it.
 *
 * Invariants
 *  1. Who is behind is told nothing until it has caught up with its mailbox, and then the whole again: a subscriber whose
 *     mailbox refuses events, or in which `EVENTS` wait, costs no more memory, and misses nothing but the way to where
 *     things stand. What waits for a plain actor of nact's cannot be seen, nor bounded here.
 *  2. Who is gone is forgotten: as something is told, and as others come where nothing is.
 *
 * Source: docs/architecture.md.
 */

import { hasAmpleRoom, isGone, statsOf, tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';

/** So many events may wait for a subscriber before it counts as behind. */
const EVENTS = 1024;
/** So many are never looked through for who is gone. */
const FEW = 16;
/** How often one looks whether those who are behind take messages again, in milliseconds. */
export const CATCH_UP_MS = 100;

export class Audience<E> {
  /** Hears of each subscriber that falls behind. */
  onBehind: () => void = () => {};

  readonly #whole: () => E;
  readonly #subscribers = new Set<Ref<E>>();
  readonly #behind = new Set<Ref<E>>();
  /** With so many one looks for those who are gone. */
  #sweepAt = FEW;

  /** @param whole makes the event that tells all there is */
  constructor(whole: () => E) {
    this.#whole = whole;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** How many of them wait to be told all anew. */
  get behind(): number {
    return this.#behind.size;
  }

  /** Tells a new subscriber the whole. Who subscribes again is told it again. */
  add(subscriber: Ref<E>): void {
    if (isGone(subscriber)) return;
    if (this.#subscribers.size >= this.#sweepAt) this.sweep();
    this.#subscribers.add(subscriber);
    if (tell(subscriber, this.#whole())) this.#behind.delete(subscriber);
    else this.#fallsBehind(subscriber);
  }

  delete(subscriber: Ref<E>): void {
    this.#subscribers.delete(subscriber);
    this.#behind.delete(subscriber);
  }

  /** Tells all who are not behind. */
  tell(event: E): void {
    for (const subscriber of this.#subscribers) {
      if (this.#behind.has(subscriber)) continue;
      const isSlow = (statsOf(subscriber)?.queued ?? 0) >= EVENTS;
      if (isSlow || !tell(subscriber, event)) this.#fallsBehind(subscriber);
    }
  }

  /** Tells the whole to those who were behind and take messages again. */
  catchUp(): void {
    for (const subscriber of this.#behind) {
      if (isGone(subscriber)) this.delete(subscriber);
      else if (hasAmpleRoom(subscriber, EVENTS) && tell(subscriber, this.#whole())) this.#behind.delete(subscriber);
    }
  }

  /** Forgets those who are gone. Costs each who comes a look at two others, on the average. */
  sweep(): void {
    for (const subscriber of this.#subscribers) if (isGone(subscriber)) this.delete(subscriber);
    this.#sweepAt = 2 * this.#subscribers.size + FEW;
  }

  #fallsBehind(subscriber: Ref<E>): void {
    if (isGone(subscriber)) return this.delete(subscriber);
    this.#behind.add(subscriber);
    this.onBehind();
  }
}

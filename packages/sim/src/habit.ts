/**
 * How a simulated handler judges: what it keeps, what it changes, what it throws on, and how long it takes.
 */

import { below, type Bytes, keepAll, type Offer, type Random, type Verdict } from '@grapevine/core';

export interface Habit {
  /** The longest that a judgement takes, in milliseconds. */
  readonly delayMs: number;
  /** Share of the offers that it does not simply keep. */
  readonly refusals: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly delayMs: number;
}

/** As MessagePack. */
const CHANGED: Bytes = '\xa7changed';

export function judge({ delayMs, refusals }: Habit, offer: Offer, random: Random): Judgement {
  const takesMs = random() < 0.5 ? 0 : below(random, delayMs + 1);
  if (random() >= refusals) return { verdict: keepAll, delayMs: takesMs };
  const kept = new Map<string, Bytes>();
  for (const { id, value } of offer.updates)
    if (random() < 0.6) kept.set(id, random() < 0.3 ? CHANGED : (value as Bytes));
  const dice = random();
  // It threw on what comes after: that is offered again.
  const firstOf = (share: number): number => 1 + Math.floor(share * offer.updates.length);
  if (dice < 0.4) return { verdict: { type: 'keep', kept, count: firstOf(dice / 0.4) }, delayMs: takesMs };
  if (dice < 0.6) return { verdict: { type: 'reset', kept, offeredArrival: 0 }, delayMs: takesMs };
  if (dice < 0.8) return { verdict: { type: 'ignore' }, delayMs: takesMs };
  return { verdict: { type: 'dead', count: firstOf((dice - 0.8) / 0.2) }, delayMs: takesMs };
}

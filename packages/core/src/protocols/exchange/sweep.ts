/**
 * The last step of the exchange: drops what a peer has seen and no longer holds.
 *
 * Invariant: a live dot is dropped only if the peer's context has it, the peer's list does not, and our own context covers
 * the peer's.
 *
 * Source: docs/algorithm.md, rule 3; the optimised OR-set of Bieniusa et al., "An optimized conflict-free replicated
 * set", 2012.
 */

import { type Buckets, Context, countDots, sumOf } from '../../context.ts';
import { sameBucket, sameSum } from '../../hash.ts';
import type { End, LiveDots, LiveSums } from '../../messages.ts';
import type { Environment } from '../../protocol.ts';
import { sample } from '../../random.ts';
import { LIVE_BUCKETS, liveBucketOf, outlives } from '../../store.ts';
import type { Update } from '../../update.ts';
import { horizonOf, liveWithout } from './held.ts';

/** Up to so many live ids the sweep lists them at once; beyond, sums of buckets first. */
const FEW_LIVE = 512;
/** So many live ids are listed where the sums say that all are the same. */
const SOME_LIVE = 4096;

export class Sweep {
  readonly #environment: Environment;
  readonly #patienceMs: number;
  /** When a sweep was last begun although contexts differed. */
  #sweptMs: number = -Infinity;

  /** @param patienceMs where contexts differ, a sweep is due once in so many milliseconds */
  constructor(environment: Environment, patienceMs: number) {
    this.#environment = environment;
    this.#patienceMs = patienceMs;
  }

  /**
   * Whether a difference in what is live is worth a sweep now. Where contexts are equal, always. In a busy cluster they
   * never are, and what was just overwritten differs at every instant: there once in a while is enough.
   */
  isDue(end: End, nowMs: number): boolean {
    if (sameSum(this.#environment.replica.context.sum, end.context)) return true;
    if (nowMs >= this.#sweptMs && nowMs < this.#sweptMs + this.#patienceMs) return false;
    this.#sweptMs = nowMs;
    return true;
  }

  /** Whether what is live here, of what the peer's context has, is what is live there. */
  isLiveAs(end: End): boolean {
    const { replica } = this.#environment;
    // Dots that the claim leaves out do not count. In buckets that it does not speak of both were equal just now.
    const ours = replica.context.dots(end.buckets);
    const claim = Context.of(end.claim);
    const extra = sameSum(sumOf(ours), replica.context.sumOf(end.claim)) ? [] : claim.lacking(ours);
    // Of a peer that has little, as one that has just begun to be sent all, what it has is looked at, and not all the rest.
    const common = end.buckets === 'all' && extra.length > 0 ? claim.common(ours) : null;
    if (common !== null && countDots(common) < countDots(extra))
      return sameSum(replica.store.liveSumOf(common, end.horizonMs), end.live);
    return sameSum(liveWithout(replica.store, extra, end.horizonMs), end.live);
  }

  /** Tells a peer what is live here: all of it at once where it is little, sums of buckets first where it is much. */
  begin(peer: string, horizonMs: number): void {
    const { store } = this.#environment.replica;
    if (store.liveCount <= FEW_LIVE) this.#listLive(peer, 'all', horizonMs, true);
    else this.#environment.effects.send(peer, { type: 'live-sums', sums: store.liveBucketSums(horizonMs), horizonMs });
  }

  /** Tells a peer what is live here, of as many buckets as have few. */
  compareSome(peer: string, horizonMs: number): void {
    const { replica, random } = this.#environment;
    const count = Math.floor((LIVE_BUCKETS * SOME_LIVE) / Math.max(1, replica.store.liveCount));
    const all = Array.from({ length: LIVE_BUCKETS }, (_, bucket) => bucket);
    const buckets = count >= LIVE_BUCKETS ? 'all' : sample(random, all, Math.max(1, count));
    this.#listLive(peer, buckets, horizonMs, true);
  }

  onLiveSums(from: string, message: LiveSums, nowMs: number): void {
    const { replica } = this.#environment;
    const horizonMs = Math.max(message.horizonMs, horizonOf(replica, nowMs));
    const ours = replica.store.liveBucketSums(message.horizonMs);
    const buckets: number[] = [];
    for (let bucket = 0; bucket < LIVE_BUCKETS; bucket++)
      if (!sameBucket(ours, message.sums, bucket)) buckets.push(bucket);
    if (buckets.length > 0) this.#listLive(from, buckets, horizonMs, true);
  }

  #listLive(to: string, buckets: Buckets, horizonMs: number, answer: boolean): void {
    const { replica, effects } = this.#environment;
    const dots = replica.store.liveDots(buckets === 'all' ? null : new Set(buckets), horizonMs);
    const context = replica.vouched(replica.context.dots());
    effects.send(to, { type: 'live-dots', buckets, dots, context, horizonMs, answer });
  }

  /** @param doubted what the peer refused, and may have in its context all the same: it is no word on what is over */
  onLiveDots(from: string, message: LiveDots, doubted: Context | null, nowMs: number): void {
    const { replica } = this.#environment;
    const horizonMs = Math.max(message.horizonMs, horizonOf(replica, nowMs));
    // What we refuse or hold back we do not cover, and what it supersedes elsewhere is over even so.
    const taken = replica.notHeldBack(replica.refused.lacking(message.context));
    if (replica.context.covers(taken)) this.#sweep(message, doubted, horizonMs);
    if (message.answer) this.#listLive(from, message.buckets, horizonMs, false);
  }

  /** Drops what the peer has seen and no longer holds, unless it may be over there for what is held back here. */
  #sweep(message: LiveDots, doubted: Context | null, horizonMs: number): void {
    const { replica } = this.#environment;
    const chosen = message.buckets === 'all' ? null : new Set(message.buckets);
    const seen = Context.of(message.context);
    const listed = Context.of(message.dots);
    // Where the peer has not taken it, nothing is over there for its sake.
    const waiting = replica.idsHeldBack(message.context);
    const dropped: Update[] = [];
    for (const update of replica.store)
      if (
        outlives(update, horizonMs) &&
        (chosen === null || chosen.has(liveBucketOf(update.id))) &&
        seen.has(update.origin, update.sequence) &&
        !listed.has(update.origin, update.sequence) &&
        doubted?.has(update.origin, update.sequence) !== true &&
        !waiting.has(update.id)
      )
        dropped.push(update);
    for (const update of dropped) replica.sweep(update);
  }
}

/**
 * Transfers to peers: what they lack, and the claim at the end.
 *
 * Invariants
 *  1. Updates go in order of arrival; each chunk claims only its dots; the last frame claims our context of that instant,
 *     when everything in it that the peer lacks has been sent.
 *  2. Nobody is sent a value that it said it has, or that it refused.
 *
 * Source: docs/algorithm.md, rule 3.
 */

import { Batch } from '../../batch.ts';
import { type Buckets, Context, countDots, type Dots, type Journal, roomOf, sumOf } from '../../context.ts';
import { addTerm, type Sum } from '../../hash.ts';
import { type Stamp, stampAt } from '../../hlc.ts';
import type { Ack, Contexts, End, Refused, Room } from '../../messages.ts';
import type { Environment } from '../../protocol.ts';
import type { Walk } from '../../store.ts';
import type { Page } from '../../store/page.ts';
import { isExpired, UPDATE_BYTES } from '../../update.ts';
import { BATCH_BYTES, BATCH_UPDATES } from '../batches.ts';
import { without } from '../dots.ts';
import { type FrameBytesOf, fitsWith, isAmple, roomIn, wireBytes, withhold } from '../fitting.ts';
import { heldAmong, horizonOf, inOrder, liveWithout } from './held.ts';
import { TooLargeThere } from './refusing.ts';

/** Chunks under way without an acknowledgement. */
const WINDOW = 8;
/**
 * Of a peer's context so much is remembered beyond twice of what our own takes, as `Context.room` counts it, while it is
 * sent what it lacks.
 */
const MODEST_ROOM = 65_536;

/** A transfer to a peer. */
interface Outgoing {
  readonly invitation: number;
  readonly buckets: Buckets;
  /** What the peer has, as far as it said or was sent. */
  readonly theirs: Context;
  /** What it lacks of ours, in order of arrival, as far as it was not sent; `null`: all of it was. */
  queue: Walk | null;
  /** Removals of an earlier stamp are not sent. */
  oldest: Stamp;
  index: number;
  acknowledged: number;
}

export class OutgoingTransfers {
  readonly #environment: Environment;
  /** Dots that arrived lately, which others may get by another way: not yet worth a transfer. `null`: all are worth one. */
  readonly #recent: (() => readonly Journal[]) | null;
  readonly #outgoing = new Map<string, Outgoing>();
  /** Per peer, what it refused on this connection. */
  readonly #refusedBy = new Map<string, Context>();
  /**
   * Per peer, what of that it has not told a context without. Its refusal may have crossed our claim of the same dots, and a
   * peer that took such a claim has them in its context without having had them.
   */
  readonly #doubted = new Map<string, Context>();
  readonly #tooLargeThere: TooLargeThere;

  readonly #frameBytesOf: FrameBytesOf;

  constructor(
    environment: Environment,
    recent: (() => readonly Journal[]) | null,
    frameBytesOf: FrameBytesOf = () => Infinity,
  ) {
    this.#environment = environment;
    this.#recent = recent;
    this.#frameBytesOf = frameBytesOf;
    this.#tooLargeThere = new TooLargeThere(environment, frameBytesOf);
  }

  /** The peer is gone, or came back on another connection. */
  reset(peer: string): void {
    this.#outgoing.delete(peer);
    this.#refusedBy.delete(peer);
    this.#doubted.delete(peer);
  }

  /** Ends all transfers. */
  abandon(): void {
    this.#outgoing.clear();
  }

  /** Sends a peer what it lacks of our context, by the invitation in its message. */
  answer(from: string, message: Contexts, nowMs: number): void {
    const { replica, effects } = this.#environment;
    const { invitation, buckets } = message;
    const context = replica.context.dots(buckets);
    // Of a context far larger than ours only what we know too: a peer cannot make us remember what it has made up.
    const isModest = roomOf(message.dots) <= 2 * replica.context.room + MODEST_ROOM;
    const theirs = Context.of(isModest ? message.dots : replica.context.common(message.dots));
    const missing = theirs.lacking(context);
    if (this.#onlyRecent(missing)) {
      // Claims no more than the peer has told, and still opens the sweep: where the cluster is busy something is always
      // young, and removals must get through even so.
      const claim = replica.vouched(theirs.common(context));
      effects.send(from, this.#endOf({ invitation, index: 0, buckets, claim }, missing, nowMs));
      return;
    }
    theirs.addAll(this.refusedBy(from));
    const outgoing: Outgoing = {
      invitation,
      buckets,
      theirs,
      queue: null,
      oldest: 0,
      index: 0,
      acknowledged: 0,
    };
    this.#outgoing.set(from, outgoing);
    this.#produce(from, outgoing, nowMs);
  }

  /** Whether something is missing, and all of it is so young that another way may still bring it. */
  #onlyRecent(missing: Dots): boolean {
    if (this.#recent === null || missing.length === 0) return false;
    let rest = missing;
    for (const recent of this.#recent()) rest = recent.lacking(rest);
    return rest.length === 0;
  }

  /** Sends chunks while the window is open, and the end when the peer lacks nothing more. */
  #produce(to: string, outgoing: Outgoing, nowMs: number): void {
    const { replica, effects } = this.#environment;
    replica.expire(nowMs);
    const { invitation } = outgoing;
    for (;;) {
      while (outgoing.queue !== null) {
        if (!this.#reach(outgoing.queue, outgoing.oldest)) {
          outgoing.queue = null;
          break;
        }
        if (outgoing.index - outgoing.acknowledged >= WINDOW) return;
        const updates = this.#nextChunk(to, outgoing.queue, outgoing.oldest);
        if (updates.length > 0) effects.send(to, { type: 'chunk', invitation, index: outgoing.index++, updates });
      }
      const missing = outgoing.theirs.lacking(replica.context.dots(outgoing.buckets));
      if (missing.length === 0) break;
      outgoing.queue = inOrder(replica.store, missing);
      // A removal that is older than anybody remembers is not sent on: replicas would give it to each other for ever.
      outgoing.oldest = stampAt(nowMs - replica.forgetAfterMs);
      outgoing.theirs.addAll(missing);
    }
    this.#outgoing.delete(to);
    const { buckets, index } = outgoing;
    const refused = this.refusedBy(to);
    const claim = replica.vouched(without(replica.context.dots(buckets), refused));
    const end = this.#endOf({ invitation, index, buckets, claim }, refused, nowMs);
    // The peer tells from both sums whether we are equal elsewhere too: what the claim leaves out for its sake must not look
    // like a difference there, which would never go.
    const isWhole = buckets === 'all' && refused.length === 0;
    effects.send(to, isWhole ? end : { ...end, context: this.#contextAs(claim, buckets) });
  }

  /** The sum of our context as it were if it held no more of these buckets than the claim says. */
  #contextAs(claim: Dots, buckets: Buckets): Sum {
    const { context } = this.#environment.replica;
    const sum = context.sum.slice();
    addTerm(sum, 0, sumOf(context.dots(buckets)), -1);
    addTerm(sum, 0, sumOf(claim), 1);
    return sum;
  }

  /** @param unclaimed dots that the claim leaves out, and so what is live leaves out */
  #endOf(part: Pick<End, 'invitation' | 'index' | 'buckets' | 'claim'>, unclaimed: Dots, nowMs: number): End {
    const { replica } = this.#environment;
    const horizonMs = horizonOf(replica, nowMs);
    const context = replica.context.sum.slice();
    return { type: 'end', ...part, context, live: liveWithout(replica.store, unclaimed, horizonMs), horizonMs };
  }

  /** Takes a walk to its next row that is sent: no removal before `oldest`, and nothing that expired by itself. */
  #reach(queue: Walk, oldest: Stamp): boolean {
    const { store } = this.#environment.replica;
    for (; store.reach(queue); store.pass(queue)) {
      const { slot } = queue;
      const page = queue.page as Page;
      if (!page.isTombstone(slot)) return true;
      if ((page.stamps[slot] as Stamp) >= oldest && page.expiresAt(slot) === undefined) return true;
    }
    return false;
  }

  /** The next updates that fit into one frame. What fits into none is withheld, in its place. */
  #nextChunk(to: string, queue: Walk, oldest: Stamp): Batch {
    const { replica, effects } = this.#environment;
    const { store } = replica;
    const frameBytes = this.#frameBytesOf(to);
    const isCut = !isAmple(frameBytes);
    const room = isCut ? Math.min(BATCH_BYTES, roomIn(frameBytes)) : BATCH_BYTES;
    const updates = new Batch();
    let bytes = 0;
    for (; updates.length < BATCH_UPDATES && this.#reach(queue, oldest); store.pass(queue)) {
      const { slot } = queue;
      const page = queue.page as Page;
      const id = page.ids[slot] as string;
      const valueBytes = page.values.lengthOf(slot);
      if (!fitsWith(id, valueBytes, frameBytes)) {
        effects.send(to, withhold(replica, store.reached(queue)));
        continue;
      }
      bytes += isCut ? wireBytes(id, valueBytes) : id.length + valueBytes + UPDATE_BYTES;
      if (bytes > room && updates.length > 0) break;
      store.take(queue, updates);
    }
    return updates;
  }

  onAck(from: string, message: Ack, nowMs: number): void {
    const outgoing = this.#outgoing.get(from);
    if (outgoing === undefined || outgoing.invitation !== message.invitation) return;
    if (message.index >= outgoing.index) return;
    outgoing.acknowledged = Math.max(outgoing.acknowledged, message.index + 1);
    this.#produce(from, outgoing, nowMs);
  }

  onRefused(from: string, message: Refused): void {
    let refused = this.#refusedBy.get(from);
    if (refused === undefined) {
      refused = new Context();
      this.#refusedBy.set(from, refused);
    }
    // Only dots that we know: a peer cannot make this grow beyond our own context.
    const known = this.#environment.replica.context.common(message.dots);
    refused.addAll(known);
    const doubted = this.#doubted.get(from) ?? new Context();
    doubted.addAll(known);
    this.#doubted.set(from, doubted);
    this.#tooLargeThere.heard(from, { ...message, dots: known });
  }

  /** A peer tells its context of these buckets. What it has refused before and does not claim now, it claims rightly later. */
  onContext(from: string, dots: Dots, buckets: Buckets): void {
    const doubted = this.#doubted.get(from);
    if (doubted === undefined) return;
    const claimed = doubted.common(dots);
    if (buckets === 'all') doubted.removeAll(without(doubted.dots(), claimed));
    else doubted.removeAll(without(doubted.dots(buckets), claimed));
    if (doubted.isEmpty) this.#doubted.delete(from);
  }

  /** Dots that a peer has refused, and that its context may have by a claim which crossed that. */
  doubtedOf(peer: string): Context | null {
    return this.#doubted.get(peer) ?? null;
  }

  onRoom(from: string, { dots }: Room): void {
    const refused = this.#refusedBy.get(from);
    if (refused === undefined) return;
    const lifted = dots.length === 0 ? refused.dots() : refused.common(dots);
    refused.removeAll(lifted);
    this.#doubted.get(from)?.removeAll(lifted);
    // A transfer under way took them for refused: its claim must not speak of what it has not brought.
    this.#outgoing.get(from)?.theirs.removeAll(lifted);
  }

  /** How many dots a peer refused on this connection, whether they are still held or not. */
  countRefused(peer: string): number {
    const refused = this.#refusedBy.get(peer);
    return refused === undefined ? 0 : countDots(refused.dots());
  }

  /** What a peer refused on this connection and is still held here. What was superseded or has expired is no matter any more. */
  refusedBy(peer: string): Dots {
    const refused = this.#refusedBy.get(peer);
    if (refused === undefined || refused.isEmpty) return [];
    const held = new Context();
    for (const update of heldAmong(this.#environment.replica.store, refused.dots()))
      if (!isExpired(update)) held.add(update.origin, update.sequence);
    this.#refusedBy.set(peer, held);
    return held.dots();
  }
}

/**
 * The exchange of anti-entropy, in three steps, each only if the one before says so: hashes, contexts with what is
 * missing, sweep.
 *
 * Invariants
 *  1. Equal hashes are answered by silence, but for one echo where the peer has not heard ours: then both know, and
 *     compare no more until one of them changes.
 *  2. A context is told as an invitation to be sent what is missing, and never more than one invitation is open: a
 *     replica takes one transfer at a time.
 *  3. A transfer's updates go in order of arrival; each chunk claims only its dots; the last frame claims the sender's
 *     context of that instant, when everything in it that the receiver lacks has been sent. The claim takes effect when
 *     all frames have been judged and stored, and not at all if one is missing.
 *  4. The sweep drops a live dot only if the peer's context has it, the peer's list does not, and our own context
 *     covers the peer's.
 *  5. Nobody is sent a value that it said it has, or that it refused.
 *
 * Source: docs/algorithm.md, rule 3; the optimised OR-set of Bieniusa et al., "An optimized conflict-free replicated
 * set", 2012; the phases of anti-entropy in Demers et al. 1987, section 1.3.
 */

import { type Buckets, Context, CONTEXT_BUCKETS, countDots, type Dots, type Journal, roomOf } from '../context.ts';
import { hashNumber, type Sum, sameSum } from '../hash.ts';
import type { Intake } from '../intake.ts';
import type {
  Ack,
  BucketSums,
  Chunk,
  Contexts,
  Direction,
  End,
  ExchangeMessage,
  Hashes,
  LiveDots,
  LiveSums,
  Refused,
  Room,
} from '../messages.ts';
import { stampAt } from '../hlc.ts';
import type { Environment } from '../protocol.ts';
import { sample } from '../random.ts';
import { isExpired, updateBytes } from '../replica.ts';
import { LIVE_BUCKETS, liveBucketOf, outlives } from '../store.ts';
import type { Update } from '../update.ts';
import { Agreements } from './agreements.ts';
import { BATCH_BYTES, BATCH_UPDATES } from './batches.ts';
import { dotFrames } from './dots.ts';

/** Chunks under way without an acknowledgement. */
const WINDOW = 8;
/** Up to so many origins the whole context is told at once; beyond, sums of buckets first. */
const FEW_ORIGINS = 64;
/** Up to so many live ids the sweep lists them at once; beyond, sums of buckets first. */
const FEW_LIVE = 512;

/** Where more was refused in a transfer, as `Context.room` counts it, its claim is not taken up. */
const UNTAKEN_ROOM = 65_536;

/**
 * Of a peer's context so much is remembered beyond twice of what our own takes, as `Context.room` counts it, while it is
 * sent what it lacks.
 */
const MODEST_ROOM = 65_536;

export interface ExchangeOptions {
  readonly direction: Direction;
  /** Milliseconds without progress after which an invitation is withdrawn. */
  readonly patienceMs: number;
  /** Whether a node of this name can be spoken to now. @default nobody can */
  readonly inView?: (name: string) => boolean;
}

/** A transfer to a peer. */
interface Outgoing {
  readonly invitation: number;
  readonly buckets: Buckets;
  /** What the peer has, as far as it said or was sent. */
  readonly theirs: Context;
  queue: readonly Update[];
  next: number;
  index: number;
  acknowledged: number;
}

/** The transfer to us: at most one. */
interface Incoming {
  readonly peer: string;
  readonly invitation: number;
  /** Index of the frame that must come next. */
  next: number;
  progressMs: number;
  /** What came and was not taken: no claim of this transfer takes it up. */
  readonly untaken: Context;
  /** Nothing was left to its sender for lack of room. */
  isWhole: boolean;
}

export class Exchange {
  readonly #environment: Environment;
  readonly #intake: Intake;
  readonly #options: ExchangeOptions;
  /** Dots that arrived lately, which others may get by another way: not yet worth a transfer. `null`: all are worth one. */
  readonly #recent: (() => readonly Journal[]) | null;
  readonly #outgoing = new Map<string, Outgoing>();
  /** Per peer, what it refused on this connection. */
  readonly #refusedBy = new Map<string, Context>();
  /** Who was told on this connection that something of theirs is refused. */
  readonly #toldRefused = new Set<string>();
  #incoming: Incoming | null = null;
  #invitations: number;
  readonly #agreements: Agreements;
  /** When a sweep was last begun although contexts differed. */
  #sweptMs: number = -Infinity;

  constructor(
    environment: Environment,
    intake: Intake,
    options: ExchangeOptions,
    recent: (() => readonly Journal[]) | null = null,
  ) {
    this.#environment = environment;
    this.#intake = intake;
    this.#options = options;
    this.#recent = recent;
    this.#agreements = new Agreements(() => environment.replica.version);
    // A restarted instance must not take frames for its former self as its own.
    this.#invitations = Math.floor(environment.random() * 0x40000000);
  }

  /** Whether a transfer is coming in. */
  get isReceiving(): boolean {
    return this.#incoming !== null;
  }

  /**
   * One cycle: begins an exchange with `level` peers (0: all) that may differ from us as far as we know, or with any where
   * all are known to be equal.
   * @returns whether they are: then there is no hurry
   */
  cycle(peers: readonly string[], level: number, nowMs: number): boolean {
    this.makeRoom();
    // A change is pushed by whoever has it; where nobody pushes, everybody must go on asking.
    const differing = this.#options.direction === 'pull' ? peers : this.#agreements.unsettled(peers);
    const isSettled = differing.length === 0;
    const among = isSettled ? peers : differing;
    this.begin(sample(this.#environment.random, among, level === 0 ? among.length : level), nowMs);
    return isSettled;
  }

  /** Begins an exchange with these peers. */
  begin(peers: readonly string[], nowMs: number): void {
    if (!this.#isOpen(nowMs)) this.#incoming = null;
    if (peers.length === 0) return;
    for (const peer of peers) this.#agreements.told(peer);
    this.#environment.effects.send(peers, this.#hashes(this.#horizon(nowMs)));
  }

  /**
   * Tells those whose updates were refused for lack of room what there is room for now. To be called when there may be
   * more: it costs nothing where nothing was refused.
   */
  makeRoom(): void {
    const { replica, effects } = this.#environment;
    const lifted = replica.lift();
    if (lifted === null || this.#toldRefused.size === 0) return;
    for (const dots of lifted.all ? [[]] : dotFrames(lifted.dots))
      effects.send([...this.#toldRefused], { type: 'room', dots });
  }

  /** Whoever is not of `present` any more, or came back on another connection, starts anew. */
  reset(peer: string): void {
    this.#outgoing.delete(peer);
    this.#refusedBy.delete(peer);
    this.#toldRefused.delete(peer);
    this.#agreements.forget(peer);
    if (this.#incoming?.peer === peer) this.#incoming = null;
  }

  /** Ends all transfers, both ways: the store that they speak of is no more. */
  abandon(): void {
    this.#outgoing.clear();
    this.#incoming = null;
  }

  receive(from: string, message: ExchangeMessage, nowMs: number): void {
    switch (message.type) {
      case 'hashes':
        return this.#onHashes(from, message, nowMs);
      case 'bucket-sums':
        return this.#onBucketSums(from, message, nowMs);
      case 'contexts':
        return this.#onContexts(from, message, nowMs);
      case 'chunk':
        return this.#onChunk(from, message, nowMs);
      case 'end':
        return this.#onEnd(from, message, nowMs);
      case 'ack':
        return this.#onAck(from, message, nowMs);
      case 'live-sums':
        return this.#onLiveSums(from, message, nowMs);
      case 'live-dots':
        return this.#onLiveDots(from, message, nowMs);
      case 'refused':
        return this.#onRefused(from, message);
      case 'room':
        return this.#onRoom(from, message);
      default:
        return message satisfies never;
    }
  }

  // Step a: hashes.

  #horizon(nowMs: number): number {
    return nowMs + this.#environment.replica.maxDriftMs;
  }

  #hashes(horizonMs: number): Hashes {
    const { context, store } = this.#environment.replica;
    const { direction } = this.#options;
    return { type: 'hashes', context: { ...context.sum }, live: store.liveSum(horizonMs), horizonMs, direction };
  }

  #onHashes(from: string, message: Hashes, nowMs: number): void {
    const { replica, effects } = this.#environment;
    if (!sameSum(replica.context.sum, message.context)) {
      const { direction } = message;
      if (replica.context.size > FEW_ORIGINS)
        effects.send(from, { type: 'bucket-sums', sums: replica.context.bucketSums.slice(), direction });
      else this.#tellContext(from, 'all', direction, nowMs);
    } else if (!sameSum(replica.store.liveSum(message.horizonMs), message.live)) {
      this.#beginSweep(from, Math.max(message.horizonMs, this.#horizon(nowMs)));
    } else if (this.#agreements.agreed(from)) {
      // It cannot know yet that we are equal: say so, once. Then both are silent until one of them changes.
      this.begin([from], nowMs);
    }
  }

  // Step b: contexts and what is missing.

  #onBucketSums(from: string, message: BucketSums, nowMs: number): void {
    const ours = this.#environment.replica.context.bucketSums;
    const buckets: number[] = [];
    for (let bucket = 0; bucket < CONTEXT_BUCKETS; bucket++)
      if (ours[2 * bucket] !== message.sums[2 * bucket] || ours[2 * bucket + 1] !== message.sums[2 * bucket + 1])
        buckets.push(bucket);
    // The roles have turned: we began this exchange, so what its beginner wants of the peer is the mirror image.
    if (buckets.length > 0) this.#tellContext(from, buckets, mirrored(message.direction), nowMs);
  }

  /** Tells our context, as the answerer of an exchange with this direction. */
  #tellContext(to: string, buckets: Buckets, direction: Direction, nowMs: number): void {
    const invitation = direction === 'pull' ? 0 : this.#invite(to, nowMs);
    const dots = this.#environment.replica.context.dots(buckets);
    this.#environment.effects.send(to, { type: 'contexts', buckets, dots, invitation, answer: direction !== 'push' });
  }

  /** Opens an invitation, if none is open. @returns its number, or 0 */
  #invite(peer: string, nowMs: number): number {
    if (this.#isOpen(nowMs)) return 0;
    const invitation = ++this.#invitations;
    this.#incoming = { peer, invitation, next: 0, progressMs: nowMs, untaken: new Context(), isWhole: true };
    return invitation;
  }

  /** Whether a transfer to us is going on. While we judge what came, it is we who are slow. */
  #isOpen(nowMs: number): boolean {
    const open = this.#incoming;
    if (open === null) return false;
    // A clock that was set back must not keep it open until it has caught up.
    const isRecent = nowMs >= open.progressMs && nowMs - open.progressMs <= this.#options.patienceMs;
    return this.#intake.backlog > 0 || isRecent;
  }

  #onContexts(from: string, message: Contexts, nowMs: number): void {
    const { replica, effects } = this.#environment;
    const { buckets } = message;
    if (message.answer) {
      const missing = replica.context.lacking(message.dots).length > 0;
      const invitation = missing ? this.#invite(from, nowMs) : 0;
      if (invitation > 0)
        effects.send(from, {
          type: 'contexts',
          buckets,
          dots: replica.context.dots(buckets),
          invitation,
          answer: false,
        });
    }
    if (message.invitation === 0) return;
    const { invitation } = message;
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
    theirs.addAll(this.#stillRefused(from).dots());
    const outgoing: Outgoing = { invitation, buckets, theirs, queue: [], next: 0, index: 0, acknowledged: 0 };
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
      while (outgoing.next < outgoing.queue.length) {
        if (outgoing.index - outgoing.acknowledged >= WINDOW) return;
        const updates = this.#nextChunk(outgoing);
        if (updates.length > 0) effects.send(to, { type: 'chunk', invitation, index: outgoing.index++, updates });
      }
      const missing = outgoing.theirs.lacking(replica.context.dots(outgoing.buckets));
      if (missing.length === 0) break;
      outgoing.queue = this.#updatesOf(missing, nowMs);
      outgoing.next = 0;
      outgoing.theirs.addAll(missing);
    }
    this.#outgoing.delete(to);
    const { buckets, index } = outgoing;
    const refused = this.#stillRefused(to);
    const claim = replica.vouched(refused.lacking(replica.context.dots(buckets)));
    const end = this.#endOf({ invitation, index, buckets, claim }, refused.dots(), nowMs);
    // The peer tells from both sums whether we are equal elsewhere too: what the claim leaves out for its sake must not look
    // like a difference there, which would never go.
    const isWhole = buckets === 'all' && refused.isEmpty;
    effects.send(to, isWhole ? end : { ...end, context: this.#contextAs(claim, buckets) });
  }

  /** The sum of our context as it were if it held no more of these buckets than the claim says. */
  #contextAs(claim: Dots, buckets: Buckets): Sum {
    const { context } = this.#environment.replica;
    const held = Context.of(context.dots(buckets)).sum;
    const claimed = Context.of(claim).sum;
    const { low, high } = context.sum;
    return { low: (low - held.low + claimed.low) | 0, high: (high - held.high + claimed.high) | 0 };
  }

  /** @param unclaimed dots that the claim leaves out, and so what is live leaves out */
  #endOf(part: Pick<End, 'invitation' | 'index' | 'buckets' | 'claim'>, unclaimed: Dots, nowMs: number): End {
    const horizonMs = this.#horizon(nowMs);
    const context = { ...this.#environment.replica.context.sum };
    return { type: 'end', ...part, context, live: this.#liveWithout(unclaimed, horizonMs), horizonMs };
  }

  /** The updates still held among these dots, in order of arrival; what expired by itself is never sent on. */
  #updatesOf(dots: Dots, nowMs: number): Update[] {
    const updates = this.#held(dots).sort((a, b) => a.arrival - b.arrival);
    // Nor is a removal that is older than anybody remembers: replicas would give it to each other for ever.
    const oldest = stampAt(nowMs - this.#environment.replica.forgetAfterMs);
    return updates.filter((update) => !isExpired(update) && (update.value !== undefined || update.stamp >= oldest));
  }

  /** The updates still held among these dots: looked up one by one, or found on a walk through the store if that is shorter. */
  #held(dots: Dots): Update[] {
    const { store } = this.#environment.replica;
    const updates: Update[] = [];
    if (countDots(dots) > 2 * store.size) {
      const wanted = Context.of(dots);
      for (const update of store) if (wanted.has(update.origin, update.sequence)) updates.push(update);
      return updates;
    }
    for (const { origin, intervals } of dots)
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const update = store.byDot(origin, sequence);
          if (update !== undefined) updates.push(update);
        }
    return updates;
  }

  #nextChunk(outgoing: Outgoing): Update[] {
    const updates: Update[] = [];
    let bytes = 0;
    for (; outgoing.next < outgoing.queue.length && updates.length < BATCH_UPDATES; outgoing.next++) {
      const update = outgoing.queue[outgoing.next] as Update;
      // Superseded since the queue was made: what superseded it is in the next queue.
      if (update.arrival === 0) continue;
      bytes += updateBytes(update);
      if (bytes > BATCH_BYTES && updates.length > 0) break;
      updates.push(update);
    }
    return updates;
  }

  #onAck(from: string, message: Ack, nowMs: number): void {
    const outgoing = this.#outgoing.get(from);
    if (outgoing === undefined || outgoing.invitation !== message.invitation) return;
    if (message.index >= outgoing.index) return;
    outgoing.acknowledged = Math.max(outgoing.acknowledged, message.index + 1);
    this.#produce(from, outgoing, nowMs);
  }

  #onChunk(from: string, message: Chunk, nowMs: number): void {
    const { effects } = this.#environment;
    const { invitation, index } = message;
    const isExpected = this.#advance(from, invitation, index, nowMs);
    // News is news even out of a transfer that we gave up; but only an expected frame is acknowledged.
    this.#intake.receive(message.updates, nowMs, ({ refused, left }, storedMs) => {
      if (refused.length > 0) {
        this.#toldRefused.add(from);
        for (const dots of dotFrames(refused)) effects.send(from, { type: 'refused', dots });
      }
      if (!isExpected || this.#incoming?.invitation !== invitation) return;
      this.#incoming.progressMs = storedMs;
      this.#incoming.untaken.addAll(refused);
      if (left.length > 0 || this.#incoming.untaken.room > UNTAKEN_ROOM) this.#incoming.isWhole = false;
      effects.send(from, { type: 'ack', invitation, index });
    });
  }

  /** Whether this frame is the next of the open transfer. One that is not breaks the transfer off. */
  #advance(from: string, invitation: number, index: number, nowMs: number): boolean {
    const open = this.#incoming;
    if (open === null || open.peer !== from || open.invitation !== invitation) return false;
    if (open.next !== index) {
      this.#incoming = null;
      return false;
    }
    open.next++;
    open.progressMs = nowMs;
    return true;
  }

  #onEnd(from: string, message: End, nowMs: number): void {
    if (!this.#advance(from, message.invitation, message.index, nowMs)) return;
    this.#intake.settled(nowMs, (settledMs) => {
      if (this.#incoming?.invitation !== message.invitation) return;
      const { untaken, isWhole } = this.#incoming;
      const claim = untaken.lacking(message.claim);
      this.#incoming = null;
      const { replica } = this.#environment;
      // The peer has stored what we hold back, and no longer holds what that superseded: we must not say that we have
      // seen it, or others would drop it for us.
      if (!isWhole || replica.holdsBack(claim) || !this.#isEqualElsewhere(message)) return;
      // What was refused once and is claimed now without having come is held by the sender no more.
      replica.refused.removeAll(claim);
      replica.claim(claim, this.#intake.pending, settledMs, this.#options.inView);
      if (this.#isLiveAs(message) || !this.#isSweepDue(message, settledMs)) return;
      this.#beginSweep(from, Math.max(message.horizonMs, this.#horizon(settledMs)));
    });
  }

  /**
   * Whether contexts are equal in the buckets that an end does not speak of. If they are not, the peer may have dropped
   * what it claims for something there that we lack: its claim waits for an exchange that speaks of that, too.
   */
  #isEqualElsewhere({ buckets, claim, context }: End): boolean {
    if (buckets === 'all' || buckets.length === 0) return true;
    const ours = this.#environment.replica.context;
    const { bucketSums } = ours;
    const claimed = Context.of(claim).sum;
    let { low, high } = ours.sum;
    for (const bucket of buckets) {
      low -= bucketSums[2 * bucket] as number;
      high -= bucketSums[2 * bucket + 1] as number;
    }
    return (low | 0) === ((context.low - claimed.low) | 0) && (high | 0) === ((context.high - claimed.high) | 0);
  }

  /**
   * Whether a difference in what is live is worth a sweep now. Where contexts are equal, always. In a busy cluster they
   * never are, and what was just overwritten differs at every instant: there once in a while is enough.
   */
  #isSweepDue(end: End, nowMs: number): boolean {
    if (sameSum(this.#environment.replica.context.sum, end.context)) return true;
    if (nowMs >= this.#sweptMs && nowMs < this.#sweptMs + this.#options.patienceMs) return false;
    this.#sweptMs = nowMs;
    return true;
  }

  /** Whether what is live here, of what the peer's context has, is what is live there. */
  #isLiveAs(end: End): boolean {
    // Dots that the claim leaves out do not count. In buckets that it does not speak of both were equal just now.
    const extra = Context.of(end.claim).lacking(this.#environment.replica.context.dots(end.buckets));
    return sameSum(this.#liveWithout(extra, end.horizonMs), end.live);
  }

  /** The sum over what is live here, but for these dots. */
  #liveWithout(dots: Dots, horizonMs: number): Sum {
    let { low, high } = this.#environment.replica.store.liveSum(horizonMs);
    for (const update of this.#held(dots)) {
      if (!outlives(update, horizonMs)) continue;
      const { origin, sequence } = update;
      low = (low - hashNumber(origin.low, sequence)) | 0;
      high = (high - hashNumber(origin.high, sequence)) | 0;
    }
    return { low, high };
  }

  #onRefused(from: string, message: Refused): void {
    let refused = this.#refusedBy.get(from);
    if (refused === undefined) {
      refused = new Context();
      this.#refusedBy.set(from, refused);
    }
    // Only dots that we know: a peer cannot make this grow beyond our own context.
    refused.addAll(this.#environment.replica.context.common(message.dots));
  }

  #onRoom(from: string, { dots }: Room): void {
    const refused = this.#refusedBy.get(from);
    if (refused === undefined) return;
    const lifted = dots.length === 0 ? refused.dots() : refused.common(dots);
    refused.removeAll(lifted);
    // A transfer under way took them for refused: its claim must not speak of what it has not brought.
    this.#outgoing.get(from)?.theirs.removeAll(lifted);
  }

  /** What a peer refused on this connection and is still held here. What was superseded or has expired is no matter any more. */
  #stillRefused(peer: string): Context {
    const refused = this.#refusedBy.get(peer);
    const held = new Context();
    if (refused === undefined) return held;
    for (const update of this.#held(refused.dots())) if (!isExpired(update)) held.add(update.origin, update.sequence);
    this.#refusedBy.set(peer, held);
    return held;
  }

  // Step c: sweep.

  #beginSweep(peer: string, horizonMs: number): void {
    const { store } = this.#environment.replica;
    if (store.liveCount <= FEW_LIVE) this.#listLive(peer, 'all', horizonMs, true);
    else this.#environment.effects.send(peer, { type: 'live-sums', sums: store.liveBucketSums(horizonMs), horizonMs });
  }

  #onLiveSums(from: string, message: LiveSums, nowMs: number): void {
    const { replica } = this.#environment;
    const horizonMs = Math.max(message.horizonMs, this.#horizon(nowMs));
    const ours = replica.store.liveBucketSums(message.horizonMs);
    const buckets: number[] = [];
    for (let bucket = 0; bucket < LIVE_BUCKETS; bucket++)
      if (ours[2 * bucket] !== message.sums[2 * bucket] || ours[2 * bucket + 1] !== message.sums[2 * bucket + 1])
        buckets.push(bucket);
    if (buckets.length > 0) this.#listLive(from, buckets, horizonMs, true);
  }

  #listLive(to: string, buckets: Buckets, horizonMs: number, answer: boolean): void {
    const { replica, effects } = this.#environment;
    const chosen = buckets === 'all' ? null : new Set(buckets);
    const dots = new Context();
    for (const update of replica.store)
      if (outlives(update, horizonMs) && (chosen === null || chosen.has(liveBucketOf(update.id))))
        dots.add(update.origin, update.sequence);
    const context = replica.vouched(replica.context.dots());
    effects.send(to, { type: 'live-dots', buckets, dots: dots.dots(), context, horizonMs, answer });
  }

  #onLiveDots(from: string, message: LiveDots, nowMs: number): void {
    const { replica } = this.#environment;
    const horizonMs = Math.max(message.horizonMs, this.#horizon(nowMs));
    // What we refuse we shall never cover, and what it supersedes is over even so.
    if (replica.context.covers(replica.refused.lacking(message.context))) this.#sweep(message, horizonMs);
    if (message.answer) this.#listLive(from, message.buckets, horizonMs, false);
  }

  /** Drops what the peer has seen and no longer holds. */
  #sweep(message: LiveDots, horizonMs: number): void {
    const { replica } = this.#environment;
    const chosen = message.buckets === 'all' ? null : new Set(message.buckets);
    const seen = Context.of(message.context);
    const listed = Context.of(message.dots);
    const dropped: Update[] = [];
    for (const update of replica.store)
      if (
        outlives(update, horizonMs) &&
        (chosen === null || chosen.has(liveBucketOf(update.id))) &&
        seen.has(update.origin, update.sequence) &&
        !listed.has(update.origin, update.sequence)
      )
        dropped.push(update);
    for (const update of dropped) replica.sweep(update);
  }
}

/** What the answerer of an exchange wants where its beginner wants `direction`. */
function mirrored(direction: Direction): Direction {
  if (direction === 'push') return 'pull';
  return direction === 'pull' ? 'push' : direction;
}

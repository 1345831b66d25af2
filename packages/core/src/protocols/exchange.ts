/**
 * The exchange of anti-entropy, in three steps, each only if the one before says so: hashes, contexts with what is
 * missing, sweep.
 *
 * What is sent is a transfer of `exchange/outgoing`, what comes is the one of `exchange/incoming`, and `exchange/sweep` is the
 * last step.
 *
 * Invariants
 *  1. Equal hashes are answered by silence, but for one echo where the peer has not heard ours: then both know, and
 *     compare no more until one of them changes. What a peer refuses is left out of what it is told and compared with.
 *  2. A context is told as an invitation to be sent what is missing, if none is open.
 *
 * Source: docs/algorithm.md, rule 3; the optimised OR-set of Bieniusa et al., "An optimized conflict-free replicated
 * set", 2012; the phases of anti-entropy in Demers et al. 1987, section 1.3.
 */

import { type Buckets, CONTEXT_BUCKETS, type Dots, type Journal, sumWithout } from '../context.ts';
import { LANES, sameBucket, sameSum } from '../hash.ts';
import type { Arrival, Intake } from '../intake.ts';
import type { BucketSums, Contexts, Direction, ExchangeMessage, Hashes } from '../messages.ts';
import type { Environment } from '../protocol.ts';
import { sample } from '../random.ts';
import { Agreements } from './agreements.ts';
import { Deliveries } from './deliveries.ts';
import { without } from './dots.ts';
import type { FrameBytesOf } from './fitting.ts';
import { Effort } from './exchange/effort.ts';
import { horizonOf, liveWithout } from './exchange/held.ts';
import { IncomingTransfer, type IncomingOptions } from './exchange/incoming.ts';
import { OutgoingTransfers } from './exchange/outgoing.ts';
import { Sweep } from './exchange/sweep.ts';

/** Up to so many origins the whole context is told at once; beyond, sums of buckets first. */
const FEW_ORIGINS = 64;

/** Replicas that are equal by their sums are compared without them once in so many milliseconds: ADR 21 says why. */
export const COMPARE_IN_FULL_MS = 600_000;

/** One holder is enough for a node that leaves; of some, one will answer soon. */
const CONFIRMING_PEERS = 4;

export interface ExchangeOptions extends IncomingOptions {
  readonly direction: Direction;
  /** Hears what peers say that they have. @default nobody else asks for it */
  readonly deliveries?: Deliveries;
  /** @default any peer takes any frame */
  readonly frameBytesOf?: FrameBytesOf;
  /** Hears which update a peer has withheld, and this replica refuses. @default nobody asks for it */
  readonly withheld?: (from: string, dots: Dots, nowMs: number) => void;
  /** A peer that was equal to us may differ from now on: it takes more or less of what is here. */
  readonly unsettled?: () => void;
}

export class Exchange {
  readonly #environment: Environment;
  readonly #options: ExchangeOptions;
  readonly #outgoing: OutgoingTransfers;
  readonly #incoming: IncomingTransfer;
  readonly #sweep: Sweep;
  readonly #agreements: Agreements;
  readonly #deliveries: Deliveries;
  #isSynced = false;
  readonly #effort = new Effort();
  /** When this replica last compared in full, or came to be. */
  #comparedMs: number | undefined;

  /**
   * @param recent dots that arrived lately, which others may get by another way: not yet worth a transfer. `null`: all are
   * worth one
   */
  constructor(
    environment: Environment,
    intake: Intake,
    options: ExchangeOptions,
    recent: (() => readonly Journal[]) | null = null,
  ) {
    this.#environment = environment;
    this.#options = options;
    this.#agreements = new Agreements(() => environment.replica.version);
    this.#deliveries = options.deliveries ?? new Deliveries(environment.replica);
    this.#outgoing = new OutgoingTransfers(environment, recent, options.frameBytesOf);
    this.#sweep = new Sweep(environment, options.patienceMs);
    this.#incoming = new IncomingTransfer(environment, intake, options, this.#sweep, (nowMs) => this.#synced(nowMs));
  }

  /** Whether a transfer is coming in. */
  get isReceiving(): boolean {
    return this.#incoming.isReceiving;
  }

  /** Whether this replica has once held all that a peer had: hashes were equal, or a whole transfer has been stored. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /**
   * One cycle: begins an exchange with `level` peers (0: all) that may differ from us as far as we know, or with any where
   * all are known to be equal.
   * @returns whether they are: then there is no hurry
   */
  cycle(peers: readonly string[], level: number, nowMs: number): boolean {
    this.makeRoom(nowMs);
    // A change is pushed by whoever has it; where nobody pushes, everybody must go on asking.
    const unsettled = this.#agreements.unsettled(peers);
    const differing = this.#options.direction === 'pull' ? peers : unsettled;
    const isSettled = differing.length === 0;
    const among = isSettled ? peers : differing;
    this.begin(sample(this.#environment.random, among, level === 0 ? among.length : level), nowMs);
    // A clock that was set back must not put this off until it has caught up.
    this.#comparedMs = Math.min(this.#comparedMs ?? nowMs, nowMs);
    const isDue = nowMs >= this.#comparedMs + COMPARE_IN_FULL_MS;
    if (isDue && unsettled.length === 0) this.#compareInFull(peers, nowMs);
    return isSettled;
  }

  /** Tells one peer all that is seen here, and what is live in some buckets: equal sums are no proof that both are the same. */
  #compareInFull(peers: readonly string[], nowMs: number): void {
    const { replica, effects, random } = this.#environment;
    this.#comparedMs = nowMs;
    for (const peer of sample(random, peers, 1)) {
      effects.send(peer, {
        type: 'contexts',
        buckets: 'all',
        dots: replica.context.dots(),
        invitation: 0,
        answer: true,
      });
      this.#sweep.compareSome(peer, horizonOf(replica, nowMs));
    }
  }

  /** Begins an exchange with these peers. */
  begin(peers: readonly string[], nowMs: number): void {
    this.#incoming.withdraw(nowMs);
    if (peers.length === 0) return;
    const { effects, replica } = this.#environment;
    const horizonMs = horizonOf(replica, nowMs);
    const alike: string[] = [];
    for (const peer of peers) {
      this.#agreements.told(peer);
      const refused = this.#outgoing.refusedBy(peer);
      if (refused.length === 0) alike.push(peer);
      else effects.send(peer, this.#hashes(refused, horizonMs));
    }
    if (alike.length > 0) effects.send(alike, this.#hashes([], horizonMs));
  }

  /** Tells a peer what of its updates is refused here, by whatever way they came. */
  tellRefused(to: string, arrival: Arrival): void {
    this.#incoming.tellRefused(to, arrival);
  }

  #synced(nowMs: number): void {
    this.#isSynced = true;
    this.#environment.replica.settled(nowMs);
  }

  /** What a peer takes of what is here has changed. */
  #unsettle(peer: string): void {
    this.#agreements.forget(peer);
    this.#options.unsettled?.();
  }

  /** Compares with a few peers at once: what they answer says what they have, and brings them what they lack. */
  confirm(peers: readonly string[], nowMs: number): void {
    this.begin(sample(this.#environment.random, peers, CONFIRMING_PEERS), nowMs);
  }

  /**
   * Tells those whose updates were refused for lack of room what there is room for now. To be called when there may be
   * more: it costs nothing where nothing was refused.
   */
  makeRoom(nowMs: number): void {
    this.#incoming.makeRoom(nowMs);
  }

  /** Takes note of new connections and of those that are over; who came back on another one is among both. */
  change(arrived: readonly string[], gone: readonly string[]): void {
    for (const peer of gone) {
      this.#outgoing.reset(peer);
      this.#incoming.reset(peer);
      this.#agreements.forget(peer);
      this.#deliveries.forget(peer);
    }
    for (const peer of arrived) this.#incoming.arrived(peer);
  }

  /** Ends all transfers, both ways: the store that they speak of is no more. */
  abandon(): void {
    this.#isSynced = false;
    this.#outgoing.abandon();
    this.#incoming.abandon();
  }

  /** Takes back the open invitation: dots have left the context that it was sent with. */
  revoke(): void {
    this.#incoming.revoke();
  }

  receive(from: string, message: ExchangeMessage, nowMs: number): void {
    this.#hear(from, message);
    // What is dear and too much is left unanswered, as if it had been lost: the next exchange asks again.
    if (isDear(message) && !this.#effort.take(from, this.#walk, nowMs)) return;
    switch (message.type) {
      case 'hashes':
        return this.#onHashes(from, message, nowMs);
      case 'bucket-sums':
        return this.#onBucketSums(from, message, nowMs);
      case 'contexts':
        return this.#onContexts(from, message, nowMs);
      case 'chunk':
        return this.#incoming.onChunk(from, message, nowMs);
      case 'end':
        return this.#incoming.onEnd(from, message, nowMs);
      case 'ack':
        return this.#outgoing.onAck(from, message, nowMs);
      case 'live-sums':
        return this.#sweep.onLiveSums(from, message, nowMs);
      case 'live-dots':
        this.#outgoing.onContext(from, message.context, 'all');
        return this.#sweep.onLiveDots(from, message, this.#outgoing.doubtedOf(from), nowMs);
      case 'refused':
        this.#outgoing.onRefused(from, message);
        return this.#unsettle(from);
      case 'room':
        this.#outgoing.onRoom(from, message);
        return this.#unsettle(from);
      case 'withheld': {
        const refused = this.#incoming.onWithheld(from, message);
        return this.#options.withheld?.(from, refused, nowMs);
      }
      case 'held-back':
      case 'disowned':
        // The machine's own.
        return;
      default:
        return message satisfies never;
    }
  }

  /** Notes what a message says of the context of its sender. */
  #hear(from: string, message: ExchangeMessage): void {
    switch (message.type) {
      case 'contexts':
        return this.#deliveries.told(from, message.dots);
      case 'end':
        return this.#deliveries.told(from, message.claim);
      case 'live-dots':
        return this.#deliveries.told(from, message.context);
      default:
        // An `ack` says that a chunk was judged, and not that all of it was stored.
        return;
    }
  }

  /** How long a walk through all that is here is. */
  get #walk(): number {
    const { context, store } = this.#environment.replica;
    return store.size + context.room;
  }

  // Step a: hashes.

  /** @param refused by whom they are for: else it would be told of a difference for ever that neither can mend */
  #hashes(refused: Dots, horizonMs: number): Hashes {
    const { context, store } = this.#environment.replica;
    const { direction } = this.#options;
    const live = liveWithout(store, refused, horizonMs);
    return { type: 'hashes', context: sumWithout(context, refused), live, horizonMs, direction };
  }

  #onHashes(from: string, message: Hashes, nowMs: number): void {
    const { replica, effects } = this.#environment;
    const count = this.#outgoing.countRefused(from);
    if (count > 0 && !this.#effort.take(from, count + replica.context.intervalCount, nowMs)) return;
    const refused = this.#outgoing.refusedBy(from);
    const isEqual = sameSum(sumWithout(replica.context, refused), message.context);
    if (isEqual) this.#deliveries.told(from, without(replica.ownDots(), refused));
    if (!isEqual) {
      const { direction } = message;
      // An older node puts origins in other buckets than we do.
      if (replica.context.size > FEW_ORIGINS && message.context.length === LANES)
        effects.send(from, { type: 'bucket-sums', sums: replica.context.bucketSums.slice(), direction });
      else this.#tellContext(from, 'all', direction, nowMs);
    } else if (!this.#effort.take(from, replica.store.expiringSeconds, nowMs)) {
      // Sums for ever new horizons are dear where much expires.
    } else if (!sameSum(liveWithout(replica.store, refused, message.horizonMs), message.live)) {
      if (this.#effort.take(from, this.#walk, nowMs))
        this.#sweep.begin(from, Math.max(message.horizonMs, horizonOf(replica, nowMs)));
    } else {
      this.#synced(nowMs);
      // Where it cannot know yet that we are equal we say so, once. Then both are silent until one of them changes.
      if (this.#agreements.agreed(from)) this.begin([from], nowMs);
    }
  }

  // Step b: contexts and what is missing.

  #onBucketSums(from: string, message: BucketSums, nowMs: number): void {
    const ours = this.#environment.replica.context.bucketSums;
    if (message.sums.length < ours.length) {
      this.#tellContext(from, 'all', mirrored(message.direction), nowMs);
      return;
    }
    const buckets: number[] = [];
    for (let bucket = 0; bucket < CONTEXT_BUCKETS; bucket++)
      if (!sameBucket(ours, message.sums, bucket)) buckets.push(bucket);
    // The roles have turned: we began this exchange, so what its beginner wants of the peer is the mirror image.
    if (buckets.length > 0) this.#tellContext(from, buckets, mirrored(message.direction), nowMs);
  }

  /** Tells our context, as the answerer of an exchange with this direction. */
  #tellContext(to: string, buckets: Buckets, direction: Direction, nowMs: number): void {
    const invitation = direction === 'pull' ? 0 : this.#incoming.invite(to, nowMs);
    const dots = this.#environment.replica.context.dots(buckets);
    this.#environment.effects.send(to, { type: 'contexts', buckets, dots, invitation, answer: direction !== 'push' });
  }

  #onContexts(from: string, message: Contexts, nowMs: number): void {
    const { replica, effects } = this.#environment;
    const { buckets } = message;
    this.#outgoing.onContext(from, message.dots, buckets);
    if (message.answer) {
      const missing = replica.context.lacking(message.dots).length > 0;
      const invitation = missing ? this.#incoming.invite(from, nowMs) : 0;
      if (invitation > 0)
        effects.send(from, {
          type: 'contexts',
          buckets,
          dots: replica.context.dots(buckets),
          invitation,
          answer: false,
        });
    }
    if (message.invitation !== 0) this.#outgoing.answer(from, message, nowMs);
  }
}

/** What the answerer of an exchange wants where its beginner wants `direction`. */
function mirrored(direction: Direction): Direction {
  if (direction === 'push') return 'pull';
  return direction === 'pull' ? 'push' : direction;
}

/** Whether a message, however short, is answered by a walk through all that is here. */
function isDear({ type }: ExchangeMessage): boolean {
  return type === 'bucket-sums' || type === 'contexts' || type === 'live-sums' || type === 'live-dots';
}

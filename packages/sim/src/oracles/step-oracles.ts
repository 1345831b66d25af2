/**
 * The oracles after every event: what each single step must leave true, checked on what the step touched.
 *
 * Invariants watched, by the numbers of docs/algorithm.md
 *  1. A dot is one write, as it was made; only a newer version takes the place of another; a write is newer than all
 *     that its writer has stored; what is stamped too far ahead is not stored.
 *  2. A dot that enters a context is stored in that same step, or was superseded, removed or has expired; it exists.
 *  3. A sweep drops nothing that is the newest of its id; no value goes to a peer that said it has it.
 *  5. What expired is no more visible after a tick or a collection, and is never sent on.
 *  6. A verdict decides what readers see; what is hidden is never pushed; feedback tells the truth about the batch.
 *  9. Who slept for longer than what is forgotten after drops all, and nobody else does; it writes under a new epoch.
 *     After a collection no tombstone is older than its time, and no origin is kept that is long gone.
 *  And a subscriber who was told every change sees what readers see.
 *
 * They hang on the five doors through which a replica changes: set, add and drop of its store, extend and forget of its
 * context. So they miss nothing, and cost by what changes.
 *
 * What machines say is the business of `message-oracles` and, for each connection, of `connection-oracles`.
 */

import {
  type Context,
  Context as Dots,
  type GossipError,
  isNewer,
  judgedValue,
  type MemberStatus,
  type Message,
  type Offer,
  type Origin,
  type Replica,
  stampAt,
  subtract,
  tiedAs,
  type Update,
  type Verdict,
  visible,
  wallOf,
} from '@grapevine/core';
import type { End } from '../connection.ts';
import { Ledger, type Write } from '../ledger.ts';
import type { SimNode } from '../node.ts';
import type { Input, Observer, WatchedNode } from '../observer.ts';
import { ConnectionOracles } from './connection-oracles.ts';
import { MembershipOracles } from './membership-oracles.ts';
import { MessageOracles } from './message-oracles.ts';
import { inspect } from './quiet-oracles.ts';
import type { Object as Objection } from '../violation.ts';
import { Watched } from './watched.ts';
import { name, show } from './wording.ts';

export interface StepOracleOptions {
  readonly object: Objection;
  /** Whether the protocol repairs by anti-entropy. Pure rumor mongering forgets and closes gaps (rule 7). */
  readonly repairs: boolean;
  readonly tombstoneTtlMs: number;
  readonly forgetAfterMs: number;
  /** How long a removed rumor is kept. */
  readonly rumorTtlMs: number;
}

/** A whole replica is inspected after every so many steps. */
const INSPECTION_STEPS = 400;
/** Where less is kept, what superseded an update may be forgotten before it. */
const FORGETS_SOON_MS = 3_600_000;
/** How far clocks jump. */
const CLOCK_TOLERANCE_MS = 14_000;
/** Within so long a shell notices that a clock was set. */
const LOOK_MS = 60_000;

/** What is said where nothing happens; what a node has taken back it tells on every new connection. */
const ofIdle: ReadonlySet<Message['type']> = new Set(['hashes', 'pull', 'disowned']);

export class StepOracles implements Observer {
  readonly ledger: Ledger = new Ledger();
  readonly #options: StepOracleOptions;
  readonly #watched = new Map<WatchedNode, Watched>();
  /** Dots that their writers gave up: they may be claimed where a lower version holds, which their writer wrote in their place. */
  readonly #disowned = new Dots();
  readonly #messages: MessageOracles;
  readonly #connections: ConnectionOracles;
  /** The latest time that any clock has shown since it was quiet. */
  #latestMs = 0;
  /** Messages other than comparisons are noted while this is set. */
  isQuiet = false;
  readonly messages: Record<string, number> = {};
  readonly membership: MembershipOracles;
  #input: Input = 'start';
  #steps = 0;

  constructor(options: StepOracleOptions) {
    this.#options = options;
    this.membership = new MembershipOracles(options.object);
    this.#messages = new MessageOracles(options.object);
    this.#connections = new ConnectionOracles(options.object);
  }

  replicaMade(node: SimNode, replica: Replica): void {
    const watched = new Watched();
    this.#watched.set(node, watched);
    const { store, context } = replica;
    const set = store.set.bind(store);
    store.set = (update, former, nowMs): void => {
      this.#onSet(node, watched, update, former, nowMs);
      set(update, former, nowMs);
    };
    const add = store.add.bind(store);
    store.add = (batch, row, nowMs): void => {
      this.#onSet(node, watched, batch.at(row), undefined, nowMs);
      add(batch, row, nowMs);
    };
    const storeDrop = store.drop.bind(store);
    store.drop = (update): void => {
      watched.touched.add(update.id);
      watched.arrivals.delete(update.arrival);
      watched.tombstones.delete(update.arrival);
      if (update.value === undefined && !watched.isRejoining) this.#onCollect(update);
      storeDrop(update);
    };
    const drop = replica.drop.bind(replica);
    replica.drop = (update): void => {
      if (!watched.isRejoining) this.#onDrop(node, update);
      drop(update);
    };
    const extend = context.extend.bind(context);
    context.extend = (seen, first, last): void => {
      this.#onExtend(node, watched, seen.origin, subtract([first, last], seen.intervals));
      extend(seen, first, last);
    };
    const write = replica.write.bind(replica);
    replica.write = (id, value, expiresAt, nowMs): Update => {
      // Stamps of a time when a clock was too far ahead need not be exceeded, other versions of the id must be.
      const limit = stampAt(nowMs + replica.maxDriftMs);
      const stamp = Math.max(watched.stampUpTo(limit), replica.store.get(id)?.stamp ?? 0);
      const update = this.#waking(node, watched, nowMs, () => write(id, value, expiresAt, nowMs));
      if (update.stamp <= stamp)
        this.#object(1, 'clock', `${node.name} wrote ${name(update)} with a stamp that it had stored already`);
      return update;
    };
    const rewriteAhead = replica.rewriteAhead.bind(replica);
    replica.rewriteAhead = (nowMs): ReturnType<Replica['rewriteAhead']> => {
      // Own writes of a time when the clock was ahead give way to the same under stamps of the present.
      watched.isRewriting = true;
      const disowned = rewriteAhead(nowMs);
      watched.isRewriting = false;
      this.#disowned.addAll(disowned);
      this.ledger.disown(disowned);
      return disowned;
    };
    const clockSet = replica.clockSet.bind(replica);
    replica.clockSet = (byMs): void => {
      if (watched.awakeMs !== undefined) watched.awakeMs += byMs;
      clockSet(byMs);
    };
    const wake = replica.wake.bind(replica);
    replica.wake = (nowMs): boolean => {
      watched.awakeMs ??= nowMs;
      const rejoined = this.#waking(node, watched, nowMs, () => wake(nowMs));
      watched.awakeMs = nowMs;
      return rejoined;
    };
  }

  stepping(node: SimNode, input: Input): void {
    this.#input = input;
    const { nowMs } = node;
    if (nowMs > this.#latestMs) this.#latestMs = nowMs;
    const watched = this.#of(node);
    const atMs = node.world.nowMs;
    const aheadMs = nowMs - atMs;
    const byMs = aheadMs - (watched.aheadMs ?? aheadMs);
    watched.aheadMs = aheadMs;
    if (byMs !== 0) {
      watched.movedMs += Math.abs(byMs);
      watched.moves.push({ atMs, byMs });
      if (byMs < 0) watched.isSetBack = true;
    }
    const sleptMs = atMs - watched.steppedAtMs;
    if (this.#options.repairs && sleptMs > this.#options.forgetAfterMs + 2 * CLOCK_TOLERANCE_MS)
      watched.outlived = node.replica.origin;
    if (sleptMs > this.#options.forgetAfterMs - 2 * CLOCK_TOLERANCE_MS) watched.wokeAtMs = atMs;
    watched.steppedAtMs = atMs;
  }

  stepped(node: SimNode, input: Input, told: readonly Update[]): void {
    const watched = this.#of(node);
    const { replica } = node;
    for (const { id } of told) watched.touched.add(id);
    if (watched.touched.size > 0) this.#readersSee(node, watched);
    if (watched.beaten.size > 0) this.#writtenAgain(node, watched);
    if (++this.#steps % INSPECTION_STEPS === 0) inspect(node, this.#options.object);
    if (watched.entered.length > 0) watched.entered.length = 0;
    if (watched.openOffer === 0 && watched.expected.size > 0) watched.expected.clear();
    if (watched.outlived !== null && (input === 'receive' || input === 'tick' || input === 'collect')) {
      if (replica.origin === watched.outlived)
        this.#object(9, 'slept', `${node.name} has slept for longer than forgetAfter, and goes on as if it had not`);
      watched.outlived = null;
    }
    if (input === 'collect') this.#collected(node);
  }

  /** What a replica does where it may notice that it has slept too long. */
  #waking<T>(node: SimNode, watched: Watched, nowMs: number, act: () => T): T {
    const { awakeMs } = watched;
    if (awakeMs === undefined || nowMs - awakeMs <= this.#options.forgetAfterMs) return act();
    const { replica } = node;
    const former = replica.origin;
    watched.isRejoining = true;
    const result = act();
    watched.isRejoining = false;
    watched.awakeMs = nowMs;
    // A clock that was set is no sleep, however far; but it may hide one until it is looked at.
    if (node.world.nowMs - watched.wokeAtMs > LOOK_MS)
      this.#object(9, 'awake', `${node.name} drops all that it holds as if it had slept, and it has not`);
    if (replica.origin.epoch <= former.epoch)
      this.#object(9, 'rejoin', `${node.name} slept too long, and writes under its former epoch`);
    for (const { id, origin } of replica.store)
      if (origin.key !== replica.origin.key)
        this.#object(9, 'rejoin', `${node.name} slept too long, and still holds ${id} of before`);
    for (const { origin } of replica.context.origins())
      if (origin.key !== replica.origin.key)
        this.#object(9, 'rejoin', `${node.name} slept too long, and still claims dots of ${origin.key}`);
    watched.hidden = new Dots();
    watched.claims = new Dots();
    watched.expected.clear();
    watched.entered.length = 0;
    watched.voidOffer = watched.openOffer;
    this.ledger.rejoined(replica);
    return result;
  }

  #readersSee(node: SimNode, watched: Watched): void {
    const { replica } = node;
    for (const id of watched.touched) {
      const update = replica.store.get(id);
      const seen = update === undefined ? undefined : visible(update);
      if (node.told.get(id) !== seen)
        this.#object(
          0,
          'subscriber',
          `${node.name}: subscribers were told ${show(node.told.get(id))} of ${id}, readers see ${show(seen)}`,
        );
      if (update !== undefined && !replica.context.has(update.origin, update.sequence))
        this.#object(2, 'stored-unclaimed', `${node.name} holds ${name(update)}, which is not in its context`);
    }
    watched.touched.clear();
  }

  #writtenAgain({ name: own, replica }: SimNode, { beaten }: Watched): void {
    for (const [id, value] of beaten)
      if (replica.store.get(id)?.value !== value)
        this.#object(1, 'silenced', `${own}: a former life of it beat what it had written of ${id}, and it let it be`);
    beaten.clear();
  }

  sending(node: SimNode, message: Message): void {
    this.messages[message.type] = (this.messages[message.type] ?? 0) + 1;
    if (this.isQuiet && !ofIdle.has(message.type) && !this.#isUntold)
      this.#object(3, 'silence', `${node.name} is not silent: it sends ${message.type}`);
    this.#messages.sending(node, this.#of(node), message);
  }

  sent(end: End, message: Message): void {
    this.#connections.sent(end, message);
  }

  received(end: End, message: Message): void {
    if (message.type === 'end') this.#of(end.node).claims.addAll(message.claim);
    else this.#connections.received(end, message);
  }

  offered(node: SimNode, offer: Offer): void {
    const watched = this.#of(node);
    if (watched.openOffer !== 0) this.#object(6, 'two-offers', `${node.name} offers a batch while another is open`);
    watched.openOffer = offer.number;
    for (const update of offer.updates)
      if (node.replica.context.has(update.origin, update.sequence))
        this.#object(2, 'offered-claimed', `${node.name} offers ${name(update)}, which is in its context`);
  }

  judging(node: SimNode, offer: Offer, verdict: Verdict): void {
    const watched = this.#of(node);
    if (watched.openOffer === offer.number) watched.openOffer = 0;
    watched.expected = new Map();
    if (watched.voidOffer === offer.number) return;
    for (const update of offer.updates.slice(0, verdict.count)) {
      const kept =
        verdict.type === 'keep-all'
          ? update.value
          : verdict.type === 'keep' || verdict.type === 'reset'
            ? verdict.kept.get(update.id)
            : undefined;
      watched.expected.set(update, { kept });
      if (kept === undefined) watched.hidden.add(update.origin, update.sequence);
    }
  }

  crashed(node: SimNode): void {
    const watched = this.#of(node);
    watched.openOffer = 0;
    watched.voidOffer = 0;
    watched.expected.clear();
    this.#connections.forget(node.ends.values());
  }

  viewed(node: SimNode, before: readonly MemberStatus[], now: readonly MemberStatus[]): void {
    this.membership.viewed(node, before, now);
  }

  reported(node: SimNode, { code, message }: GossipError): void {
    // What else a machine reports is for humans.
    if (code === 'DOT_REUSED') this.#object(2, 'dot-reused', `${node.name} has noticed: ${message}`);
  }

  broken(_node: SimNode, rule: number, what: string): void {
    this.#object(rule, 'contract', what);
  }

  /** Everything is equal: what is over is forgotten here. */
  settle(context: Context): void {
    this.ledger.settle(context);
    this.#latestMs = 0;
    for (const [node, watched] of this.#watched) {
      watched.hidden = new Dots();
      // What has arrived and was not handed over yet may hold a claim that is to be taken up.
      if (!(node as SimNode).hasArrivals) watched.claims = new Dots();
    }
  }

  /**
   * Which node has yet to tell a peer that it refuses what it lacks of what the peer holds; `null`: none. It does so when the two
   * compare, and until then they differ.
   */
  untoldOf(nodes: readonly SimNode[]): string | null {
    for (const node of nodes)
      for (const other of nodes) {
        const lacking = node.replica.context.lacking(other.replica.context.dots());
        if (lacking.length === 0) continue;
        const end = other.ends.get(node.name);
        if (end === undefined || !this.#connections.hasHeardRefused(end, lacking))
          return `${node.name} has not told ${other.name} what it refuses`;
      }
    return null;
  }

  /** Whether a connection was made anew, so that somebody has yet to be told what its peer refuses. */
  get #isUntold(): boolean {
    const nodes = [...this.#watched.keys()] as SimNode[];
    return this.untoldOf(nodes.filter(({ isUp }) => isUp)) !== null;
  }

  #of(node: WatchedNode): Watched {
    return this.#watched.get(node) as Watched;
  }

  #object(rule: number, oracle: string, text: string): void {
    this.#options.object(rule, oracle, text);
  }

  // The doors.

  #onSet(node: SimNode, watched: Watched, update: Update, former: Update | undefined, nowMs: number): void {
    watched.touched.add(update.id);
    const { replica } = node;
    const { origin, sequence } = update;
    let write = this.ledger.find(origin, sequence);
    if (write === undefined) {
      // What is there from the beginning has been written in a former life.
      if (this.#input !== 'start' && origin.key !== replica.origin.key)
        this.#object(1, 'unwritten', `${node.name} stores ${name(update)}, which nobody wrote`);
      this.ledger.enter(update, replica, node.world.nowMs);
      write = this.ledger.find(origin, sequence);
    } else if (former !== undefined && former.origin === origin && former.sequence === sequence) {
      // It expired: a tombstone of the same dot takes its place.
      if (update.value !== undefined || update.expiresAt === undefined || update.expiresAt > nowMs)
        this.#object(5, 'expiry', `${node.name} replaces ${name(update)} by itself before its time`);
      write.expired = true;
      watched.tombstones.set(replica.store.lastArrival + 1, node.world.nowMs);
      return;
    } else if (this.#input === 'add' && this.#isOwnWrite(update, replica)) {
      this.#object(1, 'dot-twice', `${node.name} gives the dot of ${name(write.update)} to ${name(update)}`);
    }
    const made = write?.update as Update;
    const isTombstoneByTime = update.value === undefined && update.expiresAt !== undefined;
    if (
      made.id !== update.id ||
      made.stamp !== update.stamp ||
      made.expiresAt !== update.expiresAt ||
      (made.value !== update.value && !isTombstoneByTime)
    )
      this.#object(1, 'dot-twice', `${node.name} stores ${name(update)}, which was written as ${name(made)}`);
    if (isTombstoneByTime && write !== undefined) write.expired = true;
    if (update.value === undefined) watched.tombstones.set(replica.store.lastArrival + 1, node.world.nowMs);
    const isRewritten = watched.isRewriting && former?.origin.name === node.name && former.value === update.value;
    if (former !== undefined && isNewer(former, update) && !isRewritten)
      this.#object(1, 'older-wins', `${node.name} replaces ${name(former)} by ${name(update)}, which is older`);
    watched.noteStamp(update.stamp);
    if (
      update.stamp > stampAt(nowMs + replica.maxDriftMs) &&
      origin.key !== replica.origin.key &&
      node.nature.habit === null
    )
      this.#object(
        1,
        'far-ahead',
        `${node.name} stores ${name(update)}, stamped ${wallOf(update.stamp) - nowMs} ms ahead`,
      );
    if (!this.#options.repairs)
      watched.arrivals.set(replica.store.lastArrival + 1, { atMs: node.world.nowMs, movedMs: watched.movedMs });
    if (
      former?.value !== undefined &&
      this.ledger.find(former.origin, former.sequence)?.replica === replica &&
      origin.name === node.name &&
      write?.replica !== replica &&
      // A second process of the name is no former life, if it has the higher epoch.
      !(this.membership.twinned.has(node.name) && origin.epoch > replica.origin.epoch)
    )
      watched.beaten.set(update.id, former.value);
    const expected = watched.expected.get(update);
    // What beats an own write is not shown: that is written again in this very step.
    if (expected === undefined || update.value === undefined || watched.beaten.has(update.id)) return;
    const right = expected.kept === undefined ? former && judgedValue(former) : tiedAs(update.value, expected.kept);
    if (judgedValue(update) !== right)
      this.#object(
        6,
        'verdict',
        `${node.name} shows ${show(judgedValue(update))} of ${name(update)}, judged to be ${show(right)}`,
      );
  }

  #isOwnWrite({ origin, sequence }: Update, replica: Replica): boolean {
    return origin.key === replica.origin.key && !replica.context.has(origin, sequence);
  }

  #onDrop(node: SimNode, update: Update): void {
    if (update.value === undefined) return;
    if (!this.#options.repairs) {
      const { arrivals, movedMs } = this.#of(node);
      const arrival = arrivals.get(update.arrival) ?? { atMs: 0, movedMs: 0 };
      const ageMs = node.world.nowMs - arrival.atMs;
      // It counts by its own clock, and two may have moved that at once.
      if (ageMs < this.#options.rumorTtlMs - (movedMs - arrival.movedMs))
        this.#object(7, 'forgotten', `${node.name} forgets ${name(update)}, which came ${ageMs} ms ago`);
      return;
    }
    if (this.ledger.find(update.origin, update.sequence)?.expired === true) return;
    const newest = this.ledger.newestOf(update.id);
    if (newest === undefined || !isNewer(newest.update, update))
      this.#object(3, 'newest-dropped', `${node.name} drops ${name(update)}, the newest of its id`);
    // What is refused supersedes, too: what it takes the place of is over, though nothing takes its place here.
    const { context, refused } = node.replica;
    // And what its writer took back, a removal whose tombstone was collected, removes by the sweep alone.
    const covers = this.ledger.writesOf(update.id).some(({ update: other, collected }) => {
      const { origin, sequence } = other;
      const isTakenBack = collected && this.#disowned.has(origin, sequence);
      // And a clock that is far enough ahead has its node forget the origin of what is newer, and not that the older one is over (rule 9).
      const isForgotten = wallOf(other.stamp) < this.#latestMs - this.#options.forgetAfterMs;
      const isKnown = context.has(origin, sequence) || refused.has(origin, sequence) || isTakenBack || isForgotten;
      return isNewer(other, update) && isKnown;
    });
    if (!covers && this.#options.forgetAfterMs > FORGETS_SOON_MS)
      this.#object(3, 'swept-uncovered', `${node.name} drops ${name(update)}, and has seen nothing that is newer`);
  }

  #onExtend(node: SimNode, watched: Watched, origin: Origin, entered: readonly number[]): void {
    for (let i = 0; i < entered.length; i += 2) {
      const first = entered[i] as number;
      const last = entered[i + 1] as number;
      watched.entered.push({ origin, first, last });
      for (let sequence = first; sequence <= last; sequence++) this.#onEnter(node, origin, sequence);
    }
  }

  #onEnter(node: SimNode, origin: Origin, sequence: number): void {
    const write = this.ledger.find(origin, sequence);
    if (write === undefined) {
      this.#object(2, 'unwritten-claimed', `${node.name} claims ${sequence}.${origin.key}, which nobody wrote`);
      return;
    }
    const { update } = write;
    const { store } = node.replica;
    if (store.byDot(origin, sequence) !== undefined) return;
    const held = store.get(update.id);
    if (held !== undefined && isNewer(held, update)) return;
    if (this.#disowned.has(origin, sequence)) return;
    if (!this.#options.repairs) return this.#onGapClosed(node, write);
    if (!this.#of(node).claims.has(origin, sequence))
      this.#object(
        2,
        'claimed-unheard',
        `${node.name} claims ${name(update)}, which it does not hold and nobody claimed to it`,
      );
    if (update.value === undefined && write.collected) return;
    // A clock that is ahead takes a removal for so old that everybody has forgotten it: it is claimed and not passed on (rule 9).
    if (update.value === undefined && wallOf(update.stamp) < this.#latestMs - this.#options.forgetAfterMs) return;
    if (write.expired) return;
    const newest = this.ledger.newestOf(update.id);
    if (newest === undefined || !isNewer(newest.update, update))
      this.#object(
        2,
        'claimed-unstored',
        `${node.name} claims ${name(update)}, which it does not hold and nothing has superseded`,
      );
  }

  #onGapClosed(node: SimNode, { update, atMs }: Write): void {
    // It counts by its own clock.
    const movedMs = this.#of(node).movedSince(atMs);
    if (node.world.nowMs - atMs < this.#options.rumorTtlMs - CLOCK_TOLERANCE_MS - movedMs)
      this.#object(
        7,
        'gap',
        `${node.name} gives ${name(update)} up, which was written ${node.world.nowMs - atMs} ms ago`,
      );
  }

  #onCollect({ origin, sequence }: Update): void {
    const write = this.ledger.find(origin, sequence);
    if (write !== undefined) write.collected = true;
  }

  #collected(node: SimNode): void {
    const { replica, nowMs } = node;
    const { tombstoneTtlMs, forgetAfterMs, repairs } = this.#options;
    const next = replica.store.nextExpiryMs;
    if (next !== undefined && next <= nowMs)
      this.#object(5, 'expired-kept', `${node.name} holds what expired ${nowMs - next} ms ago`);
    if (!repairs) return;
    if (replica.store.tombstonesUpTo(nowMs - tombstoneTtlMs - 1).length > 0)
      this.#object(9, 'tombstones', `${node.name} keeps tombstones beyond their time`);
    // By its own clock it may be young since that was set back; but from the next collection on it is as old as the clock shows. That
    // may be late, where its process was stopped.
    const { oldestTombstone } = replica.store;
    const watched = this.#of(node);
    const { tombstones } = watched;
    const atMs = node.world.nowMs;
    if (watched.isSetBack) watched.agedAtMs = atMs;
    watched.isSetBack = false;
    const sinceMs = Math.max(watched.agedAtMs, tombstones.get(oldestTombstone?.arrival ?? 0) ?? Infinity);
    if (atMs - sinceMs > tombstoneTtlMs + (node.world.protocol.gcMs || 0))
      this.#object(
        9,
        'tombstones',
        `${node.name} keeps a tombstone ${atMs - sinceMs} ms after it came or its clock was set back`,
      );
    for (const { origin, newest } of replica.context.origins()) {
      if (newest === 0 || wallOf(newest) >= nowMs - forgetAfterMs) continue;
      if (origin.name === node.name || node.sees(origin.name) || replica.store.holdsAnyOf(origin)) continue;
      this.#object(9, 'origins', `${node.name} keeps the origin ${origin.key}, which is long gone`);
    }
  }
}

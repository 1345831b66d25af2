/**
 * One node's copy of what an instance gossips: a store, a context and a clock, and the only steps that change them.
 *
 * Invariants (the rules of docs/algorithm.md)
 *  1. The higher version of an id wins. What is stamped too far ahead is held back, in no context.
 *  2. The context tells the truth: a dot enters it in the same synchronous step that stores its update, after
 *     everything that can throw, and never while a handler still has it.
 *  5. Expiry turns an update into a tombstone of the same dot, here and by itself.
 *  6. What is refused is stored, claimed and served like any other; only readers here do not see it. So is what is ephemeral while
 *     its writer is gone.
 *  9. An origin that is long gone, holds nothing live and is not in view leaves the context.
 *
 * It outlives its instance: what must survive a crash (own writes not yet pushed, changes not yet told) is here.
 */

import { Batch, type UpdateList } from './batch.ts';
import { Context, type Dots, type OriginDots, roomOf, type Seen } from './context.ts';
import { GossipError } from './errors.ts';
import { Clock, type Stamp, stampAt, wallOf } from './hlc.ts';
import type { Withheld } from './messages.ts';
import { epochAt, Origin } from './origin.ts';
import { shownId } from './printable.ts';
import { below, type Random } from './random.ts';
import { dotsOf } from './protocols/dots.ts';
import { type Lack, Refusals } from './refusals.ts';
import { Changes } from './replica/changes.ts';
import { HeldBack } from './replica/held-back.ts';
import { Leases, LEASE_MS } from './replica/leases.ts';
import { Newcomers } from './replica/newcomers.ts';
import { ReusedDots } from './replica/reused-dots.ts';
import { Room } from './replica/room.ts';
import { Snapshots, type StoredView } from './replica/snapshots.ts';
import { isChangedValue, newestRows, type Verdict, viewOf } from './replica/verdict.ts';
import { Vouching } from './replica/vouching.ts';
import { Store } from './store.ts';
import type { TableKey } from './store/keyed-hash.ts';
import {
  type Bytes,
  hiddenView,
  isEphemeral,
  isExpired,
  isHidden,
  isNewer,
  judgedValue,
  judgedView,
  tiedAs,
  Update,
  type View,
  visible,
} from './update.ts';

/** Neighbours among own writes whose stamps are of about one time. */
interface Run {
  readonly origin: Origin;
  readonly first: number;
  last: number;
  newest: Stamp;
}

/** So many runs are remembered: of one write in `maxDriftMs`, those of 17 hours by default. */
const MOST_RUNS = 1024;
/** So much of what is disowned is remembered, as `Context.room` counts it. */
const DISOWNED_ROOM = 65_536;
/** Of so many origins it is said that an update is too large. */
const SAID_TOO_LARGE = 16;
/**
 * A member may say without end that another writes under the epoch of this replica: all that it has written is written again so
 * often at most, in milliseconds.
 */
const LEAVE_EPOCH_MS = 10_000;
/** Two processes that leave the same epoch must not take the same again. */
const EPOCH_LEAP = 2 ** 20;

export interface ReplicaOptions {
  readonly name: string;
  /** Higher than any former epoch of this name, and of no other store: `epochAt` of its creation. */
  readonly epoch: number;
  /** For the epoch of a replica that rejoins empty. @default no chance */
  readonly random?: Random;
  /** @default 60000 */
  readonly maxDriftMs: number;
  /** @default 1048576 */
  readonly maxUpdateBytes: number;
  /** @default 86400000 */
  readonly forgetAfterMs: number;
  /** The most ids with a value, and the most tombstones. @default Infinity */
  readonly maxIds?: number;
  /** The most bytes of ids and values together, and of the ids of tombstones. @default Infinity */
  readonly maxBytes?: number;
  /** The most origins that enter the context by what others send. @default Infinity */
  readonly maxOrigins?: number;
  /** Secret key of the store's hash tables, so that peers cannot choose ids that collide. @default zeros */
  readonly tableKey?: TableKey;
}

/** What a batch turned out to be, judged against the state before it. */
export interface Screened {
  readonly news: Batch;
  /** Dots that were here, or are under judgement. */
  readonly known: Dots;
  /** Dots that this replica never takes: their updates are larger than `maxUpdateBytes`. */
  readonly tooLarge: Dots;
  /** Dots from the future that there was no room for: not taken now. */
  readonly left: Dots;
}

export class Replica {
  readonly name: string;
  readonly maxDriftMs: number;
  readonly maxUpdateBytes: number;
  readonly forgetAfterMs: number;
  readonly maxIds: number;
  readonly maxBytes: number;
  readonly maxOrigins: number;
  readonly #random: Random;
  readonly store: Store;
  readonly context: Context = new Context();
  readonly clock: Clock = new Clock();
  readonly #room: Room;
  readonly #newcomers: Newcomers;
  /** The epochs of all other nodes that are there. */
  #members: ReadonlyMap<string, number> = new Map();
  /** Dots that were refused for their size or for lack of room, so that no claim takes them up while anybody holds them. */
  readonly refused: Refusals = new Refusals();
  /** How many updates of others were refused so far; one that comes again while it is refused counts once. */
  refusals: number = 0;
  /** How often an update was not sent to a peer since it fits into no frame of the peer's. */
  withheld: number = 0;
  /** Whether it has been reported that updates of others are refused for lack of room, since the last was lifted. */
  isSaidFull: boolean = false;
  /** How many origins of claims were not taken up for lack of room. */
  refusedOrigins: number = 0;
  readonly #vouching = new Vouching(this.context);
  readonly #reused = new ReusedDots();
  /** Visible changes that nobody has been told of yet, oldest first. Kept only while `observed`. */
  readonly changes: Changes = new Changes();
  observed: boolean = false;
  /** Called with an update that shall be pushed no more: superseded, expired, dropped or hidden. */
  withdrawn: ((update: Update) => void) | null = null;
  #origin: Origin;
  /** Keys of all origins under which this very store has written. */
  readonly #lives = new Map<string, Origin>();
  #sequence = 0;
  #fresh: Batch = new Batch();
  #awakeMs: number | undefined;
  /** The greatest stamp of an own write. */
  #newestOwn: Stamp = 0;
  /** The greatest stamp of what came from others. */
  #newestTaken: Stamp = 0;
  /** Up to this number, own writes of the present epoch may have been sent to a peer. */
  #handedOut = 0;
  /** Whether own writes can be sent to nobody now. */
  #isAlone = false;
  /** It has rejoined at a write, and `wake` has yet to say so. */
  #hasRejoined = false;
  readonly #heldBack: HeldBack;
  /** Own writes, superseded ones among them, by the time of their stamps: the oldest first. */
  #runs: Run[] = [];
  /** Own dots that were written again since they were stamped too far ahead. Peers may hold them back, or a peer have them. */
  readonly #disowned = new Context();
  /** Own dots that peers say they hold back for their stamps. */
  readonly heldThere: Context = new Context();
  /** When it last left an epoch that another process writes under, too. */
  #leftMs = -Infinity;
  /** Whose updates were said to be too large. */
  readonly #saidTooLarge = new Set<string>();
  readonly #snapshots: Snapshots;
  /** The epoch of this node: what is written by its name under a lower one was written by a former process. */
  #nodeEpoch: number;
  readonly #leases = new Leases();

  constructor(options: ReplicaOptions) {
    this.name = options.name;
    this.maxDriftMs = options.maxDriftMs;
    this.maxUpdateBytes = options.maxUpdateBytes;
    this.forgetAfterMs = options.forgetAfterMs;
    this.maxIds = options.maxIds ?? Infinity;
    this.maxBytes = options.maxBytes ?? Infinity;
    this.maxOrigins = options.maxOrigins ?? Infinity;
    this.#random = options.random ?? ((): number => 0);
    this.store = new Store(options.tableKey);
    this.#snapshots = new Snapshots(this.store);
    this.#newcomers = new Newcomers(this.maxOrigins);
    this.#room = new Room(this.store, this.context, this.#newcomers, this);
    this.#heldBack = new HeldBack(options.maxDriftMs);
    this.#origin = new Origin(options.name, options.epoch);
    this.#lives.set(this.#origin.key, this.#origin);
    this.#nodeEpoch = options.epoch;
  }

  /** Under which this replica writes. */
  get origin(): Origin {
    return this.#origin;
  }

  /** How often a dot has come that means another update here, or that this replica should have written and has not. */
  get reusedDots(): number {
    return this.#reused.count;
  }

  /** Grows with every change that a peer could notice: of the context, or of what is live. */
  get version(): number {
    return this.context.version + this.store.version;
  }

  /** What readers see under an id: its bytes, or `undefined`. */
  get(id: string): Bytes | undefined {
    return this.store.read(id);
  }

  /** All that readers see, in order of arrival. */
  *visible(): IterableIterator<Update> {
    for (const update of this.store) if (visible(update) !== undefined) yield update;
  }

  /** Own writes that the protocol has not been given yet; taken once. */
  takeFresh(): Batch {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = new Batch();
    return fresh;
  }

  /** Those, to be read: the last row is what was written last. */
  get fresh(): Batch {
    return this.#fresh;
  }

  /** How many own writes wait to be taken. */
  get freshCount(): number {
    return this.#fresh.length;
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /**
   * Writes an id here: a value, or `undefined` to remove it, for which there is always room.
   * @param expiresAt wall-clock milliseconds. An ephemeral value without gets a lease, which this replica renews
   * @param view what readers here see in place of the value
   * @throws GossipError UPDATE_TOO_LARGE, STORE_FULL; state unchanged
   */
  write(id: string, value: Bytes | undefined, expiresAt: number | undefined, nowMs: number, view?: View): Update {
    this.add(id, value, expiresAt, nowMs, view);
    return this.store.get(id) as Update;
  }

  /** As `write`, without an object of what came of it, which is the last row of `fresh`. @throws as `write` */
  add(id: string, value: Bytes | undefined, expiresAt: number | undefined, nowMs: number, view?: View): void {
    const bytes = id.length + (value?.length ?? 0);
    if (bytes > this.maxUpdateBytes)
      throw new GossipError(
        'UPDATE_TOO_LARGE',
        `The update of '${shownId(id)}' takes ${bytes} bytes, more than maxUpdateBytes (${this.maxUpdateBytes}). Store the value elsewhere and gossip a reference, or raise maxUpdateBytes on every node.`,
        { context: { id: shownId(id), bytes, maxUpdateBytes: this.maxUpdateBytes } },
      );
    // What is written first after a long sleep must not go with what was held before it.
    if (this.#hasSlept(nowMs)) this.#rejoin(nowMs);
    if (value !== undefined && !this.#room.hasRoomFor(id, bytes)) {
      // What is over by now need not wait for its timer.
      this.expire(nowMs);
      if (!this.#room.hasRoomFor(id, bytes)) throw this.full(id);
    }
    if (value !== undefined && expiresAt === undefined && isEphemeral(value)) {
      this.#lend(id, value, nowMs, view);
      return;
    }
    if (this.#leases.size > 0) this.#leases.end(id);
    this.#write(id, value, expiresAt, nowMs, view);
  }

  /** Writes an ephemeral value that lives on for as long as this replica renews it. */
  #lend(id: string, value: Bytes, nowMs: number, view: View | undefined): void {
    this.#leases.begin(id, nowMs);
    this.#write(id, value, nowMs + LEASE_MS, nowMs, view);
  }

  /** Renews the leases that are due. Readers hear nothing of it. */
  #renewLeases(nowMs: number): void {
    for (const id of this.#leases.due(nowMs)) {
      const held = this.store.get(id);
      if (held?.value !== undefined && this.#isLeased(held)) this.#lend(id, held.value, nowMs, judgedView(held));
      else this.#leases.end(id);
    }
  }

  /** Whether it is a value of this very replica that is to be renewed: not where others have written over it since. */
  #isLeased({ id, value, origin }: Update): boolean {
    return value !== undefined && isEphemeral(value) && this.#leases.has(id) && this.#lives.has(origin.key);
  }

  /**
   * Notes who is there. Readers see an ephemeral value while its writer is: a node that is there, under its present epoch or a
   * later one; what a former process of the node has written is gone with that. Until this is called everybody is there.
   * @param members the epochs of all nodes that are there, without this one
   * @param nodeEpoch of this node. Where it is new, what this replica has tied to its node is written again under a later epoch
   */
  membersChanged(members: ReadonlyMap<string, number>, nodeEpoch: number, nowMs: number): void {
    let newNodes = 0;
    for (const [name, epoch] of members) if (this.#members.get(name) !== epoch) newNodes += 1;
    this.#members = members;
    this.#newcomers.expect(newNodes, members.size);
    const isLater = nodeEpoch > this.#nodeEpoch;
    this.#nodeEpoch = nodeEpoch;
    if (isLater) this.#tieAnew(nowMs);
    const isThere = ({ name, epoch }: Origin): boolean => {
      const least = name === this.name ? nodeEpoch : members.get(name);
      return least !== undefined && epoch >= least;
    };
    const turned = this.store.judgeWriters(isThere, (update) => this.#snapshots.remember(update.id, update));
    if (this.observed) for (const update of turned) this.changes.add(update);
  }

  #tieAnew(nowMs: number): void {
    const own: Update[] = [];
    for (const origin of this.#lives.values()) {
      if (origin.epoch >= this.#nodeEpoch) continue;
      for (const update of this.store.tiedTo(origin)) if (update.origin.key === origin.key) own.push(update);
    }
    for (const update of own) this.#write(update.id, update.value, update.expiresAt, nowMs, judgedView(update));
  }

  /**
   * Writes what is held under an id once more, with another time of expiry: of what readers see, nothing changes.
   * @returns `undefined`, state unchanged, where readers see no value under the id, or a handler hides what is held
   * @throws as `write`
   */
  refresh(id: string, expiresAt: number, nowMs: number): Update | undefined {
    // What is over by now need not wait for its timer to be gone.
    this.expire(nowMs);
    const held = this.store.get(id);
    if (held?.value === undefined || isHidden(held)) return undefined;
    return this.write(id, held.value, expiresAt, nowMs, held.view);
  }

  #write(id: string, value: Bytes | undefined, expiresAt: number | undefined, nowMs: number, view?: View): void {
    const former = this.store.get(id);
    const stamp = this.clock.next(nowMs, former?.stamp, this.maxDriftMs);
    this.#enter(former, id, value, expiresAt, stamp, view, nowMs);
  }

  /** Stores an own write in the place of the version that is held, whatever the stamp of that one is. */
  #enter(
    former: Update | undefined,
    id: string,
    value: Bytes | undefined,
    expiresAt: number | undefined,
    stamp: Stamp,
    view: View | undefined,
    nowMs: number,
  ): void {
    if (value !== undefined && this.#origin.epoch < this.#nodeEpoch && isEphemeral(value))
      this.adoptEpoch(this.#nodeEpoch);
    let seen = this.context.seen(this.#origin);
    if ((seen.intervals.at(-1) ?? 0) > this.#sequence) {
      // Others have seen the next number, so another process writes under this epoch: they would ignore what bears it.
      this.#reused.count++;
      this.#takeEpoch(nowMs);
      seen = this.context.seen(this.#origin);
    }
    const { origin } = seen;
    const sequence = ++this.#sequence;
    const fresh = this.#fresh;
    fresh.push(id, stamp, origin, sequence, expiresAt);
    fresh.values.append(value);
    if (former === undefined && view === undefined && !fresh.values.isEphemeral(fresh.length - 1)) {
      this.#putRow(fresh, fresh.length - 1, nowMs);
    } else {
      const update = new Update(id, value, stamp, origin, sequence, expiresAt);
      update.view = view;
      this.#put(update, former, nowMs);
    }
    this.context.extend(seen, sequence, sequence);
    seen.newest = Math.max(seen.newest, stamp);
    if (!this.#isAlone) this.#handedOut = sequence;
    this.#newestOwn = Math.max(this.#newestOwn, stamp);
    this.#noteRun(origin, sequence, stamp);
  }

  /**
   * Checks whether a batch of writes fits, one after the other.
   * @throws GossipError STORE_FULL, nothing written
   */
  checkRoom(writes: readonly { readonly id: string; readonly bytes: Bytes | undefined }[], nowMs: number): void {
    if (this.#room.surelyFits(writes)) return;
    this.expire(nowMs);
    this.#room.check(writes);
  }

  /** Says that there is no room. */
  full(id: string): GossipError {
    return this.#room.full(id);
  }

  /** Says, once until there is room again, that updates of others are refused. */
  refusing(update: Update): GossipError {
    return this.#room.refusing(update);
  }

  /** It has held all that a peer had: from now on new origins are taken up at a pace. */
  settled(nowMs: number): void {
    this.#newcomers.pace(nowMs);
  }

  /**
   * Lets in again what was refused for lack of room, as much as there is room for now.
   * @returns what peers may offer again: these dots; none, with `all`, whatever they were refused; `null`: nothing
   */
  lift(nowMs: number): ReturnType<Refusals['lift']> {
    const lifted = this.refused.lift(this.#room.left(nowMs), (origin) => this.#room.takesMoreOf(origin));
    if (lifted !== null) this.#vouching.expect(lifted.dots);
    // New origins come at a pace: that some are let in is no news while others wait for it.
    const awaitsPace = this.refused.awaitsOrigins && this.#newcomers.isPaced;
    if ((lifted !== null && !awaitsPace) || !this.refused.awaitsRoom) this.isSaidFull = false;
    return lifted;
  }

  /**
   * Tells what of a batch is news, against the state before it. Holds back what is stamped too far ahead.
   * State changes only in what is held back or refused, unless another process is found to write under this replica's epoch:
   * then it takes another, and writes again what it holds of its own.
   * @param pending dots under judgement: known, in that they need not come again
   */
  screen(updates: UpdateList, pending: Context, nowMs: number, report: (error: GossipError) => void): Screened {
    const batch = Batch.of(updates);
    const { stamps, origins, sequences, length } = batch;
    const limit = stampAt(nowMs + this.maxDriftMs);
    const awaiting = pending.isEmpty ? null : pending;
    /** The rows of what is news, as soon as something is none. */
    let news: number[] | null = null;
    let known: Context | null = null;
    let tooLarge: Context | null = null;
    let left: Context | null = null;
    let origin: Origin | null = null;
    let seen: ReturnType<Context['find']>;
    let isOwn = false;
    let isShared = false;
    for (let row = 0; row < length; row++) {
      const sequence = sequences[row] as number;
      if (origins[row] !== origin || origin === null) {
        origin = origins[row] as Origin;
        seen = this.context.find(origin);
        isOwn = origin.key === this.#origin.key;
      }
      if ((seen !== undefined && seen.has(sequence)) || awaiting?.has(origin, sequence) === true) {
        known ??= new Context();
        known.add(origin, sequence);
        const update = batch.at(row);
        const held = this.store.otherOfDot(update);
        if (held !== undefined) {
          this.#reused.notice(held, update, report);
          isShared ||= isOwn;
        }
      } else if (batch.bytesOf(row) > this.maxUpdateBytes) {
        tooLarge ??= new Context();
        tooLarge.add(origin, sequence);
        const bytes = batch.bytesOf(row);
        this.#refuse({ origin, sequence }, 'size', bytes);
        this.#sayTooLarge({ id: batch.ids[row] as string, origin }, bytes, report);
      } else if ((stamps[row] as Stamp) > limit) {
        if (!this.#heldBack.hold(batch.at(row), report)) {
          left ??= new Context();
          left.add(origin, sequence);
        }
      } else {
        // What this replica has disowned it has written itself.
        if (isOwn && !this.#disowned.has(origin, sequence)) {
          this.#reused.notice(undefined, batch.at(row), report);
          isShared = true;
        }
        news?.push(row);
        continue;
      }
      news ??= rowsUpTo(row);
    }
    if (isShared) this.leaveEpoch(nowMs);
    return {
      news: news === null ? batch : batch.pick(news),
      known: known?.dots() ?? [],
      tooLarge: tooLarge?.dots() ?? [],
      left: left?.dots() ?? [],
    };
  }

  /**
   * Stores a batch in its order and enters it into the context, in one step. Updates must have been screened.
   * @param verdict of the handler; tombstones are not judged
   * @param refuse is told of what there is no room for: it stays out of store and context
   * @returns what readers here see of it, tombstones included: what may become a rumor
   */
  admit(
    updates: UpdateList,
    verdict: Verdict,
    nowMs: number,
    refuse: (update: Update) => void = () => undefined,
  ): Batch {
    const batch = Batch.of(updates);
    const { stamps, origins, sequences, length } = batch;
    const newest = verdict.type === 'keep-all' ? null : newestRows(batch);
    /** The rows that are kept, as soon as one is not. */
    let kept: number[] | null = null;
    let seen = undefined as Seen | undefined;
    let origin: Origin | null = null;
    let first = 0;
    let last = -1;
    /** What may have been refused once: there was room for it now. */
    let arrived: Context | null = null;
    const closeRun = (): void => {
      if (seen === undefined || last < first) return;
      this.context.extend(seen, first, last);
      if (!this.refused.isEmpty) (arrived ??= new Context()).add(seen.origin, first, last);
    };
    for (let row = 0; row < length; row++) {
      const sequence = sequences[row] as number;
      if (origins[row] !== origin || origin === null) {
        closeRun();
        origin = origins[row] as Origin;
        seen = this.context.find(origin);
        first = 0;
        last = -1;
      }
      let isKept = false;
      if (!((sequence >= first && sequence <= last) || (seen !== undefined && seen.has(sequence)))) {
        const isNext = sequence === last + 1 && last >= first;
        const lack = isNext ? this.#room.lackOfValue(batch, row, nowMs) : this.#room.lackFor(batch, row, seen, nowMs);
        if (lack === null) {
          if (seen === undefined) this.#newcomers.took(1);
          const record = (seen ??= this.context.seen(origin));
          isKept = this.#admitRow(batch, row, record.origin, verdict, newest, nowMs);
          if (!isNext) {
            closeRun();
            first = sequence;
          }
          last = sequence;
          const stamp = stamps[row] as Stamp;
          if (stamp > record.newest) record.newest = stamp;
          if (stamp > this.#newestTaken) this.#newestTaken = stamp;
          this.clock.witness(stamp);
        } else {
          const update = batch.at(row);
          this.#refuse(update, this.#room.isHopeless(update) ? 'size' : lack, bytesOf(update));
          refuse(update);
        }
      }
      if (!isKept) kept ??= rowsUpTo(row);
      else kept?.push(row);
    }
    closeRun();
    if (arrived !== null) this.refused.removeAll((arrived as Context).dots());
    if (verdict.type === 'reset') this.#reset(verdict.kept, verdict.offeredArrival);
    return kept === null ? batch : batch.pick(kept);
  }

  /**
   * Refuses an update for its size that a peer has not sent for its size.
   * @returns whether it is refused; it is not where it is over here, or has come by another peer and is held back
   */
  refuseWithheld(update: Withheld, report: (error: GossipError) => void): boolean {
    const { origin, sequence } = update;
    if (this.context.has(origin, sequence)) return false;
    if (this.#heldBack.hasAny([{ origin, intervals: [sequence, sequence], newest: 0 }])) return false;
    this.#refuse(update, 'size', update.bytes);
    this.#sayTooLarge(update, update.bytes, report);
    return true;
  }

  #refuse({ origin, sequence }: Pick<Update, 'origin' | 'sequence'>, lack: Lack, bytes: number): void {
    if (!this.refused.has(origin, sequence)) this.refusals++;
    this.refused.add(origin, sequence, lack, bytes);
  }

  /** Says of an origin once that an update of it is too large, and of a few origins. */
  #sayTooLarge(update: Pick<Update, 'id' | 'origin'>, bytes: number, report: (error: GossipError) => void): void {
    const { name } = update.origin;
    if (this.#saidTooLarge.has(name) || this.#saidTooLarge.size >= SAID_TOO_LARGE) return;
    this.#saidTooLarge.add(name);
    const [id, maxUpdateBytes] = [shownId(update.id), this.maxUpdateBytes];
    report(
      new GossipError(
        'UPDATE_TOO_LARGE',
        `The update of '${id}' by '${name}' takes ${bytes} bytes, more than maxUpdateBytes (${maxUpdateBytes}) of this node. It is refused, and this node stays without it. Raise maxUpdateBytes to the same on every node, or have '${name}' gossip a reference.`,
        { fault: 'peer', context: { id, origin: name, bytes, maxUpdateBytes } },
      ),
    );
  }

  /** Stores a row, unless a newer version is held. @param origin this replica's own object @returns whether readers here see it */
  #admitRow(
    batch: Batch,
    row: number,
    origin: Origin,
    verdict: Verdict,
    newest: ReadonlyMap<string, number> | null,
    nowMs: number,
  ): boolean {
    batch.origins[row] = origin;
    const id = batch.ids[row] as string;
    const isDisowned = !this.#disowned.isEmpty && this.#disowned.has(origin, batch.sequences[row] as number);
    const isJudged = newest !== null && batch.values.has(row);
    const isOver = (batch.expiresAt(row) ?? Infinity) <= nowMs && batch.values.has(row);
    if (!isDisowned && !isJudged && !isOver && !batch.values.isEphemeral(row) && !this.store.has(id)) {
      this.#putRow(batch, row, nowMs);
      return true;
    }
    const update = batch.at(row);
    const former = this.store.get(id);
    if (former !== undefined && isNewer(former, update)) return false;
    if (former !== undefined && this.#isOwnLost(former, update)) {
      this.clock.witness(update.stamp);
      this.#snapshots.remember(former.id, former);
      this.store.set(update, former, nowMs);
      this.withdrawn?.(former);
      this.#write(former.id, former.value, former.expiresAt, nowMs);
      return false;
    }
    if (isDisowned) {
      // Somebody had it, or held it back: what this replica has by now is written over it, as its stamp wins here too.
      this.#disowned.remove(update.origin, update.sequence);
      this.clock.witness(update.stamp);
      this.#snapshots.remember(update.id, former);
      this.store.set(update, former, nowMs);
      if (former !== undefined) this.withdrawn?.(former);
      this.#write(update.id, former?.value, former?.expiresAt, nowMs);
      return false;
    }
    if (isOver) {
      this.#put(tombstoneOf(update), former, nowMs);
      return false;
    }
    if (isJudged) update.view = viewOf(update, newest.get(id) === row, former, verdict);
    // Also where its writer is gone: others may see it as there.
    const isKept = update.view === undefined || isChangedValue(update, verdict);
    this.#put(update, former, nowMs);
    return isKept;
  }

  /** Whether a former life of this node beats what it has written in this one (docs/algorithm.md, rule 1). */
  #isOwnLost(former: Update, update: Update): boolean {
    return (
      former.value !== undefined &&
      this.#lives.has(former.origin.key) &&
      update.origin.name === this.name &&
      update.origin.epoch < this.#origin.epoch
    );
  }

  /**
   * Takes up a peer's claim, without what this replica holds back, refuses or still has under judgement, nor what it would
   * forget at once.
   * @param inView as for `forgetOrigins`
   */
  claim(dots: Dots, pending: Context, nowMs: number, inView: (name: string) => boolean = () => false): void {
    const oldest = stampAt(nowMs - this.forgetAfterMs);
    let epochs: ReadonlyMap<string, number> | null = null;
    // Only what is new here: what is claimed again has not arrived again, and must not look young in the journal.
    const fresh = this.context
      .lacking(dots)
      .filter(
        ({ origin, newest }) =>
          newest >= oldest ||
          this.context.find(origin) !== undefined ||
          this.#isThere(origin, (epochs ??= latestEpochs(this.context.origins(), dots)), inView),
      );
    const news = pending.lacking(this.refused.lacking(this.#heldBack.lacking(fresh)));
    const taken = this.#room.isCrowded(news, nowMs) ? this.#room.withRoom(news, nowMs) : news;
    this.refusedOrigins += news.length - taken.length;
    const { size } = this.context;
    this.context.addAll(taken);
    this.#newcomers.took(this.context.size - size);
    if (this.#lacks || this.#vouching.isAwaiting) this.#vouching.doubt(taken);
  }

  /** What of these dots, all of its context, this replica can vouch for: it has, or had, what they are over for. */
  vouched(dots: Dots): Dots {
    return this.#vouching.vouched(dots, this.#lacks);
  }

  /** Whether something is refused or held back. */
  get #lacks(): boolean {
    return !this.refused.isEmpty || !this.#heldBack.isEmpty;
  }

  /** Drops what a peer has seen and no longer holds. */
  sweep(update: Update): void {
    if (this.#lacks || this.#vouching.isAwaiting) this.#vouching.doubt(dotsOf([update]));
    this.drop(update);
  }

  /** When the next update expires or is to be renewed, in milliseconds since 1970; `undefined`: none is. */
  get nextExpiryMs(): number | undefined {
    const { nextExpiryMs } = this.store;
    const { nextMs } = this.#leases;
    return nextMs === undefined || nextExpiryMs === undefined
      ? (nextExpiryMs ?? nextMs)
      : Math.min(nextExpiryMs, nextMs);
  }

  /** Turns into tombstones what expires by now, once what this replica has tied to its node is renewed. @returns how many */
  expire(nowMs: number): number {
    this.#renewLeases(nowMs);
    const expired = this.store.expired(nowMs);
    for (const update of expired) this.#put(tombstoneOf(update), update, nowMs);
    return expired.length;
  }

  /** Drops an update that the sweep found removed elsewhere, or that pure rumor mongering forgets. Its dot stays known. */
  drop(update: Update): void {
    this.#snapshots.remember(update.id, update);
    this.store.drop(update);
    this.withdrawn?.(update);
    if (this.observed && visible(update) !== undefined)
      this.changes.add(new Update(update.id, undefined, update.stamp, update.origin, update.sequence, undefined));
  }

  /** Collects tombstones that arrived `ttlMs` ago or earlier: the sweep makes that safe with no coordination. */
  collectTombstones(ttlMs: number, nowMs: number): void {
    this.store.ageTombstones(nowMs);
    for (const tombstone of this.store.tombstonesUpTo(nowMs - ttlMs)) {
      this.store.drop(tombstone);
      // Announced any longer, it would be asked for, and be gone.
      this.withdrawn?.(tombstone);
    }
  }

  /** Forgets origins that are long gone (docs/algorithm.md, rule 9). Of a node that is there, its former lives are gone too. */
  forgetOrigins(inView: (name: string) => boolean, nowMs: number): void {
    let epochs: ReadonlyMap<string, number> | null = null;
    for (const { origin, newest } of this.context.origins()) {
      if (newest === 0 || wallOf(newest) >= nowMs - this.forgetAfterMs) continue;
      epochs ??= latestEpochs(this.context.origins());
      if (this.#isThere(origin, epochs, inView) || this.store.holdsAnyOf(origin)) continue;
      this.context.forget(origin);
      this.store.forget(origin);
      this.refused.forget(origin);
      this.#vouching.forget(origin);
    }
    this.#vouching.giveUp(nowMs, this.forgetAfterMs);
  }

  /** Whether it is the latest known life of a node that is there. */
  #isThere({ name, epoch }: Origin, epochs: ReadonlyMap<string, number>, inView: (name: string) => boolean): boolean {
    return epochs.get(name) === epoch && (name === this.name || inView(name));
  }

  /**
   * Notes that this node is awake. One that slept longer than `forgetAfterMs` may hold what everybody else has forgotten,
   * so it rejoins empty and under a new epoch (docs/algorithm.md, rule 9). To be called with every collection of garbage.
   * @returns whether it rejoined
   */
  wake(nowMs: number): boolean {
    if (this.#hasSlept(nowMs)) this.#rejoin(nowMs);
    this.#awakeMs = nowMs;
    const hasRejoined = this.#hasRejoined;
    this.#hasRejoined = false;
    return hasRejoined;
  }

  /**
   * Notes that the wall clock was set, so that it is not taken for sleep.
   * @param byMs how much more the wall clock has moved than time has passed; negative: it was set back
   */
  clockSet(byMs: number): void {
    if (this.#awakeMs !== undefined) this.#awakeMs += byMs;
  }

  /** How far the newest own write is stamped ahead of the wall clock, in milliseconds; 0 unless more than `maxDriftMs`. */
  aheadMs(nowMs: number): number {
    if (this.#newestOwn <= stampAt(nowMs + this.maxDriftMs)) return 0;
    return wallOf(this.#newestOwn) - nowMs;
  }

  /** How many own writes are held here, removals included, that peers with a right clock hold back for their stamps. */
  countAhead(nowMs: number): number {
    if (this.aheadMs(nowMs) === 0) return 0;
    const limit = stampAt(nowMs + this.maxDriftMs);
    let count = 0;
    for (const { stamp, origin } of this.store) if (stamp > limit && this.#lives.has(origin.key)) count += 1;
    return count;
  }

  /**
   * Writes again, in their order and under stamps of the clock as it is now, own writes that are stamped too far ahead of it. This
   * replica disowns what they were: their dots leave its context as if they had never been. One that comes even so is written over
   * once more (`#admitRow`). Nothing is done where something of others has been taken that is stamped so far ahead: what replaced it
   * here must go on beating it.
   * @returns the dots that are disowned now: also of writes that were superseded here, and that peers may hold back
   */
  rewriteAhead(nowMs: number): Dots {
    const limit = stampAt(nowMs + this.maxDriftMs);
    if (this.#newestOwn <= limit || this.#newestTaken > limit) return [];
    const ahead = new Context();
    for (const { origin, first, last, newest } of this.#runs) if (newest > limit) ahead.add(origin, first, last);
    const open = Context.of(this.context.common(ahead.dots()));
    const held = new Context();
    const far: Update[] = [];
    /** Expired, and never sent on: but others hold back what it was. */
    const over: Update[] = [];
    let newest = 0;
    for (const update of this.store) {
      const { origin, sequence, stamp } = update;
      if (!this.#lives.has(origin.key)) continue;
      if (stamp > limit && open.has(origin, sequence)) {
        if (isExpired(update)) over.push(update);
        else far.push(update);
      } else {
        held.add(origin, sequence);
        newest = Math.max(newest, stamp);
      }
    }
    const dots = held.lacking(open.dots());
    this.#runs = this.#runs.filter((run) => run.newest <= limit);
    // What is no longer held, such as a tombstone that was collected, may be too far ahead of a clock that is set back further.
    for (const run of this.#runs) newest = Math.max(newest, run.newest);
    for (const former of far) {
      const { id, value, expiresAt, stamp } = former;
      // It shall live as long as it would have.
      const shiftedMs = expiresAt === undefined ? undefined : expiresAt - wallOf(stamp) + nowMs;
      const honest = this.clock.next(nowMs, 0, this.maxDriftMs);
      this.#enter(former, id, value, shiftedMs, honest, undefined, nowMs);
      newest = Math.max(newest, honest);
    }
    for (const update of over) this.store.drop(update);
    this.context.removeAll(dots);
    if (this.#disowned.room + roomOf(dots) <= DISOWNED_ROOM) this.#disowned.addAll(dots);
    this.#newestOwn = newest;
    // What is still held back there of all that is over here is not worth a word.
    this.heldThere.removeAll(this.heldThere.dots());
    // Nobody shall remember this origin for longer because its clock was ahead.
    for (const { origin } of dots) {
      const seen = this.context.find(origin);
      if (seen !== undefined && seen.newest > limit) seen.newest = newest;
    }
    return dots;
  }

  /** Notes of which time an own write is. */
  #noteRun(origin: Origin, sequence: number, stamp: Stamp): void {
    const run = this.#runs.at(-1);
    const isNext = run !== undefined && run.origin === origin && run.last + 1 === sequence;
    if (isNext && Math.abs(stamp - run.newest) <= stampAt(this.maxDriftMs) - stampAt(0)) {
      run.last = sequence;
      run.newest = Math.max(run.newest, stamp);
      return;
    }
    this.#runs.push({ origin, first: sequence, last: sequence, newest: stamp });
    if (this.#runs.length > MOST_RUNS) this.#runs.shift();
  }

  /** What this replica has disowned: peers that may hold it back shall drop it. */
  get disowned(): Dots {
    return this.#disowned.isEmpty ? [] : this.#disowned.dots();
  }

  /** A node has disowned these updates of its own. Those that are held back here are dropped. */
  dropHeldBack(writer: string, dots: Dots): void {
    this.#heldBack.drop(dots.filter(({ origin }) => origin.name === writer));
  }

  /** How many own writes that are held here peers say they hold back. */
  countHeldThere(): number {
    return this.heldThere.isEmpty ? 0 : this.store.byDots(this.heldThere.dots()).length;
  }

  /** What has been held back here since the last call. */
  takeHeldBack(): readonly Update[] {
    return this.#heldBack.takeFresh();
  }

  /** Notes whether there is no peer to send anything to. Until a machine says so, any write may have been sent. */
  setAlone(isAlone: boolean): void {
    this.#isAlone = isAlone;
    if (!isAlone) this.#handedOut = this.#sequence;
  }

  #hasSlept(nowMs: number): boolean {
    return this.#awakeMs !== undefined && nowMs - this.#awakeMs > this.forgetAfterMs;
  }

  #rejoin(nowMs: number): void {
    this.#awakeMs = nowMs;
    this.#hasRejoined = true;
    this.#newcomers.free();
    const { key } = this.#origin;
    const kept: Update[] = [];
    for (const update of this.store) {
      const { origin, sequence, value } = update;
      // Nobody can have forgotten what nobody was sent; and what is tied to this node is its own to say.
      const isUnsent = origin.key === key && sequence > this.#handedOut && value !== undefined;
      if (isUnsent || this.#isLeased(update)) kept.push(update);
      this.drop(update);
    }
    for (const { origin } of this.context.origins()) {
      this.context.forget(origin);
      this.store.forget(origin);
    }
    this.refused.clear();
    this.#vouching.clear();
    this.#heldBack.clear();
    this.#runs = [];
    this.#disowned.removeAll(this.#disowned.dots());
    this.heldThere.removeAll(this.heldThere.dots());
    this.#fresh = new Batch();
    this.#lives.clear();
    this.#takeEpoch(nowMs);
    for (const { id, value, expiresAt } of kept)
      if (value !== undefined && this.#leases.has(id)) this.#lend(id, value, nowMs, undefined);
      else this.#write(id, value, expiresAt, nowMs);
  }

  /** Whether anything is held back here, until its time comes. */
  get isHoldingBack(): boolean {
    return !this.#heldBack.isEmpty;
  }

  /** Whether any of these dots is held back here, until its time comes. */
  holdsBack(dots: Dots): boolean {
    return this.#heldBack.hasAny(dots);
  }

  /** What of these dots is not held back here. */
  notHeldBack(dots: Dots): Dots {
    return this.#heldBack.lacking(dots);
  }

  /** The ids of what is held back here, until its time comes; with `dots`, of that with one of these. */
  idsHeldBack(dots?: Dots): ReadonlySet<string> {
    return this.#heldBack.ids(dots);
  }

  /** Updates that were held back and whose time has come: to be received anew. */
  release(nowMs: number): Update[] {
    const due = this.#heldBack.release(nowMs);
    if (due.length > 0) this.#vouching.expect(dotsOf(due));
    return due;
  }

  /**
   * Hears that a peer knows an epoch of this node's name. Takes a higher one for what is written from now on where the
   * peer's may be another life's: it is above ours, or equals ours before we wrote anything under it.
   * @param leap how many epochs to leave out, at random, so that two lives that hear the same do not take the same
   */
  adoptEpoch(known: number, leap: () => number = () => 0): void {
    if (known < this.#origin.epoch || (known === this.#origin.epoch && this.#sequence > 0)) return;
    this.#origin = new Origin(this.name, known + 1 + leap());
    this.#lives.set(this.#origin.key, this.#origin);
    this.#sequence = 0;
    this.#handedOut = 0;
  }

  /**
   * Another process may write under the epoch of this replica. Dots that both have used mean different updates on different nodes,
   * and nobody can tell that by dots alone; so this one takes another epoch, and writes again under it what it holds of its own. Once
   * in ten seconds at most.
   */
  leaveEpoch(nowMs: number): void {
    if (Math.abs(nowMs - this.#leftMs) < LEAVE_EPOCH_MS) return;
    this.#leftMs = nowMs;
    const { key } = this.#origin;
    const own: Update[] = [];
    for (const update of this.store) {
      const { origin, sequence, value, view, expiresAt = Infinity } = update;
      const isVisible = value !== undefined && view === undefined && expiresAt > nowMs;
      if (origin.key === key && sequence <= this.#sequence && isVisible) own.push(update);
    }
    this.#takeEpoch(nowMs);
    for (const { id, value, expiresAt } of own) this.#write(id, value, expiresAt, nowMs);
  }

  #takeEpoch(nowMs: number): void {
    const leap = 1 + below(this.#random, EPOCH_LEAP);
    this.adoptEpoch(Math.max(epochAt(nowMs, this.#random), this.#origin.epoch + leap));
  }

  /** What of these dots this replica has written itself, since it was made or last rejoined empty. */
  own(dots: Dots): Dots {
    return dots.filter(({ origin }) => this.#lives.has(origin.key));
  }

  /** The dots of all that this replica has written itself. */
  ownDots(): Dots {
    const own: OriginDots[] = [];
    for (const origin of this.#lives.values()) {
      const seen = this.context.find(origin);
      if (seen !== undefined && seen.intervals.length > 0)
        own.push({ origin: seen.origin, intervals: seen.intervals.slice(), newest: seen.newest });
    }
    return own;
  }

  /** What readers see now, for a handler that takes its time. Costs only what changes meanwhile. */
  snapshot(): StoredView {
    return this.#snapshots.take();
  }

  /** Lets go of all snapshots: who took them is gone. */
  releaseSnapshots(): void {
    this.#snapshots.release();
  }

  /** As `#put`, for a row of a batch whose id is not held. */
  #putRow(batch: Batch, row: number, nowMs: number): void {
    if (this.#snapshots.isAnyOpen) this.#snapshots.remember(batch.ids[row] as string, undefined);
    this.store.add(batch, row, nowMs);
    if (!batch.values.has(row)) this.#crowdOut();
    else if (this.observed) this.changes.note(batch, row);
  }

  #put(update: Update, former: Update | undefined, nowMs: number): void {
    this.#snapshots.remember(update.id, former);
    this.store.set(update, former, nowMs);
    if (former !== undefined) {
      // As long as this is news to anybody, its predecessor's dot must be known as seen (rule 9).
      const seen = this.context.find(former.origin);
      if (seen !== undefined && update.stamp > seen.newest) seen.newest = update.stamp;
      this.withdrawn?.(former);
    }
    if (update.value === undefined) this.#crowdOut();
    if (!this.observed || renews(update, former)) return;
    if (update.value === undefined) {
      if (former !== undefined && visible(former) !== undefined) this.changes.add(update);
    } else if (update.view === undefined || (former === undefined ? undefined : visible(former)) !== update.view.value)
      this.changes.add(update);
  }

  /** Collects the oldest tombstones early where there are too many: no less safe than later, since the sweep is there. */
  #crowdOut(): void {
    const { store } = this;
    while (store.tombstoneCount > this.maxIds || store.tombstoneBytes > this.maxBytes) {
      const oldest = store.oldestTombstone as Update;
      store.drop(oldest);
      this.withdrawn?.(oldest);
    }
  }

  #reset(kept: ReadonlyMap<string, Bytes>, offeredArrival: number): void {
    for (const update of this.store) {
      const judged = judgedValue(update);
      if (update.arrival > offeredArrival || judged === undefined) continue;
      const given = kept.get(update.id);
      const value = given === undefined ? undefined : tiedAs(judged, given);
      if (value === judged) continue;
      const before = visible(update);
      const writer = judgedView(update)?.writer;
      this.#snapshots.remember(update.id, update);
      this.store.show(update, value === undefined ? hiddenView('reset') : { value, why: undefined, writer });
      if (value === undefined) this.withdrawn?.(update);
      if (this.observed && visible(update) !== before) this.changes.add(update);
    }
  }
}

/**
 * Whether an update only moves the end of a life: readers see the bytes that they saw, which expire now as before. It is no news to
 * them. The rule looks at nothing but the two updates, so it holds at every replica, whoever wrote them.
 */
function renews(update: Update, former: Update | undefined): boolean {
  if (update.expiresAt === undefined || former?.expiresAt === undefined) return false;
  const shown = visible(update);
  return shown !== undefined && shown === visible(former);
}

function bytesOf({ id, value }: Update): number {
  return id.length + (value?.length ?? 0);
}

/** All rows before one. */
function rowsUpTo(row: number): number[] {
  return Array.from({ length: row }, (_, before) => before);
}

function tombstoneOf(update: Update): Update {
  return new Update(update.id, undefined, update.stamp, update.origin, update.sequence, update.expiresAt);
}

/** The latest epoch of each name among these origins. */
function latestEpochs(...sets: readonly Iterable<{ readonly origin: Origin }>[]): ReadonlyMap<string, number> {
  const epochs = new Map<string, number>();
  for (const set of sets)
    for (const { origin } of set)
      if (origin.epoch > (epochs.get(origin.name) ?? 0)) epochs.set(origin.name, origin.epoch);
  return epochs;
}

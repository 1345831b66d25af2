/**
 * The store of a replica: the newest update of every id, in order of arrival, found by id and by dot.
 *
 * Updates are kept as rows of pages, a column for each field. An `Update` that is given out is a view of a row, made when it is
 * asked for: what travels never changes, and `holds` says whether it is still here.
 *
 * Invariants
 *  1. Iteration is in order of arrival: what supersedes an update comes after it.
 *  2. `live` is the sum of h(dot) over all updates that have a value and no expiry; expiring ones are summed per second
 *     of their expiry, so that the sum beyond any horizon is at hand (docs/algorithm.md, rules 3 and 5).
 *  3. An update is found by its id and by its dot exactly as long as it is in the store, wherever its row has moved.
 *  4. What it counts (ids, bytes, tombstones) is counted in O(1) with every change.
 *  5. No step moves more rows than two pages have: neither growth nor compaction stops the process, however many ids there are.
 *
 * Rule of the design: what outlasts a step is known by the number of its arrival, which never changes, and not by its row.
 */

import { AgedMap } from './aged-map.ts';
import type { Batch } from './batch.ts';
import { Context, countDots, type Dots, type OriginDots } from './context.ts';
import { addTerm, emptySum, hashDot, hashText, LANES, type Sum } from './hash.ts';
import { hasNumber, type ReadonlyIntervals } from './intervals.ts';
import type { Origin } from './origin.ts';
import { DotIndex, type Numbered } from './store/dot-index.ts';
import { ExpirySlot } from './store/expiry-slot.ts';
import { KeyedHash, type TableKey } from './store/keyed-hash.ts';
import { Page, PAGE_ROWS, SLOT_BITS } from './store/page.ts';
import { RowTable } from './store/row-table.ts';
import { type IsThere, Ties } from './store/ties.ts';
import { type Bytes, goneView, judgedView, tieOf, Update, type View, visible } from './update.ts';

export const LIVE_BUCKETS = 1024;

const SLOTS: number = PAGE_ROWS - 1;
/** Two neighbours that have no more rows than this together become one page. */
const MERGED_ROWS = 0.75 * PAGE_ROWS;
/** To look up more than one in so many costs more than a walk through all. */
const LOOKS = 4;
/** A page looks for such a neighbour each time it has lost so many rows. */
const LOOK_ROWS = 64;

/** Bucket of an id in the live sums: the top ten bits of its hash. */
export function liveBucketOf(id: string): number {
  return hashText(id, 0x811c9dc5) >>> 22;
}

/** An origin of rows. */
interface Writer extends Numbered {
  readonly origin: Origin;
  /** Rows by it. */
  rows: number;
}

/** Where a walk through a store is. */
export class Walk {
  /** The arrival that it has passed last. */
  last: number;
  readonly among: Context | undefined;
  /** Where it goes from arrival to arrival: these, and how many of them it has passed. */
  readonly arrivals: readonly number[] | null;
  passed = 0;
  /** Of the store, when place and slot were right. */
  moves = -1;
  place = 0;
  slot = 0;
  /** The page of the row that it has reached, which is in `slot` of it. Good until the store changes. */
  page: Page | null = null;
  /** Whose intervals of `among` these are. */
  writer: Writer | null = null;
  intervals: ReadonlyIntervals = [];

  constructor(last: number, among?: Context, arrivals: readonly number[] | null = null) {
    this.last = last;
    this.among = among;
    this.arrivals = arrivals;
  }
}

export class Store {
  readonly #hash: KeyedHash;
  readonly #byId = new RowTable();
  readonly #byDot = new DotIndex();
  /** By their numbers, and those that are in use in order of arrival. */
  readonly #pages: (Page | undefined)[] = [];
  readonly #order: Page[] = [];
  #tail: Page;
  /** Grows whenever rows move. */
  #moves = 0;
  #size = 0;
  readonly #writers: (Writer | undefined)[] = [];
  /** Numbers of writers that were forgotten. */
  readonly #freeNumbers: number[] = [];
  readonly #byKey = new Map<string, Writer>();
  /** The writer that was asked for last, by its object. */
  #lastOrigin: Origin | null = null;
  #lastWriter: Writer | null = null;
  /** The id that was hashed last. */
  #lastId = '';
  #lastHash = 0;
  readonly #live: Sum = emptySum();
  readonly #liveBuckets = new Int32Array(LANES * LIVE_BUCKETS);
  readonly #expiring = new Map<number, ExpirySlot>();
  /** `undefined`: to be found anew, where something expires at all. */
  #nextExpiryMs: number | undefined;
  /** When each tombstone arrived, by the number of its arrival. */
  readonly #tombstones = new AgedMap<number, number>();
  /** What readers here see instead of what was written, as verdicts have it, by the numbers of arrivals. */
  readonly #views = new Map<number, View>();
  /** What readers here see only while its writer is there. */
  readonly #ties = new Ties();
  /** Updates that a verdict hides from readers here, in the order in which they were hidden. */
  readonly #hidden = new Set<number>();
  /** Updates that have a value and of whose ids readers here see nothing. */
  #unseen = 0;
  #liveBytes = 0;
  #tombstoneBytes = 0;
  #arrivals = 0;
  /** Grows with every change of what is live. */
  version: number = 0;

  /** @param key of the hash tables: secret where peers choose ids. @default zeros */
  constructor(key: TableKey = [0, 0]) {
    this.#hash = new KeyedHash(key);
    this.#lastHash = this.#hash.text('');
    this.#tail = this.#newPage();
    this.#order.push(this.#tail);
  }

  /** Ids held, tombstones among them. */
  get size(): number {
    return this.#size;
  }

  /** Ids that have a value. */
  get liveCount(): number {
    return this.#size - this.#tombstones.size;
  }

  /** Ids of which readers here see a value. */
  get visibleCount(): number {
    return this.liveCount - this.#unseen;
  }

  /** How many updates with a value are hidden from readers here: by a verdict, or since their writers are gone. */
  get hiddenCount(): number {
    let count = this.#hidden.size;
    for (const arrival of this.#ties.gone) if (!this.#hidden.has(arrival)) count++;
    return count;
  }

  /** Those updates: what verdicts hide in the order in which it was hidden, then what is hidden since its writer is gone. */
  *hidden(): IterableIterator<Update> {
    for (const arrival of this.#hidden) yield this.#at(this.#rowOfArrival(arrival));
    for (const arrival of this.#ties.gone) if (!this.#hidden.has(arrival)) yield this.#at(this.#rowOfArrival(arrival));
  }

  /** Bytes of the ids and values of what has a value, as `maxUpdateBytes` counts them. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  get tombstoneCount(): number {
    return this.#tombstones.size;
  }

  /** Bytes of the ids of tombstones. */
  get tombstoneBytes(): number {
    return this.#tombstoneBytes;
  }

  /** The tombstone that arrived first. */
  get oldestTombstone(): Update | undefined {
    const { oldest } = this.#tombstones;
    return oldest === undefined ? undefined : this.#at(this.#rowOfArrival(oldest));
  }

  /** The number that the latest arrival got. */
  get lastArrival(): number {
    return this.#arrivals;
  }

  /** Rows that take memory, those of updates that are gone among them. */
  get rowCount(): number {
    return this.#order.reduce((sum, page) => sum + page.used, 0);
  }

  /** The newest update of an id. */
  get(id: string): Update | undefined {
    const row = this.#rowOfId(id);
    return row === -1 ? undefined : this.#at(row);
  }

  /** What readers here see under an id; `undefined`: nothing. */
  read(id: string): Bytes | undefined {
    const row = this.#rowOfId(id);
    return row === -1 ? undefined : this.#seen(row);
  }

  /** Bytes of the id and the value that are held under an id; 0: no value is. */
  liveBytesOf(id: string): number {
    const row = this.#rowOfId(id);
    if (row === -1) return 0;
    const page = this.#pageOf(row);
    return page.isTombstone(row & SLOTS) ? 0 : id.length + page.values.lengthOf(row & SLOTS);
  }

  /** The update of a dot, if it is still the newest of its id. */
  byDot(origin: Origin, sequence: number): Update | undefined {
    const writer = this.#find(origin);
    const row = writer === undefined ? -1 : this.#byDot.get(writer, sequence);
    return row === -1 ? undefined : this.#at(row);
  }

  /** What is held under the dot of an update that has come again, where it is another. `undefined`: nothing is, or the same. */
  otherOfDot(update: Update): Update | undefined {
    const writer = this.#find(update.origin);
    const row = writer === undefined ? -1 : this.#byDot.get(writer, update.sequence);
    return row === -1 || this.#pageOf(row).isAs(row & SLOTS, update) ? undefined : this.#at(row);
  }

  /** Those of these dots that are still the newest of their ids, in the order of the dots. */
  byDots(dots: Dots): Update[] {
    const updates: Update[] = [];
    this.#eachOf(dots, (page, slot) => updates.push(this.#at(rowAt(page, slot))));
    return updates;
  }

  /** Those of these dots whose updates may be spread: they are here, no verdict hides them, and their time is not up. */
  spreadable(dots: Dots): OriginDots[] {
    const result: OriginDots[] = [];
    for (const { origin, intervals, newest } of dots) {
      const writer = this.#find(origin);
      if (writer === undefined) continue;
      const left: number[] = [];
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const row = this.#byDot.get(writer, sequence);
          if (row === -1 || !this.#isSpreadable(row)) continue;
          if (left[left.length - 1] === sequence - 1) left[left.length - 1] = sequence;
          else left.push(sequence, sequence);
        }
      if (left.length > 0) result.push({ origin, intervals: left, newest });
    }
    return result;
  }

  #isSpreadable(row: number): boolean {
    const page = this.#pageOf(row);
    const slot = row & SLOTS;
    if (page.isTombstone(slot)) return page.expiresAt(slot) === undefined;
    return this.#hidden.size === 0 || !this.#hidden.has(page.arrivals[slot] as number);
  }

  /** Whether any update of this origin is held, tombstones among them. */
  holdsAnyOf(origin: Origin): boolean {
    return (this.#find(origin)?.rows ?? 0) > 0;
  }

  /** Whether an update is here still, as it was when it was stored or given out: neither superseded, nor expired or dropped. */
  holds(update: Update): boolean {
    return this.#rowOf(update) !== -1;
  }

  /** The rows of a batch that are here still, as they were when they were stored. */
  heldRows(batch: Batch): number[] {
    const rows: number[] = [];
    for (const [row, sequence] of batch.sequences.entries()) {
      const writer = this.#find(batch.origins[row] as Origin);
      const found = writer === undefined ? -1 : this.#byDot.get(writer, sequence);
      // A tombstone that an expiry has left has the same dot.
      if (found !== -1 && this.#pageOf(found).values.has(found & SLOTS) === batch.values.has(row)) rows.push(row);
    }
    return rows;
  }

  /** Whether an update is here still, and no verdict hides it from readers here. */
  shows(update: Update): boolean {
    return this.#rowOf(update) !== -1 && !(this.#hidden.size > 0 && this.#hidden.has(update.arrival));
  }

  /** All updates in order of arrival, also while the store changes: what arrives meanwhile comes last. */
  *[Symbol.iterator](): IterableIterator<Update> {
    const walk = new Walk(0);
    for (let update = this.next(walk); update !== undefined; update = this.next(walk)) yield update;
  }

  /**
   * Begins a walk in order of arrival, for `next`. It goes on rightly however the store changes meanwhile.
   * @param after what arrived after the arrival of this number. @default all
   * @param among only what has one of these dots. @default any
   */
  walk(after: number = 0, among?: Context): Walk {
    return new Walk(after, among);
  }

  /** Begins a walk over what has one of these dots now, in order of arrival: each is looked up, so that few cost little. */
  walkOf(dots: Dots): Walk {
    const arrivals: number[] = [];
    this.#eachOf(dots, (page, slot) => arrivals.push(page.arrivals[slot] as number));
    return new Walk(
      0,
      undefined,
      arrivals.sort((a, b) => a - b),
    );
  }

  /** The next update of a walk; `undefined`: there is none, for now. */
  next(walk: Walk): Update | undefined {
    if (!this.reach(walk)) return undefined;
    const update = this.reached(walk);
    this.pass(walk);
    return update;
  }

  /** Takes a walk to its next row, unless it is at one that it has not passed. @returns whether there is one, for now */
  reach(walk: Walk): boolean {
    return walk.arrivals === null ? this.#reachNext(walk) : this.#reachAmong(walk, walk.arrivals);
  }

  /** The update of the row that a walk has reached. */
  reached({ page, slot }: Walk): Update {
    return this.#at(rowAt(page as Page, slot));
  }

  /** Takes a walk beyond the row that it has reached. */
  pass(walk: Walk): void {
    if (walk.arrivals !== null) {
      walk.passed++;
      return;
    }
    walk.last = (walk.page as Page).arrivals[walk.slot] as number;
    walk.slot++;
  }

  /** Appends the row that a walk has reached to a batch: what travels of it, without what readers here see of it. */
  take(walk: Walk, batch: Batch): void {
    const page = walk.page as Page;
    const { slot } = walk;
    const { origin } = this.#writers[page.origins[slot] as number] as Writer;
    batch.push(
      page.ids[slot] as string,
      page.stamps[slot] as number,
      origin,
      page.sequences[slot] as number,
      page.expiresAt(slot),
    );
    batch.values.take(page.values, slot);
  }

  #reachAmong(walk: Walk, arrivals: readonly number[]): boolean {
    for (; walk.passed < arrivals.length; walk.passed++) {
      const arrival = arrivals[walk.passed] as number;
      const page = this.#order[this.#placeOf(arrival)] as Page;
      const slot = slotBehind(page, arrival - 1);
      if (!isRow(page, slot, arrival)) continue;
      walk.page = page;
      walk.slot = slot;
      return true;
    }
    return false;
  }

  #reachNext(walk: Walk): boolean {
    if (walk.moves !== this.#moves) {
      // Rows have moved, or this is the beginning: go on behind what was last.
      walk.place = this.#placeOf(walk.last + 1);
      walk.slot = slotBehind(this.#order[walk.place] as Page, walk.last);
      walk.moves = this.#moves;
    }
    for (;;) {
      const page = this.#order[walk.place] as Page;
      const { ids, used } = page;
      while (walk.slot < used && ids[walk.slot] === undefined) walk.slot++;
      const { slot } = walk;
      if (slot < used) {
        if (walk.among === undefined || this.#isAmong(walk, page, slot)) {
          walk.page = page;
          return true;
        }
        walk.slot++;
        walk.last = page.arrivals[slot] as number;
      } else {
        if (page === this.#tail) return false;
        walk.place++;
        walk.slot = 0;
      }
    }
  }

  #isAmong(walk: Walk, page: Page, slot: number): boolean {
    const writer = this.#writers[page.origins[slot] as number] as Writer;
    if (writer !== walk.writer) {
      walk.writer = writer;
      walk.intervals = walk.among?.find(writer.origin)?.intervals ?? [];
    }
    return hasNumber(walk.intervals, page.sequences[slot] as number);
  }

  /**
   * Makes `update` the one of its id and the last arrival, in place of `former`, which the caller has looked up.
   * @param nowMs arrival time: a tombstone is kept from then
   */
  set(update: Update, former: Update | undefined, nowMs: number): void {
    if (former !== undefined) this.drop(former);
    const { id, value, stamp, origin, sequence, expiresAt } = update;
    const page = this.#append(id, stamp, origin, sequence, expiresAt);
    page.values.append(value);
    update.arrival = this.#arrivals;
    update.row = rowAt(page, page.used - 1);
    this.#count(page, origin, nowMs);
    if (value !== undefined) this.#enterView(update, judgedView(update));
  }

  /**
   * Makes a row of a batch, whose id is not held, the one of its id and the last arrival. Readers here see its value: it is
   * not ephemeral.
   * @param nowMs as for `set`
   */
  add(batch: Batch, row: number, nowMs: number): void {
    const origin = batch.origins[row] as Origin;
    const page = this.#append(
      batch.ids[row] as string,
      batch.stamps[row] as number,
      origin,
      batch.sequences[row] as number,
      batch.expiresAt(row),
    );
    page.values.take(batch.values, row);
    this.#count(page, origin, nowMs);
  }

  /** Whether an id is held, as a value or a tombstone. */
  has(id: string): boolean {
    return this.#rowOfId(id) !== -1;
  }

  /** Appends a row without its value, and enters it under its id and dot. @returns its page, of which it is the last row */
  #append(id: string, stamp: number, origin: Origin, sequence: number, expiresAt: number | undefined): Page {
    const writer = this.#writerOf(origin);
    const page = this.#roomyTail();
    const slot = page.append(id, writer.number, ++this.#arrivals, stamp, sequence, expiresAt);
    const row = rowAt(page, slot);
    this.#byId.add(this.#hashOf(id), row);
    this.#byDot.add(writer, sequence, row);
    writer.rows++;
    this.#size++;
    return page;
  }

  /** Counts the last row of a page, which has its value now. */
  #count(page: Page, origin: Origin, nowMs: number): void {
    const slot = page.used - 1;
    const id = page.ids[slot] as string;
    if (page.isTombstone(slot)) {
      this.#tombstones.set(this.#arrivals, nowMs);
      this.#tombstoneBytes += id.length;
    } else {
      this.#liveBytes += id.length + page.values.lengthOf(slot);
      this.#sumUp(id, origin, page.sequences[slot] as number, page.expiresAt(slot), this.#arrivals, 1);
    }
  }

  /** Changes what readers here see of an update that has a value, while the writer of that is there if it is ephemeral. */
  show(update: Update, view: View): void {
    if (!this.holds(update)) return;
    this.#leaveView(update);
    this.#enterView(update, view);
  }

  /** The updates of which readers see what this writer has written, while it is there. */
  *tiedTo(writer: Origin): IterableIterator<Update> {
    for (const arrival of this.#ties.of(writer)) yield this.#at(this.#rowOfArrival(arrival));
  }

  /**
   * Shows and hides what is ephemeral: its writers have come and gone.
   * @param turning hears of each update before readers see it, or see it no more
   * @returns those updates as they are then
   */
  judgeWriters(isThere: IsThere, turning: (update: Update) => void): Update[] {
    return this.#ties.judge(isThere).map((arrival) => {
      const update = this.#at(this.#rowOfArrival(arrival));
      turning(update);
      const judged = judgedView(update);
      const isShown = this.#ties.turn(arrival);
      this.#unseen += isShown ? -1 : 1;
      update.view = isShown ? judged : goneView(judged);
      return update;
    });
  }

  #enterView(update: Update, judged: View | undefined): void {
    const { arrival } = update;
    update.view = judged;
    if (judged !== undefined) {
      this.#views.set(arrival, judged);
      if (judged.why !== undefined) this.#hidden.add(arrival);
    }
    const writer = tieOf(update);
    if (writer !== undefined && !this.#ties.add(writer, arrival)) update.view = goneView(judged);
    if (update.view !== undefined && visible(update) === undefined) this.#unseen++;
  }

  #leaveView(update: Update): void {
    const { arrival } = update;
    update.view = this.#viewOf(arrival);
    if (update.view !== undefined && visible(update) === undefined) this.#unseen--;
    const writer = tieOf(update);
    if (writer !== undefined) this.#ties.delete(writer, arrival);
    this.#views.delete(arrival);
    this.#hidden.delete(arrival);
  }

  /** What readers here see in place of a value that has arrived. */
  #viewOf(arrival: number): View | undefined {
    const judged = this.#views.size === 0 ? undefined : this.#views.get(arrival);
    const { gone } = this.#ties;
    return gone.size > 0 && gone.has(arrival) ? goneView(judged) : judged;
  }

  /** Takes an update out, without a trace. One that is not here any more is left alone. */
  drop(update: Update): void {
    const row = this.#rowOf(update);
    if (row === -1) return;
    const { id, value, origin, sequence, arrival } = update;
    const writer = this.#writerOf(origin);
    this.#byId.delete(this.#hashOf(id), row);
    this.#byDot.delete(writer, sequence);
    writer.rows--;
    this.#size--;
    if (value === undefined) {
      this.#tombstones.delete(arrival);
      this.#tombstoneBytes -= id.length;
    } else {
      this.#liveBytes -= id.length + value.length;
      this.#leaveView(update);
      this.#sumUp(id, origin, sequence, update.expiresAt, arrival, -1);
    }
    const page = this.#pageOf(row);
    page.remove(row & SLOTS);
    if (page !== this.#tail) this.#thin(page);
  }

  /** Tombstones that arrived at `before` or earlier (wall-clock milliseconds), oldest first. */
  tombstonesUpTo(before: number): Update[] {
    const result: Update[] = [];
    for (const [arrival, at] of this.#tombstones) if (at <= before) result.push(this.#at(this.#rowOfArrival(arrival)));
    return result;
  }

  /** The clock may have been set back: no tombstone arrived later than now. */
  ageTombstones(nowMs: number): void {
    for (const [arrival, at] of this.#tombstones) if (at > nowMs) this.#tombstones.set(arrival, nowMs);
  }

  /** Updates whose time is up. */
  expired(nowMs: number): Update[] {
    const result: Update[] = [];
    for (const [second, slot] of this.#expiring) {
      if (second * 1000 > nowMs) continue;
      for (const arrival of slot.arrivals()) {
        const update = this.#at(this.#rowOfArrival(arrival));
        if ((update.expiresAt as number) <= nowMs) result.push(update);
      }
    }
    return result;
  }

  /** When the next update expires, in milliseconds since 1970; `undefined`: none does. Cheap while that does not change. */
  get nextExpiryMs(): number | undefined {
    if (this.#nextExpiryMs === undefined && this.#expiring.size > 0) {
      let second = Infinity;
      for (const key of this.#expiring.keys()) second = Math.min(second, key);
      let next = Infinity;
      for (const arrival of (this.#expiring.get(second) as ExpirySlot).arrivals()) {
        const row = this.#rowOfArrival(arrival);
        next = Math.min(next, this.#pageOf(row).expiresAt(row & SLOTS) as number);
      }
      this.#nextExpiryMs = next;
    }
    return this.#nextExpiryMs;
  }

  /** The sum of h(dot) over what is live and outlives `horizonMs`: what has no expiry, or expires in a later second. */
  liveSum(horizonMs: number): Sum {
    const sum = this.#live.slice();
    for (const [second, slot] of this.#expiring) if (second * 1000 > horizonMs) slot.addTo(sum);
    return sum;
  }

  /** As `liveSum`, over these dots alone. Makes no update: of very many rows that would stop the process for long. */
  liveSumOf(dots: Dots, horizonMs: number): Sum {
    const sum = emptySum();
    const add = (page: Page, slot: number): void => {
      if (!outlivesAt(page, slot, horizonMs)) return;
      const { origin } = this.#writers[page.origins[slot] as number] as Writer;
      addTerm(sum, 0, hashDot(origin.seeds, page.sequences[slot] as number), 1);
    };
    if (LOOKS * countDots(dots) > this.#size) {
      const walk = new Walk(0, Context.of(dots));
      this.#eachRow((page, slot) => {
        if (this.#isAmong(walk, page, slot)) add(page, slot);
      });
      return sum;
    }
    this.#eachOf(dots, add);
    return sum;
  }

  /** The dots of what `liveSum` sums up. @param buckets of ids, as in `liveBucketSums`; `null`: all. Makes no update either */
  liveDots(buckets: ReadonlySet<number> | null, horizonMs: number): Dots {
    const dots = new Context();
    this.#eachRow((page, slot) => {
      if (!outlivesAt(page, slot, horizonMs)) return;
      if (buckets !== null && !buckets.has(liveBucketOf(page.ids[slot] as string))) return;
      const { origin } = this.#writers[page.origins[slot] as number] as Writer;
      dots.add(origin, page.sequences[slot] as number);
    });
    return dots.dots();
  }

  /** The rows of these dots, in the order of the dots. */
  #eachOf(dots: Dots, look: (page: Page, slot: number) => void): void {
    for (const { origin, intervals } of dots) {
      const writer = this.#find(origin);
      if (writer === undefined) continue;
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const row = this.#byDot.get(writer, sequence);
          if (row !== -1) look(this.#pageOf(row), row & SLOTS);
        }
    }
  }

  /** All rows, in order of arrival. */
  #eachRow(look: (page: Page, slot: number) => void): void {
    for (const page of this.#order)
      for (let slot = 0; slot < page.used; slot++) if (page.ids[slot] !== undefined) look(page, slot);
  }

  /** In how many different seconds something expires: what `liveSum` walks over. */
  get expiringSeconds(): number {
    return this.#expiring.size;
  }

  /** As `liveSum`, per bucket of the id's hash: the lanes of bucket b from 4b. A copy. */
  liveBucketSums(horizonMs: number): Int32Array {
    const sums = this.#liveBuckets.slice();
    for (const [second, slot] of this.#expiring) {
      if (second * 1000 <= horizonMs) continue;
      for (const arrival of slot.arrivals()) {
        const { id, origin, sequence } = this.#at(this.#rowOfArrival(arrival));
        addTerm(sums, liveBucketOf(id), hashDot(origin.seeds, sequence), 1);
      }
    }
    return sums;
  }

  /** Drops the number of an origin that left the context, of which nothing is held. */
  forget(origin: Origin): void {
    const writer = this.#byKey.get(origin.key);
    if (writer === undefined || writer.rows > 0) return;
    this.#byKey.delete(origin.key);
    this.#writers[writer.number] = undefined;
    this.#freeNumbers.push(writer.number);
    this.#lastOrigin = null;
  }

  #sumUp(
    id: string,
    origin: Origin,
    sequence: number,
    expiresAt: number | undefined,
    arrival: number,
    sign: 1 | -1,
  ): void {
    this.version++;
    const term = hashDot(origin.seeds, sequence);
    if (expiresAt === undefined) {
      addTerm(this.#live, 0, term, sign);
      addTerm(this.#liveBuckets, liveBucketOf(id), term, sign);
      return;
    }
    const second = Math.floor(expiresAt / 1000);
    let slot = this.#expiring.get(second);
    if (slot === undefined) {
      slot = new ExpirySlot();
      this.#expiring.set(second, slot);
    }
    if (sign > 0) {
      slot.add(arrival, term);
      if (this.#nextExpiryMs !== undefined && expiresAt < this.#nextExpiryMs) this.#nextExpiryMs = expiresAt;
      return;
    }
    slot.delete(arrival, term);
    if (slot.isEmpty) this.#expiring.delete(second);
    if (expiresAt === this.#nextExpiryMs) this.#nextExpiryMs = undefined;
  }

  // Rows

  #at(row: number): Update {
    const page = this.#pageOf(row);
    const slot = row & SLOTS;
    const arrival = page.arrivals[slot] as number;
    const { origin } = this.#writers[page.origins[slot] as number] as Writer;
    const update = new Update(
      page.ids[slot] as string,
      page.values.at(slot),
      page.stamps[slot] as number,
      origin,
      page.sequences[slot] as number,
      page.expiresAt(slot),
    );
    update.arrival = arrival;
    update.row = row;
    update.view = this.#viewOf(arrival);
    return update;
  }

  #seen(row: number): Bytes | undefined {
    const page = this.#pageOf(row);
    const view = this.#viewOf(page.arrivals[row & SLOTS] as number);
    return view === undefined ? page.values.at(row & SLOTS) : view.value;
  }

  #pageOf(row: number): Page {
    return this.#pages[row >>> SLOT_BITS] as Page;
  }

  /** The row of an update that is here still; -1: it is not. */
  #rowOf(update: Update): number {
    const { row, arrival } = update;
    if (arrival === 0) return -1;
    // Where it was when it was stored or read; else its row has moved, or it is here no more.
    const page = this.#pages[row >>> SLOT_BITS];
    if (page !== undefined && isRow(page, row & SLOTS, arrival)) return row;
    const writer = this.#find(update.origin);
    const found = writer === undefined ? -1 : this.#byDot.get(writer, update.sequence);
    // A tombstone that an expiry has left has the same dot, and arrived later.
    return found !== -1 && this.#pageOf(found).arrivals[found & SLOTS] === arrival ? found : -1;
  }

  #rowOfId(id: string): number {
    const table = this.#byId;
    const hash = this.#hashOf(id);
    let row = table.first(hash);
    while (row !== -1 && this.#pageOf(row).ids[row & SLOTS] !== id) row = table.next(hash);
    return row;
  }

  /** The row of the update with this arrival, which must be here. */
  #rowOfArrival(arrival: number): number {
    const page = this.#order[this.#placeOf(arrival)] as Page;
    return rowAt(page, slotBehind(page, arrival - 1));
  }

  /** Where the page stands that has the row of an arrival, if it is here: the last one that begins with it or earlier. */
  #placeOf(arrival: number): number {
    const order = this.#order;
    let low = 0;
    let high = order.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const page = order[middle] as Page;
      // Nothing has arrived in an empty tail yet.
      if (page.used > 0 && (page.arrivals[0] as number) <= arrival) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #hashOf(id: string): number {
    if (id === this.#lastId) return this.#lastHash;
    this.#lastId = id;
    return (this.#lastHash = this.#hash.text(id));
  }

  #find(origin: Origin): Writer | undefined {
    return origin === this.#lastOrigin ? (this.#lastWriter as Writer) : this.#byKey.get(origin.key);
  }

  #writerOf(origin: Origin): Writer {
    if (origin === this.#lastOrigin) return this.#lastWriter as Writer;
    let writer = this.#byKey.get(origin.key);
    if (writer === undefined) {
      const number = this.#freeNumbers.pop() ?? this.#writers.length;
      const [key0, key1] = this.#hash.keyOf(number);
      writer = { origin, number, key0, key1, rows: 0 };
      this.#writers[number] = writer;
      this.#byKey.set(origin.key, writer);
    }
    this.#lastOrigin = origin;
    this.#lastWriter = writer;
    return writer;
  }

  // Pages

  #newPage(rows?: number): Page {
    const free = this.#order.length < this.#pages.length ? this.#pages.indexOf(undefined) : -1;
    const number = free === -1 ? this.#pages.length : free;
    const page = new Page(number, rows);
    this.#pages[number] = page;
    return page;
  }

  /** The last page, with memory for one row more: where half of its rows are gone it is made anew, else larger. */
  #roomyTail(): Page {
    const tail = this.#tail;
    if (tail.used < tail.places) return tail;
    if (2 * tail.live <= tail.used) {
      this.#merge(this.#order.length - 1, 1, tail.places);
    } else if (tail.places < PAGE_ROWS) {
      tail.grow();
    } else {
      tail.values.trim();
      this.#tail = this.#newPage(PAGE_ROWS);
      this.#order.push(this.#tail);
    }
    return this.#tail;
  }

  /** A page that is not the last has lost a row: it goes when it was its last one, and joins a neighbour when both have few. */
  #thin(page: Page): void {
    if (page.live % LOOK_ROWS !== 0) return;
    const place = this.#placeOf(page.arrivals[0] as number);
    if (page.live === 0) {
      this.#order.splice(place, 1);
      this.#pages[page.number] = undefined;
      this.#moves++;
      return;
    }
    const before = this.#order[place - 1];
    if (before !== undefined && before.live + page.live <= MERGED_ROWS) return this.#merge(place - 1, 2);
    const after = this.#order[place + 1] as Page;
    if (after !== this.#tail && after.live + page.live <= MERGED_ROWS) this.#merge(place, 2);
  }

  /** Puts the rows of neighbours into one new page, in their order. @param places memory for so many rows */
  #merge(place: number, count: number, places?: number): void {
    const former = this.#order.slice(place, place + count);
    const live = former.reduce((sum, page) => sum + page.live, 0);
    const merged = this.#newPage(places ?? live);
    for (const page of former) {
      for (let slot = 0; slot < page.used; slot++) {
        const id = page.ids[slot];
        if (id === undefined) continue;
        const row = rowAt(merged, merged.take(page, slot));
        this.#byId.renumber(this.#hash.text(id), rowAt(page, slot), row);
        const writer = this.#writers[page.origins[slot] as number] as Writer;
        this.#byDot.renumber(writer, page.sequences[slot] as number, row);
      }
      this.#pages[page.number] = undefined;
    }
    this.#order.splice(place, count, merged);
    if (former.includes(this.#tail)) this.#tail = merged;
    else merged.values.trim();
    this.#moves++;
  }
}

function rowAt(page: Page, slot: number): number {
  return (page.number << SLOT_BITS) | slot;
}

/** Whether the row of an arrival is in this slot. */
function isRow(page: Page, slot: number, arrival: number): boolean {
  return slot < page.used && page.arrivals[slot] === arrival && page.ids[slot] !== undefined;
}

/** The first slot whose row arrived after the arrival of this number. */
function slotBehind(page: Page, arrival: number): number {
  let low = 0;
  let high = page.used;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((page.arrivals[middle] as number) <= arrival) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether an update is beyond the horizon of a live sum: it has a value and outlives that second. */
export function outlives(update: Update, horizonMs: number): boolean {
  if (update.value === undefined) return false;
  return update.expiresAt === undefined || Math.floor(update.expiresAt / 1000) * 1000 > horizonMs;
}

/** As `outlives`, of a row. */
function outlivesAt(page: Page, slot: number, horizonMs: number): boolean {
  if (page.isTombstone(slot)) return false;
  const expiresAt = page.expiresAt(slot);
  return expiresAt === undefined || Math.floor(expiresAt / 1000) * 1000 > horizonMs;
}

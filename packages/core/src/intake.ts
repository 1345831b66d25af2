/**
 * The way in: what arrives is screened, judged a batch at a time in order, and stored.
 *
 * Invariants
 *  1. Batches are stored in the order in which they arrived, whatever they hold; so whoever waits for one has all before it.
 *  2. At most one offer is open, and nothing of it is in store or context before its verdict.
 *  3. A verdict on the first updates of an offer stores the batch up to the first that it leaves open, and the rest is
 *     offered anew, beside what is stored by then.
 *
 * Source: docs/architecture.md, and rules 2 and 6 of docs/algorithm.md.
 */

import { Batch, type UpdateList } from './batch.ts';
import { Context, type Dots } from './context.ts';
import type { Environment } from './protocol.ts';
import { dotsOf } from './protocols/dots.ts';
import type { Origin } from './origin.ts';
import type { Screened } from './replica.ts';
import { keepAll, newestRows, type Verdict } from './replica/verdict.ts';
import type { Bytes, Update } from './update.ts';

/** What became of a received batch. */
export interface Arrival extends Screened {
  /** Dots that this replica has no room for now. */
  readonly turnedAway: Dots;
  /** What readers here see of it: what may go on as a rumor. */
  readonly kept: Batch;
}

interface Waiting {
  /** Of its news, what is not stored yet. */
  screened: Screened;
  /** What is to be judged of it, in order of arrival; `null` before it is its turn. */
  offered: readonly Update[] | null;
  /** What became of its first updates, where a verdict has decided only those. */
  begun: Arrival | null;
  readonly stored: (arrival: Arrival, nowMs: number) => void;
}

const nothing: Screened = { news: new Batch(), known: [], tooLarge: [], left: [] };

function waiting(screened: Screened, stored: Waiting['stored']): Waiting {
  return { screened, offered: null, begun: null, stored };
}

export class Intake {
  readonly #environment: Environment;
  readonly #queue: Waiting[] = [];
  /** Dots that wait for judgement. */
  readonly pending: Context = new Context();
  #backlog = 0;
  #backlogBytes = 0;
  /** What there was no room for, of the batch in work. */
  #turnedAway: Update[] = [];
  readonly #turnAway = (update: Update): void => {
    this.#turnedAway.push(update);
  };
  #offers = 0;
  /** The open offer's number and release; 0: none is open. */
  #open = 0;
  #release: (() => void) | null = null;
  #offeredArrival = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
    // A former machine that crashed over an offer has left its snapshot open.
    environment.replica.releaseSnapshots();
  }

  /** Updates that wait for judgement. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Bytes of the updates that wait for judgement. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Takes in a batch; `stored` is called when all of it, and all before it, has been stored. */
  receive(updates: UpdateList, nowMs: number, stored: (arrival: Arrival, nowMs: number) => void): void {
    const { replica, effects, judged } = this.#environment;
    const screened = replica.screen(updates, this.pending, nowMs, (error) => effects.report(error));
    const { news } = screened;
    if (this.#queue.length === 0 && !(judged && hasValue(news))) {
      if (news.length === 0) stored({ ...screened, turnedAway: [], kept: news }, nowMs);
      else stored(this.#admit(screened, keepAll, nowMs), nowMs);
      return;
    }
    this.pending.addAll(news.dots());
    this.#backlog += news.length;
    this.#backlogBytes += bytesOf(news);
    this.#queue.push(waiting(screened, stored));
    if (this.#open === 0) this.#next(nowMs);
  }

  /**
   * Lets go of all that waits: the replica that it was screened against is no more. Nobody is told that it was stored. The
   * open offer stays open until its verdict, which then decides nothing.
   */
  abandon(): void {
    const isOffered = this.#open !== 0;
    this.#queue.length = 0;
    if (isOffered) this.#queue.push(waiting(nothing, () => undefined));
    this.pending.removeAll(this.pending.dots());
    this.#backlog = 0;
    this.#backlogBytes = 0;
  }

  /** Calls `then` when all that has arrived so far is stored. */
  settled(nowMs: number, then: (nowMs: number) => void): void {
    if (this.#queue.length === 0) then(nowMs);
    else this.#queue.push(waiting(nothing, (_, at) => then(at)));
  }

  /** Takes the verdict on the open offer. Any other number is stale and changes nothing. */
  judged(offer: number, verdict: Verdict, nowMs: number): void {
    if (offer !== this.#open || this.#open === 0) return;
    this.#open = 0;
    this.#release?.();
    this.#release = null;
    const head = this.#queue[0] as Waiting;
    const offered = head.offered ?? [];
    const count = verdict.count ?? offered.length;
    const given = verdict.type === 'reset' ? { ...verdict, offeredArrival: this.#offeredArrival } : verdict;
    const isWhole = count >= offered.length;
    // Of a batch that is stored in parts, an update may meet another verdict than one of its id in another part.
    const decided = isWhole && head.begun === null ? given : verdictById(given, offered, count);
    if (isWhole) this.#settle(head, decided, nowMs);
    else this.#settlePart(head, decided, offered.slice(count), nowMs);
    this.#next(nowMs);
  }

  /** Goes on until the queue is empty or its head needs a judgement. */
  #next(nowMs: number): void {
    while (this.#queue.length > 0) {
      const head = this.#queue[0] as Waiting;
      const offered = (head.offered ??= toJudge(head.screened.news));
      if (offered.length > 0) {
        const stored = this.#environment.replica.snapshot();
        this.#release = () => stored.release();
        this.#offeredArrival = stored.arrival;
        this.#open = ++this.#offers;
        this.#environment.effects.offer({ number: this.#open, updates: offered, isRest: head.begun !== null, stored });
        return;
      }
      this.#settle(head, keepAll, nowMs);
    }
  }

  #settle({ screened, begun, stored }: Waiting, verdict: Verdict, nowMs: number): void {
    const arrival = this.#admit(screened, verdict, nowMs);
    this.#queue.shift();
    this.#leave(screened.news);
    stored(begun === null ? arrival : bothOf(begun, arrival), nowMs);
  }

  /** Stores a batch up to the first update that the verdict leaves open. @param rest what is left to be judged */
  #settlePart(head: Waiting, verdict: Verdict, rest: readonly Update[], nowMs: number): void {
    const { screened, begun } = head;
    const until = rowOf(screened.news, rest[0] as Update);
    const part = { ...screened, news: screened.news.slice(0, until) };
    const arrival = this.#admit(part, verdict, nowMs);
    head.screened = { ...nothing, news: screened.news.slice(until, screened.news.length) };
    head.offered = rest;
    head.begun = begun === null ? arrival : bothOf(begun, arrival);
    this.#leave(part.news);
  }

  /** What is stored waits no more. */
  #leave(news: Batch): void {
    this.pending.removeAll(news.dots());
    this.#backlog -= news.length;
    this.#backlogBytes -= bytesOf(news);
  }

  #admit(screened: Screened, verdict: Verdict, nowMs: number): Arrival {
    const { replica, effects } = this.#environment;
    const kept = replica.admit(screened.news, verdict, nowMs, this.#turnAway);
    if (this.#turnedAway.length === 0) return { ...screened, turnedAway: [], kept };
    const refused = this.#turnedAway;
    this.#turnedAway = [];
    if (!replica.isSaidFull) {
      replica.isSaidFull = true;
      effects.report(replica.refusing(refused[0] as Update));
    }
    const turnedAway = dotsOf(refused);
    const out = Context.of(turnedAway);
    return {
      ...screened,
      news: screened.news.pick(rowsWithout(screened.news, out)),
      turnedAway,
      kept,
    };
  }
}

/** The newest of each id, without tombstones: those are not judged. */
function toJudge(news: Batch): Update[] {
  const newest = newestRows(news);
  const offered: Update[] = [];
  // In order of arrival: an id stands where its newest does.
  for (const [row, id] of news.ids.entries())
    if (news.values.has(row) && newest.get(id) === row) offered.push(news.at(row));
  return offered;
}

function hasValue(batch: Batch): boolean {
  return batch.ids.some((_, row) => batch.values.has(row));
}

/** The row of an update that was made of it. */
function rowOf(batch: Batch, { origin, sequence }: Update): number {
  return batch.sequences.findIndex((other, row) => other === sequence && batch.origins[row]?.key === origin.key);
}

/** The rows that have none of these dots. */
function rowsWithout(batch: Batch, dots: Context): number[] {
  const rows: number[] = [];
  for (const [row, sequence] of batch.sequences.entries())
    if (!dots.has(batch.origins[row] as Origin, sequence)) rows.push(row);
  return rows;
}

/** The same verdict on the first `count` of these updates, and on no other of their ids. */
function verdictById(verdict: Verdict, offered: readonly Update[], count: number): Verdict {
  if (verdict.type !== 'keep-all') return verdict;
  const kept = new Map<string, Bytes>();
  for (const { id, value } of offered.slice(0, count)) kept.set(id, value as Bytes);
  return { type: 'keep', kept };
}

/** What became of two parts of a batch. */
function bothOf(first: Arrival, second: Arrival): Arrival {
  return {
    news: Batch.joined([first.news, second.news]),
    known: first.known,
    tooLarge: first.tooLarge,
    turnedAway: joined(first.turnedAway, second.turnedAway),
    left: first.left,
    kept: Batch.joined([first.kept, second.kept]),
  };
}

/** Bytes that they take on the wire, roughly. */
function bytesOf(batch: Batch): number {
  let bytes = 0;
  for (let row = 0; row < batch.length; row++) bytes += batch.updateBytes(row);
  return bytes;
}

/** Both sets together. */
function joined(a: Dots, b: Dots): Dots {
  const both = Context.of(a);
  both.addAll(b);
  return both.dots();
}

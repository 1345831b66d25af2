/**
 * Asking for what is known by its dot alone: one announcer at a time, the next where the first does not answer.
 *
 * Invariants
 *  1. No dot is in two open asks, and no peer has two open asks.
 *  2. What is here, under judgement, refused or held back for its stamp is not asked for.
 *  3. A want ends: it arrives, is gone, or runs out of announcers; a later announcement renews it.
 *  4. While mail of an origin keeps coming, its dots are not asked for, for at most ten times the delay.
 *
 * An answer that leaves dots out, because it would be too large, ends with a `gone` (of no dots, perhaps): the rest is
 * then asked for again.
 *
 * Source: docs/algorithm.md.
 */

import { AgedMap } from '../aged-map.ts';
import { Context, countDots, roomOf, type Dots, type OriginDots } from '../context.ts';
import type { Intake } from '../intake.ts';
import type { Environment } from '../protocol.ts';
import type { Origin } from '../origin.ts';
import { isExpired, type Update, updateBytes } from '../update.ts';
import { inBatches } from './batches.ts';
import { dotFrames, firstDots } from './dots.ts';

/** Dots of one ask. */
export const ASK_DOTS = 8192;
/** Bytes of updates in the answer to one ask. */
export const ANSWER_BYTES: number = 1024 * 1024;
/** What is kept of one peer's announcements, as `Context.room` counts it; what goes beyond is left to later ones. */
const OFFER_ROOM = 65_536;
/** Announcements that wait for their delay. */
const DELAYED_LIMIT = 4096;
/** What they take together. */
const DELAYED_ROOM = 65_536;
/** Origins whose last mail is noted. Beyond, the one whose mail came longest ago is forgotten: it may be asked for too early. */
const MAILED_LIMIT = 1024;
const SHORTEST_PATIENCE_MS = 500;
const TIMER = 'ask';

export interface AskOptions {
  /** One cycle: an unanswered ask is given up after as much, but not before 500 ms. */
  readonly delta: number;
  /** Milliseconds to wait for a dot to come by itself. */
  readonly askDelay: number;
}

interface Delayed {
  readonly from: string;
  readonly dots: OriginDots;
  readonly sinceMs: number;
  dueMs: number;
}

interface OpenAsk {
  /** What has not been answered yet. */
  readonly dots: Context;
  untilMs: number;
  /** Whether any of it has been answered. */
  answered: boolean;
}

export class Asks {
  readonly #environment: Environment;
  readonly #intake: Intake;
  readonly #delayMs: number;
  readonly #patienceMs: number;
  /** What each peer announced and is lacked here: the first to announce is asked first. */
  readonly #offers = new Map<string, Context>();
  readonly #open = new Map<string, OpenAsk>();
  /** All dots of the open asks. */
  readonly #asked = new Context();
  #delayed: Delayed[] = [];
  /** Of all that is delayed together. */
  #delayedRoom = 0;
  /** When mail of an origin last came, by its key: the longest ago first. */
  readonly #mailedMs = new AgedMap<string, number>();
  /** For when the timer is set. */
  #timerMs = Infinity;
  #nowMs = -Infinity;

  constructor(environment: Environment, intake: Intake, options: AskOptions) {
    this.#environment = environment;
    this.#intake = intake;
    this.#delayMs = options.askDelay;
    this.#patienceMs = Math.max(options.delta, SHORTEST_PATIENCE_MS);
  }

  /** What of `dots` is lacked here: not seen, not under judgement, not refused, not held back. */
  lacked(dots: Dots): Dots {
    const { replica } = this.#environment;
    const { context, refused } = replica;
    return replica.notHeldBack(refused.lacking(this.#intake.pending.lacking(context.lacking(dots))));
  }

  /**
   * A peer says that it has these, which are lacked here. Asks for nothing before `proceed`.
   * @param pulled whether they were told to this node beside the pushes: nothing of it is on its way, so nothing is waited for
   */
  announced(from: string, lacked: Dots, pulled: boolean, nowMs: number): void {
    for (const dots of lacked) {
      const room = roomOf([dots]);
      const isTooMuch = this.#delayed.length >= DELAYED_LIMIT || this.#delayedRoom + room > DELAYED_ROOM;
      if (this.#delayMs === 0 || pulled || isTooMuch) {
        this.#offer(from, dots);
        continue;
      }
      this.#delayed.push({ from, dots, sinceMs: nowMs, dueMs: nowMs + this.#delayMs });
      this.#delayedRoom += room;
    }
  }

  /** Direct mail of an origin came: more is probably on its way. */
  mailed(origin: Origin, nowMs: number): void {
    if (this.#delayMs === 0) return;
    const { key } = origin;
    if (this.#mailedMs.get(key) === nowMs) return;
    this.#mailedMs.delete(key);
    this.#mailedMs.set(key, nowMs);
    if (this.#mailedMs.size <= MAILED_LIMIT) return;
    this.#mailedMs.delete(this.#mailedMs.oldest as string);
  }

  /** A peer answered with these. */
  answered(from: string, dots: Dots, nowMs: number): void {
    // What came needs no second asking, even where it is held back and so enters no context.
    for (const offer of this.#offers.values()) offer.removeAll(dots);
    const ask = this.#open.get(from);
    if (ask === undefined) return;
    this.#asked.removeAll(ask.dots.common(dots));
    ask.dots.removeAll(dots);
    ask.answered = true;
    ask.untilMs = nowMs + this.#patienceMs;
    if (ask.dots.isEmpty) this.#open.delete(from);
  }

  /** A peer has these no more: nobody is asked for them until they are announced anew. Ends the peer's answer. */
  gone(from: string, dots: Dots): void {
    const ask = this.#open.get(from);
    if (ask === undefined) return;
    const gone = ask.dots.common(dots);
    for (const offer of this.#offers.values()) offer.removeAll(gone);
    this.#asked.removeAll(gone);
    ask.dots.removeAll(gone);
    // An answer to nothing of it would be asked for again for ever.
    if (ask.answered || gone.length > 0 || ask.dots.isEmpty) this.#close(from, ask);
    else this.#giveUp(from, ask);
  }

  /** A peer's connection is over. */
  peerGone(name: string): void {
    const ask = this.#open.get(name);
    if (ask !== undefined) this.#close(name, ask);
    this.#offers.delete(name);
    this.#delay(this.#delayed.filter(({ from }) => from !== name));
  }

  /** Asks for what is due, and sets the timer for what will be. To be called when all of a batch has been told. */
  proceed(nowMs: number): void {
    if (nowMs < this.#nowMs) this.#hurry(nowMs);
    this.#nowMs = nowMs;
    if (this.#delayed.length > 0) this.#releaseDelayed(nowMs);
    for (const [peer, offer] of this.#offers) this.#ask(peer, offer, nowMs);
    this.#setTimer(nowMs);
  }

  /** @returns whether the timer is this one */
  tick(timer: string, nowMs: number): boolean {
    if (timer !== TIMER) return false;
    this.#timerMs = Infinity;
    for (const [peer, ask] of this.#open) if (ask.untilMs <= nowMs) this.#giveUp(peer, ask);
    this.proceed(nowMs);
    return true;
  }

  /** The clock was set back: nobody shall wait until it has caught up. */
  #hurry(nowMs: number): void {
    for (const ask of this.#open.values()) ask.untilMs = Math.min(ask.untilMs, nowMs + this.#patienceMs);
    for (const delayed of this.#delayed) delayed.dueMs = Math.min(delayed.dueMs, nowMs + this.#delayMs);
    this.#mailedMs.clear();
    this.#timerMs = Infinity;
  }

  #offer(from: string, dots: OriginDots): void {
    let offer = this.#offers.get(from);
    if (offer === undefined) {
      offer = new Context();
      this.#offers.set(from, offer);
    }
    if (offer.room + roomOf([dots]) <= OFFER_ROOM) offer.addAll([dots]);
  }

  #releaseDelayed(nowMs: number): void {
    const waiting: Delayed[] = [];
    for (const delayed of this.#delayed) {
      if (delayed.dueMs <= nowMs) {
        const mailedMs = this.#mailedMs.get(delayed.dots.origin.key) ?? -Infinity;
        delayed.dueMs = Math.min(mailedMs + this.#delayMs, delayed.sinceMs + 10 * this.#delayMs);
      }
      if (delayed.dueMs > nowMs) waiting.push(delayed);
      else this.#offer(delayed.from, delayed.dots);
    }
    this.#delay(waiting);
  }

  #delay(delayed: Delayed[]): void {
    this.#delayed = delayed;
    this.#delayedRoom = 0;
    for (const { dots } of delayed) this.#delayedRoom += roomOf([dots]);
  }

  #ask(peer: string, offer: Context, nowMs: number): void {
    if (this.#open.has(peer)) return;
    const offered = offer.dots();
    const lacked = this.lacked(offered);
    if (lacked.length === 0) {
      this.#offers.delete(peer);
      return;
    }
    if (countDots(lacked) < countDots(offered)) this.#offers.set(peer, Context.of(lacked));
    const dots = firstDots(this.#asked.lacking(lacked), ASK_DOTS);
    if (dots.length === 0) return;
    this.#asked.addAll(dots);
    this.#open.set(peer, { dots: Context.of(dots), untilMs: nowMs + this.#patienceMs, answered: false });
    for (const frame of dotFrames(dots)) this.#environment.effects.send(peer, { type: 'ask', dots: frame });
  }

  #close(peer: string, ask: OpenAsk): void {
    this.#asked.removeAll(ask.dots.dots());
    this.#open.delete(peer);
  }

  /** Strikes the peer off as announcer of what it did not answer. */
  #giveUp(peer: string, ask: OpenAsk): void {
    this.#offers.get(peer)?.removeAll(ask.dots.dots());
    this.#close(peer, ask);
  }

  #setTimer(nowMs: number): void {
    let next = Infinity;
    for (const { untilMs } of this.#open.values()) next = Math.min(next, untilMs);
    for (const { dueMs } of this.#delayed) next = Math.min(next, dueMs);
    // A timer that fires too early is set anew then; only an earlier one must be set now.
    if (next >= this.#timerMs) return;
    this.#timerMs = next;
    this.#environment.effects.setTimer(TIMER, next - nowMs);
  }
}

/**
 * Answers an ask: what is still held here, whether readers here see it or not; the rest is gone, or for the next ask.
 * @param answered bytes of what the same peer was answered in this step: an ask of a few bytes may be for a megabyte, and a
 * step has room for many asks
 * @returns the same with this answer
 */
export function answer(environment: Environment, to: string, asked: Dots, answered: number = 0): number {
  const { replica, effects } = environment;
  const updates: Update[] = [];
  const gone = new Context();
  let bytes = answered;
  const dots = firstDots(asked, ASK_DOTS);
  let isCut = countDots(dots) < countDots(asked);
  for (const { origin, intervals } of dots) {
    for (let i = 0; i < intervals.length && bytes < ANSWER_BYTES; i += 2) {
      for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
        if (bytes >= ANSWER_BYTES) break;
        const update = replica.store.byDot(origin, sequence);
        if (update === undefined || isExpired(update)) {
          gone.add(origin, sequence);
        } else {
          updates.push(update);
          bytes += updateBytes(update);
        }
      }
    }
  }
  isCut ||= bytes >= ANSWER_BYTES;
  for (const batch of inBatches(updates)) effects.send(to, { type: 'updates', cause: 'answer', updates: batch });
  if (isCut || !gone.isEmpty) effects.send(to, { type: 'gone', dots: gone.dots() });
  return bytes;
}

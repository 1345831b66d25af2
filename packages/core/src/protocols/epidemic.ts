/**
 * The SIR engine of rumor mongering, for `rumor` and for the rumor half of `hybrid`: who is infective, whom to push to,
 * and when to lose interest.
 *
 * Invariants
 *  1. A removed rumor is never sent again unasked, but its arrival is still answered.
 *  2. What was known is judged against the state before a batch: of two pushers in one batch both hear "news".
 *  3. A counter moves only on feedback, or blindly by a push to somebody, and a push to nobody counts nothing.
 *  4. At most one eager push per peer is in flight: its feedback frees the peer, or the next cycle, or the peer's going.
 *  5. An own write goes with its value the first time, unless somebody has it already; whatever else is pushed goes by its dot.
 *  6. Hidden updates are never pushed, superseded and expired ones no more.
 *  7. A peer that only dials is a dependent: it hears from those alone whom it has dialled, and another of its kind cannot
 *     pass anything on to it. It is told each rumor once, when the rumor sets out from here, beside the pushes, which go to
 *     others. To be told so counts as an answer to a pull does.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4 (its footnote on
 * pull: one count per cycle). Departure: the paper and the original send a rumor's value every time and once a cycle.
 * We send it by its dot after the first time, so that redundancy costs bytes and not payloads, and, if `eager`, at once.
 */

import { Batch, type UpdateList } from '../batch.ts';
import { Context, countDots, type Dots } from '../context.ts';
import type { Arrival, Intake } from '../intake.ts';
import type { Announce, Feedback, Updates } from '../messages.ts';
import type { Environment, Received } from '../protocol.ts';
import { sample } from '../random.ts';
import type { Origin } from '../origin.ts';
import type { Update } from '../update.ts';
import { answer, Asks } from './asks.ts';
import type { Deliveries } from './deliveries.ts';
import { inBatches } from './batches.ts';
import { dotFrames, dotsOf, without } from './dots.ts';
import { Effort } from './exchange/effort.ts';
import { heldAmong } from './exchange/held.ts';
import { Removed } from './removed.ts';
import type { RumorOptions } from './rumor-options.ts';
import { Runs } from './runs.ts';
import type { Sessions } from './sessions.ts';

/**
 * How a rumor sets out: with its value (own writes), by its dot at once if `eager`, by its dot in the next cycle, the same with
 * the dependents told at once, or by its dot at once to every peer, since its writer reaches few and this node carries for it.
 */
export type Infection = 'write' | 'relay-eager' | 'relay-later' | 'relay-served' | 'carry';

/** How many rumors are in which state of the model. */
export interface EpidemicStatus {
  readonly infective: number;
  readonly removed: number;
  /** Runs that the infective dots form. */
  readonly runs: number;
}

/** A message with rumors, and what of it was lacked here before its batch. */
interface Heard {
  readonly from: string;
  readonly message: Updates | Announce;
  readonly dots: Dots;
  readonly lacked: Dots;
}

interface Judged {
  readonly dots: Dots;
  readonly lacked: Dots;
  /** What has turned out to be news of the batch so far. */
  readonly news: Context;
}

const CYCLE = 'rumor';
const COALESCE = 'push';
const COALESCE_MS = 1;

const nobody: ReadonlySet<string> = new Set();

export class Epidemic {
  readonly #environment: Environment;
  readonly #intake: Intake;
  readonly #options: RumorOptions;
  readonly #deliveries: Deliveries;
  readonly #relayed: (cause: Updates['cause'], from: string) => Infection;
  readonly #arrived: (from: string, arrival: Arrival) => void;
  readonly #pushes: boolean;
  readonly #pulls: boolean;
  readonly #asks: Asks;
  readonly #infective = new Runs();
  readonly #removed: Removed;
  readonly #effort = new Effort();
  /** Own writes that nobody has been sent yet. */
  readonly #unsent = new Context();
  /** What becomes infective with the next cycle. Only by its dots, so that nothing keeps the updates until then. */
  #later: Dots[] = [];
  /** Due at once: for the first time, and once more because somebody found it news. */
  #first = new Context();
  #again = new Context();
  /** Dots in flight to a peer: how many have no feedback yet. */
  readonly #inFlight = new Map<string, number>();
  /** What rides with the next push to a peer that had one in flight when it became due. */
  readonly #owed = new Map<string, Context>();
  /** What was told to whom beside the pushes of this cycle, and what they said. */
  readonly #pulled = new Map<string, Context>();
  #pulledKnown = new Context();
  #pulledNews = new Context();
  /** Those to whom rumors are pushed: all but the dependents, where there are others. */
  #peers: readonly string[] = [];
  #others: readonly string[] = [];
  #dependents: readonly string[] = [];
  /** Of the dependents, those to whom rumors are not pushed. */
  #served: ReadonlySet<string> = nobody;
  /** What the dependents have not been told yet, and what others have not been told that is carried. */
  #unserved = new Context();
  #carried = new Context();
  /** A time at which a cycle ended or would have: cycles keep their phase while the node is idle. */
  #phaseMs = 0;
  #isCycling = false;
  #isCoalescing = false;

  /**
   * @param deliveries hears what peers say that they have
   * @param arrived is told what became of each message of a peer with updates
   * @param relayed how an update that came with this cause from this peer goes on; by default at once if `eager`
   */
  constructor(
    environment: Environment,
    intake: Intake,
    options: RumorOptions,
    deliveries: Deliveries,
    arrived: (from: string, arrival: Arrival) => void,
    relayed?: (cause: Updates['cause'], from: string) => Infection,
  ) {
    this.#environment = environment;
    this.#intake = intake;
    this.#options = options;
    this.#deliveries = deliveries;
    this.#arrived = arrived;
    this.#relayed = relayed ?? ((): Infection => 'relay-eager');
    this.#pushes = options.direction !== 'pull';
    this.#pulls = options.direction !== 'push';
    this.#removed = new Removed(options.ttl);
    this.#asks = new Asks(environment, intake, options);
  }

  get status(): EpidemicStatus {
    this.#promote();
    return { infective: this.#infective.count, removed: this.#removed.count, runs: this.#infective.runCount };
  }

  /** Once, before all else. */
  start(nowMs: number): void {
    this.#phaseMs = nowMs + Math.floor(this.#environment.random() * this.#options.delta);
    this.#cycle(nowMs);
  }

  /** Spreads what this node has just come to hold. What was superseded meanwhile is left out. */
  infect(updates: UpdateList, how: Infection, nowMs: number): void {
    const dots = Batch.of(updates).dots();
    if (how === 'relay-later') return this.#defer(dots, nowMs);
    this.#infect(this.#current(dots), how, nowMs);
    if (!this.#isCoalescing) this.#lead(nowMs);
  }

  /** Spreads an update no more. */
  withdraw(update: Update): void {
    this.#infective.remove(update.origin, update.sequence);
    if (this.#unsent.has(update.origin, update.sequence)) this.#unsent.remove(update.origin, update.sequence);
  }

  /** Takes dots that are not infective as removed now. */
  retire(dots: Dots, nowMs: number): void {
    this.#removed.add(this.#infective.lacking(dots), nowMs);
  }

  /** Forgets the SIR state of what was removed `ttl` ago. @returns those dots, none of them infective */
  collect(nowMs: number): Dots {
    return this.#infective.lacking(this.#removed.takeOld(nowMs));
  }

  /** Takes the messages of the batch that are about rumors, and leaves the others. */
  receive(batch: readonly Received[], nowMs: number): void {
    if (batch.every(({ message }) => message.type === 'updates' && message.cause === 'mail')) {
      for (const { from, message } of batch) this.#mailed(from, (message as Updates).updates, nowMs);
      this.#asks.proceed(nowMs);
      return;
    }
    // Told before anything of the batch is taken up: whoever pulls now gets the rumors of before.
    for (const { from, message } of batch) if (message.type === 'pull') this.#tellAll(from, nowMs);
    const heard: Heard[] = [];
    for (const { from, message } of batch) {
      if (message.type !== 'updates' && message.type !== 'announce') continue;
      if (message.type === 'updates' && message.cause === 'mail') continue;
      const dots = message.type === 'updates' ? Batch.of(message.updates).dots() : message.dots;
      // Whoever tells this node of its own write has been told it, beside the pushes: it goes by its dot from now on.
      if (!this.#unsent.isEmpty) this.#unsent.removeAll(dots);
      heard.push({ from, message, dots, lacked: this.#asks.lacked(dots) });
    }
    for (const { from, message } of batch)
      if (message.type === 'updates' && message.cause === 'mail') this.#mailed(from, message.updates, nowMs);
    let news: Context | null = null;
    for (const { from, message, dots, lacked } of heard) {
      if (message.type !== 'updates') continue;
      news ??= new Context();
      this.#updates(from, message, { dots, lacked, news }, nowMs);
    }
    // Announced dots after the updates: what one brings need not be asked for.
    for (const { from, message, dots, lacked } of heard) {
      if (message.type !== 'announce') continue;
      this.#asks.announced(from, lacked, message.pulled, nowMs);
      this.#answerPush(from, without(dots, lacked), lacked);
    }
    let reporters: Set<string> | null = null;
    let answered: Map<string, number> | null = null;
    for (const { from, message } of batch) {
      if (message.type === 'feedback') this.#feedback(from, message, (reporters ??= new Set<string>()), nowMs);
      else if (message.type === 'ask') {
        answered ??= new Map<string, number>();
        answered.set(from, answer(this.#environment, from, message.dots, answered.get(from)));
      } else if (message.type === 'gone') this.#asks.gone(from, message.dots);
    }
    this.#asks.proceed(nowMs);
    this.#flush(nowMs, reporters ?? nobody);
  }

  /** Announces own writes that no peer is known to have: whoever has them says so, and whoever lacks them asks for them. */
  confirm(nowMs: number): void {
    const missing = this.#deliveries.missing();
    if (this.#peers.length === 0 || missing.length === 0) return;
    const held = dotsOf(heldAmong(this.#environment.replica.store, missing));
    this.#unsent.removeAll(held);
    for (const frame of dotFrames(held))
      this.#environment.effects.send(this.#peers, { type: 'announce', dots: frame, pulled: false });
    this.#cycle(nowMs);
  }

  /** A peer has withheld these, and they are refused here: its answer, if they were asked for. */
  withheld(from: string, dots: Dots, nowMs: number): void {
    this.#asks.answered(from, dots, nowMs);
    this.#asks.proceed(nowMs);
  }

  /** Does what has become due. To be called after the intake was given a verdict. */
  proceed(nowMs: number): void {
    this.#asks.proceed(nowMs);
    this.#flush(nowMs, nobody);
  }

  /** @returns whether the timer is one of the engine's */
  tick(timer: string, nowMs: number): boolean {
    if (timer === CYCLE) this.#endCycle(nowMs);
    else if (timer === COALESCE) this.#lead(nowMs);
    else return this.#asks.tick(timer, nowMs);
    return true;
  }

  /** @param gone whose connection is over, though they may be among `names` with another */
  peersChanged(
    { names, dependents, others }: Pick<Sessions, 'names' | 'dependents' | 'others'>,
    gone: readonly string[],
    nowMs: number,
  ): void {
    const former = new Set(this.#dependents);
    this.#dependents = this.#pushes ? dependents : [];
    this.#others = this.#pushes ? others : names;
    this.#peers = this.#others.length === 0 ? names : this.#others;
    this.#served = this.#others.length === 0 ? nobody : new Set(this.#dependents);
    if (names.length === 0) this.#promote();
    for (const name of gone) {
      this.#deliveries.forget(name);
      this.#inFlight.delete(name);
      this.#owed.delete(name);
      this.#pulled.delete(name);
      this.#asks.peerGone(name);
      former.delete(name);
    }
    for (const name of this.#dependents) if (!former.has(name)) this.#tellAll(name, nowMs);
    this.#cycle(nowMs);
    this.proceed(nowMs);
  }

  /** Takes direct mail. Nobody waits for feedback to it, so nothing has to be known of its dots but whose they are. */
  #mailed(from: string, given: UpdateList, nowMs: number): void {
    const updates = Batch.of(given);
    let origin: Origin | null = null;
    for (const other of updates.origins) {
      if (other === origin) continue;
      origin = other;
      this.#asks.mailed(origin, nowMs);
    }
    this.#intake.receive(updates, nowMs, (arrival, at) => {
      const { news, kept } = arrival;
      this.#arrived(from, arrival);
      this.infect(kept, this.#relayed('mail', from), at);
      if (kept.length < news.length) this.retire(without(news.dots(), kept.dots()), at);
    });
  }

  /** Leaves updates for the next cycle. */
  #defer(dots: Dots, nowMs: number): void {
    if (dots.length === 0) return;
    if (this.#peers.length === 0) {
      // No cycle will end: what waited would keep what is superseded meanwhile.
      this.#infective.add(this.#current(dots));
      return;
    }
    this.#later.push(dots);
    this.#cycle(nowMs);
  }

  /** Makes infective what has waited, and is still there to be seen. */
  #promote(): void {
    if (this.#later.length === 0) return;
    const { store } = this.#environment.replica;
    for (const dots of this.#later) this.#infective.add(store.spreadable(dots));
    this.#later = [];
  }

  /**
   * Those of these dots that the store still holds: an update that came with what supersedes it is no rumor, nor is one that a
   * handler has hidden since.
   */
  #current(dots: Dots): Dots {
    return this.#environment.replica.store.spreadable(dots);
  }

  #infect(dots: Dots, how: Infection, nowMs: number): void {
    if (dots.length === 0) return;
    this.#infective.add(dots);
    if (this.#pushes && how === 'write') this.#unsent.addAll(dots);
    if (how === 'carry') this.#carried.addAll(dots);
    else if (this.#options.eager && how !== 'relay-served') this.#first.addAll(dots);
    if (this.#dependents.length > 0) this.#unserved.addAll(dots);
    this.#cycle(nowMs);
  }

  #updates(from: string, { cause, updates }: Updates, { dots, lacked, news }: Judged, nowMs: number): void {
    if (cause === 'answer') this.#asks.answered(from, dots, nowMs);
    this.#intake.receive(updates, nowMs, (arrival, at) => {
      const { kept } = arrival;
      this.#arrived(from, arrival);
      const current = this.#current(kept.dots());
      this.#infect(current, this.#relayed(cause, from), at);
      news.addAll(current);
      // What is stored and not kept is hidden or expired: no rumor, and as good as removed.
      if (kept.length < updates.length)
        this.retire(this.#environment.replica.context.common(without(lacked, current)), at);
      if (cause === 'push') this.#answerPush(from, without(dots, lacked), news.common(lacked));
    });
  }

  /** Tells a pusher what was known here and what was not; nothing, if there is nothing to tell. */
  #answerPush(to: string, known: Dots, news: Dots): void {
    if (this.#options.blind || (known.length === 0 && news.length === 0)) return;
    const untaken = this.#environment.replica.context.lacking(known);
    this.#environment.effects.send(
      to,
      untaken.length === 0 ? { type: 'feedback', known, news } : { type: 'feedback', known, news, untaken },
    );
  }

  #feedback(from: string, { known, news, untaken = [] }: Feedback, reporters: Set<string>, nowMs: number): void {
    if (this.#options.blind) return;
    this.#land(from, countDots(known) + countDots(news));
    // Of what was announced, `news` says that it is lacked, and will be asked for.
    this.#deliveries.told(from, without(known, untaken));
    const pulled = this.#pulled.get(from);
    // Of those to whom nothing is pushed every answer is one to what was told beside the pushes, however late it comes.
    const isBeside = this.#options.direction === 'pull' || this.#served.has(from);
    const pulledKnown = isBeside ? known : (pulled?.common(known) ?? []);
    const pulledNews = isBeside ? news : (pulled?.common(news) ?? []);
    pulled?.removeAll(pulledKnown);
    pulled?.removeAll(pulledNews);
    this.#pulledKnown.addAll(pulledKnown);
    this.#pulledNews.addAll(pulledNews);
    const pushedNews = without(news, pulledNews);
    this.#useless(without(known, pulledKnown), 1, nowMs);
    this.#useful(pushedNews);
    const again = this.#options.eager ? this.#infective.common(pushedNews) : [];
    if (again.length === 0) return;
    this.#again.addAll(again);
    reporters.add(from);
  }

  /**
   * Answers a pull, or a dependent that has arrived, by what is infective here. A pull of a few bytes may be answered by
   * thousands of runs: what is too much is left unanswered, as if it had been lost.
   */
  #tellAll(to: string, nowMs: number): void {
    this.#promote();
    if (!this.#effort.take(to, this.#infective.runCount, nowMs)) return;
    this.#announce([to], this.#infective.dots(), nowMs);
  }

  /** Tells the dependents what they have not been told, and others what is carried for a dependent. */
  #serve(nowMs: number): void {
    if (!this.#unserved.isEmpty) {
      const dots = this.#infective.common(this.#unserved.dots());
      this.#unserved = new Context();
      this.#announce(this.#dependents, dots, nowMs);
    }
    if (this.#carried.isEmpty) return;
    const dots = this.#infective.common(this.#carried.dots());
    this.#carried = new Context();
    this.#announce(this.#others, dots, nowMs);
  }

  /** Tells these peers beside the pushes. */
  #announce(to: readonly string[], dots: Dots, nowMs: number): void {
    if (dots.length === 0 || to.length === 0) return;
    for (const frame of dotFrames(dots))
      this.#environment.effects.send(to, { type: 'announce', dots: frame, pulled: true });
    if (this.#options.blind) {
      this.#useless(dots, 1, nowMs);
      return;
    }
    for (const peer of to) {
      const pulled = this.#pulled.get(peer) ?? new Context();
      pulled.addAll(dots);
      this.#pulled.set(peer, pulled);
    }
  }

  /** Counts so many useless pushes of these dots. */
  #useless(dots: Dots, pushes: number, nowMs: number): void {
    if (dots.length === 0) return;
    this.#removed.add(
      this.#infective.change(dots, (counter) => this.#countUp(counter, pushes)),
      nowMs,
    );
  }

  /** @returns `undefined` when interest is lost */
  #countUp(counter: number, pushes: number): number | undefined {
    const { removal, rounds } = this.#options;
    if (removal !== 'coin') return counter + pushes < rounds ? counter + pushes : undefined;
    // One toss for a run, which is one rumor as far as anybody can tell: every dot has the same chance.
    for (let i = 0; i < pushes; i++) if (this.#environment.random() * rounds < 1) return undefined;
    return counter;
  }

  #useful(dots: Dots): void {
    if (dots.length > 0 && this.#options.removal === 'reset-counter') this.#infective.change(dots, () => 0);
  }

  /** The paper's footnote on pull: per cycle, useful if anybody needed it, else one useless push. */
  #countPulled(nowMs: number): void {
    if (this.#pulled.size > 0) this.#pulled.clear();
    if (this.#pulledKnown.isEmpty && this.#pulledNews.isEmpty) return;
    const news = this.#pulledNews.dots();
    this.#useful(news);
    this.#useless(without(this.#pulledKnown.dots(), news), 1, nowMs);
    this.#pulledKnown = new Context();
    this.#pulledNews = new Context();
  }

  /** Starts the next cycle, unless nothing would happen in it: idle nodes do not wake up. */
  #cycle(nowMs: number): void {
    if (
      this.#isCycling ||
      this.#peers.length === 0 ||
      (!this.#pulls && this.#infective.isEmpty && this.#later.length === 0)
    )
      return;
    this.#isCycling = true;
    const { delta } = this.#options;
    const elapsedMs = (((nowMs - this.#phaseMs) % delta) + delta) % delta;
    this.#environment.effects.setTimer(CYCLE, delta - elapsedMs);
  }

  #endCycle(nowMs: number): void {
    this.#isCycling = false;
    this.#phaseMs = nowMs;
    // To clear what is empty costs as much as to make it anew.
    if (this.#inFlight.size > 0) this.#inFlight.clear();
    if (this.#owed.size > 0) this.#owed.clear();
    this.#promote();
    this.#countPulled(nowMs);
    this.#serve(nowMs);
    if (this.#peers.length > 0) {
      if (!this.#first.isEmpty) this.#first = new Context();
      if (!this.#again.isEmpty) this.#again = new Context();
      const partners = this.#partners(this.#peers);
      if (this.#pulls) this.#environment.effects.send(partners, { type: 'pull' });
      if (this.#pushes) this.#push(partners, this.#infective.dots(), nowMs);
    }
    this.#cycle(nowMs);
  }

  #partners(among: readonly string[]): string[] {
    const { level } = this.#options;
    return sample(this.#environment.random, among, level === 0 ? among.length : level);
  }

  /** The first push of a while leaves at once; what follows within a millisecond leaves together. */
  #lead(nowMs: number): void {
    this.#isCoalescing = this.#flush(nowMs, nobody);
    if (this.#isCoalescing) this.#environment.effects.setTimer(COALESCE, COALESCE_MS);
  }

  /**
   * Pushes what is due to peers with nothing in flight: rather to others than to `reporters`, who have just said that
   * they have it, and never to a single reporter again what only it has reported.
   * @returns whether anything was pushed
   */
  #flush(nowMs: number, reporters: ReadonlySet<string>): boolean {
    if (this.#owed.size > 0) this.#payOwed(nowMs);
    if (this.#options.eager) this.#serve(nowMs);
    if (this.#first.isEmpty && this.#again.isEmpty) return false;
    const free = this.#inFlight.size === 0 ? this.#peers : this.#peers.filter((peer) => !this.#inFlight.has(peer));
    const others = reporters.size === 0 ? free : free.filter((peer) => !reporters.has(peer));
    if (others.length > 0 || reporters.size > 1) {
      if (free.length === 0) return false;
      if (!this.#again.isEmpty) {
        this.#first.addAll(this.#again.dots());
        this.#again = new Context();
      }
    }
    const to = others.length > 0 ? others : free;
    if (to.length === 0) return false;
    const due = this.#infective.common(this.#first.dots());
    this.#first = new Context();
    const partners = this.#partners(to);
    this.#owe(due, partners.length);
    this.#push(partners, due, nowMs);
    return due.length > 0;
  }

  /** What fewer than `level` free peers are pushed rides with the next push to as many busy ones. */
  #owe(dots: Dots, pushed: number): void {
    if (dots.length === 0) return;
    const { level } = this.#options;
    const wanted = (level === 0 ? this.#peers.length : Math.min(level, this.#peers.length)) - pushed;
    if (wanted <= 0) return;
    const busy = this.#peers.filter((peer) => this.#inFlight.has(peer));
    for (const peer of sample(this.#environment.random, busy, wanted)) {
      const owed = this.#owed.get(peer) ?? new Context();
      owed.addAll(dots);
      this.#owed.set(peer, owed);
    }
  }

  #payOwed(nowMs: number): void {
    for (const [peer, owed] of this.#owed) {
      if (this.#inFlight.has(peer)) continue;
      this.#owed.delete(peer);
      this.#push([peer], this.#infective.common(owed.dots()), nowMs);
    }
  }

  #push(to: readonly string[], dots: Dots, nowMs: number): void {
    if (dots.length === 0) return;
    const { effects, replica } = this.#environment;
    const unsent = this.#unsent.common(dots);
    if (unsent.length > 0) {
      this.#unsent.removeAll(unsent);
      for (const updates of inBatches(heldAmong(replica.store, unsent)))
        effects.send(to, { type: 'updates', cause: 'push', updates });
    }
    for (const frame of dotFrames(without(dots, unsent)))
      effects.send(to, { type: 'announce', dots: frame, pulled: false });
    if (this.#options.blind) {
      this.#useless(dots, to.length, nowMs);
      return;
    }
    const count = countDots(dots);
    for (const peer of to) this.#inFlight.set(peer, (this.#inFlight.get(peer) ?? 0) + count);
  }

  /** So many dots of what is in flight to a peer have feedback. */
  #land(peer: string, count: number): void {
    const left = (this.#inFlight.get(peer) ?? 0) - count;
    if (left > 0) this.#inFlight.set(peer, left);
    else this.#inFlight.delete(peer);
  }
}

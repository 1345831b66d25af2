/**
 * Hybrid gossip, the default: direct mail for speed, rumors for reach, anti-entropy as the net that makes it certain.
 *
 * Invariants
 *  1. In a view no larger than `mail`, a write crosses the network once per node, with its value, and after that as dots.
 *  2. Feedback is asked for by rumors alone: mail starts no push and moves no counter.
 *  3. Entropy leaves alone what came in during the last two cycles: mail or rumor may still bring it (ADR 7).
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, sections 1.2 to 1.5.
 */

import type { UpdateList } from '../batch.ts';
import { Journal } from '../context.ts';
import { Intake } from '../intake.ts';
import { throwViolations, type Violation } from '../options.ts';
import type { Environment, Machine, Peer, Protocol, Received } from '../protocol.ts';
import type { Verdict } from '../replica/verdict.ts';
import { forgottenTombstones, isExchangeMessage, patienceMs } from './entropy.ts';
import { Ahead, isAboutStamps } from './ahead.ts';
import { Deliveries } from './deliveries.ts';
import { Epidemic, type EpidemicStatus } from './epidemic.ts';
import { Exchange } from './exchange.ts';
import { Expiry } from './expiry.ts';
import { fitted } from './fitting.ts';
import { type HybridOptions, type ResolvedHybrid, resolveHybrid } from './hybrid-options.ts';
import { Mail } from './mail.ts';
import { CYCLE, Pace } from './pace.ts';
import { isRumorMessage } from './rumor.ts';
import { Sessions } from './sessions.ts';
import { Turn } from './turn.ts';

/** While news keeps coming in, one cycle of so many compares. */
const BUSY_CYCLES = 4;

/**
 * Mail, rumors and anti-entropy together.
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function hybrid(options: HybridOptions = {}): Protocol {
  const violations: Violation[] = [];
  const resolved = resolveHybrid(options, violations);
  throwViolations(violations);
  return {
    name: 'hybrid',
    gcMs: resolved.gc,
    accepts: (message) => isExchangeMessage(message) || isRumorMessage(message),
    violations: (node) => forgottenTombstones('tombstoneTtl', resolved.entropy, node),
    create: (environment) => new HybridMachine(environment, resolved),
  };
}

class HybridMachine implements Machine {
  readonly #environment: Environment;
  readonly #options: ResolvedHybrid;
  readonly #intake: Intake;
  readonly #sessions: Sessions;
  readonly #expiry: Expiry;
  readonly #pace: Pace;
  readonly #mail: Mail;
  readonly #epidemic: Epidemic;
  readonly #deliveries: Deliveries;
  readonly #exchange: Exchange;
  readonly #turn: Turn;
  readonly #ahead: Ahead;
  /** What came in during this cycle, and during the one before. */
  #recent: readonly [Journal, Journal] = [new Journal(), new Journal()];

  #cyclesBusy = 0;
  /** There is no time left for another way: what is young is sent too. */
  #isLeaving = false;

  constructor(given: Environment, options: ResolvedHybrid) {
    const { mail, rumor, entropy } = options;
    this.#sessions = new Sessions(given);
    const frameBytesOf = (name: string): number => this.#sessions.frameBytesOf(name);
    const environment = fitted(given, frameBytesOf);
    this.#environment = environment;
    this.#options = options;
    this.#intake = new Intake(environment);
    this.#expiry = new Expiry(environment);
    this.#pace = new Pace(environment, entropy.delta);
    this.#deliveries = new Deliveries(environment.replica);
    this.#mail = new Mail(environment, {
      mail,
      posted: (updates, toEverybody, nowMs) =>
        this.#epidemic.infect(updates, toEverybody ? 'relay-later' : 'relay-eager', nowMs),
    });
    this.#epidemic = new Epidemic(
      environment,
      this.#intake,
      rumor,
      this.#deliveries,
      (from, arrival) => this.#exchange.tellRefused(from, arrival),
      (cause, from) => {
        if (cause !== 'mail') return 'relay-eager';
        const { reachesAll, names, dependents } = this.#sessions;
        const isSmall = reachesAll && names.length <= mail;
        // A peer that only dials mails to those whom it has dialled: never to others of its kind, and to all else where few are there.
        if (dependents.includes(from)) return isSmall ? 'relay-served' : 'carry';
        return isSmall ? 'relay-later' : 'relay-eager';
      },
    );
    this.#exchange = new Exchange(
      environment,
      this.#intake,
      {
        direction: entropy.direction,
        patienceMs: patienceMs(entropy.delta),
        inView: (name) => this.#sessions.inView(name),
        frameBytesOf,
        withheld: (from, dots, nowMs) => this.#epidemic.withheld(from, dots, nowMs),
        deliveries: this.#deliveries,
        unsettled: () => this.#pace.wake(),
      },
      () => (this.#isLeaving ? [] : this.#recent),
    );
    this.#ahead = new Ahead(environment, () => this.#sessions.names);
    this.#turn = new Turn(environment, {
      ahead: this.#ahead,
      intake: this.#intake,
      exchange: this.#exchange,
      expiry: this.#expiry,
      pace: this.#pace,
    });
  }

  get backlog(): number {
    return this.#intake.backlog;
  }

  get backlogBytes(): number {
    return this.#intake.backlogBytes;
  }

  get isSynced(): boolean {
    return this.#exchange.isSynced;
  }

  undelivered(nowMs: number): number {
    return this.#deliveries.undelivered(nowMs);
  }

  confirm(nowMs: number): void {
    this.#isLeaving = true;
    this.#exchange.confirm(this.#sessions.names, nowMs);
  }

  /** For tests and the curious. */
  get status(): EpidemicStatus {
    return this.#epidemic.status;
  }

  start(nowMs: number): void {
    const { replica } = this.#environment;
    replica.withdrawn = (update) => this.#epidemic.withdraw(update);
    replica.context.journal = this.#recent[0];
    replica.setAlone(true);
    this.#pace.start();
    this.#epidemic.start(nowMs);
    this.#expiry.schedule(nowMs);
  }

  add(updates: UpdateList, nowMs: number): void {
    if (this.#options.mail === 0) this.#epidemic.infect(updates, 'write', nowMs);
    else this.#mail.add(updates, this.#sessions, nowMs);
    this.#turn.settle(nowMs);
  }

  receive(batch: readonly Received[], nowMs: number): void {
    this.#turn.wake(nowMs);
    const rumors = batch.filter(({ message }) => isRumorMessage(message));
    if (rumors.length > 0) this.#epidemic.receive(rumors, nowMs);
    for (const { from, message } of batch)
      if (isAboutStamps(message)) this.#ahead.receive(from, message);
      else if (isExchangeMessage(message)) this.#exchange.receive(from, message, nowMs);
    this.#turn.settle(nowMs);
  }

  judged(offer: number, verdict: Verdict, nowMs: number): void {
    this.#intake.judged(offer, verdict, nowMs);
    this.#epidemic.proceed(nowMs);
    this.#turn.settle(nowMs);
  }

  tick(timer: string, nowMs: number): void {
    this.#turn.wake(nowMs);
    if (timer === CYCLE) return this.#cycle(nowMs);
    if (timer === 'expiry') this.#expiry.tick(nowMs);
    else if (timer === 'mail') this.#mail.tick(this.#sessions, nowMs);
    else this.#epidemic.tick(timer, nowMs);
    this.#pace.stir();
  }

  collect(nowMs: number): void {
    const { replica } = this.#environment;
    const { rumor, entropy } = this.#options;
    this.#turn.wake(nowMs);
    replica.expire(nowMs);
    if (entropy.gc !== false) replica.collectTombstones(entropy.tombstoneTtl, nowMs);
    if (rumor.gc !== false) this.#epidemic.collect(nowMs);
    replica.forgetOrigins((name) => this.#sessions.inView(name), nowMs);
    this.#exchange.makeRoom(nowMs);
    this.#release(nowMs);
    this.#turn.settle(nowMs);
  }

  /** Receives anew what was held back until now. */
  #release(nowMs: number): void {
    const due = this.#environment.replica.release(nowMs);
    if (due.length === 0) return;
    this.#intake.receive(due, nowMs, ({ kept }, storedMs) => this.#epidemic.infect(kept, 'relay-eager', storedMs));
    this.#epidemic.proceed(nowMs);
    this.#expiry.schedule(nowMs);
  }

  viewChanged(names: ReadonlySet<string>, beyond: number): void {
    this.#sessions.view(names, beyond);
  }

  peersChanged(peers: readonly Peer[], nowMs: number): void {
    this.#pace.wake();
    const { arrived, gone } = this.#sessions.change(peers);
    this.#environment.replica.setAlone(peers.length === 0);
    this.#exchange.change(arrived, gone);
    this.#ahead.arrived(arrived);
    this.#epidemic.peersChanged(this.#sessions, gone, nowMs);
    this.#exchange.begin(
      arrived.filter((name) => this.#environment.self < name),
      nowMs,
    );
  }

  /**
   * Compares, unless news has come in during the cycle that ends: then replicas differ for certain, by what is on its way.
   * While news keeps coming, every fourth cycle compares even so.
   */
  #cycle(nowMs: number): void {
    // Garbage may never be collected.
    this.#release(nowMs);
    const { replica } = this.#environment;
    const isBusy = !this.#recent[0].isEmpty && this.#cyclesBusy < BUSY_CYCLES - 1;
    this.#cyclesBusy = isBusy ? this.#cyclesBusy + 1 : 0;
    this.#recent = [new Journal(), this.#recent[0]];
    replica.context.journal = this.#recent[0];
    this.#pace.next(!isBusy && this.#exchange.cycle(this.#sessions.names, this.#options.entropy.level, nowMs));
  }
}

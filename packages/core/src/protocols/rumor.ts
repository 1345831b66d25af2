/**
 * Rumor mongering: keep telling others until too many already knew.
 *
 * Invariants
 *  1. A removed rumor is kept for `ttl` and then forgotten, its update with it; an infective one never is. Its dot stays
 *     known, so that it is no news again.
 *  2. What readers here do not see is no rumor, and is forgotten `ttl` after it came or was hidden.
 *  3. Of what is refused, only what is too large for ever is told to who sent it, so that its log says so too.
 *  4. Gaps of the context older than `ttl` close: nothing will ever fill them (docs/algorithm.md, rule 7).
 *
 * It is what the original does, and stays it: delivery is very probable, not certain, and who joins late does not get
 * removed rumors. An instance that is restarted after a crash has lost which rumors were infective; it goes on with the
 * own writes that it had not been given yet, and leaves the others to those who have them too.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4.
 */

import type { UpdateList } from '../batch.ts';
import type { Update } from '../update.ts';
import { Context, type Dots } from '../context.ts';
import { Intake } from '../intake.ts';
import type { Message, RumorMessage, Withheld } from '../messages.ts';
import { throwViolations, type Violation } from '../options.ts';
import type { Environment, Machine, Peer, Protocol, Received } from '../protocol.ts';
import type { Verdict } from '../replica/verdict.ts';
import { Ahead, isAboutStamps } from './ahead.ts';
import { Deliveries } from './deliveries.ts';
import { Epidemic, type EpidemicStatus } from './epidemic.ts';
import { refuseWithheld, sayRefused, TooLargeThere } from './exchange/refusing.ts';
import { Expiry } from './expiry.ts';
import { fitted } from './fitting.ts';
import { Gaps } from './gaps.ts';
import { resolveRumor, type RumorOptions } from './rumor-options.ts';
import { Sessions } from './sessions.ts';

/**
 * Rumor mongering as a protocol of its own.
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function rumor(options: Partial<RumorOptions> = {}): Protocol {
  const violations: Violation[] = [];
  const resolved = resolveRumor('', options, violations);
  throwViolations(violations);
  return {
    name: 'rumor',
    gcMs: resolved.gc,
    accepts: (message) =>
      isRumorMessage(message) || message.type === 'refused' || message.type === 'withheld' || isAboutStamps(message),
    create: (environment) => new RumorMachine(environment, resolved),
  };
}

const STAMPS = 'stamps';
const STAMPS_MS = 1000;

const rumorTypes: ReadonlySet<string> = new Set<RumorMessage['type']>([
  'updates',
  'announce',
  'feedback',
  'ask',
  'gone',
  'pull',
]);

export function isRumorMessage(message: Message): message is RumorMessage {
  return rumorTypes.has(message.type);
}

/** The states of a machine's rumors, for tests and the simulator; `undefined`: its protocol has none. */
export function epidemicStatus(machine: Machine): EpidemicStatus | undefined {
  return 'status' in machine ? (machine as { readonly status: EpidemicStatus }).status : undefined;
}

class RumorMachine implements Machine {
  readonly #environment: Environment;
  readonly #intake: Intake;
  /** Left out where peers are blind: nobody answers a push, so nobody can be known to have it. */
  readonly undelivered?: (nowMs: number) => number;
  readonly confirm?: (nowMs: number) => void;
  readonly #deliveries: Deliveries;
  readonly #epidemic: Epidemic;
  readonly #expiry: Expiry;
  readonly #sessions: Sessions;
  readonly #gaps: Gaps;
  readonly #tooLargeThere: TooLargeThere;
  readonly #ahead: Ahead;
  /** Whether garbage is never collected: then a timer looks after what bears a wrong time. */
  readonly #isUncollected: boolean;
  #isWatching = false;
  /** Stored, and no rumor: they were hidden, have expired, or are from before a restart. Retired with the next garbage. */
  #stale = new Context();

  constructor(given: Environment, options: RumorOptions) {
    this.#sessions = new Sessions(given);
    const frameBytesOf = (name: string): number => this.#sessions.frameBytesOf(name);
    const environment = fitted(given, frameBytesOf);
    this.#environment = environment;
    this.#intake = new Intake(environment);
    this.#deliveries = new Deliveries(environment.replica);
    this.#ahead = new Ahead(environment, () => this.#sessions.names);
    this.#epidemic = new Epidemic(environment, this.#intake, options, this.#deliveries, (from, { tooLarge }) =>
      sayRefused(environment.effects, from, tooLarge, []),
    );
    this.#tooLargeThere = new TooLargeThere(environment, frameBytesOf);
    this.#expiry = new Expiry(environment);
    this.#gaps = new Gaps(environment.replica, options.ttl);
    this.#isUncollected = options.gc === false;
    if (options.blind) return;
    this.undelivered = (nowMs) => this.#deliveries.undelivered(nowMs);
    this.confirm = (nowMs) => this.#epidemic.confirm(nowMs);
  }

  get backlog(): number {
    return this.#intake.backlog;
  }

  get backlogBytes(): number {
    return this.#intake.backlogBytes;
  }

  /** For tests and the simulator. */
  get status(): EpidemicStatus {
    return this.#epidemic.status;
  }

  start(nowMs: number): void {
    const { replica } = this.#environment;
    for (const { origin, sequence } of replica.store) this.#stale.add(origin, sequence);
    replica.withdrawn = (update): void => this.#withdraw(update);
    this.#epidemic.start(nowMs);
    this.#expiry.schedule(nowMs);
  }

  add(updates: UpdateList, nowMs: number): void {
    this.#epidemic.infect(updates, 'write', nowMs);
    this.#expiry.schedule(nowMs);
  }

  receive(batch: readonly Received[], nowMs: number): void {
    this.#epidemic.receive(batch, nowMs);
    for (const { from, message } of batch)
      if (message.type === 'refused') this.#tooLargeThere.heard(from, message);
      else if (message.type === 'withheld') this.#withheld(from, message, nowMs);
      else if (isAboutStamps(message)) this.#ahead.receive(from, message);
    this.#ahead.tellWriters();
    this.#watchStamps();
    this.#expiry.schedule(nowMs);
  }

  #withheld(from: string, message: Withheld, nowMs: number): void {
    const refused = refuseWithheld(this.#environment, this.#intake, message);
    sayRefused(this.#environment.effects, from, refused, []);
    this.#epidemic.withheld(from, refused, nowMs);
  }

  judged(offer: number, verdict: Verdict, nowMs: number): void {
    this.#intake.judged(offer, verdict, nowMs);
    this.#epidemic.proceed(nowMs);
    this.#expiry.schedule(nowMs);
  }

  tick(timer: string, nowMs: number): void {
    if (timer === 'expiry') this.#expiry.tick(nowMs);
    else if (timer === STAMPS) this.#lookAtStamps(nowMs);
    else this.#epidemic.tick(timer, nowMs);
  }

  collect(nowMs: number): void {
    const { replica } = this.#environment;
    this.#lookAtStamps(nowMs);
    replica.expire(nowMs);
    this.#forget(this.#epidemic.collect(nowMs));
    this.#epidemic.retire(this.#stale.dots(), nowMs);
    this.#stale = new Context();
    this.#gaps.close(this.#intake.pending, nowMs);
    replica.forgetOrigins((name) => this.#sessions.inView(name), nowMs);
    // What is announced again may then be asked for.
    replica.lift(nowMs);
  }

  /** Writes own updates again that are stamped too far ahead, and receives anew what was held back until now. */
  #lookAtStamps(nowMs: number): void {
    const { replica } = this.#environment;
    this.#isWatching = false;
    this.#ahead.look(nowMs);
    const due = replica.release(nowMs);
    this.#watchStamps();
    if (due.length === 0) return;
    this.#intake.receive(due, nowMs, ({ kept }, at) => this.#epidemic.infect(kept, 'relay-eager', at));
    this.#expiry.schedule(nowMs);
  }

  /** Where no collection looks after stamps, a timer does while something is held back, here or of this node elsewhere. */
  #watchStamps(): void {
    const { replica, effects } = this.#environment;
    if (!this.#isUncollected || this.#isWatching || (!replica.isHoldingBack && replica.heldThere.isEmpty)) return;
    this.#isWatching = true;
    effects.setTimer(STAMPS, STAMPS_MS);
  }

  viewChanged(names: ReadonlySet<string>, beyond: number): void {
    this.#sessions.view(names, beyond);
  }

  peersChanged(peers: readonly Peer[], nowMs: number): void {
    const { arrived, gone } = this.#sessions.change(peers);
    this.#ahead.arrived(arrived);
    this.#epidemic.peersChanged(this.#sessions, gone, nowMs);
  }

  #withdraw(update: Update): void {
    this.#epidemic.withdraw(update);
    // Still there: hidden, or a tombstone now by its expiry. Superseded ones are not.
    if (this.#environment.replica.store.byDot(update.origin, update.sequence) !== undefined)
      this.#stale.add(update.origin, update.sequence);
  }

  #forget(dots: Dots): void {
    const { replica } = this.#environment;
    for (const update of replica.store.byDots(dots)) replica.drop(update);
  }
}

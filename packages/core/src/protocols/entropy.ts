/**
 * Anti-entropy: in every cycle compare with a few others, and mend what differs.
 *
 * The original pushes its whole state to everybody in every cycle. Ours sends some tens of bytes to `level` peers, and
 * more only where the hashes differ: the exchange of exchange.ts.
 *
 * Invariants
 *  1. What is written here leaves with an exchange, never by itself.
 *  2. A new connection starts with an exchange at once, begun by the peer of the lower name.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.3.
 */

import type { UpdateList } from '../batch.ts';
import type { Direction, ExchangeMessage, Message } from '../messages.ts';
import {
  fillOptions,
  oneOf,
  type OptionRules,
  orFalse,
  throwViolations,
  type Violation,
  wholeNumber,
} from '../options.ts';
import { Intake } from '../intake.ts';
import type { Environment, Machine, NodeLimits, Peer, Protocol, Received } from '../protocol.ts';
import type { Verdict } from '../replica/verdict.ts';
import { Ahead, isAboutStamps } from './ahead.ts';
import { Deliveries } from './deliveries.ts';
import { Exchange } from './exchange.ts';
import { Expiry } from './expiry.ts';
import { fitted } from './fitting.ts';
import { CYCLE, Pace } from './pace.ts';
import { Sessions } from './sessions.ts';
import { Turn } from './turn.ts';

export interface EntropyOptions {
  /**
   * One cycle, in milliseconds. Shorter spreads sooner and costs more messages while idle; the exchange itself costs
   * what differs, however long the cycle.
   * @default 500
   */
  readonly delta: number;
  /** How many peers each cycle compares with; 0: all. More converges sooner, for as many times the idle cost. @default 1 */
  readonly level: number;
  /**
   * Which way an exchange that this node begins goes: `push` gives, `pull` takes, `push-pull` does both.
   * @default 'push-pull'
   */
  readonly direction: Direction;
  /** Milliseconds between two collections of garbage; `false`: none. @default 1000 */
  readonly gc: number | false;
  /**
   * How long a tombstone is kept from its arrival here, in milliseconds. While it is kept, an older write that the
   * remover had not seen loses; what it had seen never comes back, however short this is. At most the node's
   * `forgetAfter`: by then others have forgotten whose it was, and would differ from who still keeps it.
   * @default 3600000
   */
  readonly tombstoneTtl: number;
}

export const entropyRules: OptionRules<EntropyOptions> = {
  delta: { check: wholeNumber('milliseconds', 1, 2 ** 31 - 1), default: 500 },
  level: { check: wholeNumber('peers', 0), default: 1 },
  direction: { check: oneOf('push', 'pull', 'push-pull'), default: 'push-pull' },
  gc: { check: orFalse(wholeNumber('milliseconds', 1, 2 ** 31 - 1)), default: 1000 },
  tombstoneTtl: { check: wholeNumber('milliseconds', 0), default: 3600000 },
};

/** @returns the options, complete; violations are appended to `violations`, each under `path` */
export function resolveEntropy(
  path: string,
  given: Readonly<Partial<EntropyOptions>>,
  violations: Violation[],
): EntropyOptions {
  return fillOptions(path, given, entropyRules, violations);
}

/** What of resolved options cannot be on a node that forgets so soon. @param path of `tombstoneTtl` */
export function forgottenTombstones(
  path: string,
  { tombstoneTtl }: EntropyOptions,
  { forgetAfterMs }: NodeLimits,
): Violation[] {
  if (tombstoneTtl <= forgetAfterMs) return [];
  const problem = `must be at most the node's forgetAfter (${forgetAfterMs}), not ${tombstoneTtl}: a tombstone that outlives what is known of its writer keeps replicas unequal. Lower it, or raise forgetAfter on every node`;
  return [{ path, problem }];
}

/**
 * Anti-entropy as a protocol of its own: certain, and as slow as its cycle.
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function entropy(options: Partial<EntropyOptions> = {}): Protocol {
  const violations: Violation[] = [];
  const resolved = resolveEntropy('', options, violations);
  throwViolations(violations);
  return {
    name: 'entropy',
    gcMs: resolved.gc,
    accepts: isExchangeMessage,
    violations: (node) => forgottenTombstones('tombstoneTtl', resolved, node),
    create: (environment) => new EntropyMachine(environment, resolved),
  };
}

const exchangeTypes: ReadonlySet<string> = new Set<ExchangeMessage['type']>([
  'hashes',
  'bucket-sums',
  'contexts',
  'chunk',
  'end',
  'ack',
  'live-sums',
  'live-dots',
  'refused',
  'room',
  'withheld',
  'held-back',
  'disowned',
]);

export function isExchangeMessage(message: Message): message is ExchangeMessage {
  return exchangeTypes.has(message.type);
}

/** How long an invited peer may be silent before another is invited: some cycles, and time for a busy machine. */
export function patienceMs(deltaMs: number): number {
  return Math.max(4 * deltaMs, 5000);
}

class EntropyMachine implements Machine {
  readonly #environment: Environment;
  readonly #options: EntropyOptions;
  readonly #intake: Intake;
  readonly #deliveries: Deliveries;
  readonly #exchange: Exchange;
  readonly #expiry: Expiry;
  readonly #pace: Pace;
  readonly #sessions: Sessions;
  readonly #turn: Turn;
  readonly #ahead: Ahead;

  constructor(given: Environment, options: EntropyOptions) {
    this.#sessions = new Sessions(given);
    const frameBytesOf = (name: string): number => this.#sessions.frameBytesOf(name);
    const environment = fitted(given, frameBytesOf);
    this.#environment = environment;
    this.#options = options;
    this.#intake = new Intake(environment);
    this.#deliveries = new Deliveries(environment.replica);
    this.#exchange = new Exchange(environment, this.#intake, {
      direction: options.direction,
      patienceMs: patienceMs(options.delta),
      inView: (name) => this.#sessions.inView(name),
      frameBytesOf,
      deliveries: this.#deliveries,
      unsettled: () => this.#pace.wake(),
    });
    this.#expiry = new Expiry(environment);
    this.#pace = new Pace(environment, options.delta);
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
    this.#exchange.confirm(this.#sessions.names, nowMs);
  }

  start(nowMs: number): void {
    this.#environment.replica.setAlone(true);
    this.#pace.start();
    this.#expiry.schedule(nowMs);
  }

  add(_updates: UpdateList, nowMs: number): void {
    this.#turn.settle(nowMs);
  }

  receive(batch: readonly Received[], nowMs: number): void {
    this.#turn.wake(nowMs);
    for (const { from, message } of batch)
      if (isAboutStamps(message)) this.#ahead.receive(from, message);
      else if (isExchangeMessage(message)) this.#exchange.receive(from, message, nowMs);
    this.#turn.settle(nowMs);
  }

  judged(offer: number, verdict: Verdict, nowMs: number): void {
    this.#intake.judged(offer, verdict, nowMs);
    this.#turn.settle(nowMs);
  }

  tick(timer: string, nowMs: number): void {
    this.#turn.wake(nowMs);
    if (timer === CYCLE) return this.#cycle(nowMs);
    this.#expiry.tick(nowMs);
    this.#pace.stir();
  }

  #cycle(nowMs: number): void {
    // Garbage may never be collected.
    this.#release(nowMs);
    this.#pace.next(this.#exchange.cycle(this.#sessions.names, this.#options.level, nowMs));
  }

  collect(nowMs: number): void {
    const { replica } = this.#environment;
    this.#turn.wake(nowMs);
    replica.expire(nowMs);
    replica.collectTombstones(this.#options.tombstoneTtl, nowMs);
    replica.forgetOrigins((name) => this.#sessions.inView(name), nowMs);
    this.#exchange.makeRoom(nowMs);
    this.#release(nowMs);
    this.#turn.settle(nowMs);
  }

  /** Receives anew what was held back until now. */
  #release(nowMs: number): void {
    const due = this.#environment.replica.release(nowMs);
    if (due.length === 0) return;
    this.#intake.receive(due, nowMs, () => undefined);
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
    this.#exchange.begin(
      arrived.filter((name) => this.#environment.self < name),
      nowMs,
    );
  }
}

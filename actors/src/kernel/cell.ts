/**
 * A cell: an actor's place in the tree. It has an address and a mailbox for as long as the place exists, and behind
 * them one incarnation after the other.
 *
 * Invariants
 *  1. At most one incarnation handles at most one message at a time.
 *  2. What an incarnation throws, wherever, ends that incarnation and is reported to its supervisor; it never leaves
 *     the cell. At most the message being handled is lost.
 *  3. A new incarnation starts only after its predecessor, and the subtree of that, have ended.
 *  4. A cell that stops ends its children first, last started first, and is gone from nact and from its parent before
 *     anybody hears of it.
 *
 * phases:  running ⇄ suspended → stopping → stopped, and running → stopping
 *
 * Source: Erlang/OTP, gen_server and supervisor. See docs/adr/0001-kernel-over-nact.md.
 */

import { GossipError } from '@grapevine/core';

import type { ActorSpec, Behaviour, StopReason } from './behaviour.ts';
import type { Cancel, Clock } from './clock.ts';
import { Incarnation, type Host } from './incarnation.ts';
import type { Logger } from './logger.ts';
import { Mailbox } from './mailbox.ts';
import { claimAddress, onNactStop, type Address, type Ref, type Resident } from './nact.ts';
import { putBehind, type Postbox } from './postbox.ts';
import type { RestartType } from './restart-policy.ts';
import { Supervisor, type Supervised } from './supervisor.ts';
import { awaitTurn, type TurnTaker } from './turns.ts';
import { time } from './time.ts';

/** What a whole tree shares. */
export interface Environment {
  readonly logger: Logger;
  readonly clock: Clock;
  /** From 0 up to 1, as `Math.random`. */
  readonly random: () => number;
  /** The root gave up: its tree is about to stop. */
  readonly onEscalate: (error: GossipError) => void;
}

const defaultBudgetMs = 2;
const defaultShutdownMs = 5000;

/** A deadline that does not come. */
const never = Number.POSITIVE_INFINITY;

/** The place of the poisonous message when there is none. */
const noMessage = Symbol('no message');

/** The behaviour of an actor that only supervises. */
const supervising: Behaviour<unknown> = {
  receive(_message, self) {
    self.logger.debug({ actor: self.path }, 'a message reached a supervisor that takes none');
  },
};

export class Cell implements Host, Postbox, Resident, Supervised, TurnTaker {
  readonly name: string;
  readonly environment: Environment;
  readonly history = { beganAt: 0, attempts: 0 };

  readonly #parent: Cell | undefined;
  readonly #address: Address;
  readonly #mailbox: Mailbox<unknown>;
  readonly #children = new Map<string, Cell>();
  readonly #supervisor: Supervisor;
  /** Who decides about the end of this cell: the parent's supervisor, or at the root one of its own. */
  readonly #superior: Supervisor;
  readonly #goneListeners = new Set<(reason: StopReason) => void>();
  readonly #unhook: Cancel;

  #spec: ActorSpec<unknown>;
  #phase: 'running' | 'suspended' | 'stopping' | 'stopped' = 'suspended';
  #incarnation: Incarnation | undefined;
  /** The last incarnation, while it has not yet been given its farewell. */
  #ended: Incarnation | undefined;
  #incarnations = 0;
  #queued = false;
  #overflowing = false;
  #expectations: Map<unknown, (error: GossipError) => void> | undefined;
  #retirement: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** Whether the child was spawned by its parent's incarnation, which must do so again, or belongs to the place. */
  readonly #ofIncarnation: boolean;
  /** Whether the parent's present incarnation has this child. */
  #claimed = true;

  /** @throws GossipError NACT_MISMATCH, ACTOR_NAME_TAKEN; state unchanged */
  constructor(
    parent: Cell | Ref<never>,
    spec: ActorSpec<unknown>,
    options: { readonly environment: Environment; readonly ofIncarnation: boolean },
  ) {
    this.name = spec.name;
    this.environment = options.environment;
    this.#spec = spec;
    this.#ofIncarnation = options.ofIncarnation;
    this.#mailbox = new Mailbox(spec.mailbox, (message) => this.#lost(message));
    const { clock, random } = this.environment;
    this.#supervisor = new Supervisor(
      { clock, random, family: () => [...this.#children.values()], escalate: (error) => this.#giveUp(error) },
      spec.supervision,
    );
    if (parent instanceof Cell) {
      this.#parent = parent;
      this.#superior = parent.#supervisor;
      this.#address = claimAddress(parent.ref, this, spec);
      this.#unhook = () => {};
      parent.#children.set(spec.name, this);
    } else {
      this.#parent = undefined;
      this.#superior = new Supervisor(
        { clock, random, family: () => [this], escalate: (error) => this.#escalate(error) },
        spec.supervision,
      );
      this.#address = claimAddress(parent, this, spec);
      this.#unhook = onNactStop(parent, () => void this.stop('orphaned'));
    }
    putBehind(this.ref, this);
  }

  get ref(): Ref<never> {
    return this.#address.ref;
  }

  get path(): string {
    return this.#address.path;
  }

  get restart(): RestartType {
    return this.#spec.restart ?? 'permanent';
  }

  get suspended(): boolean {
    return this.#phase === 'suspended';
  }

  get closed(): boolean {
    return this.#stopping !== undefined;
  }

  get stopped(): boolean {
    return this.#phase === 'stopped';
  }

  /** The most messages that may wait. */
  get mailboxLimit(): number {
    return this.#spec.mailbox?.limit ?? Number.POSITIVE_INFINITY;
  }

  get queued(): number {
    return this.#mailbox.size;
  }

  get dropped(): number {
    return this.#mailbox.dropped;
  }

  get restarts(): number {
    return Math.max(0, this.#incarnations - 1);
  }

  get children(): number {
    return this.#children.size;
  }

  get watchers(): number {
    return this.#goneListeners.size;
  }

  // Mail

  post(message: unknown): boolean {
    if (this.closed) return false;
    const accepted = this.#mailbox.offer(message);
    if (!this.#queued) this.#wake();
    return accepted;
  }

  /** Hears when exactly this message is lost: dropped by the bound of the mailbox, or the one that a crash cost. */
  expect(message: unknown, onLost: (error: GossipError) => void): Cancel {
    this.#expectations ??= new Map();
    this.#expectations.set(message, onLost);
    return () => this.#expectations?.delete(message);
  }

  #lost(message: unknown): void {
    if (!this.#overflowing) {
      this.#overflowing = true;
      this.environment.logger.warn({ actor: this.path, ...this.#spec.mailbox }, 'mailbox full, messages are lost');
    }
    this.#expectations?.get(message)?.(new GossipError('MAILBOX_FULL', `The mailbox of ${this.path} is full.`));
  }

  #wake(): void {
    if (this.#queued || this.#incarnation === undefined || this.#incarnation.held !== undefined) return;
    this.#queued = true;
    awaitTurn(this);
  }

  takeTurn(): void {
    const incarnation = this.#incarnation;
    const behaviour = incarnation?.behaviour;
    if (incarnation === undefined || behaviour === undefined) {
      this.#queued = false;
      return;
    }
    if (incarnation.fault !== undefined) {
      this.#queued = false;
      this.#crashed(incarnation, incarnation.fault.error, noMessage);
      return;
    }
    const mailbox = this.#mailbox;
    const endsAt = time.monotonicMs() + (this.#spec.budgetMs ?? defaultBudgetMs);
    let message: unknown = noMessage;
    try {
      while (mailbox.size > 0 && this.#incarnation === incarnation) {
        message = mailbox.take();
        const outcome: unknown = behaviour.receive(message, incarnation);
        if (isThenable(outcome)) {
          this.#hold(incarnation, outcome, message);
          return;
        }
        if (time.monotonicMs() >= endsAt) break;
      }
      message = noMessage;
      behaviour.drained?.(mailbox.size > 0);
    } catch (error) {
      this.#queued = false;
      this.#crashed(incarnation, error, message);
      return;
    }
    this.#queued = false;
    if (mailbox.size > 0) this.#wake();
    else this.#overflowing = false;
  }

  /** The drain goes on when the message is done, with a turn of its own, so that `drained` follows it in any case. */
  #hold(incarnation: Incarnation, outcome: PromiseLike<unknown>, message: unknown): void {
    this.#queued = false;
    incarnation.held = Promise.resolve(outcome).then(
      () => {
        incarnation.held = undefined;
        this.#wake();
      },
      (error: unknown) => {
        incarnation.held = undefined;
        this.#crashed(incarnation, error, message);
      },
    );
  }

  // Ends of an incarnation

  #crashed(incarnation: Incarnation, error: unknown, message: unknown): void {
    const { logger } = this.environment;
    if (message !== noMessage) {
      const lost = new GossipError('ACTOR_CRASHED', `${this.path} crashed on the message.`, { cause: error });
      this.#expectations?.get(message)?.(lost);
    }
    if (this.#incarnation !== incarnation) {
      logger.warn({ err: error, actor: this.path }, 'an actor failed after its end');
      return;
    }
    logger.error({ err: error, actor: this.path, restarts: this.restarts }, 'actor crashed');
    this.suspend();
    if (this.#supervised) this.#superior.crashed(this, error);
  }

  exited(): void {
    this.suspend();
    if (this.#supervised) this.#superior.exited(this);
  }

  faulted(): void {
    this.#wake();
  }

  /** @returns whether there is an incarnation to crash */
  injectFault(error: unknown): boolean {
    this.#incarnation?.fail(error);
    return this.#incarnation !== undefined;
  }

  /** A parent that is itself suspended or stopping ends this cell anyway, and may start it again. */
  get #supervised(): boolean {
    return this.#parent === undefined || this.#parent.#phase === 'running';
  }

  /** The supervisor of the children could not help them: it is this cell that fails now. */
  #giveUp(error: GossipError): void {
    if (this.#parent === undefined) {
      this.#escalate(error);
      return;
    }
    this.environment.logger.error({ err: error, actor: this.path }, 'supervisor gave up');
    this.suspend();
    if (this.#supervised) this.#superior.crashed(this, error);
  }

  #escalate(error: GossipError): void {
    const { logger, onEscalate } = this.environment;
    logger.error({ err: error, actor: this.path }, 'the root gave up, its tree stops');
    void this.stop('escalated');
    try {
      onEscalate(error);
    } catch (thrown) {
      logger.error({ err: thrown, actor: this.path }, 'onEscalate threw');
    }
  }

  // Lives: suspend, retire, begin, stop

  suspend(): void {
    if (this.#phase === 'running') this.#phase = 'suspended';
    if (this.#incarnation === undefined) return;
    this.#incarnation.end();
    this.#ended = this.#incarnation;
    this.#incarnation = undefined;
    this.#supervisor.cancel();
  }

  retire(reason: StopReason, deadlineAt: number = never): Promise<void> {
    return this.#stopping ?? this.#retireOnce(reason, deadlineAt);
  }

  #retireOnce(reason: StopReason, deadlineAt: number): Promise<void> {
    this.suspend();
    this.#retirement ??= this.#retire(reason, deadlineAt).finally(() => {
      this.#retirement = undefined;
    });
    return this.#retirement;
  }

  async #retire(reason: StopReason, deadlineAt: number): Promise<void> {
    // The turn in which it was decided comes to its end first.
    await Promise.resolve();
    for (const child of this.#lastStartedFirst()) {
      if (child.restart === 'temporary') await child.stop('stopped', deadlineAt);
      else await child.retire('restarting', deadlineAt);
    }
    const incarnation = this.#ended;
    this.#ended = undefined;
    if (incarnation === undefined) return;
    const shutdownMs = this.#spec.shutdownMs ?? defaultShutdownMs;
    if (incarnation.held !== undefined && !(await this.#settles(incarnation.held, shutdownMs, deadlineAt))) {
      this.environment.logger.warn({ actor: this.path }, 'the last message took too long, the actor ends without it');
    }
    if (!(await this.#settles(this.#farewell(incarnation, reason), shutdownMs, deadlineAt))) {
      this.environment.logger.warn({ actor: this.path }, 'stopped took too long, the actor ends without it');
    }
  }

  async #farewell({ behaviour }: Incarnation, reason: StopReason): Promise<void> {
    try {
      await behaviour?.stopped?.(reason);
    } catch (error) {
      this.environment.logger.error({ err: error, actor: this.path }, 'stopped failed');
    }
  }

  /** Waits for work that never rejects. @returns false when the patience or the deadline ended first */
  #settles(work: Promise<void>, patienceMs: number, deadlineAt: number): Promise<boolean> {
    const { clock } = this.environment;
    const waitMs = Math.max(0, Math.min(patienceMs, deadlineAt - clock.now()));
    return new Promise((resolve) => {
      const cancel = clock.after(waitMs, () => resolve(false), true);
      void work.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  begin(): boolean {
    this.#phase = 'running';
    this.history.beganAt = this.environment.clock.now();
    for (const child of this.#children.values()) child.#claimed = false;
    const incarnation = new Incarnation(this, this.#incarnations);
    this.#incarnations += 1;
    this.#incarnation = incarnation;
    try {
      incarnation.behaviour = this.#spec.start(incarnation) ?? supervising;
    } catch (error) {
      this.#crashed(incarnation, error, noMessage);
      return false;
    }
    // Who is moved to the end is met there once more, and is claimed by then.
    for (const child of this.#children.values()) {
      if (this.#incarnation !== incarnation) return false;
      if (!child.#claimed && !child.closed) this.#resume(child);
    }
    if (this.#mailbox.size > 0) this.#wake();
    return this.#incarnation === incarnation;
  }

  /** A child that `start` did not spawn again goes on if it belongs to the place, and else ends. */
  #resume(child: Cell): void {
    if (child.#ofIncarnation) {
      void child.stop('stopped');
      return;
    }
    child.#claimed = true;
    this.#startedLast(child);
    child.begin();
  }

  stop(reason: StopReason, deadlineAt: number = never): Promise<void> {
    this.#stopping ??= this.#stop(reason, deadlineAt);
    return this.#stopping;
  }

  stopRequested(): void {
    void this.stop('stopped');
  }

  async #stop(reason: StopReason, deadlineAt: number): Promise<void> {
    this.#phase = 'stopping';
    this.suspend();
    for (const child of this.#lastStartedFirst()) await child.stop('stopped', deadlineAt);
    // It may have been retiring already, with no deadline.
    const retirement = this.#retireOnce(reason, deadlineAt);
    if (deadlineAt === never) await retirement;
    else await this.#settles(retirement, never, deadlineAt);
    const forgotten = this.#mailbox.clear();
    if (forgotten > 0) this.environment.logger.debug({ actor: this.path, forgotten }, 'stopped with mail left');
    this.#phase = 'stopped';
    this.#unhook();
    this.#parent?.forget(this);
    this.#address.release();
    for (const listener of this.#goneListeners) listener(reason);
  }

  /** Hears once that this cell is gone for good. */
  onGone(listener: (reason: StopReason) => void): Cancel {
    this.#goneListeners.add(listener);
    return () => this.#goneListeners.delete(listener);
  }

  // Children

  spawn(spec: ActorSpec<unknown>): Ref<never> {
    const former = this.#children.get(spec.name);
    if (former === undefined || former.#claimed || !former.suspended) return this.spawnChild(spec, true);
    former.#spec = spec;
    former.#claimed = true;
    this.#startedLast(former);
    former.begin();
    return former.ref;
  }

  spawnChild(spec: ActorSpec<unknown>, ofIncarnation: boolean): Ref<never> {
    if (this.closed) {
      throw new GossipError(
        'ACTOR_GONE',
        `${this.path} has stopped, and can have no child ${JSON.stringify(spec.name)}.`,
      );
    }
    const child = new Cell(this, spec, { environment: this.environment, ofIncarnation });
    // A suspended parent begins it along with itself.
    if (this.#phase === 'running') child.begin();
    return child.ref;
  }

  forget(child: Cell): void {
    this.#children.delete(child.name);
  }

  #startedLast(child: Cell): void {
    this.#children.delete(child.name);
    this.#children.set(child.name, child);
  }

  #lastStartedFirst(): Cell[] {
    return [...this.#children.values()].reverse();
  }
}

function isThenable(outcome: unknown): outcome is PromiseLike<unknown> {
  return typeof outcome === 'object' && outcome !== null && typeof (outcome as { then?: unknown }).then === 'function';
}

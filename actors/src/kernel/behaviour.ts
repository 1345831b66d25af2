/**
 * What an actor does, as its author writes it: a behaviour, made anew by `start` for every incarnation.
 *
 * Invariants
 *  1. A behaviour handles one message at a time. A promise that `receive` returns holds the mailbox until it settles.
 *  2. Whatever it throws or rejects with ends the incarnation, never the address, and loses at most that one message.
 *
 * Source: Erlang/OTP, gen_server and supervisor; child specs bear its terms.
 */

import type { Cancel } from './clock.ts';
import type { Logger } from './logger.ts';
import type { MailboxOptions } from './mailbox.ts';
import type { Ref } from './nact.ts';
import type { RestartType, SupervisionOptions } from './restart-policy.ts';

/**
 * Why an incarnation or an actor ended.
 *
 * - `stopped`: by `stopTree`, by nact's `stop`, or along with its parent
 * - `exited`: by its own `exit`
 * - `orphaned`: nact stopped an ancestor outside of our tree
 * - `crashed`: it threw, and is not restarted (to `Behaviour.stopped`: it threw)
 * - `escalated`: the root restarted too often
 * - `restarting`: only to `Behaviour.stopped`, of an incarnation that its supervisor replaces because another crashed
 * - `gone`: only to watchers that came too late to learn more
 */
export type StopReason = 'stopped' | 'exited' | 'orphaned' | 'crashed' | 'escalated' | 'restarting' | 'gone';

export interface Behaviour<M> {
  receive(message: M, self: Self<M>): void | Promise<void>;
  /**
   * Called at the end of every drain: when the mailbox ran empty or the time budget was spent, after a message that
   * held the mailbox too. Here effects that were gathered message by message go out as one.
   * @param more whether messages wait: the next drain follows soon
   */
  drained?(more: boolean): void;
  /** Called once, after its children have ended, however the incarnation ended. Awaited for up to `shutdownMs`. */
  stopped?(reason: StopReason): void | Promise<void>;
}

export interface TimerOptions {
  /** Whether the process stays alive for this timer. @default false */
  readonly holdsProcess?: boolean;
}

/** An actor's view of itself. It belongs to one incarnation: afterwards its methods do nothing, and its timers are gone. */
export interface Self<M> {
  readonly ref: Ref<M>;
  readonly name: string;
  readonly path: string;
  readonly logger: Logger;
  /** How many incarnations there were before this one. */
  readonly restarts: number;
  /**
   * Starts a child of this incarnation. When the actor is restarted, its subtree stops first, and what the new `start`
   * spawns again under the same name keeps its address and its mailbox; the rest ends.
   * @throws GossipError ACTOR_NAME_TAKEN, ACTOR_GONE; state unchanged
   */
  spawn<C>(spec: ActorSpec<C>): Ref<C>;
  /** Sends a message to this actor after `delayMs` milliseconds. */
  schedule(delayMs: number, message: M, options?: TimerOptions): Cancel;
  /** Sends a message to this actor every `periodMs` milliseconds. */
  every(periodMs: number, message: M, options?: TimerOptions): Cancel;
  /** Crashes this incarnation at its next turn, as if `receive` had thrown: for callbacks that run outside of a turn. */
  fail(error: unknown): void;
  /** Ends this incarnation in good order. A permanent actor is started again, another ends for good. */
  exit(): void;
}

export interface ActorSpec<M> {
  /** Unique among its siblings; any text. */
  readonly name: string;
  /** Makes an incarnation. With no behaviour the actor only supervises. A throw counts as a crash. */
  readonly start: (self: Self<M>) => Behaviour<M> | void;
  /** `permanent` is always started again, `transient` after a crash only, `temporary` never. @default 'permanent' */
  readonly restart?: RestartType;
  /** How long its last message and its `stopped` may each take when it ends, in milliseconds. @default 5000 */
  readonly shutdownMs?: number;
  /** A bound for the mailbox. @default none */
  readonly mailbox?: MailboxOptions;
  /**
   * How long it may go on with message after message before others get their turn, in milliseconds. More is no
   * faster beyond 1; it only makes others wait.
   * @default 2
   */
  readonly budgetMs?: number;
  /** How it supervises its own children. */
  readonly supervision?: SupervisionOptions;
}

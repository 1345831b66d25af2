/**
 * An incarnation: one life of an actor, from `start` to `stopped`, and all that dies with it.
 *
 * Invariants
 *  1. Its timers are gone when it ends, and it starts no others afterwards.
 *  2. An incarnation that has ended can do nothing to the actor or to its successor.
 *
 * Source: Erlang/OTP, where a restarted child is a new process; here only this part of it is new.
 */

import { GossipError } from '@grapevine/core';

import type { ActorSpec, Behaviour, Self, TimerOptions } from './behaviour.ts';
import type { Cancel, Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Ref } from './nact.ts';

/** The actor that is incarnated, as its incarnations see it. */
export interface Host {
  readonly ref: Ref<never>;
  readonly name: string;
  readonly path: string;
  readonly environment: { readonly logger: Logger; readonly clock: Clock };
  post(message: unknown): boolean;
  spawn(spec: ActorSpec<unknown>): Ref<never>;
  /** The incarnation ends by itself. */
  exited(): void;
  /** The incarnation has a fault to be met at its next turn. */
  faulted(): void;
}

const nothing = (): void => {};

export class Incarnation implements Self<unknown> {
  readonly restarts: number;
  /** Missing until `start` has returned. */
  behaviour: Behaviour<unknown> | undefined = undefined;
  /** The message that is being handled asynchronously, and holds the mailbox. */
  held: Promise<void> | undefined = undefined;
  fault: { readonly error: unknown } | undefined = undefined;

  readonly #host: Host;
  readonly #timers = new Set<Cancel>();
  #ended = false;

  constructor(host: Host, restarts: number) {
    this.#host = host;
    this.restarts = restarts;
  }

  get ref(): Ref<unknown> {
    return this.#host.ref;
  }

  get name(): string {
    return this.#host.name;
  }

  get path(): string {
    return this.#host.path;
  }

  get logger(): Logger {
    return this.#host.environment.logger;
  }

  spawn<C>(spec: ActorSpec<C>): Ref<C> {
    if (this.#ended)
      throw new GossipError('ACTOR_GONE', `This incarnation of ${this.path} has ended, and can have no child.`);
    return this.#host.spawn(spec);
  }

  schedule(delayMs: number, message: unknown, { holdsProcess = false }: TimerOptions = {}): Cancel {
    if (this.#ended) return nothing;
    const fire = (): void => {
      this.#timers.delete(cancel);
      this.#host.post(message);
    };
    const cancelTimer = this.#host.environment.clock.after(delayMs, fire, holdsProcess);
    const cancel = (): void => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  every(periodMs: number, message: unknown, { holdsProcess = false }: TimerOptions = {}): Cancel {
    if (this.#ended) return nothing;
    const cancelTimer = this.#host.environment.clock.every(periodMs, () => this.#host.post(message), holdsProcess);
    const cancel = (): void => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    this.fault ??= { error };
    this.#host.faulted();
  }

  exit(): void {
    if (!this.#ended) this.#host.exited();
  }

  end(): void {
    this.#ended = true;
    for (const cancel of this.#timers) cancel();
  }
}

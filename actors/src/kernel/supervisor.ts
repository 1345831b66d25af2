/**
 * A supervisor: what one actor does about the ends of its children.
 *
 * Rule of the source: a supervisor terminates and restarts in one blocking step, and knows no waits. Ours waits between
 * restarts of the same child, so several restarts can be under way at once, each of a group of children.
 *
 * Invariants
 *  1. A group stops in order, last started first, before any of it is started again, first started first.
 *  2. A child is in one group at most. A crash that concerns a child of a waiting group takes that group over, and keeps
 *     its wait: nobody is started sooner because another crashed too.
 *  3. Restarts are counted before they are made. One too many makes none, and escalates.
 *  4. `cancel` ends everything under way; what was suspended stays so, for whoever cancelled to stop or to start.
 *
 * Source: Erlang/OTP, supervisor.
 */

import { GossipError } from '@grapevine/core';

import type { StopReason } from './behaviour.ts';
import type { Cancel, Clock } from './clock.ts';
import {
  resolveSupervision,
  restartDelayMs,
  RestartIntensity,
  type RestartType,
  type SupervisionOptions,
} from './restart-policy.ts';

/** A child, as its supervisor sees it. */
export interface Supervised {
  readonly path: string;
  readonly restart: RestartType;
  /** Whether it is suspended, and waits to begin again. */
  readonly suspended: boolean;
  /** When its incarnation began, and how often it was restarted in a row. */
  readonly history: { beganAt: number; attempts: number };
  /** Takes its turns away. Mail queues from now on. */
  suspend(): void;
  /** Ends its subtree and its incarnation in good order. Never rejects. */
  retire(reason: StopReason): Promise<void>;
  /** Starts a new incarnation. @returns false when that crashed at once */
  begin(): boolean;
  /** Ends it for good. Never rejects. */
  stop(reason: StopReason): Promise<void>;
}

/** Whom a supervisor works for. */
export interface Household {
  readonly clock: Clock;
  readonly random: () => number;
  /** The children in the order of their start. */
  family(): readonly Supervised[];
  /** The supervisor gives up. */
  escalate(error: GossipError): void;
}

interface RestartGroup {
  readonly members: readonly Supervised[];
  readonly dueAt: number;
  cancelled: boolean;
  cancelTimer: Cancel | undefined;
}

export class Supervisor {
  readonly #household: Household;
  readonly #options: Required<SupervisionOptions>;
  readonly #intensity: RestartIntensity;
  readonly #groups = new Set<RestartGroup>();

  constructor(household: Household, options: SupervisionOptions | undefined) {
    this.#household = household;
    this.#options = resolveSupervision(options);
    this.#intensity = new RestartIntensity(this.#options.maxRestarts, this.#options.withinMs);
  }

  /** A child crashed. It is suspended already. */
  crashed(child: Supervised, error: unknown): void {
    if (child.restart === 'temporary') void child.stop('crashed');
    else this.#restart(child, 'crashed', error);
  }

  /** A child ended by itself. It is suspended already. */
  exited(child: Supervised): void {
    if (child.restart === 'permanent') this.#restart(child, 'exited', undefined);
    else void child.stop('exited');
  }

  cancel(): void {
    for (const group of this.#groups) this.#cancelGroup(group);
    this.#intensity.forget();
  }

  #restart(child: Supervised, reason: StopReason, error: unknown): void {
    const { clock, random } = this.#household;
    const { maxRestarts, withinMs, backoff } = this.#options;
    const now = clock.now();
    if (!this.#intensity.admits(now)) {
      this.#household.escalate(
        new GossipError(
          'RESTART_LIMIT',
          `More than ${maxRestarts} restarts within ${withinMs} ms; the last was ${child.path}.`,
          {
            stateChanged: true,
            context: { child: child.path, maxRestarts, withinMs },
            cause: error,
          },
        ),
      );
      return;
    }
    const { history } = child;
    history.attempts = now - history.beganAt >= withinMs ? 1 : history.attempts + 1;
    const group = this.#take(this.#concernedBy(child), now + restartDelayMs(history.attempts, backoff, random));
    void this.#run(group, child, reason);
  }

  #concernedBy(child: Supervised): readonly Supervised[] {
    const family = this.#household.family();
    switch (this.#options.strategy) {
      case 'one-for-one':
        return [child];
      case 'one-for-all':
        return family;
      case 'rest-for-one':
        return family.slice(family.indexOf(child));
    }
  }

  /** Suspends the members and takes over the groups that hold any of them. */
  #take(members: readonly Supervised[], dueAt: number): RestartGroup {
    let latest = dueAt;
    for (const other of this.#groups) {
      if (!other.members.some((member) => members.includes(member))) continue;
      latest = Math.max(latest, other.dueAt);
      this.#cancelGroup(other);
    }
    for (const member of members) member.suspend();
    const group: RestartGroup = { members, dueAt: latest, cancelled: false, cancelTimer: undefined };
    this.#groups.add(group);
    return group;
  }

  async #run(group: RestartGroup, child: Supervised, reason: StopReason): Promise<void> {
    for (const member of [...group.members].reverse()) {
      if (member.restart === 'temporary') await member.stop('stopped');
      else await member.retire(member === child ? reason : 'restarting');
    }
    if (group.cancelled) return;
    const waitMs = group.dueAt - this.#household.clock.now();
    if (waitMs <= 0) this.#beginAll(group);
    else group.cancelTimer = this.#household.clock.after(waitMs, () => this.#beginAll(group));
  }

  /** A member that crashes as it begins has already founded a new group of all whom that concerns. */
  #beginAll(group: RestartGroup): void {
    this.#groups.delete(group);
    for (const member of group.members) {
      if (member.suspended && !member.begin()) return;
    }
  }

  #cancelGroup(group: RestartGroup): void {
    group.cancelled = true;
    group.cancelTimer?.();
    this.#groups.delete(group);
  }
}

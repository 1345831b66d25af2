/**
 * Actors, as everybody else uses them: spawn one, tell it something, stop it.
 *
 * Invariants
 *  1. References are nact's own, so what nact can do with one of the user's actors, it can do with one of ours.
 *  2. Every function takes references to our actors and to the user's plain nact actors alike, and none throws because
 *     an actor is gone, except to who would spawn a child under it.
 */

import type { GossipError } from '@grapevine/core';

import type { ActorSpec } from './behaviour.ts';
import { Cell, type Environment } from './cell.ts';
import { systemClock } from './clock.ts';
import { harmless, silent } from './logger.ts';
import { isReachable, stopRef, tellRef, type Ref } from './nact.ts';
import { postboxOf } from './postbox.ts';

const defaults: Environment = {
  logger: silent,
  clock: systemClock,
  random: Math.random,
  onEscalate: (_error: GossipError) => {},
};

/** The actor of ours behind a reference, if it is one. */
export function cellOf(ref: Ref<never>): Cell | undefined {
  const postbox = postboxOf(ref);
  return postbox instanceof Cell ? postbox : undefined;
}

/**
 * Starts an actor under a nact system, under any of the user's nact actors, or under one of ours, which then supervises
 * it and starts it again with itself. It has begun when this returns; a `start` that throws is a crash, not an error here.
 *
 * @param environment what the tree shares, given at its root; below it, it is inherited and must not be given. By
 *   default the logger is silent, and clock and chance are Node's
 * @throws GossipError NACT_MISMATCH when the parent is unknown to our nact, ACTOR_NAME_TAKEN, ACTOR_GONE; state unchanged
 */
export function spawnChild<M>(parent: Ref<never>, spec: ActorSpec<M>, environment: Partial<Environment> = {}): Ref<M> {
  const supervisor = cellOf(parent);
  if (supervisor !== undefined) return supervisor.spawnChild(spec, false);
  const given = { ...defaults, ...environment };
  const root = new Cell(parent, spec, {
    environment: { ...given, logger: harmless(given.logger) },
    ofIncarnation: false,
  });
  root.begin();
  return root.ref;
}

/** Sends a message. @returns whether it was accepted: not by one who is gone, nor by a full mailbox that rejects */
export function tell<M>(ref: Ref<M>, message: NoInfer<M>): boolean {
  const postbox = postboxOf(ref);
  if (postbox !== undefined) return postbox.post(message);
  if (!isReachable(ref)) return false;
  tellRef(ref, message);
  return true;
}

/**
 * Stops an actor and all below it in good order: children first, last started first, each given up to its `shutdownMs`.
 * A user's plain nact actor is stopped nact's way.
 *
 * @param options.deadlineMs how long all of it may take together, in milliseconds. Who is not done by then is left
 *   behind, and a warning logged. @default none
 * @returns when the tree is gone. Never rejects
 */
export async function stopTree(
  ref: Ref<never>,
  { deadlineMs = Number.POSITIVE_INFINITY }: { readonly deadlineMs?: number } = {},
): Promise<void> {
  const cell = cellOf(ref);
  if (cell === undefined) stopRef(ref);
  else await cell.stop('stopped', cell.environment.clock.now() + deadlineMs);
}

/** Whether a message to this reference would reach nobody. */
export function isGone(ref: Ref<never>): boolean {
  return postboxOf(ref)?.closed ?? !isReachable(ref);
}

/**
 * Makes an actor crash at its next turn, as if `receive` had thrown. It loses no message. For tests.
 * @returns whether there was an incarnation to crash
 */
export function injectFault(ref: Ref<never>, error: unknown): boolean {
  return cellOf(ref)?.injectFault(error) ?? false;
}

/** Whether a mailbox of ours has room for so many messages as half of its bound, or half of `most` where it has none. */
export function hasAmpleRoom(ref: Ref<never>, most: number): boolean {
  const cell = cellOf(ref);
  return cell === undefined || 2 * cell.queued <= Math.min(cell.mailboxLimit, most);
}

export interface ActorStats {
  /** Messages that wait. */
  readonly queued: number;
  /** Messages that the mailbox's bound has cost so far. */
  readonly dropped: number;
  readonly restarts: number;
  readonly children: number;
  /** How many hear of its end. */
  readonly watchers: number;
}

/** @returns nothing for a reference that is not of an actor of ours */
export function statsOf(ref: Ref<never>): ActorStats | undefined {
  const cell = cellOf(ref);
  if (cell === undefined) return undefined;
  const { queued, dropped, restarts, children, watchers } = cell;
  return { queued, dropped, restarts, children, watchers };
}

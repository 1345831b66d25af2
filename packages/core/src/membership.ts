/**
 * What a membership module is to the rest: a state machine that says whom to dial and who is there.
 *
 * Invariants
 *  1. As for protocols: no I/O, clock or randomness of its own; effects are asked for.
 *  2. A view lists every node that can be gossiped with now, without this node itself, each once.
 *  3. A module is given by value; there is no registry.
 */

import type { GossipError } from './errors.ts';
import type { Random } from './random.ts';

/** A node as the membership knows it. */
export interface Member {
  readonly name: string;
  readonly epoch: number;
  /** Where it can be dialled; `null` where nobody knows. */
  readonly url: string | null;
}

/** What a membership module can ask for. */
export interface MembershipEffects {
  /** These URLs shall be kept connected; replaces the former list. */
  dial(urls: readonly string[]): void;
  /** Who is there now. Published to the transport, the instances and, as differences, to subscribers. */
  view(members: readonly Member[]): void;
  /** Plain data to the same module on another node, over its open connection; lost if there is none. */
  send(to: string, body: unknown): void;
  /** The input `tick` with this name after so many milliseconds. Replaces a timer of the same name. */
  setTimer(timer: string, delayMs: number): void;
  report(error: GossipError): void;
}

export interface MembershipEnvironment {
  readonly self: Member;
  readonly effects: MembershipEffects;
  readonly random: Random;
}

/** One node's membership. Times are wall-clock milliseconds. */
export interface MembershipMachine {
  /** Once, before any other input. */
  start(nowMs: number): void;
  /** A connection with this node is up. */
  connected(member: Member, nowMs: number): void;
  /** It is down: a hint, not a verdict. */
  disconnected(name: string, nowMs: number): void;
  /** A message that passed the module's check. */
  receive(from: string, body: unknown, nowMs: number): void;
  tick(timer: string, nowMs: number): void;
  /** This node is about to go: say so to whom it concerns. */
  leave(nowMs: number): void;
}

export interface Membership {
  readonly name: string;
  /** Whether a peer's message is one of this module's: anything else costs its sender the connection. */
  accepts(body: unknown): boolean;
  create(environment: MembershipEnvironment): MembershipMachine;
}

/**
 * What a seed leaves open about the membership of a world: SWIM's options, who moves, and how long settling may take.
 *
 * Invariants
 *  1. It comes from a stream of its own: a world with a list is the same whether or not this is asked.
 */

import { type Membership, swim } from '@grapevine/core';
import { pick, stream } from '../chance.ts';
import { DIAL_TIMEOUT_MS } from './dialler.ts';
import { type ResidenceNature, urlOf } from './residence.ts';

/** A list: every edge is kept connected. `swim`: nodes find each other, and connect as they choose. */
export type MembershipName = 'list' | 'swim';

export interface MembershipSetting {
  readonly membership: Membership;
  readonly nature: ResidenceNature;
  /** Whether everybody is to be connected with everybody. */
  readonly isMesh: boolean;
  /** Within so long all must agree after all has healed, in milliseconds. */
  readonly settlesMs: number;
  /** Within so long everybody must know of a death, in milliseconds. */
  readonly noticesMs: number;
}

/** Whoever is lost is dialled at least so often, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000;
/** So long a connection with the dead may seem open, in milliseconds. */
const LONGEST_SILENCE_MS = 17_000;
/** Connections that a node may have in half of the worlds where there are more nodes. */
const FEW = 8;
const PROBE_INTERVAL_MS = 1000;
const SUSPICION_MULT = 4;
const SUSPICION_MAX_MULT = 6;
const AWARENESS_MAX = 8;

/** @param hubs so many can be dialled, and stay where they are: who only dials finds nobody at another place */
export function membershipSettingOf(seed: number, nodes: number, hubs: number = nodes): MembershipSetting {
  const random = stream(seed, 10);
  const neighbours = pick(random, [8, 8, 3, 2]);
  const syncInterval = pick(random, [30_000, 30_000, 10_000]);
  const suspicionMaxMult = pick(random, [SUSPICION_MAX_MULT, SUSPICION_MAX_MULT, 1]);
  // A probe that fails, by a node that doubts itself as much as it may.
  const doubtMs = 2 * AWARENESS_MAX * PROBE_INTERVAL_MS;
  const isStar = hubs < nodes;
  const mayMove = pick(random, [0, 0.3]);
  const remembers = pick(random, [0, 1, 0.5]);
  const mostConnections = pick(random, [Infinity, nodes > FEW ? FEW : Infinity]);
  const maxConnections = isStar ? Infinity : mostConnections;
  const behind = pick(random, [0, 0.2]);
  const names = ['n00', 'n01'];
  // Virtual time stays whole.
  const suspicionMs = Math.ceil(suspicionMaxMult * SUSPICION_MULT * PROBE_INTERVAL_MS * Math.max(1, Math.log10(nodes)));
  return {
    membership: swim({
      seeds: names.map((name) => urlOf(name, 0)),
      probeInterval: PROBE_INTERVAL_MS,
      suspicionMult: SUSPICION_MULT,
      suspicionMaxMult,
      awarenessMax: AWARENESS_MAX,
      neighbours,
      syncInterval,
    }),
    nature: { moves: isStar ? 0 : mayMove, remembers, behind, maxConnections },
    // As the module has it: a quarter of the connections are of its own choice at most.
    isMesh: nodes - 1 <= 2 * Math.min(neighbours, maxConnections / 4),
    // A dial of who was lost, one exchange of all that is known, and a suspicion by a node that doubts itself.
    settlesMs: LONGEST_PAUSE_MS + DIAL_TIMEOUT_MS + 1.1 * syncInterval + suspicionMs + doubtMs,
    noticesMs: LONGEST_SILENCE_MS + DIAL_TIMEOUT_MS + suspicionMs + doubtMs,
  };
}

/**
 * Who is wrongly taken for dead, while some nodes stand still again and again, or messages are lost.
 *
 * As in the Lifeguard paper: of `nodes` members `anomalous` are blocked for `blockedMs`, run for `freeMs`, and so on, all at
 * once. Whoever is not among them is healthy; every `down` that somebody believes of a healthy member is a false positive
 * (FP), and one at a healthy member (FP−) is what Lifeguard is about.
 *
 * Two kinds of anomaly: `blocked` is the paper's: the member neither sends nor receives, while its timers go on, as in a
 * program of many threads whose network hangs. `stopped` is what happens to a program of one thread, such as Node.js: the
 * whole process stands still, and its timers are late. What has piled up is worked off in no time when it goes on.
 *
 * Source: Dadgar, Phillips, Currey, "Lifeguard", 2018, section V.
 */

import type { SwimOptions } from '@grapevine/core';
import { below, sample } from '@grapevine/core';
import { stream } from '../chance.ts';
import { SwimWorld } from '../swim/swim-world.ts';

export interface StallSetup {
  readonly nodes: number;
  readonly seed: number;
  readonly kind: 'blocked' | 'stopped';
  readonly anomalous: number;
  readonly blockedMs: number;
  readonly freeMs: number;
  readonly forMs: number;
  /** Whether machines are told of their own stalls. */
  readonly tellsStalls: boolean;
  readonly options?: Partial<SwimOptions>;
}

export interface FalsePositives {
  /** Beliefs that a healthy member is down: at any member, and at healthy ones. */
  readonly all: number;
  readonly atHealthy: number;
  /** How many of the healthy were taken for dead by some healthy member, each as often as it happened. */
  readonly victims: number;
  /** Suspicions of healthy members at healthy ones. */
  readonly suspicions: number;
  /** Whether all agree again in the end, two minutes after the last stall. */
  readonly healed: boolean;
}

const WARM_MS = 15_000;
const HEAL_MS = 120_000;

export function watchStalls(setup: StallSetup): FalsePositives {
  const { nodes, seed, kind, anomalous, blockedMs, freeMs, forMs, tellsStalls, options = {} } = setup;
  const world = new SwimWorld({ nodes, seed, options, tellsStalls });
  const random = stream(seed, 8);
  world.run(WARM_MS);
  const ill = new Set(sample(random, world.processes, anomalous));
  const illNames = new Set([...ill].map(({ name }) => name));
  let all = 0;
  let atHealthy = 0;
  let suspicions = 0;
  const victims = new Set<string>();
  world.onBelief(({ observer, subject, state }) => {
    if (illNames.has(subject.name)) return;
    const isHealthy = !ill.has(observer);
    if (state === 'suspect' && isHealthy) suspicions += 1;
    if (state !== 'down') return;
    all += 1;
    if (!isHealthy) return;
    atHealthy += 1;
    victims.add(`${subject.name} ${subject.incarnation ?? 0}`);
  });
  const endMs = world.nowMs + forMs;
  const block = (): void => {
    if (world.nowMs >= endMs) return;
    const ms = Math.min(blockedMs, endMs - world.nowMs);
    for (const process of ill) {
      if (kind === 'blocked') process.block(ms);
      else process.stall(ms);
    }
    world.at(world.nowMs + blockedMs + freeMs, block);
  };
  block();
  world.run(forMs);
  const healed = world.runUntil(() => world.isAgreed, HEAL_MS, 1000) !== undefined;
  return { all, atHealthy, victims: victims.size, suspicions, healed };
}

export interface LossSetup {
  readonly nodes: number;
  readonly seed: number;
  readonly hours: number;
  readonly loss: number;
  /** Every so often on average one node stands still for up to `stalledMs`. */
  readonly stallEveryMs: number;
  readonly stalledMs: number;
  readonly options?: Partial<SwimOptions>;
}

export interface QuietHours {
  readonly nodeHours: number;
  readonly suspicions: number;
  /** Nobody dies in it: every one is false. */
  readonly downs: number;
  readonly stalls: number;
}

/** Nobody dies: every `down` is a false one. */
export function watchLoss({ nodes, seed, hours, loss, stallEveryMs, stalledMs, options = {} }: LossSetup): QuietHours {
  const world = new SwimWorld({ nodes, seed, options, loss });
  const random = stream(seed, 9);
  let suspicions = 0;
  let downs = 0;
  let stalls = 0;
  world.onBelief(({ state, input }) => {
    if (state === 'suspect' && input !== 'receive') suspicions += 1;
    else if (state === 'down') downs += 1;
  });
  const stall = (): void => {
    world.process(below(random, nodes)).stall(1 + below(random, stalledMs));
    stalls += 1;
    world.at(world.nowMs + 1 + below(random, 2 * stallEveryMs), stall);
  };
  world.at(world.nowMs + stallEveryMs, stall);
  world.run(hours * 3_600_000);
  return { nodeHours: nodes * hours, suspicions, downs, stalls };
}

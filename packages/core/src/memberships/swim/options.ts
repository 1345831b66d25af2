/**
 * The options of SWIM: memberlist's names and numbers, in three profiles, and what is ours beyond them.
 *
 * Invariants
 *  1. The resolver is the one place that knows defaults and the rules between options.
 *  2. Whatever the profile sets, an option that is given stands.
 *
 * Source: the profiles DefaultLANConfig, DefaultWANConfig and DefaultLocalConfig of HashiCorp memberlist; Das, Gupta,
 * Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol", DSN 2002.
 */

import type { Discovery, Meta } from '../../membership.ts';
import {
  fillOptions,
  isBoolean,
  oneOf,
  type OptionCheck,
  type OptionRules,
  optionsObject,
  type Violation,
  wholeNumber,
} from '../../options.ts';
import { metaProblem } from './meta.ts';

/** One address, or somewhere to ask for addresses. */
export type Seed = string | Discovery;

export interface SwimOptions {
  /**
   * Where others can be found: URLs `ws://host:port` or `wss://host:port`, and sources of such. One that leads to a living
   * node is enough. They are tried for ever: the more seldom, the longer in vain, at least once a minute.
   * @default []
   */
  readonly seeds: readonly Seed[];
  /** What all that follows is taken from: `lan`, `wan` (slow and far) or `local` (one machine, tests). @default 'lan' */
  readonly profile: 'lan' | 'wan' | 'local';
  /**
   * How often one other node is asked whether it lives, in milliseconds. Shorter finds the dead sooner and costs more
   * messages; every time that is judged by is a multiple of it.
   * @default 1000; wan 5000
   */
  readonly probeInterval: number;
  /**
   * How long an answer may take before others are asked to ask, in milliseconds: more than nearly every round trip, with
   * the dial where there is no connection. Less than `probeInterval`.
   * @default 500; wan 3000; local 200
   */
  readonly probeTimeout: number;
  /** How many others are asked to ask. More forgives a bad path, for as many messages. @default 3; local 1 */
  readonly indirectProbes: number;
  /**
   * How long a suspect may refute before it is declared down: at least this many times log10 n, at least one,
   * `probeInterval`s. Longer forgives slow nodes; shorter finds dead ones sooner.
   * @default 4; wan 6; local 3
   */
  readonly suspicionMult: number;
  /**
   * So many times that is waited while nobody else suspects it too; each that does brings it closer to the minimum.
   * 1: the minimum at once, as plain SWIM does.
   * @default 6
   */
  readonly suspicionMaxMult: number;
  /**
   * The most by which a node that is slow itself stretches `probeInterval` and `probeTimeout`: it blames others the later.
   * 1: never, as plain SWIM does.
   * @default 8
   */
  readonly awarenessMax: number;
  /** Whether a suspect is told first of the suspicion, so that it refutes at once. @default true */
  readonly tellSuspects: boolean;
  /** How often news is passed on while there is some, in milliseconds. @default 200; wan 500; local 100 */
  readonly gossipInterval: number;
  /** To how many at once. @default 3; wan 4 */
  readonly gossipNodes: number;
  /** How often each piece of news is passed on: this many times ⌈log10 (n + 1)⌉. @default 4; local 2 */
  readonly retransmitMult: number;
  /** How often all that is known is compared with one other node, in milliseconds. @default 30000; wan 60000; local 15000 */
  readonly syncInterval: number;
  /**
   * To how many nodes of its own choice a node keeps connections; others choose it as well, so it has about twice as many.
   * In a cluster of no more than twice as many others, everybody is connected with everybody. More spreads faster and costs
   * sockets.
   * @default 8
   */
  readonly neighbours: number;
  /** What this node says of itself; its JSON text has at most 512 bytes. Changed while running by `describe`. @default {} */
  readonly meta: Meta;
}

const isUrl = (value: unknown): boolean => typeof value === 'string' && /^[a-z]+:\/\/./.test(value);
const isSource = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Discovery>).find === 'function';

const isSeeds: OptionCheck = (value) =>
  Array.isArray(value) && value.every((seed) => isUrl(seed) || isSource(seed))
    ? undefined
    : "must be an array of URLs such as 'ws://10.0.0.2:7001', and of sources such as dns({ … })";

const timer = wholeNumber('milliseconds', 1, 2 ** 31 - 1);
const count = wholeNumber('nodes', 1, 1000);
const times = wholeNumber('times', 1, 1000);

/** With the defaults of the profile `lan`. */
export const swimRules: OptionRules<SwimOptions> = {
  seeds: { check: isSeeds, default: [] },
  profile: { check: oneOf('lan', 'wan', 'local'), default: 'lan' },
  probeInterval: { check: timer, default: 1000 },
  probeTimeout: { check: timer, default: 500 },
  indirectProbes: { check: wholeNumber('nodes', 0, 1000), default: 3 },
  suspicionMult: { check: times, default: 4 },
  suspicionMaxMult: { check: times, default: 6 },
  awarenessMax: { check: times, default: 8 },
  tellSuspects: { check: isBoolean, default: true },
  gossipInterval: { check: timer, default: 200 },
  gossipNodes: { check: count, default: 3 },
  retransmitMult: { check: times, default: 4 },
  syncInterval: { check: timer, default: 30_000 },
  neighbours: { check: count, default: 8 },
  meta: { check: metaProblem, default: {} },
};

/** What each profile has in place of those defaults. */
export const swimProfiles: Readonly<Record<SwimOptions['profile'], Partial<SwimOptions>>> = {
  lan: {},
  wan: {
    probeInterval: 5000,
    probeTimeout: 3000,
    suspicionMult: 6,
    gossipInterval: 500,
    gossipNodes: 4,
    syncInterval: 60_000,
  },
  local: {
    probeTimeout: 200,
    indirectProbes: 1,
    suspicionMult: 3,
    gossipInterval: 100,
    retransmitMult: 2,
    syncInterval: 15_000,
  },
};

/** @returns the options, complete; violations are appended to `violations` */
export function resolveSwim(options: Partial<SwimOptions>, violations: Violation[]): SwimOptions {
  const given: Partial<SwimOptions> = optionsObject('', options, Object.keys(swimRules), violations);
  const profile = Object.hasOwn(swimProfiles, given.profile ?? 'lan') ? swimProfiles[given.profile ?? 'lan'] : {};
  // `undefined` is nothing given, and must not cover what the profile says.
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved = fillOptions('', { ...profile, ...stated }, swimRules, violations);
  if (resolved.probeTimeout >= resolved.probeInterval)
    violations.push({
      path: 'probeTimeout',
      problem: `must be less than probeInterval (${resolved.probeInterval}), not ${resolved.probeTimeout}`,
    });
  return resolved;
}

/**
 * What a seed leaves open about a world: its protocol's options, its shape, and the habits of its writers.
 */

import { entropy, hybrid, type Protocol, type Random, rumor } from '@grapevine/core';
import { chance, pick, stream } from './chance.ts';
import type { Edges } from './world.ts';

export type ProtocolName = 'rumor' | 'entropy' | 'hybrid';

export interface Setting {
  readonly protocol: Protocol;
  readonly protocolName: ProtocolName;
  /** One cycle, in milliseconds. */
  readonly deltaMs: number;
  readonly tombstoneTtlMs: number;
  readonly rumorTtlMs: number;
  readonly maxDriftMs: number;
  readonly forgetAfterMs: number;
  readonly edges: Edges;
  readonly ids: number;
  readonly large: number;
  /** Origins of a former life that most nodes know already: more than are told at once. */
  readonly crowd: number;
}

export function settingOf(seed: number, nodes: number, chosen: ProtocolName | null): Setting {
  const random = stream(seed, 5);
  const dice = random();
  const protocolName = chosen ?? (dice < 0.6 ? 'hybrid' : dice < 0.87 ? 'entropy' : 'rumor');
  const deltaMs = pick(random, [250, 500, 500, 500, 1000, 1000]);
  // Tombstones are kept for less than what is forgotten, in any sensible configuration.
  const forgets = chance(random, 0.3);
  const tombstoneTtlMs = pick(random, [0, 300, 2000, 20000, forgets ? 5000 : 3600000]);
  const rumorTtlMs = pick(random, [1000, 5000, 30000]);
  // Large values cost most in large worlds, and show no more there.
  const isLarge = chance(random, nodes > 8 ? 0.1 : 0.2);
  const protocol = protocolOf(protocolName, random, nodes, { deltaMs, tombstoneTtlMs, rumorTtlMs });
  return {
    protocol,
    protocolName,
    deltaMs,
    tombstoneTtlMs,
    rumorTtlMs,
    maxDriftMs: pick(random, [1000, 3000, 60000]),
    forgetAfterMs: forgets ? 70_000 : 86_400_000,
    edges: edgesOf(random, nodes, forgets),
    ids: isLarge ? 24 : pick(random, [3, 8, 30, 30, chance(random, 0.3) ? 700 : 100]),
    large: isLarge ? 0.7 : 0,
    crowd: protocolName !== 'rumor' && chance(random, 0.15) ? 70 : 0,
  };
}

function protocolOf(
  name: ProtocolName,
  random: Random,
  nodes: number,
  { deltaMs, tombstoneTtlMs, rumorTtlMs }: Pick<Setting, 'deltaMs' | 'tombstoneTtlMs' | 'rumorTtlMs'>,
): Protocol {
  const direction = pick(random, ['push-pull', 'push-pull', 'push-pull', 'push', 'pull'] as const);
  // Everybody with everybody in every cycle: no more of it is seen in a large world than in a small one.
  const level = pick(random, nodes > 8 ? [1, 1, 1, 2] : [1, 1, 2, 0]);
  const blind = chance(random, 0.15);
  const rumors = {
    delta: deltaMs,
    rounds: pick(random, [1, 2, 3, 5]),
    ttl: rumorTtlMs,
    blind,
    removal: pick(random, blind ? (['counter', 'coin'] as const) : (['counter', 'reset-counter', 'coin'] as const)),
    gc: pick(random, [300, 1000]),
  };
  const direct = pick(random, ['push', 'push', 'push', 'push-pull', 'pull'] as const);
  const way =
    direct === 'pull' ? { direction: direct, eager: false } : { direction: direct, eager: chance(random, 0.8) };
  switch (name) {
    case 'rumor':
      return rumor({ ...rumors, ...way, level: pick(random, [1, 1, 2]), askDelay: pick(random, [0, 0, 20]) });
    case 'entropy':
      return entropy({ delta: deltaMs, direction, level, tombstoneTtl: tombstoneTtlMs, gc: rumors.gc });
    case 'hybrid':
      return hybrid({
        mail: pick(random, [16, 16, 4, 0]),
        rumor: { ...rumors, ...way, level: pick(random, [1, 1, 2]) },
        entropy: { delta: deltaMs, direction, level: Math.min(level, 2), tombstoneTtl: tombstoneTtlMs, gc: rumors.gc },
      });
    default:
      return name satisfies never;
  }
}

/** Everybody with everybody. */
export function edgesAmong(nodes: number): Edges {
  const edges: [number, number][] = [];
  for (let a = 0; a < nodes; a++) for (let b = a + 1; b < nodes; b++) edges.push([a, b]);
  return edges;
}

/** Everybody with the first nodes, which can be dialled; the others only dial. */
export function edgesWithHubs(nodes: number, hubs: number): Edges {
  return edgesAmong(nodes).filter(([a]) => a < hubs);
}

/** Mostly everybody with everybody; now and then a ring with chords, or a chain of hubs. */
function edgesOf(random: Random, nodes: number, forgets: boolean): Edges {
  const edges: [number, number][] = [];
  const isFull = nodes < 4 || forgets || chance(random, 0.75);
  const chord = 2 + Math.floor(random() * Math.max(1, nodes - 3));
  for (let a = 0; a < nodes; a++)
    for (let b = a + 1; b < nodes; b++)
      if (isFull || b - a === 1 || b - a === nodes - 1 || b - a === chord) edges.push([a, b]);
  return edges;
}

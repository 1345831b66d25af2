/**
 * One experiment as data: which protocol, among how many, how often, and by which seed.
 *
 * Invariants
 *  1. A run depends on the setup and its own number alone: runs can be shared out among processes, in blocks, and the
 *     figures stay the same to the last bit.
 *  2. Bytes are counted in the first runs only: they hardly differ between runs, and counting takes longest.
 */

import {
  entropy,
  GossipError,
  hashNumber,
  hybrid,
  type Protocol,
  rumor,
  type RumorOptions,
  seededRandom,
} from '@grapevine/core';
import type { EntropyOptions, HybridOptions } from '@grapevine/core';
import { ClockCrowd } from './clocks.ts';
import { CycleCrowd } from './cycles.ts';
import { type Figures, figuresOf, type Spread } from './spread.ts';

/** A protocol by name with its options, as data. */
export type ProtocolSetup =
  | { readonly name: 'rumor'; readonly options: Partial<RumorOptions> }
  | { readonly name: 'entropy'; readonly options: Partial<EntropyOptions> }
  | { readonly name: 'hybrid'; readonly options: HybridOptions };

export interface Setup {
  readonly protocol: ProtocolSetup;
  readonly nodes: number;
  readonly runs: number;
  /** A whole number. */
  readonly seed: number;
  /** Share of messages that are lost, from 0 to less than 1. @default 0 */
  readonly loss?: number;
  /** In synchronous cycles, as the papers count, instead of by each site's clock. @default false */
  readonly synchronous?: boolean;
  /** Go on until everybody has it. @default true for protocols with anti-entropy */
  readonly untilAll?: boolean;
  /** Runs in which bytes are counted. @default 20 */
  readonly measuredRuns?: number;
  /** In cycles only: see `CycleOptions`. */
  readonly connectionLimit?: number;
  readonly hunt?: number;
  readonly inOrder?: boolean;
  readonly minimised?: boolean;
  readonly cycleLimit?: number;
}

/** Runs that share one crowd, in which sites keep their phases. */
export const BLOCK_RUNS = 50;

const MEASURED_RUNS = 20;
const IDLE_CYCLES = 20;

/** How many blocks an experiment has. */
export function blocksOf({ runs }: Setup): number {
  return Math.ceil(runs / BLOCK_RUNS);
}

/**
 * The runs of one block, one after the other.
 * @throws GossipError OPTIONS_INVALID that lists every violation of the protocol's options, before the first run
 */
export function* runBlock(setup: Setup, block: number): Generator<Spread, void, undefined> {
  const { runs, seed, measuredRuns = MEASURED_RUNS } = setup;
  const crowd = crowdOf(setup, hashNumber(seed, -1 - block));
  for (let run = block * BLOCK_RUNS; run < Math.min(runs, (block + 1) * BLOCK_RUNS); run++)
    yield crowd.spread(seededRandom(hashNumber(seed, run)), run < measuredRuns);
}

/** All runs, one after the other. @throws GossipError as `runBlock` */
export function* runAll(setup: Setup): Generator<Spread, void, undefined> {
  for (let block = 0; block < blocksOf(setup); block++) yield* runBlock(setup, block);
}

/** The figures of all runs. @throws GossipError as `runBlock` */
export function figuresOfAll(setup: Setup): Figures[] {
  return Array.from(runAll(setup), figuresOf);
}

/** What one node sends in one cycle while there is no news, each by its own clock. @throws GossipError as `runBlock` */
export function idleCost(
  protocol: ProtocolSetup,
  nodes: number,
): { readonly messages: number; readonly bytes: number } {
  const crowd = new ClockCrowd({ protocol: protocolOf(protocol), nodes, deltaMs: paceOf(protocol).deltaMs });
  const { messages, bytes } = crowd.idle(IDLE_CYCLES);
  return { messages: messages / nodes / IDLE_CYCLES, bytes: bytes / nodes / IDLE_CYCLES };
}

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function protocolOf({ name, options }: ProtocolSetup): Protocol {
  switch (name) {
    case 'rumor':
      return rumor(options);
    case 'entropy':
      return entropy(options);
    case 'hybrid':
      return hybrid(options);
  }
}

/** What the experiment itself must know of the protocol's options: their defaults are its own. */
interface Pace {
  readonly deltaMs: number;
  readonly level: number;
}

const DELTA_MS = 500;

function paceOf({ options }: ProtocolSetup): Pace {
  return { deltaMs: options.delta ?? DELTA_MS, level: options.level ?? 1 };
}

function crowdOf(setup: Setup, seed: number): CycleCrowd | ClockCrowd {
  const { protocol, nodes, synchronous = false, untilAll = protocol.name !== 'rumor' } = setup;
  if (!Number.isInteger(nodes) || nodes < 2)
    throw new GossipError('OPTIONS_INVALID', `nodes is ${nodes}; it must be a whole number from 2.`);
  const common = { ...setup, protocol: protocolOf(protocol), deltaMs: paceOf(protocol).deltaMs, untilAll, seed };
  if (!synchronous) return new ClockCrowd(common);
  const resets = protocol.name === 'rumor' && protocol.options.removal === 'reset-counter';
  const minimisation = setup.minimised === true ? { resets } : undefined;
  const isRumor = protocol.name === 'rumor';
  return new CycleCrowd({
    ...common,
    level: paceOf(protocol).level,
    fullView: !isRumor,
    ...(minimisation && { minimisation }),
  });
}

/**
 * A world of nodes in virtual time: everything that happens in it is determined by its options and its seed.
 *
 * Invariants
 *  1. No I/O, no real clock, no chance but the seed's.
 *  2. Time moves only from one happening to the next; at one time, what was asked for first happens first.
 *  3. What runs in it are the machines and the codec that ship, not models of them.
 */

import type { Membership, Protocol, ReplicaOptions } from '@grapevine/core';
import { pick, shareWithin, stream, within } from './chance.ts';
import { Link } from './connection.ts';
import { type Act, EventQueue } from './event-queue.ts';
import type { Faults } from './faults.ts';
import { nameOf, SimNode } from './node.ts';
import type { Places } from './membership/dialler.ts';
import type { ResidenceNature } from './membership/residence.ts';
import type { Observer, WatchedNode } from './observer.ts';
import type { Surroundings } from './surroundings.ts';
import type { Trace } from './trace.ts';

/** What a narrow node takes of an update at most, in bytes. */
const NARROW_BYTES = 1000;

/** What a node takes of a frame at most where all are alike, in bytes, and what nodes with small frames take. */
const USUAL_FRAME_BYTES = 2 ** 21;
const SMALL_FRAME_BYTES = [16_384, 20_000, 65_536] as const;
/** What a frame holds beside an update, as the options of a node have it. */
const FRAME_RESERVE_BYTES = 4096;

/** Addresses of twins: so often no node moves. */
const MOVES_OF_TWINS = 1000;

/** Who dials whom. */
export type Edges = readonly (readonly [number, number])[];

/** How nodes find each other where no list of edges says so. */
export interface WorldMembership {
  readonly membership: Membership;
  readonly nature: ResidenceNature;
}

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Who is connected with whom for ever; with a membership, who can be. */
  readonly edges: Edges;
  /** So many nodes can be dialled. The others only dial, and edges are never between two of these. @default all */
  readonly hubs?: number | undefined;
  /** @default none: edges are kept connected */
  readonly membership?: WorldMembership | undefined;
  readonly protocol: Protocol;
  readonly faults: Faults;
  readonly replica: Omit<ReplicaOptions, 'name' | 'epoch'>;
  readonly observer: Observer;
  readonly trace: Trace;
}

export class World implements Surroundings, Places {
  readonly instance: string = 'sim';
  readonly protocol: Protocol;
  readonly observer: Observer;
  readonly trace: Trace;
  readonly replicaOptions: Omit<ReplicaOptions, 'name' | 'epoch' | 'maxUpdateBytes'>;
  readonly nodes: readonly SimNode[];
  readonly links: readonly Link[];
  readonly seed: number;
  /** Virtual milliseconds since the world began. */
  nowMs = 0;
  /** Set when nothing more shall happen: a violation was found. */
  isOver = false;
  readonly #queue = new EventQueue();
  readonly #linkOf = new Map<number, Link>();
  /** Second processes of a name, and their links, by what stands at their index behind the nodes'. */
  readonly #twins: { readonly node: SimNode; readonly links: ReadonlyMap<number, Link> }[] = [];
  readonly #membership: WorldMembership | undefined;
  #sessions = 0;

  constructor(options: WorldOptions) {
    const { seed, faults, edges, membership, hubs = Infinity } = options;
    this.#membership = membership;
    this.seed = seed;
    this.protocol = options.protocol;
    this.observer = options.observer;
    this.trace = options.trace;
    this.replicaOptions = options.replica;
    const natures = stream(seed, 1);
    const judging = shareWithin(natures, faults.handlers);
    const skewed = natures() < 0.5;
    const narrowness = stream(seed, 8);
    const narrow = narrowness() < 0.4 ? 0 : shareWithin(narrowness, faults.refusals);
    const framing = stream(seed, 13);
    const small = framing() < 0.6 ? 0 : shareWithin(framing, faults.frames);
    this.nodes = Array.from({ length: options.nodes }, (_, index) => {
      const random = stream(seed, 2, index);
      const drawn = within(random, faults.skewMs);
      const skewMs = skewed ? drawn : 0;
      const gatherMs = random() < 0.6 ? 0 : within(random, faults.gatherMs);
      const habit = random() < judging ? { delayMs: within(random, [0, 400]), refusals: 0.5 * random() } : null;
      const mostBytes = narrowness() < narrow ? NARROW_BYTES : options.replica.maxUpdateBytes;
      const isSmall = framing() < small;
      const maxFrameBytes = isSmall ? pick(framing, SMALL_FRAME_BYTES) : USUAL_FRAME_BYTES;
      const maxUpdateBytes = Math.min(mostBytes, maxFrameBytes - FRAME_RESERVE_BYTES);
      const residing = membership && {
        ...membership,
        nature: natureOf(membership, index),
        random: stream(seed, 9, index),
      };
      const isListed = membership === undefined && hubs < options.nodes;
      const view = isListed ? namesBeside(index, options.nodes) : null;
      const epochs = stream(seed, 12, index);
      const nature = { skewMs, gatherMs, maxUpdateBytes, maxFrameBytes, habit, dialsOnly: index >= hubs, view, epochs };
      return new SimNode(this, index, nature, random, residing);
    });
    this.links = edges.map(([a, b], index) => {
      const random = stream(seed, 3, index);
      const nature = {
        delayMs: within(random, faults.delayMs),
        jitterMs: within(random, faults.jitterMs),
        drops: random() < 0.5 ? 0 : shareWithin(random, faults.drops),
        corruption: random() < 0.5 ? 0 : shareWithin(random, faults.corruption),
      };
      const details = { nature, random, isKept: membership === undefined };
      const link = new Link(this, [this.nodes[a] as SimNode, this.nodes[b] as SimNode], details);
      this.#linkOf.set(a * options.nodes + b, link);
      this.#linkOf.set(b * options.nodes + a, link);
      return link;
    });
  }

  /** Boots all nodes, and dials. */
  start(): void {
    for (const node of this.nodes) node.boot();
    for (const link of this.links) link.dial();
  }

  /** The link between two nodes, if they are to be connected at all. */
  linkOf(a: number, b: number): Link | undefined {
    const { length } = this.nodes;
    if (a >= length) return this.#twins[a - length]?.links.get(b);
    if (b >= length) return this.#twins[b - length]?.links.get(a);
    return a < length && b < length ? this.#linkOf.get(a * length + b) : undefined;
  }

  nodeAt(url: string): SimNode | undefined {
    const isAt = ({ residence }: SimNode): boolean => residence?.url === url;
    return this.nodes.find(isAt) ?? this.#twins.find(({ node }) => isAt(node))?.node;
  }

  /** A second process of a node's name, at an address of its own: it can reach whom the node can, and no partition holds it. */
  twinOf(node: SimNode): SimNode {
    const { seed, nodes } = this;
    const count = this.#twins.length;
    const index = nodes.length + count;
    const { membership, nature: homeNature } = this.#membership as WorldMembership;
    const residing = {
      membership,
      nature: homeNature,
      random: stream(seed, 14, count),
      moves: MOVES_OF_TWINS * (count + 1),
    };
    const nature = { ...node.nature, epochs: stream(seed, 15, count) };
    const twin = new SimNode(this, index, nature, stream(seed, 16, count), residing, node.name);
    const links = new Map<number, Link>();
    for (const other of nodes) {
      const way = this.linkOf(node.index, other.index);
      if (way === undefined) continue;
      const random = stream(seed, 17, count, other.index);
      links.set(other.index, new Link(this, [twin, other], { nature: way.nature, random, isKept: false }));
    }
    this.#twins.push({ node: twin, links });
    return twin;
  }

  nextSession(): number {
    return ++this.#sessions;
  }

  at(atMs: number, act: Act): void {
    this.#queue.put(atMs, act);
  }

  after(delayMs: number, act: Act): void {
    this.#queue.put(this.nowMs + delayMs, act);
  }

  /** Lets time pass, with all that happens in it, unless the world is over. */
  run(durationMs: number): void {
    const until = this.nowMs + durationMs;
    const queue = this.#queue;
    while (queue.nextMs <= until && !this.isOver) {
      this.nowMs = queue.nextMs;
      queue.take()();
    }
    if (!this.isOver) this.nowMs = until;
  }

  /** Lets nothing pass from `members` to the others (`out`), from the others to them (`in`), or either (`both`). */
  block(members: ReadonlySet<number>, way: 'both' | 'in' | 'out', by: 1 | -1): void {
    for (const link of this.links) {
      const [a, b] = link.nodes;
      if (members.has(a.index) === members.has(b.index)) continue;
      const outward = members.has(a.index) ? 0 : 1;
      if (way !== 'in') link.blocks[outward] += by;
      if (way !== 'out') link.blocks[1 - outward] = (link.blocks[1 - outward] as number) + by;
      if (by > 0) link.awaitSilence();
      else link.flow();
    }
  }

  log(node: WatchedNode, text: string): void {
    this.trace.note(this.nowMs, 3, node.index, text.length);
    if (this.trace.isPrinted) this.trace.line(this.nowMs, `${node.name} ${text}`);
  }
}

function namesBeside(index: number, nodes: number): ReadonlySet<string> {
  const names = new Set(Array.from({ length: nodes }, (_, other) => nameOf(other)));
  names.delete(nameOf(index));
  return names;
}

/** The first node never moves: one address that stays is what everybody needs to join. */
function natureOf({ nature }: WorldMembership, index: number): ResidenceNature {
  return index === 0 ? { ...nature, moves: 0 } : nature;
}

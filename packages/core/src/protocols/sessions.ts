/**
 * Who can be spoken to, and what a new list of peers changes.
 *
 * Invariants
 *  1. A peer that came back on another connection has gone and arrived: nothing of the old connection holds.
 *  2. A peer's report of this node's epoch is heeded before anything is said to it (rule 2 of docs/algorithm.md), unless
 *     nothing could be above it: then it is a lie.
 */

import { EPOCH_LIMIT } from '../origin.ts';
import type { Environment, Peer } from '../protocol.ts';
import { below } from '../random.ts';

const EPOCH_LEAP = 2 ** 20;

export class Sessions {
  readonly #environment: Environment;
  #sessions = new Map<string, number>();
  #names: readonly string[] = [];
  #dependents: readonly string[] = [];
  #others: readonly string[] = [];
  /** Of the peers that are in `#sessions`. */
  #frameBytes = new Map<string, number>();
  #view: ReadonlySet<string> = new Set();
  #beyond = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** The peers that nobody can dial: this node is one of the few from whom they can hear. */
  get dependents(): readonly string[] {
    return this.#dependents;
  }

  /** The peers that are no dependents: news that they have goes on from them. */
  get others(): readonly string[] {
    return this.#others;
  }

  has(name: string): boolean {
    return this.#sessions.has(name);
  }

  /** Whether a node is there, as far as the membership knows, connected or not. */
  inView(name: string): boolean {
    return this.#sessions.has(name) || this.#view.has(name);
  }

  /** Whether everybody in view is connected with this node. */
  get reachesAll(): boolean {
    return this.#beyond === 0;
  }

  /** The largest frame that a peer takes, in bytes; `Infinity` where it is not known. */
  frameBytesOf(name: string): number {
    return this.#frameBytes.get(name) ?? Infinity;
  }

  view(names: ReadonlySet<string>, beyond: number): void {
    this.#view = names;
    this.#beyond = beyond;
  }

  /** Takes the new list. @returns whose connection is new, and whose is over (both, where it was replaced) */
  change(peers: readonly Peer[]): { readonly arrived: readonly string[]; readonly gone: readonly string[] } {
    const former = this.#sessions;
    this.#sessions = new Map(peers.map(({ name, session }) => [name, session]));
    this.#names = peers.map(({ name }) => name);
    this.#frameBytes = new Map(peers.map(({ name, maxFrameBytes = Infinity }) => [name, maxFrameBytes]));
    this.#dependents = peers.filter(({ dialsOnly = false }) => dialsOnly).map(({ name }) => name);
    this.#others =
      this.#dependents.length === 0
        ? this.#names
        : peers.filter(({ dialsOnly = false }) => !dialsOnly).map(({ name }) => name);
    const arrived: string[] = [];
    for (const { name, session, epochOfUs } of peers) {
      if (former.get(name) === session) continue;
      arrived.push(name);
      if (epochOfUs >= EPOCH_LIMIT) continue;
      // Two lives that hear the same of a third must not take the same epoch: so the leap is random.
      this.#environment.replica.adoptEpoch(epochOfUs, () => below(this.#environment.random, EPOCH_LEAP));
    }
    const gone = [...former].filter(([name, session]) => this.#sessions.get(name) !== session).map(([name]) => name);
    return { arrived, gone };
  }
}

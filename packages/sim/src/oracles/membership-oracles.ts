/**
 * The oracles of a membership: what it publishes, and what it must come to once everything has healed.
 *
 * Invariants watched
 *  1. A view lists every node but its own, each once, and of none an earlier life than before.
 *  2. Once all has healed and settled, everybody is there in every view, alive, in its present life, at its present address;
 *     and nobody is declared down any more, but who dies then; and that everybody must know in time.
 *  3. As long as nobody is cut off or slow, in storms too, nobody but the dead and the stopped is declared down.
 *  4. Of two processes of one name everybody takes the same for alive, and is connected with no other; and the other has been
 *     told, or refused.
 *  5. Once settled, every connection is open at both ends, between present lives, and the protocol's peers are the
 *     connections; in a mesh there is one between any two of which one can be dialled, else with somebody.
 *
 * What is said of the living where some are cut off or slow is no violation: those may tell others, who have no connection
 * with them either, that they are down. How often that happens is for experiments to count (papers/swim-stalls.ts).
 *
 * Source: core/memberships/swim, ADR 10.
 */

import { isThere, type MemberStatus } from '@grapevine/core';
import type { SimNode } from '../node.ts';
import type { Object as Objection } from '../violation.ts';

export class MembershipOracles {
  readonly #object: Objection;
  /** Who alone may be declared down: nobody else is dead or stopped, and nobody is cut off or slow. `null`: anybody may. */
  mayGo: ReadonlySet<string> | null = null;
  /** Processes of a name that has two: the one that is sent away hears nobody, and may take anybody for dead. */
  readonly doubled: Set<SimNode> = new Set<SimNode>();
  /** The names that ever had two. */
  readonly twinned: Set<string> = new Set<string>();

  constructor(object: Objection) {
    this.#object = object;
  }

  viewed(node: SimNode, before: readonly MemberStatus[], now: readonly MemberStatus[]): void {
    if (before === now) return;
    const names = new Set(now.map(({ name }) => name));
    if (names.size !== now.length || names.has(node.name))
      this.#object(0, 'view', `${node.name} lists ${now.map(({ name }) => name).join(', ')}`);
    const epochs = new Map(before.map(({ name, epoch }) => [name, epoch]));
    const earlier = now.find(({ name, epoch }) => epoch < (epochs.get(name) ?? 0));
    if (earlier !== undefined)
      this.#object(0, 'earlier-life', `${node.name} takes ${earlier.name} for a life of it that was over`);
    const { mayGo } = this;
    if (mayGo === null || this.doubled.has(node)) return;
    const lost = now.find((status) => !isThere(status) && !mayGo.has(status.name));
    if (lost !== undefined)
      this.#object(
        0,
        'false-down',
        `${node.name} holds ${lost.name} for ${lost.state}, and nothing has happened to it`,
      );
  }
}

/** Who is there for anybody in spite of its death; `null`: nobody holds it for alive. */
export function ghostOf(nodes: readonly SimNode[], dead: SimNode): string | null {
  const believer = nodes.find(({ isUp, residence }) => isUp && residence?.names.has(dead.name) === true);
  return believer === undefined ? null : `${believer.name} believes that ${dead.name} is there`;
}

/** What of it is not yet so; `null`: all is settled. @param isMesh whether everybody is to be connected with everybody who can be */
export function unsettledOf(nodes: readonly SimNode[], isMesh: boolean): string | null {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const hubs = nodes.filter(({ nature }) => !nature.dialsOnly).length;
  for (const node of nodes) {
    const within = node.nature.dialsOnly ? hubs : nodes.length - 1;
    const problem = viewProblem(node, byName) ?? connectionProblem(node, isMesh ? within : 1);
    if (problem !== null) return `${node.name} ${problem}`;
  }
  return null;
}

function viewProblem({ residence }: SimNode, byName: ReadonlyMap<string, SimNode>): string | null {
  const roster = residence?.roster ?? [];
  for (const { name, state, epoch, url } of roster) {
    const home = byName.get(name)?.residence;
    if (!home) return `knows ${name}, which there never was`;
    if (state !== 'alive') return `holds ${name} for ${state}`;
    if (epoch !== home.epoch) return `knows ${name} in its life of ${epoch}, not in that of ${home.epoch}`;
    if (url !== home.url) return `knows ${name} at ${url}, and it is at ${home.url}`;
  }
  return roster.length === byName.size - 1 ? null : `knows ${roster.length} others of ${byName.size - 1}`;
}

function connectionProblem({ ends, peers, residence, reserved }: SimNode, least: number): string | null {
  for (const [name, end] of ends) {
    const { node } = end.peer;
    if (node.ends.get(end.peer.peer.node.name) !== end.peer) return `has half a connection with ${name}`;
    if (end.hello?.epoch !== (node as SimNode).residence?.epoch) return `is connected with a former life of ${name}`;
    if (peers.get(name)?.session !== end.session) return `is connected with ${name}, which is no peer of its protocol`;
  }
  if (peers.size !== ends.size) return `has ${peers.size} peers, and ${ends.size} connections`;
  if (reserved.size > 0) return 'waits for a connection to begin';
  const { names = new Set<string>(), beyond = 0 } = residence ?? {};
  if ([...names].filter((name) => !ends.has(name)).length !== beyond)
    return 'tells its protocol another number of unconnected';
  return ends.size >= least ? null : `has ${ends.size} connections`;
}

/** What is wrong with two processes of one name; `null`: one of them lives, for everybody, and the other knows it. */
export function doubledOf(nodes: readonly SimNode[], twins: readonly [SimNode, SimNode]): string | null {
  const [node, twin] = twins;
  const { name } = node;
  const others = nodes.filter((other) => other !== node);
  const known = new Set(others.map(({ residence }) => residence?.roster.find((status) => status.name === name)?.epoch));
  const [epoch] = known;
  if (known.size !== 1) return `${name} is known in ${known.size} of its lives`;
  const loser = twins.find(({ residence }) => residence?.epoch !== epoch);
  if (loser === undefined || [node, twin].every(({ residence }) => residence?.epoch !== epoch))
    return `${name} is known in a life that neither of its processes has, or both have`;
  const keeper = others.find(({ ends }) => (ends.get(name)?.hello?.epoch ?? epoch) !== epoch);
  if (keeper !== undefined) return `${keeper.name} is connected with the process of ${name} that lost`;
  return loser.residence?.isTold === true ? null : `nobody has told ${name} that another process of its name lives`;
}

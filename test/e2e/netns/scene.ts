/**
 * A scene: agents on a network of their own, and what they say of each other.
 *
 * Invariants
 *  1. A scene ends its own agents and its own network and no others, so that scenes can play side by side.
 *  2. A figure that is printed was compared with its bound.
 */
import { performance } from 'node:perf_hooks';
import { describe, expect } from '@jest/globals';

import { type Agent, type AgentEvent, startAgent, until } from '../agents.ts';
import { pass } from '../../bench/clock.ts';
import { Network, whyNoNetwork } from './network.ts';

/** Whether times are those of the figures to be shown, rather than of a test among many. */
export const isFull: boolean = process.env['GRAPEVINE_NETNS'] === 'full';

type MemberEvent = Extract<AgentEvent, { readonly event: 'nodeup' | 'nodedown' | 'nodechanged' | 'nodeleft' }>;
const memberEvents: readonly string[] = ['nodeup', 'nodedown', 'nodechanged', 'nodeleft'];

export interface PlayedBy {
  /** The namespace. @default the agent's name */
  readonly at?: string;
  readonly seeds: readonly (Agent | string)[];
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  /** More arguments of the command. */
  readonly args?: readonly string[];
}

export class Scene {
  readonly network: Network = Network.open();
  /** Also those that are still on their way. */
  readonly #agents: Promise<Agent>[] = [];

  /** An agent in a namespace, which is made if need be. @returns once it is ready */
  async start(name: string, { at = name, args = [], ...shared }: PlayedBy): Promise<Agent> {
    const { address } = await this.network.node(at);
    const agent = startAgent({
      ...shared,
      name,
      listen: 7001,
      args: ['--host', address, '--insecure', ...args],
      runner: this.network.runner(at),
    });
    this.#agents.push(agent);
    return agent;
  }

  /** Agents that join through the first, once all know all. */
  async cluster(names: readonly string[], played: Omit<PlayedBy, 'seeds' | 'at'> = {}): Promise<Agent[]> {
    const [first, ...others] = names as [string, ...string[]];
    const seed = await this.start(first, { ...played, seeds: [] });
    const agents = [
      seed,
      ...(await Promise.all(others.map(async (name) => this.start(name, { ...played, seeds: [seed] })))),
    ];
    await allKnowAll(agents);
    return agents;
  }

  async close(): Promise<void> {
    // Those that never became ready have ended.
    await Promise.allSettled(this.#agents.map(async (agent) => (await agent).kill()));
    await this.network.close();
  }
}

/** Plays on a scene of its own, and fails as it fails. */
export async function expectPlayed(play: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = new Scene();
  try {
    await play(scene);
  } finally {
    await scene.close();
  }
}

/** Tests that need a network; where none can be made, they are skipped, and say why. */
export function inNetwork(what: string, tests: () => void): void {
  // Who asks for the figures shall not get silence.
  const hindrance = isFull ? null : whyNoNetwork();
  if (hindrance !== null) print(`${what}: skipped, no network can be made here: ${hindrance}`);
  const describeOrSkip = hindrance === null ? describe : describe.skip;
  describeOrSkip(hindrance === null ? what : `${what} (skipped: ${hindrance})`, tests);
}

/** Waits until each lists exactly the others. */
export async function allKnowAll(agents: readonly Agent[], patienceMs?: number): Promise<void> {
  await until(
    `${namesOf(agents)} know each other, and nobody else`,
    () => agents.every((agent) => lists(agent, agents)),
    patienceMs,
  );
}

/** Whether its members are these, without itself. */
export function lists(agent: Agent, agents: readonly Agent[]): boolean {
  const names = agents.filter((other) => other !== agent).map(({ name }) => name);
  return agent.members.join() === names.sort().join();
}

/** What it said of members so far. */
export function memberEventsOf({ events }: Agent): MemberEvent[] {
  return events.filter((event): event is MemberEvent => memberEvents.includes(event.event));
}

/** Who it said went down, since so many of its events. */
export function downs({ events }: Agent, since: number = 0): string[] {
  return events.slice(since).flatMap((event) => (event.event === 'nodedown' ? [event.id] : []));
}

/** Fails where one of these has said that another of these went down. */
export function expectNoFalseDown(agents: readonly Agent[]): void {
  const names = new Set(agents.map(({ name }) => name));
  const said = agents.flatMap((agent) =>
    downs(agent)
      .filter((name) => names.has(name))
      .map((name) => `${agent.name}: ${name} is down`),
  );
  expect(said).toEqual([]);
}

/** Writes at all of these, and removes, for a while. @returns what they must hold in the end */
export async function writeFor(
  forMs: number,
  agents: readonly Agent[],
  { everyMs = 250, word = 'live' }: { readonly everyMs?: number; readonly word?: string } = {},
): Promise<Map<string, unknown>> {
  const expected = new Map<string, unknown>();
  const endMs = performance.now() + forMs;
  for (let i = 0; performance.now() < endMs; i += 1) {
    for (const agent of agents) {
      const id = `${word} ${agent.name} ${i}`;
      agent.add(id, { i });
      expected.set(id, { i });
      // Every third goes again, a while after it has come.
      const gone = `${word} ${agent.name} ${i - 9}`;
      if (i % 3 === 0 && expected.delete(gone)) agent.remove(gone);
    }
    await pass(everyMs);
  }
  return expected;
}

/** Waits for a condition. @returns how long it took, in seconds, printed and compared with its bound */
export async function measured(what: string, boundS: number, condition: () => boolean): Promise<number> {
  const startMs = performance.now();
  await until(what, condition, boundS * 1000);
  const tookS = (performance.now() - startMs) / 1000;
  print(`${what}: ${tookS.toFixed(1)} s of at most ${boundS} s`);
  return tookS;
}

/** For whoever wants to see figures: kept out of the way of the runner's own output. */
export function print(line: string): void {
  process.stderr.write(`netns: ${line}\n`);
}

function namesOf(agents: readonly Agent[]): string {
  return agents.map(({ name }) => name).join(', ');
}

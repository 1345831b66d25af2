/**
 * Where a scenario plays: its agents, in a line or in a mesh, and what must hold of them in the end.
 *
 * Invariants
 *  1. A stage ends its own agents and no others, so that scenarios can play side by side.
 *  2. What an agent holds is what a reader of its events has, and must be what its replica counts and hashes.
 */
import { expect } from '@jest/globals';

import { pass } from '../bench/clock.ts';
import { Agent, type AgentOptions, agreed, startAgent, until } from './agents.ts';

type Shared = Omit<AgentOptions, 'name' | 'peers'>;

export class Stage {
  readonly #agents: Agent[] = [];

  /** Starts one. @returns once it is ready */
  async start(options: AgentOptions): Promise<Agent> {
    const agent = await startAgent(options);
    this.#agents.push(agent);
    return agent;
  }

  /** Starts one that is not expected to become ready. */
  spawn(options: AgentOptions): Agent {
    const agent = new Agent(options);
    this.#agents.push(agent);
    return agent;
  }

  /** Each dials only the one before it. */
  async line(count: number, options: Shared): Promise<Agent[]> {
    const agents: Agent[] = [];
    for (let i = 0; i < count; i += 1)
      agents.push(await this.start({ ...options, name: `n${i}`, peers: agents.slice(-1) }));
    await until('each knows its neighbours', () =>
      agents.every(({ members }, i) => members.length === (i === 0 || i === count - 1 ? 1 : 2)),
    );
    return agents;
  }

  /** Each dials all before it, so that every pair is connected. */
  async mesh(count: number, options: Shared): Promise<Agent[]> {
    const agents: Agent[] = [];
    for (let i = 0; i < count; i += 1) agents.push(await this.start({ ...options, name: `n${i}`, peers: [...agents] }));
    await until('all know all', () => agents.every(({ members }) => members.length === count - 1));
    return agents;
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.kill()));
  }
}

/** Runs a scenario on a stage of its own. */
export function onStage(play: (stage: Stage) => Promise<void>): () => Promise<void> {
  return async () => {
    const stage = new Stage();
    try {
      await play(stage);
    } finally {
      await stage.close();
    }
  };
}

/** Waits until all hold the same, by hash and by what they told; with `expected`, until that is what they hold. */
export async function expectAgreement(
  agents: readonly Agent[],
  expected?: ReadonlyMap<string, unknown>,
): Promise<void> {
  if (expected !== undefined)
    await until(`all hold the ${expected.size} ids expected`, () =>
      agents.every((agent) => isSame(agent.replica(), expected)),
    );
  const content = await agreed(agents);
  if (expected === undefined) return;
  expect(differences(content, expected)).toEqual([]);
  const statuses = await Promise.all(agents.map((agent) => agent.status()));
  expect(statuses.map(({ ids }) => ids)).toEqual(agents.map(() => expected.size));
}

/** The ids in which two contents differ. */
export function differences(content: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): string[] {
  const ids = new Set([...content.keys(), ...expected.keys()]);
  return [...ids].filter((id) => JSON.stringify(content.get(id)) !== JSON.stringify(expected.get(id)));
}

function isSame(content: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): boolean {
  return content.size === expected.size && differences(content, expected).length === 0;
}

/** The ids that it told as removed or expired, and as having a value again later. */
export function returned({ events }: Agent): string[] {
  const gone = new Set<string>();
  const back = new Set<string>();
  for (const event of events)
    if (event.event === 'removed' || event.event === 'expired') gone.add(event.id);
    else if (event.event === 'update' && gone.has(event.id)) back.add(event.id);
  return [...back];
}

/** The ids of the events of a kind. */
export function idsOf({ events }: Agent, kind: 'update' | 'expired'): string[] {
  return events.flatMap((event) => (event.event === kind ? [event.id] : []));
}

/** Where it listens. */
export function portOf({ url }: Agent): number {
  return Number(new URL(url).port);
}

/** Waits until it has complained of this. */
export async function complained(agent: Agent, of: string): Promise<void> {
  // Nothing tells of standard error; the test's own limit ends the wait.
  while (!agent.complaints.includes(of)) await pass(10);
}

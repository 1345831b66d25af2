/**
 * Agents for tests: real processes of the built command, what they hold, and conditions to wait for.
 *
 * Invariants
 *  1. Nothing waits for a duration. A condition is looked at whenever some agent says something, and a condition that
 *     does not come true in time fails with what it waited for and what every agent holds and complained about.
 *  2. No process outlives its test: `endAgents` belongs in `afterEach`.
 */
import { join } from 'node:path';

import { AgentProcess, type Exit } from '../../packages/cli/src/demo/agent-process.ts';
import type { AgentEvent } from '../../packages/cli/src/event.ts';
import { pass } from '../bench/clock.ts';
import { Watch } from '../bench/watch.ts';

export type { AgentEvent, Exit };

export const script: string = join(__dirname, '../../packages/cli/dist/main.js');

export interface AgentOptions {
  readonly name: string;
  /** Agents or URLs to dial: the membership of a list. */
  readonly peers?: readonly (Agent | string)[];
  /** Agents or URLs to join through, with SWIM: in place of `peers`. */
  readonly seeds?: readonly (Agent | string)[];
  /** @default ['grapevine'] */
  readonly gossips?: readonly string[];
  readonly protocol?: 'rumor' | 'entropy' | 'hybrid';
  /** Of the protocol; a part's as `'rumor.rounds'`. */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  /** `null`: dial only. @default 0, a free port */
  readonly listen?: number | null;
  /** More arguments of the command. */
  readonly args?: readonly string[];
  /** A command before it that turns into it, such as `ip netns exec NAME`. */
  readonly runner?: readonly string[];
}

/** How long a condition may take to come true, in milliseconds, before it counts as false. */
const PATIENCE_MS = 30_000;

const all = new Set<Agent>();
const watch = new Watch();

/** Starts an agent. @returns once it has said that it is ready */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const agent = new Agent(options);
  all.add(agent);
  await agent.start();
  return agent;
}

/** Kills all that still run, by process id. */
export async function endAgents(): Promise<void> {
  const agents = [...all];
  all.clear();
  await Promise.all(agents.map((agent) => agent.kill()));
}

export class Agent {
  readonly name: string;
  url: string = '';
  /** All that it said, oldest first. */
  readonly events: AgentEvent[] = [];
  readonly #process: AgentProcess;

  constructor(agent: AgentOptions) {
    const { name, peers = [], seeds, gossips = [], protocol, options = {}, listen = 0, args = [], runner = [] } = agent;
    this.name = name;
    this.#process = new AgentProcess({
      name,
      script,
      runner,
      args: [
        ...(listen === null ? [] : ['--listen', String(listen)]),
        '--membership',
        seeds === undefined ? 'static' : 'swim',
        ...peers.flatMap((peer) => ['--peer', typeof peer === 'string' ? peer : peer.url]),
        ...(seeds ?? []).flatMap((seed) => ['--join', typeof seed === 'string' ? seed : seed.url]),
        ...gossips.flatMap((gossip) => ['--gossip', gossip]),
        ...(protocol === undefined ? [] : ['--protocol', protocol]),
        ...Object.entries(options).flatMap(([key, value]) => ['--option', `${key}=${value}`]),
        ...args,
      ],
    });
    this.#process.listeners.add((event) => {
      this.events.push(event);
      watch.look();
    });
    void this.#process.exited.then(() => watch.look());
  }

  async start(): Promise<void> {
    const { url } = await this.#process.ready;
    this.url = url ?? '';
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it printed on standard error. */
  get complaints(): string {
    return this.#process.complaints;
  }

  get members(): readonly string[] {
    return [...this.#process.members].sort();
  }

  get exited(): Promise<Exit> {
    return this.#process.exited;
  }

  /** Ids and values, by what it printed. */
  replica(gossip: string = 'grapevine'): ReadonlyMap<string, unknown> {
    return this.#process.replica(gossip);
  }

  add(
    id: string,
    value: unknown,
    more: { readonly expiresIn?: number; readonly ephemeral?: boolean; readonly gossip?: string } = {},
  ): void {
    this.#process.write({ id, value, ...more });
  }

  addMany(entries: Iterable<readonly [id: string, value: unknown]>, more: { readonly gossip?: string } = {}): void {
    this.#process.write(...[...entries].map(([id, value]) => ({ id, value, ...more })));
  }

  remove(...ids: readonly string[]): void {
    this.#process.write(...ids.map((id) => ({ id, remove: true })));
  }

  /** A line as it is. */
  writeText(line: string): void {
    this.#process.writeText(line);
  }

  endInput(): void {
    this.#process.endInput();
  }

  /** What it says of a gossip: counters and hash. Rejects when it ends before it answers. */
  status(gossip: string = 'grapevine'): Promise<Extract<AgentEvent, { event: 'status' }>> {
    return this.#process.status(gossip);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  /** SIGTERM. @returns how it ended */
  leave(): Promise<Exit> {
    return this.#process.leave();
  }

  /** SIGKILL, also of a stopped one. */
  async kill(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.exited;
  }
}

/** Waits until a condition on what agents said is true. */
export async function until(what: string, condition: () => boolean, patienceMs: number = PATIENCE_MS): Promise<void> {
  if (await watch.until(condition, patienceMs)) return;
  throw new Error(`waited ${patienceMs} ms for this: ${what}\n${[...all].map(describeAgent).join('\n')}`);
}

/** Waits until every pair of these is connected; in a line, give the pairs instead. */
export async function connected(...agents: readonly Agent[]): Promise<void> {
  await until(`${agents.map(({ name }) => name).join(', ')} are connected`, () =>
    agents.every((agent) => agents.every((other) => other === agent || agent.members.includes(other.name))),
  );
}

/**
 * Waits until these agree: by the hash of their replicas, and by the content that they printed.
 * @returns the content
 */
export async function agreed(
  agents: readonly Agent[],
  { gossip = 'grapevine', by = 'hash' }: { readonly gossip?: string; readonly by?: 'hash' | 'content' } = {},
): Promise<ReadonlyMap<string, unknown>> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    // Asking again is what makes the hashes of one moment comparable.
    const states = await Promise.all(agents.map((agent) => agent.status(gossip)));
    const contents = new Set(agents.map((agent) => content(agent.replica(gossip))));
    const hashes = new Set(by === 'hash' ? states.map(({ hash }) => hash) : []);
    if (contents.size === 1 && hashes.size <= 1) return (agents[0] as Agent).replica(gossip);
    if (performance.now() > deadlineMs)
      throw new Error(
        `waited ${PATIENCE_MS} ms for replicas to agree: ${contents.size} contents, ${hashes.size} hashes\n${states.map((state) => JSON.stringify(state)).join('\n')}\n${agents.map(describeAgent).join('\n')}`,
      );
    await pass(20);
  }
}

/** Ids and values as one text, in the order of the ids. */
export function content(replica: ReadonlyMap<string, unknown>): string {
  return JSON.stringify([...replica].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function describeAgent(agent: Agent): string {
  const held = content(agent.replica());
  return `${agent.name}: ${agent.events.length} events, ${agent.replica().size} ids, members ${agent.members.join(' ')}; ${held.slice(0, 300)} ${agent.complaints.slice(-500)}`;
}

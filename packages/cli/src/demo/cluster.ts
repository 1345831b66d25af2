/**
 * The processes of the demo: a full mesh of agents on this machine.
 *
 * Invariants
 *  1. Each agent dials those that were there before it, so that every pair is connected once.
 *  2. An update counts as everywhere when each living agent has printed it.
 */
import { randomInt } from 'node:crypto';

import { wallMs } from '../wall-clock.ts';
import { AgentProcess } from './agent-process.ts';

/** The gossip that the updates are written to, and the one of the vital signs. */
export const UPDATES = 'updates';
export const PRESENCE = 'presence';

/** How long anything that should happen may take, in milliseconds, before it counts as not happening. */
export const PATIENCE_MS = 15_000;

export class Cluster {
  readonly #script: string;
  readonly #agents = new Map<string, AgentProcess>();
  /** Runs when an agent says something, or ends. */
  readonly #heard = new Set<() => void>();
  #telling = false;
  /** Updates that were written and not removed, by id. */
  readonly written: Map<string, unknown> = new Map();
  /** Those that were killed and have not caught up again. */
  readonly down: Set<string> = new Set();

  constructor(script: string) {
    this.#script = script;
  }

  /** All that were started, in their order; of one started again the last process. */
  get agents(): readonly AgentProcess[] {
    return [...this.#agents.values()];
  }

  get living(): readonly AgentProcess[] {
    return this.agents.filter(({ name }) => !this.down.has(name));
  }

  agent(name: string): AgentProcess {
    const agent = this.#agents.get(name);
    if (agent === undefined) throw new Error(`no agent is called ${name}`);
    return agent;
  }

  /** @returns once it listens */
  async start(name: string): Promise<AgentProcess> {
    const agent = await this.#spawn(name);
    await agent.ready;
    return agent;
  }

  /**
   * Starts a killed one again, empty.
   * @returns how long it takes from its first line until it holds all that had been written by then, in milliseconds;
   *   nothing if it does not in time. Only then is it waited for as one of the living
   */
  async restart(name: string): Promise<number | undefined> {
    const agent = await this.#spawn(name);
    const missing = new Set<string>();
    let readyMs = 0;
    let caughtUpMs: number | undefined;
    agent.on('ready', ({ at }) => {
      readyMs = at;
      for (const id of this.written.keys()) missing.add(id);
    });
    agent.listeners.add((event) => {
      if (caughtUpMs !== undefined || !('gossip' in event) || event.gossip !== UPDATES) return;
      if (event.event === 'snapshot') for (const { id } of event.entries) missing.delete(id);
      if (event.event === 'update') missing.delete(event.id);
      if (missing.size === 0) caughtUpMs = event.at - readyMs;
    });
    await agent.ready;
    await this.until(() => caughtUpMs !== undefined);
    this.down.delete(name);
    return caughtUpMs;
  }

  /** Kills it as a crash of the machine would. */
  async kill(name: string): Promise<void> {
    this.down.add(name);
    const agent = this.agent(name);
    agent.signal('SIGKILL');
    await agent.exited;
  }

  /** Writes at a node; several lines at once are a burst. */
  write(at: AgentProcess, entries: readonly (readonly [id: string, value: unknown])[]): void {
    for (const [id, value] of entries) this.written.set(id, value);
    at.write(...entries.map(([id, value]) => ({ gossip: UPDATES, id, value })));
  }

  /**
   * Writes a single update somewhere and waits until it is everywhere.
   * @returns from the moment it is handed to its writer to the moment the last living agent prints it, in
   *   milliseconds, by the clock they share; nothing if somebody did not have it in time
   */
  async measure(id: string): Promise<number | undefined> {
    const { living } = this;
    const writer = living[randomInt(living.length)] as AgentProcess;
    const waitingFor = new Set(living);
    let lastMs = 0;
    const stops = living.map((agent) =>
      agent.on('update', (event) => {
        if (event.gossip !== UPDATES || event.id !== id || !waitingFor.delete(agent)) return;
        lastMs = Math.max(lastMs, event.at);
      }),
    );
    const startMs = wallMs();
    this.write(writer, [[id, { from: writer.name }]]);
    const arrived = await this.until(() => waitingFor.size === 0);
    for (const stop of stops) stop();
    return arrived ? Math.max(0, lastMs - startMs) : undefined;
  }

  /** How many of the updates an agent lacks, or holds with another value. */
  lacking(agent: AgentProcess): number {
    const replica = agent.replica(UPDATES);
    let lacking = 0;
    for (const [id, value] of this.written)
      if (!replica.has(id) || JSON.stringify(replica.get(id)) !== JSON.stringify(value)) lacking++;
    return lacking;
  }

  /** @returns whether it came true in time; looked at whenever an agent says something */
  until(condition: () => boolean, patienceMs: number = PATIENCE_MS): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (value: boolean): void => {
        this.#heard.delete(look);
        clearTimeout(timer);
        resolve(value);
      };
      const look = (): void => {
        if (condition()) settle(true);
      };
      const timer = setTimeout(() => settle(condition()), patienceMs);
      this.#heard.add(look);
    });
  }

  async #spawn(name: string): Promise<AgentProcess> {
    const others = await Promise.all(this.living.filter((other) => other.name !== name).map(({ ready }) => ready));
    const peers = ['--membership', 'static', ...others.flatMap(({ url }) => ['--peer', String(url)])];
    const agent = new AgentProcess({
      name,
      script: this.#script,
      // The log would run through the table; what is kept of standard error tells why an agent died.
      args: ['--listen', '0', '--gossip', UPDATES, '--vitals', PRESENCE, '--log-level', 'error', ...peers],
    });
    this.#agents.set(name, agent);
    agent.listeners.add(() => this.#tell());
    void agent.exited.then(() => this.#tell());
    return agent;
  }

  /** Asks all to leave. @returns those that did not end as they should */
  async leave(): Promise<string[]> {
    const exits = await Promise.all(this.agents.map(async (agent) => ({ agent, ...(await agent.leave()) })));
    return exits.filter(({ code }) => code !== 0).map(({ agent, code, signal }) => `${agent.name} (${signal ?? code})`);
  }

  /** Looks once for all that was said at once, when every listener has heard it. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      for (const look of this.#heard) look();
    });
  }
}

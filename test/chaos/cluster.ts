/**
 * The agents under test: real processes of the built command, started and ended at will, each with a log, a clock and a
 * state file that outlive it.
 *
 * Invariants
 *  1. An agent that is started again is given no seed: its state file, and others who dial it, are all it has.
 *  2. A process that ends unbidden, a line of level error, and an input that was refused are troubles.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { type AgentEvent, AgentProcess } from '@grapevine/cli';

import { Watch } from '../bench/watch.ts';
import { Disk } from './disk.ts';
import { maxDriftMs } from './plan.ts';
import { innerHost, type Network } from './network.ts';

export interface ClusterOptions {
  /** Where the repository is, built. */
  readonly root: string;
  /** For logs, clocks and state files. */
  readonly folder: string;
  readonly network: Network;
  readonly names: readonly string[];
  readonly heard: (agent: AgentProcess, event: AgentEvent) => void;
}

export type ProtocolName = 'hybrid' | 'entropy';

/** Sooner than in life, so that a fault takes a second or two to be noticed and mended. */
const swim = {
  probeInterval: 300,
  probeTimeout: 150,
  suspicionMult: 2,
  suspicionMaxMult: 2,
  gossipInterval: 50,
  syncInterval: 2000,
};
const PING_INTERVAL_MS = 500;
const DELTA_MS = 200;
const LOOK_MS = 100;

export class Cluster {
  /** The last process of each name, living or not. */
  readonly agents: Map<string, AgentProcess> = new Map();
  readonly living: Set<AgentProcess> = new Set();
  readonly disk: Disk;
  /** What all are started with. */
  protocol: ProtocolName = 'hybrid';
  /** How many processes have been started. */
  started = 0;
  readonly #options: ClusterOptions;
  readonly #ports = new Map<string, number>();
  readonly #readTo = new Map<string, number>();
  readonly #troubles: string[] = [];
  readonly #watch = new Watch();

  constructor(options: ClusterOptions) {
    this.#options = options;
    const disk = join(options.folder, 'disk');
    mkdirSync(disk);
    this.disk = new Disk(disk);
  }

  get names(): readonly string[] {
    return this.#options.names;
  }

  /** Makes what outlives the processes, and starts them, all through the first. */
  async open(): Promise<void> {
    for (const name of this.names) {
      writeFileSync(this.#clockOf(name), '0');
      writeFileSync(this.logPathOf(name), '');
      this.#ports.set(name, await this.#options.network.listen(name));
    }
    const seed = this.urlOf(this.names[0] as string);
    await Promise.all(this.names.map((name) => this.start(name, ['--join', seed])));
  }

  async close(): Promise<void> {
    const living = [...this.living];
    this.living.clear();
    for (const agent of living) agent.signal('SIGKILL');
    await Promise.all(living.map(({ exited }) => exited));
    this.disk.close();
  }

  /** @returns once it is ready */
  async start(name: string, more: readonly string[] = []): Promise<AgentProcess> {
    const { root, heard } = this.#options;
    const agent = new AgentProcess({
      name,
      script: join(root, 'packages/cli/dist/main.js'),
      // The clock comes before all else, and the log survives both the agent and this process.
      runner: [
        'env',
        `NODE_OPTIONS=--import=${pathToFileURL(join(root, 'test/chaos/clock.mjs')).href}`,
        `CHAOS_CLOCK=${this.#clockOf(name)}`,
        'sh',
        '-c',
        'exec "$@" 2>>"$0"',
        this.logPathOf(name),
      ],
      args: [
        ...flags({
          host: innerHost,
          listen: this.#ports.get(name),
          advertise: this.urlOf(name),
          'state-file': this.stateFileOf(name),
          'max-drift-ms': maxDriftMs,
          'ping-interval-ms': PING_INTERVAL_MS,
          protocol: this.protocol,
          option: `delta=${DELTA_MS}`,
        }),
        ...Object.entries(swim).flatMap(([key, value]) => ['--swim', `${key}=${value}`]),
        ...more,
      ],
    });
    this.agents.set(name, agent);
    this.living.add(agent);
    this.started += 1;
    agent.listeners.add((event) => {
      heard(agent, event);
      this.#watch.look();
    });
    void agent.exited.then(({ code, signal }) => {
      if (this.living.delete(agent)) this.#troubles.push(`${name} ended unbidden: ${signal ?? code}`);
      this.#watch.look();
    });
    await agent.ready;
    // Set anew while it was being started, perhaps.
    agent.signal('SIGUSR2');
    return agent;
  }

  /** @returns once it has ended. SIGTERM: it says goodbye */
  async stop(name: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const agent = this.agent(name);
    if (!this.living.has(agent)) return;
    this.living.delete(agent);
    agent.signal(signal);
    const { code } = await agent.exited;
    if (signal === 'SIGTERM' && code !== 0) this.#troubles.push(`${name} left with ${code}`);
  }

  agent(name: string): AgentProcess {
    return this.agents.get(name) as AgentProcess;
  }

  setClock(name: string, offMs: number): void {
    writeFileSync(this.#clockOf(name), String(offMs));
    const agent = this.agent(name);
    void agent.ready.then(
      () => agent.signal('SIGUSR2'),
      () => undefined,
    );
  }

  urlOf(name: string): string {
    return `ws://127.0.0.1:${this.#ports.get(name)}`;
  }

  logPathOf(name: string): string {
    return join(this.#options.folder, `${name}.log`);
  }

  /** What it has said, all its lives together, from a byte on. */
  logOf(name: string, from: number = 0): string {
    return readFileSync(this.logPathOf(name)).subarray(from).toString('utf8');
  }

  logLengthOf(name: string): number {
    return statSync(this.logPathOf(name)).size;
  }

  stateFileOf(name: string): string {
    return join(this.disk.path, `${name}.json`);
  }

  /** Whether all live, and everybody says that all others are there. */
  get isWhole(): boolean {
    return this.names.every((name) => {
      const agent = this.agent(name);
      return this.living.has(agent) && agent.members.size === this.names.length - 1;
    });
  }

  /** What was found to be wrong since the last time. */
  troubles(): string[] {
    return [...this.#troubles.splice(0), ...this.names.flatMap((name) => this.#newTroublesOf(name))];
  }

  /** The end of a log. */
  tailOf(name: string, lines: number): string {
    return this.logOf(name).trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** @returns whether it came true in time; looked at when an agent says something or ends, and now and then */
  async until(condition: () => boolean, patienceMs: number): Promise<boolean> {
    const again = setInterval(() => this.#watch.look(), LOOK_MS);
    try {
      return await this.#watch.until(condition, patienceMs);
    } finally {
      clearInterval(again);
    }
  }

  #clockOf(name: string): string {
    return join(this.#options.folder, `${name}.clock`);
  }

  #newTroublesOf(name: string): string[] {
    const from = this.#readTo.get(name) ?? 0;
    const text = this.logOf(name, from);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#readTo.set(name, from + Buffer.byteLength(whole));
    return whole
      .split('\n')
      .filter((line) => line !== '' && isTrouble(line))
      .map((line) => `${name} says ${line}`);
  }
}

function flags(given: Readonly<Record<string, string | number | undefined>>): string[] {
  return Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** A line of pino of level error or worse, or one that pino did not write. */
function isTrouble(line: string): boolean {
  // Cut off where a process was killed, with the first of the next behind it.
  if (line.startsWith('{')) return /"level":[56]0\b/.test(line);
  return true;
}

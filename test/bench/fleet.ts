/**
 * A fleet: many agents, each a process of the built command, that find each other by SWIM through a few of them.
 *
 * Invariants
 *  1. What is waited for is a condition on what agents said, looked at whenever one says something.
 *  2. No process outlives `end`.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { type AgentEvent, AgentProcess } from '@grapevine/cli';

import { Watch } from './watch.ts';

const script = fileURLToPath(new URL('main.js', import.meta.resolve('@grapevine/cli')));

/** What was said of a member, by whom. */
export interface Said {
  readonly event: 'nodeup' | 'nodedown' | 'nodeleft' | 'nodechanged';
  readonly by: string;
  readonly about: string;
}

export class Fleet {
  readonly agents: Map<string, AgentProcess> = new Map<string, AgentProcess>();
  readonly urls: Map<string, string> = new Map<string, string>();
  /** What agents said of members since this was last emptied. */
  said: Said[] = [];
  readonly #args: readonly string[];
  readonly #watch = new Watch();

  /** @param args more arguments of every agent */
  constructor(args: readonly string[] = []) {
    this.#args = args;
  }

  get names(): string[] {
    return [...this.agents.keys()];
  }

  /** Starts an agent that joins through these. @returns when it is ready */
  async start(name: string, seeds: readonly string[]): Promise<AgentProcess> {
    const joins = seeds.flatMap((seed) => ['--join', this.urls.get(seed) ?? seed]);
    const agent = new AgentProcess({ name, script, args: ['--listen', '0', ...joins, ...this.#args] });
    this.agents.set(name, agent);
    agent.listeners.add((event) => this.#hear(event));
    const { url } = await agent.ready;
    this.urls.set(name, String(url));
    return agent;
  }

  /** Ends one, whose name is free then. */
  async stop(name: string, signal: NodeJS.Signals): Promise<void> {
    const agent = this.agents.get(name);
    this.agents.delete(name);
    this.urls.delete(name);
    agent?.signal(signal);
    await agent?.exited;
  }

  /** @returns after how many milliseconds the condition held; NaN where it did not in time */
  async until(condition: () => boolean, patienceMs: number): Promise<number> {
    const beganMs = performance.now();
    if (condition()) return 0;
    return (await this.#watch.until(condition, patienceMs)) ? performance.now() - beganMs : NaN;
  }

  /** Whether everybody knows everybody, and nobody else. */
  get isWhole(): boolean {
    const { names } = this;
    for (const [name, { members }] of this.agents)
      if (members.size !== names.length - 1 || names.some((other) => other !== name && !members.has(other)))
        return false;
    return true;
  }

  /** Whether nobody knows these any more. */
  areGone(gone: readonly string[]): boolean {
    for (const { members } of this.agents.values()) if (gone.some((name) => members.has(name))) return false;
    return true;
  }

  /** What all processes have used since they began: CPU time, and bytes written, to sockets for nearly all. */
  usage(): { readonly cpuMs: number; readonly bytes: number; readonly sockets: number[] } {
    let cpuMs = 0;
    let bytes = 0;
    const sockets: number[] = [];
    for (const { pid } of this.agents.values()) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // In hundredths of a second, on every Linux.
      cpuMs += 10 * (Number(user) + Number(system));
      bytes += Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
      sockets.push(readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length);
    }
    return { cpuMs, bytes, sockets };
  }

  async end(): Promise<void> {
    await Promise.all(
      [...this.agents.values()].map((agent) => {
        agent.signal('SIGKILL');
        return agent.exited;
      }),
    );
  }

  #hear(event: AgentEvent): void {
    switch (event.event) {
      case 'nodeup':
      case 'nodedown':
      case 'nodeleft':
      case 'nodechanged':
        this.said.push({ event: event.event, by: event.node, about: event.id });
        break;
      default:
        break;
    }
    this.#watch.look();
  }
}

/** One that is listened on counts too; standard input and output of an agent are sockets of its parent. */
function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    return false;
  }
}

/**
 * An agent as a child process, and a copy of what it said that it holds.
 *
 * Invariants
 *  1. A child never outlives its parent: its input ends with the parent and it leaves then, and what is still there when
 *     the parent exits is killed.
 *  2. The copy follows the events alone, in their order: a snapshot replaces it, the others change it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

import type { AgentEvent } from '../event.ts';
import { LineSplitter } from '../lines.ts';

export interface AgentProcessOptions {
  readonly name: string;
  /** The script of the `grapevine` command. */
  readonly script: string;
  /** After `agent --json --exit-on-end --name …`. */
  readonly args: readonly string[];
  /** A command before it that turns into it, by exec, such as `ip netns exec NAME`. @default none */
  readonly runner?: readonly string[];
  /** The runtime that runs the script: a program, and its arguments before the script. @default the one that runs this */
  readonly runtime?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

type EventOf<K extends AgentEvent['event']> = Extract<AgentEvent, { readonly event: K }>;

/** How much of standard error is kept, in characters. */
const KEPT_STDERR_CHARS = 16_384;

const running = new Set<ChildProcessWithoutNullStreams>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class AgentProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles with the first line. Rejects, with what it complained about, when it ends before. */
  readonly ready: Promise<EventOf<'ready'>>;
  readonly exited: Promise<Exit>;
  /** Told of every event, after the copy has followed it. */
  readonly listeners: Set<(event: AgentEvent) => void> = new Set();
  /** The end of its standard error. */
  complaints: string = '';
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #replicas = new Map<string, Map<string, unknown>>();
  readonly #members = new Set<string>();

  constructor({ name, script, args, runner = [], runtime = [process.execPath] }: AgentProcessOptions) {
    this.name = name;
    const agent = [...runtime, script, 'agent', '--json', '--exit-on-end', '--name', name, ...args];
    const [command, ...rest] = [...runner, ...agent] as [string, ...string[]];
    const child = spawn(command, rest, { stdio: 'pipe' });
    this.#child = child;
    this.pid = child.pid ?? 0;
    running.add(child);
    this.exited = new Promise((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    void this.exited.then(() => running.delete(child));
    this.ready = new Promise((resolve, reject) => {
      this.on('ready', resolve);
      void this.exited.then(({ code, signal }) =>
        reject(new Error(`${name} ended (${signal ?? code}) before it was ready: ${this.complaints.trim()}`)),
      );
    });
    // Whoever does not ask whether it became ready hears of its end by `exited`.
    this.ready.catch(() => undefined);
    // Writing to a process that has just died is no news either.
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaints = (this.complaints + text).slice(-KEPT_STDERR_CHARS);
    });
    const splitter = new LineSplitter(Number.POSITIVE_INFINITY);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      for (const { text } of splitter.push(chunk)) if (text !== null) this.#follow(JSON.parse(text) as AgentEvent);
    });
  }

  /** Who it said are there, without itself. */
  get members(): ReadonlySet<string> {
    return this.#members;
  }

  /** What it said that it holds. */
  replica(gossip: string): ReadonlyMap<string, unknown> {
    return this.#replicas.get(gossip) ?? new Map();
  }

  /** Lines for its standard input. */
  write(...lines: readonly object[]): void {
    this.#child.stdin.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** A line as it is, for those that are no JSON. */
  writeText(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Told of every event of a kind. @returns how to stop */
  on<K extends AgentEvent['event']>(kind: K, listener: (event: EventOf<K>) => void): () => void {
    const filtered = (event: AgentEvent): void => {
      if (event.event === kind) listener(event as EventOf<K>);
    };
    this.listeners.add(filtered);
    return () => this.listeners.delete(filtered);
  }

  /** @returns what it says of a gossip. Rejects when the process ends before it answers */
  status(gossip: string): Promise<EventOf<'status'>> {
    return new Promise((resolve, reject) => {
      const stop = this.on('status', (event) => {
        if (event.gossip !== gossip) return;
        stop();
        resolve(event);
      });
      void this.exited.then(() =>
        reject(new Error(`${this.name} ended before it told its status: ${this.complaints}`)),
      );
      this.write({ status: true });
    });
  }

  /** Does nothing to a process that has ended. */
  signal(signal: NodeJS.Signals): void {
    const { exitCode, signalCode, pid } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      // Not `child.kill`: on Deno a child to which it sent a signal counts as ended by that, whatever it made of it.
      process.kill(pid, signal);
    } catch (error) {
      // It has ended, which is not told yet.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Asks it to leave. @returns how it ended */
  async leave(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  #follow(event: AgentEvent): void {
    switch (event.event) {
      case 'snapshot':
        this.#replicas.set(event.gossip, new Map(event.entries.map(({ id, value }) => [id, value])));
        break;
      case 'update':
        this.#replicas.get(event.gossip)?.set(event.id, event.value);
        break;
      case 'removed':
      case 'expired':
        this.#replicas.get(event.gossip)?.delete(event.id);
        break;
      case 'nodeup':
        this.#members.add(event.id);
        break;
      case 'nodedown':
      case 'nodeleft':
        this.#members.delete(event.id);
        break;
      default:
        break;
    }
    for (const listener of this.listeners) listener(event);
  }
}

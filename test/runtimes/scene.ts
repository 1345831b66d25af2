/**
 * Where a scenario of the matrix plays: agents on the runtimes of its cast, files for them, and conditions to wait for.
 *
 * Invariants
 *  1. Nothing waits for a duration: what does not come true in `patienceMs` fails with what every agent said.
 *  2. A scene kills its own agents, by process id, and removes its files.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type AgentEvent, AgentProcess } from '@grapevine/cli';

import { pass } from '../bench/clock.ts';
import type { Runtime } from './runtimes.ts';

export interface SceneOptions {
  /** A project in which the packed packages are installed, with the programs of the matrix beside them. */
  readonly project: string;
  /** On which runtime each agent runs. */
  readonly cast: readonly Runtime[];
  /** How long a condition may take, in milliseconds. @default 30000 */
  readonly patienceMs?: number;
}

export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export const gossip = 'grapevine';

/** The script of the command, in a project. */
const command = 'node_modules/@grapevine/cli/bin/grapevine.js';

export class Scene {
  readonly cast: readonly Runtime[];
  readonly #project: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'grapevine-runtimes-'));
  readonly #patienceMs: number;
  readonly #agents = new Set<AgentProcess>();

  constructor({ project, cast, patienceMs = 30_000 }: SceneOptions) {
    this.#project = project;
    this.cast = cast;
    this.#patienceMs = patienceMs;
  }

  /** @returns its path */
  file(name: string, content: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Starts an agent that listens at a free port and joins through the others. @returns once it is ready */
  async start(
    runtime: Runtime,
    name: string,
    { through = [], args = [] }: { readonly through?: readonly string[]; readonly args?: readonly string[] } = {},
  ): Promise<Member> {
    const agent = this.#spawn(runtime, name, [
      '--listen',
      '0',
      '--swim',
      'profile=local',
      ...through.flatMap((url) => ['--join', url]),
      ...args,
    ]);
    const { url } = await agent.ready;
    return { agent, runtime, name, url: url as string };
  }

  /** One agent for each of the cast, each joined through the first. */
  async startAll(argsOf: (runtime: Runtime, name: string) => readonly string[] = () => []): Promise<Member[]> {
    const members: Member[] = [];
    for (const [index, runtime] of this.cast.entries()) {
      const name = `n${index + 1}`;
      const through = members.slice(0, 1).map(({ url }) => url);
      members.push(await this.start(runtime, name, { through, args: argsOf(runtime, name) }));
    }
    return members;
  }

  /** Runs the command to its end. */
  run(runtime: Runtime, ...args: readonly string[]): Promise<Ended> {
    return this.program(runtime, command, ...args);
  }

  /** Runs a script of the project to its end. */
  program({ command: [program, ...before] }: Runtime, script: string, ...args: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { timeout: this.#patienceMs, maxBuffer: 2 ** 24 };
      execFile(
        program as string,
        [...before, join(this.#project, script), ...args],
        options,
        (error, output, errors) => {
          resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, output, errors });
        },
      );
    });
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const untilMs = performance.now() + this.#patienceMs;
    while (!condition()) {
      if (performance.now() > untilMs) {
        const states = [...this.#agents].map(describe).join('\n');
        throw new Error(`waited ${this.#patienceMs} ms in vain: ${what}\n${states}`);
      }
      await pass(10);
    }
  }

  /** Waits until each of these knows all the others, and nobody else. */
  met(members: readonly Member[]): Promise<void> {
    const names = members.map(({ name }) => name);
    return this.until(`${names.join(', ')} know each other`, () =>
      members.every(({ agent, name }) => {
        const others = names.filter((other) => other !== name);
        return agent.members.size === others.length && others.every((other) => agent.members.has(other));
      }),
    );
  }

  /** Waits until all hold this, by what they told and by hash. */
  async hold(members: readonly Member[], expected: ReadonlyMap<string, unknown>): Promise<void> {
    await this.until(`all hold the ${expected.size} ids`, () =>
      members.every(({ agent }) => isSame(agent.replica(gossip), expected)),
    );
    const untilMs = performance.now() + this.#patienceMs;
    for (;;) {
      const states = await Promise.all(members.map(({ agent }) => agent.status(gossip)));
      if (new Set(states.map(({ hash }) => hash)).size === 1) return;
      if (performance.now() > untilMs)
        throw new Error(`the hashes stay apart: ${states.map(({ node, hash }) => `${node} ${hash}`).join(', ')}`);
      await pass(20);
    }
  }

  /** Waits until it has complained of this. */
  complained({ agent, name }: Member, of: string): Promise<void> {
    return this.until(`${name} complains: ${of}`, () => agent.complaints.includes(of));
  }

  async close(): Promise<void> {
    for (const agent of this.#agents) agent.signal('SIGKILL');
    await Promise.all([...this.#agents].map(({ exited }) => exited));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(runtime: Runtime, name: string, args: readonly string[]): AgentProcess {
    const script = join(this.#project, command);
    const agent = new AgentProcess({ name, script, args, runtime: runtime.command });
    this.#agents.add(agent);
    return agent;
  }
}

/** An agent that has become ready. */
export interface Member {
  readonly agent: AgentProcess;
  readonly runtime: Runtime;
  readonly name: string;
  readonly url: string;
}

/** Counts the events of a kind that an agent tells from now on. */
export function count({ agent }: Member, kind: AgentEvent['event'], id: string): () => number {
  let told = 0;
  agent.on(kind, (event) => {
    if ('id' in event && event.id === id) told += 1;
  });
  return () => told;
}

function isSame(replica: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): boolean {
  if (replica.size !== expected.size) return false;
  for (const [id, value] of expected) if (JSON.stringify(replica.get(id)) !== JSON.stringify(value)) return false;
  return true;
}

function describe(agent: AgentProcess): string {
  const ids = agent.replica(gossip).size;
  return `${agent.name}: ${ids} ids, members ${[...agent.members].join(' ')}; ${agent.complaints.slice(-600)}`;
}

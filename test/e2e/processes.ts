/**
 * Agents as real processes, and what each said: the stage of every scenario.
 *
 * Invariants
 *  1. No child outlives its test: `Stage.close` kills what is left, and an agent leaves when its input ends.
 *  2. What an agent holds is folded from its events alone, as any reader of its output would have it.
 *  3. Waiting is for conditions; one that never comes fails, and says how everybody stood.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const command = join(__dirname, '../../packages/cli/dist/main.js');

/** How long a condition may take, in milliseconds: far more than it ever does. */
const PATIENCE_MS = 45_000;
/** Between two looks at a condition, in milliseconds. */
const LOOK_EVERY_MS = 10;

/** What these tests read of an event. */
export interface AgentEvent {
  readonly event: string;
  readonly at: number;
  readonly node: string;
  readonly url?: string;
  readonly id: string;
  readonly value?: unknown;
  readonly origin?: string;
  readonly entries?: readonly { readonly id: string; readonly value: unknown }[];
  readonly ids: number;
  readonly hash: string;
  readonly tombstones: number;
  readonly restarts: number;
}

/** Waits until it holds. @throws Error when it does not in time */
export async function until(holds: () => boolean, explain: () => string = () => holds.toString()): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${explain()}`);
    await pause();
  }
}

/** Gives the processes a moment. */
export function pause(delayMs: number = LOOK_EVERY_MS): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

export interface AgentOptions {
  readonly name: string;
  /** Where it listens; 0 takes a free port. @default 0 */
  readonly port?: number;
  /** URLs, or agents that are ready. */
  readonly peers?: readonly (string | Agent)[];
  readonly protocol?: string;
  /** After all others. */
  readonly args?: readonly string[];
}

export class Agent {
  readonly name: string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** What a reader of its events has. */
  readonly replica: Map<string, unknown> = new Map();
  /** What was told as removed or expired. */
  readonly gone: Set<string> = new Set();
  readonly expired: Set<string> = new Set();
  /** Ids that were told as removed or expired, and had a value again later. */
  readonly returned: Set<string> = new Set();
  readonly members: Set<string> = new Set();
  url = '';
  stderr = '';
  /** How often it told that an id has a new value. */
  updates = 0;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #statuses: ((status: AgentEvent) => void)[] = [];
  #rest = '';

  constructor({ name, port = 0, peers = [], protocol = 'hybrid', args = [] }: AgentOptions) {
    this.name = name;
    const urls = peers.flatMap((peer) => ['--peer', typeof peer === 'string' ? peer : peer.url]);
    const line = [command, 'agent', '--json', '--exit-on-end', '--name', name, '--listen', String(port)];
    this.#child = spawn(process.execPath, [...line, '--protocol', protocol, ...urls, ...args], { stdio: 'pipe' });
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
  }

  /** Waits for its first line. @throws Error with its complaints when it ends before */
  async ready(): Promise<this> {
    let ended = false;
    void this.exited.then(() => {
      ended = true;
    });
    await until(
      () => this.url !== '' || ended,
      () => `${this.name} is not ready: ${this.stderr}`,
    );
    if (this.url === '') throw new Error(`${this.name} ended before it was ready: ${this.stderr}`);
    return this;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Lines for its input. */
  write(...lines: readonly object[]): void {
    this.#child.stdin.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    const isRunning = this.#child.exitCode === null && this.#child.signalCode === null;
    this.signal('SIGKILL');
    if (isRunning) await once(this.#child, 'exit');
  }

  /** Its counters and hash. */
  status(): Promise<AgentEvent> {
    return new Promise((resolve) => {
      this.#statuses.push(resolve);
      this.write({ status: true });
    });
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#hear(JSON.parse(line) as AgentEvent);
  }

  #hear(event: AgentEvent): void {
    switch (event.event) {
      case 'ready':
        this.url = event.url ?? '';
        return;
      case 'snapshot':
        this.replica.clear();
        for (const { id, value } of event.entries ?? []) this.#hold(id, value);
        return;
      case 'update':
        this.updates += 1;
        return this.#hold(event.id, event.value);
      case 'expired':
        this.expired.add(event.id);
        return this.#drop(event.id);
      case 'removed':
        return this.#drop(event.id);
      case 'nodeup':
        this.members.add(event.id);
        return;
      case 'nodedown':
        this.members.delete(event.id);
        return;
      case 'status':
        return this.#statuses.shift()?.(event);
      default:
    }
  }

  #hold(id: string, value: unknown): void {
    if (this.gone.has(id)) this.returned.add(id);
    this.replica.set(id, value);
  }

  #drop(id: string): void {
    this.gone.add(id);
    this.replica.delete(id);
  }
}

/** The agents of one test. */
export class Stage {
  readonly #agents: Agent[] = [];

  /** Starts one and waits until it is ready. */
  start(options: AgentOptions): Promise<Agent> {
    return this.spawn(options).ready();
  }

  /** Starts one that may never become ready. */
  spawn(options: AgentOptions): Agent {
    const agent = new Agent(options);
    this.#agents.push(agent);
    return agent;
  }

  /** Each dials only the one before it. */
  async line(count: number, options: Omit<AgentOptions, 'name' | 'peers'>): Promise<Agent[]> {
    const agents: Agent[] = [];
    for (let i = 0; i < count; i += 1)
      agents.push(await this.start({ ...options, name: `n${i}`, peers: agents.slice(-1) }));
    return agents;
  }

  /** Each dials all before it, so that every pair is connected. */
  async mesh(count: number, options: Omit<AgentOptions, 'name' | 'peers'>): Promise<Agent[]> {
    const agents: Agent[] = [];
    for (let i = 0; i < count; i += 1) agents.push(await this.start({ ...options, name: `n${i}`, peers: [...agents] }));
    await until(() => agents.every(({ members }) => members.size === count - 1));
    return agents;
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.kill()));
  }
}

/** Runs a test with a stage of its own, so that tests can run side by side. */
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

/**
 * Waits until all agents hold the same: by the hash of their replicas and by what they told.
 * @param expected what all must hold in the end; without it, whatever they agree on
 */
export async function expectAgreement(
  agents: readonly Agent[],
  expected?: ReadonlyMap<string, unknown>,
): Promise<void> {
  const [first] = agents as readonly [Agent, ...Agent[]];
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const statuses = await Promise.all(agents.map((agent) => agent.status()));
    const [status] = statuses as [AgentEvent, ...AgentEvent[]];
    const content = expected ?? first.replica;
    const isAgreed =
      statuses.every(({ hash, ids }) => hash === status.hash && ids === content.size) &&
      agents.every(({ replica }) => differences(replica, content).length === 0);
    if (isAgreed) return;
    if (performance.now() > deadline) throw new Error(`no agreement: ${disagreement(agents, statuses, content)}`);
    await pause();
  }
}

/** The ids in which two contents differ. */
export function differences(content: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): string[] {
  const ids = new Set([...content.keys(), ...expected.keys()]);
  const written = (map: ReadonlyMap<string, unknown>, id: string): string | undefined => JSON.stringify(map.get(id));
  return [...ids].filter((id) => written(content, id) !== written(expected, id));
}

function disagreement(
  agents: readonly Agent[],
  statuses: readonly AgentEvent[],
  content: ReadonlyMap<string, unknown>,
): string {
  const stands = agents.map((agent, i) => {
    const ids = differences(agent.replica, content);
    return `${agent.name} ${JSON.stringify(statuses[i])} differs in ${ids.length}: ${ids.slice(0, 5).join(', ')}; ${agent.stderr}`;
  });
  return stands.join('\n');
}

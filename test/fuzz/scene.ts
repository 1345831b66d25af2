/**
 * A node that liars talk to, and honest peers that go on writing meanwhile: real nodes, over memory or over sockets.
 *
 * Invariants
 *  1. The wall clock of all nodes begins at the same moment in every run and stands until it is let go, so that names,
 *     epochs and stamps do not depend on when the run was.
 */
import { randomBytes } from 'node:crypto';
import {
  createGrapevine,
  entropy,
  type Gossip,
  type Grapevine,
  hybrid,
  type Protocol,
  rumor,
  swim,
} from '@grapevine/node';
import { Origin } from '@grapevine/core';
import {
  createMemoryTransport,
  createWebSocketTransport,
  memoryNetwork,
  type Transport,
  type TransportOptions,
} from '@grapevine/transport';
import type { Oracle } from './oracle.ts';
import { strangerName } from './strangers.ts';
import { tapped } from './tap.ts';

export type Medium = 'memory' | 'sockets';

export interface SceneOptions {
  /** Tells scenes apart. */
  readonly name: string;
  readonly medium: Medium;
  readonly honest: number;
  /** Whether liars may tell nodes of later lives of theirs, whereupon these start anew. */
  readonly mayRestart: boolean;
  readonly oracle: Oracle;
  /** A frame of a liar is about to be read by the node. */
  readonly heard: (session: number, frame: Uint8Array) => void;
}

/** What every node runs. Liars take part in the first three. */
export const protocols: Readonly<Record<string, Protocol>> = {
  flags: hybrid({ delta: 250, gc: 200, tombstoneTtl: 2000, ttl: 2000 }),
  news: rumor({ delta: 250, gc: 200, ttl: 2000 }),
  state: entropy({ delta: 250, gc: 200, tombstoneTtl: 2000 }),
  quiet: hybrid({ delta: 250, gc: 200, tombstoneTtl: 2000, ttl: 2000 }),
};
/** Small, so that they are reached. */
const bounds = { maxIds: 2000, maxBytes: 512 * 1024, maxOrigins: 256 } as const;
/** Instances whose replicas would end equal without liars; no liar writes to the last. */
const converging = ['flags', 'state', 'quiet'] as const;

const beginMs = Date.UTC(2026, 0, 1);
const writeEveryMs = 250;
const idsOfEach = 40;
/** Machines may be busy. */
const patienceMs = 180_000;

/** How the name of each honest node begins, and no liar's. */
export const honestPrefix = 'honest';

export class Scene {
  readonly key: Uint8Array = randomBytes(32);
  readonly nodes: Grapevine[] = [];
  readonly medium: Medium;
  readonly name: string;
  readonly #options: SceneOptions;
  readonly #network = memoryNetwork();
  #letGoAt: number | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isOver = false;

  private constructor(options: SceneOptions) {
    this.#options = options;
    this.name = options.name;
    this.medium = options.medium;
  }

  /** @returns once all nodes know each other and hold something of each other */
  static async start(options: SceneOptions): Promise<Scene> {
    const scene = new Scene(options);
    for (let i = 0; i <= options.honest; i++) await scene.#join(i);
    scene.#letGoAt = performance.now();
    await scene.#write(0);
    await scene.#until('the honest nodes find each other', () => scene.#disagreement());
    scene.#writing = scene.#writeOn();
    return scene;
  }

  /** The node that liars talk to. */
  get target(): Grapevine {
    return this.nodes[0] as Grapevine;
  }

  get url(): string {
    return this.target.url as string;
  }

  now(): number {
    return beginMs + (this.#letGoAt === null ? 0 : Math.floor(performance.now() - this.#letGoAt));
  }

  /** The origins of what the honest nodes write. */
  origins(): Origin[] {
    const origins = new Map<string, Origin>();
    for (const instance of converging)
      for (const [id] of this.target.gossip(instance).entries()) {
        const entry = this.target.gossip(instance).entry(id);
        if (entry === undefined) continue;
        const { name, epoch } = entry.origin;
        origins.set(`${name} ${epoch}`, new Origin(name, epoch));
      }
    return [...origins.values()];
  }

  /** A transport as the nodes have, for one who may lie. */
  transport(options: TransportOptions): Transport {
    return this.medium === 'memory' ? createMemoryTransport(this.#network, options) : createWebSocketTransport(options);
  }

  /** The honest stop writing. @returns once all replicas of theirs that shall be equal are; a failure if they do not get there */
  async converge(): Promise<void> {
    await this.stopWriting();
    await this.#until('the honest nodes are equal', () => this.#disagreement());
  }

  async stopWriting(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
  }

  /** @returns once it answers a write */
  async answers(): Promise<void> {
    for (const instance of ['flags', 'news', 'state']) await this.target.gossip(instance).remove('is-anybody-there');
  }

  /** What of it has been started anew. Who hears of a later life of its own starts anew by itself, so not where liars may say so. */
  look(): void {
    if (this.#options.mayRestart) return;
    for (const node of this.nodes)
      for (const [name, { restarts, deadLetters }] of Object.entries(node.status().gossips))
        if (restarts > 0 || deadLetters > 0)
          this.#options.oracle.fail(
            `${node.name}: ${name} was restarted ${restarts} times, ${deadLetters} dead letters`,
          );
  }

  async close(): Promise<void> {
    await this.stopWriting();
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async #join(index: number): Promise<void> {
    const { oracle, heard, name: scene } = this.#options;
    const name = `${honestPrefix}-${scene}-${index}`;
    const seeds = index === 0 ? [] : [this.url];
    const node = await createGrapevine({
      name,
      membership: swim({ profile: 'local', seeds }),
      listen: { port: 0 },
      security: { keys: [this.key] },
      logger: oracle.logger(name),
      clock: () => this.now(),
      maxConnections: 64,
      // What a peer may bring is measured elsewhere; here it shall bring as much as can be read.
      maxUpdatesPerSecond: 1_000_000_000,
      maxBytesPerSecond: 2 ** 40,
      transport: (options) =>
        index > 0
          ? this.transport(options)
          : tapped(this.transport(options), ({ id, peer }, frames) => {
              if (peer.name === strangerName) oracle.fail('a stranger has got a session');
              if (!peer.name.startsWith(honestPrefix)) for (const frame of frames) heard(id, frame);
            }),
    });
    this.nodes.push(node);
    for (const [instance, protocol] of Object.entries(protocols)) {
      const gossip = node.gossip(instance, { protocol, ...bounds });
      void readAll(gossip);
    }
  }

  async #writeOn(): Promise<void> {
    for (let round = 1; !this.#isOver; round++) {
      await this.#write(round);
      await new Promise((resolve) => setTimeout(resolve, writeEveryMs));
    }
  }

  async #write(round: number): Promise<void> {
    for (const node of this.nodes)
      for (const instance of Object.keys(protocols))
        try {
          const id = `${node.name}/${round % idsOfEach}`;
          if (round % 7 === 6) await node.gossip(instance).remove(id);
          else await node.gossip(instance).add(id, { round, text: 'x'.repeat(round % 50) });
        } catch (error) {
          // Liars may fill an instance; not the one that they keep away from.
          if (instance === 'quiet' || (error as { code?: unknown }).code !== 'STORE_FULL') throw error;
        }
  }

  /** What keeps the honest from being equal; nothing, if they are. */
  #disagreement(): string | undefined {
    for (const node of this.nodes)
      for (const other of this.nodes)
        if (other !== node && !node.members().some(({ name }) => name === other.name))
          return `${node.name} does not know that ${other.name} is there`;
    const hashes = this.nodes.map((node) => node.gossip('quiet').status().hash);
    if (new Set(hashes).size > 1) return `quiet: ${hashes.join(' ')}`;
    // Where a liar speaks in the names of the honest they need not agree.
    for (const instance of this.#options.mayRestart ? (['quiet'] as const) : converging) {
      const contents = this.nodes.map((node) => JSON.stringify(honestIn(node.gossip(instance))));
      if (new Set(contents).size > 1) return `${instance}: unequal content: ${contents.join('\n')}`;
    }
    return undefined;
  }

  async #until(what: string, obstacle: () => string | undefined): Promise<void> {
    const givesUpAt = performance.now() + patienceMs;
    for (let found = obstacle(); found !== undefined; found = obstacle()) {
      if (performance.now() > givesUpAt)
        return this.#options.oracle.fail(`${this.name}: not so that ${what}: ${found}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A reader that looks at every value, as users do. */
async function readAll(gossip: Gossip): Promise<void> {
  for await (const change of gossip.changes()) {
    if (change.type === 'snapshot') for (const entry of change.entries) void entry.value;
    else if (change.type !== 'deadletter') void change.value;
  }
}

/** What honest nodes have written, as it is read here. */
function honestIn(gossip: Gossip): unknown {
  return [...gossip.entries()].filter(([id]) => id.startsWith(honestPrefix)).sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * One process of the benchmark `networks`: several nodes, as users start them, and what each of them saw and when.
 *
 * Invariants
 *  1. Times are of the shared clock, and are taken here, where the thing happens.
 *  2. What has not happened in time is NaN.
 */
import { createGrapevine, type Gossip, type Grapevine, hybrid, rumor } from '@grapevine/node';
import { serveCommands } from './child.ts';
import { pass, sharedNowMs } from './clock.ts';
import { Meter } from './meter.ts';
import { Watch } from './watch.ts';

export type Spreading = 'hybrid' | 'rumor';

export interface NodeToStart {
  readonly name: string;
  /** Whether others can dial it. */
  readonly listens: boolean;
  readonly seeds: readonly string[];
}

/** How a node was told that another one has gone. */
export type Gone = 'nodedown' | 'nodeleft' | 'nothing';

interface Housed {
  readonly node: Grapevine;
  readonly gossips: Readonly<Record<Spreading, Gossip>>;
  /** When each id came, by instance. */
  readonly arrivals: Readonly<Record<Spreading, Map<string, number>>>;
  /** How and when this node was first told that another one has gone. */
  readonly gone: Map<string, { readonly how: Gone; readonly atMs: number }>;
}

export class Host {
  readonly #meter = new Meter();
  readonly #watch = new Watch();
  readonly #housed = new Map<string, Housed>();

  /** Starts all at once. @returns their URLs, and when the last of them had started */
  async start(nodes: readonly NodeToStart[]): Promise<{ urls: (string | null)[]; startedMs: number }> {
    const urls = await Promise.all(nodes.map((node) => this.#start(node)));
    return { urls, startedMs: sharedNowMs() };
  }

  /** @returns when each node here knew so many others */
  async whole(others: number, patienceMs: number): Promise<number> {
    const isWhole = (): boolean => this.#all.every(({ node }) => node.members().length === others);
    return (await this.#watch.until(isWhole, patienceMs)) ? sharedNowMs() : NaN;
  }

  /** Waits until each instance here has a peer. */
  async peered(patienceMs: number): Promise<boolean> {
    const deadlineMs = sharedNowMs() + patienceMs;
    // Nothing tells of the peers of an instance.
    while (
      this.#all.some(({ gossips }) => Object.values(gossips).some((gossip: Gossip) => gossip.status().peers === 0))
    ) {
      if (sharedNowMs() > deadlineMs) return false;
      await pass(10);
    }
    return true;
  }

  /** @returns when it was written */
  async write(name: string, spreading: Spreading, id: string): Promise<number> {
    const writtenMs = sharedNowMs();
    await this.#of(name).gossips[spreading].add(id, id);
    return writtenMs;
  }

  /** Waits until all nodes here have the ids, or for so long. @returns for each id and node when it came */
  async arrivals(spreading: Spreading, ids: readonly string[], patienceMs: number): Promise<number[]> {
    const heard = (): number[] =>
      ids.flatMap((id) => this.#all.map(({ arrivals }) => arrivals[spreading].get(id) ?? NaN));
    await this.#watch.until(
      () => this.#all.every(({ arrivals }) => ids.every((id) => arrivals[spreading].has(id))),
      patienceMs,
    );
    return heard();
  }

  /** Has one say goodbye. @returns when it began to */
  async leave(name: string): Promise<number> {
    const { node } = this.#of(name);
    this.#housed.delete(name);
    const leftMs = sharedNowMs();
    await node.leave();
    return leftMs;
  }

  /** Waits until all nodes here were told that one has gone, or for so long. @returns how, and when, for each of them */
  async gone(name: string, patienceMs: number): Promise<{ readonly how: Gone; readonly atMs: number }[]> {
    await this.#watch.until(() => this.#all.every(({ gone }) => gone.has(name)), patienceMs);
    return this.#all.map(({ gone }) => gone.get(name) ?? { how: 'nothing', atMs: NaN });
  }

  /** Bytes that all nodes here have written to sockets so far. */
  bytesOut(): number {
    return this.#meter.read().bytesOut;
  }

  get #all(): Housed[] {
    return [...this.#housed.values()];
  }

  #of(name: string): Housed {
    const housed = this.#housed.get(name);
    if (housed === undefined) throw new Error(`No node ${name} is here.`);
    return housed;
  }

  async #start({ name, listens, seeds }: NodeToStart): Promise<string | null> {
    const node = await createGrapevine({
      name,
      listen: listens ? { port: 0 } : null,
      seeds,
      logger: false,
    });
    const gossips = {
      hybrid: node.gossip('hybrid', { protocol: hybrid() }),
      rumor: node.gossip('rumor', { protocol: rumor() }),
    };
    const housed: Housed = {
      node,
      gossips,
      arrivals: { hybrid: new Map(), rumor: new Map() },
      gone: new Map(),
    };
    this.#housed.set(name, housed);
    void this.#followMembers(housed);
    void this.#follow(housed, 'hybrid');
    void this.#follow(housed, 'rumor');
    return node.url;
  }

  async #followMembers({ node, gone }: Housed): Promise<void> {
    for await (const change of node.memberChanges()) {
      if ((change.type === 'nodedown' || change.type === 'nodeleft') && !gone.has(change.member.name))
        gone.set(change.member.name, { how: change.type, atMs: sharedNowMs() });
      this.#watch.look();
    }
  }

  async #follow({ gossips, arrivals }: Housed, spreading: Spreading): Promise<void> {
    for await (const event of gossips[spreading].changes()) {
      if (event.type === 'update' && !arrivals[spreading].has(event.id))
        arrivals[spreading].set(event.id, sharedNowMs());
      this.#watch.look();
    }
  }
}

serveCommands(new Host());

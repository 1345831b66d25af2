/**
 * A node of the measurement, in a process of its own: the public front door, its log as it comes, and a stopwatch.
 *
 * Invariants
 *  1. Victim and honest nodes run this same code.
 *  2. Times are taken here, where an id is written and where it arrives, by a clock that all processes share.
 */
import { createGrapevine, type Gossip, type Grapevine, type GrapevineOptions } from '@grapevine/node';
import { serveCommands } from '../bench/child.ts';
import { pass, sharedNowMs } from '../bench/clock.ts';

export type NodeSetup = Omit<GrapevineOptions, 'logger'>;

/** Ids of the stopwatch: `tick 0`, `tick 1`, …; attackers write others. */
const prefix = 'tick ';

export class NodeCommands {
  #grapevine: Grapevine | null = null;
  #gossip: Gossip | null = null;
  #arrivals = new Map<number, number>();
  #looked: () => void = () => {};

  /** @returns its URL */
  async start(setup: NodeSetup): Promise<string> {
    this.#grapevine = await createGrapevine(setup);
    this.#gossip = this.#grapevine.gossip('grapevine');
    void this.#watch(this.#gossip);
    return this.#grapevine.status().url ?? '';
  }

  /** Resolves once so many are connected, all of whom it has met. */
  async connected(count: number): Promise<void> {
    while ((this.#grapevine?.status().links.length ?? 0) < count) await pass(10);
  }

  async rotateKeys(keys: readonly string[]): Promise<void> {
    await this.#grapevine?.rotateKeys(keys);
  }

  /** Adds one id after the other. @returns when each was added */
  async trickle(first: number, pauses: readonly number[]): Promise<number[]> {
    const times: number[] = [];
    for (const [index, pauseMs] of pauses.entries()) {
      await pass(pauseMs);
      times.push(sharedNowMs());
      void this.#gossip?.add(`${prefix}${first + index}`, { value: first + index });
    }
    return times;
  }

  /** Waits until these have come. @returns when each did; forgets them then */
  async arrivals(first: number, count: number): Promise<number[]> {
    const ids = Array.from({ length: count }, (_, index) => first + index);
    while (!ids.every((id) => this.#arrivals.has(id)))
      await new Promise<void>((resolve) => {
        this.#looked = resolve;
      });
    const times = ids.map((id) => this.#arrivals.get(id) as number);
    for (const id of ids) this.#arrivals.delete(id);
    return times;
  }

  /** CPU time of this process so far, and when that was. */
  usage(): { readonly cpuMs: number; readonly atMs: number } {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1e3, atMs: sharedNowMs() };
  }

  status(): { readonly links: readonly string[]; readonly ids: number; readonly origins: number; refused: number } {
    const { links = [], gossips = {} } = this.#grapevine?.status() ?? {};
    const { ids = 0, origins = 0, refused = 0 } = gossips['grapevine'] ?? {};
    return { links: links.map(({ peer }) => peer), ids, origins, refused };
  }

  async #watch(gossip: Gossip): Promise<void> {
    for await (const change of gossip.changes()) {
      if (change.type === 'update') this.#arrived(change.id, sharedNowMs());
      else if (change.type === 'snapshot') for (const { id } of change.entries) this.#arrived(id, sharedNowMs());
      this.#looked();
    }
  }

  #arrived(id: string, atMs: number): void {
    if (!id.startsWith(prefix)) return;
    const tick = Number(id.slice(prefix.length));
    if (!this.#arrivals.has(tick)) this.#arrivals.set(tick, atMs);
  }
}

serveCommands(new NodeCommands());

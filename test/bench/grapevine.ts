/**
 * Ours, used as users use it: a node in a nact system, one `add` message dispatched per update, and a plain nact actor
 * subscribed to what changes, which reads every value.
 */
import {
  add,
  entropy,
  gossipView,
  type GossipEvent,
  type GossipMessage,
  hybrid,
  type NodeEvent,
  nodeView,
  ready,
  type Ref,
  remove,
  rumor,
  spawnGossip,
  spawnGrapevine,
  staticMembership,
  subscribe,
} from '@grapevine/actors';
import { type Protocol, seededRandom } from '@grapevine/core';
import { dispatch, spawn, start } from 'nact';
import { type Contestant, type Grew, sameSum, serve, type Setup } from './contestant.ts';

const protocols: Readonly<Record<string, (options: { delta: number }) => Protocol>> = { entropy, hybrid, rumor };

class Grapevine implements Contestant {
  #gossip: Ref<GossipMessage> | null = null;
  #held = 0;
  /** The sum of the values as the subscriber read them. */
  #read = 0;
  #peers = 0;
  #met: () => void = () => {};

  async start({ index, protocol, delta, seed, peers, keys }: Setup, grew: Grew): Promise<string> {
    const make = protocols[protocol];
    if (make === undefined) throw new Error(`No protocol is called '${protocol}'.`);
    const system = start();
    const node = spawnGrapevine(system, {
      name: `n${index}`,
      listen: { port: 0 },
      membership: staticMembership({ peers: [...peers] }),
      random: seededRandom(seed),
      ...(keys === undefined ? {} : { security: { keys } }),
    });
    this.#gossip = spawnGossip(node, { protocol: make({ delta }) });
    const members = spawn(system, (_state: unknown, _event: NodeEvent) => {
      this.#peers = nodeView(node).members.length;
      this.#met();
    });
    const subscriber = spawn(system, (_state: unknown, event: GossipEvent) => {
      this.#count(event);
      grew(this.#held, () => idsOf(event));
    });
    dispatch(node, subscribe<NodeEvent>(members));
    dispatch(this.#gossip, subscribe<GossipEvent>(subscriber));
    const { url } = await ready(node);
    if (url === null) throw new Error('A node that listens has a URL.');
    return url;
  }

  async connected(count: number): Promise<void> {
    while (this.#peers < count)
      await new Promise<void>((resolve) => {
        this.#met = resolve;
      });
  }

  add(first: number, count: number, expiresInMs?: number): void {
    const gossip = this.#instance();
    const options = expiresInMs === undefined ? {} : { expiresIn: expiresInMs };
    for (let n = first; n < first + count; n++) dispatch(gossip, add(`k${n}`, { value: n }, options));
  }

  remove(first: number, count: number): void {
    const gossip = this.#instance();
    for (let n = first; n < first + count; n++) dispatch(gossip, remove(`k${n}`));
  }

  sum(): number {
    let sum = 0;
    for (const { value } of gossipView(this.#instance()).entries()) sum += (value as { value: number }).value;
    return sameSum(sum, this.#read);
  }

  hash(): string {
    return gossipView(this.#instance()).hash;
  }

  counters(): Readonly<Record<string, number>> {
    const { ids, tombstones, received, sent, written, dropped, backlog, restarts } = gossipView(
      this.#instance(),
    ).status();
    return { ids, tombstones, received, sent, written, dropped, backlog, restarts };
  }

  #instance(): Ref<GossipMessage> {
    if (this.#gossip === null) throw new Error('Not started.');
    return this.#gossip;
  }

  #count(event: GossipEvent): void {
    if (event.type === 'snapshot') {
      this.#held = event.ids.length;
      for (const value of event.values) this.#read += (value as { value: number }).value;
    }
    if (event.type !== 'changes') return;
    // No value: it was removed, or has expired.
    for (const value of event.values) {
      if (value !== undefined) this.#read += (value as { value: number }).value;
      this.#held += value === undefined ? -1 : 1;
    }
  }
}

function idsOf(event: GossipEvent): string[] {
  if (event.type === 'snapshot') return event.entries.map(({ id }) => id);
  return event.type === 'changes' ? event.changes.map(({ id }) => id) : [];
}

serve(new Grapevine());

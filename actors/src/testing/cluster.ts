/**
 * A cluster in one process, over a network in memory, and its audience: for tests.
 *
 * Invariants
 *  1. What was spawned is stopped by `stop`, whatever the test did.
 *  2. Nodes dial those that were spawned before them, and again within milliseconds.
 */

import { type Membership, staticMembership } from '@grapevine/core';
import { createMemoryTransport, type MemoryNetwork, memoryNetwork } from '@grapevine/transport';

import type { Change, DeadLetter, GossipEvent } from '../events.ts';
import { spawnGrapevine } from '../grapevine.ts';
import { spawnChild, stopTree, tell } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Ref } from '../kernel/nact.ts';
import { until } from '../kernel/testing/event-loop.ts';
import { type GossipMessage, type NodeMessage, subscribe } from '../messages.ts';
import type { NodeOptions } from '../options.ts';
import { nodeView } from '../views.ts';

/** What was logged, by level. */
export class Log implements Logger {
  readonly lines: { readonly level: keyof Logger; readonly message: string; readonly fields: object }[] = [];
  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }

  /** The codes of the errors that were logged. */
  get codes(): unknown[] {
    return this.lines
      .map(({ fields }) => (fields as { err?: { code?: unknown } }).err?.code)
      .filter((code) => code !== undefined);
  }
}

export class Cluster {
  readonly network: MemoryNetwork = memoryNetwork();
  readonly log: Log = new Log();
  readonly #system: Ref<never>;
  readonly #roots: Ref<never>[] = [];
  readonly #names: string[] = [];

  constructor(system: Ref<never>) {
    this.#system = system;
  }

  /** A node that dials all before it. */
  node(name: string, options: Partial<NodeOptions> = {}): Ref<NodeMessage> {
    const peers = this.#names.map((other) => `memory://${other}`);
    const membership: Membership = staticMembership({ peers });
    const node = spawnGrapevine(this.#system, {
      name,
      membership,
      listen: { port: 0 },
      logger: this.log,
      redialMinMs: 1,
      redialMaxMs: 20,
      transport: (given) => createMemoryTransport(this.network, given),
      ...options,
    });
    this.#names.push(name);
    this.#roots.push(node);
    return node;
  }

  /** Somebody who listens to a gossip instance. */
  audience(gossip: Ref<GossipMessage>): Audience {
    const audience = new Audience(this.#system, `audience ${this.#roots.length}`);
    this.#roots.push(audience.ref);
    tell(gossip, subscribe(audience.ref));
    return audience;
  }

  async connected(node: Ref<NodeMessage>, ...peers: readonly string[]): Promise<void> {
    await until(() => peers.every((peer) => nodeView(node).links.some((link) => link.peer === peer)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#roots.map((root) => stopTree(root)));
  }
}

/** Keeps what it is told, and what follows from it: the content as a subscriber would have it. */
export class Audience {
  readonly ref: Ref<GossipEvent>;
  readonly content: Map<string, unknown> = new Map();
  readonly changes: Change[] = [];
  readonly letters: DeadLetter[] = [];
  snapshots: number = 0;

  constructor(parent: Ref<never>, name: string) {
    this.ref = spawnChild<GossipEvent>(parent, {
      name,
      start: () => ({ receive: (event) => this.#hear(event) }),
    });
  }

  #hear(event: GossipEvent): void {
    switch (event.type) {
      case 'snapshot':
        this.snapshots += 1;
        this.content.clear();
        for (const { id, value } of event.entries) this.content.set(id, value);
        return;
      case 'changes':
        this.changes.push(...event.changes);
        for (const { type, id, value } of event.changes)
          if (type === 'update') this.content.set(id, value);
          else this.content.delete(id);
        return;
      case 'deadletters':
        this.letters.push(...event.letters);
        return;
      default:
        event satisfies never;
    }
  }

  /** Waits until it was told of these ids. */
  async has(...ids: readonly string[]): Promise<void> {
    await until(() => ids.every((id) => this.content.has(id)));
  }
}

/**
 * A node for people with no actor system: createGrapevine starts one, with a log, and speaks to it in promises.
 *
 * Invariants
 *  1. The actor system belongs to the node and holds nothing else, so that closing the node leaves nothing behind.
 *  2. `leave` says goodbye and flushes; `close` does not. Whichever comes first decides, and after either every call
 *     fails with CLOSED and every iteration has ended.
 */
import {
  GossipError,
  type GossipOptions,
  type GossipStatus,
  leaveGrapevine,
  type LinkStatus,
  type Member,
  type Membership,
  type NodeEvent,
  type NodeMessage,
  type NodeOptions,
  nodeView,
  type NodeView,
  ready,
  type Ref,
  spawnGossip,
  spawnGrapevine,
  staticMembership,
  stopTree,
} from '@grapevine/actors';
import { start } from 'nact';

import type { Feed } from './feed.ts';
import { Gossip, type Host } from './gossip.ts';
import { type LoggerChoice, loggerOf } from './logger.ts';
import { subscribedFeed } from './subscription.ts';

export interface GrapevineOptions extends Omit<NodeOptions, 'logger'> {
  /** URLs of nodes to join through, dialled for ever. One that is up is enough; naming this node itself is harmless. @default [] */
  readonly seeds?: readonly string[];
  /** URLs of all the others, dialled for ever: a list for those who know it. Not together with `membership`. @default [] */
  readonly peers?: readonly string[];
  /**
   * Options for pino, a logger of your own, or `false` for none.
   * @default pino at level 'warn' to standard error
   */
  readonly logger?: LoggerChoice;
}

/** What `memberChanges()` yields. */
export type MemberChange =
  /** All who are there, without this node. Comes first, and again when the reader fell behind. */
  | { readonly type: 'members'; readonly members: readonly Member[] }
  | { readonly type: 'nodeup' | 'nodedown'; readonly member: Member };

export interface GrapevineStatus {
  readonly name: string;
  readonly url: string | null;
  readonly epoch: number;
  readonly members: readonly Member[];
  readonly links: readonly LinkStatus[];
  readonly gossips: Readonly<Record<string, GossipStatus>>;
}

const MEMBER_CHANGES_LIMIT = 10_000;

/**
 * Starts a node.
 * @returns once it listens, if it is to listen. Peers may still be on their way: nothing waits for them
 * @throws GossipError OPTIONS_INVALID with every violation, PORT_IN_USE, ADDRESS_UNAVAILABLE; nothing is left running
 */
export async function createGrapevine(options: GrapevineOptions): Promise<Grapevine> {
  const { seeds, peers, logger: choice = {}, membership, ...node } = options;
  const logger = loggerOf(choice, options.name);
  const system: Ref<never> = start();
  const ref = spawnGrapevine(system, {
    ...node,
    ...(logger === undefined ? {} : { logger }),
    membership: membershipOf(seeds, peers, membership),
  });
  await ready(ref);
  return new Grapevine(system, ref);
}

/** Obtained by `createGrapevine`. */
export class Grapevine {
  /** The node's actor, for those who also speak to actors. */
  readonly ref: Ref<NodeMessage>;
  readonly #view: NodeView;
  readonly #host: NodeHost;
  readonly #gossips = new Map<string, Gossip>();

  /** @internal */
  constructor(system: Ref<never>, ref: Ref<NodeMessage>) {
    this.ref = ref;
    this.#view = nodeView(ref);
    this.#host = new NodeHost(system, this.#view.name);
  }

  get name(): string {
    return this.#view.name;
  }

  /** Where others dial this node; `null` if it does not listen. */
  get url(): string | null {
    return this.#view.url;
  }

  /**
   * The gossip instance of this name: the one that runs already, or a new one. Instances of one name on different nodes
   * talk to each other.
   * @param options of a new one; without them, what runs already is fine
   * @throws GossipError OPTIONS_INVALID with every violation, GOSSIP_NAME_TAKEN when options are given for one that
   *   runs, CLOSED; state unchanged
   */
  gossip(name: string = 'grapevine', options?: Omit<GossipOptions, 'name'>): Gossip {
    this.#host.assertOpen();
    const running = this.#gossips.get(name);
    if (running !== undefined && options === undefined) return running;
    const gossip = new Gossip(spawnGossip(this.ref, { ...options, name }), this.#host);
    this.#gossips.set(name, gossip);
    return gossip;
  }

  /** Who is there now, as far as this node knows, without itself. */
  members(): readonly Member[] {
    this.#host.assertOpen();
    return this.#view.members;
  }

  /**
   * First all who are there, then everyone who comes or goes. Subscribes at the first read; ends with the node.
   * @throws GossipError CLOSED
   */
  memberChanges({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MemberChange> {
    this.#host.assertOpen();
    const feed = subscribedFeed<NodeEvent, MemberChange>({
      system: this.#host.system,
      target: this.ref,
      name: this.#host.subscriberName(),
      limit: MEMBER_CHANGES_LIMIT,
      signal,
      deliver,
      ended: (ended) => this.#host.drop(ended),
    });
    this.#host.keep(feed);
    return feed;
  }

  status(): GrapevineStatus {
    this.#host.assertOpen();
    const { name, url, epoch, members, links } = this.#view;
    const gossips = Object.fromEntries([...this.#gossips].map(([gossip, instance]) => [gossip, instance.status()]));
    return { name, url, epoch, members, links, gossips };
  }

  /** Says goodbye, hands over what waits to be sent, and stops. @returns when all is gone. Never rejects */
  leave(): Promise<void> {
    return this.#host.close(() => leaveGrapevine(this.ref));
  }

  /** Stops at once: connections are closed, and peers hear no goodbye. @returns when all is gone. Never rejects */
  close(): Promise<void> {
    return this.#host.close(() => stopTree(this.ref));
  }

  /** As `leave`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

/** What the node and its gossips share: whether it is still open, and who reads from it. */
class NodeHost implements Host {
  readonly system: Ref<never>;
  readonly #name: string;
  readonly #feeds = new Set<Pick<Feed<unknown>, 'finish'>>();
  #subscribers = 0;
  #closed: Promise<void> | null = null;

  constructor(system: Ref<never>, name: string) {
    this.system = system;
    this.#name = name;
  }

  assertOpen(): void {
    if (this.#closed === null) return;
    throw new GossipError('CLOSED', `'${this.#name}' was left or closed. Create a new node to go on.`, {
      context: { name: this.#name },
    });
  }

  subscriberName(): string {
    return `subscriber ${++this.#subscribers}`;
  }

  keep(feed: Pick<Feed<unknown>, 'finish'>): void {
    this.#feeds.add(feed);
  }

  drop(feed: Pick<Feed<unknown>, 'finish'>): void {
    this.#feeds.delete(feed);
  }

  close(stop: () => Promise<void>): Promise<void> {
    this.#closed ??= stop().then(() => {
      for (const feed of this.#feeds) feed.finish();
    });
    return this.#closed;
  }
}

/** @throws GossipError OPTIONS_INVALID */
function membershipOf(
  seeds: readonly string[] | undefined,
  peers: readonly string[] | undefined,
  membership: Membership | undefined,
): Membership {
  if (membership === undefined) return staticMembership({ peers: [seeds ?? [], peers ?? []].flat() });
  if (seeds === undefined && peers === undefined) return membership;
  throw new GossipError(
    'OPTIONS_INVALID',
    `An option is wrong: '${seeds === undefined ? 'peers' : 'seeds'}' means nothing beside 'membership'; give the URLs to the membership.`,
    { context: { seeds, peers, membership: membership.name } },
  );
}

function deliver(event: NodeEvent, feed: Feed<MemberChange>): void {
  switch (event.type) {
    case 'members':
      return feed.begin({ type: 'members', members: event.members });
    case 'nodeup':
    case 'nodedown':
      return feed.append([{ type: event.type, member: event.member }]);
    default:
      event satisfies never;
  }
}

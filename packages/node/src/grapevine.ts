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
  joined,
  leave,
  leaveGrapevine,
  type LeaveOptions,
  type LeaveReport,
  type LinkStatus,
  ask,
  describe,
  type DescribeReply,
  type Member,
  type MemberEvent,
  type MemberStatus,
  type Meta,
  type NodeEvent,
  type NodeMessage,
  type NodeTotals,
  nodeView,
  type NodeView,
  ready,
  type Refusal,
  type KeyMaterial,
  type Ref,
  renewTls,
  type RenewTls,
  rotateKeys,
  type RotateKeys,
  type SecurityReply,
  spawnGossip,
  spawnGrapevine,
  startSystem,
  stopRef,
  stopTree,
  type TransportTls,
  type WaitingOptions,
} from '@grapevine/actors';

import type { Feed } from './feed.ts';
import { Gossip, type Host } from './gossip.ts';
import { type GrapevineOptions, readOptions } from './options.ts';
import { readingRules, resolveReading } from './reading.ts';
import { subscribedFeed } from './subscription.ts';

/** What `memberChanges()` yields. */
export type MemberChange =
  /** All who are there, without this node. Comes first, and again when the reader fell behind. */
  | { readonly type: 'members'; readonly members: readonly Member[] }
  | { readonly type: MemberEvent['type']; readonly member: Member }
  /** This node refused another, or was refused. The same again is told once a minute at most. */
  | { readonly type: 'refused'; readonly refusal: Refusal };

export interface GrapevineStatus {
  readonly name: string;
  readonly url: string | null;
  readonly epoch: number;
  /** Whether it has met another member, or may be alone, as `joined()` waits for. */
  readonly joined: boolean;
  /** Whether it may be alone, and has met nobody: what was written on it had nobody to go to. */
  readonly alone: boolean;
  /** Connections that came to nothing since one side refused the other: the last few, the latest last. */
  readonly refusals: readonly Refusal[];
  readonly members: readonly Member[];
  /** Who is known, and how: also who is down or has left, for a while. */
  readonly roster: readonly MemberStatus[];
  readonly links: readonly LinkStatus[];
  /** What all connections have carried since the node started: counters that only grow, for metrics. */
  readonly totals: NodeTotals;
  /** Who hears of members that come and go: readers of `memberChanges()`, and actors that subscribed to the node. */
  readonly subscribers: number;
  /** How many of them are behind and wait to be told anew who is there. */
  readonly subscribersBehind: number;
  readonly gossips: Readonly<Record<string, GossipStatus>>;
}

const MEMBER_CHANGES_LIMIT = 10_000;
/** Longer than any turn of the node's actors may take. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Starts a node.
 * @returns once it listens, if it is to listen. Peers may still be on their way: nothing waits for them
 * @throws GossipError OPTIONS_INVALID with every violation, PORT_IN_USE, ADDRESS_UNAVAILABLE; nothing is left running
 */
export async function createGrapevine(options: GrapevineOptions): Promise<Grapevine> {
  const nodeOptions = readOptions(options);
  const system = startSystem();
  try {
    const ref = spawnGrapevine(system, nodeOptions);
    await ready(ref);
    return new Grapevine(system, ref);
  } catch (error) {
    stopRef(system);
    throw error;
  }
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
    // Spreading what is no object would hide it.
    const stated =
      options === undefined
        ? { name }
        : typeof options === 'object' && options !== null
          ? { ...options, name }
          : options;
    const gossip: Gossip = new Gossip(spawnGossip(this.ref, stated), this.#host, () => {
      if (this.#gossips.get(name) === gossip) this.#gossips.delete(name);
    });
    this.#gossips.set(name, gossip);
    return gossip;
  }

  /**
   * Waits until this node has met another member, or may be alone: since it was given no seeds and no peers, or all of them
   * lead to itself. Once so, it stays so.
   * @param options.timeoutMs the longest wait; Infinity waits for ever. @default 10000
   * @returns who is there then, without this node; nobody where it may be alone
   * @throws (rejects) GossipError, while the node goes on trying: the error of the refusal (WRONG_CLUSTER, KEY_MISMATCH,
   *   KEY_REQUIRED, VERSION_UNSPEAKABLE, NAME_TAKEN, CERTIFICATE_REFUSED, PLAINTEXT_REFUSED) when every seed or peer refuses
   *   it; JOIN_TIMEOUT, with the last refusal or failure as its cause; CLOSED; OPTIONS_INVALID
   */
  async joined(options: WaitingOptions = {}): Promise<readonly Member[]> {
    this.#host.assertOpen();
    return this.#host.whileOpen(joined(this.ref, options));
  }

  /**
   * Who is there now, as far as this node knows: the others, and this node too, first, where that is asked for.
   * @param options.self whether this node is among them. @default false
   * @throws GossipError CLOSED
   */
  members({ self = false }: { readonly self?: boolean | undefined } = {}): readonly Member[] {
    this.#host.assertOpen();
    const { members } = this.#view;
    return self ? [this.#view.self, ...members] : members;
  }

  /**
   * Says something else of this node to all others, in place of what it said before.
   * @throws (rejects) GossipError OPTIONS_INVALID when it is too long, or the membership carries none; CLOSED
   */
  async describe(meta: Meta): Promise<void> {
    this.#host.assertOpen();
    const reply = await this.#host.whileOpen(
      ask(this.ref, (replyTo: Ref<DescribeReply>) => describe(meta, { replyTo }), { timeoutMs: ANSWER_TIMEOUT_MS }),
    );
    if (!reply.ok) throw reply.error;
  }

  /**
   * Replaces the keys, for every handshake from now on; the first is the one that proves this node. Connections stay, but for
   * those whose peer has proven itself by a key that is not listed any more: they are closed, and made again by whoever has
   * another. The order of steps over a cluster is in docs/operations.md.
   * @returns how many were closed
   * @throws (rejects) GossipError OPTIONS_INVALID when they are no keys, or the node began without; CLOSED; keys unchanged
   */
  async rotateKeys(
    keys: readonly KeyMaterial[],
    { keepSessions }: { readonly keepSessions?: boolean | undefined } = {},
  ): Promise<{ readonly closed: number }> {
    this.#host.assertOpen();
    return { closed: await this.#secure(rotateKeys(keys, { keepSessions })) };
  }

  /**
   * Replaces key, certificates and authorities, for every connection from now on; those that are open stay.
   * @throws (rejects) GossipError OPTIONS_INVALID when they do not serve, or the node began without TLS; CLOSED; unchanged
   */
  async renewTls(tls: TransportTls): Promise<void> {
    this.#host.assertOpen();
    await this.#secure(renewTls(tls));
  }

  async #secure(message: RotateKeys | RenewTls): Promise<number> {
    const reply = await this.#host.whileOpen(
      ask(this.ref, (replyTo: Ref<SecurityReply>) => ({ ...message, replyTo }), { timeoutMs: ANSWER_TIMEOUT_MS }),
    );
    if (!reply.ok) throw reply.error;
    return reply.closed;
  }

  /**
   * First all who are there, then everyone who comes or goes. Subscribes at the first read; ends with the node.
   * @throws GossipError OPTIONS_INVALID, CLOSED
   */
  memberChanges(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MemberChange> {
    this.#host.assertOpen();
    const { signal } = resolveReading(options, readingRules);
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
    const { name, url, epoch, members, roster, links, totals, subscribers, subscribersBehind } = this.#view;
    const { joined: hasJoined, alone, refusals } = this.#view;
    const gossips = Object.fromEntries([...this.#gossips].map(([gossip, instance]) => [gossip, instance.status()]));
    return {
      name,
      url,
      epoch,
      joined: hasJoined,
      alone,
      refusals,
      members,
      roster,
      links,
      totals,
      subscribers,
      subscribersBehind,
      gossips,
    };
  }

  /**
   * Leaves in good order: waits until another node is known to have each write of this one, up to the deadline, unless it was
   * given no seeds and no peers and knows nobody; says goodbye, and stops. What comes first, `leave` or `close`, decides.
   * @param options.deadlineMs how long to wait for others at most, in milliseconds. @default 5000
   * @param options.required whether it is an error when something was not delivered. @default false
   * @returns when all is gone: how many writes no other node is known to have, which are lost
   * @throws (rejects) GossipError UNDELIVERED if it is `required`, with the report in its context: the node has stopped;
   *   OPTIONS_INVALID, nothing done
   */
  async leave(options: LeaveOptions = {}): Promise<LeaveReport> {
    const { deadlineMs } = options;
    // What is wrong with the options is found before anything is done.
    leave({ deadlineMs });
    await this.#host.close(async () => void (await leaveGrapevine(this.ref, { deadlineMs })));
    // It has stopped by now, and says the same again.
    return leaveGrapevine(this.ref, options);
  }

  /** Stops at once: connections are closed, and peers hear no goodbye. @returns when all is gone. Never rejects */
  close(): Promise<void> {
    return this.#host.close(() => stopTree(this.ref));
  }

  /** As `leave`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
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

  async whileOpen<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      // Closing the node while somebody waits is told as what it is.
      if ((error as Partial<GossipError>).code === 'ACTOR_GONE') this.assertOpen();
      throw error;
    }
  }

  close(stopNode: () => Promise<void>): Promise<void> {
    this.#closed ??= stopNode().then(() => {
      for (const feed of this.#feeds) feed.finish();
      // nact keeps a list of all systems that were not stopped.
      stopRef(this.system);
    });
    return this.#closed;
  }
}

function deliver(event: NodeEvent, feed: Feed<MemberChange>): void {
  switch (event.type) {
    case 'refused':
      return feed.append(1, () => [{ type: 'refused', refusal: event.refusal }]);
    case 'members':
      return feed.begin(() => ({ type: 'members', members: event.members }));
    case 'nodeup':
    case 'nodedown':
    case 'nodeleft':
    case 'nodechanged':
      return feed.append(1, () => [{ type: event.type, member: event.member }]);
    default:
      event satisfies never;
  }
}

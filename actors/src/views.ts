/**
 * Views: what a node and an instance hold, read in place. For who runs in the same process and cannot wait for messages.
 *
 * Invariants
 *  1. Reading changes nothing, and sees what the last finished turn left.
 *  2. What has stopped is not read: what it held at its end may be wrong by now. Only what it was called is told, and that it
 *     has stopped.
 *
 * Source: docs/architecture.md.
 */

import { GossipError, type Member, type MemberStatus, type Sum, type Update, visible } from '@grapevine/core';
import type { SessionCounters } from '@grapevine/transport';
import { decodeValue } from '@grapevine/wire';

import { Entry, type HiddenUpdate, hiddenUpdateOf } from './events.ts';
import { holdingOf, nodeOf } from './grapevine.ts';
import type { HandlerState, Holding } from './holding.ts';
import { isGone, statsOf } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { type GossipMessage, type NodeMessage, prefixOf, type PrefixOptions } from './messages.ts';
import type { Node } from './node.ts';
import type { Refusal } from './refusals.ts';
import type { NodeTotals } from './totals.ts';

/**
 * What readers of an instance see here. Once the instance has stopped, everything but `name`, `node`, `protocol` and `stopped`
 * throws GossipError ACTOR_GONE.
 */
export interface GossipView {
  readonly name: string;
  readonly node: string;
  readonly protocol: string;
  /** The value, decoded anew at each call; `undefined`: none. */
  get(id: string): unknown;
  has(id: string): boolean;
  entry(id: string): Entry | undefined;
  /** In order of arrival. @param options.prefix only ids that begin so @throws GossipError OPTIONS_INVALID */
  entries(options?: PrefixOptions): IterableIterator<Entry>;
  /** As `entries`, and no values are looked at. */
  keys(options?: PrefixOptions): IterableIterator<string>;
  /** How many ids readers here see. What a handler hides is not among them: `status().hidden`. */
  readonly size: number;
  /** What the handler hides from readers here and why, in the order in which it was hidden: the first of them. */
  hidden(options?: HiddenOptions): HiddenUpdate[];
  /** Of context and content, 32 hexadecimal digits: equal on two nodes that have seen and hold the same. */
  readonly hash: string;
  /** Of the content alone, 16 digits. */
  readonly contentHash: string;
  /** Whom it gossips with now. */
  readonly peers: readonly string[];
  /** Whether the instance has stopped, with its node or by itself. */
  readonly stopped: boolean;
  status(): GossipStatus;
}

export interface HiddenOptions {
  /** The most that are listed. @default 100 */
  readonly limit?: number | undefined;
}

export interface GossipStatus {
  /** Whether it has once held all that a peer had, as `synced` waits for. */
  readonly synced: boolean;
  /** Peers that run another protocol under this name: the last few, the latest last. */
  readonly refusals: readonly Refusal[];
  /** Ids that have a value, hidden ones among them: equal on nodes of which each has all. */
  readonly ids: number;
  /** Updates that the handler hides from readers here: ignored, dropped by a reset, or dead letters. `hidden()` lists them. */
  readonly hidden: number;
  /** Whether what arrives is judged: see `HandlerState`. */
  readonly handler: HandlerState;
  readonly tombstones: number;
  /** Bytes of the ids and values that are live, of which `maxBytes` are the most. */
  readonly bytes: number;
  /** Updates of others that were refused, for their size or for lack of room; one that comes again meanwhile counts once. */
  readonly refused: number;
  /** How often an update was not sent to a peer, since it fits into no frame of the peer's (`maxFrameBytes` there). */
  readonly withheld: number;
  /** Own writes, removals included, that are stamped more than `maxDriftMs` ahead of the clock: peers hold them back. */
  readonly stampedAhead: number;
  /** Own writes, removals included, that peers say they hold back, since these are stamped too far ahead of their clocks. */
  readonly heldBack: number;
  /** Origins of claims that were not taken up, since there were `maxOrigins`. */
  readonly refusedOrigins: number;
  /** How often a dot has come that means another update here (`DOT_REUSED`): two processes write under one name and epoch. */
  readonly reusedDots: number;
  /** Stores that wrote what is known here. */
  readonly origins: number;
  readonly peers: number;
  /** Messages in the mailbox. */
  readonly queued: number;
  /** Messages that were dropped, since the mailbox was full or too much waited for a handler that did not answer. */
  readonly dropped: number;
  /** Updates that wait for the handler. */
  readonly backlog: number;
  readonly restarts: number;
  readonly deadLetters: number;
  readonly subscribers: number;
  /** How many of them are behind and wait for a fresh snapshot. */
  readonly subscribersBehind: number;
  /** Gossip messages that arrived. */
  readonly received: number;
  /** Gossip frames that were sent. */
  readonly sent: number;
  /** Writes of this node. */
  readonly written: number;
  readonly hash: string;
}

/**
 * A node, as it is. Once it has stopped, everything but `name`, `epoch`, `url` and `stopped` throws GossipError ACTOR_GONE.
 */
export interface NodeView {
  readonly name: string;
  readonly epoch: number;
  /** Where others dial it; `null` until it listens. */
  readonly url: string | null;
  /** Whether the node has stopped. */
  readonly stopped: boolean;
  /** Whether it has met others, or may be alone, as `joined` waits for. */
  readonly joined: boolean;
  /** Whether it may be alone, and has met nobody: what was written on it had nobody to go to. */
  readonly alone: boolean;
  /** Connections that came to nothing since one side refused the other: the last few, the latest last. */
  readonly refusals: readonly Refusal[];
  /** This node, as others see it. */
  readonly self: Member;
  /** Who is there, without this node. */
  readonly members: readonly Member[];
  /** Who is known, without this node, and how: also who is down or has left, for a while. */
  readonly roster: readonly MemberStatus[];
  /** The names of its gossip instances. */
  readonly gossips: readonly string[];
  gossip(name: string): Ref<GossipMessage> | undefined;
  readonly links: readonly LinkStatus[];
  /** What all connections have carried since the node started, closed ones among them. */
  readonly totals: NodeTotals;
  /** Who hears of members that come and go. */
  readonly subscribers: number;
  /** How many of them are behind and wait to be told anew who is there. */
  readonly subscribersBehind: number;
}

/** An open connection. */
export interface LinkStatus {
  readonly peer: string;
  readonly epoch: number;
  readonly url: string | null;
  /** Its number. */
  readonly session: number;
  /** Whether this node dialled. */
  readonly dialled: boolean;
  readonly writable: boolean;
  /** What waits to be sent: bytes, those in the socket's buffer among them, and frames before it. */
  readonly queuedBytes: number;
  readonly queuedFrames: number;
  /** Whether it is not read at present, since this node is behind or the peer has used up its allowance. */
  readonly held: boolean;
  /** How often the peer had used up its allowance (`maxUpdatesPerSecond`, `maxBytesPerSecond`). */
  readonly throttled: number;
  readonly counters: Readonly<SessionCounters>;
}

/** @throws GossipError ACTOR_GONE when it is no gossip instance */
export function gossipView(gossip: Ref<GossipMessage>): GossipView {
  return new HoldingView(holdingOf(gossip));
}

class HoldingView implements GossipView {
  readonly #holding: Holding;

  constructor(holding: Holding) {
    this.#holding = holding;
  }

  get name(): string {
    return this.#holding.instance;
  }

  get node(): string {
    return this.#holding.node;
  }

  get protocol(): string {
    return this.#holding.protocol;
  }

  get stopped(): boolean {
    return isGone(this.#holding.ref);
  }

  /** @throws GossipError ACTOR_GONE */
  get #live(): Holding {
    if (!this.stopped) return this.#holding;
    throw goneView(`The gossip instance '${this.name}' of the node '${this.node}'`);
  }

  get(id: string): unknown {
    const bytes = this.#live.replica.get(id);
    return bytes === undefined ? undefined : decodeValue(bytes);
  }

  has(id: string): boolean {
    return this.#live.replica.get(id) !== undefined;
  }

  entry(id: string): Entry | undefined {
    const update = this.#live.replica.store.get(id);
    return update === undefined || visible(update) === undefined ? undefined : new Entry(update);
  }

  entries(options: PrefixOptions = {}): IterableIterator<Entry> {
    return mapped(this.#visible(options), (update) => new Entry(update));
  }

  keys(options: PrefixOptions = {}): IterableIterator<string> {
    return mapped(this.#visible(options), ({ id }) => id);
  }

  #visible(options: PrefixOptions): Iterable<Update> {
    const prefix = prefixOf(options);
    const all = this.#live.replica.visible();
    return prefix === '' ? all : beginning(all, prefix);
  }

  get size(): number {
    return this.#live.replica.store.visibleCount;
  }

  hidden({ limit = 100 }: HiddenOptions = {}): HiddenUpdate[] {
    const { replica, errors } = this.#live;
    const listed: HiddenUpdate[] = [];
    for (const update of replica.store.hidden()) {
      if (listed.length >= limit) break;
      listed.push(hiddenUpdateOf(update, errors.of(update)));
    }
    return listed;
  }

  get hash(): string {
    return hexOf(this.#live.replica.context.sum) + this.contentHash;
  }

  get contentHash(): string {
    return hexOf(this.#live.replica.store.liveSum(0));
  }

  get peers(): readonly string[] {
    return [...this.#live.peers.keys()];
  }

  status(): GossipStatus {
    const holding = this.#live;
    const { replica, ref, pressure, peers, subscriptions, outbox, deadLetters, received, written } = holding;
    const { queued = 0, dropped = 0, restarts = 0 } = statsOf(ref) ?? {};
    return {
      synced: holding.isSynced,
      refusals: holding.refusals.list,
      ids: replica.store.liveCount,
      hidden: replica.store.hiddenCount,
      handler: holding.handlerState,
      tombstones: replica.store.size - replica.store.liveCount,
      bytes: replica.store.liveBytes,
      refused: replica.refusals,
      withheld: replica.withheld,
      stampedAhead: replica.countAhead(holding.clock()),
      heldBack: replica.countHeldThere(),
      refusedOrigins: replica.refusedOrigins,
      reusedDots: replica.reusedDots,
      origins: replica.context.size,
      peers: peers.size,
      queued,
      dropped: dropped + holding.shed,
      backlog: pressure.backlog,
      restarts,
      deadLetters,
      subscribers: subscriptions.size,
      subscribersBehind: subscriptions.behind,
      received,
      sent: outbox.sent,
      written,
      hash: this.hash,
    };
  }
}

function* beginning(updates: Iterable<Update>, prefix: string): IterableIterator<Update> {
  for (const update of updates) if (update.id.startsWith(prefix)) yield update;
}

function* mapped<From, To>(updates: Iterable<From>, map: (from: From) => To): IterableIterator<To> {
  for (const update of updates) yield map(update);
}

/** @throws GossipError ACTOR_GONE when it is no node */
export function nodeView(ref: Ref<NodeMessage>): NodeView {
  return new RootView(ref);
}

class RootView implements NodeView {
  readonly #ref: Ref<NodeMessage>;
  readonly #node: Node;

  constructor(ref: Ref<NodeMessage>) {
    this.#ref = ref;
    this.#node = nodeOf(ref);
  }

  get name(): string {
    return this.#node.options.name;
  }

  get epoch(): number {
    return this.#node.epoch;
  }

  get url(): string | null {
    return this.#node.url;
  }

  get stopped(): boolean {
    return isGone(this.#ref);
  }

  /** @throws GossipError ACTOR_GONE */
  get #live(): Node {
    if (!this.stopped) return this.#node;
    throw goneView(`The node '${this.name}'`);
  }

  get joined(): boolean {
    const { arrival, hasListened } = this.#live;
    return arrival.state === 'met' || (arrival.state === 'alone' && hasListened);
  }

  get alone(): boolean {
    return this.#live.arrival.state === 'alone';
  }

  get refusals(): readonly Refusal[] {
    return this.#live.arrival.refusals.list;
  }

  get self(): Member {
    return this.#live.self;
  }

  get members(): readonly Member[] {
    return this.#live.members;
  }

  get roster(): readonly MemberStatus[] {
    return this.#live.roster;
  }

  get gossips(): readonly string[] {
    return [...this.#live.holdings.keys()];
  }

  gossip(name: string): Ref<GossipMessage> | undefined {
    return this.#live.holdings.get(name)?.ref;
  }

  get subscribers(): number {
    return this.#live.audience.size;
  }

  get subscribersBehind(): number {
    return this.#live.audience.behind;
  }

  get totals(): NodeTotals {
    return this.#live.totals.read();
  }

  get links(): readonly LinkStatus[] {
    return [...this.#live.lines.values()].map((line) => {
      const { id, peer, dialled, writable, queuedBytes, queuedFrames, counters } = line.session;
      const { isHeld: held, throttled } = line;
      const { name, epoch, url } = peer;
      const waits = { writable, queuedBytes, queuedFrames, held, throttled };
      return { peer: name, epoch, url, session: id, dialled, ...waits, counters };
    });
  }
}

function goneView(what: string): GossipError {
  return new GossipError(
    'ACTOR_GONE',
    `${what} has stopped, and what it held at its end may be wrong by now: read it before it stops, or look at \`stopped\` first.`,
  );
}

function hexOf(sum: Readonly<Sum>): string {
  return [...sum].map(hexOfLane).join('');
}

function hexOfLane(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}

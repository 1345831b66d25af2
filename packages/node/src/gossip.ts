/**
 * One gossip instance behind promises.
 *
 * Reads are synchronous and local. Writes settle once they are stored here; the network is never waited for.
 *
 * Invariant: nothing here knows about gossip. Each method is one message to the instance, or one look at its view.
 */
import {
  add,
  addMany,
  ask,
  type Change,
  type ChangesEvent,
  type DeadLetter,
  type Entry,
  type GossipEvent,
  type GossipMessage,
  type GossipStatus,
  gossipView,
  type GossipView,
  type HiddenOptions,
  type HiddenUpdate,
  isPrefix,
  leave,
  type LeaveOptions,
  type LeaveReport,
  type PrefixOptions,
  type Ref,
  type RefreshOptions,
  refresh,
  remove,
  stopGossip,
  synced,
  type Version,
  type WaitingOptions,
  type WriteReply,
} from '@grapevine/actors';

import { GossipError, type OptionRules, wholeNumber } from '@grapevine/core';

import type { Feed } from './feed.ts';
import { readingRules, resolveReading } from './reading.ts';
import { subscribedFeed } from './subscription.ts';

export interface AddOptions {
  /** In so many milliseconds every replica removes the id by itself. @default never */
  readonly expiresIn?: number;
  /**
   * Whether readers see the value only while this node is there: on every node it goes with the `nodedown` or `nodeleft` of this
   * one, and comes back where that was an error. Whoever writes the id last decides. Without `expiresIn` the value has a lease
   * (`LEASE_MS`, an hour), which this node renews for as long as it runs. Arrays and maps stand in each other up to 63 deep here.
   * @default false
   */
  readonly ephemeral?: boolean;
}

export interface Written {
  /** The place of this write in the order of all writes: of two writes of an id the higher version wins everywhere. */
  readonly version: Version;
}

/** What `changes()` yields. */
export type GossipChange =
  /** All that is here. Comes first, and again when the reader fell behind. */
  | { readonly type: 'snapshot'; readonly entries: readonly Entry[] }
  /** An id has a new value, or is gone: removed, or expired. */
  | Change
  /** The handler failed on an update again and again; it is stored, and hidden from readers here. */
  | { readonly type: 'deadletter'; readonly letter: DeadLetter };

export interface ChangesOptions extends PrefixOptions {
  /** Ends the iteration, quietly. */
  readonly signal?: AbortSignal;
  /**
   * How many changes may wait for a slow reader. When more wait they are thrown away and the reader gets a fresh
   * snapshot in their place: memory stays bounded, and what is lost is only the way to where things stand. Dead letters
   * thrown away are not told again; `status().deadLetters` counts them.
   * @default 10000
   */
  readonly limit?: number;
}

/** How long a write may wait for its turn in this process, in milliseconds. */
const WRITE_TIMEOUT_MS = 30_000;
const CHANGES_LIMIT = 10_000;
/** A batch of fewer changes takes more memory than these do, each an object. */
const MANY_CHANGES = 16;
const changesRules: OptionRules<{
  readonly signal: AbortSignal | undefined;
  readonly limit: number;
  readonly prefix: string;
}> = {
  ...readingRules,
  prefix: { check: isPrefix, default: '' },
  limit: { check: wholeNumber('changes', 1), default: CHANGES_LIMIT },
};

/** What a gossip needs of the node that it lives on. */
export interface Host {
  readonly system: Ref<never>;
  /** @throws GossipError CLOSED */
  assertOpen(): void;
  /** What a promise comes to; that the node was closed meanwhile is told as that. @throws (rejects) GossipError CLOSED */
  whileOpen<T>(promise: Promise<T>): Promise<T>;
  /** A name that no other subscriber has. */
  subscriberName(): string;
  /** Remembers a feed until it ends, so that closing the node ends it. */
  keep(feed: Pick<Feed<unknown>, 'finish'>): void;
  drop(feed: Pick<Feed<unknown>, 'finish'>): void;
}

/** Obtained by `grapevine.gossip(name)`. After the node was closed every call fails with GossipError CLOSED. */
export class Gossip {
  readonly name: string;
  /** The instance's actor, for those who also speak to actors. */
  readonly ref: Ref<GossipMessage>;
  readonly #host: Host;
  readonly #view: GossipView;
  readonly #closed: () => void;
  #closing: Promise<LeaveReport> | null = null;

  /** @internal @param closed hears once that this is not to be used any more */
  constructor(ref: Ref<GossipMessage>, host: Host, closed: () => void) {
    this.ref = ref;
    this.#host = host;
    this.#closed = closed;
    this.#view = gossipView(ref);
    this.name = this.#view.name;
  }

  /**
   * Writes a value under an id.
   * @param value what MessagePack carries: null, booleans, numbers, text, `Uint8Array`, dates, arrays, plain objects, maps.
   *   A `Map` whose keys are all texts is the same as a plain object there, and is read as one, an empty `Map` too; a `Map` with
   *   any other key is read as a `Map`
   * @returns once it is stored here
   * @throws GossipError ID_INVALID, VALUE_NOT_SERIALISABLE, UPDATE_TOO_LARGE, STORE_FULL, OPTIONS_INVALID, CLOSED, and with
   *   `judgeWrites` WRITE_REFUSED; state unchanged
   */
  async add(id: string, value: unknown, options: AddOptions = {}): Promise<Written> {
    const [version] = await this.#write((replyTo) => add(id, value, replied(options, replyTo)));
    return { version: version as Version };
  }

  /**
   * Writes many at once, which costs far less than one by one. All are written or none.
   * @returns the versions in the order of the entries, once all are stored here
   * @throws as `add`
   */
  async addMany(
    entries: Iterable<readonly [id: string, value: unknown]>,
    options: AddOptions = {},
  ): Promise<Written[]> {
    const versions = await this.#write((replyTo) => addMany(entries, replied(options, replyTo)));
    return versions.map((version) => ({ version }));
  }

  /**
   * Renews the life of an id that expires: every replica keeps the value and removes it `expiresIn` milliseconds from now. Readers
   * are told nothing, here and elsewhere, where the value expires already. It is a write of the value that is held here: an `add`
   * of another node that has not come here yet loses against it.
   * @returns once it is stored here
   * @throws GossipError ID_INVALID, OPTIONS_INVALID, CLOSED; ID_UNKNOWN where readers here see no value under the id: write it
   *   again; state unchanged
   */
  async refresh(id: string, options: { readonly expiresIn: number }): Promise<Written> {
    const [version] = await this.#write((replyTo) => refresh(id, replied(options, replyTo) as RefreshOptions));
    return { version: version as Version };
  }

  /**
   * Removes an id, everywhere. Final for every write of the id that was known here; a later one adds it again.
   * @returns once the removal is stored here
   * @throws GossipError ID_INVALID, CLOSED; state unchanged
   */
  async remove(id: string): Promise<Written> {
    const [version] = await this.#write((replyTo) => remove(id, { replyTo }));
    return { version: version as Version };
  }

  /**
   * Waits until this instance has once held all that a peer had since its start: their hashes were equal, or a whole transfer
   * has come, and was judged and stored. With `rumor`, which never compares, until it has met a peer: what was told before is
   * not told again. Where the node may be alone there is nothing to wait for. A peer that has itself just started counts.
   * @param options.timeoutMs the longest wait; Infinity waits for ever. @default 10000
   * @throws (rejects) GossipError, while the instance goes on trying: PROTOCOL_MISMATCH when all members run another protocol
   *   under this name; what `grapevine.joined()` rejects with when every seed refuses this node; SYNC_TIMEOUT, with the last
   *   refusal as its cause; CLOSED; OPTIONS_INVALID
   */
  async synced(options: WaitingOptions = {}): Promise<void> {
    this.#assertOpen();
    await this.#whileOpen(synced(this.ref, options));
  }

  /** @returns the value, or `undefined` */
  get(id: string): unknown {
    return this.#open().get(id);
  }

  has(id: string): boolean {
    return this.#open().has(id);
  }

  /** The value with its origin, version and expiry. */
  entry(id: string): Entry | undefined {
    return this.#open().entry(id);
  }

  /**
   * Every id with its value, in order of arrival.
   * @param options.prefix only ids that begin so: values of others are not decoded. @default '', all
   * @throws GossipError OPTIONS_INVALID, CLOSED, both at the call
   */
  entries(options: PrefixOptions = {}): IterableIterator<[id: string, value: unknown]> {
    return pairs(this.#open().entries(options));
  }

  /** How many ids there are to be read. What the handler hides is not among them: `status().hidden` counts it. */
  get size(): number {
    return this.#open().size;
  }

  /**
   * What the handler hides from readers here and why (ignored, dropped by a reset, or a dead letter with what the handler
   * threw), in the order in which it was hidden: the first of them. The list is a copy.
   */
  hidden(options: HiddenOptions = {}): HiddenUpdate[] {
    return this.#open().hidden(options);
  }

  /**
   * First a snapshot, then every change in its order, written here or received: no gap and no duplicate, also when the
   * instance crashes and is started again. Subscribes at the first read; `break`, `return()` and the signal unsubscribe.
   * Ends when the gossip is closed, or the node left or closed. With a `prefix` all of it is of ids alone that begin so.
   * @throws GossipError OPTIONS_INVALID, CLOSED; while reading, ACTOR_GONE when the instance was given up after too many crashes
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<GossipChange> {
    return this.#read(options, deliverEach);
  }

  /**
   * What `changes()` yields, in the batches in which it comes: each is the event that a subscribed actor is told. For readers of very
   * many changes: one step of the iteration for a batch, and `ids` and `values` of it, which are in one order, cost a fraction of an
   * object for each change. A value of `undefined` is that of an id that is gone.
   * @param options as of `changes`; `limit` counts changes, and an event of fewer as 16
   * @throws GossipError as `changes`
   */
  events(options: ChangesOptions = {}): AsyncIterableIterator<GossipEvent> {
    return this.#read(options, deliverWhole);
  }

  #read<T>(options: ChangesOptions, deliver: (event: GossipEvent, feed: Feed<T>) => void): AsyncIterableIterator<T> {
    this.#assertOpen();
    const { signal, limit, prefix } = resolveReading(options, changesRules);
    const feed = subscribedFeed<GossipEvent, T>({
      system: this.#host.system,
      target: this.ref,
      name: this.#host.subscriberName(),
      limit,
      signal,
      prefix,
      deliver,
      ended: (ended) => this.#host.drop(ended),
    });
    this.#host.keep(feed);
    return feed;
  }

  /** Counters and the hash of the replica: equal on two nodes when they hold the same. */
  status(): GossipStatus {
    return this.#open().status();
  }

  /** What readers here see, in full. Once the node has stopped, reading it throws GossipError ACTOR_GONE (`stopped` does not). */
  get view(): GossipView {
    return this.#open();
  }

  /**
   * Closes this gossip alone: waits until another node is known to have what was written here, up to the deadline, and stops it.
   * What it held here is gone then; other nodes keep it. From the call on every method but this one fails with CLOSED, and once it
   * has resolved, `grapevine.gossip(name)` opens a new one, which the others bring up to date. Other gossips are not touched.
   * @param options.deadlineMs how long to wait for others at most, in milliseconds. @default 5000
   * @param options.required whether it is an error when something was not delivered. @default false
   * @returns how many writes no other node is known to have; the same to whoever calls again
   * @throws (rejects) GossipError OPTIONS_INVALID, nothing done; UNDELIVERED if it is `required`: it has stopped
   */
  async close(options: LeaveOptions = {}): Promise<LeaveReport> {
    // What is wrong with the options is found before anything is done.
    leave({ deadlineMs: options.deadlineMs });
    if (this.#closing === null) {
      this.#host.assertOpen();
      this.#closed();
      this.#closing = stopGossip(this.ref, options);
    }
    return this.#closing;
  }

  #assertOpen(): void {
    this.#host.assertOpen();
    if (this.#closing !== null)
      throw new GossipError(
        'CLOSED',
        `The gossip '${this.name}' was closed. Open it again with grapevine.gossip('${this.name}') once close() has resolved.`,
        { context: { name: this.name } },
      );
  }

  /** What a promise comes to; that this or the node was closed meanwhile is told as that. */
  async #whileOpen<T>(promise: Promise<T>): Promise<T> {
    try {
      return await this.#host.whileOpen(promise);
    } catch (error) {
      if ((error as Partial<GossipError>).code === 'ACTOR_GONE') this.#assertOpen();
      throw error;
    }
  }

  #open(): GossipView {
    this.#assertOpen();
    return this.#view;
  }

  async #write(message: (replyTo: Ref<WriteReply>) => GossipMessage): Promise<readonly Version[]> {
    this.#assertOpen();
    const reply = await this.#whileOpen(
      ask<GossipMessage, WriteReply>(this.ref, message, { timeoutMs: WRITE_TIMEOUT_MS }),
    );
    if (!reply.ok) throw reply.error;
    return reply.versions;
  }
}

function* pairs(entries: Iterable<Entry>): IterableIterator<[id: string, value: unknown]> {
  for (const entry of entries) yield [entry.id, entry.value];
}

/** What is no object of options stays what it is: the message refuses it, and spreading it would hide it. */
function replied(options: AddOptions, replyTo: Ref<WriteReply>): Parameters<typeof add>[2] {
  return typeof options === 'object' && (options as unknown) !== null ? { ...options, replyTo } : options;
}

function deliverEach(event: GossipEvent, feed: Feed<GossipChange>): void {
  switch (event.type) {
    case 'snapshot':
      return feed.begin(() => ({ type: 'snapshot', entries: event.entries }));
    case 'changes':
      return appendChanges(event, feed);
    case 'deadletters':
      return feed.append(event.letters.length, () => event.letters.map((letter) => ({ type: 'deadletter', letter })));
    default:
      event satisfies never;
  }
}

/** What a slow reader is thrown away is not made, where it would take less memory unmade. */
function appendChanges(event: ChangesEvent, feed: Feed<GossipChange>): void {
  const { length } = event.ids;
  if (length >= MANY_CHANGES) return feed.append(length, () => event.changes);
  const { changes } = event;
  feed.append(length, () => changes);
}

function deliverWhole(event: GossipEvent, feed: Feed<GossipEvent>): void {
  switch (event.type) {
    case 'snapshot':
      return feed.begin(() => event);
    case 'changes':
      return feed.append(Math.max(MANY_CHANGES, event.ids.length), () => [event]);
    case 'deadletters':
      return feed.append(event.letters.length, () => [event]);
    default:
      event satisfies never;
  }
}

/**
 * What subscribers are told: first all that readers here see, then every change of it, in batches and in order.
 *
 * Invariants
 *  1. A value is decoded when it is first read, once for all subscribers. Who never reads it pays nothing.
 *  2. An entry or a change says what was true when it was told, whatever became of the id since.
 *
 * Source: docs/architecture.md.
 */

import { inspect, type InspectOptions } from 'node:util';

import {
  type Batch,
  type Hiding,
  isEphemeral,
  isExpired,
  type Member,
  type Origin,
  type Update,
  visible,
} from '@grapevine/core';
import { decodeValue, decodeValues } from '@grapevine/wire';

import type { Refusal } from './refusals.ts';
import type { ViewChangeType } from './view-changes.ts';

/** Which write: a total order, by its fields from first to last. */
export interface Version {
  /** Of the hybrid logical clock. */
  readonly stamp: number;
  readonly node: string;
  readonly epoch: number;
  readonly sequence: number;
}

/** Of the last row of a batch. */
export function lastVersion({ stamps, origins, sequences, length }: Batch): Version {
  const row = length - 1;
  const { name, epoch } = origins[row] as Origin;
  return { stamp: stamps[row] as number, node: name, epoch, sequence: sequences[row] as number };
}

export function versionOf({ stamp, origin, sequence }: Update): Version {
  return { stamp, node: origin.name, epoch: origin.epoch, sequence };
}

const unread = Symbol('unread');

/** One id, as readers here see it. */
export class Entry {
  /** The encoding of what readers see, one character a byte; `undefined` where that is nothing. */
  readonly bytes: string | undefined;
  readonly #update: Update;
  #value: unknown = unread;

  constructor(update: Update) {
    this.#update = update;
    this.bytes = visible(update);
  }

  get id(): string {
    return this.#update.id;
  }

  /** `undefined` where readers see nothing. */
  get value(): unknown {
    if (this.#value === unread) this.#value = this.bytes === undefined ? undefined : decodeValue(this.bytes);
    return this.#value;
  }

  /** Who wrote it. */
  get origin(): Pick<Origin, 'name' | 'epoch'> {
    return this.#update.origin;
  }

  get version(): Version {
    return versionOf(this.#update);
  }

  /** Wall-clock milliseconds at which it expires. */
  get expiresAt(): number | undefined {
    return this.#update.expiresAt;
  }

  /** Whether it is tied to the node that wrote it. Of what has gone: whether it was hidden with its node, and not removed. */
  get ephemeral(): boolean {
    const bytes = this.bytes ?? this.#update.value;
    return bytes !== undefined && isEphemeral(bytes);
  }

  /** As a plain object, to be spread, cloned or sent to another thread: the fields here are read on demand, from no own ones. */
  toJSON(): {
    readonly id: string;
    readonly value: unknown;
    readonly version: Version;
    readonly expiresAt?: number;
    readonly ephemeral?: true;
  } {
    const { id, value, version, expiresAt, ephemeral } = this;
    const life = expiresAt === undefined ? {} : { expiresAt };
    return { id, value, version, ...life, ...(ephemeral ? { ephemeral } : {}) };
  }
}

/**
 * `update`: there is a value now. `removed`: no longer, by a removal, by a handler's refusal, or since it is ephemeral and its node
 * is gone. `expired`: its time is over.
 */
export type ChangeType = 'update' | 'removed' | 'expired';

export class Change extends Entry {
  readonly type: ChangeType;

  constructor(update: Update) {
    super(update);
    if (this.bytes !== undefined) this.type = 'update';
    else this.type = isExpired(update) ? 'expired' : 'removed';
  }

  override toJSON(): ReturnType<Entry['toJSON']> & { readonly type: ChangeType } {
    return { type: this.type, ...super.toJSON() };
  }
}

/**
 * An update that readers here do not see: for a verdict of the handler, or since it is ephemeral and its node is not there. Other
 * nodes may see it.
 */
export interface HiddenUpdate {
  readonly id: string;
  /** What was written. */
  readonly value: unknown;
  /** What readers here see in its place: what they saw before it came. `undefined`: nothing. */
  readonly shown: unknown;
  /**
   * `ignored`: the handler did not keep it. `reset`: a later `reset` dropped it. `deadletter`: the handler failed on it. `gone`: it is
   * ephemeral, and its node is not there.
   */
  readonly why: Hiding;
  /** What the handler threw, for the latest thousand dead letters. */
  readonly error: unknown;
  /** Who wrote it. */
  readonly origin: Pick<Origin, 'name' | 'epoch'>;
  readonly version: Version;
  /** Wall-clock milliseconds at which it expires. */
  readonly expiresAt: number | undefined;
}

export function hiddenUpdateOf(update: Update, error: unknown): HiddenUpdate {
  const { id, value, view, origin, expiresAt } = update;
  return {
    id,
    value: decodeValue(value as string),
    shown: view?.value === undefined ? undefined : decodeValue(view.value),
    why: view?.why as Hiding,
    error,
    origin: { name: origin.name, epoch: origin.epoch },
    version: versionOf(update),
    expiresAt,
  };
}

/** An update that the handler could not judge. It is stored and served like any other, but hidden from readers here. */
export class DeadLetter {
  /** What the handler threw, or that it did not answer. */
  readonly error: unknown;
  readonly #update: Update;

  constructor(update: Update, error: unknown) {
    this.#update = update;
    this.error = error;
  }

  get id(): string {
    return this.#update.id;
  }

  get value(): unknown {
    return this.#update.value === undefined ? undefined : decodeValue(this.#update.value);
  }

  get origin(): Pick<Origin, 'name' | 'epoch'> {
    return this.#update.origin;
  }

  get version(): Version {
    return versionOf(this.#update);
  }

  /** As a plain object, with the error as a text. */
  toJSON(): { readonly id: string; readonly value: unknown; readonly version: Version; readonly error: string } {
    const { id, value, version, error } = this;
    return { id, value, version, error: String(error) };
  }
}

/** What `console.log` shows: plain fields, read through the prototype, so that no object of a batch bears a field for it. */
function showsOnConsole<T extends object>(
  kind: { readonly prototype: T },
  name: string,
  plain: (given: T) => object,
): void {
  Object.defineProperty(kind.prototype, inspect.custom, {
    value(this: T, _depth: number, options: InspectOptions): string {
      return `${name} ${inspect(plain(this), options)}`;
    },
  });
}

showsOnConsole(Entry, 'Entry', (entry) => entry.toJSON());
showsOnConsole(Change, 'Change', (change) => change.toJSON());
showsOnConsole(DeadLetter, 'DeadLetter', (letter) => ({ ...letter.toJSON(), error: letter.error }));

interface FromGossip {
  /** The instance's name. */
  readonly gossip: string;
  /** This node's name. */
  readonly node: string;
}

/** What an event holds in bulk, beside its items: for each of these an id and a value, in their order. */
export interface InBulk {
  readonly ids: readonly string[];
  /** Decoded together when they are first read, which costs less than to read each item. `undefined`: readers see nothing. */
  readonly values: readonly unknown[];
}

/** First, to each subscriber. */
export interface SnapshotEvent extends FromGossip, InBulk {
  readonly type: 'snapshot';
  /** Made when they are first read. */
  readonly entries: readonly Entry[];
}

export interface ChangesEvent extends FromGossip, InBulk {
  readonly type: 'changes';
  /** Made when they are first read. */
  readonly changes: readonly Change[];
}

export function snapshotOf(source: FromGossip, batch: Batch): SnapshotEvent {
  let entries: readonly Entry[] | undefined;
  let values: readonly unknown[] | undefined;
  return {
    type: 'snapshot',
    ...source,
    get entries() {
      return (entries ??= Array.from(batch, (update) => new Entry(update)));
    },
    ids: batch.ids,
    get values() {
      return (values ??= decodeValues(batch));
    },
  };
}

export function changesOf(source: FromGossip, batch: Batch): ChangesEvent {
  let changes: readonly Change[] | undefined;
  let values: readonly unknown[] | undefined;
  return {
    type: 'changes',
    ...source,
    get changes() {
      return (changes ??= Array.from(batch, (update) => new Change(update)));
    },
    ids: batch.ids,
    get values() {
      return (values ??= decodeValues(batch));
    },
  };
}

export interface DeadLettersEvent extends FromGossip {
  readonly type: 'deadletters';
  readonly letters: readonly DeadLetter[];
}

/** To the subscribers of a gossip instance. */
export type GossipEvent = SnapshotEvent | ChangesEvent | DeadLettersEvent;

/** First, to each subscriber, and again to one that was behind: who is there, without this node. */
export interface MembersEvent {
  readonly type: 'members';
  readonly node: string;
  readonly members: readonly Member[];
}

/**
 * `nodeup`: is there now. `nodedown`: does not answer any more, or was started anew, which a `nodeup` follows. `nodeleft`:
 * said goodbye. `nodechanged`: says something else of itself, or is somewhere else.
 */
export interface MemberEvent {
  readonly type: ViewChangeType;
  /** Who tells it. */
  readonly node: string;
  readonly member: Member;
}

/** A connection came to nothing: this node refused the other, or was refused. The same again is told once a minute at most. */
export interface RefusedEvent {
  readonly type: 'refused';
  /** Who tells it. */
  readonly node: string;
  readonly refusal: Refusal;
}

/** To the subscribers of a node. */
export type NodeEvent = MembersEvent | MemberEvent | RefusedEvent;

/**
 * What users say to a node and to a gossip instance: plain messages, made by these functions, sent by `dispatch`.
 *
 * Invariants
 *  1. A value is encoded when the message is made. So what cannot be gossiped throws where it was written, and what the
 *     caller does to the object afterwards changes nothing that is gossiped.
 *
 * Source: docs/architecture.md.
 */

import type { KeyObject } from 'node:crypto';

import {
  type Bytes,
  fillOptions,
  GossipError,
  isBoolean,
  type Member,
  type Meta,
  type OptionCheck,
  type OptionRules,
  throwViolations,
  type Violation,
  wholeNumber,
} from '@grapevine/core';
import { type KeyMaterial, readKeys, readTls, type TransportTls } from '@grapevine/transport';
import { encodeEphemeral, encodeValue } from '@grapevine/wire';

import type { GossipEvent, NodeEvent, Version } from './events.ts';
import type { Ref } from './kernel/nact.ts';
import { deadlineOf, type LeaveReport } from './leave-report.ts';
import { timeoutOf, type WaitingOptions } from './waiting.ts';

/** What became of a write: stored here, or not at all. */
export type WriteReply =
  | {
      readonly ok: true;
      /** One for each entry. */
      readonly versions: readonly Version[];
    }
  | { readonly ok: false; readonly error: GossipError };

/** One id to be written. */
export interface Write {
  readonly id: string;
  /** The value's encoding; `undefined` removes the id. */
  readonly bytes: Bytes | undefined;
}

export interface Add extends Write {
  readonly type: 'add';
  readonly bytes: Bytes;
  readonly expiresIn: number | undefined;
  readonly replyTo: Ref<WriteReply> | undefined;
}

export interface AddMany {
  readonly type: 'add-many';
  readonly writes: readonly Write[];
  readonly expiresIn: number | undefined;
  readonly replyTo: Ref<WriteReply> | undefined;
}

export interface Remove extends Write {
  readonly type: 'remove';
  readonly bytes: undefined;
  readonly expiresIn: undefined;
  readonly replyTo: Ref<WriteReply> | undefined;
}

/** Moves the end of a life. */
export interface Refresh extends Write {
  readonly type: 'refresh';
  readonly bytes: undefined;
  readonly expiresIn: number;
  readonly replyTo: Ref<WriteReply> | undefined;
}

export interface Subscribe<E> {
  readonly type: 'subscribe';
  readonly subscriber: Ref<E>;
  /** To a gossip instance: only ids that begin so. */
  readonly prefix?: string | undefined;
}

export interface Unsubscribe<E> {
  readonly type: 'unsubscribe';
  readonly subscriber: Ref<E>;
}

/** What became of what a node was to say of itself. */
export type DescribeReply = { readonly ok: true } | { readonly ok: false; readonly error: GossipError };

export interface Describe {
  readonly type: 'describe';
  readonly meta: Meta;
  readonly replyTo: Ref<DescribeReply> | undefined;
}

/** What became of new keys or certificates. */
export type SecurityReply =
  | {
      readonly ok: true;
      /** How many connections were closed, because their peers proved themselves by a key that is not listed any more. */
      readonly closed: number;
    }
  | { readonly ok: false; readonly error: GossipError };

export interface RotateKeys {
  readonly type: 'rotate-keys';
  readonly keys: readonly KeyObject[];
  readonly keepSessions: boolean;
  readonly replyTo: Ref<SecurityReply> | undefined;
}

export interface RenewTls {
  readonly type: 'renew-tls';
  readonly tls: TransportTls;
  readonly replyTo: Ref<SecurityReply> | undefined;
}

export interface Leave {
  readonly type: 'leave';
  readonly deadlineMs: number | undefined;
  readonly replyTo: Ref<LeaveReport> | undefined;
}

/** Whether a node has met others, as `joined` waits for, and whom. */
export type JoinedReply =
  | { readonly ok: true; readonly members: readonly Member[] }
  | { readonly ok: false; readonly error: GossipError };

export interface WhenJoined {
  readonly type: 'when-joined';
  readonly timeoutMs: number;
  readonly replyTo: Ref<JoinedReply>;
}

/** Whether an instance holds what its peers held, as `synced` waits for. */
export type SyncedReply = { readonly ok: true } | { readonly ok: false; readonly error: GossipError };

export interface WhenSynced {
  readonly type: 'when-synced';
  readonly timeoutMs: number;
  readonly replyTo: Ref<SyncedReply>;
}

/** What users send to a gossip instance. */
export type GossipMessage =
  | Add
  | AddMany
  | Remove
  | Refresh
  | Subscribe<GossipEvent>
  | Unsubscribe<GossipEvent>
  | WhenSynced;

/** What users send to a node. */
export type NodeMessage =
  | Subscribe<NodeEvent>
  | Unsubscribe<NodeEvent>
  | Describe
  | RotateKeys
  | RenewTls
  | WhenJoined
  | Leave;

export interface ReplyOptions {
  /** Who is told what became of it. Without, a write that fails is only logged. @default none */
  readonly replyTo?: Ref<WriteReply> | undefined;
}

export interface AddOptions extends ReplyOptions {
  /** After how many milliseconds every node forgets it by itself. @default never */
  readonly expiresIn?: number | undefined;
  /**
   * Whether readers see the value only while this node is there: on every node it goes with the `nodedown` or `nodeleft` of this
   * one, and comes back where that was an error. Whoever writes the id last decides. Without `expiresIn` the value has a lease
   * (`LEASE_MS`, an hour), which this node renews for as long as it runs. Arrays and maps stand in each other up to 63 deep here.
   * @default false
   */
  readonly ephemeral?: boolean | undefined;
}

/** The characters (UTF-16 code units) that an id may have. */
const longestId = 4096;
const noOptions: AddOptions = {};

/**
 * Writes an id.
 * @param value plain data that MessagePack carries, encoded now. A `Map` whose keys are all texts is read as a plain object, an
 *   empty `Map` too; a `Map` with any other key is read as a `Map`
 * @throws GossipError ID_INVALID, VALUE_NOT_SERIALISABLE, OPTIONS_INVALID (`expiresIn`, `ephemeral`)
 */
export function add(id: string, value: unknown, options: AddOptions = noOptions): Add {
  checkId(id);
  if (options !== noOptions) checkAddOptions(options);
  const { expiresIn, replyTo, ephemeral } = options;
  return {
    type: 'add',
    id,
    bytes: ephemeral === true ? encodeEphemeral(value) : encodeValue(value),
    expiresIn,
    replyTo,
  };
}

/**
 * Writes many ids by one message, all or none of them.
 * @param entries pairs of id and value; a Map fits
 * @throws GossipError ID_INVALID, VALUE_NOT_SERIALISABLE, OPTIONS_INVALID (`expiresIn`, `ephemeral`)
 */
export function addMany(entries: Iterable<readonly [id: string, value: unknown]>, options: AddOptions = {}): AddMany {
  checkAddOptions(options);
  const { expiresIn, replyTo, ephemeral } = options;
  const encode = ephemeral === true ? encodeEphemeral : encodeValue;
  const writes: Write[] = [];
  for (const [id, value] of entries) {
    checkId(id);
    writes.push({ id, bytes: encode(value) });
  }
  return { type: 'add-many', writes, expiresIn, replyTo };
}

/**
 * Removes an id, on every node; final for every write of it seen here. It can be added again.
 * @throws GossipError ID_INVALID
 */
export function remove(id: string, { replyTo }: ReplyOptions = {}): Remove {
  checkId(id);
  return { type: 'remove', id, bytes: undefined, expiresIn: undefined, replyTo };
}

export interface RefreshOptions extends ReplyOptions {
  /** In how many milliseconds from now every node forgets the id by itself. Required. */
  readonly expiresIn: number;
}

/** Without a default that could be meant: what is not given is told as wrong. */
const refreshRules: OptionRules<{ readonly expiresIn: number }> = {
  expiresIn: { check: wholeNumber('milliseconds', 0), default: NaN },
};

/**
 * Renews the life of an id that expires: every node keeps the value, and forgets it `expiresIn` milliseconds from now. Readers are
 * told nothing where the value expires already. It is a write of the value that is held here: an `add` of another node that has
 * not come here yet loses against it.
 * @throws GossipError ID_INVALID, OPTIONS_INVALID (`expiresIn`). To `replyTo`: ID_UNKNOWN where readers here see no value under the
 *   id; nothing is written then
 */
export function refresh(id: string, options: RefreshOptions): Refresh {
  checkId(id);
  const violations: Violation[] = [];
  const { expiresIn } = fillOptions('', options, refreshRules, violations, ['replyTo']);
  if (Number.isNaN(expiresIn) && violations.length === 0)
    violations.push({ path: 'expiresIn', problem: 'is required: the milliseconds from now that the id lives on' });
  throwViolations(violations);
  const { replyTo } = options;
  return { type: 'refresh', id, bytes: undefined, expiresIn, replyTo };
}

export interface PrefixOptions {
  /** Only ids that begin with this text, of any length. @default '', all ids */
  readonly prefix?: string | undefined;
}

/** Of every reading of a gossip instance. */
export const isPrefix: OptionCheck = (value) =>
  typeof value === 'string' ? undefined : 'must be the text with which ids begin';

const prefixRules: OptionRules<{ readonly prefix: string }> = { prefix: { check: isPrefix, default: '' } };

/** @throws GossipError OPTIONS_INVALID */
export function prefixOf(options: PrefixOptions): string {
  const violations: Violation[] = [];
  const { prefix } = fillOptions('', options, prefixRules, violations);
  throwViolations(violations);
  return prefix;
}

/**
 * Subscribes an actor, to a gossip instance or to a node: first it is told all there is, then every change. An actor has one
 * subscription of an instance: one with another prefix takes its place.
 * @param options.prefix of an instance: snapshot, changes and dead letters are of ids alone that begin so. A node has no ids, and
 *   refuses one
 * @throws GossipError ACTOR_GONE when this is no reference at all; OPTIONS_INVALID
 */
export function subscribe<E>(subscriber: Ref<E>, options: PrefixOptions = {}): Subscribe<E> {
  if (typeof subscriber !== 'object' || (subscriber as unknown) === null)
    throw new GossipError('ACTOR_GONE', 'Only an actor can subscribe: give its reference.', { fault: 'caller' });
  const prefix = prefixOf(options);
  return prefix === '' ? { type: 'subscribe', subscriber } : { type: 'subscribe', subscriber, prefix };
}

export function unsubscribe<E>(subscriber: Ref<E>): Unsubscribe<E> {
  return { type: 'unsubscribe', subscriber };
}

/**
 * Has a node say something else of itself to all others, in place of what it said before. With a membership that carries it.
 * @param meta texts, numbers and booleans; their JSON text has at most 512 bytes
 */
export function describe(
  meta: Meta,
  { replyTo }: { readonly replyTo?: Ref<DescribeReply> | undefined } = {},
): Describe {
  return { type: 'describe', meta, replyTo };
}

export interface RotateOptions {
  /** Whether connections stay whose peers proved themselves by a key that is not listed any more. @default false */
  readonly keepSessions?: boolean | undefined;
  readonly replyTo?: Ref<SecurityReply> | undefined;
}

/**
 * Replaces the keys of a node, for every handshake from now on. Connections stay, but for those whose peer has proven itself
 * by a key that is not listed any more: they are closed, and made again by whoever has another. The order of steps over a
 * cluster is in docs/operations.md.
 * @param keys the first is the one that proves this node
 * @throws GossipError OPTIONS_INVALID when they are no keys. A node that began without keys answers so, and changes nothing
 */
export function rotateKeys(
  keys: readonly KeyMaterial[],
  { keepSessions = false, replyTo }: RotateOptions = {},
): RotateKeys {
  const violations: Violation[] = [];
  const read = readKeys(keys, 'keys', violations);
  throwViolations(violations);
  return { type: 'rotate-keys', keys: read, keepSessions, replyTo };
}

/**
 * Replaces key, certificates and authorities of a node, for every connection from now on; those that are open stay. A node
 * that began without TLS answers OPTIONS_INVALID, and changes nothing.
 * @throws GossipError OPTIONS_INVALID when they do not serve
 */
export function renewTls(
  tls: TransportTls,
  { replyTo }: { readonly replyTo?: Ref<SecurityReply> | undefined } = {},
): RenewTls {
  const violations: Violation[] = [];
  readTls(tls, violations);
  throwViolations(violations);
  return { type: 'renew-tls', tls, replyTo };
}

/**
 * Has a node bring what was written on it to others, say goodbye and stop: `leaveGrapevine` as a message.
 * @param options.deadlineMs how long to wait for others at most, in milliseconds. @default 5000
 * @param options.replyTo who is told what no other node is known to have
 * @throws GossipError OPTIONS_INVALID (`deadlineMs`)
 */
export function leave({
  deadlineMs,
  replyTo,
}: { readonly deadlineMs?: number | undefined; readonly replyTo?: Ref<LeaveReport> | undefined } = {}): Leave {
  deadlineOf({ deadlineMs });
  return { type: 'leave', deadlineMs, replyTo };
}

/**
 * Has a node tell an actor when it has met another member, or may be alone: `joined` as a message.
 * @param options.timeoutMs the longest wait, in milliseconds; Infinity waits for ever. @default 10000
 * @param options.replyTo is told once: who is there then, or the error that `joined` rejects with
 * @throws GossipError OPTIONS_INVALID (`timeoutMs`)
 */
export function whenJoined({
  replyTo,
  ...options
}: WaitingOptions & { readonly replyTo: Ref<JoinedReply> }): WhenJoined {
  return { type: 'when-joined', timeoutMs: timeoutOf(options), replyTo };
}

/**
 * Has a gossip instance tell an actor when it has once held all that a peer had: `synced` as a message.
 * @param options.timeoutMs the longest wait, in milliseconds; Infinity waits for ever. @default 10000
 * @param options.replyTo is told once: that it is so, or the error that `synced` rejects with
 * @throws GossipError OPTIONS_INVALID (`timeoutMs`)
 */
export function whenSynced({
  replyTo,
  ...options
}: WaitingOptions & { readonly replyTo: Ref<SyncedReply> }): WhenSynced {
  return { type: 'when-synced', timeoutMs: timeoutOf(options), replyTo };
}

/** Half a character, a lone surrogate, is something that UTF-8 cannot carry. @throws GossipError ID_INVALID */
export function checkId(id: unknown): asserts id is string {
  if (typeof id === 'string' && id.length > 0 && id.length <= longestId && id.isWellFormed()) return;
  const shown = typeof id === 'string' ? `'${id.slice(0, 40)}' of ${id.length} characters` : `a ${typeof id}`;
  throw new GossipError(
    'ID_INVALID',
    `An id must be a well-formed text of 1 to ${longestId} characters; this one is ${shown}.`,
  );
}

const addRules: OptionRules<{ expiresIn: number | undefined; ephemeral: boolean | undefined }> = {
  expiresIn: { check: wholeNumber('milliseconds', 0), default: undefined },
  ephemeral: { check: isBoolean, default: undefined },
};

/** The usual case costs a look at three fields: a write is too short for more. @throws GossipError OPTIONS_INVALID */
function checkAddOptions(options: AddOptions): void {
  let isKnown = typeof options === 'object' && (options as unknown) !== null;
  for (const name in options) if (name !== 'expiresIn' && name !== 'replyTo' && name !== 'ephemeral') isKnown = false;
  const { expiresIn, ephemeral } = isKnown ? options : noOptions;
  const isLife = expiresIn === undefined || (Number.isSafeInteger(expiresIn) && expiresIn >= 0);
  if (isKnown && isLife && (ephemeral === undefined || typeof ephemeral === 'boolean')) return;
  const violations: Violation[] = [];
  fillOptions('', options, addRules, violations, ['replyTo']);
  throwViolations(violations);
}

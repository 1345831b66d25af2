/**
 * Verdicts, as handlers give them and as replicas take them.
 *
 * Invariants
 *  1. Whatever a handler answers is either read completely or refused with a sentence; nothing is guessed.
 *  2. A value that encodes to the bytes that arrived is not a changed value.
 *
 * Source: docs/algorithm.md (rule 6) and 10; the verdicts are those of the original.
 */

import { isNativeError } from 'node:util/types';

import { type Bytes, GossipError, type StoredView } from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';

import type { Received } from './received.ts';

/**
 * What is kept: a map or an object from id to value, or an array of ids. A value may be changed: readers here see the
 * changed one, and other nodes what was received. `received` itself keeps all.
 */
export type Kept = ReadonlyMap<string, unknown> | readonly string[] | Readonly<Record<string, unknown>>;

/**
 * - `'ok'`: keep all
 * - `{ ok: kept }`: keep these
 * - `{ reset: kept }`: keep these, and drop from what is stored here all that is not among them
 * - `'ignore'`: keep none
 */
export type HandlerVerdict = 'ok' | 'ignore' | { readonly ok: Kept } | { readonly reset: Kept };

/** A verdict on a part of an offer, by id and encoding. */
export interface Ruling {
  readonly reset: boolean;
  readonly kept: ReadonlyMap<string, Bytes>;
}

/** @throws GossipError VERDICT_INVALID, VALUE_NOT_SERIALISABLE; an Error in place of a verdict, as it is */
export function readVerdict(verdict: unknown, received: Received, stored: StoredView): Ruling {
  if (isNativeError(verdict)) throw verdict;
  if (verdict === 'ok') return { reset: false, kept: keepAllOf(received) };
  if (verdict === 'ignore') return { reset: false, kept: new Map() };
  if (typeof verdict === 'object' && verdict !== null) {
    const { ok, reset } = verdict as { readonly ok?: unknown; readonly reset?: unknown };
    if (ok !== undefined && reset === undefined) return { reset: false, kept: readKept(ok, received, noneStored) };
    if (reset !== undefined && ok === undefined)
      return { reset: true, kept: readKept(reset, received, (id) => stored.get(id)) };
  }
  throw invalid(`${show(verdict)} is none of 'ok', 'ignore', { ok: kept } and { reset: kept }`);
}

function noneStored(): undefined {
  return undefined;
}

function keepAllOf(received: Received): Map<string, Bytes> {
  const kept = new Map<string, Bytes>();
  for (const id of received.keys()) kept.set(id, received.update(id)?.value as Bytes);
  return kept;
}

/** @param storedBytes what a `reset` may keep beside what was received */
function readKept(
  kept: unknown,
  received: Received,
  storedBytes: (id: string) => Bytes | undefined,
): Map<string, Bytes> {
  if (kept === received) return keepAllOf(received);
  const bytesOf = (id: unknown): Bytes => {
    const bytes = typeof id === 'string' ? (received.update(id)?.value ?? storedBytes(id)) : undefined;
    if (bytes === undefined) throw invalid(`it keeps ${show(id)}, which was not received`);
    return bytes;
  };
  const read = new Map<string, Bytes>();
  if (Array.isArray(kept)) {
    for (const id of kept as unknown[]) read.set(id as string, bytesOf(id));
    return read;
  }
  // A set, a promise or a date has no entries of its own: taken for an object, it would keep nothing.
  if (typeof kept !== 'object' || kept === null || !(isMap(kept) || isPlain(kept)))
    throw invalid(`${show(kept)} is neither a map, an object nor an array of ids`);
  const entries = isMap(kept) ? kept.entries() : Object.entries(kept);
  for (const [id, value] of entries) {
    const former = bytesOf(id);
    const bytes = encodeValue(value);
    // The same string object lets the replica see at once that nothing was changed.
    read.set(id as string, bytes === former ? former : bytes);
  }
  return read;
}

/** Also a Map of another realm, and whatever else is one by its methods. */
function isMap(kept: object): kept is ReadonlyMap<unknown, unknown> {
  const { entries, get } = kept as { readonly entries?: unknown; readonly get?: unknown };
  return typeof entries === 'function' && typeof get === 'function' && Symbol.iterator in kept;
}

/** Also an object of another realm. */
function isPlain(kept: object): boolean {
  const prototype = Object.getPrototypeOf(kept) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 80)}'`;
  if (typeof value === 'object' && value !== null && !isPlain(value)) return Object.prototype.toString.call(value);
  return typeof value === 'object' && value !== null
    ? `an object with the keys ${Object.keys(value).join(', ') || '(none)'}`
    : String(value);
}

function invalid(why: string): GossipError {
  return new GossipError('VERDICT_INVALID', `A handler's verdict cannot be used: ${why}.`);
}

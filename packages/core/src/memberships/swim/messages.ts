/**
 * What SWIM nodes say to each other: short arrays, the kind first.
 *
 * Invariants
 *  1. What `isSwimMessage` lets through has the shape of one of these types, within bounds, or is of a kind that is not known
 *     here, which is ignored as fields behind the known ones are: nodes of different age get along.
 *  2. A record says who knows it of whom: the node itself (alive, left) or its accusers (suspect).
 *
 * Source: docs/wire.md, "Membership".
 */

import type { MemberState, Meta } from '../../membership.ts';
import { hasControl } from '../../printable.ts';
import { isMeta } from './meta.ts';

/** What is said of one node. */
export type SwimRecord = readonly [
  name: string,
  epoch: number,
  incarnation: number,
  /** Index into `states`. */
  state: number,
  url: string | null,
  meta: Meta,
  /** Who suspects it; empty in the other states. */
  accusers: readonly string[],
];

export const states: readonly MemberState[] = ['alive', 'suspect', 'down', 'left'];

export const PING = 0;
export const ACK = 1;
export const ASK = 2;
export const NACK = 3;
export const GOSSIP = 4;
export const HASH = 5;
export const SYNC = 6;
export const WHO = 7;

/** Do you live? With news. */
export type Ping = readonly [kind: typeof PING, sequence: number, news: readonly SwimRecord[]];
/** I do; or, who you asked me to ask does. With news. */
export type Ack = readonly [kind: typeof ACK, sequence: number, news: readonly SwimRecord[]];
/** Ask this node for me whether it lives: at the address that you know, not at one that I name. */
export type Ask = readonly [kind: typeof ASK, sequence: number, name: string];
/** I live and have asked, and it has not answered yet. */
export type Nack = readonly [kind: typeof NACK, sequence: number];
export type Gossip = readonly [kind: typeof GOSSIP, news: readonly SwimRecord[]];
/** The hash of those who are there, for me: silence if it is yours too. */
export type Hash = readonly [kind: typeof HASH, low: number, high: number];
/** All that I know, or a part of it; tell me all that you know, if `answer`. */
export type Sync = readonly [kind: typeof SYNC, all: readonly SwimRecord[], answer: boolean];
/** Who is there? Asked by programs that are no members, and answered to anybody: by `Sync`s, and a `Hash` behind the last. */
export type Who = readonly [kind: typeof WHO];

export type SwimMessage = Ping | Ack | Ask | Nack | Gossip | Hash | Sync | Who;

/** The longest name and URL that a hello can bear, in units of UTF-16 at most as many as bytes. */
const MAX_NAME = 128;
const MAX_URL = 2048;
/** A message with more would not fit a frame. */
export const MAX_RECORDS = 20_000;
export const MAX_ACCUSERS = 32;

export function isSwimMessage(body: unknown): body is SwimMessage {
  if (!Array.isArray(body)) return false;
  const [kind, first, second] = body as readonly unknown[];
  switch (kind) {
    case PING:
    case ACK:
      return isCount(first) && areRecords(second);
    case ASK:
      return isCount(first) && isName(second);
    case NACK:
      return isCount(first);
    case GOSSIP:
      return areRecords(first);
    case HASH:
      return isLane(first) && isLane(second);
    case SYNC:
      return areRecords(first) && typeof second === 'boolean';
    case WHO:
      return true;
    default:
      return isCount(kind);
  }
}

function areRecords(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MAX_RECORDS && value.every(isRecord);
}

function isRecord(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < 7) return false;
  const [name, epoch, incarnation, state, url, meta, accusers] = value as readonly unknown[];
  return (
    isName(name) &&
    isCount(epoch) &&
    isCount(incarnation) &&
    typeof state === 'number' &&
    states[state] !== undefined &&
    isUrl(url) &&
    isMeta(meta) &&
    Array.isArray(accusers) &&
    accusers.length <= MAX_ACCUSERS &&
    accusers.every(isName)
  );
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME && !hasControl(value);
}

function isUrl(value: unknown): boolean {
  return (
    value === null || (typeof value === 'string' && value.length > 0 && value.length <= MAX_URL && !hasControl(value))
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isLane(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

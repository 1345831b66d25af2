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

import { LANES } from '../../hash.ts';
import { isPlainUrl, type MemberState, type Meta } from '../../membership.ts';
import { hasHidden } from '../../printable.ts';
import { metaProblem } from './meta.ts';

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
/** An older node tells two lanes, which equal nobody's. */
export type Hash = readonly [kind: typeof HASH, ...lanes: number[]];
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
  return swimProblem(body) === null;
}

/** @returns which rule a body breaks, as the end of a sentence that begins with what the body is; `null`: none */
export function swimProblem(body: unknown): string | null {
  if (!Array.isArray(body)) return 'is no array';
  const [kind, first, second] = body as readonly unknown[];
  switch (kind) {
    case PING:
    case ACK:
      return isCount(first) ? recordsProblem('news', second) : `has no ${COUNT} as sequence`;
    case ASK:
      if (!isCount(first)) return `has no ${COUNT} as sequence`;
      return isName(second) ? null : `asks for a node whose name is not ${NAME}`;
    case NACK:
      return isCount(first) ? null : `has no ${COUNT} as sequence`;
    case GOSSIP:
      return recordsProblem('news', first);
    case HASH:
      return isHash(body.slice(1)) ? null : 'has neither two nor four whole numbers of 32 bits as its hash';
    case SYNC:
      return recordsProblem('all', first) ?? (typeof second === 'boolean' ? null : 'has no true or false as answer');
    case WHO:
      return null;
    default:
      return isCount(kind) ? null : `has no ${COUNT} as its kind`;
  }
}

const COUNT = 'whole number from 0 to 2^53 - 1';
const NAME = `a text of 1 to ${MAX_NAME} UTF-16 code units without control characters, separators of lines and invisible characters`;

function recordsProblem(field: string, value: unknown): string | null {
  if (!Array.isArray(value)) return `has no array of records as ${field}`;
  if (value.length > MAX_RECORDS) return `has ${value.length} records as ${field}, more than ${MAX_RECORDS}`;
  for (const [i, record] of value.entries()) {
    const problem = recordProblem(record);
    if (problem !== null) return `has a record (place ${i} of ${field}) that ${problem}`;
  }
  return null;
}

function recordProblem(value: unknown): string | null {
  if (!Array.isArray(value) || value.length < 7) return 'is no array of 7 fields';
  const [name, epoch, incarnation, state, url, meta, accusers] = value as readonly unknown[];
  if (!isName(name)) return `has a name that is not ${NAME}`;
  if (!isCount(epoch)) return `has an epoch that is no ${COUNT}`;
  if (!isCount(incarnation)) return `has an incarnation that is no ${COUNT}`;
  if (typeof state !== 'number' || states[state] === undefined) return 'has a state that is not 0, 1, 2 or 3';
  if (!isUrl(url))
    return `has a URL that is neither nil nor a text of 1 to ${MAX_URL} UTF-16 code units with scheme, host and port alone (the path may be / or /grapevine)`;
  const inMeta = metaProblem(meta);
  if (inMeta !== undefined) return `has a meta that ${inMeta}`;
  if (Array.isArray(accusers) && accusers.length <= MAX_ACCUSERS && accusers.every(isName)) return null;
  return `has accusers that are not an array of up to ${MAX_ACCUSERS} names`;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME && !hasHidden(value);
}

function isUrl(value: unknown): boolean {
  return (
    value === null ||
    (typeof value === 'string' && value.length > 0 && value.length <= MAX_URL && !hasHidden(value) && isPlainUrl(value))
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Fields behind the lanes are ignored. */
function isHash(fields: readonly unknown[]): boolean {
  return fields.slice(0, fields.length < LANES ? 2 : LANES).every(isLane) && fields.length >= 2;
}

function isLane(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

/**
 * Frames to messages, for one connection: whatever the bytes are, it answers what is checked, or throws FRAME_MALFORMED.
 *
 * Invariants
 *  1. Nothing unchecked gets out: types, ranges, known numbers, well-formed values.
 *  2. Kinds that are not known are ignored, and so are fields behind the known ones: peers of different age get along.
 *  3. Memory and time are bounded by the bytes that came, not by what their headers claim.
 *  4. What gets out shares no memory with the frame.
 */

import {
  CONTEXT_BUCKETS,
  LIVE_BUCKETS,
  type Message,
  Origin,
  type OriginDots,
  printable,
  type Sum,
} from '@grapevine/core';
import type { ChannelDeclaration } from './channel.ts';
import { readBuckets, readDots, readSums } from './dots.ts';
import { FrameFields } from './frame-fields.ts';
import { causes, directions, kinds } from './kinds.ts';
import { maxChannel, maxChannels, maxNameBytes, maxNodeNameBytes, maxReasonLength, maxShownIdBytes } from './limits.ts';
import { malformed } from './malformed.ts';
import { OriginTable } from './origin-numbers.ts';
import { readUpdates } from './update-columns.ts';
import { decodeBody } from './value.ts';
import { hasBrokenText, hasTooManyObjects, problemOf, skipValue } from './well-formed.ts';

export type Incoming =
  | ({ readonly type: 'channel' } & ChannelDeclaration)
  | { readonly type: 'refuse-channel'; readonly channel: number; readonly reason: string }
  | { readonly type: 'gossip'; readonly channel: number; readonly message: Message };

/** The word for each number. */
const typeOf: ReadonlyMap<number, keyof typeof kinds> = new Map(
  (Object.keys(kinds) as (keyof typeof kinds)[]).map((type) => [kinds[type], type]),
);

export class Decoder {
  readonly #origins: OriginTable;
  /** The declared channels: what each number stands for. */
  readonly #channels = new Map<number, string>();

  /** @param mostOrigins so many the peer may number at a time. @default 65536 */
  constructor(mostOrigins?: () => number) {
    this.#origins = new OriginTable(mostOrigins);
  }

  /**
   * @param bytes one frame, of which nothing is kept
   * @returns null for what is consumed here and for kinds that are not known here
   * @throws GossipError FRAME_MALFORMED; the connection it came by is to be closed
   */
  decode(bytes: Uint8Array): Incoming | null {
    const fields = new FrameFields(bytes);
    const type = typeOf.get(fields.kind());
    if (type === undefined) return null;
    fields.frame = type;
    switch (type) {
      case 'hello':
        return null;
      case 'channel':
        return this.#declaration(fields);
      case 'refuse-channel': {
        const channel = readChannel(fields);
        return { type, channel, reason: printable(fields.text('reason', 0, 3 * maxReasonLength)) };
      }
      case 'origins':
        this.#learn(fields);
        return null;
      case 'forget-origins':
        while (fields.left > 0) this.#origins.forget(fields.integer('origin number', 1));
        return null;
      default: {
        const channel = readChannel(fields);
        if (!this.#channels.has(channel)) throw malformed(`channel ${channel} was not declared before`);
        return { type: 'gossip', channel, message: this.#message(type, fields) };
      }
    }
  }

  #declaration(fields: FrameFields): Incoming {
    const channel = readChannel(fields);
    const instance = fields.label('instance', 1, maxNameBytes);
    const protocol = fields.label('protocol', 1, maxNameBytes);
    const newestEpochOfYou = fields.integer('newest epoch of you');
    const meaning = JSON.stringify([instance, protocol]);
    const known = this.#channels.get(channel);
    if (known !== undefined && known !== meaning)
      throw malformed(`channel ${channel} is declared twice, for two instances`);
    if (known === undefined && this.#channels.size >= maxChannels)
      throw malformed(`more than ${maxChannels} channels are declared`);
    this.#channels.set(channel, meaning);
    return { type: 'channel', channel, instance, protocol, newestEpochOfYou };
  }

  #learn(fields: FrameFields): void {
    while (fields.left > 0) {
      const number = fields.integer('origin number', 1);
      const name = fields.label('origin name', 1, maxNodeNameBytes);
      this.#origins.learn(number, new Origin(name, fields.integer('origin epoch', 1)));
    }
  }

  #message(type: Message['type'], fields: FrameFields): Message {
    switch (type) {
      case 'hashes':
        return readHashes(fields);
      case 'bucket-sums':
        return readBucketSums(fields);
      case 'contexts':
        return {
          type,
          buckets: readBuckets(fields.binaryOrNil('buckets'), CONTEXT_BUCKETS),
          dots: this.#dotsWithNewest(fields),
          invitation: fields.integer('invitation'),
          answer: fields.flag('answer'),
        };
      case 'chunk':
        return {
          type,
          invitation: fields.integer('invitation'),
          index: fields.integer('index'),
          updates: readUpdates(fields, this.#origins),
        };
      case 'end':
        return this.#end(fields);
      case 'ack':
        return { type, invitation: fields.integer('invitation'), index: fields.integer('index') };
      case 'live-sums':
        return readLiveSums(fields);
      case 'live-dots':
        return {
          type,
          buckets: readBuckets(fields.binaryOrNil('buckets'), LIVE_BUCKETS),
          dots: this.#dots(fields),
          context: this.#dotsWithNewest(fields),
          horizonMs: readHorizon(fields),
          answer: fields.flag('answer'),
        };
      case 'updates':
        return { type, cause: fields.word('cause', causes), updates: readUpdates(fields, this.#origins) };
      case 'announce':
        return { type, dots: this.#dots(fields), pulled: fields.flag('pulled') };
      case 'feedback':
        return this.#feedback(fields);
      case 'refused': {
        const dots = this.#dots(fields);
        // Where a peer does not say, it may have room later.
        const isTooLarge = fields.left > 0 && fields.flag('too large');
        return isTooLarge ? { type, dots, tooLarge: true } : { type, dots };
      }
      case 'withheld':
        return {
          type,
          origin: this.#origins.use(fields.integer('origin number', 1)).origin,
          sequence: fields.integer('sequence number', 1),
          id: fields.text('id', 1, maxShownIdBytes),
          bytes: fields.integer('bytes'),
        };
      case 'held-back':
      case 'disowned':
      case 'room':
      case 'ask':
      case 'gone':
        return { type, dots: this.#dots(fields) };
      case 'pull':
        return { type };
      case 'custom':
        return { type, body: readBody(fields) };
    }
  }

  #end(fields: FrameFields): Message {
    const invitation = fields.integer('invitation');
    const index = fields.integer('index');
    const buckets = readBuckets(fields.binaryOrNil('buckets'), CONTEXT_BUCKETS);
    const claim = this.#dotsWithNewest(fields);
    const [first, second] = [readLanes(fields), readLanes(fields)];
    const horizonMs = readHorizon(fields);
    const [context, live] = readMoreLanes(fields, first, second);
    return { type: 'end', invitation, index, buckets, claim, context, live, horizonMs };
  }

  #feedback(fields: FrameFields): Message {
    const known = this.#dots(fields);
    const news = this.#dots(fields);
    // Left out where there is none.
    if (fields.left === 0) return { type: 'feedback', known, news };
    return { type: 'feedback', known, news, untaken: this.#dots(fields) };
  }

  #dots(fields: FrameFields): OriginDots[] {
    return readDots(fields.binary('dots'), 'bare', this.#origins);
  }

  #dotsWithNewest(fields: FrameFields): OriginDots[] {
    return readDots(fields.binary('dots'), 'with newest', this.#origins);
  }
}

function readChannel(fields: FrameFields): number {
  return fields.integer('channel', 0, maxChannel);
}

function readHashes(fields: FrameFields): Message {
  const [first, second] = [readLanes(fields), readLanes(fields)];
  const horizonMs = readHorizon(fields);
  const direction = fields.word('direction', directions);
  const [context, live] = readMoreLanes(fields, first, second);
  return { type: 'hashes', context, live, horizonMs, direction };
}

function readBucketSums(fields: FrameFields): Message {
  const first = readSumsOf(fields, CONTEXT_BUCKETS);
  const direction = fields.word('direction', directions);
  return { type: 'bucket-sums', sums: readMoreSums(fields, first, CONTEXT_BUCKETS), direction };
}

function readLiveSums(fields: FrameFields): Message {
  const first = readSumsOf(fields, LIVE_BUCKETS);
  const horizonMs = readHorizon(fields);
  return { type: 'live-sums', sums: readMoreSums(fields, first, LIVE_BUCKETS), horizonMs };
}

type Lanes = readonly [number, number];

function readLanes(fields: FrameFields): Lanes {
  return [fields.int32('a sum'), fields.int32('a sum')];
}

/** The lanes behind all else complete two sums. An older node tells none: its sums stay as short as they are. */
function readMoreLanes(fields: FrameFields, first: Lanes, second: Lanes): readonly [Sum, Sum] {
  if (fields.left === 0) return [Int32Array.from(first), Int32Array.from(second)];
  return [Int32Array.of(...first, ...readLanes(fields)), Int32Array.of(...second, ...readLanes(fields))];
}

/** As `readMoreLanes`, for the sums of all buckets. */
function readMoreSums(fields: FrameFields, first: Int32Array, buckets: number): Int32Array {
  if (fields.left === 0) return first;
  const more = readSumsOf(fields, buckets);
  const sums = new Int32Array(2 * first.length);
  for (let i = 0; i < first.length; i++) {
    const at = 2 * (i & ~1) + (i & 1);
    sums[at] = first[i] as number;
    sums[at + 2] = more[i] as number;
  }
  return sums;
}

function readHorizon(fields: FrameFields): number {
  return fields.integer('horizon', Number.MIN_SAFE_INTEGER);
}

/** Sums in two lanes. */
function readSumsOf(fields: FrameFields, buckets: number): Int32Array {
  const form = fields.integer('form of sums', 0, 1);
  return readSums(form, fields.binary('sums'), 2 * buckets);
}

function readBody(fields: FrameFields): unknown {
  const body = fields.binary('body');
  const problem = problemOf(skipValue(body, 0, body.length), body.length);
  if (problem !== null) throw malformed(`its body ${problem}`);
  if (hasBrokenText(body)) throw malformed('its body has a text that is not UTF-8');
  if (hasTooManyObjects(body)) throw malformed('its body has more arrays, maps and binaries than its bytes may make');
  return decodeBody(body.toString('latin1'));
}

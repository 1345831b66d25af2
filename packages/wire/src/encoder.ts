/**
 * Messages to frames. One encoder serves all connections of a node: a frame is encoded once and sent to many.
 *
 * Invariants
 *  1. A frame is a copy of its own: nothing that is encoded later touches it.
 *  2. Everything that a frame refers to by number is named in `origins`, so each connection can tell what is missing.
 */

import { type Bytes, GossipError, isDroppable, type Message, type Origin, type Sum } from '@grapevine/core';
import { writeBuckets, writeDots, writeSums } from './dots.ts';
import { causes, directions, kinds } from './kinds.ts';
import { type NumberedOrigin, OriginNumbers } from './origin-numbers.ts';
import { bytesOfObject, maxObjectsInAnyCase } from './limits.ts';
import { packFrame } from './packer.ts';
import { UpdateColumns } from './update-columns.ts';
import { encodeValue } from './value.ts';
import { Column } from './varint.ts';
import { hasTooManyObjects } from './well-formed.ts';

export interface EncodedFrame {
  /** The same for every peer. */
  readonly bytes: Uint8Array;
  /** The origins whose numbers the bytes use. */
  readonly origins: readonly NumberedOrigin[];
  /** Whether a congested link may drop it. */
  readonly droppable: boolean;
}

export class Encoder {
  readonly #numbers = new OriginNumbers();
  readonly #updates = new UpdateColumns();
  /** Scratch of the fields of one frame; no kind has more columns of dots, buckets and sums. */
  readonly #a = new Column();
  readonly #b = new Column();
  readonly #c = new Column();

  /**
   * @param channel this node's number of the gossip instance
   * @throws GossipError VALUE_NOT_SERIALISABLE for the body of a `custom` message
   */
  encode(channel: number, message: Message): EncodedFrame {
    this.#numbers.beginFrame();
    const bytes = packFrame(this.#fields(channel, message));
    return { bytes, origins: this.#numbers.used, droppable: isDroppable(message) };
  }

  /**
   * Drops the number of an origin that the node has forgotten. An origin that comes back gets a new one.
   * @returns the number, to be forgotten by each connection (`Told.forget`)
   */
  forget(origin: Origin): number | undefined {
    return this.#numbers.forget(origin);
  }

  /** How many origins have a number. */
  get numbered(): number {
    return this.#numbers.size;
  }

  /** Drops the numbers of all origins but those that are kept. @returns those numbers, as `forget` does */
  prune(isKept: (origin: Origin) => boolean): number[] {
    return this.#numbers.prune(isKept);
  }

  /** All fields of a frame: its kind, the channel, and the message's own. */
  #fields(channel: number, message: Message): readonly unknown[] {
    const kind = kinds[message.type];
    const numbers = this.#numbers;
    const a = this.#a.clear();
    const b = this.#b.clear();
    const c = this.#c.clear();
    switch (message.type) {
      case 'hashes': {
        const { context, live, horizonMs, direction } = message;
        return [
          kind,
          channel,
          ...lanes(0, context, live),
          horizonMs,
          directions.indexOf(direction),
          ...lanes(2, context, live),
        ];
      }
      case 'bucket-sums':
        return [
          kind,
          channel,
          ...writeSums(a, lanesOf(0, message.sums)),
          directions.indexOf(message.direction),
          ...writeSums(b, lanesOf(2, message.sums)),
        ];
      case 'contexts': {
        const { buckets, dots, invitation, answer } = message;
        return [
          kind,
          channel,
          writeBuckets(a, buckets),
          writeDots(b, dots, 'with newest', numbers),
          invitation,
          answer,
        ];
      }
      case 'chunk':
        return [kind, channel, message.invitation, message.index, ...this.#updates.write(message.updates, numbers)];
      case 'end': {
        const { invitation, index, buckets, claim, context, live, horizonMs } = message;
        const claimed = [writeBuckets(a, buckets), writeDots(b, claim, 'with newest', numbers)];
        return [
          kind,
          channel,
          invitation,
          index,
          ...claimed,
          ...lanes(0, context, live),
          horizonMs,
          ...lanes(2, context, live),
        ];
      }
      case 'ack':
        return [kind, channel, message.invitation, message.index];
      case 'live-sums':
        return [
          kind,
          channel,
          ...writeSums(a, lanesOf(0, message.sums)),
          message.horizonMs,
          ...writeSums(b, lanesOf(2, message.sums)),
        ];
      case 'live-dots': {
        const { buckets, dots, context, horizonMs, answer } = message;
        const listed = [writeBuckets(a, buckets), writeDots(b, dots, 'bare', numbers)];
        return [kind, channel, ...listed, writeDots(c, context, 'with newest', numbers), horizonMs, answer];
      }
      case 'updates':
        return [kind, channel, causes.indexOf(message.cause), ...this.#updates.write(message.updates, numbers)];
      case 'announce':
        return [kind, channel, writeDots(a, message.dots, 'bare', numbers), message.pulled];
      case 'feedback':
        return [
          kind,
          channel,
          writeDots(a, message.known, 'bare', numbers),
          writeDots(b, message.news, 'bare', numbers),
          // Left out where there is none, as by nodes that do not know it.
          ...(message.untaken === undefined ? [] : [writeDots(c, message.untaken, 'bare', numbers)]),
        ];
      case 'refused':
        return [kind, channel, writeDots(a, message.dots, 'bare', numbers), message.tooLarge === true];
      case 'withheld': {
        const { origin, sequence, id, bytes } = message;
        return [kind, channel, numbers.use(origin).number, sequence, id, bytes];
      }
      case 'held-back':
      case 'disowned':
      case 'room':
      case 'ask':
      case 'gone':
        return [kind, channel, writeDots(a, message.dots, 'bare', numbers)];
      case 'pull':
        return [kind, channel];
      case 'custom':
        a.latin1(encodeBody(message.body));
        return [kind, channel, a];
    }
  }
}

/** Two lanes of each sum: the first two stand where nodes that know no more read them, the others behind all else. */
function lanes(from: 0 | 2, ...sums: readonly Sum[]): number[] {
  return sums.flatMap((sum) => [sum[from] as number, sum[from + 1] as number]);
}

/** As `lanes`, of the sums of all buckets. */
function lanesOf(from: 0 | 2, sums: Int32Array): Int32Array {
  const two = new Int32Array(sums.length / 2);
  for (let i = 0; i < two.length; i++) two[i] = sums[2 * (i & ~1) + from + (i & 1)] as number;
  return two;
}

/** @throws GossipError VALUE_NOT_SERIALISABLE */
function encodeBody(body: unknown): Bytes {
  const bytes = encodeValue(body);
  if (bytes.length > maxObjectsInAnyCase && hasTooManyObjects(Buffer.from(bytes, 'latin1')))
    throw new GossipError(
      'VALUE_NOT_SERIALISABLE',
      `The body of a custom message has more than ${maxObjectsInAnyCase} arrays, maps and binaries, and more than one for ` +
        `every ${bytesOfObject} of its ${bytes.length} bytes: send fewer and larger ones, or several messages.`,
    );
  return bytes;
}

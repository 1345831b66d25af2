/** Frames from a node to its peer: what is said arrives as it was said, and costs what it may. */
import { describe, expect, test } from '@jest/globals';
import { type Buckets, hasHidden, isGossipError, type Message, Origin, type OriginDots, Update } from '@grapevine/core';
import * as fc from 'fast-check';
import { encodeChannel, encodeRefuseChannel } from './channel.ts';
import { Decoder, type Incoming } from './decoder.ts';
import { type EncodedFrame, Encoder } from './encoder.ts';
import { packFrame } from './packer.ts';
import { Told } from './told.ts';
import { decodeValue, encodeValue } from './value.ts';

const CHANNEL = 7;

/** One node's encoder and the two ends of one connection. */
function aConnection(encoder = new Encoder()): {
  encoder: Encoder;
  told: Told;
  decoder: Decoder;
  send: (message: Message) => Message;
} {
  const told = new Told();
  const decoder = new Decoder();
  decoder.decode(encodeChannel({ channel: CHANNEL, instance: 'flags', protocol: 'hybrid', newestEpochOfYou: 0 }));
  const send = (message: Message): Message => deliver(encoder.encode(CHANNEL, message), told, decoder);
  return { encoder, told, decoder, send };
}

function deliver(frame: EncodedFrame, told: Told, decoder: Decoder): Message {
  for (const origins of told.missing(frame)) decoder.decode(origins);
  const incoming = decoder.decode(frame.bytes) as Incoming & { type: 'gossip' };
  expect(incoming).toMatchObject({ type: 'gossip', channel: CHANNEL });
  return incoming.message;
}

const MAX = Number.MAX_SAFE_INTEGER;
/** Whole numbers of every size, with the small and the extreme ones often. */
const whole = (min: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min, max: min + 300 }),
    fc.maxSafeNat().map((n) => Math.max(min, n)),
    fc
      .constantFrom(min, 127, 128, 16383, 16384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35, MAX - 1, MAX)
      .filter((n) => n >= min),
  );
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ minLength: 1, maxLength }), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }));
const originPool = fc.uniqueArray(
  fc
    .tuple(
      text(20).filter((name) => !hasHidden(name)),
      whole(1),
    )
    .map(([name, epoch]) => new Origin(name, epoch)),
  { minLength: 1, maxLength: 5, selector: ({ key }) => key },
);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const sum = fc.tuple(int32, int32, int32, int32).map((lanes) => Int32Array.from(lanes));
const horizonMs = fc.maxSafeInteger();
const direction = fc.constantFrom('push' as const, 'pull' as const, 'push-pull' as const);
const sums = (length: number): fc.Arbitrary<Int32Array> =>
  fc
    .tuple(fc.constantFrom(0, 5, length), fc.array(fc.tuple(fc.nat(length - 1), int32), { maxLength: 40 }), int32)
    .map(([filled, places, fill]) => {
      const result = new Int32Array(length).fill(fill, 0, filled);
      for (const [at, value] of places) result[at] = value;
      return result;
    });
const buckets = (count: number): fc.Arbitrary<Buckets> =>
  fc.oneof(fc.constant('all' as const), fc.uniqueArray(fc.nat(count - 1)));

const intervals = fc.array(fc.tuple(whole(0), whole(0)), { minLength: 1, maxLength: 6 }).map((steps) => {
  const result: number[] = [];
  let free = 1;
  for (const [gap, extent] of steps) {
    const first = Math.min(free + gap, MAX);
    const last = Math.min(first + extent, MAX);
    if (first < free) break;
    result.push(first, last);
    if (last > MAX - 2) break;
    free = last + 2;
  }
  return result;
});
const dots = (origins: readonly Origin[], newest: fc.Arbitrary<number>): fc.Arbitrary<OriginDots[]> =>
  fc
    .subarray([...origins])
    .chain((chosen) =>
      fc.tuple(...chosen.map((origin) => fc.record({ origin: fc.constant(origin), intervals, newest }))),
    );
const value = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 3 }).map(encodeValue),
  fc.nat().map((n) => encodeValue({ value: n })),
);
const stamp = fc.oneof(whole(1), fc.integer({ min: 900_000_000_000_000, max: 900_000_000_100_000 }));
const update = (origins: readonly Origin[]): fc.Arbitrary<Update> =>
  fc
    .tuple(text(40), value, stamp, fc.constantFrom(...origins), whole(1), fc.option(whole(0), { nil: undefined }))
    .map((fields) => new Update(...fields));
/** Independent updates, and runs of neighbours as a burst makes them. */
const updates = (origins: readonly Origin[]): fc.Arbitrary<Update[]> =>
  fc.oneof(
    fc.array(update(origins)),
    fc
      .tuple(
        fc.array(update(origins)),
        fc.constantFrom(...origins),
        fc.integer({ min: 1, max: 1e9 }),
        fc.nat({ max: 3 }),
      )
      .map(([list, origin, first, step]) =>
        list.map(
          ({ id, value: bytes, stamp: base, expiresAt }, i) =>
            new Update(id, bytes, Math.min(base, 1e15) + i * step, origin, first + i, expiresAt),
        ),
      ),
  );

const message: fc.Arbitrary<Message> = originPool.chain((origins) => {
  const bare = dots(origins, fc.constant(0));
  const full = dots(origins, whole(0));
  const list = updates(origins);
  const number = whole(0);
  const answer = fc.boolean();
  const kind = <T extends Message['type']>(type: T): fc.Arbitrary<T> => fc.constant(type);
  return fc.oneof(
    fc.record({ type: kind('hashes'), context: sum, live: sum, horizonMs, direction }),
    fc.record({ type: kind('bucket-sums'), sums: sums(1024), direction }),
    fc.record({ type: kind('contexts'), buckets: buckets(256), dots: full, invitation: number, answer }),
    fc.record({ type: kind('chunk'), invitation: number, index: number, updates: list }),
    fc.record({
      type: kind('end'),
      invitation: number,
      index: number,
      buckets: buckets(256),
      claim: full,
      context: sum,
      live: sum,
      horizonMs,
    }),
    fc.record({ type: kind('ack'), invitation: number, index: number }),
    fc.record({ type: kind('live-sums'), sums: sums(4096), horizonMs }),
    fc.record({ type: kind('live-dots'), buckets: buckets(1024), dots: bare, context: full, horizonMs, answer }),
    fc.record({ type: kind('refused'), dots: bare }),
    fc.record({ type: kind('refused'), dots: bare, tooLarge: fc.constant(true as const) }),
    fc.record({ type: kind('room'), dots: bare }),
    fc.record({ type: kind('held-back'), dots: bare }),
    fc.record({ type: kind('disowned'), dots: bare }),
    fc.record({
      type: kind('withheld'),
      origin: fc.constantFrom(...origins),
      sequence: whole(1),
      id: fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme-ascii' }),
      bytes: number,
    }),
    fc.record({
      type: kind('updates'),
      cause: fc.constantFrom('mail' as const, 'push' as const, 'answer' as const),
      updates: list,
    }),
    fc.record({ type: kind('announce'), dots: bare, pulled: answer }),
    fc.record(
      { type: kind('feedback'), known: bare, news: bare, untaken: bare },
      { requiredKeys: ['type', 'known', 'news'] },
    ),
    fc.record({ type: kind('ask'), dots: bare }),
    fc.record({ type: kind('gone'), dots: bare }),
    fc.record({ type: kind('pull') }),
    fc.record({ type: kind('custom'), body: fc.jsonValue({ maxDepth: 4 }).map(asRead) }),
  );
});

/** With its updates as objects. */
function asData(read: Message): Message {
  return 'updates' in read ? { ...read, updates: [...read.updates] } : read;
}

/** fast-check makes objects without prototype; a plain copy is what is read. */
function asRead(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body)) as unknown;
}

/** A message's frame, beside the end of a connection that was told everything it needs. */
function framesOf(sent: Message): { frame: Uint8Array; decoder: Decoder } {
  const { encoder, told, decoder } = aConnection();
  const encoded = encoder.encode(CHANNEL, sent);
  for (const origins of told.missing(encoded)) decoder.decode(origins);
  return { frame: encoded.bytes, decoder };
}

/** Decodes and answers the code of the error, or null where there is none. */
function faultOf(decoder: Decoder, frame: Uint8Array): string | null {
  try {
    decoder.decode(frame);
    return null;
  } catch (error) {
    return isGossipError(error) ? error.code : String(error);
  }
}

describe('a message', () => {
  test('of every kind arrives as it was sent', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(asData(aConnection().send(sent))).toEqual(sent);
      }),
      { numRuns: 1000 },
    );
  });

  test('arrives behind any others on the same connection', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (sent) => {
        const { send } = aConnection();
        expect(sent.map((one) => asData(send(one)))).toEqual(sent);
      }),
      { numRuns: 200 },
    );
  });

  test('is encoded once for peers that were told different origins', () => {
    const a = new Origin('a', 5);
    const b = new Origin('b', 6);
    const ask = (origin: Origin): Message => ({ type: 'ask', dots: [{ origin, intervals: [1, 2], newest: 0 }] });
    const { encoder, told, decoder } = aConnection();
    deliver(encoder.encode(CHANNEL, ask(a)), told, decoder);
    const late = aConnection(encoder);
    const frame = encoder.encode(CHANNEL, ask(b));
    expect(deliver(frame, told, decoder)).toEqual(ask(b));
    expect(deliver(frame, late.told, late.decoder)).toEqual(ask(b));
    expect(late.told.missing(frame)).toEqual([]);
  });

  test('is in memory of its own, of exactly its size', () => {
    const { encoder } = aConnection();
    const first = encoder.encode(CHANNEL, { type: 'ack', invitation: 1, index: 2 }).bytes;
    const before = first.slice();
    encoder.encode(CHANNEL, { type: 'ack', invitation: 100, index: 200 });
    expect(first).toEqual(before);
    expect(first.buffer.byteLength).toBe(first.byteLength);
  });

  test('may be decoded from a view of a larger chunk', () => {
    const { frame, decoder } = framesOf({ type: 'ack', invitation: 9, index: 3 });
    const chunk = new Uint8Array(frame.length + 20).fill(0xc1);
    chunk.set(frame, 11);
    expect(decoder.decode(chunk.subarray(11, 11 + frame.length))).toMatchObject({
      message: { invitation: 9, index: 3 },
    });
  });

  test('says whether a congested link may drop it', () => {
    const { encoder } = aConnection();
    const droppable = (sent: Message): boolean => encoder.encode(CHANNEL, sent).droppable;
    expect(droppable({ type: 'announce', dots: [], pulled: false })).toBe(true);
    expect(droppable({ type: 'updates', cause: 'mail', updates: [] })).toBe(true);
    expect(droppable({ type: 'updates', cause: 'answer', updates: [] })).toBe(false);
    expect(droppable({ type: 'pull' })).toBe(false);
  });

  test('leaves out origins of which it lists no dot', () => {
    const origin = new Origin('a', 5);
    expect(aConnection().send({ type: 'gone', dots: [{ origin, intervals: [], newest: 0 }] })).toEqual({
      type: 'gone',
      dots: [],
    });
  });
});

describe('an origin', () => {
  const a = new Origin('a', 5);
  const ask: Message = { type: 'ask', dots: [{ origin: a, intervals: [1, 1], newest: 0 }] };

  test('keeps its number over all frames and connections of a node', () => {
    const encoder = new Encoder();
    const numbers = [1, 2, 3].map(() => encoder.encode(CHANNEL, ask).origins[0]?.number);
    expect(new Set(numbers).size).toBe(1);
  });

  test('that was forgotten gets a number that was never used', () => {
    const { encoder, told, decoder, send } = aConnection();
    send(ask);
    const number = encoder.forget(a) as number;
    const forgotten = told.forget(number) as Uint8Array;
    expect(decoder.decode(forgotten)).toBeNull();
    const again = encoder.encode(CHANNEL, ask);
    expect(again.origins[0]?.number).not.toBe(number);
    expect(deliver(again, told, decoder)).toEqual(ask);
  });

  test('that was forgotten is unknown to the peer, too', () => {
    const { encoder, told, decoder } = aConnection();
    const frame = encoder.encode(CHANNEL, ask);
    deliver(frame, told, decoder);
    decoder.decode(told.forget(encoder.forget(a) as number) as Uint8Array);
    expect(faultOf(decoder, frame.bytes)).toBe('FRAME_MALFORMED');
  });

  test('that was never told needs no forgetting', () => {
    const encoder = new Encoder();
    expect(encoder.forget(a)).toBeUndefined();
    expect(new Told().forget(1)).toBeUndefined();
  });

  test('is one object in everything that a connection brings', () => {
    const { send } = aConnection();
    const first = send({ type: 'updates', cause: 'mail', updates: [new Update('x', undefined, 1, a, 1, undefined)] });
    const second = send(ask);
    if (first.type !== 'updates' || second.type !== 'ask') throw new Error('other messages came');
    expect([...first.updates][0]?.origin).toBe(second.dots[0]?.origin);
  });
});

describe('a channel', () => {
  const declaration = { channel: 3, instance: 'flags', protocol: 'hybrid', newestEpochOfYou: 1_763_866_839_000 };

  test('is declared with its instance, protocol and the newest epoch known of the peer', () => {
    expect(new Decoder().decode(encodeChannel(declaration))).toEqual({ type: 'channel', ...declaration });
  });

  test('may be declared again for the same instance, not for another', () => {
    const decoder = new Decoder();
    decoder.decode(encodeChannel(declaration));
    expect(faultOf(decoder, encodeChannel({ ...declaration, newestEpochOfYou: 9 }))).toBeNull();
    expect(faultOf(decoder, encodeChannel({ ...declaration, instance: 'other' }))).toBe('FRAME_MALFORMED');
    expect(faultOf(decoder, encodeChannel({ ...declaration, protocol: 'rumor' }))).toBe('FRAME_MALFORMED');
  });

  test('is refused with a sentence, cut where it is long, that moves no cursor', () => {
    const refusal = { type: 'refuse-channel', channel: 3, reason: 'flags is rumor here' };
    expect(new Decoder().decode(encodeRefuseChannel(3, refusal.reason))).toEqual(refusal);
    const quoted = { reason: '\\u001b[2J' };
    expect(new Decoder().decode(encodeRefuseChannel(3, '\u001b[2J'))).toMatchObject(quoted);
    expect(new Decoder().decode(encodeRefuseChannel(3, 'ä'.repeat(5000)))).toMatchObject({ reason: 'ä'.repeat(1024) });
  });

  test('must be declared before gossip comes on it', () => {
    const { bytes } = new Encoder().encode(4, { type: 'pull' });
    expect(faultOf(aConnection().decoder, bytes)).toBe('FRAME_MALFORMED');
  });
});

describe('bytes that no encoder wrote', () => {
  test('are malformed, or say something that could have been said', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      how: fc.constantFrom('set', 'cut', 'insert', 'remove', 'end'),
    });
    fc.assert(
      fc.property(message, fc.array(change, { minLength: 1, maxLength: 3 }), (sent, changes) => {
        const { frame, decoder } = framesOf(sent);
        const bytes = changes.reduce(
          (result, { at, byte, how }) => changed(result, at % (result.length + 1), byte, how),
          [...frame],
        );
        assertSound(decoder, Uint8Array.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('are malformed or ignored when they are pure noise', () => {
    const header = fc
      .tuple(fc.integer({ min: 0x90, max: 0x9f }), fc.nat(50), fc.constant(CHANNEL))
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(new Uint8Array(0)), header),
        fc.uint8Array({ maxLength: 200 }),
        (start, noise) => {
          assertSound(aConnection().decoder, Uint8Array.of(...start, ...noise));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('are malformed at every length short of the whole', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const { frame, decoder } = framesOf(sent);
        for (let end = 0; end < frame.length; end += 1 + Math.floor(frame.length / 50)) {
          expect(faultOf(decoder, frame.subarray(0, end))).toBe('FRAME_MALFORMED');
        }
      }),
      { numRuns: 200 },
    );
  });

  function changed(bytes: readonly number[], at: number, byte: number, how: string): number[] {
    const before = bytes.slice(0, at);
    if (how === 'end') return before;
    if (how === 'insert') return [...before, byte, ...bytes.slice(at)];
    if (how === 'set') return [...before, byte, ...bytes.slice(at + 1)];
    return [...before, ...bytes.slice(at + 1 + (how === 'cut' ? byte : 0))];
  }

  /** What is taken can be said again and is taken as the same, and all its values can be read. */
  function assertSound(decoder: Decoder, bytes: Uint8Array): void {
    const fault = faultOf(decoder, bytes);
    expect([null, 'FRAME_MALFORMED']).toContain(fault);
    if (fault !== null) return;
    const incoming = decoder.decode(bytes);
    if (incoming?.type !== 'gossip' || incoming.message.type === 'custom') return;
    const { message: taken } = incoming;
    if ('updates' in taken) for (const { value: read } of taken.updates) if (read !== undefined) decodeValue(read);
    expect(aConnection().send(taken)).toEqual(taken);
  }
});

describe('a peer of another age', () => {
  test('may send kinds that are not known here', () => {
    const { decoder } = aConnection();
    for (const kind of [5, 15, 29, 127, 128, 70_000])
      expect(decoder.decode(packFrame([kind, { any: 'thing' }]))).toBeNull();
  });

  test('may say more in frames of known kinds', () => {
    fc.assert(
      fc.property(message, (sent) => {
        // Its last field may be left out: then what stands there is not behind the known ones.
        fc.pre(sent.type !== 'feedback' || sent.untaken !== undefined);
        const { frame, decoder } = framesOf(sent);
        const read = decoder.decode(withTail(frame)) as Incoming & { type: 'gossip' };
        expect({ ...read, message: asData(read.message) }).toEqual({ type: 'gossip', channel: CHANNEL, message: sent });
      }),
      { numRuns: 300 },
    );
  });

  /** The frame with three further fields. All our frames have fewer than 16 fields, so their header is one byte. */
  function withTail(frame: Uint8Array): Uint8Array {
    const more = [0x07, 0xa1, 0x78, 0x81, 0xa1, 0x79, 0xc0];
    return Uint8Array.of(0xdc, 0, ((frame[0] as number) & 15) + 3, ...frame.subarray(1), ...more);
  }
});

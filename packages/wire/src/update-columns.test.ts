/** What updates cost on the wire, in bytes: neighbours share what they have in common. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { Origin, stampAt, Update } from '@grapevine/core';
import { encodeChannel } from './channel.ts';
import { Decoder, type Incoming } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { Told } from './told.ts';
import { encodeValue } from './value.ts';

const COUNT = 2000;
const START_MS = 1_763_866_839_000;
const writers = Array.from({ length: 8 }, (_, i) => new Origin(`node-${i}`, START_MS + i));
const [writer] = writers as [Origin];

/** Bytes an update, in a frame of 2,000 that the function makes from their places. */
function bytesEach(make: (i: number) => Update): number {
  const updates = Array.from({ length: COUNT }, (_, i) => make(i));
  return new Encoder().encode(1, { type: 'chunk', invitation: 1, index: 0, updates }).bytes.length / COUNT;
}

/** Bytes of an update's id and value, which nothing can save. */
const content = (i: number): number => `k${10_000 + i}`.length + encodeValue({ value: 10_000 + i }).length;

const anUpdate = (
  i: number,
  fields: { stamp: number; origin?: Origin; sequence?: number; expiresAt?: number },
): Update =>
  new Update(
    `k${10_000 + i}`,
    encodeValue({ value: 10_000 + i }),
    fields.stamp,
    fields.origin ?? writer,
    fields.sequence ?? i + 1,
    fields.expiresAt,
  );

describe('an update of a small id and value', () => {
  test('has 16 bytes of content', () => {
    expect(content(0)).toBe(16);
  });

  test('costs 3 bytes beside its content in a burst, of a few or of many a millisecond', () => {
    expect(bytesEach((i) => anUpdate(i, { stamp: stampAt(START_MS) + i }))).toBeLessThan(19.1);
    expect(bytesEach((i) => anUpdate(i, { stamp: stampAt(START_MS + 7 * i) }))).toBeLessThan(19.1);
    expect(bytesEach((i) => anUpdate(i, { stamp: stampAt(START_MS + Math.floor(i / 5)) + (i % 5) }))).toBeLessThan(
      19.1,
    );
  });

  test('costs 7 bytes beside its content at most when writers take turns and their clocks differ', () => {
    const make = (i: number): Update =>
      anUpdate(i, {
        stamp: stampAt(START_MS + i - 300 * (i % 8)),
        origin: writers[i % 8] as Origin,
        sequence: 50_000 + Math.floor(i / 8),
      });
    expect(bytesEach(make)).toBeLessThan(23.2);
  });

  test('costs 3 bytes more when it expires soon after the one before', () => {
    const make = (i: number): Update =>
      anUpdate(i, { stamp: stampAt(START_MS) + i, expiresAt: START_MS + 30_000 + 100 * i });
    expect(bytesEach(make)).toBeLessThan(22.1);
  });

  test('needs no more than 50 bytes alone, with all that a frame has', () => {
    const updates = [anUpdate(0, { stamp: stampAt(START_MS) })];
    expect(new Encoder().encode(1, { type: 'updates', cause: 'mail', updates }).bytes.length).toBeLessThanOrEqual(50);
  });
});

describe('an update that is kept', () => {
  test('does not keep the memory of its frame', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const [encoder, told, decoder] = [new Encoder(), new Told(), new Decoder()];
    decoder.decode(encodeChannel({ channel: 1, instance: 'flags', protocol: 'hybrid', newestEpochOfYou: 0 }));
    const frame = (first: number): Uint8Array => {
      const updates = Array.from({ length: COUNT }, (_, i) => {
        const value = encodeValue({ text: 'some text of a middling length', number: first + i });
        return new Update(`an/id/of-a-middling-length/${i}`, value, 1 + i, writer, first + i, undefined);
      });
      const encoded = encoder.encode(1, { type: 'chunk', invitation: 1, index: 0, updates });
      for (const origins of told.missing(encoded)) decoder.decode(origins);
      return encoded.bytes;
    };
    const { length } = frame(1);
    /** How much more memory is used when one update of each of forty frames is kept. */
    const growth = (): number => {
      const kept: unknown[] = [];
      const before = used();
      for (let i = 1; i <= 40; i++) {
        const { message } = decoder.decode(frame(i * COUNT)) as Incoming & { type: 'gossip' };
        if (message.type === 'chunk') kept.push([...message.updates][i]);
      }
      const after = used();
      expect(kept).toHaveLength(40);
      return after - before;
    };
    // What else runs in this process only adds; what is kept of the frames would show in every try.
    expect(Math.min(growth(), growth(), growth(), growth(), growth())).toBeLessThan((40 * length) / 4);
  });
});

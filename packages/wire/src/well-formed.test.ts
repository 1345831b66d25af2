import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeChannel } from './channel.ts';
import { kinds } from './kinds.ts';
import { Decoder } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { encodeValue } from './value.ts';
import { countObjects, hasTooManyObjects } from './well-formed.ts';

const bytesOf = (value: unknown): Uint8Array => Buffer.from(encodeValue(value), 'latin1');

/** Arrays, maps, binaries and dates, whatever stands in them. */
function objectsIn(value: unknown): number {
  if (value instanceof Uint8Array || value instanceof Date) return 1;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + objectsIn(each), 1);
  if (typeof value === 'object' && value !== null) return objectsIn(Object.values(value));
  return 0;
}

describe('objects of a value', () => {
  test('are counted without building it', () => {
    const leaf = fc.oneof(
      fc.constantFrom(null, true, -1, 200, 70_000, 1.5, 5_000_000_000n, 'short', 'x'.repeat(300), 'x'.repeat(70_000)),
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(new Date(0), new Date(1.5e12), new Date(-1), Buffer.alloc(300), Buffer.alloc(70_000)),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
          tie('value'),
        ),
      ),
    }));
    fc.assert(
      fc.property(value, (each) => {
        expect(countObjects(bytesOf(each))).toBe(objectsIn(each));
      }),
    );
    expect(countObjects(bytesOf(Array.from({ length: 70_000 }, () => [])))).toBe(70_001);
  });

  test('are too many where their bytes are few and they are no more than a thousand', () => {
    const empties = (count: number, each: unknown): Uint8Array => bytesOf(Array.from({ length: count }, () => each));
    expect(hasTooManyObjects(empties(1023, {}))).toBe(false);
    expect(hasTooManyObjects(empties(2000, {}))).toBe(true);
    expect(hasTooManyObjects(empties(2000, Buffer.alloc(0)))).toBe(false);
    expect(hasTooManyObjects(empties(4000, Buffer.alloc(0)))).toBe(true);
    expect(hasTooManyObjects(empties(100_000, ['abc']))).toBe(false);
  });
});

describe('a body of too many objects', () => {
  const body = Array.from({ length: 100_000 }, () => ({}));

  test('is refused where it would be sent, with what to do', () => {
    expect(() => new Encoder().encode(1, { type: 'custom', body })).toThrow(
      expect.objectContaining({
        code: 'VALUE_NOT_SERIALISABLE',
        message: expect.stringContaining('send fewer and larger ones, or several messages'),
      }),
    );
    expect(new Encoder().encode(1, { type: 'custom', body: body.slice(0, 1000) }).bytes.length).toBeGreaterThan(1000);
  });

  test('is malformed where it comes', () => {
    const bytes = bytesOf(body);
    const head = Buffer.alloc(8);
    head.set([0x93, kinds.custom, 1, 0xc6]);
    head.writeUInt32BE(bytes.length, 4);
    const decoder = new Decoder();
    decoder.decode(encodeChannel({ channel: 1, instance: 'x', protocol: 'mine', newestEpochOfYou: 0 }));
    expect(() => decoder.decode(Buffer.concat([head, bytes]))).toThrow(
      expect.objectContaining({ code: 'FRAME_MALFORMED', message: expect.stringContaining('more arrays') }),
    );
  });
});

/** Values: what may be gossiped comes back as it was, and what may not is refused with its place and a cure. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { contentId } from './content-id.ts';
import { isEphemeral } from '@grapevine/core';
import { decodeValue, encodeEphemeral, encodeValue } from './value.ts';
import { skipValue } from './well-formed.ts';

const again = (value: unknown): unknown => decodeValue(encodeValue(value));
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const fromHex = (text: string): string => Buffer.from(text, 'hex').toString('latin1');

describe('a value', () => {
  const anything = fc.anything({
    maxDepth: 4,
    withNullPrototype: true,
    values: [
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.string({ maxLength: 300 }),
      fc.double().map((number) => number + 0),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.uint8Array({ maxLength: 300 }),
      fc.date({ noInvalidDate: true }),
      fc.constant('__proto__'),
    ],
    key: fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('__proto__', 'constructor', 'toJSON', 'hasOwnProperty', '0'),
    ),
  });

  test('comes back as it was, whatever it is', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(again(value)).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  test('is well-formed to whoever checks a frame', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = Buffer.from(encodeValue(value), 'latin1');
        expect(skipValue(bytes, 0, bytes.length)).toBe(bytes.length);
      }),
    );
  });

  test('that is ephemeral comes back as it was, is well-formed to every release, and has bytes that no other value has', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = encodeEphemeral(value);
        expect(decodeValue(bytes)).toEqual(value);
        expect(skipValue(Buffer.from(bytes, 'latin1'), 0, bytes.length)).toBe(bytes.length);
        expect([isEphemeral(bytes), isEphemeral(encodeValue(value)), isEphemeral(encodeValue([value]))]).toEqual([
          true,
          false,
          false,
        ]);
      }),
    );
    expect(hex(encodeEphemeral({ on: true }))).toBe('dc000181a26f6ec3');
    expect(decodeValue(fromHex('dc0001dc000101'))).toEqual([1]);
  });

  test('that is ephemeral has one level less', () => {
    const bytes = encodeEphemeral(nested(63));
    expect(skipValue(Buffer.from(bytes, 'latin1'), 0, bytes.length)).toBe(bytes.length);
    expect(() => encodeEphemeral(nested(64))).toThrow('is nested deeper than');
    expect(() => encodeValue(nested(64))).not.toThrow();
  });

  test('has one character a byte', () => {
    expect(hex(encodeValue({ 'ä€': [1, -1, 1.5, '😀'] }))).toBe('81a5c3a4e282ac9401ffcb3ff8000000000000a4f09f9880');
  });

  test.each([
    ['bigints', [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n - 1n]],
    [
      'numbers beyond 32 bits',
      [2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, 1e300, Number.NaN, Infinity, -Infinity],
    ],
    [
      'numbers at the edge of their sizes',
      [-1, -32, -33, -128, -129, -32768, -32769, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1],
    ],
    ['dates', [0, 1, -1, 1_763_866_839_123, 2 ** 34 * 1000, -8.64e15, 8.64e15].map((ms) => new Date(ms))],
    ['bytes', [new Uint8Array(0), new Uint8Array([0, 128, 255]), new Uint8Array(70_000).fill(7)]],
    ['long texts', ['x'.repeat(12), 'x'.repeat(13), 'ä'.repeat(40), 'x'.repeat(70_000)]],
    [
      'large arrays and objects',
      [
        Array.from({ length: 70_000 }, (_, i) => i),
        Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
      ],
    ],
    [
      'Maps with any keys',
      [
        new Map<unknown, unknown>([
          ['a', 0],
          [1, 'one'],
          [null, 2],
          [true, 3],
          [new Map([[5n, 6]]), []],
        ]),
      ],
    ],
    ['Maps inside objects', { a: new Map([[1, { b: new Map([[2, 3]]) }]]) }],
    ['what is nested 64 deep', nested(64)],
  ])('may hold %s', (_, value) => {
    expect(again(value)).toEqual(value);
  });

  test('of -0 is read as 0', () => {
    expect(again(-0)).toBe(0);
  });

  test('that is a Map with texts as keys is read as an object', () => {
    expect(again(new Map([['a', 1]]))).toEqual({ a: 1 });
    expect(again(new Map())).toEqual({});
  });

  test('that is a Buffer is read as bytes', () => {
    expect(again(Buffer.from('ab'))).toEqual(Uint8Array.of(97, 98));
  });

  test('with a key __proto__ keeps it as a key and changes no prototype', () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as unknown;
    const read = again(value) as object;
    expect(Object.getOwnPropertyNames(read)).toEqual(['__proto__', 'a']);
    expect(JSON.stringify(read)).toBe(JSON.stringify(value));
    expect('polluted' in read).toBe(false);
  });

  test('is a copy: what is changed later changes nothing', () => {
    const value = { list: [1], bytes: Uint8Array.of(1) };
    const bytes = encodeValue(value);
    value.list.push(2);
    value.bytes[0] = 9;
    expect(decodeValue(bytes)).toEqual({ list: [1], bytes: Uint8Array.of(1) });
    expect(decodeValue(bytes)).not.toBe(decodeValue(bytes));
  });

  test('has a field toJSON like any other', () => {
    expect(again({ toJSON: 'x', constructor: 'y' })).toEqual({ toJSON: 'x', constructor: 'y' });
  });
});

describe('refused is', () => {
  class Account {
    readonly balance = 1;
  }
  const cyclic: Record<string, unknown> = { name: 'x' };
  cyclic['child'] = { parents: [cyclic] };
  const inner: unknown[] = [];
  inner.push(inner);

  test.each<[string, unknown, string]>([
    ['undefined', undefined, '$ is undefined; leave it out or use null.'],
    ['undefined inside', { a: { b: [0, 1, 2, undefined] } }, '$.a.b[3] is undefined'],
    ['a hole in an array', { a: Array(2) }, '$.a[0] is undefined'],
    ['a function', { a: [{ run: () => 1 }] }, '$.a[0].run is a function; send data only.'],
    ['a symbol', [Symbol('x')], '$[0] is a symbol'],
    ['a bigint beyond 64 bits', { n: 2n ** 64n }, '$.n is a bigint of more than 64 bits; send it as a string.'],
    ['a bigint below 64 bits', -(2n ** 63n) - 1n, '$ is a bigint'],
    ['an instance of a class', { a: new Account() }, '$.a is an instance of Account; make it a plain object'],
    ['a Set', { a: new Set([1]) }, '$.a is an instance of Set'],
    ['a RegExp', /x/, '$ is an instance of RegExp'],
    ['an Error', new TypeError('x'), '$ is an instance of TypeError'],
    ['other typed arrays', { a: new Float64Array(1) }, '$.a is an instance of Float64Array'],
    ['an ArrayBuffer', new ArrayBuffer(1), '$ is an instance of ArrayBuffer'],
    ['a promise', { a: Promise.resolve(1) }, '$.a is an instance of Promise'],
    ['a boxed number', { a: Object(1) as unknown }, '$.a is an instance of Number'],
    ['a Map of a class of its own', new (class Index extends Map<string, number> {})(), '$ is an instance of Index'],
    ['an invalid Date', { at: new Date(Number.NaN) }, '$.at is an invalid Date; use null.'],
    ['what contains itself', { tree: cyclic }, '$.tree contains itself'],
    ['an array that contains itself', { deep: { list: inner } }, '$.deep.list contains itself'],
    ['what is nested 65 deep', nested(65), 'is nested deeper than 64 levels; flatten it.'],
    ['what is behind an odd key', { 'a b': { 1: undefined } }, '$["a b"]["1"] is undefined'],
    ['what is in a Map', new Map([[5, undefined]]), '$[5] is undefined'],
    ['a key of a Map', new Map([[() => 1, 1]]), '$[function key] is a function'],
  ])('%s', (_, value, message) => {
    const error = thrownBy(() => encodeValue(value));
    expect(error).toMatchObject({ name: 'GossipError', code: 'VALUE_NOT_SERIALISABLE', fault: 'caller' });
    expect((error as Error).message).toContain(message);
    expect(thrownBy(() => contentId(value))).toMatchObject({ code: 'VALUE_NOT_SERIALISABLE' });
  });

  test('nothing after a refusal: the next value is encoded as ever', () => {
    thrownBy(() => encodeValue({ a: undefined }));
    expect(again({ a: 1 })).toEqual({ a: 1 });
  });
});

describe('bytes that are no value', () => {
  test('are malformed to the reader exactly where they are to the check', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (noise) => {
        const readable = thrownBy(() => decodeValue(Buffer.from(noise).toString('latin1'))) === null;
        expect(readable).toBe(skipValue(noise, 0, noise.length) === noise.length);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ['', 'ends too early'],
    ['0101', 'further bytes'],
    ['c1', '0xc1'],
    ['d40000', '0xd4'],
    ['d60100000000', 'no timestamp'],
    ['c70105ff', 'no timestamp'],
    ['dfffffffff', 'ends too early'],
    ['c6ffffffff00', 'ends too early'],
  ])('are refused: %s', (bytes, reason) => {
    const error = thrownBy(() => decodeValue(fromHex(bytes)));
    expect(error).toMatchObject({ code: 'FRAME_MALFORMED' });
    expect((error as Error).message).toContain(reason);
  });

  test('may nest 64 deep and not deeper, in the check and in the reader', () => {
    for (const [levels, fits] of [
      [64, true],
      [65, false],
    ] as const) {
      const bytes = Buffer.alloc(levels + 1, 0x91).fill(0, levels);
      expect(skipValue(bytes, 0, bytes.length) === bytes.length).toBe(fits);
      expect(thrownBy(() => decodeValue(bytes.toString('latin1'))) === null).toBe(fits);
    }
  });
});

describe('a content id', () => {
  test('is the one of the original', () => {
    expect(contentId({ field: 'value' })).toBe('A3957CC79D6F84B4E6254DE44D201513');
  });

  test.each<[unknown, string]>([
    [null, '4843A4868714FA7589E8EF87756BCACF'],
    [{ a: 1 }, 'AD82FAE647765126944878E022C2F631'],
    [{ b: { c: true }, a: [1, 2] }, '0B56FD0014369F426A166FDC99939AAA'],
    [{ node: 'node-1', action: 'nodeup' }, '8CACCBDBA86F22DA8E52C8116E71127A'],
    // By UTF-8 bytes U+E000 comes before U+1F600, by UTF-16 code units behind it.
    [{ '\u{1F600}': 2, '\uE000': 1 }, '518F4B74FC0E812E5EDE86707C93571B'],
  ])('of %j is %s', (value, id) => {
    expect(contentId(value)).toBe(id);
  });

  test('does not depend on the order of keys, at any depth', () => {
    expect(contentId({ b: [{ y: 1, x: 2 }], a: 0, 10: 0, 9: 0 })).toBe(
      contentId({ 9: 0, a: 0, b: [{ x: 2, y: 1 }], 10: 0 }),
    );
    expect(
      contentId(
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ),
    ).toBe(contentId({ a: 2, b: 1 }));
  });

  test('depends on everything else', () => {
    const ids = [{ a: 1 }, { a: 2 }, { b: 1 }, { a: '1' }, [1, 2], [2, 1], null, {}, []].map(contentId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('needs keys that are texts', () => {
    expect(thrownBy(() => contentId(new Map([[1, 2]])))).toMatchObject({ code: 'VALUE_NOT_SERIALISABLE' });
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return null;
  } catch (error) {
    return error;
  }
}

test('keys that look alike in bytes are told apart, whatever was read before', () => {
  const keys = ['e', 'é', 'Ã©', '\u00e9x', 'xe', 'ex', '', '__proto__', 'a'.repeat(31), 'a'.repeat(32), 'x'.repeat(13)];
  for (const first of keys)
    for (const second of keys) {
      const value = Object.fromEntries([
        [first, 1],
        [second, { [first]: 2 }],
      ]);
      expect(decodeValue(encodeValue(value))).toEqual(value);
      expect(Object.keys(decodeValue(encodeValue(value)) as object)).toEqual(Object.keys(value));
    }
});

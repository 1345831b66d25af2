import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isMeta, MAX_META_BYTES, metaProblem, sameMeta } from './meta.ts';

/** With a value that makes its JSON text so many bytes long. */
const long = (bytes: number, character = 'x'): { a: string } => ({
  a: character.repeat(Math.floor((bytes - 8) / Buffer.byteLength(character))),
});

describe('meta', () => {
  test.each([
    [{}],
    [{ zone: 'a', weight: 1.5, canary: false }],
    [{ '': '' }],
    [long(MAX_META_BYTES)],
    [long(512, '€')],
  ])('%j is one', (value) => {
    expect(isMeta(value)).toBe(true);
    expect(metaProblem(value)).toBeUndefined();
  });

  test.each([
    [null],
    [undefined],
    ['text'],
    [7],
    [[]],
    [['a']],
    [{ a: null }],
    [{ a: {} }],
    [{ a: [] }],
    [{ a: undefined }],
    [{ a: Number.NaN }],
    [{ a: Infinity }],
    [{ a: 1n }],
    [new Map([['a', 1]])],
    [new Date(0)],
    [new Uint8Array(3)],
    [long(MAX_META_BYTES + 1)],
    [long(600, '€')],
  ])('%p is none', (value) => {
    expect(isMeta(value)).toBe(false);
    expect(metaProblem(value)).toContain('at most 512 bytes');
  });

  test('its length is that of its JSON text in UTF-8', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 300 }), {
          maxKeys: 4,
        }),
        (value) => {
          expect(isMeta(value)).toBe(Buffer.byteLength(JSON.stringify(value)) <= MAX_META_BYTES);
        },
      ),
    );
  });

  test('is the same whatever the order of its keys, and no other', () => {
    expect(sameMeta({ a: 1, b: 'x' }, { b: 'x', a: 1 })).toBe(true);
    for (const other of [{ a: 1 }, { a: 1, b: 'y' }, { a: 1, c: 'x' }, { a: 1, b: 'x', c: 2 }, { a: '1', b: 'x' }])
      expect(sameMeta({ a: 1, b: 'x' }, other)).toBe(false);
    expect(sameMeta({ toString: 'x' }, { other: 'x' })).toBe(false);
  });
});

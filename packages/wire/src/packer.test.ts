/** Frames are written by hand where that is fast, and in the very bytes that msgpackr would write. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { packFrame, packToView } from './packer.ts';
import { Column } from './varint.ts';

function aColumn(bytes: Uint8Array): Column {
  const column = new Column();
  for (const byte of bytes) column.byte(byte);
  return column;
}

const numbers = [
  0,
  1,
  0x1f,
  0x20,
  0x7f,
  0x80,
  0xff,
  0x100,
  0xffff,
  0x10000,
  0x7fffffff,
  0x80000000,
  0xffffffff,
  0x100000000,
  -1,
  -0x20,
  -0x21,
  -0x80,
  -0x81,
  -0x8000,
  -0x8001,
  -0x80000000,
  -0x80000001,
  Number.MIN_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER,
  1_767_225_600_000,
  0.5,
  -0.5,
  Number.MAX_VALUE,
  -0,
];
const field = fc.oneof(fc.constantFrom(...numbers), fc.maxSafeInteger(), fc.double(), fc.boolean(), fc.constant(null));
const column = fc.uint8Array({ maxLength: 700 });

describe('a frame', () => {
  test.each(numbers)('has %d as msgpackr writes it', (number) => {
    expect(Buffer.from(packFrame([number]))).toEqual(Buffer.from(packToView([number])));
  });

  test('of any numbers, flags, nils and columns has the bytes of msgpackr, however many there are', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(field, column), { maxLength: 20 }), (fields) => {
        const ours = packFrame(fields.map((each) => (each instanceof Uint8Array ? aColumn(each) : each)));
        const theirs = packToView(fields.map((each) => (each instanceof Uint8Array ? Buffer.from(each) : each)));
        expect(Buffer.from(ours)).toEqual(Buffer.from(theirs));
      }),
    );
  });

  test.each([255, 256, 16_000, 16_384, 70_000])('with a column of %d bytes has the bytes of msgpackr', (length) => {
    const bytes = Buffer.alloc(length, 7);
    expect(Buffer.from(packFrame([16, aColumn(bytes), 1]))).toEqual(Buffer.from(packToView([16, bytes, 1])));
  });

  test('shares no memory with the one before', () => {
    const [one, two] = [packFrame([1, aColumn(Buffer.from('one'))]), packFrame([2, aColumn(Buffer.alloc(5000, 2))])];
    expect(Buffer.from(one)).toEqual(Buffer.from(packToView([1, Buffer.from('one')])));
    expect(Buffer.from(two)).toEqual(Buffer.from(packToView([2, Buffer.alloc(5000, 2)])));
  });
});

/** Fields are read by hand: as msgpackr would read them, and no more of them than is asked for. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Decoder } from './decoder.ts';
import { FrameFields } from './frame-fields.ts';
import { kinds } from './kinds.ts';
import { packToView } from './packer.ts';

const packed = (fields: readonly unknown[]): Uint8Array => new Uint8Array(packToView(fields));
const whole = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 2 ** 32, -0x20, -0x21, -0x80, -0x81, -0x8001),
);
const other = fc.oneof(
  fc.constant([[], [{}]]),
  fc.constant(new Map([[{}, [1]]])),
  fc.constant(new Date(5)),
  fc.constant(new Date(-5)),
  fc.constant(new Date(2 ** 40)),
);

/** Reads the next field by what it was written as. */
function readAs(fields: FrameFields, value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return fields.integer('x', Number.MIN_SAFE_INTEGER);
    case 'boolean':
      return fields.flag('x');
    case 'string':
      return fields.text('x', 0, 10_000);
    default:
      return fields.binaryOrNil('x');
  }
}

describe('the fields of a frame', () => {
  test('are read as they were written, in the order in which they are asked for', () => {
    const field = fc.oneof(
      whole,
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: 'grapheme', maxLength: 100 }),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), (written) => {
        const fields = new FrameFields(packed([3, ...written]));
        expect(fields.kind()).toBe(3);
        expect(fields.left).toBe(written.length);
        expect(written.map((value) => readAs(fields, value))).toEqual(
          written.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value)),
        );
        expect(fields.left).toBe(0);
      }),
    );
  });

  test.each([200, 40_000, 70_000])('may be as long as %d bytes, and as many', (length) => {
    const fields = new FrameFields(packed([3, 'x'.repeat(length), Buffer.alloc(length, 7), ...Array(length).fill(5)]));
    fields.kind();
    expect(fields.text('x', length, length)).toHaveLength(length);
    expect(fields.binary('x')).toEqual(Buffer.alloc(length, 7));
    for (let i = 0; i < length; i++) fields.integer('x', 5, 5);
    expect(fields.left).toBe(0);
  });

  test.each([
    [[0xcf, 0, 0x1f, ...Array(6).fill(0xff)], Number.MAX_SAFE_INTEGER],
    [[0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1], Number.MIN_SAFE_INTEGER],
    [[0xca, 0x3f, 0x80, 0, 0], 1],
    [[0xd0, 0x80], -128],
    [[0xd1, 0x80, 0], -32_768],
  ])('are numbers in whatever form: %j', (bytes, number) => {
    const fields = new FrameFields(Uint8Array.from([0x92, 3, ...bytes]));
    fields.kind();
    expect(fields.integer('x', Number.MIN_SAFE_INTEGER)).toBe(number);
  });

  test('that are arrays, maps or times are none that is asked for, and are stepped over', () => {
    fc.assert(
      fc.property(other, (strange) => {
        const fields = new FrameFields(packed([3, strange, 'behind it']));
        fields.kind();
        expect(() => fields.integer('x')).toThrow(expect.objectContaining({ code: 'FRAME_MALFORMED' }));
        expect(fields.text('x', 0, 100)).toBe('behind it');
        expect(() => fields.text('x', 0, 100)).toThrow(expect.objectContaining({ code: 'FRAME_MALFORMED' }));
      }),
    );
  });

  test.each([
    ['behind those that are known', kinds.pull],
    ['of a kind that is not known', 99],
  ])('%s are not built: an empty map is one byte on the wire and two hundred here', (_name, kind) => {
    const decoder = new Decoder();
    decoder.decode(packed([kinds.channel, 7, 'i', 'p', 0]));
    const maps = 2 * 1024 * 1024;
    const frame = Buffer.alloc(7 + maps, 0x80);
    frame.set([0xdd, 0, 0, 0, 0, kind, 7]);
    frame.writeUInt32BE(2 + maps, 1);
    const before = process.memoryUsage().heapUsed;
    expect(decoder.decode(frame)?.type).toBe(kind === kinds.pull ? 'gossip' : undefined);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(maps * 8);
  });
});

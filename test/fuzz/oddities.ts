/**
 * What decoders stumble over: MessagePack values and numbers at the edges of what is allowed, and beyond.
 *
 * Source: the MessagePack specification; the extensions of msgpackr (records); docs/wire.md for the limits.
 */

const deep = (levels: number, container: string): string => container.repeat(levels);

const hexes: readonly string[] = [
  // Nothing, truth, small numbers.
  'c0',
  'c2',
  'c3',
  '00',
  '01',
  '7f',
  'ff',
  'e0',
  // Whole numbers at the ends of their forms, and around 2^31, 2^32 and 2^53.
  'cc80',
  'ccff',
  'cd0100',
  'cdffff',
  'ce00010000',
  'ce7fffffff',
  'ce80000000',
  'ceffffffff',
  'd080',
  'd18000',
  'd280000000',
  'd38000000000000000',
  'd3ffffffffffffffff',
  'd37fffffffffffffff',
  'cf001fffffffffffff',
  'cf0020000000000000',
  'cfffffffffffffffff',
  // Floats: 2^32, 2^53 - 1, 2^53, the largest, infinities, no number, minus zero, a half.
  'cb41f0000000000000',
  'cb433fffffffffffff',
  'cb4340000000000000',
  'cbc33fffffffffffff',
  'cb7fefffffffffffff',
  'cb7ff0000000000000',
  'cbfff0000000000000',
  'cb7ff8000000000000',
  'cb8000000000000000',
  'cb3fe0000000000000',
  'ca7f800000',
  'ca3f800000',
  // Texts: none, no UTF-8, half of a pair, a control character, names that mean something to JavaScript.
  'a0',
  'a2c328',
  'a3eda080',
  'a100',
  'a95f5f70726f746f5f5f',
  'ab636f6e7374727563746f72',
  'a474686e65',
  'a6746f4a534f4e',
  // Maps: keys of the prototype, the same key twice, keys that are no texts.
  '81a95f5f70726f746f5f5f81a17801',
  '81ab636f6e7374727563746f7281a970726f746f7479706581a17801',
  '82a16101a16102',
  '810102',
  '81c0c0',
  '819090',
  '818080',
  '81c40101c0',
  '80',
  '90',
  // What claims to be far longer than it is.
  'dcffff',
  'ddffffffff',
  'deffff',
  'dfffffffff',
  'd9ff',
  'daffff',
  'dbffffffff',
  'c4ff',
  'c5ffff',
  'c6ffffffff',
  'dd7fffffff',
  // Forms that are longer than they need be.
  'dc0000',
  'dd00000000',
  'de0000',
  'df00000000',
  'd900',
  'da0000',
  'db00000000',
  'c400',
  'c50000',
  'c600000000',
  'cd0001',
  // Never used; records of msgpackr; extensions; timestamps at their ends.
  'c1',
  'd4724091a161',
  'd47240',
  'd40000',
  'd50000ff',
  'd600ffffffff',
  'd8ff00000000000000000000000000000000',
  'c70000',
  'c8ffff01',
  'c9ffffffff01',
  'd6ff00000000',
  'd6ffffffffff',
  'd7ffffffffffffffffff',
  'c70cffffffffff7fffffffffffffff',
  'c70cff000000008000000000000000',
  'c7ff73',
  'd46200',
  'd57800ff',
  'd6430000ffff',
  // Binary: a number without end, the largest number, one beyond it.
  'c40180',
  'c408ffffffffffffff0f',
  'c409ffffffffffffffff01',
  'c408ffffffffffffff7f',
  // Nesting at the limit and beyond it.
  `${deep(63, '91')}c0`,
  `${deep(64, '91')}c0`,
  `${deep(65, '91')}c0`,
  `${deep(2000, '91')}c0`,
  `${deep(63, '81a161')}c0`,
  `${deep(500, '81')}c0`,
];

const text = (length: number): Buffer =>
  Buffer.concat([Buffer.from([0xda, length >> 8, length & 255]), Buffer.alloc(length, 'x')]);

/** Encodings, most of them of one value, some of none. */
export const oddValues: readonly Buffer[] = [
  ...hexes.map((hex) => Buffer.from(hex, 'hex')),
  ...[128, 129, 255, 256, 1025, 2049, 4096, 4097, 9000].map(text),
];

/** Whole numbers at which something changes. */
export const oddNumbers: readonly number[] = [
  0,
  1,
  2,
  3,
  63,
  64,
  127,
  128,
  255,
  256,
  1023,
  1024,
  4095,
  4096,
  8192,
  16_383,
  16_384,
  65_535,
  65_536,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 52,
  2 ** 53 - 2,
  2 ** 53 - 1,
];

/** A number as MessagePack, in a form that holds it: also a negative or a broken one. */
export function packedNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 128) return Buffer.from([value]);
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

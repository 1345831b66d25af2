/** Where things stand in a frame: enough of MessagePack to cut a frame into its fields, and of columns to cut these into numbers. */

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** @returns the fields of the array that the bytes are, without its head; nothing if they are none */
export function fieldsOf(bytes: Uint8Array): Span[] | undefined {
  const token = bytes[0] ?? 0xc1;
  let at: number;
  let count: number;
  if (token >= 0x90 && token < 0xa0) [at, count] = [1, token & 15];
  else if (token === 0xdc && bytes.length > 3) [at, count] = [3, bigEndian(bytes, 1, 2)];
  else return undefined;
  const fields: Span[] = [];
  for (let i = 0; i < count; i++) {
    const end = endOf(bytes, at);
    if (end < 0) return undefined;
    fields.push({ start: at, end });
    at = end;
  }
  return fields;
}

/** The head of an array of so many fields. */
export function arrayHead(count: number): Buffer {
  return count < 16 ? Buffer.from([0x90 | count]) : Buffer.from([0xdc, count >> 8, count & 255]);
}

/** What a binary holds, without its head; nothing if it is none. */
export function binaryOf(field: Uint8Array): Uint8Array | undefined {
  const head = new Map([
    [0xc4, 2],
    [0xc5, 3],
    [0xc6, 5],
  ]).get(field[0] ?? 0);
  return head === undefined ? undefined : field.subarray(head);
}

export function binary(content: Uint8Array): Buffer {
  const { length } = content;
  const head =
    length < 256 ? [0xc4, length] : [0xc6, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

/** The bytes of each varint of a column; what is left over is the last. */
export function varintsOf(column: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i < column.length; i++) {
    if (((column[i] as number) & 0x80) !== 0) continue;
    parts.push(column.subarray(start, i + 1));
    start = i + 1;
  }
  if (start < column.length) parts.push(column.subarray(start));
  return parts;
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  return Buffer.from([...bytes, left]);
}

/** @returns where the value ends that starts at `at`; -1 if it does not end */
function endOf(bytes: Uint8Array, at: number): number {
  const token = bytes[at];
  if (token === undefined) return -1;
  if (token < 0x80 || token >= 0xe0 || token === 0xc0 || token === 0xc2 || token === 0xc3) return at + 1;
  if (token < 0x90) return endOfMany(bytes, at + 1, 2 * (token & 15));
  if (token < 0xa0) return endOfMany(bytes, at + 1, token & 15);
  if (token < 0xc0) return within(bytes, at + 1 + (token & 31));
  const fixed = fixedLengths.get(token);
  if (fixed !== undefined) return within(bytes, at + fixed);
  const width = lengthWidths.get(token);
  if (width === undefined || at + 1 + width > bytes.length) return -1;
  const count = bigEndian(bytes, at + 1, width);
  if (token === 0xdc || token === 0xdd) return endOfMany(bytes, at + 1 + width, count);
  if (token === 0xde || token === 0xdf) return endOfMany(bytes, at + 1 + width, 2 * count);
  return within(bytes, at + 1 + width + count + (token >= 0xc7 && token <= 0xc9 ? 1 : 0));
}

/** Head and content together. */
const fixedLengths: ReadonlyMap<number, number> = new Map([
  [0xca, 5],
  [0xcb, 9],
  [0xcc, 2],
  [0xcd, 3],
  [0xce, 5],
  [0xcf, 9],
  [0xd0, 2],
  [0xd1, 3],
  [0xd2, 5],
  [0xd3, 9],
  [0xd4, 3],
  [0xd5, 4],
  [0xd6, 6],
  [0xd7, 10],
  [0xd8, 18],
]);
/** How many bytes the length takes. */
const lengthWidths: ReadonlyMap<number, number> = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xc7, 1],
  [0xc8, 2],
  [0xc9, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
]);

function endOfMany(bytes: Uint8Array, start: number, count: number): number {
  let at = start;
  for (let i = 0; i < count && at >= 0; i++) at = endOf(bytes, at);
  return at;
}

function within(bytes: Uint8Array, end: number): number {
  return end <= bytes.length ? end : -1;
}

function bigEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

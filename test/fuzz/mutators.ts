/**
 * Changes of a frame: of its bits, of its bytes, of its fields, of the numbers in its columns.
 *
 * The first ones mostly end a session; the last ones mostly leave a frame that is well-formed and lies, which gets further.
 */
import type { Dice } from './dice.ts';
import { oddNumbers, oddValues, packedNumber } from './oddities.ts';
import { arrayHead, binary, binaryOf, fieldsOf, varint, varintsOf } from './spans.ts';

/** @param other another frame, to take parts from */
type Mutator = (frame: Uint8Array, dice: Dice, other: Uint8Array) => Uint8Array;

const flipBits: Mutator = (frame, dice) => {
  const bytes = Buffer.from(frame);
  for (let i = 0; i <= dice.below(3) && bytes.length > 0; i++) {
    const at = dice.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << dice.below(8));
  }
  return bytes;
};

const setByte: Mutator = (frame, dice) => {
  const bytes = Buffer.from(frame);
  if (bytes.length > 0) bytes[dice.below(bytes.length)] = dice.pick([0x00, 0x7f, 0x80, 0xc0, 0xc1, 0xdd, 0xff]);
  return bytes;
};

const insert: Mutator = (frame, dice) => {
  const at = dice.below(frame.length + 1);
  const inserted = dice.chance(0.5) ? dice.bytes(1 + dice.below(8)) : dice.pick(oddValues);
  return Buffer.concat([frame.subarray(0, at), inserted, frame.subarray(at)]);
};

const cut: Mutator = (frame, dice) => {
  const at = dice.below(frame.length);
  return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + dice.below(8))]);
};

const truncate: Mutator = (frame, dice) => frame.subarray(0, dice.below(frame.length));

const splice: Mutator = (frame, dice, other) =>
  Buffer.concat([frame.subarray(0, dice.below(frame.length + 1)), other.subarray(dice.below(other.length + 1))]);

const repeatPart: Mutator = (frame, dice) => {
  const from = dice.below(frame.length + 1);
  const to = from + dice.below(frame.length - from + 1);
  return Buffer.concat([frame.subarray(0, to), frame.subarray(from)]);
};

const noise: Mutator = (_frame, dice) => dice.bytes(dice.below(64));

/** Whole fields; a frame that is no array is left as it is. */
function withFields(change: (fields: Uint8Array[], dice: Dice, other: Uint8Array) => void): Mutator {
  return (frame, dice, other) => {
    const spans = fieldsOf(frame);
    if (spans === undefined || spans.length < 2) return frame;
    const fields = spans.map(({ start, end }) => frame.subarray(start, end));
    change(fields, dice, other);
    return Buffer.concat([arrayHead(fields.length), ...fields]);
  };
}

const someField = (fields: readonly Uint8Array[], dice: Dice): number => 1 + dice.below(fields.length - 1);

const oddField = withFields((fields, dice) => {
  fields[someField(fields, dice)] = dice.pick(oddValues);
});

const numberField = withFields((fields, dice) => {
  const numbers = fields.flatMap((field, i) => (i > 0 && isNumber(field) ? [i] : []));
  const odd = dice.pick(oddNumbers);
  if (numbers.length > 0) fields[dice.pick(numbers)] = packedNumber(dice.chance(0.1) ? -odd : odd);
});

const swapFields = withFields((fields, dice) => {
  const [a, b] = [someField(fields, dice), someField(fields, dice)];
  [fields[a], fields[b]] = [fields[b] as Uint8Array, fields[a] as Uint8Array];
});

const dropField = withFields((fields, dice) => void fields.splice(someField(fields, dice), 1));

const addField = withFields((fields, dice) => {
  const at = dice.chance(0.5) ? fields.length : someField(fields, dice);
  fields.splice(at, 0, dice.pick(oddValues));
});

const takeField = withFields((fields, dice, other) => {
  const spans = fieldsOf(other) ?? [];
  if (spans.length === 0) return;
  const { start, end } = dice.pick(spans);
  fields[someField(fields, dice)] = other.subarray(start, end);
});

const changeKind = withFields((fields, dice) => {
  fields[0] = dice.chance(0.1) ? dice.pick(oddValues) : packedNumber(dice.below(50));
});

/** A number in a column, or the bytes of a text or of a value among them. */
const changeColumn = withFields((fields, dice) => {
  const columns = fields.flatMap((field, i) => ((binaryOf(field)?.length ?? 0) > 0 ? [i] : []));
  if (columns.length === 0) return;
  const at = dice.pick(columns);
  const parts = varintsOf(binaryOf(fields[at] as Uint8Array) as Uint8Array);
  const part = dice.below(parts.length);
  switch (dice.below(6)) {
    case 0:
      parts[part] = varint(dice.pick(oddNumbers));
      break;
    case 1:
      parts[part] = varint(dice.below(8));
      break;
    case 2:
      parts.splice(part, 1);
      break;
    case 3:
      parts.splice(part, 0, parts[dice.below(parts.length)] as Uint8Array);
      break;
    case 4:
      parts.splice(part, 0, varint(dice.pick(oddNumbers)));
      break;
    default:
      // A form that is longer than it need be, or without an end.
      parts[part] = dice.pick([
        Buffer.from('8000', 'hex'),
        Buffer.alloc(9, 0x80),
        Buffer.from('ffffffffffffff7f', 'hex'),
      ]);
  }
  fields[at] = binary(Buffer.concat(parts));
});

/** A message within the message: the body of a `custom`, a value. */
const changeInside: Mutator = (frame, dice, other) =>
  withFields((fields) => {
    const binaries = fields.flatMap((field, i) => ((binaryOf(field)?.length ?? 0) > 0 ? [i] : []));
    if (binaries.length === 0) return;
    const at = dice.pick(binaries);
    const inside = binaryOf(fields[at] as Uint8Array) as Uint8Array;
    fields[at] = binary(dice.weighted(insideMutators)(inside, dice, other));
  })(frame, dice, other);

const insideMutators: readonly (readonly [number, Mutator])[] = [
  [1, flipBits],
  [4, oddField],
  [4, numberField],
  [1, swapFields],
  [1, dropField],
  [1, addField],
  [1, insert],
];

const mutators: readonly (readonly [number, Mutator])[] = [
  [3, flipBits],
  [1, setByte],
  [1, insert],
  [1, cut],
  [1, truncate],
  [1, splice],
  [1, repeatPart],
  [0.5, noise],
  [3, oddField],
  [6, numberField],
  [1, swapFields],
  [1, dropField],
  [2, addField],
  [2, takeField],
  [3, changeKind],
  [8, changeColumn],
  [6, changeInside],
];

/** A frame that was changed once to three times. */
export function mutated(frame: Uint8Array, dice: Dice, other: Uint8Array): Uint8Array {
  let result = frame;
  for (
    let times = dice.weighted([
      [4, 1],
      [1, 2],
      [1, 3],
    ] as const);
    times > 0;
    times--
  )
    result = dice.weighted(mutators)(result, dice, other);
  return result;
}

function isNumber(field: Uint8Array): boolean {
  const token = field[0] as number;
  return token < 0x80 || token >= 0xe0 || (token >= 0xca && token <= 0xd3);
}

/**
 * Values and their bytes, in the form in which a store keeps them: MessagePack as a string of one character a byte.
 *
 * Invariants
 *  1. Every value that is encoded can be decoded, here and by every peer; what cannot is refused with its path.
 *  2. 64-bit integers on the wire are bigints here, and numbers beyond 32 bits are floats on the wire: both come back
 *     as what they were.
 *  3. An ephemeral value is the same value behind a header of three bytes, and is read as the same.
 */

import { type Batch, type Bytes, EPHEMERAL, isEphemeral } from '@grapevine/core';
import { packToView } from './packer.ts';
import { encodeSmallValue } from './small-value.ts';
import { ValueReader } from './value-reader.ts';
import { checkValue } from './value-rules.ts';

/**
 * A value's bytes, a copy that later changes of the value do not touch.
 * @throws GossipError VALUE_NOT_SERIALISABLE, naming the place as in `$.a.b[3]`, for functions, symbols, undefined,
 * bigints beyond 64 bits, class instances, invalid Dates, cycles and what is nested deeper than 64 levels
 */
export function encodeValue(value: unknown): Bytes {
  return encodeSmallValue(value) ?? encodeAnyValue(value);
}

/**
 * The bytes of a value that readers see only while its writer is there: as `encodeValue`, in one array more, so that one level less
 * is left.
 * @throws GossipError VALUE_NOT_SERIALISABLE, as `encodeValue`
 */
export function encodeEphemeral(value: unknown): Bytes {
  const small = encodeSmallValue(value);
  if (small !== undefined) return EPHEMERAL + small;
  checkValue(value, 1);
  return EPHEMERAL + packToView(value).toString('latin1');
}

/** The general way: checked, then packed. @throws as `encodeValue` */
export function encodeAnyValue(value: unknown): Bytes {
  checkValue(value);
  return packToView(value).toString('latin1');
}

/**
 * The value, made anew with every call.
 * @throws GossipError FRAME_MALFORMED for bytes that neither `encodeValue` made nor a frame's check has passed
 */
export function decodeValue(bytes: Bytes): unknown {
  return new ValueReader(isEphemeral(bytes) ? bytes.slice(EPHEMERAL.length) : bytes).only();
}

/**
 * What readers see of each row of a batch, made anew with every call: at once, which costs less than one by one.
 * @returns `undefined` in the place of a row of which readers see nothing
 * @throws GossipError as `decodeValue`
 */
export function decodeValues(batch: Batch): unknown[] {
  const { values, length } = batch;
  const { bytes } = values;
  const reader = new ValueReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
  const decoded: unknown[] = [];
  for (let row = 0; row < length; row++) {
    const view = batch.viewOf(row);
    const start = view === undefined ? values.startOf(row) : -1;
    if (start >= 0) {
      const header = values.isEphemeral(row) ? EPHEMERAL.length : 0;
      decoded.push(reader.between(start + header, start + values.lengthOf(row)));
    } else {
      const seen = view === undefined ? values.at(row) : view.value;
      decoded.push(seen === undefined ? undefined : decodeValue(seen));
    }
  }
  return decoded;
}

/**
 * The body of a `custom` message, made anew with every call. A whole number of 64 bits is read as fields of a frame are: as a
 * number where a number has it exactly (up to 2^53 - 1 either way), and only beyond as a bigint.
 * @throws GossipError as `decodeValue`
 */
export function decodeBody(bytes: Bytes): unknown {
  return new ValueReader(bytes, 'numbers').only();
}

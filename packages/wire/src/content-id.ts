/**
 * An id that follows from the content: equal values get equal ids, on every node and in every language.
 *
 * Invariants
 *  1. It is the upper-case hexadecimal MD5 of the MessagePack encoding in its smallest form, with map keys in the order
 *     of their UTF-8 bytes. MD5 names content here, it protects nothing.
 *
 * Source: the original's announcements (docs/options.md).
 */

import { createHash } from 'node:crypto';
import { GossipError } from '@grapevine/core';
import { packToView } from './packer.ts';
import { checkValue } from './value-rules.ts';

/**
 * `contentId({ field: 'value' })` is `A3957CC79D6F84B4E6254DE44D201513`.
 * @throws GossipError VALUE_NOT_SERIALISABLE as `encodeValue` does, and for a Map with keys that are no strings
 */
export function contentId(value: unknown): string {
  checkValue(value);
  return createHash('md5')
    .update(packToView(canonical(value)))
    .digest('hex')
    .toUpperCase();
}

/** The value with every map's keys in order. As Maps, because objects put keys that look like numbers first. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value;
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  const sorted = entries.map(([key, item]): [Buffer, string, unknown] => {
    if (typeof key === 'string') return [Buffer.from(key), key, item];
    const what = 'A content id needs keys that are strings: other keys have no order; make the Map an array of pairs.';
    throw new GossipError('VALUE_NOT_SERIALISABLE', what);
  });
  sorted.sort(([a], [b]) => Buffer.compare(a, b));
  return new Map(sorted.map(([, key, item]) => [key, canonical(item)]));
}

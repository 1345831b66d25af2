/**
 * What a node says of itself: a flat record of few words.
 *
 * Invariants
 *  1. Its JSON text has at most 512 bytes of UTF-8, whoever made it: every node keeps that of every other.
 */

import type { Meta } from '../../membership.ts';

export const MAX_META_BYTES = 512;

/** Says what would be right, or nothing if the value is. */
export function metaProblem(value: unknown): string | undefined {
  return isMeta(value)
    ? undefined
    : `must be an object of texts, numbers and booleans whose JSON text has at most ${MAX_META_BYTES} bytes`;
}

export function isMeta(value: unknown): value is Meta {
  if (typeof value !== 'object' || value === null) return false;
  // A plain object, of whatever realm: dates and maps have other texts than words.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  for (const item of Object.values(value)) {
    if (typeof item === 'number' ? !Number.isFinite(item) : typeof item !== 'string' && typeof item !== 'boolean')
      return false;
  }
  // One unit of UTF-16 is at least one byte: what is too long is not written out first.
  const text = JSON.stringify(value);
  return text.length <= MAX_META_BYTES && utf8Length(text) <= MAX_META_BYTES;
}

export function sameMeta(a: Meta, b: Meta): boolean {
  const entries = Object.entries(a);
  return (
    entries.length === Object.keys(b).length &&
    entries.every(([key, value]) => Object.hasOwn(b, key) && b[key] === value)
  );
}

/** Bytes of a text in UTF-8. A lone surrogate is written as three, as its replacement is. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

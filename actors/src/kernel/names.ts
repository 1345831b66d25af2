/**
 * Names: any text as a name that nact allows, and two texts never as one.
 *
 * Invariants
 *  1. The result uses only `[a-z0-9-_.+!*'(),$]` (either case), as nact demands of a path.
 *  2. It is injective: `$` is always written as an escape, so no text can imitate another's escapes. UTF-16 code
 *     units are escaped rather than UTF-8 bytes, because UTF-8 maps all lone surrogates to one replacement character.
 *
 * Source: nact 7.6.2, lib/paths.js, `isValidName`.
 */

const forbidden = /[^a-zA-Z0-9\-_.+!*'(),]/g;

/** Encodes a text as a nact name: what is forbidden becomes `$xx` or `$uxxxx`, and the empty text `$`. */
export function nameFor(text: string): string {
  return text === '' ? '$' : text.replace(forbidden, escapeUnit);
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return code < 0x100 ? `$${code.toString(16).padStart(2, '0')}` : `$u${code.toString(16).padStart(4, '0')}`;
}

/** How the oracles name what they speak of. */

import type { Bytes, Update } from '@grapevine/core';

/** An id, whether it is a removal, and its dot. */
export function name(update: Update): string {
  return `${update.id}${update.value === undefined ? ' (removed)' : ''} ${update.sequence}.${update.origin.key}`;
}

/** The beginning of a value. */
export function show(value: Bytes | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value.slice(0, 20));
}

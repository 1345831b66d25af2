/**
 * The error for bytes of a peer that break the protocol's shape.
 *
 * Invariants
 *  1. It is thrown before anything of the frame takes effect, but for tables of numbers of its own connection, which
 *     ends with it.
 */

import { GossipError } from '@grapevine/core';

/** @param reason what is wrong, precisely enough to find the bug in the peer */
export function malformed(reason: string): GossipError {
  return new GossipError('FRAME_MALFORMED', `A peer sent a malformed frame: ${reason}`, { context: { reason } });
}

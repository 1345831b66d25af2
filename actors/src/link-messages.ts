/** What a link is told. */

import type { CloseInfo } from '@grapevine/transport';

import type { Party } from './party.ts';

export type LinkMessage =
  | { readonly type: 'frames'; readonly frames: readonly Uint8Array[]; readonly bytes: number }
  /** So many pings and pongs came. */
  | { readonly type: 'controls'; readonly count: number }
  /** The peer's allowance has filled up again, perhaps. */
  | { readonly type: 'allowed' }
  | { readonly type: 'closed'; readonly info: CloseInfo }
  /** A party that this node has from now on. */
  | { readonly type: 'party-spawned'; readonly party: Party }
  | { readonly type: 'party-stopped'; readonly party: Party };

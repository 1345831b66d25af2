/** What the transport is told. */

import type { GossipError, UrlSource } from '@grapevine/core';
import type { Transport } from '@grapevine/transport';

import type { RenewTls, RotateKeys } from './messages.ts';

export type TransportMessage =
  /** Keep these connected, in place of those of the former message. */
  | { readonly type: 'dial'; readonly urls: readonly string[]; readonly source: UrlSource }
  /** Dial once, now; the tracker is told how it ended. */
  | { readonly type: 'connect'; readonly url: string; readonly source: UrlSource }
  /** Start anew: this node has another epoch. */
  | { readonly type: 'renew' }
  | RotateKeys
  | RenewTls
  | { readonly type: 'listening'; readonly transport: Transport; readonly url: string | null }
  | { readonly type: 'not-listening'; readonly transport: Transport; readonly error: GossipError }
  | { readonly type: 'listen' };

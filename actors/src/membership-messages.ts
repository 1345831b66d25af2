/** What the tracker is told. */

import type { Member } from '@grapevine/core';

import type { Ref } from './kernel/nact.ts';
import type { PartyMessage } from './party.ts';

export type TrackerMessage =
  | PartyMessage
  /** The transport is up, and this node's URL known. */
  | { readonly type: 'listening' }
  | { readonly type: 'connected'; readonly member: Member }
  | { readonly type: 'disconnected'; readonly name: string }
  | { readonly type: 'tick'; readonly timer: string }
  /** This node is about to go. */
  | { readonly type: 'goodbye'; readonly replyTo: Ref<true> };

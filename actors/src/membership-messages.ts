/** What the tracker is told. */

import type { DialEnd, Member } from '@grapevine/core';

import type { Ref } from './kernel/nact.ts';
import type { Describe } from './messages.ts';
import type { PartyMessage } from './party.ts';

export type TrackerMessage =
  | PartyMessage
  /** The transport is up, and this node's URL known. */
  | { readonly type: 'listening' }
  | { readonly type: 'connected'; readonly member: Member }
  /** `released`: one side said that it needs the connection no more. */
  | { readonly type: 'disconnected'; readonly name: string; readonly session: number; readonly released: boolean }
  | { readonly type: 'dial-ended'; readonly end: DialEnd }
  /** What the source of this index found. */
  | { readonly type: 'discovered'; readonly source: number; readonly urls: readonly string[] }
  /** What a former process of this node remembered. */
  | { readonly type: 'remembered'; readonly urls: readonly string[] }
  | Describe
  | { readonly type: 'tick'; readonly timer: string }
  /** Time to look whether subscribers of the node that are behind take messages again. */
  | { readonly type: 'catch-up' }
  /** Time to outlive a later life of this node, where that had to wait. */
  | { readonly type: 'outlive' }
  /** This node is about to go. */
  | { readonly type: 'goodbye'; readonly replyTo: Ref<true> };

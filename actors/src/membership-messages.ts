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
  /** Time to take a higher epoch, after one that was taken a moment ago. */
  | { readonly type: 'renew' }
  /** Time to look whether nodes still share an address. */
  | { readonly type: 'compare-addresses' }
  /** This node is about to go. */
  | { readonly type: 'goodbye'; readonly replyTo: Ref<true> };

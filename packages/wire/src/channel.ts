/**
 * Channels: gossip instances by numbers of the sending node's choice.
 *
 * Invariants
 *  1. A node declares an instance on each connection before the first frame of it, under the same number on all, and
 *     never uses the number for another instance.
 */

import { kinds } from './kinds.ts';
import { maxReasonLength } from './limits.ts';
import { packFrame } from './packer.ts';

export interface ChannelDeclaration {
  /** 0 to 65,535. */
  readonly channel: number;
  readonly instance: string;
  readonly protocol: string;
  /** The highest epoch under the receiver's name that the sender's context of this instance knows; 0: none. */
  readonly newestEpochOfYou: number;
}

export function encodeChannel({ channel, instance, protocol, newestEpochOfYou }: ChannelDeclaration): Uint8Array {
  return packFrame([kinds.channel, channel, instance, protocol, newestEpochOfYou]);
}

/**
 * Answers a declaration whose protocol is not ours.
 * @param channel the receiver's number, which it declared
 * @param reason one sentence, cut to 1,024 characters
 */
export function encodeRefuseChannel(channel: number, reason: string): Uint8Array {
  return packFrame([kinds['refuse-channel'], channel, reason.slice(0, maxReasonLength)]);
}

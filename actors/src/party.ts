/**
 * A party: what at this node takes part in gossip over a channel of its own. Every instance is one, and the membership.
 *
 * Invariants
 *  1. A channel number belongs to one party for the life of the node, and is the same on all its connections.
 *  2. What a link tells a party comes in this order for each connection: the peer, its messages, its going.
 *
 * Source: docs/architecture.md and docs/wire.md.
 */

import type { Message, Received } from '@grapevine/core';

import type { Ref } from './kernel/nact.ts';
import type { Held, Pressure } from './pressure.ts';
import type { Refused } from './refusals.ts';

export interface Party {
  readonly channel: number;
  /** The name by which it and its like on other nodes find each other. */
  readonly instance: string;
  /** Parties of one name whose protocols differ refuse each other. */
  readonly protocol: string;
  readonly ref: Ref<PartyMessage>;
  readonly pressure: Pressure;
  /** Notes that a peer, no observer, runs another protocol under the same name. */
  refused?(refused: Refused): void;
  /** Whether a message is one of its protocol's: anything else costs its sender the connection. */
  accepts(message: Message): boolean;
  /** Which rule a message breaks that is not accepted, as the end of a sentence; `null`: its module does not say. */
  problem?(message: Message): string | null;
  /** The highest epoch that it knows of a node's name; 0: none. */
  newestEpochOf(nodeName: string): number;
}

/** A peer has the same party, and can be spoken to from now on. */
export interface PeerArrived {
  readonly type: 'peer-arrived';
  readonly name: string;
  readonly session: number;
  /** The highest epoch that the peer knows for this node's name; 0: none. */
  readonly epochOfUs: number;
  /** Whether nobody can dial the peer. */
  readonly dialsOnly: boolean;
  /** The largest frame that may be sent to it, in bytes. */
  readonly maxFrameBytes: number;
}

/** The connection is over, or the peer has no such party any more. */
export interface PeerGone {
  readonly type: 'peer-gone';
  readonly name: string;
  readonly session: number;
}

/** What one peer said in one turn. */
export interface Inbound {
  readonly type: 'inbound';
  readonly from: string;
  readonly session: number;
  /** Its receiver's from then on. */
  readonly batch: Received[];
  /** What it takes in memory, roughly. */
  readonly bytes: number;
  /** What each of it makes to do, in updates. */
  readonly works: readonly number[];
  /** The connection, which is not read while much of it waits. */
  readonly line: Held;
}

export type PartyMessage = PeerArrived | PeerGone | Inbound;

/** The membership's name as a party. Names of instances do not start with `$`. */
export const membershipParty = '$membership';

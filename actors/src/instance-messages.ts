/**
 * What the actors of one gossip instance say to each other.
 *
 * Invariants
 *  1. What may come too late carries the object that it is about, so that it can be told from what is about another.
 */

import type { Ref } from './kernel/nact.ts';
import type { Judgement } from './judgement.ts';
import type { GossipMessage } from './messages.ts';
import type { PartyMessage } from './party.ts';

export interface Tick {
  readonly type: 'tick';
  readonly timer: string;
}

export interface Collect {
  readonly type: 'collect';
}

/** The judgement has an outcome. */
export interface Judged {
  readonly type: 'judged';
  readonly judgement: Judgement;
}

/** The first of the own writes that wait for the handler has its verdict. */
export interface WriteJudged {
  readonly type: 'write-judged';
}

/** Time to log the dead letters that were gathered. */
export interface LogLetters {
  readonly type: 'log-letters';
}

/** A member came or went. */
export interface Announcement {
  readonly type: 'announce';
  readonly about: string;
  readonly action: 'nodeup' | 'nodedown';
}

/** Who is there, connected or not, without this node. */
export interface ViewMessage {
  readonly type: 'view';
  readonly names: ReadonlySet<string>;
  /** How many of them this node has no connection with. */
  readonly beyond: number;
  /** The epochs of those nodes. */
  readonly epochs: ReadonlyMap<string, number>;
  /** Of this node. */
  readonly epoch: number;
}

/** Another process may write under the epoch of the replica. */
export interface LeaveEpoch {
  readonly type: 'leave-epoch';
}

/** Time to look whether subscribers that are behind take messages again. */
export interface CatchUp {
  readonly type: 'catch-up';
}

/** There was more to take than goes into one step. */
export interface GoOn {
  readonly type: 'go-on';
}

/** This node is about to leave: peers shall say what they have of its writes. */
export interface Confirm {
  readonly type: 'confirm';
}

/** Everything that was sent before is to be done, and all that waits for a timer to be done now. */
export interface Flush {
  readonly type: 'flush';
  readonly replyTo: Ref<true>;
  /** Whether it waits until no own write waits for the handler. */
  readonly whenJudged: boolean;
}

export type InstanceMessage =
  | GossipMessage
  | PartyMessage
  | Tick
  | Collect
  | Judged
  | LogLetters
  | WriteJudged
  | Announcement
  | ViewMessage
  | LeaveEpoch
  | CatchUp
  | GoOn
  | Confirm
  | Flush;

export type HandlerMessage =
  /** There may be something to judge. */
  | { readonly type: 'judge' }
  /** The actor that is the handler has ended. */
  | { readonly type: 'ended' }
  /** Time to look whether it is there again. */
  | { readonly type: 'look' }
  /** The try is `attempt`; whatever it belongs to. */
  | { readonly type: 'answer'; readonly attempt: object; readonly verdict: unknown }
  | { readonly type: 'failure'; readonly attempt: object; readonly error: unknown }
  | { readonly type: 'late'; readonly attempt: object };

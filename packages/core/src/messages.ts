/**
 * What instances say to each other: the vocabulary of the built-in protocols, one type per sentence.
 *
 * Invariants
 *  1. A message is data that no later step changes: sets of dots are copies, updates are immutable where they travel.
 *  2. Third parties speak `custom`, whose body their own check narrows; nobody edits this union to add a protocol.
 *
 * Source: docs/algorithm.md, rule 3 (hashes to live) and Demers et al. 1987, section 1.4 (announce to gone).
 */

import type { UpdateList } from './batch.ts';
import type { Buckets, Dots } from './context.ts';
import type { Sum } from './hash.ts';
import type { Origin } from './origin.ts';

/** Which way an exchange goes, as seen by who begins it. */
export type Direction = 'push' | 'pull' | 'push-pull';

/** Exchange, step a: are we equal? Silence means yes. */
export interface Hashes {
  readonly type: 'hashes';
  readonly context: Readonly<Sum>;
  readonly live: Readonly<Sum>;
  /** Wall-clock milliseconds: `live` covers what expires later, or never. */
  readonly horizonMs: number;
  /** What the beginner of the exchange wants. */
  readonly direction: Direction;
}

/** Exchange, step b: sums of the context per bucket of origins, told where there are many origins. */
export interface BucketSums {
  readonly type: 'bucket-sums';
  /** Of 256 buckets, their four lanes side by side; two each from an older node. */
  readonly sums: Int32Array;
  readonly direction: Direction;
}

/** Exchange, step b: what I have seen, in these buckets. */
export interface Contexts {
  readonly type: 'contexts';
  readonly buckets: Buckets;
  readonly dots: Dots;
  /** Above 0: send me what I lack, as the transfer of this number. 0: do not, for now. */
  readonly invitation: number;
  /** Tell me yours of the same buckets. */
  readonly answer: boolean;
}

/** A chunk of a transfer. Claims only the dots in it. */
export interface Chunk {
  readonly type: 'chunk';
  readonly invitation: number;
  /** Counts the frames of this transfer from 0. */
  readonly index: number;
  readonly updates: UpdateList;
}

/** The last frame of a transfer: claims the sender's context of this instant, and opens the sweep. */
export interface End {
  readonly type: 'end';
  readonly invitation: number;
  readonly index: number;
  /** The buckets of which `claim` speaks. */
  readonly buckets: Buckets;
  readonly claim: Dots;
  /** Of the context; where `buckets` is a list, with the claim in place of what the context has in them. */
  readonly context: Readonly<Sum>;
  readonly live: Readonly<Sum>;
  readonly horizonMs: number;
}

/** The chunk of this index has been judged and stored; more may follow. */
export interface Ack {
  readonly type: 'ack';
  readonly invitation: number;
  readonly index: number;
}

/** Sweep: sums of what is live here, per bucket of ids. */
export interface LiveSums {
  readonly type: 'live-sums';
  /** Of 1,024 buckets, their four lanes side by side; two each from an older node. */
  readonly sums: Int32Array;
  readonly horizonMs: number;
}

/** Sweep: what is live here in these buckets of ids, and my whole context of this instant. */
export interface LiveDots {
  readonly type: 'live-dots';
  readonly buckets: Buckets;
  readonly dots: Dots;
  readonly context: Dots;
  readonly horizonMs: number;
  /** Tell me yours of the same buckets. */
  readonly answer: boolean;
}

/** These updates I do not take (too large, no room): they stay out of my context, so leave them out of yours to me. */
export interface Refused {
  readonly type: 'refused';
  readonly dots: Dots;
  /** Refused for ever, because they are larger than an update may be here; left out: there is no room for now. */
  readonly tooLarge?: true;
}

/** There is room again: these, which I refused, I would take now. None of them: whatever I refused. */
export interface Room {
  readonly type: 'room';
  readonly dots: Dots;
}

/**
 * In place of an update that does not fit into a frame of the receiver: it is refused there as one that came and is too large.
 * Sent in the place in which the update would have been, so the order of a transfer holds.
 */
export interface Withheld {
  readonly type: 'withheld';
  readonly origin: Origin;
  readonly sequence: number;
  /** For people: its first 80 characters at most. */
  readonly id: string;
  /** What the update takes, as `maxUpdateBytes` counts. */
  readonly bytes: number;
}

/** These of your updates are stamped too far ahead of my clock: I hold them back until their time comes. Said to their writer. */
export interface HeldBack {
  readonly type: 'held-back';
  readonly dots: Dots;
}

/**
 * These of my updates I have written again, under stamps of my clock as it is now: drop them if you hold them back. They are in no
 * context of mine any more. Heeded from their writer alone.
 */
export interface Disowned {
  readonly type: 'disowned';
  readonly dots: Dots;
}

/** Updates with their values. */
export interface Updates {
  readonly type: 'updates';
  /** `mail`: at once to many, no feedback wanted. `push`: a rumor's first way, feedback wanted. `answer`: you asked. */
  readonly cause: 'mail' | 'push' | 'answer';
  readonly updates: UpdateList;
}

/** Rumors by their dots. */
export interface Announce {
  readonly type: 'announce';
  readonly dots: Dots;
  /** Whether it answers a pull: feedback then follows the paper's rule for pull. */
  readonly pulled: boolean;
}

/** What I knew, and what was news, of what you pushed. */
export interface Feedback {
  readonly type: 'feedback';
  readonly known: Dots;
  readonly news: Dots;
  /**
   * What of `known` is not in my context: refused, or still before the handler. The sender's interest in it ends all the
   * same, but it must not take me for a holder. @default nothing
   */
  readonly untaken?: Dots;
}

/** I lack these: send them. */
export interface Ask {
  readonly type: 'ask';
  readonly dots: Dots;
}

/** You asked for these: superseded or forgotten here. Enters no context. Ends the answer: what else is open, ask again. */
export interface Gone {
  readonly type: 'gone';
  readonly dots: Dots;
}

/** What rumors have you? */
export interface Pull {
  readonly type: 'pull';
}

/** A message of a third party's protocol. */
export interface Custom {
  readonly type: 'custom';
  /** Plain data that MessagePack carries. */
  readonly body: unknown;
}

export type ExchangeMessage =
  | Hashes
  | BucketSums
  | Contexts
  | Chunk
  | End
  | Ack
  | LiveSums
  | LiveDots
  | Refused
  | Room
  | Withheld
  | HeldBack
  | Disowned;

export type RumorMessage = Updates | Announce | Feedback | Ask | Gone | Pull;

export type Message = ExchangeMessage | RumorMessage | Custom;

/** Rumors may be dropped where a link is congested: anti-entropy or a later push repairs it. The rest never singly. */
export function isDroppable(message: Message): boolean {
  return message.type === 'announce' || (message.type === 'updates' && message.cause !== 'answer');
}

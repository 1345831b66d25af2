/**
 * What a gossip protocol is to the rest: a state machine with a handful of inputs that asks for effects through a sink.
 *
 * Invariants
 *  1. A machine has no I/O, clock, randomness or await of its own: time and chance are arguments, effects are asked for.
 *  2. Every input leaves the machine ready for the next, whatever a peer sent: bad input is rejected, never thrown.
 *  3. A protocol is given by value and carries its own name and message check; there is no registry.
 */

import type { UpdateList } from './batch.ts';
import type { GossipError } from './errors.ts';
import type { Message } from './messages.ts';
import type { Violation } from './options.ts';
import type { Random } from './random.ts';
import type { Replica } from './replica.ts';
import type { StoredView } from './replica/snapshots.ts';
import type { Verdict } from './replica/verdict.ts';
import type { Update } from './update.ts';

/** A node that can be spoken to now. */
export interface Peer {
  readonly name: string;
  /** Identifies the connection: a new one has another number, and nothing of an old one comes through it. */
  readonly session: number;
  /** The highest epoch that the peer's replica knows for our name; 0: none. */
  readonly epochOfUs: number;
  /**
   * Whether nobody can dial it: it hears only from those whom it has dialled itself, this node among them.
   * @default false
   */
  readonly dialsOnly?: boolean;
  /** The largest frame that may be sent to it, in bytes. @default Infinity */
  readonly maxFrameBytes?: number;
}

/** A message and who sent it. */
export interface Received {
  readonly from: string;
  readonly message: Message;
}

/** A batch for the handler to judge. Until it has, nothing of it is stored. */
export interface Offer {
  readonly number: number;
  /** In order of arrival: the newest of each id, no tombstones. */
  readonly updates: readonly Update[];
  /** Whether it is the rest of a batch of which a verdict decided the first. */
  readonly isRest: boolean;
  /** What readers see as of the offer. */
  readonly stored: StoredView;
}

/** What a machine can ask for. Asking has no effect on the machine before its next input. */
export interface Effects {
  /** To one peer, or the same to several. A peer that is gone meanwhile is skipped. */
  send(to: string | readonly string[], message: Message): void;
  /** To the handler; answered by the input `judged`. At most one offer is open. */
  offer(offer: Offer): void;
  /** The input `tick` with this name after so many milliseconds. Replaces a timer of the same name. */
  setTimer(timer: string, delayMs: number): void;
  /** Something a human should know of; logged. */
  report(error: GossipError): void;
}

/** What a machine is given for its life. */
export interface Environment {
  /** This node's name. */
  readonly self: string;
  /** Outlives the machine. */
  readonly replica: Replica;
  readonly effects: Effects;
  readonly random: Random;
  /** Whether a handler judges what arrives. Without one, all is kept, at once. */
  readonly judged: boolean;
}

/** One running instance's protocol. Times are wall-clock milliseconds. */
export interface Machine {
  /** Once, before any other input. The replica may hold much already, and own writes that were never pushed. */
  start(nowMs: number): void;
  /** These writes have been stored here. */
  add(updates: UpdateList, nowMs: number): void;
  /** Messages that passed the protocol's check, in order. What was known is judged against the state before the batch. */
  receive(batch: readonly Received[], nowMs: number): void;
  /** The handler's answer to the open offer. Any other number is stale and ignored. */
  judged(offer: number, verdict: Verdict, nowMs: number): void;
  tick(timer: string, nowMs: number): void;
  /** Time to collect garbage. */
  collect(nowMs: number): void;
  /** Who is there now, all of them. */
  peersChanged(peers: readonly Peer[], nowMs: number): void;
  /**
   * Who is in view now, connected or not: the names, without this node's. Left out by machines that need only their peers;
   * never given where the membership connects everybody.
   * @param beyond how many of them this node has no connection with
   */
  viewChanged?(names: ReadonlySet<string>, beyond: number, nowMs: number): void;
  /**
   * How many own writes are held here that no connected peer is known to have taken. Left out by machines that cannot tell:
   * a node that leaves does not wait for them.
   */
  undelivered?(nowMs: number): number;
  /**
   * This node is about to leave: peers shall say what they have of its writes, and get what they lack, without waiting for a
   * cycle. To be called again and again while something is undelivered. Left out together with `undelivered`.
   */
  confirm?(nowMs: number): void;
  /**
   * Whether this machine has once held all that a peer had: their hashes were equal, or a whole transfer was judged and
   * stored. Left out by machines that never compare: there, to have met one peer is all that can be waited for.
   */
  readonly isSynced?: boolean;
  /** Updates received and not yet judged: while it is large, links should read no more. */
  readonly backlog: number;
  /** Their bytes, for the same purpose. Left out by machines that do not count them. */
  readonly backlogBytes?: number;
}

/** What a protocol may have to know of the node before it runs there. */
export interface NodeLimits {
  /** The node's `forgetAfter`. */
  readonly forgetAfterMs: number;
}

/** A protocol with its options, ready to be run by any number of instances. */
export interface Protocol {
  /** Told in the handshake: instances of one name whose protocols differ refuse each other. */
  readonly name: string;
  /** Milliseconds between two `collect`; `false`: never. */
  readonly gcMs: number | false;
  /** Whether a message is one of this protocol's: anything else costs its sender the connection. */
  accepts(message: Message): boolean;
  /**
   * What of its options is wrong on a node like this, each by its path among them: rules that it cannot check by itself.
   * @default nothing is
   */
  violations?(node: NodeLimits): readonly Violation[];
  create(environment: Environment): Machine;
}

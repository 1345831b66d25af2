/**
 * Whoever watches a simulated world. Watching changes nothing in it: it draws no chance and asks for no effect.
 */

import type {
  GossipError,
  Machine,
  MemberStatus,
  Message,
  Offer,
  Peer,
  Replica,
  Update,
  Verdict,
} from '@grapevine/core';

/** What a machine was just given. */
export type Input = 'start' | 'add' | 'receive' | 'judged' | 'tick' | 'collect' | 'peers' | 'view';

/** A node, as an observer sees it. */
export interface WatchedNode {
  readonly index: number;
  readonly name: string;
  /** Its own clock: wall-clock milliseconds. */
  readonly nowMs: number;
  readonly replica: Replica;
  readonly machine: Machine;
  readonly peers: ReadonlyMap<string, Peer>;
}

/** One end of a connection, as an observer sees it. */
export interface WatchedEnd {
  readonly node: WatchedNode;
  readonly peer: WatchedEnd;
  readonly session: number;
}

export interface Observer {
  /** A node has got a replica, its first or a new one, which holds nothing yet. */
  replicaMade(node: WatchedNode, replica: Replica): void;
  /** Before the machine is given something. */
  stepping(node: WatchedNode, input: Input): void;
  /** After it, with subscribers told. `told`: what they were told in this step. */
  stepped(node: WatchedNode, input: Input, told: readonly Update[]): void;
  /** The machine asks to send. */
  sending(node: WatchedNode, message: Message): void;
  /** It goes out on this connection. */
  sent(end: WatchedEnd, message: Message): void;
  /** A machine is about to be given it. */
  received(end: WatchedEnd, message: Message): void;
  offered(node: WatchedNode, offer: Offer): void;
  /** Before the verdict reaches the machine. */
  judging(node: WatchedNode, offer: Offer, verdict: Verdict): void;
  /** The instance crashed: a new machine has taken over the replica. */
  crashed(node: WatchedNode): void;
  /** Its membership publishes a view, or has opened or lost a connection. */
  viewed(node: WatchedNode, before: readonly MemberStatus[], now: readonly MemberStatus[]): void;
  reported(node: WatchedNode, error: GossipError): void;
  /** Something is wrong that a part of the world found itself: a machine threw, a frame did not come out as it went in. */
  broken(node: WatchedNode, rule: number, what: string): void;
}

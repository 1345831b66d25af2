/**
 * Whoever watches a simulated world. Watching changes nothing in it: it draws no chance and asks for no effect.
 */

import type { GossipError, Message, Offer, Replica, Update, Verdict } from '@grapevine/core';
import type { End } from './connection.ts';
import type { SimNode } from './node.ts';

/** What a machine was just given. */
export type Input = 'start' | 'add' | 'receive' | 'judged' | 'tick' | 'collect' | 'peers';

export interface Observer {
  /** A node has got a replica, its first or a new one, which holds nothing yet. */
  replicaMade(node: SimNode, replica: Replica): void;
  /** Before the machine is given something. */
  stepping(node: SimNode, input: Input): void;
  /** After it, with subscribers told. `told`: what they were told in this step. */
  stepped(node: SimNode, input: Input, told: readonly Update[]): void;
  /** The machine asks to send. */
  sending(node: SimNode, message: Message): void;
  /** It goes out on this connection. */
  sent(end: End, message: Message): void;
  /** A machine is about to be given it. */
  received(end: End, message: Message): void;
  offered(node: SimNode, offer: Offer): void;
  /** Before the verdict reaches the machine. */
  judging(node: SimNode, offer: Offer, verdict: Verdict): void;
  /** The instance crashed: a new machine has taken over the replica. */
  crashed(node: SimNode): void;
  reported(node: SimNode, error: GossipError): void;
  /** Something is wrong that a part of the world found itself: a machine threw, a frame did not come out as it went in. */
  broken(node: SimNode, rule: number, what: string): void;
}

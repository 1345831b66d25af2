/**
 * A holding: what a gossip instance owns and what outlives its crashes. It belongs to `grapevine`, by the instance's name,
 * as an ETS table with an heir does.
 *
 * Invariants
 *  1. Whatever an instance could not make anew lives here: replica, subscribers, peers, the open judgement.
 *  2. Only the actors of the instance change it, in their turns.
 *
 * Source: docs/architecture.md.
 */

import { randomInt } from 'node:crypto';
import { uptime } from 'node:os';

import { type Message, type Origin, type Peer, Replica, watched } from '@grapevine/core';
import type { Encoder } from '@grapevine/wire';

import type { Arrival } from './arrival.ts';
import { Arrivals } from './arrivals.ts';
import type { Ref } from './kernel/nact.ts';
import type { Flush, HandlerMessage, InstanceMessage, ViewMessage } from './instance-messages.ts';
import { type Judgement, Portions } from './judgement.ts';
import type { LeaveReport } from './leave-report.ts';
import { LetterErrors } from './letter-errors.ts';
import type { Line } from './line.ts';
import type { ResolvedGossipOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import type { OwnWrite } from './own-write.ts';
import type { Party } from './party.ts';
import { Pressure } from './pressure.ts';
import { type Refused, Refusals } from './refusals.ts';
import { Subscriptions } from './subscriptions.ts';

/** What a node gives to each of its holdings. */
export interface HoldingDetails {
  readonly node: string;
  readonly channel: number;
  /** Of the replica. */
  readonly epoch: number;
  readonly options: ResolvedGossipOptions;
  readonly maxDriftMs: number;
  readonly forgetAfterMs: number;
  readonly clock: () => number;
  readonly random: () => number;
  readonly encoder: Encoder;
  readonly lines: ReadonlyMap<string, Line>;
  readonly isKnown: (origin: Origin) => boolean;
  /** Who is there as it starts. */
  readonly view: ViewMessage;
  /** Whether the node has met others. */
  readonly arrival: Arrival;
}

/**
 * Whether what arrives is judged.
 *
 * - `none`: there is no handler, all is kept
 * - `ready`: it judges
 * - `late`: it did not answer within `handlerTimeout` when it was last asked, and is asked on
 * - `gone`: it is an actor and has ended; what arrives waits until it is there again
 */
export type HandlerState = 'none' | 'ready' | 'late' | 'gone';

export class Holding implements Party {
  readonly node: string;
  readonly channel: number;
  readonly options: ResolvedGossipOptions;
  readonly replica: Replica;
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  readonly pressure: Pressure = new Pressure();
  readonly peers: Map<string, Peer> = new Map();
  view: ViewMessage;
  readonly clock: () => number;
  readonly random: () => number;
  /** Set when the actors are spawned; references stay good over every restart. */
  instanceRef: Ref<InstanceMessage> | null = null;
  supervisorRef: Ref<never> | null = null;
  handlerRef: Ref<HandlerMessage> | null = null;
  /** The offer that the handler has now. */
  judgement: Judgement | null = null;
  /** How much the handler is given at a time. */
  readonly portions: Portions = new Portions();
  handlerState: HandlerState;
  /** Whether the start of this instance has been announced. */
  announced: boolean = false;
  /** What has arrived and not gone into the machine: a message that crashes the instance takes none of it along. */
  readonly arrivals: Arrivals = new Arrivals(({ bytes, line }) => this.pressure.taken(bytes, line));
  /** Own writes that wait for the handler, with `judgeWrites`. */
  readonly writes: OwnWrite[] = [];
  /** Whoever leaves, and waits until these are judged. */
  readonly flushes: Flush[] = [];
  /** Whom the node has met, and who was refused. */
  readonly arrival: Arrival;
  /** Peers that run another protocol under this name. */
  readonly refusals: Refusals;
  /** Whether this instance has once held all that a peer had; with a protocol that never compares, whether it has met one. */
  isSynced: boolean = false;
  /** Settles as `synced` does. */
  synced: (timeoutMs: number) => Promise<void> = () => Promise.resolve();
  /** How many own writes no connected peer is known to have; `undefined` where the protocol cannot tell. */
  undelivered: () => number | undefined = () => undefined;
  /** What it reports when it is stopped by itself; `null` before that. */
  stopping: Promise<LeaveReport> | null = null;
  deadLetters: number = 0;
  /** What the handler failed on, for those updates that are still here. */
  readonly errors: LetterErrors = new LetterErrors();
  /** Messages that were dropped while the handler was late or gone and too much waited for it. */
  shed: number = 0;
  /** Gossip messages that arrived and went into the machine. */
  received: number = 0;
  /** Own writes. */
  written: number = 0;

  constructor(details: HoldingDetails) {
    const { node, options, epoch, maxDriftMs, forgetAfterMs } = details;
    this.node = node;
    this.channel = details.channel;
    this.options = options;
    this.random = details.random;
    this.view = details.view;
    this.handlerState = options.handler === null ? 'none' : 'ready';
    this.arrival = details.arrival;
    this.refusals = new Refusals(details.clock);
    const { maxUpdateBytes, maxIds, maxBytes, maxOrigins } = options;
    const limits = { maxUpdateBytes, maxIds, maxBytes, maxOrigins };
    const { random } = this;
    // Secret, and of this process alone: nobody can choose ids that collide in the tables of the store.
    const tableKey = [randomInt(2 ** 32), randomInt(2 ** 32)] as const;
    this.replica = new Replica({ name: node, epoch, random, maxDriftMs, forgetAfterMs, ...limits, tableKey });
    this.clock = watched(details.clock, this.replica, uptime);
    this.subscriptions = new Subscriptions(this.replica, options.name);
    this.outbox = new Outbox(details, (name) => this.peers.get(name)?.session);
  }

  get instance(): string {
    return this.options.name;
  }

  get protocol(): string {
    return this.options.protocol.name;
  }

  get ref(): Ref<InstanceMessage> {
    return this.instanceRef as Ref<InstanceMessage>;
  }

  refused(refused: Refused): void {
    this.refusals.note(refused);
    this.arrival.changed();
  }

  accepts(message: Message): boolean {
    return this.options.protocol.accepts(message);
  }

  newestEpochOf(nodeName: string): number {
    let newest = 0;
    for (const { origin } of this.replica.context.origins())
      if (origin.name === nodeName && origin.epoch > newest) newest = origin.epoch;
    return newest;
  }
}

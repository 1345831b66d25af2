/**
 * The node: what belongs to `grapevine` itself and outlives every crash below it.
 *
 * Invariants
 *  1. The epoch is new at every start of a node, and every replica has one of its own; none is given twice.
 *  2. A channel number is given once.
 *  3. `lines` holds exactly the open connections.
 *
 * Source: docs/architecture.md.
 */

import { below, epochAt, type Member, type MemberStatus, type Meta, type Origin, type Random } from '@grapevine/core';
import type { ResolvedSecurity } from '@grapevine/transport';
import { Encoder } from '@grapevine/wire';

import { Allowances } from './allowance.ts';
import { Arrival } from './arrival.ts';
import { Audience } from './audience.ts';
import type { NodeEvent } from './events.ts';
import type { Holding } from './holding.ts';
import { tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { onceGone } from './kernel/watch.ts';
import type { Line } from './line.ts';
import type { ViewMessage } from './instance-messages.ts';
import type { LinkMessage } from './link-messages.ts';
import type { LeaveReport } from './leave-report.ts';
import type { TrackerMessage } from './membership-messages.ts';
import type { NodeMessage } from './messages.ts';
import type { ResolvedNodeOptions } from './options.ts';
import type { Party } from './party.ts';
import { FEW_NUMBERS } from './outbox.ts';
import type { Refused } from './refusals.ts';
import { Repeats } from './repeats.ts';
import { StateFile } from './state-file.ts';
import { Totals } from './totals.ts';
import type { TransportMessage } from './transport-messages.ts';

/** As a replica leaps where a peer remembers a higher epoch of it. */
const EPOCH_LEAP = 2 ** 20;
/** So many origins a peer may number in any case: as a peer with the default `maxOrigins` may need. */
const LEAST_ORIGINS = 2 * 16_384 + 2 * FEW_NUMBERS;

let lastEpoch = 0;

/** Notes an epoch that a replica took by itself: none that this process gives is lower. */
export function noteEpoch(epoch: number): void {
  lastEpoch = Math.max(lastEpoch, epoch);
}

/** An epoch higher than any that this process gave, and by chance another than any other process gives now. */
export function newEpoch(nowMs: number, random: Random): number {
  lastEpoch = Math.max(epochAt(nowMs, random), lastEpoch + 1);
  return lastEpoch;
}

export class Node {
  readonly options: ResolvedNodeOptions;
  epoch: number;
  readonly encoder: Encoder = new Encoder();
  readonly holdings: Map<string, Holding> = new Map();
  readonly parties: Map<string, Party> = new Map();
  /** The open connections, by the peer's name. */
  readonly lines: Map<string, Line> = new Map();
  readonly links: Map<Line, Ref<LinkMessage>> = new Map();
  readonly totals: Totals = new Totals();
  readonly audience: Audience<NodeEvent>;
  /** Who is known, without this node, and how: also who is gone. */
  roster: readonly MemberStatus[] = [];
  /** Who is there, without this node. */
  members: readonly Member[] = [];
  /** The same, as instances are told. */
  view: ViewMessage;
  /** What this node says of itself, where that was changed while running. */
  meta: Meta | null = null;
  /** What peers may bring. */
  readonly allowances: Allowances;
  /** Keys and certificates of now: they may be replaced while the node runs. */
  security: ResolvedSecurity;
  /** Whether this node has met others, and who was refused. */
  readonly arrival: Arrival;
  /** The own writes of instances that have stopped which no peer was known to have then, by the instance's name. */
  readonly abandoned: Map<string, number | undefined> = new Map();
  /** What a node that leaves will report; `null` before it leaves. */
  leaving: Promise<LeaveReport> | null = null;
  readonly stateFile: StateFile | null;
  /** What was said aloud of peers, their connections, and of what they may cause. */
  readonly saidOfPeers: Repeats = new Repeats();
  /** What was said aloud of those who were refused: strangers shall not silence what is said of peers. */
  readonly saidOfRefusals: Repeats = new Repeats();
  /** Whom this node is sending away, since another of the name lives. */
  readonly expelling: Set<string> = new Set();
  /** Where others dial this node; `null` until it listens. */
  url: string | null = null;
  /** The port that was free when 0 was asked for. */
  port: number | null = null;
  rootRef: Ref<NodeMessage> | null = null;
  transportRef: Ref<TransportMessage> | null = null;
  trackerRef: Ref<TrackerMessage> | null = null;
  /** The places of the tree, for tests. */
  readonly places: Map<string, Ref<never>> = new Map();
  readonly ready: PromiseWithResolvers<{ readonly url: string | null }>;
  /** Whether somebody has asked for `ready`: then a failure to listen is told there, and the log need not repeat it. */
  isReadyAwaited: boolean = false;
  /** Whether it has listened, and so listens again whatever comes. */
  hasListened: boolean = false;
  /** When it last took a higher epoch, in milliseconds of `performance.now`. */
  renewedMs: number = -Infinity;
  #lastChannel = 0;

  constructor(options: ResolvedNodeOptions) {
    this.options = options;
    this.security = options.security;
    this.epoch = newEpoch(options.clock(), options.random);
    this.view = { type: 'view', names: new Set(), beyond: 0, epochs: new Map(), epoch: this.epoch };
    const { stateFile, cluster, name, logger, maxUpdatesPerSecond, maxBytesPerSecond } = options;
    this.allowances = new Allowances({ updatesPerSecond: maxUpdatesPerSecond, bytesPerSecond: maxBytesPerSecond });
    const { clock, membership } = options;
    this.arrival = new Arrival({ clock, seeks: membership.seeks ?? true, sources: membership.sources?.length ?? 0 });
    this.audience = new Audience<NodeEvent>(() => ({ type: 'members', node: name, members: this.members }));
    this.stateFile = stateFile === null ? null : new StateFile({ path: stateFile, cluster, node: name, logger });
    this.ready = withResolvers();
    // Nobody has to wait for it.
    this.ready.promise.catch(() => {});
  }

  /** This node, as others see it. */
  get self(): Member {
    const { options, epoch, url } = this;
    const meta = this.meta ?? options.membership.meta;
    return meta === undefined ? { name: options.name, epoch, url } : { name: options.name, epoch, url, meta };
  }

  /** Notes that a peer or a stranger was refused, or refused this node. @param isNew whether subscribers are to hear of it */
  refused(refused: Refused, isNew: boolean): void {
    const refusal = this.arrival.refusals.note(refused);
    if (isNew) this.audience.tell({ type: 'refused', node: this.options.name, refusal });
    this.arrival.changed();
  }

  /** Takes a higher epoch than this one, which a later life had: another than a second node that hears the same would. */
  outlive(epoch: number): void {
    const { clock, random } = this.options;
    noteEpoch(epoch + below(random, EPOCH_LEAP));
    this.epoch = newEpoch(clock(), random);
  }

  /** A number for a channel; 0 is the membership's. */
  newChannel(): number {
    this.#lastChannel += 1;
    return this.#lastChannel;
  }

  /** Tells all instances who is in view, and how many of those are not connected. */
  tellView(): void {
    const epochs = new Map(this.members.map(({ name, epoch }) => [name, epoch]));
    const names = new Set(epochs.keys());
    let beyond = 0;
    for (const name of names) if (!this.lines.has(name)) beyond += 1;
    this.view = { type: 'view', names, beyond, epochs, epoch: this.epoch };
    for (const { ref } of this.holdings.values()) tell(ref, this.view);
  }

  /** How many origins a peer may number: twice as many as the instances here take up, since it forgets later than it learns. */
  get mostOrigins(): number {
    let most = 0;
    for (const { options } of this.holdings.values()) most += options.maxOrigins;
    return Math.max(LEAST_ORIGINS, 2 * most + 2 * FEW_NUMBERS);
  }

  /** Whether any replica here has seen or written a dot of an origin. */
  knows(origin: Origin): boolean {
    for (const { replica } of this.holdings.values())
      if (replica.context.find(origin) !== undefined || replica.origin.key === origin.key) return true;
    return false;
  }

  /** Notes a place, for as long as it exists: links come and go with their peers. */
  place(path: readonly string[], ref: Ref<never>): void {
    const name = path.join('/');
    if (this.places.get(name) === ref) return;
    this.places.set(name, ref);
    onceGone(ref, () => {
      if (this.places.get(name) === ref) this.places.delete(name);
    });
  }
}

/** A promise, and the functions that settle it. */
interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/**
 * The tracker: runs the membership module, and publishes who is there.
 *
 * Invariants
 *  1. Subscribers and announcing instances hear of every difference between two views, once.
 *  2. A new incarnation takes up what the last one published, and is told of the open connections before it publishes
 *     anything, so that a crash here is no news.
 *  3. A module hears the last words of a connection before it hears of its end, and of its end before its successor.
 *  4. A module hears that this process stood still before it hears of anything that this delayed.
 *
 * Source: docs/architecture.md.
 */

import {
  GossipError,
  isThere,
  type Member,
  type MembershipEffects,
  type MembershipMachine,
  type MemberStatus,
  type Message,
  printable,
  type UrlSource,
} from '@grapevine/core';
import { closeCodes, observerCapability, type Peer } from '@grapevine/transport';

import { CATCH_UP_MS } from './audience.ts';
import { Seeker } from './discovery/seeker.ts';
import { tell } from './kernel/actor.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Cancel } from './kernel/clock.ts';
import type { Ref } from './kernel/nact.ts';
import type { TrackerMessage } from './membership-messages.ts';
import type { Describe } from './messages.ts';
import type { Node } from './node.ts';
import { notSent, Outbox } from './outbox.ts';
import { membershipParty, type Party } from './party.ts';
import { Pressure } from './pressure.ts';
import { sharedBy, SharedAddresses } from './shared-addresses.ts';
import { type ViewChange, viewChanges } from './view-changes.ts';
import { time } from './kernel/time.ts';

const membershipChannel = 0;

/** The membership as a party: its messages go over a channel of their own. */
export function trackerParty(node: Node): Party {
  const { membership } = node.options;
  return {
    channel: membershipChannel,
    instance: membershipParty,
    protocol: membership.name,
    pressure: new Pressure(),
    get ref() {
      return node.trackerRef as Ref<TrackerMessage>;
    },
    accepts: (message) => message.type === 'custom' && membership.accepts(message.body),
    problem: (message) => (message.type === 'custom' ? membership.problem?.(message.body) : null) ?? null,
    refused: (refused) => {
      const { error, by, peer } = refused;
      node.refused(refused, node.saidOfRefusals.isNew(`${error.code} ${by} ${peer}`, time.monotonicMs()));
    },
    newestEpochOf: () => 0,
  };
}

export function trackerSpec(node: Node): ActorSpec<TrackerMessage> {
  return { name: 'membership', start: (self) => new Tracker(node, self) };
}

/** What a hello says of a member; `null` for a program that only looks, and is none. */
export function memberOf({ name, epoch, url, capabilities }: Peer): Member | null {
  return capabilities.includes(observerCapability) ? null : { name, epoch, url };
}

/**
 * A peer may say without end that this node lived later: it takes a higher epoch so often at most, in milliseconds. Each time
 * its connections are made anew, by a restart of the transport; a few of those within seconds would be too many.
 */
const RENEWAL_MS = 10_000;

/** How much a connection may carry between two questions whether it can go, in bytes: more is a transfer under way. */
const BUSY_BYTES = 65_536;

/**
 * A timer that is so late, in milliseconds, says that the process stood still. It is measured at the module's own timers,
 * which are due every second at least: `monitorEventLoopDelay` would say the same, later than the timer that it is about,
 * and wake an idle process many times a second for it.
 */
const STANDSTILL_MS = 100;
/** How long it takes at most to read what arrived while the process stood still, in milliseconds. */
const HEARING_MS = 200;

/**
 * How long nodes share an address before it is said, in milliseconds: longer than it takes to suspect a node whose address another
 * has taken over.
 */
const SHARED_MS = 3000;
/** How many of them are named. */
const MOST_NAMED = 5;

const quoted = (name: string): string => `"${printable(name)}"`;

interface Timer {
  readonly tick: TrackerMessage;
  readonly cancel: Cancel;
  readonly dueMs: number;
}

class Tracker implements Behaviour<TrackerMessage>, MembershipEffects {
  readonly #node: Node;
  readonly #self: Self<TrackerMessage>;
  readonly #outbox: Outbox;
  readonly #timers = new Map<string, Timer>();
  /** On which connection each peer can speak to the module. */
  readonly #speaking = new Map<string, number>();
  /** Connections that have ended while what they brought is still on its way through their link. */
  readonly #ending = new Map<string, Extract<TrackerMessage, { type: 'disconnected' }>>();
  /** What connections that are to go had carried when that was last asked. */
  readonly #carried = new Map<string, number>();
  readonly #seeker: Seeker;
  /** `null` until the transport is up, and what is remembered has been read. */
  #machine: MembershipMachine | null = null;
  /** What a former process of this node remembered; `null` until it has been read. */
  #remembered: readonly string[] | null = null;
  /** What was asked for before the module began. */
  #early: Describe[] = [];
  /** What is to be published. */
  #view: readonly MemberStatus[] | null = null;
  #tiesChanged = true;
  #isCatchingUp = false;
  /** Whether it is looked again soon at addresses that are shared. */
  #isComparing = false;
  readonly #sharedAddresses = new SharedAddresses();
  /** The epoch of a later life of this node, while it is to be outlived. */
  #laterEpoch: number | null = null;
  /** Until when the time that this process stood still has been told. */
  #countedMs = -Infinity;

  constructor(node: Node, self: Self<TrackerMessage>) {
    this.#node = node;
    this.#self = self;
    const { encoder, lines, options, stateFile } = node;
    this.#outbox = new Outbox({ channel: membershipChannel, encoder, lines }, (peer) => lines.get(peer)?.session.id);
    this.#seeker = new Seeker({
      sources: options.membership.sources ?? [],
      found: (source, urls) => tell(self.ref, { type: 'discovered', source, urls }),
      logger: self.logger,
      urlProblem: (text) => (URL.canParse(text) ? undefined : 'must be a URL'),
    });
    if (stateFile === null) this.#remembered = [];
    // It never rejects.
    else void stateFile.read().then((urls) => tell(self.ref, { type: 'remembered', urls }));
    node.audience.onBehind = (): void => this.#someoneIsBehind();
    this.#catchUp();
    this.#begin();
  }

  receive(message: TrackerMessage): void {
    if (message.type === 'inbound')
      this.#node.parties.get(membershipParty)?.pressure.taken(message.bytes, message.line);
    if (message.type === 'remembered') this.#remember(message.urls);
    if (message.type === 'discovered') this.#node.arrival.found(message.source, message.urls);
    if (message.type === 'catch-up') return this.#catchUp();
    if (message.type === 'renew') return this.#renew();
    if (message.type === 'compare-addresses') return this.#compareAddresses();
    if (this.#machine === null) {
      // What opened or was said before the module began is found in the lines as it begins, or is said again.
      if (message.type === 'goodbye') tell(message.replyTo, true);
      else if (message.type === 'peer-arrived') this.#speaking.set(message.name, message.session);
      else if (message.type === 'describe') this.#early.push(message);
      else this.#begin();
      return;
    }
    this.#hear(this.#machine, message);
  }

  #remember(urls: readonly string[]): void {
    this.#remembered ??= urls;
    this.#node.arrival.remembered(urls);
  }

  async stopped(): Promise<void> {
    this.#seeker.stop();
    await this.#node.stateFile?.flush();
  }

  #begin(): void {
    const { options, epoch, url, lines, hasListened, roster } = this.#node;
    const remembered = this.#remembered;
    if (this.#machine !== null || !hasListened || remembered === null) return;
    const { name, membership, random, maxConnections, forgetAfter } = options;
    const machine = membership.create({
      self: { name, epoch, url },
      effects: this,
      random,
      inherited: roster,
      remembered,
      maxConnections,
      forgetAfterMs: forgetAfter,
    });
    this.#machine = machine;
    const nowMs = time.monotonicMs();
    machine.start(nowMs);
    if (this.#node.meta !== null) machine.describe?.(this.#node.meta, nowMs);
    for (const { session } of lines.values()) {
      const member = memberOf(session.peer);
      if (member !== null) machine.connected(member, nowMs);
    }
    for (const message of this.#early.splice(0)) this.#hear(machine, message);
    // Who was there before a crash and is no longer is missing in the view now, or in one to come.
    this.#publish();
  }

  #hear(
    machine: MembershipMachine,
    message: Exclude<TrackerMessage, { type: 'catch-up' | 'renew' | 'compare-addresses' }>,
  ): void {
    const nowMs = time.monotonicMs();
    this.#noticeStandstill(machine, nowMs);
    switch (message.type) {
      case 'connected':
        this.#end(machine, message.member.name, nowMs);
        this.#tiesChanged = true;
        return machine.connected(message.member, nowMs);
      case 'disconnected':
        this.#tiesChanged = true;
        this.#carried.delete(message.name);
        this.#ending.set(message.name, message);
        if (this.#speaking.get(message.name) !== message.session) this.#end(machine, message.name, nowMs);
        return;
      case 'dial-ended':
        return machine.dialEnded?.(message.end, nowMs);
      case 'discovered':
        return machine.discovered?.(message.source, message.urls, nowMs);
      case 'describe':
        return this.#describe(machine, message, nowMs);
      case 'inbound':
        // The party takes no others.
        message.batch.forEach(({ from, message: said }, index) => {
          if (said.type === 'custom') machine.receive(from, said.body, nowMs, index < message.batch.length - 1);
        });
        return;
      case 'tick':
        if (this.#timers.get(message.timer)?.tick !== message) return;
        this.#timers.delete(message.timer);
        return machine.tick(message.timer, nowMs);
      case 'goodbye':
        machine.leave(nowMs);
        tell(message.replyTo, true);
        return;
      case 'listening':
      case 'remembered':
        // It has begun.
        return;
      case 'peer-arrived':
        this.#speaking.set(message.name, message.session);
        return;
      case 'peer-gone':
        if (this.#speaking.get(message.name) !== message.session) return;
        this.#speaking.delete(message.name);
        if (this.#ending.get(message.name)?.session === message.session) this.#end(machine, message.name, nowMs);
        return;
      default:
        message satisfies never;
    }
  }

  drained(): void {
    this.#node.parties.get(membershipParty)?.pressure.relieve();
    this.#publish();
  }

  /** Tells of the end of a connection, if one has ended. */
  #end(machine: MembershipMachine, name: string, nowMs: number): void {
    const ended = this.#ending.get(name);
    if (ended === undefined) return;
    this.#ending.delete(name);
    machine.disconnected(name, nowMs, ended.released);
  }

  /** The timer that should have run first says for how long nothing ran. */
  #noticeStandstill(machine: MembershipMachine, nowMs: number): void {
    let dueMs = Infinity;
    for (const timer of this.#timers.values()) dueMs = Math.min(dueMs, timer.dueMs);
    const sinceMs = Math.max(dueMs, this.#countedMs);
    if (nowMs - sinceMs < STANDSTILL_MS) return;
    this.#countedMs = nowMs;
    // What was due first is not yet due now: what has arrived meanwhile is to be heard before.
    machine.stalled?.(nowMs - sinceMs + HEARING_MS, nowMs);
  }

  #describe(
    machine: MembershipMachine,
    { meta, replyTo }: Extract<TrackerMessage, { type: 'describe' }>,
    nowMs: number,
  ): void {
    try {
      if (machine.describe === undefined)
        throw new GossipError(
          'OPTIONS_INVALID',
          `The membership '${this.#node.options.membership.name}' carries no meta: use one that does, such as swim.`,
        );
      machine.describe(meta, nowMs);
      this.#node.meta = meta;
      if (replyTo !== undefined) tell(replyTo, { ok: true });
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      if (replyTo === undefined) this.report(error);
      else tell(replyTo, { ok: false, error });
    }
  }

  // Views

  #publish(): void {
    const node = this.#node;
    const before = node.roster;
    const now = this.#view ?? before;
    if (this.#view !== null) {
      this.#view = null;
      node.roster = now;
      node.members = now.filter(isThere);
      if (node.members.length > 0) node.arrival.met();
      for (const change of viewChanges(before, now)) this.#tell(change);
      this.#watchAddresses();
    } else if (!this.#tiesChanged) return;
    this.#tiesChanged = false;
    node.tellView();
  }

  /** Looks again after a while whether nodes still share an address. */
  #watchAddresses(): void {
    const { options, url, roster } = this.#node;
    if (this.#isComparing || sharedBy({ name: options.name, url }, roster).size === 0) return;
    this.#isComparing = true;
    this.#self.schedule(SHARED_MS, { type: 'compare-addresses' });
  }

  #compareAddresses(): void {
    const { options, url, roster } = this.#node;
    const { name: node } = options;
    this.#isComparing = false;
    for (const { url: address, names } of this.#sharedAddresses.news({ name: node, url }, roster))
      if (this.#isNew(`shared ${address}`))
        this.#self.logger.warn(
          { node, url: address, members: names },
          `${names.slice(0, MOST_NAMED).map(quoted).join(', ')}${names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''} all advertise ${address}, where a dial reaches one of them alone: give each node a URL of its own (advertise, --advertise)`,
        );
  }

  #tell({ type, member }: ViewChange): void {
    const { audience, holdings, options } = this.#node;
    audience.tell({ type, node: options.name, member });
    if (type !== 'nodechanged') {
      const action = type === 'nodeup' ? 'nodeup' : 'nodedown';
      for (const holding of holdings.values())
        if (holding.options.announce) tell(holding.ref, { type: 'announce', about: member.name, action });
    }
    this.#self.logger.info({ node: options.name, member: member.name, url: member.url }, type);
  }

  #someoneIsBehind(): void {
    const { name } = this.#node.options;
    this.#self.logger[this.#isNew('subscriber behind') ? 'warn' : 'debug'](
      { node: name },
      'a subscriber is behind: it is told nothing more until it has room, and then all again',
    );
    this.#awaitRoom();
  }

  /** Who is behind may be so without any event that would make this look again. */
  #awaitRoom(): void {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    this.#self.schedule(CATCH_UP_MS, { type: 'catch-up' });
  }

  /** To be called where all that changed has been told: who catches up is told the members of now. */
  #catchUp(): void {
    const { audience } = this.#node;
    this.#isCatchingUp = false;
    audience.catchUp();
    if (audience.behind > 0) this.#awaitRoom();
  }

  // Effects

  dial(urls: readonly string[], source: UrlSource = 'peers'): void {
    const { transportRef } = this.#node;
    if (transportRef !== null) tell(transportRef, { type: 'dial', urls, source });
  }

  connect(url: string, source: UrlSource = 'peers'): void {
    const { transportRef } = this.#node;
    if (transportRef !== null) tell(transportRef, { type: 'connect', url, source });
  }

  /** A connection that is busy is kept: who needs it no more asks again. */
  hangUp(name: string): void {
    const line = this.#node.lines.get(name);
    if (line === undefined) return;
    const { bytesIn, bytesOut } = line.session.counters;
    const carried = this.#carried.get(name);
    this.#carried.set(name, bytesIn + bytesOut);
    if (carried !== undefined && bytesIn + bytesOut - carried < BUSY_BYTES) line.session.release();
  }

  expel(name: string, reason: string, ofEpoch?: number): void {
    const { options, lines } = this.#node;
    const line = lines.get(name);
    if (line === undefined) return;
    const { epoch, url } = line.session.peer;
    if (ofEpoch !== undefined && epoch !== ofEpoch) return;
    const isNew = this.#isNew(`expelled ${name}`);
    const level = isNew ? 'warn' : 'debug';
    const error = new GossipError('NAME_TAKEN', reason, { context: { peer: name, url } });
    this.#node.refused({ error, by: 'us', peer: name, url: null, address: line.session.address }, isNew);
    this.#node.expelling.add(name);
    this.#self.logger[level]({ node: options.name, peer: name, epoch, url }, `connection refused: ${reason}`);
    line.session.close(closeCodes.NAME_TAKEN, reason);
  }

  outlive(epoch: number): void {
    const isAwaited = this.#laterEpoch !== null;
    this.#laterEpoch = Math.max(epoch, this.#laterEpoch ?? 0);
    const waitMs = this.#node.renewedMs + RENEWAL_MS - time.monotonicMs();
    if (waitMs <= 0) this.#renew();
    else if (!isAwaited) this.#self.schedule(waitMs, { type: 'renew' });
  }

  /** The connections are made anew, as after a crash of the transport; what this node holds stays. */
  #renew(): void {
    const { options, transportRef } = this.#node;
    if (this.#laterEpoch === null) return;
    const isShared = this.#laterEpoch === this.#node.epoch;
    this.#node.outlive(this.#laterEpoch);
    this.#laterEpoch = null;
    this.#node.renewedMs = time.monotonicMs();
    // What this node shares with another, its replicas may share.
    if (isShared) for (const { ref } of this.#node.holdings.values()) tell(ref, { type: 'leave-epoch' });
    // What is tied to this node is tied to its new epoch from now on.
    this.#node.tellView();
    const why = isShared
      ? 'another node has the name and the epoch of this one'
      : 'others remember a later start of this node: its clock is behind';
    this.#self.logger.warn(
      { node: options.name, epoch: this.#node.epoch },
      `${why}; it takes a higher epoch and connects anew`,
    );
    if (transportRef !== null) tell(transportRef, { type: 'renew' });
  }

  view(members: readonly MemberStatus[]): void {
    this.#view = members;
  }

  send(to: string | readonly string[], body: unknown): void {
    const message: Message = { type: 'custom', body };
    try {
      this.#outbox.send(to, message);
    } catch (error) {
      this.report(notSent(error));
    }
  }

  discover(): void {
    this.#seeker.seek();
  }

  remember(urls: readonly string[]): void {
    this.#node.stateFile?.write(urls);
  }

  setTimer(timer: string, delayMs: number): void {
    this.#timers.get(timer)?.cancel();
    const tick: TrackerMessage = { type: 'tick', timer };
    const dueMs = time.monotonicMs() + delayMs;
    this.#timers.set(timer, { tick, dueMs, cancel: this.#self.schedule(delayMs, tick) });
  }

  /** Who else bears this node's name, peers may make up without end. */
  report(error: GossipError): void {
    const level = error.code !== 'NAME_TAKEN' || this.#isNew(error.code) ? 'warn' : 'debug';
    this.#self.logger[level]({ err: error, node: this.#node.options.name }, error.message);
  }

  #isNew(what: string): boolean {
    return this.#node.saidOfPeers.isNew(what, time.monotonicMs());
  }
}

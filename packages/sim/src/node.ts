/**
 * A simulated node: a replica, the machine of its protocol, and what a shell does around them.
 *
 * Invariants
 *  1. A machine is called once at a time, with its own node's clock; what it asks for happens afterwards.
 *  2. What arrived comes before any other input. After every input subscribers are told.
 *  3. Nothing of a former machine reaches a new one: no timer, no verdict. The replica does, but not a node's death.
 *
 * Source: docs/architecture.md; the instance actor does the same.
 */

import {
  below,
  type Bytes,
  type Effects,
  epochAt,
  type GossipError,
  isThere,
  type Machine,
  type Membership,
  type MemberStatus,
  type Message,
  type Offer,
  type Origin,
  type Peer,
  type Random,
  type Received,
  Replica,
  type Update,
  visible,
  watched,
} from '@grapevine/core';
import { type EncodedFrame, Encoder } from '@grapevine/wire';
import { CHANNEL, type End, MEMBERSHIP_CHANNEL } from './connection.ts';
import { type Habit, judge } from './habit.ts';
import type { Dialler, Places } from './membership/dialler.ts';
import { Residence, type ResidenceNature, type ResidentNode } from './membership/residence.ts';
import type { Input } from './observer.ts';
import type { Surroundings } from './surroundings.ts';

/** 2026-01-01T00:00:00Z: where virtual time starts on a clock that is right, in milliseconds. */
export const START_MS = 1767225600000;

export interface NodeNature {
  readonly skewMs: number;
  readonly gatherMs: number;
  /** More than so many bytes of an update it does not take. */
  readonly maxUpdateBytes: number;
  /** The largest frame that it takes, which it tells its peers. */
  readonly maxFrameBytes: number;
  /** How its handler judges; `null`: it has none. */
  readonly habit: Habit | null;
  /** Whether nobody can dial it. */
  readonly dialsOnly: boolean;
  /** Who is there beside it, connected or not; `null`: its membership says so, or nobody does. */
  readonly view: ReadonlySet<string> | null;
  /** The chance in its epochs. */
  readonly epochs: Random;
}

export function nameOf(index: number): string {
  return `n${String(index).padStart(2, '0')}`;
}

/** How a node finds its peers, where no list says so. */
export interface Residing {
  readonly membership: Membership;
  readonly nature: ResidenceNature;
  readonly random: Random;
  /** How often it has moved before its first life. @default 0 */
  readonly moves?: number;
}

export class SimNode implements Effects, ResidentNode {
  readonly world: Surroundings & Places;
  readonly index: number;
  readonly name: string;
  readonly nature: NodeNature;
  readonly random: Random;
  /** How far its clock is ahead of true time, in milliseconds. */
  skewMs: number;
  /** False while it is dead. */
  isUp = true;
  /** While it is dead: whether it died without a word. */
  isSilent = false;
  /** `null`: whom it is connected with is written down. */
  readonly residence: Residence | null;
  readonly reserved: Set<End> = new Set<End>();
  /** The open ends of its connections, by the peer's name. */
  readonly ends: Map<string, End> = new Map<string, End>();
  /** Whom its machine can speak to. */
  readonly peers: Map<string, Peer> = new Map<string, Peer>();
  /** The epochs of those. */
  readonly #livesOfPeers = new Map<string, number>();
  /** What a subscriber has put together from the changes alone. */
  readonly told: Map<string, Bytes> = new Map<string, Bytes>();
  replica!: Replica;
  machine!: Machine;
  /** Counts its machines. */
  incarnation = 0;
  /** Its own clock, as a shell reads it: the replica hears when it was set. */
  #read: () => number = () => this.nowMs;
  #encoder = new Encoder();
  #timers = new Map<string, number>();
  #arrived: Received[] = [];
  #isGathering = false;
  /** What waits for a stopped process; `null`: it runs. */
  #waiting: (() => void)[] | null = null;
  #forgotten: Origin[] = [];
  /** Of its replica, as it began. */
  #firstEpoch = 0;

  constructor(
    world: Surroundings & Places,
    index: number,
    nature: NodeNature,
    random: Random,
    residing: Residing | null = null,
    name: string = nameOf(index),
  ) {
    this.world = world;
    this.index = index;
    this.name = name;
    this.nature = nature;
    this.random = random;
    this.skewMs = nature.skewMs;
    const { forgetAfterMs } = world.replicaOptions;
    this.residence = residing === null ? null : new Residence({ ...residing, world, node: this, forgetAfterMs });
  }

  get membershipName(): string | null {
    return this.residence?.membership.name ?? null;
  }

  get dialler(): Dialler | null {
    return this.residence?.dialler ?? null;
  }

  /** Whether a node is there, as far as it knows. */
  sees(name: string): boolean {
    return this.peers.has(name) || this.nature.view?.has(name) === true || this.residence?.names.has(name) === true;
  }

  /** Its own epoch, as others know it. */
  get life(): number {
    return this.residence?.epoch ?? this.#firstEpoch;
  }

  /** The epochs of those who are there as far as it knows: its membership says so, or it is connected with them. */
  get members(): ReadonlyMap<string, number> {
    return this.residence === null ? new Map(this.#livesOfPeers) : livesOf(this.residence.roster);
  }

  /** This node's own clock: wall-clock milliseconds. */
  get nowMs(): number {
    return START_MS + this.world.nowMs + this.skewMs;
  }

  newEpoch(): number {
    return epochAt(this.nowMs, this.nature.epochs);
  }

  /** Whether something has arrived that its machine has not been given yet. */
  get hasArrivals(): boolean {
    return this.#arrived.length > 0;
  }

  get isRunning(): boolean {
    return this.#waiting === null;
  }

  // Its life.

  /** Starts for the first time, or again after its death, with nothing. */
  boot(): void {
    this.isUp = true;
    this.#encoder = new Encoder();
    this.#newReplica();
    this.#newMachine();
    this.#collectFor(this.incarnation);
    this.#do('start', () => this.machine.start(this.#read()));
    this.residence?.begin();
    this.#membersChanged();
  }

  /**
   * The instance crashes and is started again with the replica that it had.
   * @param withTracker so does the tracker before it
   */
  crash(withTracker = false): void {
    if (!this.isUp) return;
    this.world.log(this, withTracker ? 'tracker crashes' : 'instance crashes');
    if (withTracker) this.residence?.crash();
    this.renew();
  }

  renew(): void {
    this.#newMachine();
    this.world.observer.crashed(this);
    this.#collectFor(this.incarnation);
    this.#do('start', () => {
      this.#membersChanged();
      this.machine.start(this.#read());
      if (this.residence !== null)
        this.machine.viewChanged?.(this.residence.names, this.residence.beyond, this.#read());
      this.#peersChanged();
    });
  }

  /** Says goodbye by its membership, where it has one. */
  leave(): void {
    if (this.isUp && this.isRunning) this.residence?.leave();
  }

  /** Dies, with all that it holds. @param silently its peers are not told by its kernel */
  die(silently: boolean): void {
    if (!this.isUp) return;
    this.world.log(this, silently ? 'dies silently' : 'dies');
    this.isUp = false;
    this.isSilent = silently;
    this.residence?.end();
    this.incarnation++;
    this.#waiting = null;
    this.#arrived = [];
    this.peers.clear();
    this.#livesOfPeers.clear();
    this.told.clear();
    const ends = [...this.ends.values()];
    this.ends.clear();
    for (const end of [...ends, ...this.reserved]) end.vanish(silently);
  }

  /** As SIGSTOP: nothing happens here, and what arrives waits. */
  pause(): void {
    if (!this.isUp) return;
    this.world.log(this, 'is stopped');
    this.#waiting ??= [];
    if (this.residence !== null) for (const { link } of this.ends.values()) link.awaitSilenceOf(this);
  }

  /** As SIGCONT. */
  continue(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.world.log(this, 'goes on');
    this.#waiting = null;
    for (const act of waiting) this.whenRunning(act);
  }

  whenRunning(act: () => void): void {
    if (this.#waiting === null) act();
    else this.#waiting.push(act);
  }

  // Inputs.

  write(id: string, value: Bytes | undefined, expiresInMs?: number): void {
    if (!this.isUp || !this.isRunning) return;
    const nowMs = this.#read();
    this.#do('add', () => {
      this.replica.write(id, value, expiresInMs === undefined ? undefined : nowMs + expiresInMs, nowMs);
    });
  }

  /** It knows from the beginning what `admit` gives to its replica. */
  known(admit: () => void): void {
    this.#do('start', admit);
  }

  peerArrived(peer: Peer): void {
    this.peers.set(peer.name, peer);
    const other = this.ends.get(peer.name)?.peer.node;
    if (other !== undefined) this.#livesOfPeers.set(peer.name, other.life);
    this.#do('peers', () => this.#peersChanged());
  }

  endOpened(end: End): void {
    if (end.hello !== null) this.residence?.connected(end.hello);
  }

  hear(end: End, said: readonly Message[]): void {
    const { name } = end.peer.node;
    if (this.ends.get(name) === end) this.residence?.tracker?.receive(name, said);
  }

  /** One of its ends has been closed. */
  endClosed(end: End, released: boolean): void {
    const { name } = end.peer.node;
    if (released) this.note(`connection with ${name} is released`);
    if (end.isExpelled) this.residence?.toldOfOther();
    const isLost = this.ends.get(name) === end;
    if (isLost) this.ends.delete(name);
    this.whenRunning(() => {
      if (isLost) this.residence?.tracker?.disconnected(name, released);
      if (!this.isUp || this.peers.get(name)?.session !== end.session) return;
      this.peers.delete(name);
      this.#livesOfPeers.delete(name);
      this.#do('peers', () => this.#peersChanged());
    });
  }

  #peersChanged(): void {
    const { machine, peers, nature } = this;
    if (this.residence === null) this.#membersChanged();
    if (nature.view !== null) machine.viewChanged?.(nature.view, nature.view.size - peers.size, this.#read());
    machine.peersChanged([...peers.values()], this.#read());
  }

  viewChanged(roster: readonly MemberStatus[], names: ReadonlySet<string>, beyond: number): void {
    this.world.observer.viewed(this, this.residence?.roster ?? [], roster);
    this.#do('view', () => {
      this.#membersChanged(livesOf(roster));
      this.machine.viewChanged?.(names, beyond, this.#read());
    });
  }

  #membersChanged(members: ReadonlyMap<string, number> = this.members): void {
    this.replica.membersChanged(members, this.life, this.#read());
  }

  note(what: string): void {
    this.world.log(this, what);
  }

  broken(what: string): void {
    this.world.observer.broken(this, 0, what);
  }

  /** Messages have come in. */
  take(end: End, batch: readonly Received[]): void {
    const { name } = end.peer.node;
    if (this.peers.get(name)?.session !== end.session) return;
    for (const received of batch) {
      const { message } = received;
      if (!this.world.protocol.accepts(message))
        this.world.observer.broken(this, 0, `${name} sent a ${message.type}, which is none of the protocol's`);
      this.world.observer.received(end, message);
      this.#arrived.push(received);
    }
    if (this.nature.gatherMs === 0) return this.#do('receive', () => undefined);
    if (this.#isGathering) return;
    this.#isGathering = true;
    const { incarnation } = this;
    this.world.after(below(this.random, this.nature.gatherMs + 1), () => {
      this.#isGathering = false;
      this.#later(incarnation, 'receive', () => undefined);
    });
  }

  // Effects.

  send(to: string | readonly string[], message: Message): void {
    const { observer } = this.world;
    observer.sending(this, message);
    let frame;
    for (const name of typeof to === 'string' ? [to] : to) {
      const end = this.ends.get(name);
      if (end === undefined || end.session !== this.peers.get(name)?.session) continue;
      frame ??= this.#encoder.encode(CHANNEL, message);
      observer.sent(end, message);
      end.send(frame);
    }
  }

  /** What its membership says. */
  say(to: readonly string[], message: Message): void {
    let frame: EncodedFrame | undefined;
    for (const name of to) this.ends.get(name)?.send((frame ??= this.#encoder.encode(MEMBERSHIP_CHANNEL, message)));
  }

  offer(offer: Offer): void {
    this.world.observer.offered(this, offer);
    const { incarnation } = this;
    const { verdict, delayMs } = judge(this.nature.habit as Habit, offer, this.random);
    this.world.after(delayMs, () => {
      this.#later(incarnation, 'judged', () => {
        this.world.observer.judging(this, offer, verdict);
        this.machine.judged(offer.number, verdict, this.#read());
      });
    });
  }

  setTimer(timer: string, delayMs: number): void {
    const token = (this.#timers.get(timer) ?? 0) + 1;
    this.#timers.set(timer, token);
    const timers = this.#timers;
    const { incarnation } = this;
    this.world.after(delayMs, () => {
      if (timers.get(timer) !== token) return;
      this.#later(incarnation, 'tick', () => this.machine.tick(timer, this.#read()));
    });
  }

  report(error: GossipError): void {
    this.world.observer.reported(this, error);
  }

  /** The highest epoch that it knows of a node's name; 0: none. */
  newestEpochOf(name: string): number {
    let newest = 0;
    for (const { origin, intervals } of this.replica.context.origins())
      if (origin.name === name && intervals.length > 0 && origin.epoch > newest) newest = origin.epoch;
    return newest;
  }

  /** One input, what arrived before it, and what follows from it. */
  #do(input: Input, act: () => void): void {
    const { observer, trace } = this.world;
    trace.note(this.world.nowMs, 2, this.index, this.replica.context.sum[0] as number);
    observer.stepping(this, input);
    try {
      if (this.#arrived.length > 0) {
        const batch = this.#arrived;
        this.#arrived = [];
        this.machine.receive(batch, this.#read());
      }
      act();
      while (this.replica.hasFresh) this.machine.add(this.replica.takeFresh(), this.#read());
    } catch (error) {
      observer.broken(
        this,
        0,
        `the machine threw at '${input}': ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
    const told = this.replica.changes.length === 0 ? noChanges : [...this.replica.changes.take()];
    for (const update of told) {
      const value = visible(update);
      if (value === undefined) this.told.delete(update.id);
      else this.told.set(update.id, value);
    }
    observer.stepped(this, input, told);
    if (this.#forgotten.length > 0) this.#forgetNumbers();
  }

  #later(incarnation: number, input: Input, act: () => void): void {
    if (incarnation !== this.incarnation) return;
    if (this.#waiting === null) return this.#do(input, act);
    this.#waiting.push(() => {
      if (incarnation === this.incarnation) this.#do(input, act);
    });
  }

  #collectFor(incarnation: number): void {
    const { gcMs } = this.world.protocol;
    if (gcMs === false) return;
    this.world.after(gcMs, () => {
      if (incarnation !== this.incarnation) return;
      this.#later(incarnation, 'collect', () => this.machine.collect(this.#read()));
      this.#collectFor(incarnation);
    });
  }

  #newReplica(): void {
    const { world } = this;
    // A clock that was set back gives a lower epoch, and its peers correct it.
    const epoch = this.newEpoch();
    this.#firstEpoch = epoch;
    const { maxUpdateBytes, epochs: random } = this.nature;
    const replica = new Replica({ name: this.name, epoch, random, ...world.replicaOptions, maxUpdateBytes });
    replica.observed = true;
    this.replica = replica;
    this.#forgotten = [];
    const { context } = replica;
    const forget = context.forget.bind(context);
    context.forget = (origin) => {
      this.#forgotten.push(origin);
      forget(origin);
    };
    world.observer.replicaMade(this, replica);
    this.#read = watched(
      () => this.nowMs,
      replica,
      () => world.nowMs / 1000,
    );
  }

  #newMachine(): void {
    this.incarnation++;
    this.#timers = new Map();
    this.#isGathering = false;
    this.#arrived = [];
    this.replica.withdrawn = null;
    this.machine = this.world.protocol.create({
      self: this.name,
      replica: this.replica,
      effects: this,
      random: this.random,
      judged: this.nature.habit !== null,
    });
  }

  /** An origin that this node forgot leaves the numbering too. */
  #forgetNumbers(): void {
    for (const origin of this.#forgotten) {
      if (this.replica.context.find(origin) !== undefined) continue;
      const number = this.#encoder.forget(origin);
      if (number !== undefined) for (const end of this.ends.values()) end.forget(number);
    }
    this.#forgotten = [];
  }
}

/** The epochs of those who are there. */
function livesOf(roster: readonly MemberStatus[]): ReadonlyMap<string, number> {
  return new Map(roster.filter(isThere).map(({ name, epoch }) => [name, epoch]));
}

const noChanges: readonly Update[] = [];

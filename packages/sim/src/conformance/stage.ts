/**
 * Some nodes that run one protocol, for its conformance suite: virtual time, real frames, and verdicts when they are given.
 *
 * Invariants
 *  1. Every message goes through the codec, and its own protocol must accept it.
 *  2. A link keeps the order of its frames; one that is cut loses what is on its way, and both ends are told.
 *  3. Nothing but the seed decides what happens.
 */

import {
  type Effects,
  type GossipError,
  keepAll,
  type Machine,
  type Message,
  type Offer,
  type Peer,
  type Protocol,
  type Received,
  Replica,
  seededRandom,
  type Update,
  type Verdict,
} from '@grapevine/core';
import { Decoder, encodeChannel, Encoder, encodeValue, Told } from '@grapevine/wire';
import { EventQueue } from '../event-queue.ts';

/** Where virtual time begins. */
export const T0 = 1_800_000_000_000;
const LATENCY_MS = 1;
const CHANNEL = 1;

export interface StageOptions {
  readonly nodes: number;
  /** Whether a handler judges: offers are then answered by the test, or with `keep-all` where it says so. */
  readonly judged?: 'by the test' | 'all kept';
  /** @default 1 */
  readonly seed?: number;
}

interface Link {
  readonly session: number;
  readonly told: Told;
  readonly decoder: Decoder;
}

/** One node: its replica, the machine on it, and what it has asked for. */
export class Player implements Effects {
  readonly name: string;
  readonly replica: Replica;
  readonly encoder: Encoder = new Encoder();
  /** To each peer that is connected. */
  readonly links: Map<string, Link> = new Map();
  readonly timers: Map<string, number> = new Map();
  readonly offers: Offer[] = [];
  readonly reports: GossipError[] = [];
  machine: Machine;
  inbox: Received[] = [];
  readonly #stage: Stage;

  constructor(stage: Stage, name: string) {
    this.#stage = stage;
    this.name = name;
    this.replica = new Replica({
      name,
      epoch: 1000,
      maxDriftMs: 60_000,
      maxUpdateBytes: 1024 * 1024,
      forgetAfterMs: 86_400_000,
    });
    this.machine = stage.createMachine(this);
  }

  /** What readers see here: id to bytes. */
  get visible(): Readonly<Record<string, string | undefined>> {
    const ids = [...this.replica.visible()].map(({ id }) => id).toSorted();
    return Object.fromEntries(ids.map((id) => [id, this.replica.get(id)]));
  }

  send(to: string | readonly string[], message: Message): void {
    for (const peer of typeof to === 'string' ? [to] : to) this.#stage.carry(this, peer, message);
  }

  offer(offer: Offer): void {
    this.#stage.offered(this, offer);
  }

  setTimer(timer: string, delayMs: number): void {
    this.#stage.setTimer(this, timer, delayMs);
  }

  report(error: GossipError): void {
    this.reports.push(error);
  }
}

export class Stage {
  readonly players: Player[] = [];
  /** Every frame that was sent, as hexadecimal text with sender and receiver. */
  readonly trace: string[] = [];
  /** Values that were sent, by sender, receiver and dot. */
  readonly values: string[] = [];
  /** Messages that their own protocol does not accept, or that the codec refuses. */
  readonly strangers: string[] = [];
  readonly #protocol: Protocol;
  readonly #options: StageOptions;
  readonly #queue = new EventQueue();
  #nowMs = T0;
  #sessions = 0;

  constructor(protocol: Protocol, options: StageOptions) {
    this.#protocol = protocol;
    this.#options = options;
    for (let i = 0; i < options.nodes; i++) this.players.push(new Player(this, `node-${i}`));
    for (const { machine } of this.players) machine.start(this.#nowMs);
    this.#collectLater();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  createMachine(player: Player): Machine {
    const { judged, seed = 1 } = this.#options;
    return this.#protocol.create({
      self: player.name,
      replica: player.replica,
      effects: player,
      random: seededRandom(seed * 1000 + this.players.length),
      judged: judged !== undefined,
    });
  }

  player(index: number): Player {
    return this.players[index] as Player;
  }

  /** Connects everybody with everybody who is not connected yet. */
  connectAll(): this {
    for (const a of this.players) for (const b of this.players) if (a.name < b.name) this.#connect(a, b);
    for (const player of this.players) this.#tellPeers(player);
    return this;
  }

  /** Cuts a node off: both ends of each of its links are told. */
  cutOff(index: number): void {
    const player = this.player(index);
    for (const other of this.players) {
      if (!player.links.delete(other.name)) continue;
      other.links.delete(player.name);
      this.#tellPeers(other);
    }
    this.#tellPeers(player);
  }

  /** A new machine on the replica of the old one, as after a crash of its actor. */
  restart(index: number): void {
    const player = this.player(index);
    player.timers.clear();
    player.inbox = [];
    player.machine = this.createMachine(player);
    player.machine.start(this.#nowMs);
    const fresh = player.replica.takeFresh();
    if (fresh.length > 0) player.machine.add(fresh, this.#nowMs);
    this.#tellPeers(player);
  }

  /** Writes an id; `undefined` removes it. */
  write(index: number, id: string, text: string | undefined): Update {
    const { replica, machine } = this.player(index);
    const update = replica.write(id, text === undefined ? undefined : encodeValue(text), undefined, this.#nowMs);
    machine.add(replica.takeFresh(), this.#nowMs);
    return update;
  }

  judge(player: Player, verdict: Verdict): void {
    const offer = player.offers.shift();
    if (offer !== undefined) player.machine.judged(offer.number, verdict, this.#nowMs);
  }

  /** Lets virtual time pass. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    while (this.#queue.nextMs <= untilMs) {
      this.#nowMs = Math.max(this.#nowMs, this.#queue.nextMs);
      this.#queue.take()();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass until the condition holds. @returns whether it came to hold */
  passUntil(holds: () => boolean, atMostMs: number): boolean {
    for (const endMs = this.#nowMs + atMostMs; this.#nowMs < endMs && !holds();) this.pass(100);
    return holds();
  }

  carry(from: Player, to: string, message: Message): void {
    const link = from.links.get(to);
    const receiver = this.players.find(({ name }) => name === to);
    if (link === undefined || receiver === undefined) return;
    if (!this.#protocol.accepts(message)) this.strangers.push(message.type);
    if ('updates' in message)
      for (const { origin, sequence } of message.updates)
        this.values.push(`${from.name} ${to} ${origin.key} ${sequence}`);
    const frame = from.encoder.encode(CHANNEL, message);
    const origins = link.told.missing(frame);
    this.trace.push(`${from.name} ${to} ${Buffer.from(frame.bytes).toString('hex')}`);
    this.#queue.put(this.#nowMs + LATENCY_MS, () => {
      if (receiver.links.get(from.name)?.session !== link.session) return;
      for (const told of origins) link.decoder.decode(told);
      const incoming = link.decoder.decode(frame.bytes);
      if (incoming?.type === 'gossip') this.#deliver(receiver, { from: from.name, message: incoming.message });
    });
  }

  offered(player: Player, offer: Offer): void {
    player.offers.push(offer);
    if (this.#options.judged === 'all kept')
      this.#queue.put(this.#nowMs + LATENCY_MS, () => this.judge(player, keepAll));
  }

  setTimer(player: Player, timer: string, delayMs: number): void {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    player.timers.set(timer, dueMs);
    this.#queue.put(dueMs, () => {
      if (player.timers.get(timer) !== dueMs) return;
      player.timers.delete(timer);
      player.machine.tick(timer, this.#nowMs);
    });
  }

  #deliver(player: Player, received: Received): void {
    player.inbox.push(received);
    if (player.inbox.length > 1) return;
    this.#queue.put(this.#nowMs, () => {
      const batch = player.inbox;
      player.inbox = [];
      if (batch.length > 0) player.machine.receive(batch, this.#nowMs);
    });
  }

  #connect(a: Player, b: Player): void {
    if (a.links.has(b.name)) return;
    const session = ++this.#sessions;
    a.links.set(b.name, this.#link(session, a));
    b.links.set(a.name, this.#link(session, b));
  }

  /** One direction of a connection. */
  #link(session: number, from: Player): Link {
    const decoder = new Decoder();
    const { name: protocol } = this.#protocol;
    decoder.decode(encodeChannel({ channel: CHANNEL, instance: from.name, protocol, newestEpochOfYou: 0 }));
    return { session, told: new Told(), decoder };
  }

  #tellPeers(player: Player): void {
    const peers: Peer[] = [...player.links].map(([name, { session }]) => ({ name, session, epochOfUs: 0 }));
    player.machine.peersChanged(peers, this.#nowMs);
  }

  #collectLater(): void {
    const { gcMs } = this.#protocol;
    if (gcMs === false) return;
    this.#queue.put(this.#nowMs + gcMs, () => {
      for (const { machine } of this.players) machine.collect(this.#nowMs);
      this.#collectLater();
    });
  }
}

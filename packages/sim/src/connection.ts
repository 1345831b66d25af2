/**
 * A connection between two nodes: two ends, each of which may be open while the other is closed already.
 *
 * Invariants
 *  1. Frames of one direction arrive in the order in which they were sent, or not at all, and none twice.
 *  2. Nothing passes but bytes: frames go through the encoder of the sender and the decoder of this connection.
 *  3. A channel is declared before anything is said on it, and with it the epoch that is known of the other node.
 */

import {
  below,
  isGossipError,
  type Member,
  type Message,
  type Peer,
  type Random,
  type Received,
} from '@grapevine/core';
import { Decoder, encodeChannel, type EncodedFrame, type Incoming, Told } from '@grapevine/wire';
import type { WatchedNode } from './observer.ts';
import type { Surroundings } from './surroundings.ts';

/** The one channel that every node numbers alike: what a number means is told per connection all the same. */
export const CHANNEL = 1;
/** That of the membership, where there is one. */
export const MEMBERSHIP_CHANNEL = 0;
const MEMBERSHIP = '$membership';
/** What may wait for a slow link, in bytes. */
const QUEUE_BYTES = 256 * 1024;
const BACKOFF_MS = 1500;
const SHORTEST_SILENCE_MS = 2000;
const LONGEST_SILENCE_MS = 15000;

/** A node, as its connections need it. */
export interface Host extends WatchedNode {
  /** False while it is dead. */
  readonly isUp: boolean;
  /** False while its process is stopped. */
  readonly isRunning: boolean;
  /** Its epoch, as others know it. */
  readonly life: number;
  /** Its open ends, by the peer's name. */
  readonly ends: Map<string, End>;
  /** Ends that become open here with the first frame that comes over them. */
  readonly reserved: Set<End>;
  /** The name of its membership module; `null`: whom it is connected with is written down. */
  readonly membershipName: string | null;
  readonly nature: { readonly dialsOnly: boolean; readonly maxFrameBytes: number };
  whenRunning(act: () => void): void;
  newestEpochOf(name: string): number;
  peerArrived(peer: Peer): void;
  /** An end is open here, over which the membership speaks too. */
  endOpened(end: End): void;
  /** @param released whether one side said that it needs the connection no more */
  endClosed(end: End, released: boolean): void;
  take(end: End, batch: readonly Received[]): void;
  /** The membership of the other side has said something. */
  hear(end: End, said: readonly Message[]): void;
}

/** What two nodes have said of themselves before they were connected. */
export interface Hellos {
  readonly dialler: Member;
  readonly acceptor: Member;
}

/** Frames that arrive together. */
interface Delivery {
  readonly frames: Uint8Array[];
  arrived: boolean;
}

export interface LinkNature {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly drops: number;
  readonly corruption: number;
}

export interface LinkDetails {
  readonly nature: LinkNature;
  readonly random: Random;
  /** @default true */
  readonly isKept?: boolean;
}

/** What lies between two nodes, whether or not they are connected now. */
export class Link {
  readonly world: Surroundings;
  readonly nodes: readonly [Host, Host];
  readonly nature: LinkNature;
  readonly random: Random;
  /** Whether the two are to be connected for ever; otherwise it is for their memberships to dial. */
  readonly isKept: boolean;
  /** Bytes a millisecond; `Infinity`: as many as wanted. */
  rate: number = Infinity;
  /** How many partitions block the way from the first node to the second, and back. */
  readonly blocks: [number, number] = [0, 0];
  /** Pairs, the last opened last; of the others none is open at both ends, but while two dials cross. */
  #ends: readonly End[] = [];
  #isDialling = false;

  constructor(world: Surroundings, nodes: readonly [Host, Host], { nature, random, isKept = true }: LinkDetails) {
    this.world = world;
    this.nodes = nodes;
    this.nature = nature;
    this.random = random;
    this.isKept = isKept;
  }

  get isUp(): boolean {
    return this.#ends.length > 0 && this.#ends.every((end) => end.isOpen);
  }

  get ends(): readonly End[] {
    return this.#ends;
  }

  /** What the next frame takes, in milliseconds. */
  latency(): number {
    const { nature, random } = this;
    return nature.jitterMs === 0 ? nature.delayMs : nature.delayMs + below(random, nature.jitterMs + 1);
  }

  /** Whether nothing gets to `node` over this link. */
  isBlockedTo(node: Host): boolean {
    return this.blocks[node === this.nodes[1] ? 0 : 1] > 0;
  }

  /** Dials until it is up, as both sides do for ever. */
  dial(): void {
    if (!this.isKept || this.#isDialling || this.isUp || this.world.isOver) return;
    this.#isDialling = true;
    this.world.after(1 + below(this.random, BACKOFF_MS), () => {
      this.#isDialling = false;
      if (this.isUp) return;
      const [a, b] = this.nodes;
      const canMeet = a.isUp && b.isUp && a.isRunning && b.isRunning && this.blocks[0] + this.blocks[1] === 0;
      if (canMeet) this.#open();
      else this.dial();
    });
  }

  /** The connection breaks: what is under way is lost, and each side notices in its own time. */
  break(): void {
    for (const end of this.ends) {
      if (end.isOpen) this.world.after(below(this.random, 50), () => end.close());
    }
  }

  /** A partition has begun: whoever hears nothing for long enough closes. */
  awaitSilence(): void {
    for (const end of this.ends) if (end.isOpen && this.isBlockedTo(end.node)) this.#awaitSilenceAt(end);
  }

  /** A process has been stopped: so does whoever is connected with it. */
  awaitSilenceOf(node: Host): void {
    for (const end of this.ends)
      if (end.isOpen && end.node !== node)
        this.world.after(this.#silenceMs(), () => {
          if (!node.isRunning) end.node.whenRunning(() => end.close());
        });
  }

  /** A dial has led to a connection: the side that dialled has it at once, the other with the first frame. */
  commit(dialler: Host, { dialler: ours, acceptor: theirs }: Hellos): readonly [dialler: End, acceptor: End] {
    const acceptor = dialler === this.nodes[0] ? this.nodes[1] : this.nodes[0];
    const [near, far] = this.#pair(dialler, acceptor);
    this.#ends = [...this.#ends.filter((end) => end.isOpen), near, far];
    near.hello = theirs;
    far.hello = ours;
    far.reserve();
    near.open();
    this.awaitSilence();
    return [near, far];
  }

  #awaitSilenceAt(end: End): void {
    this.world.after(this.#silenceMs(), () => {
      if (this.isBlockedTo(end.node)) end.close();
    });
  }

  #silenceMs(): number {
    return SHORTEST_SILENCE_MS + below(this.random, LONGEST_SILENCE_MS - SHORTEST_SILENCE_MS);
  }

  /** What was held up by a partition goes on. */
  flow(): void {
    for (const end of this.ends) if (!this.isBlockedTo(end.node)) end.flow();
  }

  #open(): void {
    // One connection per pair: whoever still thinks that the old one is open learns better now.
    for (const end of this.ends) if (end.isOpen) end.close({ atOnce: true });
    const [first, second] = this.#pair(...this.nodes);
    this.#ends = [first, second];
    first.open();
    second.open();
  }

  #pair(a: Host, b: Host): readonly [End, End] {
    const session = this.world.nextSession();
    const first = new End(this, a, session);
    const second = new End(this, b, session);
    first.peer = second;
    second.peer = first;
    return [first, second];
  }
}

export class End {
  readonly link: Link;
  readonly node: Host;
  readonly session: number;
  peer!: End;
  isOpen = true;
  /** What the other side said of itself; `null` where nobody asks. */
  hello: Member | null = null;
  /** What has come and gone over it, in bytes. */
  carriedBytes = 0;
  /** Whether the other side closes it since another of this node's name lives. */
  isExpelled = false;
  /** Whether it is not open here before the first frame comes. */
  #isReserved = false;
  /** Whether its end, which is on its way, says that it is needed no more. */
  #isReleased = false;
  readonly #told = new Told();
  readonly #decoder = new Decoder();
  /** What a partition holds up, and whether the end of the connection is held up behind it. */
  #held: Uint8Array[] = [];
  #isEndHeld = false;
  #batch: Delivery | null = null;
  #sentAtMs = -1;
  #arrivalMs = 0;
  /** When a slow link is free again. */
  #freeAtMs = 0;

  constructor(link: Link, node: Host, session: number) {
    this.link = link;
    this.node = node;
    this.session = session;
  }

  get #world(): Surroundings {
    return this.link.world;
  }

  open(): void {
    this.node.ends.set(this.peer.node.name, this);
    const { name } = this.peer.node;
    const newestEpochOfYou = this.node.newestEpochOf(name);
    const { instance, protocol } = this.#world;
    const { membershipName } = this.node;
    if (membershipName !== null)
      this.#send(
        encodeChannel({
          channel: MEMBERSHIP_CHANNEL,
          instance: MEMBERSHIP,
          protocol: membershipName,
          newestEpochOfYou: 0,
        }),
        false,
      );
    this.#send(encodeChannel({ channel: CHANNEL, instance, protocol: protocol.name, newestEpochOfYou }), false);
    if (membershipName !== null) this.node.endOpened(this);
  }

  /** It will be open here when the first frame comes. */
  reserve(): void {
    this.#isReserved = true;
    this.node.reserved.add(this);
  }

  /**
   * Closes this end, and the other when it hears of it.
   * @param how `atOnce`: the other is closed by somebody else; `released`: it is needed no more
   */
  close({ atOnce = false, released = false }: { readonly atOnce?: boolean; readonly released?: boolean } = {}): void {
    if (!this.isOpen) return;
    this.#end();
    if (!this.#isReserved) this.node.endClosed(this, released);
    if (!atOnce) {
      const { peer } = this;
      const atMs = Math.max(this.#arrivalMs, this.#world.nowMs + this.#latency());
      this.#world.at(atMs, () => peer.#hearEnd(released));
    }
    this.link.dial();
  }

  #end(): void {
    this.isOpen = false;
    this.#held = [];
    this.node.reserved.delete(this);
  }

  /** The node is gone: nobody here is told. @param silently nor is the other side, before it finds out by itself */
  vanish(silently: boolean): void {
    if (!this.isOpen) return;
    this.#end();
    const { peer } = this;
    const delayMs = silently ? SHORTEST_SILENCE_MS + below(this.link.random, LONGEST_SILENCE_MS) : this.#latency();
    this.#world.after(delayMs, () => peer.#hearEnd(false));
    this.link.dial();
  }

  /** Sends a frame, and before it the numbers of origins that it needs. */
  send(frame: EncodedFrame): void {
    if (!this.isOpen) return;
    const { maxFrameBytes } = this.peer.node.nature;
    for (const origins of this.#told.missing(frame, maxFrameBytes)) this.#send(origins, false);
    this.#send(frame.bytes, frame.droppable);
  }

  /** The number of an origin is given up. */
  forget(number: number): void {
    const bytes = this.#told.forget(number);
    if (bytes !== undefined && this.isOpen) this.#send(bytes, false);
  }

  #latency(): number {
    return this.link.latency();
  }

  #send(bytes: Uint8Array, droppable: boolean): void {
    const { link } = this;
    const world = this.#world;
    const { nowMs } = world;
    this.carriedBytes += bytes.length;
    const { maxFrameBytes } = this.peer.node.nature;
    if (bytes.length > maxFrameBytes)
      world.observer.broken(
        this.node,
        0,
        `it sends a frame of ${bytes.length} bytes to ${this.peer.node.name}, which takes ${maxFrameBytes}`,
      );
    if (droppable && link.nature.drops > 0 && link.random() < link.nature.drops) {
      world.trace.note(nowMs, 7, this.node.index, this.peer.node.index);
      return;
    }
    if (link.rate === Infinity && this.#freeAtMs <= nowMs) {
      // What is sent in one step arrives together, as what is written to a socket in one turn does.
      if (this.#sentAtMs === nowMs && this.#batch !== null && !this.#batch.arrived) {
        this.#batch.frames.push(bytes);
        return;
      }
      this.#arrivalMs = Math.max(nowMs + this.#latency(), this.#arrivalMs);
    } else {
      const startMs = Math.max(nowMs, this.#freeAtMs);
      if ((startMs - nowMs) * link.rate + bytes.length > QUEUE_BYTES) {
        if (!droppable) world.after(0, () => this.close());
        return;
      }
      this.#freeAtMs = startMs + bytes.length / link.rate;
      this.#arrivalMs = Math.max(Math.ceil(this.#freeAtMs) + this.#latency(), this.#arrivalMs);
    }
    this.#sentAtMs = nowMs;
    const delivery: Delivery = { frames: [bytes], arrived: false };
    this.#batch = delivery;
    const { peer } = this;
    world.at(this.#arrivalMs, () => peer.#arrive(delivery));
  }

  #arrive(delivery: Delivery): void {
    delivery.arrived = true;
    if (!this.isOpen) return;
    const { frames } = delivery;
    if (this.link.isBlockedTo(this.node)) {
      for (const frame of frames) this.#held.push(frame);
      return;
    }
    this.#read(frames);
  }

  #read(frames: readonly Uint8Array[]): void {
    if (this.node.isRunning) this.#readNow(frames);
    else this.node.whenRunning(() => this.#readNow(frames));
  }

  #hearEnd(released: boolean): void {
    if (!this.isOpen) return;
    this.#isReleased = released;
    if (this.link.isBlockedTo(this.node)) this.#isEndHeld = true;
    else this.node.whenRunning(() => this.close({ released }));
  }

  flow(): void {
    if (!this.isOpen) return;
    const held = this.#held;
    this.#held = [];
    if (held.length > 0) this.#read(held);
    if (this.#isEndHeld) this.node.whenRunning(() => this.close({ released: this.#isReleased }));
  }

  #readNow(frames: readonly Uint8Array[]): void {
    if (this.#isReserved) this.#install();
    if (!this.isOpen) return;
    const { link, node } = this;
    const world = this.#world;
    const { trace } = world;
    const from = this.peer.node;
    trace.note(world.nowMs, 1, node.index, from.index);
    const { corruption } = link.nature;
    const corrupted = corruption > 0 && link.random() < corruption ? below(link.random, frames.length) : -1;
    const batch: Received[] = [];
    const said: Message[] = [];
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i] as Uint8Array;
      if (i === corrupted) {
        this.#readCorrupted(frame);
        break;
      }
      trace.bytes(frame);
      const incoming = this.#decode(frame);
      if (incoming === null) continue;
      this.carriedBytes += frame.length;
      if (incoming.type === 'refuse-channel') continue;
      if (incoming.channel === MEMBERSHIP_CHANNEL) {
        if (incoming.type === 'gossip') said.push(incoming.message);
      } else if (incoming.type === 'gossip') batch.push({ from: from.name, message: incoming.message });
      else {
        const { dialsOnly } = from.nature;
        const maxFrameBytes = Math.min(from.nature.maxFrameBytes, node.nature.maxFrameBytes);
        const epochOfUs = incoming.newestEpochOfYou;
        node.peerArrived({ name: from.name, session: this.session, epochOfUs, dialsOnly, maxFrameBytes });
      }
      if (trace.isPrinted)
        trace.line(world.nowMs, `${node.name} ← ${from.name}  ${described(incoming)}  ${frame.length} B`);
    }
    if (said.length > 0) node.hear(this, said);
    if (batch.length > 0) node.take(this, batch);
    if (corrupted >= 0) this.close();
  }

  /**
   * The first frame of a connection that the other side dialled: it takes the place of any other with that node, whoever
   * committed obeys (docs/wire.md), but for that of a later life.
   */
  #install(): void {
    this.#isReserved = false;
    this.node.reserved.delete(this);
    const former = this.node.ends.get(this.peer.node.name);
    if ((former?.hello?.epoch ?? 0) > (this.hello?.epoch ?? 0)) {
      this.#isReserved = true;
      return this.close();
    }
    former?.close();
    if (this.isOpen) this.open();
  }

  #decode(frame: Uint8Array): Incoming | null {
    try {
      return this.#decoder.decode(frame);
    } catch (error) {
      this.#world.observer.broken(
        this.node,
        0,
        `a frame of ${this.peer.node.name} was not understood: ${String(error)}`,
      );
      return null;
    }
  }

  /**
   * A bit flips. The decoder may take the frame for another good one, since nothing in a frame sums it up; it must not
   * fail in any other way than by rejecting it. What is below (the sums of TCP and TLS) ends the connection even so.
   */
  #readCorrupted(frame: Uint8Array): void {
    const { random } = this.link;
    const copy = frame.slice();
    const at = below(random, copy.length);
    copy[at] = (copy[at] as number) ^ (1 << below(random, 8));
    try {
      this.#decoder.decode(copy);
    } catch (error) {
      if (!isGossipError(error) || error.code !== 'FRAME_MALFORMED')
        this.#world.observer.broken(this.node, 0, `a corrupted frame was not rejected but threw ${String(error)}`);
    }
  }
}

function described(incoming: Incoming): string {
  return incoming.type === 'gossip' ? summary(incoming.message) : incoming.type;
}

/** A message in a few words, for people. */
export function summary(message: Message): string {
  const dots = (list: readonly { origin: { key: string }; intervals: readonly number[] }[]): string =>
    list.map(({ origin, intervals }) => `${origin.key}:${intervals.join(',')}`).join(' ');
  switch (message.type) {
    case 'chunk':
    case 'updates':
      return `${message.type} of ${message.updates.length}: ${[...message.updates]
        .slice(0, 20)
        .map((update) => `${update.id}${update.value === undefined ? '✝' : ''}=${update.sequence}.${update.origin.key}`)
        .join(' ')}`;
    case 'contexts':
      return `contexts invitation ${message.invitation} answer ${message.answer} ${dots(message.dots)}`;
    case 'end':
      return `end ${message.invitation}/${message.index} claims ${dots(message.claim)}`;
    case 'announce':
    case 'ask':
    case 'gone':
    case 'held-back':
    case 'disowned':
    case 'refused':
    case 'room':
      return `${message.type} ${dots(message.dots)}`;
    case 'withheld':
      return `withheld ${message.id}=${message.sequence}.${message.origin.key} of ${message.bytes} bytes`;
    case 'feedback':
      return `feedback known ${dots(message.known)} news ${dots(message.news)}`;
    case 'live-dots':
      return `live-dots ${dots(message.dots)} context ${dots(message.context)}`;
    case 'custom':
      return `says ${JSON.stringify(message.body)}`;
    default:
      return message.type;
  }
}

/**
 * A network of machines in one thread, message by message, in virtual time.
 *
 * Invariants
 *  1. Everything that happens is determined by the options, the seed and the calls made.
 *  2. Each direction of a connection is first in, first out. A connection that is cut loses what is under way, and the
 *     next one between the two has another number.
 *  3. A machine is called once at a time, with its own node's clock; what it asks for happens afterwards.
 *  4. No object of one node ever reaches another: messages pass through `carry`.
 */
import {
  type Bytes,
  type Effects,
  type GossipError,
  keepAll,
  type Machine,
  type Message,
  type Offer,
  type Peer,
  type Protocol,
  type Random,
  Replica,
  type ReplicaOptions,
  sameSum,
  seededRandom,
  type Update,
  type Verdict,
  visible,
} from '@grapevine/core';
import { cloneMessage } from './clone.ts';

/** 2026-01-01T00:00:00Z: where virtual time starts, in milliseconds. */
export const START_MS = 1767225600000;

/** A text as its MessagePack encoding: up to 31 characters. */
export function text(content: string): Bytes {
  return String.fromCharCode(0xa0 | content.length) + content;
}

/** What a handler does: its verdict, and how long it takes. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly delayMs: number;
}

export interface NetworkOptions {
  readonly protocol: Protocol;
  readonly seed: number;
  /** @default 1 to 20 ms, at random */
  readonly latencyMs?: (random: Random) => number;
  /** How a message gets from one process to another. @default cloneMessage */
  readonly carry?: (from: Node, to: Node, message: Message, session: number) => Message;
  readonly replica?: Partial<Omit<ReplicaOptions, 'name' | 'epoch'>>;
  /** Whether machines hear of the nodes in view that they have no connection with. @default false */
  readonly views?: boolean;
  /** Every message that is sent, as it is sent. */
  readonly onSend?: (from: Node, to: Node, message: Message) => void;
  /** Own writes, as the replica hands them out: also those it made by itself. */
  readonly onFresh?: (node: Node, updates: readonly Update[]) => void;
  /** After every step of a machine. */
  readonly onStep?: (node: Node) => void;
  /** A node has got a replica, its first or a new one. */
  readonly onReplica?: (node: Node, replica: Replica) => void;
}

export interface NodeOptions {
  /** How far this node's clock is ahead of true time, in milliseconds. @default 0 */
  readonly skewMs?: number;
  /** Whether nobody can dial it. @default false */
  readonly dialsOnly?: boolean;
  readonly judge?: ((offer: Offer, node: Node) => Judgement) | undefined;
  readonly replica?: Partial<Omit<ReplicaOptions, 'name' | 'epoch'>>;
}

export interface Sent {
  readonly from: string;
  readonly to: string;
  readonly atMs: number;
  readonly message: Message;
}

interface Happening {
  readonly atMs: number;
  readonly number: number;
  readonly act: () => void;
}

interface Connection {
  session: number;
  /** When the last message under way arrives, by its sender. */
  readonly arrivals: Map<string, number>;
}

export class Node {
  readonly name: string;
  readonly network: Network;
  readonly options: NodeOptions;
  readonly errors: GossipError[] = [];
  /** What a subscriber has put together from the changes alone. */
  readonly told = new Map<string, Bytes>();
  replica: Replica;
  machine: Machine;
  /** Counts the machines that this node has had. */
  incarnation = 0;
  /** What waits for a stopped process to go on; `null`: it runs. */
  stopped: (() => void)[] | null = null;
  timers = new Map<string, number>();

  constructor(network: Network, name: string, options: NodeOptions) {
    this.network = network;
    this.name = name;
    this.options = options;
    this.replica = this.#newReplica(network.nowMs + this.skewMs);
    this.machine = this.#newMachine();
  }

  get skewMs(): number {
    return this.options.skewMs ?? 0;
  }

  /** This node's own clock. */
  get nowMs(): number {
    return this.network.nowMs + this.skewMs;
  }

  start(): void {
    this.step(() => this.machine.start(this.nowMs));
  }

  /** One input, and what a shell does after it. */
  step(input: () => void): void {
    input();
    this.drainFresh();
    for (const update of this.replica.changes.take()) {
      const value = visible(update);
      if (value === undefined) this.told.delete(update.id);
      else this.told.set(update.id, value);
    }
    this.network.options.onStep?.(this);
  }

  drainFresh(): void {
    while (this.replica.hasFresh) {
      const fresh = [...this.replica.takeFresh()];
      this.network.options.onFresh?.(this, fresh);
      this.machine.add(fresh, this.nowMs);
    }
  }

  add(id: string, value: string, expiresInMs?: number): Update {
    return this.#write(id, text(value), expiresInMs === undefined ? undefined : this.nowMs + expiresInMs);
  }

  remove(id: string): Update {
    return this.#write(id, undefined, undefined);
  }

  #write(id: string, value: Bytes | undefined, expiresAt: number | undefined): Update {
    let update: Update | null = null;
    this.step(() => {
      update = this.replica.write(id, value, expiresAt, this.nowMs);
    });
    return update as unknown as Update;
  }

  /** The instance crashes and is started again with the store it had. */
  crash(): void {
    this.#restart();
  }

  /** The store is lost while the node lives on: a new one takes its place, under a higher epoch. */
  loseStore(epoch: number = Math.max(this.nowMs, this.replica.origin.epoch + 1)): void {
    this.replica = this.#newReplica(epoch);
    this.told.clear();
    this.#restart();
  }

  /** What readers here see. */
  get visible(): Record<string, string> {
    const entries = [...this.replica.visible()].map((update) => [update.id, (visible(update) as string).slice(1)]);
    return Object.fromEntries(entries.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))) as Record<
      string,
      string
    >;
  }

  /** What is stored, hidden or not: the dot of every live id. */
  get live(): Record<string, string> {
    const entries: [string, string][] = [];
    for (const update of this.replica.store) if (update.value !== undefined) entries.push([update.id, dotOf(update)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  peers(): Peer[] {
    return this.network.peersOf(this);
  }

  #restart(): void {
    this.incarnation++;
    this.timers = new Map();
    this.machine = this.#newMachine();
    this.step(() => this.machine.start(this.nowMs));
    this.step(() => this.machine.peersChanged(this.peers(), this.nowMs));
  }

  #newReplica(epoch: number): Replica {
    const replica = new Replica({
      name: this.name,
      epoch,
      maxDriftMs: 60000,
      maxUpdateBytes: 2 ** 20,
      forgetAfterMs: 86400000,
      ...this.network.options.replica,
      ...this.options.replica,
    });
    replica.observed = true;
    this.network.options.onReplica?.(this, replica);
    return replica;
  }

  #newMachine(): Machine {
    const { network, replica, options } = this;
    return network.options.protocol.create({
      self: this.name,
      replica,
      effects: this.#effects(this.incarnation),
      random: seededRandom(network.seedOf(`${this.name}.${this.incarnation}`)),
      judged: options.judge !== undefined,
    });
  }

  #effects(incarnation: number): Effects {
    const { network } = this;
    const later = (delayMs: number, act: () => void): void =>
      network.after(delayMs, () => this.whenRunning(() => incarnation === this.incarnation && act()));
    return {
      send: (to, message) => {
        for (const name of typeof to === 'string' ? [to] : to) network.send(this, name, message);
      },
      offer: (offer) => {
        const { judge } = this.options;
        const { verdict, delayMs } = judge === undefined ? { verdict: keepAll, delayMs: 0 } : judge(offer, this);
        later(delayMs, () => this.step(() => this.machine.judged(offer.number, verdict, this.nowMs)));
      },
      setTimer: (timer, delayMs) => {
        const token = (this.timers.get(timer) ?? 0) + 1;
        this.timers.set(timer, token);
        later(delayMs, () => {
          if (this.timers.get(timer) === token) this.step(() => this.machine.tick(timer, this.nowMs));
        });
      },
      report: (error) => this.errors.push(error),
    };
  }

  whenRunning(act: () => void): void {
    if (this.stopped === null) act();
    else this.stopped.push(act);
  }

  /** As SIGSTOP: nothing happens here, and what arrives waits. */
  stop(): void {
    this.stopped ??= [];
  }

  /** As SIGCONT. */
  continue(): void {
    const waiting = this.stopped ?? [];
    this.stopped = null;
    for (const act of waiting) this.whenRunning(act);
  }
}

export function dotOf({ origin, sequence }: Update): string {
  return `${sequence}.${origin.key}`;
}

export class Network {
  readonly options: NetworkOptions;
  readonly nodes = new Map<string, Node>();
  readonly sent: Sent[] = [];
  /** As `sent`, at arrival. */
  readonly received: Sent[] = [];
  /** Whether `sent` and `received` are kept. */
  recording = true;
  nowMs: number = START_MS;
  readonly random: Random;
  readonly #happenings: Happening[] = [];
  readonly #connections = new Map<string, Connection>();
  #numbers = 0;
  #sessions = 0;

  constructor(options: NetworkOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
  }

  seedOf(name: string): number {
    let seed = this.options.seed;
    for (let i = 0; i < name.length; i++) seed = (Math.imul(seed, 31) + name.charCodeAt(i)) | 0;
    return seed;
  }

  node(name: string, options: NodeOptions = {}): Node {
    const node = new Node(this, name, options);
    this.nodes.set(name, node);
    node.start();
    const { gcMs } = this.options.protocol;
    const collect = (): void => {
      node.whenRunning(() => node.step(() => node.machine.collect(node.nowMs)));
      if (gcMs !== false) this.after(gcMs, collect);
    };
    if (gcMs !== false) this.after(gcMs, collect);
    return node;
  }

  get all(): Node[] {
    return [...this.nodes.values()];
  }

  // Connections.

  isConnected(a: Node, b: Node): boolean {
    return this.#connections.has(pairOf(a, b));
  }

  connect(a: Node, b: Node): void {
    if (a === b || this.isConnected(a, b) || (a.options.dialsOnly === true && b.options.dialsOnly === true)) return;
    this.#connections.set(pairOf(a, b), { session: ++this.#sessions, arrivals: new Map() });
    this.#tell(a, b);
  }

  connectAll(): void {
    const { all } = this;
    all.forEach((a, i) => all.slice(i + 1).forEach((b) => this.connect(a, b)));
  }

  cut(a: Node, b: Node): void {
    if (this.#connections.delete(pairOf(a, b))) this.#tell(a, b);
  }

  isolate(node: Node): void {
    for (const other of this.all) this.cut(node, other);
  }

  peersOf(node: Node): Peer[] {
    const peers: Peer[] = [];
    for (const other of this.all) {
      const connection = this.#connections.get(pairOf(node, other));
      if (other === node || connection === undefined) continue;
      const { dialsOnly = false } = other.options;
      peers.push({ name: other.name, session: connection.session, epochOfUs: epochKnown(other, node), dialsOnly });
    }
    return peers;
  }

  #namesBeside(node: Node): ReadonlySet<string> {
    return new Set([...this.nodes.keys()].filter((name) => name !== node.name));
  }

  /** Both ends hear of it, in random order, before anything passes. */
  #tell(a: Node, b: Node): void {
    for (const node of this.random() < 0.5 ? [a, b] : [b, a])
      node.whenRunning(() =>
        node.step(() => {
          const peers = this.peersOf(node);
          if (this.options.views === true)
            node.machine.viewChanged?.(this.#namesBeside(node), this.nodes.size - 1 - peers.length, node.nowMs);
          node.machine.peersChanged(peers, node.nowMs);
        }),
      );
  }

  send(from: Node, toName: string, message: Message): void {
    const to = this.nodes.get(toName);
    if (to === undefined) return;
    const connection = this.#connections.get(pairOf(from, to));
    if (connection === undefined) return;
    if (this.recording) this.sent.push({ from: from.name, to: toName, atMs: this.nowMs, message });
    this.options.onSend?.(from, to, message);
    const { session } = connection;
    const carried = (this.options.carry ?? ((_from, _to, plain) => cloneMessage(plain)))(from, to, message, session);
    const latency = this.options.latencyMs?.(this.random) ?? 1 + Math.floor(this.random() * 20);
    const atMs = Math.max(this.nowMs + latency, connection.arrivals.get(from.name) ?? 0);
    connection.arrivals.set(from.name, atMs);
    this.at(atMs, () => {
      if (this.#connections.get(pairOf(from, to))?.session !== session) return;
      to.whenRunning(() => {
        // What a stopped process finds in its socket comes even so, unless the connection was replaced meanwhile.
        if (this.#connections.get(pairOf(from, to))?.session !== session) return;
        if (this.recording) this.received.push({ from: from.name, to: toName, atMs: this.nowMs, message: carried });
        to.step(() => to.machine.receive([{ from: from.name, message: carried }], to.nowMs));
      });
    });
  }

  // Time.

  at(atMs: number, act: () => void): void {
    const heap = this.#happenings;
    const happening = { atMs, number: ++this.#numbers, act };
    let i = heap.length;
    heap.push(happening);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isEarlier(happening, heap[parent] as Happening)) break;
      heap[i] = heap[parent] as Happening;
      i = parent;
    }
    heap[i] = happening;
  }

  after(delayMs: number, act: () => void): void {
    this.at(this.nowMs + delayMs, act);
  }

  /** Lets time pass, with all that happens in it. */
  run(durationMs: number): void {
    const until = this.nowMs + durationMs;
    while (this.#happenings.length > 0 && (this.#happenings[0] as Happening).atMs <= until) this.#happen();
    this.nowMs = until;
  }

  /** Lets time pass until the condition holds. @throws Error when it does not within `limitMs` */
  until(condition: () => boolean, limitMs = 120000): void {
    const limit = this.nowMs + limitMs;
    while (!condition()) {
      const next = this.#happenings[0];
      if (next === undefined || next.atMs > limit) throw new Error(`It did not come true within ${limitMs} ms.`);
      this.#happen();
    }
  }

  #happen(): void {
    const heap = this.#happenings;
    const first = heap[0] as Happening;
    const last = heap.pop() as Happening;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && isEarlier(heap[child + 1] as Happening, heap[child] as Happening)) child++;
        if (!isEarlier(heap[child] as Happening, last)) break;
        heap[i] = heap[child] as Happening;
        i = child;
      }
      heap[i] = last;
    }
    this.nowMs = first.atMs;
    first.act();
  }

  // Agreement.

  /** Whether all nodes are equal by hash: contexts, and what is live beyond any clock. */
  get isEqual(): boolean {
    const [first, ...rest] = this.all.filter((node) => node.stopped === null);
    if (first === undefined) return true;
    const horizonMs = Math.max(...this.all.map((node) => node.nowMs + node.replica.maxDriftMs));
    const live = first.replica.store.liveSum(horizonMs);
    const { sum } = first.replica.context;
    return rest.every(({ replica }) => {
      const other = replica.store.liveSum(horizonMs);
      return sameSum(other, live) && sameSum(replica.context.sum, sum);
    });
  }
}

function isEarlier(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

function pairOf(a: Node, b: Node): string {
  return a.name < b.name ? `${a.name} ${b.name}` : `${b.name} ${a.name}`;
}

/** The highest epoch that `knower` has for the name of `known`. */
function epochKnown(knower: Node, known: Node): number {
  let epoch = 0;
  for (const { origin, intervals } of knower.replica.context.origins())
    if (origin.name === known.name && intervals.length > 0) epoch = Math.max(epoch, origin.epoch);
  return epoch;
}

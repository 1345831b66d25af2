/**
 * The in-memory medium: a network of nodes in one process, for tests and simulations.
 *
 * It behaves as the WebSocket medium does: frames arrive in order and later than they were sent, a paused reader fills
 * the sender's buffer, a connection may be cut without either side being told. Reliable streams lose no single frames,
 * so neither does this; they break.
 *
 * Invariants
 *  1. Nothing is delivered from inside the call that sent it: all goes through `schedule`.
 *  2. A frame is copied when sent, so the ends share no memory.
 *  3. With `schedule`, `latencyMs` and `random` given, a run is repeatable.
 */
import { closeCodes } from './close-codes.ts';
import { type ResolvedOptions, resolveOptions, type TransportOptions } from './options.ts';
import type { Dial, Medium, Socket, SocketEvents } from './socket.ts';
import { MediumTransport, type Transport } from './transport.ts';

// As they were when this module was loaded: fake timers of a test replace them.
const { queueMicrotask, setImmediate, setTimeout } = globalThis;

export interface MemoryNetworkOptions {
  /** Runs a delivery later. @default setImmediate, or setTimeout where `delayMs` is above 0 */
  readonly schedule?: (run: () => void, delayMs: number) => void;
  /** How long each delivery takes, in milliseconds. Order is kept. @default 0 */
  readonly latencyMs?: () => number;
  /** The chance of each frame that its connection breaks instead. @default 0 */
  readonly breakChance?: number;
  /** Uniform in [0, 1). @default Math.random */
  readonly random?: () => number;
}

export interface MemoryNetwork {
  /** Holds back all that the two nodes send each other, ends of connections included, until `heal`. Dials between them hang. */
  cut(nameA: string, nameB: string): void;
  /** Delivers what was held back, and cuts nothing any more. */
  heal(): void;
}

/** A network that transports of one process share. */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  return new Hub(options);
}

/**
 * A transport over `network`, which `memoryNetwork` made. With `listen` (whatever it says) its URL is `memory://<name>`.
 * @throws GossipError OPTIONS_INVALID, with every violation
 */
export function createMemoryTransport(network: MemoryNetwork, options: TransportOptions): Transport {
  const resolved = resolveOptions(options);
  return new MediumTransport(new MemoryMedium(network as Hub, resolved), resolved);
}

class Hub implements MemoryNetwork {
  readonly listeners = new Map<
    string,
    { readonly medium: MemoryMedium; readonly accepted: (socket: Socket) => void }
  >();
  readonly #options: MemoryNetworkOptions;
  readonly #cuts = new Set<string>();
  readonly #held = new Set<() => void>();

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
  }

  get breaks(): boolean {
    const { breakChance = 0, random = Math.random } = this.#options;
    return breakChance > 0 && random() < breakChance;
  }

  schedule(run: () => void): void {
    const delayMs = this.#options.latencyMs?.() ?? 0;
    const { schedule = later } = this.#options;
    schedule(run, delayMs);
  }

  isCut(nameA: string, nameB: string): boolean {
    return this.#cuts.has(pairKey(nameA, nameB));
  }

  /** Calls `run` once at `heal`. */
  hold(run: () => void): void {
    this.#held.add(run);
  }

  cut(nameA: string, nameB: string): void {
    this.#cuts.add(pairKey(nameA, nameB));
  }

  heal(): void {
    this.#cuts.clear();
    const held = [...this.#held];
    this.#held.clear();
    for (const run of held) this.schedule(run);
  }
}

class MemoryMedium implements Medium {
  readonly name: string;
  readonly #hub: Hub;
  readonly #options: ResolvedOptions;
  readonly #sockets = new Set<MemorySocket>();
  #emptied: () => void = () => {};

  constructor(hub: Hub, options: ResolvedOptions) {
    this.#hub = hub;
    this.#options = options;
    this.name = options.name;
  }

  canonical(url: string): string | null {
    return url.startsWith('memory://') && url.length > 9 ? url : null;
  }

  /** Nobody is on the way. */
  objection(): null {
    return null;
  }

  renewTls(): void {}

  async listen(accepted: (socket: Socket) => void): Promise<string | null> {
    if (this.#options.listen === null) return null;
    const url = `memory://${this.name}`;
    this.#hub.listeners.set(url, { medium: this, accepted });
    return url;
  }

  dial(url: string, { opened, failed }: Dial): () => void {
    let over = false;
    const connect = (): void => {
      if (over) return;
      const listener = this.#hub.listeners.get(url);
      if (listener === undefined) {
        failed(new Error('nobody listens there'));
        return;
      }
      if (this.#hub.isCut(this.name, listener.medium.name)) {
        this.#hub.hold(connect);
        return;
      }
      const [ours, theirs] = this.#connect(listener.medium);
      listener.accepted(theirs);
      opened(ours);
    };
    this.#hub.schedule(connect);
    return () => {
      over = true;
    };
  }

  async stop(): Promise<void> {
    const url = `memory://${this.name}`;
    if (this.#hub.listeners.get(url)?.medium === this) this.#hub.listeners.delete(url);
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
  }

  terminate(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  #connect(other: MemoryMedium): readonly [MemorySocket, MemorySocket] {
    const isCut = (): boolean => this.#hub.isCut(this.name, other.name);
    const ours = new MemorySocket(this.#hub, this.#options, isCut, (socket) => this.#forget(socket));
    const theirs = new MemorySocket(this.#hub, other.#options, isCut, (socket) => other.#forget(socket));
    ours.peer = theirs;
    theirs.peer = ours;
    this.#sockets.add(ours);
    other.#sockets.add(theirs);
    return [ours, theirs];
  }

  #forget(socket: MemorySocket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#emptied();
  }
}

type Item =
  | { readonly type: 'frame'; readonly frame: Uint8Array }
  | { readonly type: 'ping' | 'pong' }
  | { readonly type: 'end'; readonly code: number; readonly reason: string };

const noEvents: SocketEvents = {
  frame: () => {},
  malformed: () => {},
  heard: () => {},
  drained: () => {},
  closed: () => {},
};

/** One end; what it sends waits here until the other end takes it. */
class MemorySocket implements Socket {
  events: SocketEvents = noEvents;
  peer!: MemorySocket;
  readonly address = null;
  bufferedBytes = 0;
  readonly #hub: Hub;
  readonly #options: ResolvedOptions;
  readonly #isCut: () => boolean;
  readonly #gone: (socket: MemorySocket) => void;
  #queue: Item[] = [];
  /** How many items of the queue have travelled long enough. */
  #ripe = 0;
  #batch: { items: number } | null = null;
  #paused = false;
  #ending = false;
  #ended = false;
  #cancelTimer: () => void = () => {};

  constructor(hub: Hub, options: ResolvedOptions, isCut: () => boolean, gone: (socket: MemorySocket) => void) {
    this.#hub = hub;
    this.#options = options;
    this.#isCut = isCut;
    this.#gone = gone;
  }

  binding(): 'none' {
    return 'none';
  }

  certificate(): null {
    return null;
  }

  /** Frames come whole here, and are checked by who takes them. */
  admit(): void {}

  send(frame: Uint8Array): void {
    if (this.#ending) return;
    if (this.#hub.breaks) {
      this.terminate();
      return;
    }
    this.bufferedBytes += frame.length;
    this.#push({ type: 'frame', frame: frame.slice() });
  }

  ping(): void {
    if (!this.#ending) this.#push({ type: 'ping' });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#hub.schedule(() => this.peer.#flush());
  }

  close(code: number, reason: string): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#push({ type: 'end', code, reason });
    this.#cancelTimer = this.#options.setTimer(this.#options.closeTimeoutMs, () => this.terminate());
  }

  terminate(): void {
    if (this.#ended) return;
    const wasEnding = this.#ending;
    this.#ending = true;
    this.#hub.schedule(() => this.#end(closeCodes.CONNECTION_LOST, ''));
    if (!wasEnding) this.#push({ type: 'end', code: closeCodes.CONNECTION_LOST, reason: '' });
  }

  #push(item: Item): void {
    this.#queue.push(item);
    if (this.#batch !== null) {
      this.#batch.items++;
      return;
    }
    // What one turn sends travels together, as it would in one packet.
    const batch = { items: 1 };
    this.#batch = batch;
    queueMicrotask(() => {
      this.#batch = null;
    });
    this.#hub.schedule(() => {
      this.#ripe += batch.items;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isCut()) {
      this.#hub.hold(() => this.#flush());
      return;
    }
    let taken = 0;
    while (taken < this.#ripe && !this.peer.#paused) this.peer.#take(this.#queue[taken++] as Item);
    if (taken === 0) return;
    this.#ripe -= taken;
    for (const item of this.#queue.splice(0, taken)) if (item.type === 'frame') this.bufferedBytes -= item.frame.length;
    if (this.bufferedBytes === 0 && !this.#ended) this.events.drained();
  }

  #take(item: Item): void {
    if (this.#ended) return;
    switch (item.type) {
      case 'frame':
        this.events.frame(item.frame);
        return;
      case 'ping':
        if (!this.#ending) this.#push({ type: 'pong' });
        this.events.heard('ping');
        return;
      case 'pong':
        this.events.heard('pong');
        return;
      case 'end':
        this.#answerEnd(item.code, item.reason);
        return;
      default:
        item satisfies never;
    }
  }

  #answerEnd(code: number, reason: string): void {
    if (!this.#ending) {
      this.#ending = true;
      this.#push({ type: 'end', code, reason });
    }
    this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    this.events.closed(code, reason);
    this.#gone(this);
  }
}

function later(run: () => void, delayMs: number): void {
  if (delayMs > 0) setTimeout(run, delayMs);
  else setImmediate(run);
}

function pairKey(nameA: string, nameB: string): string {
  return nameA < nameB ? `${nameA}\n${nameB}` : `${nameB}\n${nameA}`;
}

/**
 * A session: the settled connection with one peer, with a bounded queue out and batches in.
 *
 * Invariants
 *  1. `closed` is told exactly once, and nothing is handed over after it.
 *  2. Frames go out in the order of `send`, less the dropped rumors; they come in in order, one batch a turn.
 *  3. What waits here and in the socket stays below the hard mark: rumors give way, replies end the session.
 *  4. A peer that takes nothing while frames wait for it is cut off after `stallTimeoutMs`.
 *  5. Silence is counted in ticks of our own timer, not in time: a node that slept itself blames nobody.
 *
 * Source: docs/wire.md.
 */
import { GossipError } from '@grapevine/core';
import { type CloseInfo, clipReason, closeCodes, closeInfo } from './close-codes.ts';
import { Outbox, type Priority } from './outbox.ts';
import type { Socket, SocketEvents } from './socket.ts';

// As it was when this module was loaded: fake timers of a test replace it.
const nextTick = process.nextTick.bind(process);

/** Who is at the other end, as its hello says. */
export interface Peer {
  readonly name: string;
  readonly epoch: number;
  /** Where it can be dialled; null when it only dials. */
  readonly url: string | null;
  readonly capabilities: readonly string[];
  /** The version of the protocol that both speak in this session. */
  readonly version: number;
  /** The largest frame that it takes, in bytes; left out by older nodes. */
  readonly maxFrameBytes?: number;
}

export interface SessionCounters {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Rumor frames that found no room. */
  dropped: number;
}

export interface Session {
  /** Grows with every session of this transport. */
  readonly id: number;
  readonly peer: Peer;
  /** Whether we dialled. */
  readonly dialled: boolean;
  /** Whether frames are sealed by the keys of both: with keys, where no TLS connection is bound to the proofs. */
  readonly isSealed: boolean;
  /** The largest frame that may be sent, in bytes: what the peer takes, and no more than this node takes itself. */
  readonly maxFrameBytes: number;
  /** The network address of the peer; null where the medium has none. Of an IPv6 address, its network of 64 bits. */
  readonly address: string | null;
  /**
   * Takes what came in, at most once a turn. Until it is set the socket is paused.
   * Frames may be views of one larger buffer: copy what is kept.
   */
  onFrames: ((frames: Uint8Array[]) => void) | null;
  /** Called with the number of pings and pongs that have come, at most once a turn. */
  onControls: ((count: number) => void) | null;
  /** Called when `writable` turns true again. */
  onWritable: (() => void) | null;
  /** Called with each rumor frame that is dropped, so that what it told can be told again. */
  onDropped: ((frame: Uint8Array) => void) | null;
  /** Bytes that wait to leave this process. */
  readonly queuedBytes: number;
  /** Frames that wait here; those in the socket's buffer are not counted. */
  readonly queuedFrames: number;
  /** False while more than the soft mark waits: stop producing. Nothing enforces it below the hard mark. */
  readonly writable: boolean;
  readonly counters: Readonly<SessionCounters>;
  /**
   * Sends a frame, at once if the network takes it. The frame must not be changed afterwards; the transport never does,
   * so one buffer may be sent to many sessions.
   * @returns whether it was taken: false when the session is closed or closing, or for a rumor that finds no room.
   *   A reply that finds none closes the session as TOO_SLOW, and `closed` is told before this returns.
   * @throws GossipError FRAME_TOO_LARGE, state unchanged, when it has more than `maxFrameBytes` of this session
   */
  send(frame: Uint8Array, priority: Priority): boolean;
  /** Hands over nothing more until `resume`, and stops reading, so that the peer feels it. */
  pause(): void;
  resume(): void;
  /**
   * It is needed no more here: takes no more frames, sends what waits, then closes as RELEASED, after `closeTimeoutMs`
   * in any case. What still comes in is handed over. Does nothing on a session that is closed or closing.
   */
  release(): void;
  /** Closes at once; what waits is discarded. `closed` is told before this returns. Does nothing on a closed session. */
  close(code: number, reason: string): void;
}

export interface SessionLimits {
  readonly maxFrameBytes: number;
  readonly softQueueBytes: number;
  readonly hardQueueBytes: number;
  readonly hardQueueFrames: number;
  readonly closeTimeoutMs: number;
  readonly stallTimeoutMs: number;
}

/**
 * How much is handed to the socket before frames wait here, where rumors can still be dropped. Enough that the kernel
 * never runs dry between two drains.
 */
const socketBytes = 256 * 1024;
const socketFrames = 4096;

export interface LinkDetails {
  readonly id: number;
  readonly peer: Peer;
  readonly dialled: boolean;
  readonly isSealed: boolean;
  readonly limits: SessionLimits;
  readonly setTimer: (delayMs: number, run: () => void) => () => void;
  /** Told once. */
  readonly closed: (link: Link, info: CloseInfo) => void;
  /** The connection of a session that this side has closed is there no more, or was cut. Told after `closed`. */
  readonly gone: (link: Link) => void;
}

/** The transport's side of a session; its owner sees it as `Session`. */
export class Link implements Session, SocketEvents {
  readonly id: number;
  readonly peer: Peer;
  readonly dialled: boolean;
  readonly isSealed: boolean;
  readonly maxFrameBytes: number;
  readonly counters: SessionCounters = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, dropped: 0 };
  onControls: ((count: number) => void) | null = null;
  onWritable: (() => void) | null = null;
  onDropped: ((frame: Uint8Array) => void) | null = null;

  /** Whether this side has closed the session: then its connection may still be there. */
  isClosing = false;
  /** A session is of a peer that has said who it is. */
  readonly isUnproven = false;

  readonly #socket: Socket;
  readonly #limits: SessionLimits;
  readonly #setTimer: LinkDetails['setTimer'];
  readonly #closed: (link: Link, info: CloseInfo) => void;
  readonly #gone: (link: Link) => void;
  readonly #outbox = new Outbox();
  #onFrames: ((frames: Uint8Array[]) => void) | null = null;
  #inbox: Uint8Array[] = [];
  /** Pings and pongs that have not been handed over. */
  #controls = 0;
  #handingOver = false;
  #paused = false;
  #reading = true;
  /** `draining` takes no more, but sends what waits. */
  #state: 'open' | 'draining' | 'closed' = 'open';
  /** How it closes once it is drained. */
  #afterDrain: { readonly code: number; readonly reason: string } = { code: closeCodes.NORMAL, reason: '' };
  #cancelRelease: () => void = () => {};
  #cancelStall: (() => void) | null = null;
  #writable = true;
  #framesInSocket = 0;
  #heard = true;
  #silentTicks = 0;
  /** Who asked whether the peer lives and waits for an answer. */
  readonly #askers = new Set<(lives: boolean) => void>();

  constructor(socket: Socket, details: LinkDetails) {
    this.#socket = socket;
    this.id = details.id;
    this.peer = details.peer;
    this.dialled = details.dialled;
    this.isSealed = details.isSealed;
    this.maxFrameBytes = Math.min(details.limits.maxFrameBytes, details.peer.maxFrameBytes ?? Infinity);
    this.#limits = details.limits;
    this.#setTimer = details.setTimer;
    this.#closed = details.closed;
    this.#gone = details.gone;
    socket.events = this;
  }

  get writable(): boolean {
    return this.#writable;
  }

  /** Where the peer is; null: unknown. */
  get address(): string | null {
    return this.#socket.address;
  }

  /** Whether the session is closed; its connection may still be closing. */
  get isOver(): boolean {
    return this.#state === 'closed';
  }

  get queuedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#waitingBytes();
  }

  get queuedFrames(): number {
    return this.#outbox.frames;
  }

  get onFrames(): ((frames: Uint8Array[]) => void) | null {
    return this.#onFrames;
  }

  set onFrames(take: ((frames: Uint8Array[]) => void) | null) {
    this.#onFrames = take;
    this.readOrPause();
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  send(frame: Uint8Array, priority: Priority): boolean {
    const { maxFrameBytes } = this;
    if (frame.length > maxFrameBytes) {
      throw new GossipError(
        'FRAME_TOO_LARGE',
        `a frame of ${frame.length} bytes for '${this.peer.name}' is over maxFrameBytes (${maxFrameBytes}), the lower of both nodes: send less at once, or raise maxFrameBytes (--max-frame-bytes) on both`,
        {
          fault: 'caller',
          context: { peer: this.peer.name, frameBytes: frame.length, maxFrameBytes },
        },
      );
    }
    if (this.#state !== 'open') return false;
    if (this.#outbox.frames === 0 && this.#socketTakes()) this.#write(frame);
    else if (!this.#enqueue(frame, priority)) return false;
    if (this.#writable && this.#waitingBytes() >= this.#limits.softQueueBytes) this.#writable = false;
    return true;
  }

  drained(): void {
    if (this.#state === 'closed') return;
    this.#pump();
    this.#tellWritable();
  }

  #write(frame: Uint8Array): void {
    const { counters } = this;
    counters.framesOut++;
    counters.bytesOut += frame.length;
    this.#framesInSocket++;
    this.#socket.send(frame);
  }

  #socketTakes(): boolean {
    const { bufferedBytes } = this.#socket;
    if (bufferedBytes === 0) this.#framesInSocket = 0;
    return bufferedBytes < socketBytes && this.#framesInSocket < socketFrames;
  }

  /** Makes room if need be. @returns whether the frame waits now */
  #enqueue(frame: Uint8Array, priority: Priority): boolean {
    const outbox = this.#outbox;
    outbox.push(frame, priority);
    while (this.#isOverHardMark()) {
      const dropped = outbox.dropOldestRumor();
      if (dropped === undefined) {
        const reason = `${outbox.frames} replies wait, ${this.#waitingBytes()} bytes: the peer reads too slowly; it may reconnect`;
        this.close(closeCodes.TOO_SLOW, reason);
        return false;
      }
      this.counters.dropped++;
      this.onDropped?.(dropped);
      if (dropped === frame) return false;
    }
    if (this.#cancelStall === null) this.#watchForStall();
    return true;
  }

  /** Closes if nothing has left by then, while frames wait. Looks no more once none do. */
  #watchForStall(): void {
    const { stallTimeoutMs } = this.#limits;
    const leftBefore = this.#bytesLeft();
    this.#cancelStall = this.#setTimer(stallTimeoutMs, () => {
      this.#cancelStall = null;
      if (this.#outbox.frames === 0) return;
      if (this.#bytesLeft() > leftBefore) return this.#watchForStall();
      const waiting = this.#waitingBytes();
      const reason = `${waiting} bytes wait, and none was taken for ${stallTimeoutMs} ms: the peer does not read; it may reconnect`;
      this.close(closeCodes.TOO_SLOW, reason);
    });
  }

  /** What the network has taken so far. */
  #bytesLeft(): number {
    return this.counters.bytesOut - this.#socket.bufferedBytes;
  }

  #isOverHardMark(): boolean {
    const { hardQueueBytes, hardQueueFrames } = this.#limits;
    return this.#waitingBytes() > hardQueueBytes || this.#outbox.frames > hardQueueFrames;
  }

  #waitingBytes(): number {
    return this.#outbox.bytes + this.#socket.bufferedBytes;
  }

  #pump(): void {
    while (this.#outbox.frames > 0 && this.#socketTakes()) this.#write(this.#outbox.shift() as Uint8Array);
    if (this.#state === 'draining' && this.#outbox.frames === 0) this.#closeDrained();
  }

  #tellWritable(): void {
    if (this.#writable || this.#state !== 'open' || this.#waitingBytes() >= this.#limits.softQueueBytes) return;
    this.#writable = true;
    this.onWritable?.();
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  frame(frame: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#heard = true;
    this.counters.framesIn++;
    this.counters.bytesIn += frame.length;
    this.#inbox.push(frame);
    this.#handOverSoon();
  }

  heard(): void {
    this.#heard = true;
    this.#controls++;
    this.#handOverSoon();
    this.#answer(true);
  }

  /** Whether the socket is read, so that the peer can be heard. */
  get reads(): boolean {
    return this.#reading;
  }

  /**
   * Pings the peer.
   * @param answered told once, later: true with the next ping or pong, false with the end
   * @returns a function that asks no more
   */
  ask(answered: (lives: boolean) => void): () => void {
    this.#askers.add(answered);
    this.#socket.ping();
    return () => void this.#askers.delete(answered);
  }

  #answer(lives: boolean): void {
    for (const answered of this.#askers) {
      this.#askers.delete(answered);
      answered(lives);
    }
  }

  malformed(problem: string, code: number = closeCodes.FRAME_MALFORMED): void {
    this.close(code, problem);
  }

  pause(): void {
    this.#paused = true;
    this.readOrPause();
  }

  resume(): void {
    this.#paused = false;
    this.readOrPause();
  }

  /** Reads on exactly while somebody takes what comes. */
  readOrPause(): void {
    if (this.#state === 'closed') return;
    const reading = !this.#paused && this.#onFrames !== null;
    if (reading) this.#handOverSoon();
    if (reading === this.#reading) return;
    this.#reading = reading;
    if (reading) this.#socket.resume();
    else this.#socket.pause();
  }

  /** One batch per chunk of the network: its frames all arrive before the next tick runs. */
  #handOverSoon(): void {
    if (this.#handingOver || this.#inbox.length + this.#controls === 0) return;
    this.#handingOver = true;
    nextTick(this.#handOverNow);
  }

  readonly #handOverNow = (): void => {
    this.#handingOver = false;
    if (!this.#paused) this.#handOver();
  };

  #handOver(): void {
    const controls = this.#controls;
    this.#controls = 0;
    if (controls > 0 && this.#state !== 'closed') this.onControls?.(controls);
    if (this.#inbox.length === 0 || this.#onFrames === null || this.#state === 'closed') return;
    const frames = this.#inbox;
    this.#inbox = [];
    this.#onFrames(frames);
  }

  // ── end ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Counts a tick of the keep-alive: pings after one silent tick, closes after `limit`. */
  tick(limit: number): void {
    if (this.#heard || !this.#reading) {
      // Whoever does not read cannot hear; the peer hears our ping all the same.
      if (!this.#heard) this.#socket.ping();
      this.#heard = false;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks++;
    if (this.#silentTicks < limit) this.#socket.ping();
    else
      this.close(closeCodes.SILENT, 'nothing was heard and pings were not answered: the peer or the network is gone');
  }

  /** Takes no more, sends what waits, then closes. */
  drain(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#afterDrain = { code, reason };
    this.#writable = false;
    this.#pump();
  }

  release(): void {
    if (this.#state !== 'open') return;
    // First, because draining may be over at once, and then nothing shall wait.
    this.#cancelRelease = this.#setTimer(this.#limits.closeTimeoutMs, () => this.#closeDrained());
    this.drain(closeCodes.RELEASED, 'needed no more here');
  }

  #closeDrained(): void {
    const { code, reason } = this.#afterDrain;
    this.close(code, reason);
  }

  close(code: number, reason: string): void {
    const sentence = clipReason(reason);
    if (this.#state !== 'closed') this.isClosing = true;
    // A paused socket would never read the peer's close frame.
    if (this.#state !== 'closed' && !this.#reading) this.#socket.resume();
    if (this.#finish(closeInfo(code, sentence, this.#context()))) this.#socket.close(code, sentence);
  }

  closed(code: number, reason: string, cause?: unknown): void {
    if (this.#state === 'closed') return this.#gone(this);
    // What had arrived before the end is handed over, even if paused: the peer flushed it to us.
    this.#handOver();
    this.#finish(closeInfo(code, reason, this.#context(), cause));
  }

  /** Ends at once what is left of the connection of a closed session. */
  cut(): void {
    this.#socket.terminate();
    this.#gone(this);
  }

  #finish(info: CloseInfo): boolean {
    if (this.#state === 'closed') return false;
    this.#state = 'closed';
    this.#cancelRelease();
    this.#cancelStall?.();
    this.#outbox.clear();
    this.#inbox = [];
    this.#writable = false;
    this.#closed(this, info);
    this.#answer(false);
    return true;
  }

  #context(): Record<string, unknown> {
    return { peer: this.peer.name, epoch: this.peer.epoch, session: this.id };
  }
}

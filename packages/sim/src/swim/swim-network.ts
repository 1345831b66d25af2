/**
 * The network of a world of SWIM alone: connections, dials, and what goes wrong with them.
 *
 * Invariants
 *  1. What is sent over one connection arrives in order, once, or not at all.
 *  2. Every dial ends, once: after two round trips, after one where nobody listens, or at its timeout.
 *  3. Of one pair one connection is open. Of two dials that cross, that of the lower name wins.
 *  4. Both ends of a connection hear of its end, unless a cut or the loss of a machine lies between them: then each finds
 *     out by itself, by the keep-alive of its transport or by an answer that the other side knows nothing of it.
 *
 * It is harsher than TCP, which sends again what was lost: here a message that is lost, or sent into a cut, is gone for good,
 * while its connection stays open. Dials are not subject to loss, but to cuts.
 */

import { type DialEnd, hashNumber, type Random } from '@grapevine/core';
import { decodeValue, encodeValue } from '@grapevine/wire';
import { chance, type Range, stream, within } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { SwimLink, SwimProcess, Wires } from './swim-process.ts';

interface Dial {
  readonly from: SwimProcess;
  readonly url: string;
  isOver: boolean;
}

/** Where somebody listens, or did. */
interface Place {
  process: SwimProcess;
}

export interface NetworkOptions {
  readonly seed: number;
  readonly queue: EventQueue;
  /** Of one message one way, in whole milliseconds. */
  readonly delayMs: Range;
  /** Share of messages that vanish. */
  readonly loss: number;
  readonly dialTimeoutMs: number;
  /** How often a transport looks for connections that are silent. */
  readonly keepAliveMs: number;
  /** Whether messages go through the codec. */
  readonly codec: boolean;
}

/** A connection on which nothing was heard for so many ticks of the keep-alive is given up, as the transport does. */
const SILENT_TICKS = 3;

export class SwimNetwork implements Wires {
  readonly queue: EventQueue;
  nowMs: number;
  loss: number;
  readonly #options: NetworkOptions;
  readonly #delays: Random;
  readonly #losses: Random;
  readonly #places = new Map<string, Place>();
  readonly #dials = new Map<SwimProcess, Map<string, Dial>>();
  /** Ways that are blocked: from any of the first to any of the second. */
  readonly #cuts = new Set<readonly [from: ReadonlySet<string>, to: ReadonlySet<string>]>();

  constructor(options: NetworkOptions, nowMs: number) {
    this.queue = options.queue;
    this.nowMs = nowMs;
    this.loss = options.loss;
    this.#options = options;
    this.#delays = stream(options.seed, 1);
    this.#losses = stream(options.seed, 2);
  }

  /** A process listens at its URL from now on. */
  listen(process: SwimProcess): void {
    this.#places.set(process.url, { process });
    const { keepAliveMs, seed } = this.#options;
    const phaseMs = (hashNumber(seed, process.index) >>> 0) % keepAliveMs;
    const tick = (): void => {
      if (!process.isUp) return;
      this.queue.put(this.nowMs + keepAliveMs, tick);
      if (!process.isStalled || process.isBlocked) this.#keepAlive(process);
    };
    this.queue.put(this.nowMs + phaseMs, tick);
  }

  /** Blocks the way from these processes to those. @returns how to open it again */
  cut(from: Iterable<SwimProcess>, to: Iterable<SwimProcess>): () => void {
    const names = (processes: Iterable<SwimProcess>): Set<string> => new Set(Array.from(processes, ({ name }) => name));
    const way = [names(from), names(to)] as const;
    this.#cuts.add(way);
    return () => void this.#cuts.delete(way);
  }

  isCut(from: SwimProcess, to: SwimProcess): boolean {
    for (const [senders, receivers] of this.#cuts) if (senders.has(from.name) && receivers.has(to.name)) return true;
    return false;
  }

  // Messages

  carry(link: SwimLink, body: unknown): void {
    if (this.loss > 0 && chance(this.#losses, this.loss)) return;
    const bytes = this.#options.codec ? encodeValue(body) : undefined;
    this.#pass(link, () => {
      const { other } = link;
      if (other?.isOpen !== true) return this.#reset(link);
      other.heardMs = this.nowMs;
      other.local.receive(link.local.name, bytes === undefined ? body : decodeValue(bytes));
    });
  }

  /** Something goes from this end to the other, in order, and happens there once its process runs. */
  #pass(link: SwimLink, act: () => void): void {
    link.local.whenSending(() => this.#passNow(link, act));
  }

  #passNow(link: SwimLink, act: () => void): void {
    const { local, remote } = link;
    if (this.#cuts.size > 0 && this.isCut(local, remote)) return;
    const atMs = Math.max(this.nowMs + this.#delay(), link.lastMs);
    link.lastMs = atMs;
    this.queue.put(atMs, () => {
      if (remote.isUp) remote.whenRunning(act);
      else if (remote.state !== 'lost') this.#reset(link);
    });
  }

  #delay(): number {
    return within(this.#delays, this.#options.delayMs);
  }

  // The end of connections

  /** Closes both ends, this one first. */
  close(link: SwimLink, released: boolean): void {
    if (!link.isOpen) return;
    const { other } = link;
    this.#shut(link, released);
    if (other !== undefined) this.#pass(link, () => this.#shut(other, released));
  }

  /** A process is over: whoever is connected hears so, if its machine can still say it. */
  ended(process: SwimProcess): void {
    for (const link of process.links.values()) {
      const { other } = link;
      link.isOpen = false;
      if (process.state !== 'lost' && other !== undefined) this.#pass(link, () => this.#shut(other, false));
    }
    process.links.clear();
    this.#dials.delete(process);
  }

  #shut(link: SwimLink, released: boolean): void {
    if (!link.isOpen) return;
    const { local, remote } = link;
    link.isOpen = false;
    if (local.links.get(remote.name) === link) local.links.delete(remote.name);
    local.whenRunning(() => local.disconnected(remote.name, released));
  }

  /** What this end has sent arrived where the connection is closed: its sender is told, and closes too. */
  #reset(link: SwimLink): void {
    if (!link.isOpen || this.isCut(link.remote, link.local)) return;
    this.queue.put(this.nowMs + this.#delay(), () => this.#shut(link, false));
  }

  #keepAlive(process: SwimProcess): void {
    const sinceMs = this.nowMs - this.#options.keepAliveMs;
    for (const link of process.links.values()) {
      const { remote } = link;
      // A ping that the transport sends by itself is answered by any process that runs.
      const hears =
        link.heardMs > sinceMs ||
        (remote.isUp &&
          !remote.isStalled &&
          !process.isStalled &&
          !this.isCut(process, remote) &&
          !this.isCut(remote, process));
      link.silentTicks = hears ? 0 : link.silentTicks + 1;
      if (link.silentTicks >= SILENT_TICKS) this.close(link, false);
    }
  }

  // Dials

  dial(from: SwimProcess, url: string): void {
    const dial: Dial = { from, url, isOver: false };
    let dials = this.#dials.get(from);
    if (dials === undefined) {
      dials = new Map<string, Dial>();
      this.#dials.set(from, dials);
    }
    dials.set(url, dial);
    this.queue.put(this.nowMs + this.#options.dialTimeoutMs, () => this.#end(dial, 'failed', null));
    const place = this.#places.get(url);
    if (place === undefined) return;
    this.#go(dial, place, () => {
      const { process } = place;
      if (process.state === 'lost') return;
      if (!process.isUp) return this.#return(dial, place, () => this.#end(dial, 'failed', null));
      // A process that stands still is connected with, but does not speak.
      process.whenRunning(() =>
        this.#return(dial, place, () =>
          this.#go(dial, place, () => process.whenRunning(() => this.#answer(dial, process, place))),
        ),
      );
    });
  }

  #go(dial: Dial, place: Place, act: () => void): void {
    dial.from.whenSending(() => {
      if (this.#cuts.size > 0 && this.isCut(dial.from, place.process)) return;
      this.queue.put(this.nowMs + this.#delay(), act);
    });
  }

  #return(dial: Dial, place: Place, act: () => void): void {
    if (this.#cuts.size > 0 && this.isCut(place.process, dial.from)) return;
    this.queue.put(this.nowMs + this.#delay(), act);
  }

  /** The process that listens decides, having heard who dials. */
  #answer(dial: Dial, process: SwimProcess, place: Place): void {
    if (dial.isOver) return;
    const { from } = dial;
    const say = (outcome: DialEnd['outcome']): void =>
      this.#return(dial, place, () => this.#end(dial, outcome, process));
    if (process === from) return say('self');
    if (process.name === from.name) return say('refused');
    const open = process.links.get(from.name);
    if (open?.remote === from) return say('duplicate');
    if (open !== undefined) {
      // Another of this name: whoever was started later has the connection.
      if (open.remote.self.epoch > from.self.epoch) return say('refused');
      this.close(open, false);
    }
    if (process.name < from.name && this.#dials.get(process)?.has(from.url) === true) return say('duplicate');
    this.#open(dial, process, place);
  }

  #open(dial: Dial, process: SwimProcess, place: Place): void {
    const { from } = dial;
    const theirs = this.#linkOf(process, from);
    const ours = this.#linkOf(from, process);
    theirs.other = ours;
    ours.other = theirs;
    const openMs = this.nowMs + this.#delay();
    // What is said here at once arrives after the answer to the dial.
    theirs.lastMs = openMs;
    const isCut = this.#cuts.size > 0 && this.isCut(place.process, from);
    if (!isCut) this.queue.put(openMs, () => from.whenRunning(() => this.#opened(dial, ours, theirs)));
    this.#attach(theirs);
  }

  /** The answer has come to who dialled. */
  #opened(dial: Dial, ours: SwimLink, theirs: SwimLink): void {
    const { local, remote } = ours;
    if (dial.isOver || local.links.has(remote.name)) {
      this.#end(dial, 'duplicate', remote);
      return this.#pass(ours, () => this.#shut(theirs, false));
    }
    this.#attach(ours);
    this.#end(dial, 'connected', remote);
  }

  #linkOf(local: SwimProcess, remote: SwimProcess): SwimLink {
    return { local, remote, other: undefined, isOpen: false, lastMs: 0, heardMs: this.nowMs, silentTicks: 0 };
  }

  #attach(link: SwimLink): void {
    link.isOpen = true;
    link.local.links.set(link.remote.name, link);
    link.local.connected(link.remote.self);
  }

  #end(dial: Dial, outcome: DialEnd['outcome'], peer: SwimProcess | null): void {
    const { from, url } = dial;
    if (dial.isOver) return;
    dial.isOver = true;
    this.#dials.get(from)?.delete(url);
    from.whenRunning(() =>
      from.dialEnded({ url, outcome, peer: peer === null ? null : { name: peer.name, epoch: peer.self.epoch } }),
    );
  }
}

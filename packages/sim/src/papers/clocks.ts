/**
 * Sites that go by their own clocks: messages take their time, and everybody acts when it is due.
 *
 * Invariants
 *  1. Every site knows every other by name; who is called is the machine's own choice.
 *  2. What arrives at a site in one millisecond is one batch, as it is where frames are read from a socket.
 *  3. Times are told in cycles: virtual milliseconds by `delta`.
 *
 * For the options as they run in production: eager pushes, direct mail, cycles out of phase. Partitions, crashes, skew and
 * the like belong to the world of the simulator; here only messages are late or lost.
 */

import { hashNumber, type Message, type Protocol, type Random, type Received, seededRandom } from '@grapevine/core';
import { EventQueue } from '../event-queue.ts';
import { copyOf, indexOf, type Network, peerOf, Site } from './site.ts';
import type { Spread } from './spread.ts';
import { Traffic } from './traffic.ts';

export interface ClockOptions {
  readonly protocol: Protocol;
  readonly nodes: number;
  /** The protocol's own `delta`: one cycle, in milliseconds. */
  readonly deltaMs: number;
  /** Share of messages that are lost. @default 0 */
  readonly loss?: number;
  /** Mean time of a message on its way, in milliseconds; each takes from half to one and a half of it. @default 1 */
  readonly latencyMs?: number;
  /** Go on until every site has the update, however long nobody is infective. For protocols with anti-entropy. @default false */
  readonly untilAll?: boolean;
  /** Of what chance the machines have before the first run: their phases. @default 0 */
  readonly seed?: number;
  /** Give up after so many cycles. @default 1000 */
  readonly cycleLimit?: number;
}

const T0 = 1_800_000_000_000;
/** Longer than a machine waits for an answer. */
const REST_CYCLES = 3;
const REST_MS = 1500;
/** Longer than it keeps what it has removed. */
const FORGET_MS = 3_600_000;

export class ClockCrowd implements Network {
  readonly #options: ClockOptions;
  readonly #sites: Site[] = [];
  readonly #queue: EventQueue = new EventQueue();
  #random: Random;
  #traffic = new Traffic(false);
  /** Virtual time without the rests. */
  #nowMs = 0;
  #restedMs = 0;
  /** Called with a site after each of its steps. */
  #stepped: ((site: Site) => void) | null = null;

  constructor(options: ClockOptions) {
    this.#options = options;
    const { nodes, protocol, seed = 0 } = options;
    this.#random = seededRandom(seed);
    const random = (): number => this.#random();
    for (let index = 0; index < nodes; index++) {
      const site = new Site({ index, protocol, network: this, random });
      this.#sites.push(site);
      this.#step(site, (nowMs) => site.machine.start(nowMs));
    }
    const peers = this.#sites.map(({ name }) => peerOf(name));
    for (const site of this.#sites)
      this.#step(site, (nowMs) =>
        site.machine.peersChanged(
          peers.filter((_, other) => other !== site.index),
          nowMs,
        ),
      );
    this.#rest();
  }

  /**
   * Lets one update spread until nobody is infective, or everybody has it.
   * @param measured whether bytes are counted
   */
  spread(random: Random, measured: boolean = false): Spread {
    const { nodes, deltaMs, untilAll = false, cycleLimit = 1000 } = this.#options;
    this.#random = random;
    this.#traffic = new Traffic(measured);
    const beganMs = this.#nowMs;
    const writer = this.#sites[0] as Site;
    const arrivals = new Float64Array(nodes).fill(Infinity);
    const removals = new Float64Array(nodes).fill(Infinity);
    const open = { lacking: nodes, infective: 0 };
    const isOver = (): boolean => (untilAll ? open.lacking : open.infective) === 0;
    let dot = { origin: writer.replica.origin, sequence: 0 };
    this.#stepped = (site): void => {
      const { index } = site;
      const cycles = (this.#nowMs - beganMs) / deltaMs;
      if (arrivals[index] === Infinity && site.replica.context.has(dot.origin, dot.sequence)) {
        arrivals[index] = cycles;
        open.lacking--;
        open.infective++;
      }
      if (arrivals[index] !== Infinity && removals[index] === Infinity && !site.isInfective) {
        removals[index] = cycles;
        open.infective--;
      }
    };
    this.#step(writer, (nowMs) => {
      dot = writer.write('rumor', nowMs);
    });
    const untilMs = beganMs + cycleLimit * deltaMs;
    while (!isOver() && this.#queue.nextMs <= untilMs) this.#next();
    this.#stepped = null;
    const { pushes, values, messages, bytes } = this.#traffic;
    this.#rest();
    return { arrivals, removals, pushes, values, messages, bytes };
  }

  /** What goes on while there is no news: all that is sent in so many cycles, by all sites. */
  idle(cycles: number): Traffic {
    const traffic = new Traffic(true);
    this.#traffic = traffic;
    const untilMs = this.#nowMs + cycles * this.#options.deltaMs;
    while (this.#queue.nextMs <= untilMs) this.#next();
    this.#nowMs = untilMs;
    this.#traffic = new Traffic(false);
    return traffic;
  }

  send(from: Site, to: string, message: Message): void {
    const index = indexOf(to) as number;
    this.#traffic.count(from.index, index, message);
    const { loss = 0, latencyMs = 1 } = this.#options;
    if (loss > 0 && this.#random() < loss) return;
    const site = this.#sites[index] as Site;
    const received = { from: from.name, message: copyOf(message) };
    // A way has a length of its own, so that what is sent on it arrives in order.
    const length = 0.5 + (hashNumber(from.index, index) >>> 0) / 2 ** 32;
    this.#queue.put(this.#nowMs + latencyMs * length, () => this.#deliver(site, received));
  }

  setTimer(site: Site, timer: string, delayMs: number): void {
    const dueMs = this.#nowMs + delayMs;
    site.timers.set(timer, dueMs);
    this.#queue.put(dueMs, () => {
      if (site.timers.get(timer) !== dueMs) return;
      site.timers.delete(timer);
      this.#step(site, (nowMs) => site.machine.tick(timer, nowMs));
    });
  }

  #deliver(site: Site, received: Received): void {
    site.inbox.push(received);
    if (site.inbox.length > 1) return;
    this.#queue.put(Math.ceil(this.#nowMs), () => this.#step(site, (nowMs) => site.receive(site.takeInbox(), nowMs)));
  }

  #next(): void {
    this.#nowMs = this.#queue.nextMs;
    this.#queue.take()();
  }

  #step(site: Site, step: (wallMs: number) => void): void {
    const wallMs = T0 + this.#restedMs + Math.floor(this.#nowMs);
    site.nowMs = wallMs;
    step(wallMs);
    this.#stepped?.(site);
  }

  /** Lets the machines forget, so that the next update finds them as if they were new. */
  #rest(): void {
    const { deltaMs } = this.#options;
    this.#random = seededRandom(0);
    this.#traffic = new Traffic(false);
    for (const { replica } of this.#sites) for (const update of replica.store) replica.drop(update);
    const untilMs = this.#nowMs + Math.max(REST_CYCLES * deltaMs, REST_MS);
    while (this.#queue.nextMs <= untilMs) this.#next();
    // A whole number of cycles, so that sites keep their phases.
    this.#restedMs += deltaMs * Math.ceil(FORGET_MS / deltaMs);
    for (const site of this.#sites) this.#step(site, (nowMs) => site.machine.collect(nowMs));
  }
}

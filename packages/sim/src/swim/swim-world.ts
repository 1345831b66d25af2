/**
 * A world of SWIM alone: up to a thousand processes that run the machine that ships, in virtual time, by one seed.
 *
 * Invariants
 *  1. The same setup and the same calls give the same run, to the last message.
 *  2. Time goes only where it is let to: `run` and `runUntil`.
 *  3. A world that starts `joined` is one in which every node knows what every other says of itself: all hashes are equal
 *     from the beginning.
 */

import {
  isThere,
  type Membership,
  type MemberStatus,
  seededRandom,
  hashNumber,
  swim,
  type SwimOptions,
} from '@grapevine/core';
import type { Range } from '../chance.ts';
import { EventQueue } from '../event-queue.ts';
import { SwimNetwork } from './swim-network.ts';
import { type Belief, SwimProcess } from './swim-process.ts';

export interface SwimSetup {
  readonly nodes: number;
  /** A whole number. */
  readonly seed: number;
  /** Of every node. Seeds are added where nodes join through one. @default {} */
  readonly options?: Partial<SwimOptions>;
  /** `joined`: each knows all from the beginning; `through-one`: each knows the URL of the first alone. @default 'joined' */
  readonly start?: 'joined' | 'through-one';
  /** Over so long the nodes are started, one after the other, in milliseconds. @default 0 */
  readonly startWithinMs?: number;
  /** How long a message takes one way, in whole milliseconds. @default [1, 3] */
  readonly delayMs?: Range;
  /** Share of messages that vanish. @default 0 */
  readonly loss?: number;
  /** Whether machines are told of their own stalls. @default true */
  readonly tellsStalls?: boolean;
  /** @default 5000 */
  readonly dialTimeoutMs?: number;
  /** @default 10000, as the transport */
  readonly keepAliveMs?: number;
  /** Whether messages go through the codec. @default false */
  readonly codec?: boolean;
  /** The length of every so manieth message is taken for all; 0: none is measured. @default 0 */
  readonly measuredEvery?: number;
}

/** Where worlds begin, in milliseconds: not at 0, which would hide what counts from there. */
export const SWIM_START_MS = 3_600_000;

export class SwimWorld {
  /** The present process of every node, in the order of their first starts. */
  readonly processes: SwimProcess[] = [];
  readonly network: SwimNetwork;
  readonly #setup: SwimSetup;
  readonly #queue = new EventQueue();
  readonly #membership: Membership;
  readonly #believed: ((belief: Belief) => void)[] = [];
  readonly #sent: ((from: SwimProcess, to: string, body: unknown) => void)[] = [];
  #started = 0;

  /** @throws GossipError OPTIONS_INVALID */
  constructor(setup: SwimSetup) {
    const { nodes, seed, options = {}, start = 'joined', startWithinMs = 0 } = setup;
    this.#setup = setup;
    this.network = new SwimNetwork(
      {
        seed,
        queue: this.#queue,
        delayMs: setup.delayMs ?? [1, 3],
        loss: setup.loss ?? 0,
        dialTimeoutMs: setup.dialTimeoutMs ?? 5000,
        keepAliveMs: setup.keepAliveMs ?? 10_000,
        codec: setup.codec ?? false,
      },
      SWIM_START_MS,
    );
    this.#membership = swim(start === 'joined' ? options : { ...options, seeds: [swimUrlOf(0)] });
    const all = start === 'joined' ? Array.from({ length: nodes }, (_, index) => memberOf(index)) : [];
    for (let index = 0; index < nodes; index++) {
      const atMs = this.nowMs + Math.floor((startWithinMs * index) / nodes);
      const begin = (): void => {
        // A node never inherits itself. Statuses are never changed, so all can share them.
        const inherited = all.filter((_, other) => other !== index);
        this.processes[index] = this.#begin({ index, url: swimUrlOf(index), epoch: 1, inherited });
      };
      if (atMs === this.nowMs) begin();
      else this.#queue.put(atMs, begin);
    }
  }

  get nowMs(): number {
    return this.network.nowMs;
  }

  /** Those that run. */
  get up(): SwimProcess[] {
    return this.processes.filter(({ isUp }) => isUp);
  }

  /** @throws RangeError if there is no such node, or it was not started so far */
  process(index: number): SwimProcess {
    const process = this.processes[index];
    if (process === undefined) throw new RangeError(`there is no node ${index}`);
    return process;
  }

  /** Calls back at every change of what some process believes of another. */
  onBelief(believed: (belief: Belief) => void): void {
    this.#believed.push(believed);
  }

  /** Calls back at every message that is put on a connection. */
  onSent(sent: (from: SwimProcess, to: string, body: unknown) => void): void {
    this.#sent.push(sent);
  }

  // Time

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    const queue = this.#queue;
    while (queue.nextMs <= untilMs) {
      this.network.nowMs = queue.nextMs;
      queue.take()();
    }
    this.network.nowMs = untilMs;
  }

  /** @returns when it came to hold, looked at every `stepMs`; `undefined`: it did not within `atMostMs` */
  runUntil(holds: () => boolean, atMostMs: number, stepMs: number = 100): number | undefined {
    const endMs = this.nowMs + atMostMs;
    for (;;) {
      if (holds()) return this.nowMs;
      if (this.nowMs >= endMs) return undefined;
      this.run(Math.min(stepMs, endMs - this.nowMs));
    }
  }

  /** Something happens then. */
  at(atMs: number, act: () => void): void {
    this.#queue.put(atMs, act);
  }

  // What happens to nodes

  /** The process is over at once. Its machine lives: it resets connections, and refuses dials. */
  crash(process: SwimProcess): void {
    process.state = 'crashed';
    this.network.ended(process);
  }

  /** The machine is gone: nobody hears anything. */
  lose(process: SwimProcess): void {
    process.state = 'lost';
    this.network.ended(process);
  }

  /** Says goodbye, and ends a moment later. */
  leave(process: SwimProcess, afterMs: number = 10): void {
    process.whenRunning(() => process.leave());
    this.#queue.put(this.nowMs + afterMs, () => {
      if (!process.isUp) return;
      process.state = 'left';
      this.network.ended(process);
    });
  }

  /** A process of the same name, with a new epoch and what the former remembered. The former must be over. */
  restart(former: SwimProcess, url: string = former.url): SwimProcess {
    const { index, self, remembered } = former;
    const process = this.#begin({ index, url, epoch: self.epoch + 1, inherited: [], remembered });
    this.processes[index] = process;
    return process;
  }

  /** No message passes between these and all others, either way. @returns how to heal it */
  partition(processes: readonly SwimProcess[]): () => void {
    const inside = new Set(processes);
    const outside = this.processes.filter((process) => !inside.has(process));
    const heals = [this.network.cut(inside, outside), this.network.cut(outside, inside)];
    return () => heals.forEach((heal) => heal());
  }

  // What they believe

  /** Whether all that run take all that run, under their present epochs, for alive, and nobody else. */
  get isAgreed(): boolean {
    const { up } = this;
    const epochs = new Map(up.map(({ name, self }) => [name, self.epoch]));
    return up.every(
      ({ members }) =>
        members.reduce((sum, member) => sum + (isThere(member) ? 1 : 0), 0) === up.length - 1 &&
        members.every(
          (member) => !isThere(member) || (epochs.get(member.name) === member.epoch && member.state !== 'suspect'),
        ),
    );
  }

  #begin({ index, url, epoch, inherited, remembered = [] }: Beginning): SwimProcess {
    const { seed, tellsStalls = true, measuredEvery = 0 } = this.#setup;
    const process = new SwimProcess({
      self: { name: swimNameOf(index), epoch, url },
      index,
      membership: this.#membership,
      network: this.network,
      random: seededRandom(hashNumber(seed, 1000 + this.#started++)),
      inherited,
      remembered,
      tellsStalls,
      measuredEvery,
      believed: (belief) => {
        for (const believed of this.#believed) believed(belief);
      },
      sent: (from, to, body) => {
        for (const sent of this.#sent) sent(from, to, body);
      },
    });
    this.network.listen(process);
    process.start();
    return process;
  }
}

interface Beginning {
  readonly index: number;
  readonly url: string;
  readonly epoch: number;
  readonly inherited: readonly MemberStatus[];
  readonly remembered?: readonly string[];
}

export function swimNameOf(index: number): string {
  return `node-${index}`;
}

export function swimUrlOf(index: number): string {
  return `ws://10.0.${index >> 8}.${index & 255}:7001`;
}

/** A node as it speaks of itself at its first start. */
function memberOf(index: number): Required<MemberStatus> {
  return {
    name: swimNameOf(index),
    epoch: 1,
    url: swimUrlOf(index),
    meta: {},
    state: 'alive',
    // What a machine begins with that takes up what a former one has published.
    incarnation: 1 + SWIM_START_MS,
    sinceMs: SWIM_START_MS,
  };
}

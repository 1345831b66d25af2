/**
 * One site of an experiment: a replica with the very machine that ships, and what it is waiting for.
 *
 * Invariants
 *  1. Nothing happens by itself: a driver hands over messages and fires timers, and everything sent goes to the driver.
 *  2. No two sites share an object that may change: updates that travel are copied, as the codec does.
 */

import {
  type Effects,
  epidemicStatus,
  type Machine,
  type Message,
  type Peer,
  type Protocol,
  type Random,
  type Received,
  Replica,
  Update,
} from '@grapevine/core';

/** Takes what sites ask for. */
export interface Network {
  send(from: Site, to: string, message: Message): void;
  setTimer(site: Site, timer: string, delayMs: number): void;
}

export interface SiteOptions {
  readonly index: number;
  readonly protocol: Protocol;
  readonly network: Network;
  readonly random: Random;
}

const HOUR_MS = 3_600_000;
/** `{ value: 12345 }` as MessagePack. */
const VALUE = '\x81\xa5value\xcd09';

export class Site implements Effects {
  readonly index: number;
  readonly name: string;
  readonly replica: Replica;
  readonly machine: Machine;
  readonly #network: Network;
  /** Due times of the machine's timers, in milliseconds. */
  readonly timers: Map<string, number> = new Map();
  /** What has arrived and was not handed over yet. */
  inbox: Received[] = [];
  nowMs = 0;

  constructor({ index, protocol, network, random }: SiteOptions) {
    this.index = index;
    this.name = nameOf(index);
    this.#network = network;
    this.replica = new Replica({
      name: this.name,
      epoch: 1,
      maxDriftMs: HOUR_MS,
      maxUpdateBytes: 1024 * 1024,
      forgetAfterMs: 24 * HOUR_MS,
    });
    this.machine = protocol.create({ self: this.name, replica: this.replica, effects: this, random, judged: false });
  }

  /** Whether it still spreads anything. A protocol without rumors never loses interest. */
  get isInfective(): boolean {
    return (epidemicStatus(this.machine)?.infective ?? 1) > 0;
  }

  /** Writes an id here and gives it to the machine. */
  write(id: string, nowMs: number): Update {
    this.nowMs = nowMs;
    const update = this.replica.write(id, VALUE, undefined, nowMs);
    this.machine.add(this.replica.takeFresh(), nowMs);
    return update;
  }

  send(to: string | readonly string[], message: Message): void {
    if (typeof to === 'string') this.#network.send(this, to, message);
    else for (const peer of to) this.#network.send(this, peer, message);
  }

  offer(): void {
    // Nobody judges here: all is kept.
  }

  setTimer(timer: string, delayMs: number): void {
    this.#network.setTimer(this, timer, delayMs);
  }

  report(): void {
    // Clocks agree and updates are small: there is nothing to report.
  }

  /** Hands over a batch. */
  receive(batch: readonly Received[], nowMs: number): void {
    this.nowMs = nowMs;
    this.machine.receive(batch, nowMs);
  }

  /** Takes out what has arrived. */
  takeInbox(): Received[] {
    const batch = this.inbox;
    this.inbox = [];
    return batch;
  }
}

export function nameOf(index: number): string {
  return `site-${index}`;
}

/** The site's number in its name; `undefined`: it is not the name of a site. */
export function indexOf(name: string): number | undefined {
  return name.startsWith('site-') ? Number(name.slice(5)) : undefined;
}

/** How others see a site, connected once and for all. */
export function peerOf(name: string): Peer {
  return { name, session: 1, epochOfUs: 0 };
}

/** The message as the codec would make it anew at the receiver. Sets of dots are data that nobody changes. */
export function copyOf(message: Message): Message {
  if (message.type !== 'updates' && message.type !== 'chunk') return message;
  return { ...message, updates: Array.from(message.updates, copyOfUpdate) };
}

function copyOfUpdate({ id, value, stamp, origin, sequence, expiresAt }: Update): Update {
  return new Update(id, value, stamp, origin, sequence, expiresAt);
}

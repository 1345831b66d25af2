/**
 * Some nodes that run one membership module, for its conformance suite: virtual time, and dials that find who listens.
 *
 * Invariants
 *  1. Whom a node dials it is connected with, while that node is up; a connection serves both ends.
 *  2. What is sent goes through the codec and the receiver's own check, and arrives in order.
 */

import { isThere, type Member, type Membership, type MembershipMachine, seededRandom } from '@grapevine/core';
import { decodeValue, encodeValue } from '@grapevine/wire';
import { EventQueue } from '../event-queue.ts';

const T0 = 1_800_000_000_000;
const LATENCY_MS = 1;

export interface Attendant {
  readonly self: Member;
  readonly machine: MembershipMachine;
  /** Every view that was published, the newest last. */
  readonly views: (readonly Member[])[];
  readonly connected: Set<string>;
  /** Every URL that was dialled. */
  readonly dialled: Set<string>;
  /** Those that are kept connected. */
  kept: readonly string[];
  isUp: boolean;
}

export function urlOf(name: string): string {
  return `ws://${name}:7001`;
}

/** The names in the newest view, in order. */
export function viewOf({ views }: Attendant): string[] {
  return (views.at(-1) ?? []).map(({ name }) => name).toSorted();
}

export class Crowd {
  readonly attendants: Attendant[] = [];
  /** Bodies that the receiver's module did not accept. */
  readonly strangers: unknown[] = [];
  readonly #make: (urls: readonly string[]) => Membership;
  readonly #queue = new EventQueue();
  #nowMs = T0;

  /** @param make a module that starts with these URLs */
  constructor(make: (urls: readonly string[]) => Membership) {
    this.#make = make;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** A node that joins with the URLs of the nodes of these names. */
  join(name: string, knows: readonly string[], epoch: number = 1000): Attendant {
    const membership = this.#make(knows.map(urlOf));
    const self = { name, epoch, url: urlOf(name) };
    const timers = new Map<string, number>();
    const views: (readonly Member[])[] = [];
    const machine = membership.create({
      self,
      random: seededRandom(this.attendants.length + 1),
      effects: {
        dial: (urls) => {
          attendant.kept = [...urls];
          for (const url of urls) attendant.dialled.add(url);
          this.#queue.put(this.#nowMs + LATENCY_MS, () => this.#meet(attendant));
        },
        connect: (url) => this.#queue.put(this.#nowMs + LATENCY_MS, () => this.#connect(attendant, url)),
        hangUp: (peer) => this.#queue.put(this.#nowMs + LATENCY_MS, () => this.#part(attendant, peer, true)),
        expel: (peer) => this.#queue.put(this.#nowMs + LATENCY_MS, () => this.#part(attendant, peer, false)),
        discover: () => undefined,
        remember: () => undefined,
        outlive: () => undefined,
        view: (members) => void views.push(members.filter(isThere)),
        send: (to, body) => {
          for (const receiver of typeof to === 'string' ? [to] : to) this.#carry(attendant, receiver, body);
        },
        setTimer: (timer, delayMs) => {
          const dueMs = this.#nowMs + Math.max(0, delayMs);
          timers.set(timer, dueMs);
          this.#queue.put(dueMs, () => {
            if (timers.get(timer) !== dueMs || !attendant.isUp) return;
            timers.delete(timer);
            machine.tick(timer, this.#nowMs);
          });
        },
        report: () => undefined,
      },
    });
    const attendant: Attendant = {
      self,
      machine,
      views,
      connected: new Set(),
      dialled: new Set(),
      kept: [],
      isUp: true,
    };
    this.attendants.push(attendant);
    machine.start(this.#nowMs);
    // Others may have dialled this place for long.
    for (const other of this.attendants) this.#meet(other);
    return attendant;
  }

  /** The process of a node is gone: its connections break, and nobody hears of it again. */
  crash(attendant: Attendant): void {
    attendant.isUp = false;
    for (const other of this.attendants)
      if (other.isUp && other.connected.delete(attendant.self.name))
        other.machine.disconnected(attendant.self.name, this.#nowMs, false);
  }

  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    while (this.#queue.nextMs <= untilMs) {
      this.#nowMs = Math.max(this.#nowMs, this.#queue.nextMs);
      this.#queue.take()();
    }
    this.#nowMs = untilMs;
  }

  /** @returns whether the condition came to hold */
  passUntil(holds: () => boolean, atMostMs: number): boolean {
    for (const endMs = this.#nowMs + atMostMs; this.#nowMs < endMs && !holds();) this.pass(50);
    return holds();
  }

  #meet(from: Attendant): void {
    if (!from.isUp) return;
    for (const to of this.attendants) {
      if (to === from || !to.isUp || from.connected.has(to.self.name)) continue;
      if (!from.kept.includes(to.self.url as string)) continue;
      this.#join(from, to);
    }
  }

  /** One dial, and how it ends. */
  #connect(from: Attendant, url: string): void {
    if (!from.isUp) return;
    from.dialled.add(url);
    const to = this.attendants.find(({ self, isUp }) => isUp && self.url === url);
    const peer = to === undefined ? null : { name: to.self.name, epoch: to.self.epoch };
    const isOpen = to !== undefined && from.connected.has(to.self.name);
    if (to !== undefined && to !== from && !isOpen) this.#join(from, to);
    const outcome = to === undefined ? 'failed' : to === from ? 'self' : isOpen ? 'duplicate' : 'connected';
    from.machine.dialEnded?.({ url, outcome, peer }, this.#nowMs);
  }

  #join(from: Attendant, to: Attendant): void {
    from.connected.add(to.self.name);
    to.connected.add(from.self.name);
    from.machine.connected(to.self, this.#nowMs);
    to.machine.connected(from.self, this.#nowMs);
  }

  #part(from: Attendant, name: string, released: boolean): void {
    const to = this.attendants.find(({ self, isUp }) => isUp && self.name === name);
    if (!from.isUp || to === undefined || !from.connected.delete(name)) return;
    to.connected.delete(from.self.name);
    from.machine.disconnected(name, this.#nowMs, released);
    to.machine.disconnected(from.self.name, this.#nowMs, released);
  }

  #carry(from: Attendant, to: string, body: unknown): void {
    if (!from.connected.has(to)) return;
    const bytes = encodeValue(body);
    this.#queue.put(this.#nowMs + LATENCY_MS, () => {
      const receiver = this.attendants.find(({ self, isUp }) => isUp && self.name === to);
      if (receiver === undefined || !receiver.connected.has(from.self.name)) return;
      const arrived = decodeValue(bytes);
      if (this.#make([]).accepts(arrived)) receiver.machine.receive(from.self.name, arrived, this.#nowMs);
      else this.strangers.push(arrived);
    });
  }
}

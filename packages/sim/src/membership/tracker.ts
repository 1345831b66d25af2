/**
 * A node's tracker: runs the machine of its membership, and does what the tracker actor does around it.
 *
 * Invariants
 *  1. The machine's clock never runs back, whatever the node's own clock does: milliseconds since the process began.
 *  2. A machine hears that its process stood still before it hears of anything that this delayed.
 *  3. A view is passed on after the input that changed it, and whenever a connection has opened or closed.
 *  4. What an effect asks for happens after the input that asked.
 *
 * Source: actors/src/membership.ts.
 */

import {
  type DialEnd,
  type GossipError,
  isThere,
  type Member,
  type Membership,
  type MembershipEffects,
  type MembershipMachine,
  type MemberStatus,
  type Message,
  type Random,
} from '@grapevine/core';
import type { End } from '../connection.ts';
import type { Act } from '../event-queue.ts';

/** What a tracker is to the node that it belongs to. */
export interface TrackerDetails {
  readonly membership: Membership;
  readonly self: Member;
  readonly random: Random;
  readonly inherited: readonly MemberStatus[];
  readonly remembered: readonly string[];
  readonly forgetAfterMs: number;
  readonly maxConnections: number;
  /** Milliseconds since the process began. */
  readonly nowMs: () => number;
  readonly after: (delayMs: number, act: Act) => void;
  readonly whenRunning: (act: Act) => void;
  readonly ends: ReadonlyMap<string, End>;
  readonly dial: (url: string) => void;
  readonly send: (to: readonly string[], message: Message) => void;
  readonly outlive: (epoch: number) => void;
  readonly remember: (urls: readonly string[]) => void;
  /** Who is known, and the names of those who are there, and how many of them are not connected. */
  readonly published: (roster: readonly MemberStatus[], names: ReadonlySet<string>, beyond: number) => void;
  /** Another of its name lives. */
  readonly toldOfOther: () => void;
  /** Something is wrong with the machine. */
  readonly broken: (what: string) => void;
}

/** As the tracker actor has them. */
const STANDSTILL_MS = 100;
const HEARING_MS = 200;
const BUSY_BYTES = 65_536;

export class Tracker implements MembershipEffects {
  readonly #details: TrackerDetails;
  readonly #machine: MembershipMachine;
  /** When each timer is due. */
  readonly #timers = new Map<string, number>();
  /** What connections that are to go had carried when that was last asked. */
  readonly #carried = new Map<string, number>();
  #roster: readonly MemberStatus[];
  #isPublished = true;
  #tiesChanged = true;
  #countedMs = -Infinity;
  #isOver = false;

  constructor(details: TrackerDetails) {
    const { membership, self, random, inherited, remembered, forgetAfterMs, maxConnections } = details;
    this.#details = details;
    this.#roster = inherited;
    this.#machine = membership.create({
      self,
      effects: this,
      random,
      inherited,
      remembered,
      forgetAfterMs,
      maxConnections,
    });
  }

  /** Begins, with the connections that are open. */
  start(): void {
    this.#step((nowMs) => {
      this.#machine.start(nowMs);
      for (const { hello } of this.#details.ends.values()) this.#machine.connected(hello as Member, nowMs);
    });
  }

  /** Nothing is asked for any more. */
  stop(): void {
    this.#isOver = true;
  }

  connected(member: Member): void {
    this.#tiesChanged = true;
    this.#step((nowMs) => this.#machine.connected(member, nowMs));
  }

  disconnected(name: string, released: boolean): void {
    this.#tiesChanged = true;
    this.#carried.delete(name);
    this.#step((nowMs) => this.#machine.disconnected(name, nowMs, released));
  }

  dialEnded(end: DialEnd): void {
    this.#step((nowMs) => this.#machine.dialEnded?.(end, nowMs));
  }

  receive(from: string, said: readonly Message[]): void {
    const { membership, broken } = this.#details;
    this.#step((nowMs) => {
      for (const message of said)
        if (message.type === 'custom' && membership.accepts(message.body))
          this.#machine.receive(from, message.body, nowMs);
        else broken(`${from} said ${JSON.stringify(message)}, which is none of the membership's`);
    });
  }

  /** This node is about to go. */
  leave(): void {
    this.#step((nowMs) => this.#machine.leave(nowMs));
  }

  #step(input: (nowMs: number) => void): void {
    if (this.#isOver) return;
    const nowMs = this.#details.nowMs();
    try {
      this.#noticeStandstill(nowMs);
      input(nowMs);
    } catch (error) {
      this.#details.broken(`the membership threw: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (!this.#isOver) this.#publish();
  }

  /** The timer that should have run first says for how long nothing ran. */
  #noticeStandstill(nowMs: number): void {
    const sinceMs = Math.max(Math.min(Infinity, ...this.#timers.values()), this.#countedMs);
    if (nowMs - sinceMs < STANDSTILL_MS) return;
    this.#countedMs = nowMs;
    this.#machine.stalled?.(nowMs - sinceMs + HEARING_MS, nowMs);
  }

  #publish(): void {
    if (this.#isPublished && !this.#tiesChanged) return;
    this.#isPublished = true;
    this.#tiesChanged = false;
    const { ends, published } = this.#details;
    const names = new Set<string>();
    let beyond = 0;
    for (const status of this.#roster) {
      if (!isThere(status)) continue;
      names.add(status.name);
      if (!ends.has(status.name)) beyond += 1;
    }
    published(this.#roster, names, beyond);
  }

  #later(act: Act): void {
    this.#details.after(0, () => {
      if (!this.#isOver) act();
    });
  }

  // Effects.

  dial(): void {
    // Nothing is kept connected for a list's sake here: machines ask for single dials.
  }

  connect(url: string): void {
    this.#later(() => this.#details.dial(url));
  }

  /** A connection that is busy is kept: who needs it no more asks again. */
  hangUp(name: string): void {
    const end = this.#details.ends.get(name);
    if (end === undefined) return;
    const carried = this.#carried.get(name);
    this.#carried.set(name, end.carriedBytes);
    if (carried !== undefined && end.carriedBytes - carried < BUSY_BYTES)
      this.#later(() => end.close({ released: true }));
  }

  expel(name: string, _reason: string, epoch?: number): void {
    const end = this.#details.ends.get(name);
    if (end === undefined || (epoch !== undefined && end.hello?.epoch !== epoch)) return;
    this.#later(() => {
      end.peer.isExpelled = true;
      end.close();
    });
  }

  outlive(epoch: number): void {
    this.#later(() => this.#details.outlive(epoch));
  }

  view(members: readonly MemberStatus[]): void {
    this.#roster = members;
    this.#isPublished = false;
  }

  send(to: string | readonly string[], body: unknown): void {
    this.#details.send(typeof to === 'string' ? [to] : to, { type: 'custom', body });
  }

  discover(): void {
    // Seeds are URLs here.
  }

  remember(urls: readonly string[]): void {
    this.#details.remember(urls);
  }

  setTimer(timer: string, delayMs: number): void {
    // No timer of a process is finer than a millisecond.
    const waitMs = Math.max(1, Math.ceil(delayMs));
    const dueMs = this.#details.nowMs() + waitMs;
    this.#timers.set(timer, dueMs);
    this.#details.after(waitMs, () => {
      this.#details.whenRunning(() => {
        if (this.#timers.get(timer) !== dueMs || this.#isOver) return;
        this.#step((nowMs) => {
          this.#timers.delete(timer);
          this.#machine.tick(timer, nowMs);
        });
      });
    });
  }

  report({ code }: GossipError): void {
    // What else it says is for humans.
    if (code === 'NAME_TAKEN') this.#details.toldOfOther();
  }
}

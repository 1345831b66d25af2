/**
 * One process of a world of SWIM alone: the machine that ships, and what a shell would do for it.
 *
 * Invariants
 *  1. What an effect asks for happens after the input that asked, never within it.
 *  2. While a process stands still, its inputs and timers wait. When it goes on, it is told so (if the world tells), then
 *     come its late timers, then what arrived, in the order of arrival.
 *  3. While a process is cut short (it runs, and its timers with it, but it neither sends nor receives), what it sends goes
 *     out when that is over, and then comes what arrived.
 *  4. A process that is over takes no input and sends nothing.
 *  5. Every message is one that the module itself accepts, or the world fails.
 */

import {
  type DialEnd,
  type GossipError,
  type Member,
  type Membership,
  type MembershipEffects,
  type MembershipMachine,
  type MemberState,
  type MemberStatus,
  type Random,
} from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';
import type { Act, EventQueue } from '../event-queue.ts';

/**
 * `running`; `left`: said goodbye and ended; `crashed`: the process is over, its machine answers that nobody listens;
 * `lost`: the machine is gone and answers nothing.
 */
export type ProcessState = 'running' | 'left' | 'crashed' | 'lost';

/** By which input a process came to believe something else. */
export type SwimInput = 'start' | 'connected' | 'disconnected' | 'dialEnded' | 'receive' | 'tick' | 'leave';

/** Somebody's belief of somebody has changed. */
export interface Belief {
  readonly observer: SwimProcess;
  readonly subject: MemberStatus;
  readonly state: MemberState;
  /** What it was; `undefined`: it was not known. */
  readonly before: MemberState | undefined;
  readonly input: SwimInput;
  readonly atMs: number;
}

/** One end of a connection. */
export interface SwimLink {
  readonly local: SwimProcess;
  readonly remote: SwimProcess;
  /** The other end. */
  other: SwimLink | undefined;
  isOpen: boolean;
  /** When what was sent last from here arrives. */
  lastMs: number;
  /** When something was heard here last, and how often the keep-alive has found that nothing was. */
  heardMs: number;
  silentTicks: number;
}

/** What a process needs of the network. */
export interface Wires {
  readonly nowMs: number;
  readonly queue: EventQueue;
  dial(from: SwimProcess, url: string): void;
  carry(link: SwimLink, body: unknown): void;
  close(link: SwimLink, released: boolean): void;
}

export interface ProcessDetails {
  readonly self: Member & { readonly url: string };
  readonly index: number;
  readonly membership: Membership;
  readonly network: Wires;
  readonly random: Random;
  readonly inherited: readonly MemberStatus[];
  readonly remembered: readonly string[];
  /** Whether a stall is an input. */
  readonly tellsStalls: boolean;
  /** The length of every so manieth message is taken for all of them; 0: none is measured. */
  readonly measuredEvery: number;
  readonly believed: (belief: Belief) => void;
  readonly sent: (from: SwimProcess, to: string, body: unknown) => void;
}

export class SwimProcess implements MembershipEffects {
  readonly self: Member & { readonly url: string };
  readonly index: number;
  state: ProcessState = 'running';
  /** What it published last. */
  members: readonly MemberStatus[];
  /** What it would try at its next start. */
  remembered: readonly string[];
  /** Its open connections, by the peer's name. */
  readonly links: Map<string, SwimLink> = new Map<string, SwimLink>();
  readonly reports: GossipError[] = [];
  /** What it has sent over connections, and how many bytes its messages have, as the codec writes them. */
  messages = 0;
  bytes = 0;
  dials = 0;
  /** When it stood still last, and until when: `atMs` of a belief between them is one of a process that is stopped. */
  stalledMs: readonly [from: number, until: number] = [-1, -1];
  readonly #details: ProcessDetails;
  readonly #machine: MembershipMachine;
  readonly #timers = new Map<string, number>();
  #late: string[] = [];
  #held: Act[] = [];
  #unsent: Act[] = [];
  #stall: 'stopped' | 'blocked' = 'stopped';
  #input: SwimInput = 'start';

  constructor(details: ProcessDetails) {
    const { self, index, membership, random, inherited, remembered } = details;
    this.self = self;
    this.index = index;
    this.members = inherited;
    this.remembered = remembered;
    this.#details = details;
    this.#machine = membership.create({ self, effects: this, random, inherited, remembered });
  }

  get name(): string {
    return this.self.name;
  }

  get url(): string {
    return this.self.url;
  }

  get isUp(): boolean {
    return this.state === 'running';
  }

  /** Whether it takes no input now. */
  get isStalled(): boolean {
    return this.stalledMs[1] > this.#nowMs;
  }

  /** Whether it runs, but neither sends nor receives. */
  get isBlocked(): boolean {
    return this.isStalled && this.#stall === 'blocked';
  }

  get #nowMs(): number {
    return this.#details.network.nowMs;
  }

  // What happens to it

  start(): void {
    this.#machine.start(this.#nowMs);
  }

  connected(member: Member): void {
    this.#step('connected', () => this.#machine.connected(member, this.#nowMs));
  }

  disconnected(name: string, released: boolean): void {
    this.#step('disconnected', () => this.#machine.disconnected(name, this.#nowMs, released));
  }

  dialEnded(end: DialEnd): void {
    this.#step('dialEnded', () => this.#machine.dialEnded?.(end, this.#nowMs));
  }

  /** @throws Error if the module does not accept what it has sent itself: a bug in it */
  receive(from: string, body: unknown): void {
    if (!this.#details.membership.accepts(body))
      throw new Error(`${from} has sent ${this.name} what its module does not accept: ${JSON.stringify(body)}`);
    this.#step('receive', () => this.#machine.receive(from, body, this.#nowMs));
  }

  /** Says goodbye. */
  leave(): void {
    this.#step('leave', () => this.#machine.leave(this.#nowMs));
  }

  /** Something reaches it: now, or when it takes inputs again. */
  whenRunning(act: Act): void {
    if (!this.isUp) return;
    if (this.isStalled) this.#held.push(act);
    else act();
  }

  /** Something goes out from it: now, or when it sends again. */
  whenSending(act: Act): void {
    if (this.isUp && this.isBlocked) this.#unsent.push(act);
    else act();
  }

  /** Stands still for so long from now on; a stall that lasts longer already is left alone. */
  stall(forMs: number): void {
    this.#pause('stopped', forMs);
  }

  /** Neither sends nor receives for so long from now on, and runs all the same. */
  block(forMs: number): void {
    this.#pause('blocked', forMs);
  }

  #pause(kind: 'stopped' | 'blocked', forMs: number): void {
    const { network } = this.#details;
    const nowMs = this.#nowMs;
    const untilMs = nowMs + forMs;
    if (!this.isUp || this.stalledMs[1] >= untilMs) return;
    this.stalledMs = [this.isStalled ? this.stalledMs[0] : nowMs, untilMs];
    this.#stall = kind;
    network.queue.put(untilMs, () => {
      if (this.stalledMs[1] === untilMs) this.#resume();
    });
  }

  #resume(): void {
    if (!this.isUp) return;
    const [fromMs, untilMs] = this.stalledMs;
    const late = this.#late;
    const held = this.#held;
    const unsent = this.#unsent;
    this.#late = [];
    this.#held = [];
    this.#unsent = [];
    if (this.#stall === 'stopped' && this.#details.tellsStalls) this.#machine.stalled?.(untilMs - fromMs, untilMs);
    for (const act of unsent) act();
    for (const timer of late) this.#tick(timer);
    for (const act of held) this.whenRunning(act);
  }

  #tick(timer: string): void {
    this.#step('tick', () => this.#machine.tick(timer, this.#nowMs));
  }

  #step(input: SwimInput, act: Act): void {
    if (!this.isUp) return;
    this.#input = input;
    act();
  }

  // What it asks for

  dial(): void {
    // SWIM dials by itself.
  }

  connect(url: string): void {
    this.dials += 1;
    this.#details.network.dial(this, url);
  }

  outlive(epoch: number): void {
    // Clocks of this world never run back.
    throw new Error(`nobody here can have had a later epoch than its own, and ${this.name} heard of ${epoch}`);
  }

  hangUp(name: string): void {
    this.#close(name, true);
  }

  expel(name: string, _reason: string, epoch?: number): void {
    if (epoch === undefined || this.links.get(name)?.remote.self.epoch === epoch) this.#close(name, false);
  }

  #close(name: string, released: boolean): void {
    const { network } = this.#details;
    const link = this.links.get(name);
    if (link !== undefined) network.queue.put(this.#nowMs, () => network.close(link, released));
  }

  view(members: readonly MemberStatus[]): void {
    const before = this.members;
    this.members = members;
    for (const [former, status] of differences(before, members)) {
      const { state = 'alive', epoch } = status;
      if (former !== undefined && former.epoch === epoch && (former.state ?? 'alive') === state) continue;
      this.#details.believed({
        observer: this,
        subject: status,
        state,
        before: former?.state,
        input: this.#input,
        atMs: this.#nowMs,
      });
    }
  }

  send(to: string | readonly string[], body: unknown): void {
    if (!this.isUp) return;
    const { network, sent, measuredEvery } = this.#details;
    for (const name of typeof to === 'string' ? [to] : to) {
      const link = this.links.get(name);
      if (link === undefined) continue;
      sent(this, name, body);
      if (measuredEvery > 0 && this.messages % measuredEvery === 0)
        this.bytes += encodeValue(body).length * measuredEvery;
      this.messages += 1;
      network.carry(link, body);
    }
  }

  discover(): void {
    // There is nobody to ask in this world: seeds are URLs.
  }

  remember(urls: readonly string[]): void {
    this.remembered = urls;
  }

  setTimer(timer: string, delayMs: number): void {
    // No clock is finer than a millisecond, and no timer early.
    const dueMs = this.#nowMs + Math.ceil(Math.max(0, delayMs));
    this.#timers.set(timer, dueMs);
    this.#details.network.queue.put(dueMs, () => {
      if (this.#timers.get(timer) !== dueMs || !this.isUp) return;
      this.#timers.delete(timer);
      if (this.isStalled && !this.isBlocked) this.#late.push(timer);
      else this.#tick(timer);
    });
  }

  report(error: GossipError): void {
    this.reports.push(error);
  }
}

/** Every status that is another than before, beside the former one of the same name. Nobody who is forgotten is listed. */
function differences(
  before: readonly MemberStatus[],
  members: readonly MemberStatus[],
): [MemberStatus | undefined, MemberStatus][] {
  const found: [MemberStatus | undefined, MemberStatus][] = [];
  // Most stand where they stood.
  let index = 0;
  for (; index < members.length; index++) {
    const status = members[index] as MemberStatus;
    const former = before[index];
    if (former === status) continue;
    if (former?.name !== status.name) break;
    found.push([former, status]);
  }
  if (index === members.length) return found;
  const former = new Map(before.slice(index).map((status) => [status.name, status]));
  for (const status of members.slice(index)) {
    const was = former.get(status.name);
    if (was !== status) found.push([was, status]);
  }
  return found;
}

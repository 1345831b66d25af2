/**
 * A machine of SWIM and a small world around it: for tests.
 *
 * Invariants
 *  1. Time is virtual, and passes only where a test says so.
 *  2. Whatever the machine says, and whatever it is told, is what a peer would accept.
 */
import type { GossipError } from '../../errors.ts';
import type { DialEnd, Member, MembershipEnvironment, MembershipMachine, MemberStatus } from '../../membership.ts';
import { seededRandom } from '../../random.ts';
import { ACK, GOSSIP, isSwimMessage, PING, SYNC, type SwimMessage, type SwimRecord } from '../swim/messages.ts';
import type { SwimOptions } from '../swim/options.ts';
import { swim } from '../swim.ts';

/** States of a record. */
export const ALIVE = 0;
export const SUSPECT = 1;
export const DOWN = 2;
export const LEFT = 3;
/** When a scene begins, in milliseconds. */
export const T0 = 1_000_000;

export interface Sent {
  readonly to: string;
  readonly message: SwimMessage;
  readonly atMs: number;
}

/** What of the environment is not as `Scene` makes it. */
export interface Arrangement extends Partial<Omit<MembershipEnvironment, 'self'>> {
  readonly self?: Partial<Member>;
  readonly options?: Partial<SwimOptions>;
  readonly seed?: number;
}

/** What of a record is rarely of interest. */
export interface RecordDetails {
  readonly epoch: number;
  readonly url: string | null;
  readonly meta: MemberStatus['meta'] & object;
  readonly accusers: readonly string[];
}

export const urlOf = (name: string): string => `ws://${name}:7001`;
export const aMember = (name: string, epoch = 1, url: string | null = urlOf(name)): Member => ({ name, epoch, url });

export function aRecord(
  name: string,
  state: number = ALIVE,
  incarnation = 1,
  { epoch = 1, url = urlOf(name), meta = {}, accusers = [] }: Partial<RecordDetails> = {},
): SwimRecord {
  return [name, epoch, incarnation, state, url, meta, accusers];
}

/** One machine with a small world around it: who answers pings, who listens, and a clock that ticks its timer. */
export class Scene {
  readonly machine: MembershipMachine;
  readonly sent: Sent[] = [];
  readonly views: (readonly MemberStatus[])[] = [];
  readonly dials: { readonly url: string; readonly atMs: number }[] = [];
  readonly reports: GossipError[] = [];
  readonly expelled: { readonly name: string; readonly reason: string; readonly epoch: number | undefined }[] = [];
  readonly hungUp: string[] = [];
  readonly outlived: number[] = [];
  readonly discoveries: number[] = [];
  remembered: readonly string[] = [];
  ticks = 0;
  nowMs: number = T0;
  /** Those that answer pings. */
  readonly answering: Set<string> = new Set();
  /** Who listens where; a dial of any other URL fails. */
  readonly listening: Map<string, Member> = new Map();
  /** URLs whose dials do not end. */
  readonly black: Set<string> = new Set();
  readonly connected: Set<string> = new Set();
  #timerMs = Infinity;
  #todo: { readonly atMs: number; readonly act: () => void }[] = [];

  constructor({ options, self, seed = 1, effects, ...environment }: Arrangement) {
    this.machine = swim(options).create({
      self: { ...aMember('m', 5), ...self },
      random: seededRandom(seed),
      effects: {
        dial: () => undefined,
        connect: (url) => this.#connect(url),
        hangUp: (name) => void this.hungUp.push(name),
        expel: (name, reason, epoch) => void this.expelled.push({ name, reason, epoch }),
        discover: () => void this.discoveries.push(this.nowMs),
        remember: (urls) => {
          this.remembered = urls;
        },
        outlive: (epoch) => void this.outlived.push(epoch),
        view: (members) => void this.views.push(members),
        send: (to, body) => {
          for (const name of typeof to === 'string' ? [to] : to) this.#send(name, body as SwimMessage);
        },
        setTimer: (_timer, delayMs) => {
          this.#timerMs = this.nowMs + delayMs;
        },
        report: (error) => void this.reports.push(error),
        ...effects,
      },
      ...environment,
    });
    this.machine.start(this.nowMs);
  }

  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const nextMs = Math.min(this.#timerMs, this.#todo[0]?.atMs ?? Infinity);
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (this.#timerMs <= this.nowMs) {
        this.#timerMs = Infinity;
        this.ticks += 1;
        this.machine.tick('swim', this.nowMs);
      } else this.#todo.shift()?.act();
    }
    this.nowMs = untilMs;
    return this;
  }

  passUntil(holds: () => boolean, atMostMs = 600_000): number {
    const fromMs = this.nowMs;
    while (!holds()) {
      if (this.nowMs - fromMs > atMostMs) throw new Error('it never came to hold');
      this.pass(10);
    }
    return this.nowMs - fromMs;
  }

  /** The clock moves, and no timer with it: the process is busy, or stopped. */
  freeze(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  connect(name: string, epoch = 1, url: string | null = urlOf(name)): this {
    this.connected.add(name);
    this.machine.connected(aMember(name, epoch, url), this.nowMs);
    return this;
  }

  /** A peer that is connected tells of itself. */
  introduce(name: string, epoch = 1, url: string | null = urlOf(name)): this {
    return this.hear(name, [GOSSIP, [aRecord(name, ALIVE, 1, { epoch, url })]]);
  }

  disconnect(name: string, released = false): this {
    this.connected.delete(name);
    this.machine.disconnected(name, this.nowMs, released);
    return this;
  }

  hear(from: string, message: SwimMessage): this {
    mustBeAccepted(message);
    this.machine.receive(from, message, this.nowMs);
    return this;
  }

  hearOf(...records: SwimRecord[]): this {
    const [from] = this.connected;
    return this.hear(from as string, [GOSSIP, records]);
  }

  forgetSent(): this {
    this.sent.length = 0;
    return this;
  }

  sentOf<K extends SwimMessage[0]>(kind: K, to?: string): Extract<SwimMessage, readonly [K, ...unknown[]]>[] {
    return this.sent
      .filter((one) => one.message[0] === kind && (to === undefined || one.to === to))
      .map(({ message }) => message as Extract<SwimMessage, readonly [K, ...unknown[]]>);
  }

  /** The newest that was said of a node, to this receiver. */
  told(name: string, to?: string): SwimRecord | undefined {
    const records: SwimRecord[] = [];
    for (const { to: receiver, message } of this.sent) {
      if (to !== undefined && receiver !== to) continue;
      const [kind, first, second] = message;
      if (kind === PING || kind === ACK) records.push(...(second as SwimRecord[]));
      else if (kind === GOSSIP || kind === SYNC) records.push(...(first as SwimRecord[]));
    }
    return records.findLast((record) => record[0] === name);
  }

  statusOf(name: string): MemberStatus | undefined {
    return this.views.at(-1)?.find((status) => status.name === name);
  }

  stateOf(name: string): string | undefined {
    return this.statusOf(name)?.state;
  }

  dialsOf(name: string): number[] {
    return this.dials.filter(({ url }) => url === urlOf(name)).map(({ atMs }) => atMs);
  }

  #later(delayMs: number, act: () => void): void {
    this.#todo.push({ atMs: this.nowMs + delayMs, act });
    this.#todo.sort((a, b) => a.atMs - b.atMs);
  }

  #connect(url: string): void {
    this.dials.push({ url, atMs: this.nowMs });
    if (this.black.has(url)) return;
    this.#later(1, () => {
      const member = this.listening.get(url);
      const isOpen = member !== undefined && this.connected.has(member.name);
      if (member !== undefined && !isOpen) this.connect(member.name, member.epoch, member.url);
      this.#end({
        url,
        outcome: member === undefined ? 'failed' : isOpen ? 'duplicate' : 'connected',
        peer: member ?? null,
      });
    });
  }

  #end(end: DialEnd): void {
    this.machine.dialEnded?.(end, this.nowMs);
  }

  #send(to: string, message: SwimMessage): void {
    mustBeAccepted(message);
    this.sent.push({ to, message, atMs: this.nowMs });
    if (message[0] !== PING || !this.answering.has(to) || !this.connected.has(to)) return;
    this.#later(1, () => {
      if (this.connected.has(to)) this.hear(to, [ACK, message[1], []]);
    });
  }
}

/** Whatever is said is what others accept: else it would cost the connection. */
function mustBeAccepted(message: SwimMessage): void {
  if (!isSwimMessage(message)) throw new Error(`no peer would accept ${JSON.stringify(message)}`);
}

/** One that knows nobody yet. */
export function aMachine(arrangement: Arrangement = {}): Scene {
  return new Scene(arrangement);
}

/** A machine that is connected with these, all of which listen and answer. */
export function connectedTo(...names: string[]): Scene {
  return among(names);
}

export function among(names: readonly string[], arrangement: Arrangement = {}): Scene {
  const scene = aMachine(arrangement);
  for (const name of names) {
    scene.listening.set(urlOf(name), aMember(name));
    scene.answering.add(name);
    scene.connect(name).hear(name, [GOSSIP, [aRecord(name)]]);
  }
  return scene;
}

/** It crashes: nobody listens there any more, and the connection closes, if it does. */
export function crash(scene: Scene, name: string, closes = true): Scene {
  scene.listening.delete(urlOf(name));
  scene.answering.delete(name);
  if (closes && scene.connected.has(name)) scene.disconnect(name);
  return scene;
}

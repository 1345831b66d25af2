import { describe, expect, test } from '@jest/globals';
import type { GossipError } from '../errors.ts';
import type { DialEnd, Member, MembershipEnvironment, MembershipMachine, MemberStatus } from '../membership.ts';
import { EPOCH_LIMIT } from '../origin.ts';
import { seededRandom } from '../random.ts';
import {
  ACK,
  ASK,
  GOSSIP,
  HASH,
  isSwimMessage,
  NACK,
  PING,
  SYNC,
  type SwimMessage,
  type SwimRecord,
  WHO,
} from './swim/messages.ts';
import type { SwimOptions } from './swim/options.ts';
import { swim } from './swim.ts';

const ALIVE = 0;
const SUSPECT = 1;
const DOWN = 2;
const LEFT = 3;
const T0 = 1_000_000;

interface Sent {
  readonly to: string;
  readonly message: SwimMessage;
  readonly atMs: number;
}

interface Arrangement extends Partial<Omit<MembershipEnvironment, 'self'>> {
  readonly self?: Partial<Member>;
  readonly options?: Partial<SwimOptions>;
  readonly seed?: number;
}

const urlOf = (name: string): string => `ws://${name}:7001`;
const aMember = (name: string, epoch = 1, url: string | null = urlOf(name)): Member => ({ name, epoch, url });
const aRecord = (name: string, state = ALIVE, incarnation = 1, more: Partial<Report> = {}): SwimRecord => {
  const { epoch = 1, url = urlOf(name), meta = {}, accusers = [] } = more;
  return [name, epoch, incarnation, state, url, meta, accusers];
};
interface Report {
  readonly epoch: number;
  readonly url: string | null;
  readonly meta: MemberStatus['meta'] & object;
  readonly accusers: readonly string[];
}

/** One machine with a small world around it: who answers pings, who listens, and a clock that ticks its timer. */
class Scene {
  readonly machine: MembershipMachine;
  readonly sent: Sent[] = [];
  readonly views: (readonly MemberStatus[])[] = [];
  readonly dials: { readonly url: string; readonly atMs: number }[] = [];
  readonly reports: GossipError[] = [];
  readonly expelled: { readonly name: string; readonly reason: string }[] = [];
  readonly hungUp: string[] = [];
  readonly outlived: number[] = [];
  readonly discoveries: number[] = [];
  remembered: readonly string[] = [];
  ticks = 0;
  nowMs = T0;
  /** Those that answer pings. */
  readonly answering = new Set<string>();
  /** Who listens where; a dial of any other URL fails. */
  readonly listening = new Map<string, Member>();
  /** URLs whose dials do not end. */
  readonly black = new Set<string>();
  readonly connected = new Set<string>();
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
        expel: (name, reason) => void this.expelled.push({ name, reason }),
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

function aMachine(arrangement: Arrangement = {}): Scene {
  return new Scene(arrangement);
}

/** A machine that is connected with these, all of which listen and answer. */
function connectedTo(...names: string[]): Scene {
  return among(names);
}

function among(names: readonly string[], arrangement: Arrangement = {}): Scene {
  const scene = aMachine(arrangement);
  for (const name of names) {
    scene.listening.set(urlOf(name), aMember(name));
    scene.answering.add(name);
    scene.connect(name).hear(name, [GOSSIP, [aRecord(name)]]);
  }
  return scene;
}

/** It crashes: nobody listens there any more, and the connection closes, if it does. */
function crash(scene: Scene, name: string, closes = true): Scene {
  scene.listening.delete(urlOf(name));
  scene.answering.delete(name);
  if (closes && scene.connected.has(name)) scene.disconnect(name);
  return scene;
}

describe('the failure detector', () => {
  test('asks one member a period, everybody once in a round (SWIM, section 4.3)', () => {
    const scene = connectedTo('b', 'c', 'd').pass(3000);
    scene.forgetSent().pass(9000);
    const asked = scene.sent.filter(({ message }) => message[0] === PING).map(({ to }) => to);
    expect(asked).toHaveLength(9);
    for (const name of ['b', 'c', 'd']) expect(asked.filter((to) => to === name).length).toBeGreaterThanOrEqual(2);
  });

  test('has k others ask when the answer is late, and suspects at the end of the period (SWIM, section 3.1)', () => {
    const scene = among(['b', 'c', 'd', 'e', 'f'], { options: { indirectProbes: 3 } });
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const asks = scene.sent.filter(({ message }) => message[0] === ASK);
    expect(asks).toHaveLength(3);
    expect(asks.every(({ to, message }) => to !== 'b' && message[2] === 'b')).toBe(true);
    scene.pass(480);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(40);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('an answer through another is an answer', () => {
    const scene = connectedTo('b', 'c');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [ACK, sequence, []]).pass(600);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('suspects at once when all that were asked live and hear nothing either', () => {
    const scene = connectedTo('b', 'c', 'd');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('alive');
    scene.hear('d', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('one helper that says twice that it heard nothing speaks for itself alone', () => {
    const scene = connectedTo('b', 'c', 'd');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]).hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('a closed connection starts a probe at once and is no verdict', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    scene.forgetSent();
    const dialsBefore = scene.dialsOf('b').length;
    scene.disconnect('b');
    expect(scene.dialsOf('b')).toHaveLength(dialsBefore + 1);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(1);
    expect(scene.sentOf(PING, 'b')).toHaveLength(1);
    scene.pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state !== 'alive')).toEqual([]);
  });

  test('who crashed is suspected as soon as all agree, and down after the suspicion', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    crash(scene, 'b').pass(1);
    const [, sequence] = scene.sentOf(ASK, 'c').at(-1) as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('suspect');
    // Three nodes: nobody can confirm, so it is the minimum of 4 × 1 × probeInterval.
    const takesMs = scene.passUntil(() => scene.stateOf('b') === 'down');
    expect(takesMs).toBeGreaterThanOrEqual(3990);
    expect(takesMs).toBeLessThanOrEqual(4010);
  });

  test('a tick that is late leaves those who are asked to ask their time', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    scene.answering.delete('b');
    scene.forgetSent().passUntil(() => scene.sentOf(PING, 'b').length > 0);
    scene.freeze(1500).pass(0);
    expect(scene.sentOf(ASK, 'c')).toHaveLength(1);
    scene.pass(490);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(20);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('probes in vain make it slower, and answers make it as fast as before (Lifeguard, section IV-A)', () => {
    const scene = connectedTo('b');
    scene.answering.clear();
    scene.passUntil(() => scene.stateOf('b') === 'suspect');
    // The next probe begins as this one ends.
    const judgedAfterMs = (incarnation: number): number => {
      scene.hearOf(aRecord('b', ALIVE, incarnation));
      return scene.passUntil(() => scene.stateOf('b') === 'suspect');
    };
    expect([judgedAfterMs(2), judgedAfterMs(3)].map((ms) => Math.round(ms / 100))).toEqual([20, 30]);
    scene.answering.add('b');
    scene
      .pass(4500)
      .hearOf(aRecord('b', ALIVE, 4))
      .pass(30_000)
      .answering.clear();
    scene.passUntil(() => scene.stateOf('b') === 'suspect');
    expect(Math.round(judgedAfterMs(5) / 100)).toBe(20);
  });

  test.each([
    ['says that it heard nothing', 10],
    ['says nothing', 20],
  ])('a helper that %s: the next is judged after %i tenths (Lifeguard, section IV-A)', (kind, tenths) => {
    const scene = connectedTo('b', 'c');
    scene.answering.clear();
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const { to, message } = scene.sent.find((one) => one.message[0] === ASK) as Sent;
    if (kind !== 'says nothing') scene.hear(to, [NACK, message[1] as number]);
    scene.passUntil(() => scene.stateOf(to) === 'suspect');
    const asked = scene.sent.findLast(
      (one) => one.message[0] === PING && one.to === to && one.atMs < scene.nowMs - 500,
    );
    expect(Math.round((scene.nowMs - (asked?.atMs as number)) / 100)).toBe(tenths);
  });

  test('a suspect is not asked to help', () => {
    const scene = connectedTo('b', 'c', 'd').hearOf(aRecord('c', SUSPECT, 1, { accusers: ['x'] }));
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    expect(scene.sent.filter(({ message }) => message[0] === ASK).map(({ to }) => to)).toEqual(['d']);
  });

  test('a released connection starts no probe', () => {
    const scene = connectedTo('b', 'c').pass(100);
    const dialsBefore = scene.dials.length;
    scene.forgetSent().disconnect('b', true);
    expect(scene.dials).toHaveLength(dialsBefore);
    expect(scene.sentOf(ASK)).toEqual([]);
  });

  test('asks for another, and tells the answer; or in time that there is none', () => {
    const scene = connectedTo('b', 'c').pass(100);
    scene.forgetSent().hear('c', [ASK, 77, 'b']).pass(1);
    expect(scene.sentOf(ACK, 'c')).toEqual([[ACK, 77, []]]);
    scene.answering.delete('b');
    scene.forgetSent().hear('c', [ASK, 78, 'b']).pass(399);
    expect(scene.sentOf(NACK, 'c')).toEqual([]);
    scene.pass(1);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 78]]);
  });

  test('says no more than once to who asked that there is no answer', () => {
    const scene = connectedTo('b', 'c').pass(100);
    scene.black.add(urlOf('b'));
    scene.disconnect('b');
    scene.hear('c', [ASK, 78, 'b']).pass(450);
    scene.machine.dialEnded?.({ url: urlOf('b'), outcome: 'failed', peer: null }, scene.nowMs);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 78]]);
  });

  test('asks for others no more than a bound at once', () => {
    const scene = connectedTo('b', 'c').pass(100).forgetSent();
    scene.answering.delete('b');
    for (let i = 0; i < 1001; i++) scene.hear('c', [ASK, i, 'b']);
    expect(scene.sentOf(NACK)).toEqual([[NACK, 1000]]);
  });

  test('a question about somebody unknown is answered at once', () => {
    const scene = connectedTo('c').forgetSent().hear('c', [ASK, 5, 'nobody']);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 5]]);
  });
});

describe('suspicion', () => {
  test('a suspect refutes with a higher incarnation, and whoever accused it hears so first (SWIM, section 4.2)', () => {
    const scene = connectedTo('b', 'c', 'd').forgetSent();
    scene.hear('b', [GOSSIP, [aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['c', 'stranger'] })]]);
    for (const name of ['b', 'c']) expect(scene.told('m', name)).toEqual(aRecord('m', ALIVE, 2, { epoch: 5 }));
    expect(scene.sentOf(GOSSIP, 'd')).toEqual([]);
    scene.pass(400);
    expect(scene.told('m', 'd')).toEqual(aRecord('m', ALIVE, 2, { epoch: 5 }));
  });

  test('who is down and lives is back with a higher incarnation', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', DOWN, 7, { epoch: 5 }));
    expect(scene.told('m', 'b')?.[2]).toBe(8);
  });

  test('an old accusation is answered by the truth, without a new incarnation', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }));
    scene.pass(5000).forgetSent();
    scene.hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }));
    expect(scene.sentOf(GOSSIP, 'b')).toEqual([[GOSSIP, [aRecord('m', ALIVE, 2, { epoch: 5 })]]]);
  });

  test('a storm of accusations is answered once in a while: it fills the queues of nobody', () => {
    const scene = connectedTo('b', 'c', 'd').pass(5000).forgetSent();
    const accusers = ['b', 'c', 'd'];
    for (let i = 1; i <= 50; i++)
      scene.hearOf(...Array.from({ length: 20 }, (_, j) => aRecord('m', SUSPECT, 20 * i + j, { epoch: 5, accusers })));
    expect(scene.sentOf(GOSSIP).length).toBe(3);
    // Gossip of its own comes beside what was put off.
    scene.pass(250);
    expect(scene.sentOf(GOSSIP).length).toBeLessThanOrEqual(9);
    for (const name of accusers) expect(scene.told('m', name)?.[2]).toBe(20 * 50 + 20);
  });

  test('no incarnation is so high that what follows it would cost the connection', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', SUSPECT, Number.MAX_SAFE_INTEGER, { epoch: 5 }));
    scene.machine.describe?.({ zone: 'x' }, scene.nowMs);
    expect(scene.pass(5000).told('m', 'b')?.[2]).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('an ack to a suspect bears the suspicion, so that it refutes at once (Lifeguard, section IV-C)', () => {
    const scene = connectedTo('b', 'c')
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['c'] }))
      .pass(3000);
    // What is passed on has worn off by now: only who is concerned is told.
    scene.forgetSent().hear('b', [PING, 9, []]).hear('c', [PING, 9, []]);
    expect(scene.sentOf(ACK, 'b')[0]?.[2]).toEqual([aRecord('b', SUSPECT, 1, { accusers: ['c'] })]);
    expect(scene.sentOf(ACK, 'c')[0]?.[2]).toEqual([]);
  });

  test('who is down and asks is told so, and back at once', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN)).pass(20_000);
    scene.forgetSent().hear('b', [PING, 9, []]);
    expect(scene.sentOf(ACK, 'b')[0]?.[2]).toEqual([aRecord('b', DOWN)]);
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 2)]]);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('each who confirms brings the end closer (Lifeguard, section IV-B)', () => {
    const names = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    const until = (accusers: string[]): number => {
      const scene = among(names).hearOf(aRecord('b', SUSPECT, 1, { accusers: ['x'] }));
      for (const accuser of accusers) scene.hearOf(aRecord('b', SUSPECT, 1, { accusers: [accuser] }));
      return scene.passUntil(() => scene.stateOf('b') === 'down');
    };
    expect(until([])).toBe(24_000);
    expect(until(['x', 'x'])).toBe(24_000);
    expect(until(['c'])).toBeLessThan(until([]));
    expect(until(['c', 'd'])).toBe(4000);
    expect(until(['c', 'd', 'e', 'f'])).toBe(4000);
  });

  test('who confirms is passed on, and is no change of what is published', () => {
    const scene = connectedTo('b', 'c', 'd', 'e')
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['c'] }))
      .pass(2000);
    const published = scene.views.length;
    scene
      .forgetSent()
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['d'] }))
      .pass(300);
    expect(scene.told('b')?.[6]).toEqual(['c', 'd']);
    expect(scene.views).toHaveLength(published);
  });

  test('after a pause of its own a node accuses nobody', () => {
    const scene = connectedTo('b', 'c', 'd').pass(10_000);
    scene.hearOf(aRecord('c', SUSPECT, 1, { accusers: ['x'] }));
    scene.passUntil(() => scene.sentOf(PING).length > 0);
    scene.freeze(30_000);
    scene.machine.stalled?.(30_000, scene.nowMs);
    scene.pass(100);
    scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
    expect(scene.views.flat().filter(({ state, name }) => state !== 'alive' && name !== 'c')).toEqual([]);
    expect(scene.views.flat().filter(({ state }) => state === 'down')).toEqual([]);
  });

  test('who is suspected doubts itself as well (Lifeguard, section IV-A)', () => {
    const scene = connectedTo('b', 'c').pass(10_000);
    scene.hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] })).answering.clear();
    scene.forgetSent().passUntil(() => scene.sentOf(ASK).length > 0);
    const asked = scene.sent.find(({ message }) => message[0] === PING);
    expect(Math.round((scene.nowMs - (asked?.atMs as number)) / 100)).toBe(10);
  });

  test('a pause of its own makes a node wait longer for answers', () => {
    const waited = (stallMs: number): number => {
      const scene = connectedTo('b', 'c').pass(10_000);
      scene.machine.stalled?.(stallMs, scene.freeze(stallMs).nowMs);
      scene.answering.clear();
      scene.forgetSent().passUntil(() => scene.sentOf(ASK).length > 0);
      return Math.round((scene.nowMs - (scene.sent[0]?.atMs as number)) / 100);
    };
    expect([0, 900, 1900].map(waited)).toEqual([5, 10, 15]);
  });
});

describe('what members believe', () => {
  test('down is hearsay where all is compared: the accused may refute before it is believed', () => {
    // Whoever was cut off believes all on the other side of the cut to be down.
    const scene = connectedTo('b', 'c').hear('b', [SYNC, [aRecord('c', DOWN)], false]);
    expect(scene.statusOf('c')).toMatchObject({ state: 'suspect', incarnation: 1 });
    expect(scene.pass(400).told('c', 'c')).toEqual(aRecord('c', SUSPECT, 1, { accusers: ['b'] }));
    scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state === 'down')).toEqual([]);
  });

  test('down is believed where it is told as news', () => {
    expect(connectedTo('b').hearOf(aRecord('c'), aRecord('c', DOWN)).stateOf('c')).toBe('down');
    expect(
      connectedTo('b', 'c')
        .disconnect('c')
        .hear('b', [GOSSIP, [aRecord('c', DOWN)]])
        .stateOf('c'),
    ).toBe('down');
  });

  test('down is hearsay as news too where there is a connection: a node that was cut off tells late whom it could not hear', () => {
    const scene = connectedTo('b', 'c');
    // What it had to say while it was cut off comes in order, when it is back.
    scene
      .hear('b', [GOSSIP, [aRecord('c', SUSPECT, 1, { accusers: ['b'] })]])
      .hear('b', [GOSSIP, [aRecord('c', DOWN)]]);
    expect(scene.statusOf('c')).toMatchObject({ state: 'suspect', incarnation: 1 });
    expect(scene.pass(400).told('c', 'c')).toEqual(aRecord('c', SUSPECT, 1, { accusers: ['b'] }));
    scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state === 'down')).toEqual([]);
  });

  test('who is down for another and does not refute is down here no later than at the end of the suspicion', () => {
    const scene = connectedTo('b', 'c', 'd', 'e').hear('b', [GOSSIP, [aRecord('c', DOWN)]]);
    scene.answering.delete('c');
    scene.hear('d', [GOSSIP, [aRecord('c', DOWN)]]).hear('e', [GOSSIP, [aRecord('c', DOWN)]]);
    expect(scene.passUntil(() => scene.stateOf('c') === 'down')).toBeLessThanOrEqual(4000);
  });

  test('hearsay about the dead makes no member', () => {
    const scene = connectedTo('b').hearOf(aRecord('x', DOWN), aRecord('y', LEFT));
    expect(scene.views.at(-1)?.map(({ name }) => name)).toEqual(['b']);
  });

  test('a restarted node replaces its former self at once, where it was and elsewhere once nobody answers there', () => {
    const scene = connectedTo('b', 'c').connect('b', 2);
    expect(scene.statusOf('b')).toMatchObject({ epoch: 2, state: 'alive' });
    crash(scene, 'c').connect('c', 2, 'ws://elsewhere:1').pass(1);
    expect(scene.statusOf('c')).toMatchObject({ epoch: 2, url: 'ws://elsewhere:1' });
  });

  test('who took over a name is compared with, although what it said meanwhile was not heard', () => {
    // The newcomer has the lower name: it began to compare when it was not listened to.
    const scene = connectedTo('b', 'c');
    crash(scene, 'b').forgetSent().connect('b', 2, 'ws://elsewhere:1').hear('b', [HASH, 1, 1]);
    expect(scene.sent.filter(({ to }) => to === 'b')).toEqual([]);
    expect(scene.pass(1).sentOf(HASH, 'b')).toHaveLength(1);
  });

  test('a second living node of one name is sent away, and nothing it says counts', () => {
    const scene = connectedTo('b', 'c');
    scene.disconnect('b').connect('b', 2, 'ws://elsewhere:1');
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 1, { epoch: 2, url: 'ws://elsewhere:1' })]]);
    scene.pass(1);
    expect(scene.expelled).toEqual([{ name: 'b', reason: expect.stringContaining(urlOf('b')) }]);
    // Said before it heard that it is sent away.
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 1, { epoch: 2 })]]);
    expect(scene.statusOf('b')).toMatchObject({ epoch: 1, state: 'alive' });
  });

  test('who does not say within the time for an answer whether it lives has lost its name', () => {
    const scene = connectedTo('b', 'c');
    scene.black.add(urlOf('b'));
    scene.disconnect('b').connect('b', 2, 'ws://elsewhere:1').pass(490);
    expect(scene.statusOf('b')?.epoch).toBe(1);
    expect(scene.pass(20).statusOf('b')).toMatchObject({ epoch: 2, state: 'alive' });
  });

  test('a newcomer that answers at the former place is who it says', () => {
    const scene = connectedTo('b', 'c');
    scene.disconnect('b').listening.set(urlOf('b'), aMember('b', 2, 'ws://elsewhere:1'));
    expect(scene.connect('b', 2, 'ws://elsewhere:1').pass(1).statusOf('b')?.epoch).toBe(2);
    expect(scene.expelled).toEqual([]);
  });

  test('a former self of a living node is sent away', () => {
    const scene = connectedTo('b').connect('b', 2, 'ws://elsewhere:7001').pass(1000).disconnect('b');
    scene.listening.set('ws://elsewhere:7001', aMember('b', 2, 'ws://elsewhere:7001'));
    scene.connect('b', 1).pass(100);
    expect(scene.expelled).toHaveLength(1);
    expect(scene.statusOf('b')?.epoch).toBe(2);
  });

  test('a node that was started anew with its clock behind is told of the life that is over, and counts as soon as it has outlived it', () => {
    for (const end of [DOWN, LEFT]) {
      const scene = connectedTo('b', 'c').connect('b', 100).disconnect('b', true);
      scene.hearOf(aRecord('b', end, 1, { epoch: 100 }));
      scene.forgetSent().connect('b', 50);
      expect(scene.expelled).toEqual([]);
      expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 1, end]);
      expect(scene.statusOf('b')?.epoch).toBe(100);
      scene.disconnect('b').connect('b', 101);
      expect(scene.statusOf('b')).toMatchObject({ epoch: 101, state: 'alive' });
    }
  });

  test('so it is where nobody has missed the former yet, at the same address at once, elsewhere when that is silent', () => {
    const scene = connectedTo('b', 'c').connect('b', 100).disconnect('b').forgetSent().connect('b', 50);
    expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 0, DOWN]);
    scene.disconnect('b').forgetSent().listening.delete(urlOf('b'));
    scene.connect('b', 50, 'ws://elsewhere:7001');
    expect(scene.told('b', 'b')).toBeUndefined();
    scene.pass(1000);
    expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 0, DOWN]);
    expect(scene.expelled).toEqual([]);
  });

  test('a node that hears of a later life of its own that is over, or was here, outlives it, once', () => {
    for (const [state, url] of [
      [DOWN, 'ws://elsewhere:7001'],
      [LEFT, 'ws://elsewhere:7001'],
      [ALIVE, urlOf('m')],
    ] as const) {
      const scene = connectedTo('b').hearOf(aRecord('m', state, 1, { epoch: 9, url }));
      scene.hearOf(aRecord('m', state, 2, { epoch: 9, url }));
      expect(scene.outlived).toEqual([9]);
      expect(scene.reports).toEqual([]);
    }
  });

  test("an epoch that leaves no higher one is nobody's life, and not outlived", () => {
    const scene = connectedTo('b');
    for (const epoch of [EPOCH_LIMIT, Number.MAX_SAFE_INTEGER])
      for (const state of [DOWN, LEFT]) scene.hearOf(aRecord('m', state, 1, { epoch }));
    expect(scene.outlived).toEqual([]);
    scene.hearOf(aRecord('m', DOWN, 1, { epoch: EPOCH_LIMIT - 1 }));
    expect(scene.outlived).toEqual([EPOCH_LIMIT - 1]);
  });

  test('who is sent away, or no member at all, may ask who is there', () => {
    const scene = connectedTo('b').forgetSent().hear('a program', [WHO]);
    expect(scene.sentOf(SYNC, 'a program')).toEqual([
      [SYNC, [aRecord('m', ALIVE, 1, { epoch: 5 }), aRecord('b')], false],
    ]);
  });

  test('another node of its own name that is taken for it is reported, once', () => {
    const elsewhere = { epoch: 6, url: 'ws://elsewhere:7001' };
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 1, elsewhere), aRecord('m', ALIVE, 2, elsewhere));
    expect(scene.reports.map(({ code }) => code)).toEqual(['NAME_TAKEN']);
    expect(scene.outlived).toEqual([]);
  });

  test('a later life of its own name that looked like another node is outlived when it turns out to be over', () => {
    const elsewhere = { epoch: 9, url: 'ws://elsewhere:7001' };
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 1, elsewhere));
    expect(scene.outlived).toEqual([]);
    scene.hearOf(aRecord('m', DOWN, 1, elsewhere), aRecord('m', DOWN, 2, elsewhere));
    expect(scene.outlived).toEqual([9]);
  });

  test('who is spoken of by a former life says that it has a new one', () => {
    const scene = connectedTo('b')
      .pass(5000)
      .forgetSent()
      .hearOf(aRecord('m', DOWN, 9, { epoch: 4 }))
      .pass(400);
    expect(scene.told('m', 'b')).toEqual(aRecord('m', ALIVE, 1, { epoch: 5 }));
  });

  test('meta of a member that changes is a change', () => {
    const scene = connectedTo('b').hearOf(aRecord('b', ALIVE, 2, { meta: { zone: 'a' } }));
    expect(scene.statusOf('b')?.meta).toEqual({ zone: 'a' });
    const published = scene.views.length;
    scene.hearOf(aRecord('b', ALIVE, 2, { meta: { zone: 'a' } }));
    expect(scene.views).toHaveLength(published);
  });

  test('own meta that changes is told with a new incarnation, and that it is the same is nothing new', () => {
    const scene = connectedTo('b').pass(5000).forgetSent();
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m', 'b')).toEqual(aRecord('m', ALIVE, 2, { epoch: 5, meta: { zone: 'a' } }));
    scene.pass(10_000).forgetSent().machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m')).toBeUndefined();
  });

  test('what it says next is newer than all that is known of it, whoever said that', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 7, { epoch: 5 }));
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m', 'b')?.[2]).toBe(8);
  });

  test('a new member is compared with by the lower name, and all is told where the hashes differ', () => {
    const scene = connectedTo('b', 'z');
    expect([scene.sentOf(HASH, 'b').length, scene.sentOf(HASH, 'z').length]).toEqual([0, 1]);
    const [, low, high] = scene.sentOf(HASH, 'z')[0] as readonly [number, number, number];
    scene
      .pass(100)
      .forgetSent()
      .hear('b', [HASH, low ^ 1, high]);
    expect(scene.sentOf(SYNC, 'b')).toEqual([
      [SYNC, [aRecord('m', ALIVE, 1, { epoch: 5 }), aRecord('b'), aRecord('z')], true],
    ]);
    scene.pass(300).forgetSent().hear('b', [SYNC, [], true]);
    expect(scene.sentOf(SYNC, 'b').map(([, , answer]) => answer)).toEqual([false]);
    scene.forgetSent().hear('b', [SYNC, [], false]);
    expect(scene.sentOf(SYNC, 'b')).toEqual([]);
  });

  test('all that it knows goes in messages that fit a frame; the last asks for the answer', () => {
    const scene = connectedTo('a');
    const others = Array.from({ length: 1100 }, (_, i) => aRecord(`n${i}`));
    scene.hearOf(...others).forgetSent();
    scene.hear('a', [HASH, 1, 2]);
    const syncs = scene.sentOf(SYNC, 'a');
    expect(syncs.map(([, records]) => records.length)).toEqual([500, 500, 102]);
    expect(syncs.map(([, , answer]) => answer)).toEqual([false, false, true]);
    scene.pass(5000).forgetSent().hear('a', [WHO]);
    expect(scene.sent.map(({ message }) => message[0])).toEqual([SYNC, SYNC, SYNC, HASH]);
    expect(scene.sentOf(SYNC).every(([, , answer]) => !answer)).toBe(true);
  });

  test('who asks on and on is told all now and then, and in the end', () => {
    const scene = connectedTo('a', 'b').pass(5000).forgetSent();
    for (let i = 0; i < 100; i++) scene.hear('a', [WHO]).hear('a', [HASH, 1, i]).hear('a', [SYNC, [], true]);
    scene.hear('b', [WHO]);
    expect([scene.sentOf(SYNC, 'a').length, scene.sentOf(SYNC, 'b').length]).toEqual([1, 1]);
    scene.pass(250);
    expect(scene.sentOf(SYNC, 'a').map(([, , answer]) => answer)).toEqual([false, true]);
    expect(scene.sentOf(HASH, 'a').length).toBeGreaterThanOrEqual(2);
    scene.pass(250);
    expect(scene.sentOf(SYNC, 'a').length).toBe(2);
  });

  test('equal hashes are answered by silence', () => {
    const scene = connectedTo('b', 'z').pass(60_000);
    const [, low, high] = scene.sentOf(HASH).at(-1) as readonly [number, number, number];
    scene.forgetSent().hear('b', [HASH, low, high]);
    expect(scene.sent).toEqual([]);
  });

  test('own meta that is too long is refused, and nothing changes', () => {
    const scene = connectedTo('b');
    expect(() => scene.machine.describe?.({ zone: 'x'.repeat(600) }, scene.nowMs)).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    expect(scene.pass(400).told('m', 'b')?.[5]).toEqual({});
  });

  test('a peer makes no more members than a bound, and none of them costs the known', () => {
    const scene = connectedTo('b');
    for (let i = 0; i < 12; i++)
      scene.hearOf(...Array.from({ length: 1000 }, (_, j) => aRecord(`invented-${i}-${j}`, ALIVE, 1, { url: null })));
    expect(scene.views.at(-1)).toHaveLength(10_000);
    expect(scene.hearOf(aRecord('b', ALIVE, 2)).statusOf('b')?.incarnation).toBe(2);
  });

  test('as many accusers as an option asks for are never more than a record can bear', () => {
    const names = Array.from({ length: 120 }, (_, i) => `n${i}`);
    const scene = among(names.slice(0, 110), { options: { suspicionMult: 100 } });
    for (let i = 0; i < 100; i += 20) scene.hearOf(aRecord('n1', SUSPECT, 1, { accusers: names.slice(i, i + 20) }));
    // What is sent is checked by the scene.
    expect(scene.pass(1000).told('n1')?.[6].length).toBeLessThanOrEqual(32);
  });

  test('after a crash of the machine it outbids whatever the former said of this node', () => {
    const former = connectedTo('b')
      .hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }))
      .pass(1000);
    const said = former.told('m', 'b');
    const scene = among(['b'], { inherited: former.views.at(-1) ?? [] });
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    const says = scene.pass(1000).told('m', 'b');
    expect(says?.[5]).toEqual({ zone: 'a' });
    expect(says?.[2]).toBeGreaterThan(said?.[2] as number);
  });

  test('what a former machine published is taken up as it was, and is no news', () => {
    const former = connectedTo('b', 'c', 'd')
      .hearOf(aRecord('c', SUSPECT, 3), aRecord('d', DOWN, 4))
      .pass(500);
    const view = former.views.at(-1);
    const scene = aMachine({ inherited: view ?? [] });
    expect(scene.views).toEqual([view]);
  });
});

describe('who has left', () => {
  test('says so to all that are connected, and then nothing more', () => {
    const scene = connectedTo('b', 'c').pass(100).forgetSent();
    scene.machine.leave(scene.nowMs);
    expect(scene.sent.map(({ to, message }) => ({ to, message }))).toEqual(
      ['b', 'c'].map((to) => ({ to, message: [GOSSIP, [aRecord('m', LEFT, 1, { epoch: 5 })]] })),
    );
    scene.forgetSent().hear('b', [PING, 1, []]).disconnect('c').pass(60_000);
    expect(scene.sent).toEqual([]);
  });

  test('is not probed, not dialled and not suspected', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', LEFT)).pass(10);
    crash(scene, 'b').forgetSent().pass(120_000);
    expect(scene.stateOf('b')).toBe('left');
    expect(scene.sentOf(PING, 'b')).toEqual([]);
    expect(scene.dialsOf('b')).toEqual([]);
  });

  test('is not dialled either where it was down before', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN));
    crash(scene, 'b').pass(10_000).hearOf(aRecord('b', LEFT)).pass(2000);
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('b')).toEqual([]);
  });

  test('is final: nothing that is said of the same epoch brings it back', () => {
    const scene = connectedTo('b', 'c')
      .hearOf(aRecord('b', LEFT))
      .hearOf(aRecord('b', ALIVE, 9));
    expect(scene.stateOf('b')).toBe('left');
    expect(scene.hearOf(aRecord('b', ALIVE, 1, { epoch: 2 })).stateOf('b')).toBe('alive');
  });

  test('is forgotten after a while', () => {
    const scene = among(['b', 'c'], { forgetAfterMs: 60_000 }).hearOf(aRecord('b', LEFT));
    expect(scene.pass(59_000).stateOf('b')).toBe('left');
    expect(scene.pass(3000).statusOf('b')).toBeUndefined();
  });
});

describe('places where somebody may be', () => {
  const gaps = (times: readonly number[]): number[] => times.slice(1).map((at, i) => at - (times[i] as number));

  test('who is alone tries all seeds, for ever, a few seconds apart', () => {
    const seeds = Array.from({ length: 12 }, (_, i) => urlOf(`s${i}`));
    const scene = aMachine({ options: { seeds } }).pass(1000);
    expect(new Set(scene.dials.map(({ url }) => url))).toEqual(new Set(seeds));
    scene.pass(3_600_000).dials.length = 0;
    scene.pass(10_000);
    expect(new Set(scene.dials.map(({ url }) => url))).toEqual(new Set(seeds));
  });

  test('seeds whose dials do not end hold up no other', () => {
    const scene = aMachine({ options: { seeds: [urlOf('s1'), urlOf('s2'), urlOf('s3')] } });
    scene.black.add(urlOf('s1')).add(urlOf('s2'));
    scene.listening.set(urlOf('s3'), aMember('s3'));
    expect(scene.pass(1000).stateOf('s3')).toBe('alive');
    expect(scene.dialsOf('s1')).toHaveLength(1);
  });

  test('while a dial is under way nothing wakes a node that could do nothing', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('s1'), urlOf('s2')] } });
    scene.black.add(urlOf('s1')).add(urlOf('s2'));
    scene.pass(60_000).ticks = 0;
    // A question a second, the look whether it was answered, and the comparisons.
    expect(scene.pass(60_000).ticks).toBeLessThanOrEqual(125);
  });

  test('own URL among the seeds is left alone', () => {
    const scene = aMachine({ options: { seeds: [urlOf('m')] } }).pass(60_000);
    expect(scene.dials).toEqual([]);
  });

  test('a seed that leads to this node by another name is tried a minute later', () => {
    const scene = aMachine({ options: { seeds: ['ws://alias:1'] } });
    scene.black.add('ws://alias:1');
    scene.pass(100).machine.dialEnded?.({ url: 'ws://alias:1', outcome: 'self', peer: null }, scene.nowMs);
    expect(scene.pass(59_900).dials).toHaveLength(1);
    expect(scene.pass(200).dials).toHaveLength(2);
  });

  test('a down member is dialled on, ever more seldom and at most a minute apart, while it is listed', () => {
    const scene = connectedTo('b', 'c').pass(100);
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    scene.dials.length = 0;
    const pauses = gaps(scene.pass(3_600_000).dialsOf('b'));
    expect(pauses[0]).toBeLessThan(2500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(61_000);
    expect(Math.min(...pauses.slice(10))).toBeGreaterThanOrEqual(30_000);
  });

  test('a member that is forgotten is dialled on, more seldom', () => {
    const scene = among(['b', 'c'], { forgetAfterMs: 60_000 }).pass(100);
    crash(scene, 'b').pass(180_000);
    expect(scene.statusOf('b')).toBeUndefined();
    scene.dials.length = 0;
    const pauses = gaps(scene.pass(7_200_000).dialsOf('b'));
    expect(pauses.length).toBeGreaterThan(10);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(601_000);
    expect(Math.max(...pauses)).toBeGreaterThan(300_000);
  });

  test('a place that was left for another is not dialled on', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN));
    crash(scene, 'b').pass(10_000).connect('b', 2, 'ws://elsewhere:1').pass(2000);
    scene.dials.length = 0;
    expect(scene.pass(600_000).dialsOf('b')).toEqual([]);
  });

  test('after a crash of the machine a seed stays one, although who is there was down', () => {
    const inherited = [
      { ...aMember('s'), state: 'down' as const },
      { ...aMember('b'), state: 'alive' as const },
    ];
    const scene = among(['b'], { inherited, options: { seeds: [urlOf('s')] } }).pass(10_000);
    scene
      .connect('s')
      .hearOf(aRecord('s', ALIVE, 2))
      .pass(1000)
      .hearOf(aRecord('s', LEFT, 2))
      .disconnect('s');
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('s').length).toBeGreaterThan(0);
  });

  test('a place that no source names any more is dialled on while who is there is down', () => {
    const scene = aMachine();
    scene.machine.discovered?.(0, [urlOf('b'), urlOf('c')], scene.nowMs);
    scene
      .connect('b')
      .connect('c')
      .hear('b', [GOSSIP, [aRecord('b'), aRecord('c', DOWN)]]);
    scene.answering.add('b');
    scene.pass(1000).machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('c').length).toBeGreaterThan(0);
  });

  test('a place that no source names any more, and where nobody was known, is given up', () => {
    const scene = aMachine();
    scene.machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.machine.discovered?.(1, [urlOf('b')], scene.nowMs);
    scene.machine.discovered?.(0, [], scene.nowMs);
    scene.pass(1000).dials.length = 0;
    expect(scene.pass(10_000).dialsOf('b').length).toBeGreaterThan(0);
    scene.machine.discovered?.(1, [], scene.nowMs);
    scene.pass(10).dials.length = 0;
    expect(scene.pass(60_000).dialsOf('b')).toEqual([]);
  });

  test('who is alone again is in a hurry', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('s')] } }).pass(600_000);
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    scene.dials.length = 0;
    scene.pass(400);
    expect(scene.dialsOf('s').length).toBeGreaterThan(0);
    expect(scene.pass(20_000).dialsOf('s').length).toBeGreaterThan(4);
  });

  test('a seed where a member is known to be is not dialled', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('b')] } }).pass(1000);
    scene.dials.length = 0;
    expect(scene.pass(300_000).dials).toEqual([]);
  });

  test('a source that finds nothing at first is asked again, at once while alone', () => {
    const scene = aMachine().pass(30_000);
    expect(scene.discoveries[0]).toBe(T0);
    expect(gaps(scene.discoveries).slice(0, 5)).toEqual([500, 1000, 2000, 4000, 5000]);
    scene.machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.listening.set(urlOf('b'), aMember('b'));
    expect(scene.pass(100).stateOf('b')).toBe('alive');
  });

  test('who is among others asks the sources once a minute, and soon when it is alone again', () => {
    const scene = connectedTo('b').pass(310_000);
    expect(gaps(scene.discoveries).slice(2)).toEqual(scene.discoveries.slice(3).map(() => 60_000));
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    const count = scene.discoveries.length;
    expect(scene.pass(1000).discoveries.length).toBeGreaterThan(count);
  });

  test('what a former process remembered is tried beside the seeds', () => {
    const scene = aMachine({ remembered: [urlOf('b')], options: { seeds: [urlOf('s')] } }).pass(100);
    expect([scene.dialsOf('b'), scene.dialsOf('s')].map(({ length }) => length)).toEqual([1, 1]);
  });

  test('whom it has just met is remembered at once, and so is who has left: all may be started anew together', () => {
    const scene = connectedTo('b', 'c');
    expect(scene.remembered).toEqual([urlOf('b'), urlOf('c')]);
    scene.hearOf(aRecord('c', LEFT));
    expect(scene.remembered).toEqual([urlOf('b'), urlOf('c')]);
    scene.hearOf(aRecord('b', LEFT)).machine.leave(scene.nowMs);
    expect(new Set(scene.remembered)).toEqual(new Set([urlOf('b'), urlOf('c')]));
  });

  test('members are remembered, the living first', () => {
    const scene = crash(connectedTo('b', 'c', 'd'), 'b')
      .hearOf(aRecord('b', DOWN))
      .pass(2000);
    expect(scene.remembered).toEqual([urlOf('c'), urlOf('d'), urlOf('b')]);
  });

  test('a seed that nobody answers at is reported once', () => {
    const scene = aMachine({ options: { seeds: [urlOf('s')] } }).pass(60_000);
    expect(scene.reports.map(({ code }) => code)).toEqual(['PEER_UNREACHABLE']);
  });
});

describe('connections', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${String(i).padStart(3, '0')}`);

  test('everybody is connected in a small cluster: the lower name dials, the higher where that does not', () => {
    const scene = connectedTo('b');
    for (const name of ['a', 'z']) {
      scene.listening.set(urlOf(name), aMember(name));
      scene.hearOf(aRecord(name));
    }
    expect(scene.pass(1001).dialsOf('z')).toHaveLength(1);
    expect(scene.dialsOf('a')).toEqual([]);
    expect(scene.pass(2000).dialsOf('a')).toHaveLength(1);
    expect([...scene.connected].toSorted()).toEqual(['a', 'b', 'z']);
  });

  test('a member that cannot be dialled is tried ever more seldom, at most a minute apart', () => {
    const scene = connectedTo('b').hearOf(aRecord('z'));
    // It lives, says another.
    const pauses: number[] = [];
    for (let lastMs = scene.nowMs, i = 0; i < 40; i++) {
      const count = scene.dials.length;
      scene.passUntil(() => {
        for (const [, sequence] of scene.sentOf(ASK, 'b')) scene.hear('b', [ACK, sequence, []]);
        scene.forgetSent();
        return scene.dials.length > count;
      });
      pauses.push(scene.nowMs - lastMs);
      lastMs = scene.nowMs;
    }
    expect(scene.stateOf('z')).toBe('alive');
    expect(Math.max(...pauses)).toBeLessThanOrEqual(61_100);
  });

  test('in a large cluster a node chooses some, and lets go whom it chose no more', () => {
    const names = many(40);
    const scene = aMachine({ options: { neighbours: 4 } }).connect(names[0] as string);
    for (const name of names) {
      scene.listening.set(urlOf(name), aMember(name));
      scene.answering.add(name);
    }
    scene.hearOf(...names.map((name) => aRecord(name)));
    let most = 0;
    for (let i = 0; i < 300; i++) {
      scene.pass(1000);
      for (const name of scene.hungUp.splice(0)) if (scene.connected.has(name)) scene.disconnect(name, true);
      if (i > 20) most = Math.max(most, scene.connected.size);
    }
    expect(most).toBeLessThanOrEqual(7);
    expect(scene.connected.size).toBeGreaterThanOrEqual(4);
    expect(new Set(scene.dials.map(({ url }) => url)).size).toBeGreaterThan(20);
    expect(scene.views.at(-1)?.every(({ state }) => state === 'alive')).toBe(true);
  });

  test('a member that refuses the connection lives, and nobody is asked whether it does', () => {
    const scene = among(['b', 'c']);
    scene.hearOf(aRecord('z')).black.add(urlOf('z'));
    scene.pass(1500).forgetSent();
    expect(scene.dialsOf('z').length).toBeGreaterThan(0);
    const refused: DialEnd = { url: urlOf('z'), outcome: 'refused', peer: { name: 'z', epoch: 1 } };
    scene.machine.dialEnded?.(refused, scene.nowMs);
    expect(scene.sentOf(ASK)).toEqual([]);
  });

  test('the one through whom a node joined is not chosen for it, or all would choose the same', () => {
    const scene = aMachine({ options: { seeds: [urlOf('seed')], neighbours: 2 } });
    scene.listening.set(urlOf('seed'), aMember('seed'));
    const others = ['b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const name of others) scene.listening.set(urlOf(name), aMember(name));
    for (const name of ['seed', ...others]) scene.answering.add(name);
    scene.passUntil(() => scene.connected.has('seed'));
    scene.hear('seed', [SYNC, ['seed', ...others].map((name) => aRecord(name)), false]);
    scene.passUntil(() => scene.hungUp.length > 0, 30_000);
    expect(scene.hungUp[0]).toBe('seed');
  });

  test('where there is hardly room, those that nobody chose here are let go, whoever dialled, so that others may join', () => {
    const scene = aMachine({ maxConnections: 12, options: { neighbours: 2 } });
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
    for (const name of names) {
      scene.answering.add(name);
      scene.connect(name).hear(name, [GOSSIP, [aRecord(name)]]);
    }
    scene.pass(3500);
    const let1 = new Set(scene.hungUp);
    expect(let1.size).toBe(3);
    for (const name of let1) scene.disconnect(name, true);
    scene.hungUp.length = 0;
    scene.pass(3000);
    expect(scene.hungUp).toEqual([]);
  });

  test('who dialled us is not ours to let go', () => {
    const names = many(40);
    const scene = among(names, { options: { neighbours: 4 } }).pass(60_000);
    expect(scene.hungUp).toEqual([]);
  });

  test('a node that is alone, and one that has nothing to say, keep quiet', () => {
    const scene = connectedTo('b', 'c').pass(60_000).forgetSent();
    scene.pass(60_000);
    expect(scene.sent.filter(({ message }) => message[0] !== PING && message[0] !== HASH)).toEqual([]);
    expect(scene.sentOf(PING)).toHaveLength(60);
    expect(scene.sentOf(PING).every(([, , news]) => news.length === 0)).toBe(true);
    expect(scene.sentOf(HASH).length).toBeLessThanOrEqual(3);
  });
});

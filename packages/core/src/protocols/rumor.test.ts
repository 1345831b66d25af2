import { describe, expect, test } from '@jest/globals';
import { Context, type Dots } from '../context.ts';
import { stampAt } from '../hlc.ts';
import type { Feedback, Message } from '../messages.ts';
import { Origin } from '../origin.ts';
import type { Machine, Offer, Received } from '../protocol.ts';
import { type Random, seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { Update } from '../update.ts';
import { epidemicStatus, rumor } from './rumor.ts';
import type { RumorOptions } from './rumor-options.ts';

const T0 = 1_800_000_000_000;
const far = new Origin('far', 7);

interface Sent {
  readonly to: string;
  readonly message: Message;
}

interface TestNode {
  readonly replica: Replica;
  readonly machine: Machine;
  readonly offers: Offer[];
  /** Delays by timer: the last that was asked for, until it is taken out by `fire`. */
  readonly timers: Map<string, number>;
  /** What was sent since the last call, one entry per recipient. */
  sent(): Sent[];
  write(id: string, value?: string): Update;
  receive(...batch: readonly (readonly [from: string, message: Message])[]): void;
  /** Lets a timer fire that has been set. */
  fire(timer: string, nowMs?: number): void;
  infective(): number;
  removed(): number;
}

interface Setting {
  readonly peers?: readonly string[];
  readonly judged?: boolean;
  readonly replica?: Replica;
  readonly random?: Random;
}

function aReplica(): Replica {
  return new Replica({ name: 'a', epoch: 5, maxDriftMs: 60000, maxUpdateBytes: 1e6, forgetAfterMs: 1e9 });
}

function aNode(options: Partial<RumorOptions> = {}, setting: Setting = {}): TestNode {
  const { peers = ['b'], judged = false, replica = aReplica(), random = seededRandom(3) } = setting;
  let sent: Sent[] = [];
  const offers: Offer[] = [];
  const timers = new Map<string, number>();
  const machine = rumor(options).create({
    self: 'a',
    replica,
    random,
    judged,
    effects: {
      send: (to, message) => {
        for (const peer of typeof to === 'string' ? [to] : to) sent.push({ to: peer, message: asData(message) });
      },
      offer: (offer) => offers.push(offer),
      setTimer: (timer, delayMs) => timers.set(timer, delayMs),
      report: () => undefined,
    },
  });
  machine.start(T0);
  machine.peersChanged(named(...peers), T0);
  return {
    replica,
    machine,
    offers,
    timers,
    sent: () => {
      const taken = sent;
      sent = [];
      return taken;
    },
    write: (id, value) => {
      const update = replica.write(id, value, undefined, T0);
      machine.add(replica.takeFresh(), T0);
      return update;
    },
    receive: (...batch) =>
      machine.receive(
        batch.map(([from, message]): Received => ({ from, message })),
        T0,
      ),
    fire: (timer, nowMs = T0) => {
      expect([...timers.keys()]).toContain(timer);
      timers.delete(timer);
      machine.tick(timer, nowMs);
    },
    infective: () => epidemicStatus(machine)?.infective ?? -1,
    removed: () => epidemicStatus(machine)?.removed ?? -1,
  };
}

function named(...names: readonly string[]): { name: string; session: number; epochOfUs: number }[] {
  return names.map((name) => ({ name, session: 1, epochOfUs: 0 }));
}

function dots(origin: Origin, ...intervals: number[]): Dots {
  return [{ origin, intervals, newest: 0 }];
}

/** Intervals by origin name, however the dots are grouped. */
function plain(set: Dots): Record<string, readonly number[]> {
  return Object.fromEntries(
    Context.of(set)
      .dots()
      .map(({ origin, intervals }) => [origin.name, intervals]),
  );
}

/** An update by `far`, stored under `id`. */
function anUpdate(sequence: number, id = `id${sequence}`, value: string | undefined = 'v'): Update {
  return new Update(id, value, stampAt(T0) + sequence, far, sequence, undefined);
}

/** As it travels: with its updates as objects that no store has seen. */
function asData(message: Message): Message {
  if (!('updates' in message)) return message;
  const updates = Array.from(
    message.updates,
    ({ id, value, stamp, origin, sequence, expiresAt }) => new Update(id, value, stamp, origin, sequence, expiresAt),
  );
  return { ...message, updates };
}

function pushed(...updates: Update[]): Message {
  return asData({ type: 'updates', cause: 'push', updates });
}

function announced(set: Dots, pulled = false): Message {
  return { type: 'announce', dots: set, pulled };
}

function feedback(set: { known?: Dots; news?: Dots }): Message {
  return { type: 'feedback', known: set.known ?? [], news: set.news ?? [] };
}

function typesOf(sent: readonly Sent[]): string[] {
  return sent.map(({ message }) => message.type);
}

function only<T extends Message['type']>(sent: readonly Sent[], type: T): Extract<Message, { type: T }>[] {
  return sent.map(({ message }) => message).filter((message) => message.type === type) as Extract<
    Message,
    { type: T }
  >[];
}

function feedbackOf(sent: readonly Sent[]): { to: string; known: unknown; news: unknown }[] {
  return sent
    .filter(({ message }) => message.type === 'feedback')
    .map(({ to, message }) => ({
      to,
      known: plain((message as Feedback).known),
      news: plain((message as Feedback).news),
    }));
}

const steady: Partial<RumorOptions> = { eager: false };

describe('a rumor sets out', () => {
  test('an own write is pushed at once, with its value', () => {
    const node = aNode();
    const update = node.write('x', 'v');
    expect(node.sent()).toEqual([{ to: 'b', message: pushed(update) }]);
  });

  test.each([
    { level: 1, count: 1 },
    { level: 2, count: 2 },
    { level: 0, count: 4 },
  ])('the value goes to `level` different nodes, to all with 0: $level', ({ level, count }) => {
    const node = aNode({ level }, { peers: ['b', 'c', 'd', 'e'] });
    node.write('x', 'v');
    const sent = node.sent();
    expect(new Set(sent.map(({ to }) => to)).size).toBe(count);
    expect(typesOf(sent)).toEqual(Array.from({ length: count }, () => 'updates'));
  });

  test('without eager, nothing leaves before the cycle ends, and then once each `delta`', () => {
    const node = aNode(steady);
    const update = node.write('x', 'v');
    expect(node.sent()).toEqual([]);
    expect(node.timers.get('rumor')).toBeGreaterThan(0);
    expect(node.timers.get('rumor')).toBeLessThanOrEqual(500);
    node.fire('rumor');
    expect(node.sent()).toEqual([{ to: 'b', message: pushed(update) }]);
    expect(node.timers.get('rumor')).toBe(500);
    node.receive(['b', feedback({ news: dots(update.origin, 1, 1) })]);
    expect(node.sent()).toEqual([]);
    node.fire('rumor', T0 + 500);
    expect(node.sent()).toEqual([{ to: 'b', message: announced(dots(update.origin, 1, 1)) }]);
  });

  test('after its first push a rumor travels as its dot, and a burst as one interval', () => {
    const node = aNode();
    for (let i = 0; i < 10; i++) node.replica.write(`id${i}`, 'v', undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    node.sent();
    node.fire('rumor');
    expect(only(node.sent(), 'announce').map((message) => plain(message.dots))).toEqual([{ a: [1, 10] }]);
  });

  test('a received rumor is passed on by its dot from the start', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    node.receive(['b', pushed(anUpdate(1))]);
    expect(only(node.sent(), 'announce').map((message) => plain(message.dots))).toEqual([{ far: [1, 1] }]);
  });

  test('a received update is added to the state', () => {
    const node = aNode();
    node.receive(['b', pushed(anUpdate(1, 'x', 'hello'))]);
    expect(node.replica.get('x')).toBe('hello');
  });

  test('a burst of 100,000 writes leaves in frames of at most 2,000, as one run', () => {
    const node = aNode();
    for (let i = 0; i < 100_000; i++) node.replica.write(`id${i}`, 'v', undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    const frames = only(node.sent(), 'updates').map(({ updates }) => updates.length);
    expect(Math.max(...frames)).toBeLessThanOrEqual(2000);
    expect(frames.reduce((sum, count) => sum + count)).toBe(100_000);
    expect(epidemicStatus(node.machine)).toEqual({ infective: 100_000, removed: 0, runs: 1 });
  });

  test('a frame has at most 48 KiB', () => {
    const node = aNode();
    for (let i = 0; i < 10; i++) node.replica.write(`id${i}`, 'v'.repeat(20_000), undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    expect(only(node.sent(), 'updates').map(({ updates }) => updates.length)).toEqual([2, 2, 2, 2, 2]);
  });

  test('tombstones are rumors too', () => {
    const node = aNode();
    node.write('x', 'v');
    node.receive(['b', feedback({ known: dots(node.replica.origin, 1, 1) })]);
    node.sent();
    node.fire('push');
    const tombstone = node.write('x');
    expect(node.sent()).toEqual([{ to: 'b', message: pushed(tombstone) }]);
  });

  test('a superseded rumor is pushed no more', () => {
    const node = aNode(steady);
    node.write('x', 'old');
    const update = node.write('x', 'new');
    expect(node.infective()).toBe(1);
    node.fire('rumor');
    expect(node.sent()).toEqual([{ to: 'b', message: pushed(update) }]);
  });

  test('what arrives together with what supersedes it is no rumor', () => {
    const node = aNode();
    node.receive(['b', pushed(anUpdate(1, 'x'), anUpdate(2, 'x'))]);
    expect(node.infective()).toBe(1);
  });
});

describe('writes in quick succession', () => {
  test('leave together, a millisecond after the first', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    node.write('x', 'v');
    node.write('y', 'v');
    node.write('z', 'v');
    expect(only(node.sent(), 'updates').map(({ updates }) => Array.from(updates, ({ id }) => id))).toEqual([['x']]);
    expect(node.timers.get('push')).toBe(1);
    node.fire('push');
    expect(only(node.sent(), 'updates').map(({ updates }) => Array.from(updates, ({ id }) => id))).toEqual([
      ['y', 'z'],
    ]);
  });

  test('leave at once again after a millisecond of silence', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    node.write('x', 'v');
    node.fire('push');
    node.sent();
    node.write('y', 'v');
    expect(typesOf(node.sent())).toEqual(['updates']);
  });
});

describe('feedback', () => {
  test('names what was known, and only that, and what was news', () => {
    const node = aNode();
    node.receive(['b', pushed(anUpdate(1), anUpdate(2))]);
    node.sent();
    node.receive(['c', pushed(anUpdate(2), anUpdate(3))]);
    expect(feedbackOf(node.sent())).toEqual([{ to: 'c', known: { far: [2, 2] }, news: { far: [3, 3] } }]);
  });

  test('answers dots as it answers values, and what is lacked is asked for', () => {
    const node = aNode();
    node.receive(['b', pushed(anUpdate(1))]);
    node.sent();
    node.receive(['c', announced(dots(far, 1, 2))]);
    const sent = node.sent();
    expect(feedbackOf(sent)).toEqual([{ to: 'c', known: { far: [1, 1] }, news: { far: [2, 2] } }]);
    expect(only(sent, 'ask').map((ask) => plain(ask.dots))).toEqual([{ far: [2, 2] }]);
  });

  test('is judged against the state before the batch: two pushers of one rumor both hear news', () => {
    const node = aNode();
    node.receive(['b', pushed(anUpdate(1))], ['c', pushed(anUpdate(1))], ['d', announced(dots(far, 1, 1))]);
    const sent = node.sent();
    expect(feedbackOf(sent)).toEqual(['b', 'c', 'd'].map((to) => ({ to, known: {}, news: { far: [1, 1] } })));
    expect(only(sent, 'ask')).toEqual([]);
  });

  test.each(['mail', 'answer'] as const)('is not given to %s', (cause) => {
    const node = aNode();
    node.receive(['b', { type: 'updates', cause, updates: [anUpdate(1)] }]);
    expect(feedbackOf(node.sent())).toEqual([]);
  });

  test('is not given to the first arrival of what a handler ignores, and says known to every later one', () => {
    const node = aNode({}, { judged: true });
    node.receive(['b', pushed(anUpdate(1))], ['c', pushed(anUpdate(1))]);
    node.machine.judged(1, { type: 'ignore' }, T0);
    expect(node.sent()).toEqual([]);
    expect(node.infective()).toBe(0);
    node.receive(['b', pushed(anUpdate(1))]);
    expect(feedbackOf(node.sent())).toEqual([{ to: 'b', known: { far: [1, 1] }, news: {} }]);
  });

  test('waits for the handler, and then is as of the arrival', () => {
    const node = aNode({}, { judged: true, peers: ['b', 'c'] });
    node.receive(['b', pushed(anUpdate(1), anUpdate(2))]);
    expect(node.sent()).toEqual([]);
    node.receive(['c', pushed(anUpdate(1))]);
    node.sent();
    node.machine.judged(1, { type: 'keep', kept: new Map([['id2', 'v']]) }, T0);
    const sent = node.sent();
    expect(feedbackOf(sent)).toEqual([
      { to: 'b', known: {}, news: { far: [2, 2] } },
      { to: 'c', known: { far: [1, 1] }, news: {} },
    ]);
    expect(only(sent, 'announce').map((message) => plain(message.dots))).toEqual([{ far: [2, 2] }]);
  });

  test('is neither given nor heeded by a blind node', () => {
    const node = aNode({ blind: true, rounds: 9 });
    node.receive(['b', pushed(anUpdate(1))]);
    expect(feedbackOf(node.sent())).toEqual([]);
    for (let i = 0; i < 9; i++) node.receive(['b', feedback({ known: dots(far, 1, 1) })]);
    expect(node.infective()).toBe(1);
  });
});

describe('interest is lost', () => {
  test('after `rounds` peers knew, and for what they knew alone', () => {
    const node = aNode();
    for (let i = 0; i < 5; i++) node.replica.write(`id${i}`, 'v', undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    const { origin } = node.replica;
    for (let i = 0; i < 2; i++) node.receive(['b', feedback({ known: dots(origin, 2, 3) })]);
    expect(node.infective()).toBe(5);
    node.receive(['b', feedback({ known: dots(origin, 2, 3) })]);
    expect([node.infective(), node.removed()]).toEqual([3, 2]);
    node.sent();
    node.fire('rumor');
    expect(only(node.sent(), 'announce').map((message) => plain(message.dots))).toEqual([{ a: [1, 1, 4, 5] }]);
  });

  test.each([false, true])('of those that only dial counts once a cycle, however late it comes (%s)', (isLate) => {
    const node = aNode({ rounds: 3 });
    const dependents = ['d1', 'd2', 'd3', 'd4', 'd5'];
    const dependent = dependents.map((name) => ({ name, session: 1, epochOfUs: 0, dialsOnly: true }));
    node.machine.peersChanged([...named('b'), ...dependent], T0);
    node.write('x', 'v');
    if (isLate) node.fire('rumor');
    for (const name of dependents) node.receive([name, feedback({ known: dots(node.replica.origin, 1, 1) })]);
    expect(node.infective()).toBe(1);
    for (let i = 0; i < 2; i++) node.fire('rumor');
    expect(node.infective()).toBe(1);
  });

  test.each([
    { removal: 'counter', left: 0 },
    { removal: 'reset-counter', left: 1 },
  ] as const)(
    'a useful push between changes nothing with $removal, or starts anew: $left left',
    ({ removal, left }) => {
      const node = aNode({ removal, rounds: 2 });
      node.write('x', 'v');
      const dot = dots(node.replica.origin, 1, 1);
      node.receive(['b', feedback({ known: dot })]);
      node.receive(['b', feedback({ news: dot })]);
      node.receive(['b', feedback({ known: dot })]);
      expect(node.infective()).toBe(left);
    },
  );

  test('with a coin, at each useless push with probability 1 / rounds', () => {
    const tosses = [0.9, 0.34, 0.32];
    const node = aNode({ removal: 'coin', rounds: 3, eager: false }, { random: () => tosses.shift() ?? 0.99 });
    node.write('x', 'v');
    const useless = (): void => node.receive(['b', feedback({ known: dots(node.replica.origin, 1, 1) })]);
    useless();
    expect(node.infective()).toBe(1);
    useless();
    expect(node.infective()).toBe(0);
  });

  test('when blind, after `rounds` pushes to anybody', () => {
    const node = aNode({ blind: true, rounds: 3 });
    node.write('x', 'v');
    node.fire('rumor');
    expect(node.infective()).toBe(1);
    node.fire('rumor');
    expect(node.infective()).toBe(0);
  });

  test('never while nobody is there, and the first to come gets the rumor', () => {
    const node = aNode({ blind: true, rounds: 1 }, { peers: [] });
    node.write('x', 'v');
    expect([...node.timers.keys()]).toEqual([]);
    expect(node.infective()).toBe(1);
    node.machine.peersChanged(named('b'), T0);
    expect(typesOf(node.sent())).toEqual(['updates']);
    expect(node.infective()).toBe(0);
  });

  test('a removed rumor is still answered when asked for', () => {
    const node = aNode({ rounds: 1 });
    const update = node.write('x', 'v');
    node.receive(['b', feedback({ known: dots(update.origin, 1, 1) })]);
    node.sent();
    node.receive(['c', { type: 'ask', dots: dots(update.origin, 1, 1) }]);
    expect(node.sent()).toEqual([{ to: 'c', message: { ...pushed(update), cause: 'answer' } }]);
  });
});

describe('eager', () => {
  test('news is answered by the next push at once, to another peer', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    node.write('x', 'v');
    const first = node.sent()[0]?.to as string;
    const dot = dots(node.replica.origin, 1, 1);
    node.receive([first, feedback({ news: dot })]);
    expect(node.sent()).toEqual([{ to: first === 'b' ? 'c' : 'b', message: announced(dot) }]);
  });

  test('a peer that alone is there is not told again what it has just taken', () => {
    const node = aNode();
    node.write('x', 'v');
    node.sent();
    node.receive(['b', feedback({ news: dots(node.replica.origin, 1, 1) })]);
    expect(node.sent()).toEqual([]);
  });

  test('known is not followed by a push before the cycle ends', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    node.write('x', 'v');
    const first = node.sent()[0]?.to as string;
    node.receive([first, feedback({ known: dots(node.replica.origin, 1, 1) })]);
    expect(node.sent()).toEqual([]);
  });

  test.each([
    ['its feedback', (node: TestNode) => node.receive(['b', feedback({ known: dots(node.replica.origin, 1, 1) })])],
    ['the end of the cycle', (node: TestNode) => node.fire('rumor')],
    [
      'its going and coming back',
      (node: TestNode) => node.machine.peersChanged([{ name: 'b', session: 2, epochOfUs: 0 }], T0),
    ],
  ])('one push per peer is in flight; the next rides together after %s', (_, free) => {
    const node = aNode();
    node.write('x', 'v');
    node.sent();
    node.fire('push');
    node.write('y', 'v');
    node.write('z', 'v');
    expect(node.sent()).toEqual([]);
    free(node);
    expect(only(node.sent(), 'updates').map(({ updates }) => Array.from(updates, ({ id }) => id))).toEqual([
      ['y', 'z'],
    ]);
  });

  test('with level 0, what a busy peer missed rides with the next push to it', () => {
    const node = aNode({ level: 0 }, { peers: ['b', 'c'] });
    const { origin } = node.replica;
    node.write('x', 'v');
    node.fire('push');
    expect(node.sent().map(({ to }) => to)).toEqual(expect.arrayContaining(['b', 'c']));
    node.write('y', 'v');
    node.receive(['b', feedback({ news: dots(origin, 1, 1) })]);
    expect(new Set(node.sent().map(({ to }) => to))).toEqual(new Set(['b']));
    node.receive(['c', feedback({ news: dots(origin, 1, 1) })]);
    const sent = node.sent();
    expect(new Set(sent.map(({ to }) => to))).toEqual(new Set(['c']));
    expect(only(sent, 'announce').flatMap((message) => message.dots)).toMatchObject([{ intervals: [2, 2] }]);
  });
});

describe('cycles', () => {
  test('free every peer whose feedback did not come', () => {
    const node = aNode({}, { peers: ['b', 'c'] });
    for (const id of ['x', 'y']) {
      node.write(id, 'v');
      node.fire('push');
    }
    expect(new Set(node.sent().map(({ to }) => to)).size).toBe(2);
    node.write('z', 'v');
    expect(node.sent()).toEqual([]);
    node.fire('rumor');
    const partner = node.sent()[0]?.to;
    node.write('w', 'v');
    expect(node.sent().map(({ to }) => to)).toEqual([partner === 'b' ? 'c' : 'b']);
  });

  test('push sets no timer while nothing is infective, and stops when nothing is any more', () => {
    const node = aNode({ rounds: 1 });
    expect([...node.timers.keys()]).toEqual([]);
    node.write('x', 'v');
    expect([...node.timers.keys()]).toContain('rumor');
    node.receive(['b', feedback({ known: dots(node.replica.origin, 1, 1) })]);
    node.fire('rumor');
    expect([...node.timers.keys()]).not.toContain('rumor');
  });

  test('keep their random phase from the start on', () => {
    const node = aNode(steady, { random: () => 0.5 });
    node.replica.write('x', 'v', undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0 + 1100);
    expect(node.timers.get('rumor')).toBe(150);
  });

  test('pull asks `level` peers in every cycle, from the start on', () => {
    const node = aNode({ direction: 'pull', level: 2 }, { peers: ['b', 'c', 'd'], random: seededRandom(8) });
    expect(node.timers.get('rumor')).toBeLessThanOrEqual(500);
    for (let cycle = 0; cycle < 3; cycle++) {
      node.fire('rumor');
      expect(typesOf(node.sent())).toEqual(['pull', 'pull']);
    }
  });

  test('push-pull does both with the same partner', () => {
    const node = aNode({ direction: 'push-pull', eager: false }, { peers: ['b', 'c', 'd'] });
    node.write('x', 'v');
    node.fire('rumor');
    const sent = node.sent();
    expect(typesOf(sent)).toEqual(['pull', 'updates']);
    expect(new Set(sent.map(({ to }) => to)).size).toBe(1);
  });
});

describe('pull', () => {
  const pulling: Partial<RumorOptions> = { direction: 'pull', rounds: 2 };

  test('of one peer is answered a few times where very many runs are infective, however often it pulls', () => {
    const node = aNode({ eager: false });
    const apart = Array.from({ length: 20_000 }, (_, i) => anUpdate(2 * i + 1, `id${i}`));
    node.receive(['b', pushed(...apart)]);
    node.sent();
    for (let i = 0; i < 1000; i++) node.receive(['b', { type: 'pull' }]);
    const told = only(node.sent(), 'announce').length;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(500);
    node.receive(['c', { type: 'pull' }]);
    expect(only(node.sent(), 'announce').length).toBeGreaterThan(0);
  });

  test('in one step, asks of one peer together are answered by a megabyte, and those of another by as much', () => {
    const node = aNode({ eager: false }, { peers: ['b', 'c'] });
    for (let i = 1; i <= 10; i++) node.replica.write(`id${i}`, 'v'.repeat(300_000), undefined, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    node.sent();
    const { origin } = node.replica;
    const asks = Array.from({ length: 10 }, (_, i): Message => ({ type: 'ask', dots: dots(origin, i + 1, i + 1) }));
    node.receive(
      ...asks.map((ask): [string, Message] => ['b', ask]),
      ...asks.map((ask): [string, Message] => ['c', ask]),
    );
    const sent = node.sent();
    for (const peer of ['b', 'c'])
      expect(
        only(
          sent.filter(({ to }) => to === peer),
          'updates',
        ),
      ).toHaveLength(4);
  });

  test('is answered by what is infective, and by nothing when nothing is', () => {
    const node = aNode(pulling);
    node.receive(['b', { type: 'pull' }]);
    expect(node.sent()).toEqual([]);
    node.write('x', 'v');
    expect(node.sent()).toEqual([]);
    node.receive(['b', { type: 'pull' }]);
    expect(node.sent()).toEqual([{ to: 'b', message: announced(dots(node.replica.origin, 1, 1), true) }]);
  });

  test('gets the rumors of before the batch, not those in it', () => {
    const node = aNode(pulling);
    node.receive(['b', { type: 'updates', cause: 'answer', updates: [anUpdate(1)] }], ['c', { type: 'pull' }]);
    expect(node.sent()).toEqual([]);
  });

  test('counts once a cycle when all who pulled knew it, however many', () => {
    const node = aNode(pulling, { peers: ['b', 'c', 'd'] });
    node.write('x', 'v');
    const known = feedback({ known: dots(node.replica.origin, 1, 1) });
    node.receive(['b', { type: 'pull' }], ['c', { type: 'pull' }], ['d', { type: 'pull' }]);
    node.receive(['b', known], ['c', known], ['d', known]);
    node.fire('rumor');
    expect(node.infective()).toBe(1);
    node.receive(['b', { type: 'pull' }]);
    node.receive(['b', known]);
    node.fire('rumor');
    expect(node.infective()).toBe(0);
  });

  test.each([
    { removal: 'counter', left: 0 },
    { removal: 'reset-counter', left: 1 },
  ] as const)('does not count when anybody needed it, and starts anew with reset-counter: $removal', (row) => {
    const node = aNode({ ...pulling, removal: row.removal }, { peers: ['b', 'c'] });
    node.write('x', 'v');
    const dot = dots(node.replica.origin, 1, 1);
    const cycle = (...said: Message[]): void => {
      for (const [i, message] of said.entries()) node.receive([i === 0 ? 'b' : 'c', message]);
      node.fire('rumor');
    };
    cycle(feedback({ known: dot }));
    cycle(feedback({ known: dot }), feedback({ news: dot }));
    expect(node.infective()).toBe(1);
    cycle(feedback({ known: dot }));
    expect(node.infective()).toBe(row.left);
  });

  test('in push-pull, an own write is not pushed with its value to a peer that pulled it before and has announced it since', () => {
    const node = aNode({ direction: 'push-pull', eager: false });
    node.write('x', 'v');
    const own = dots(node.replica.origin, 1, 1);
    node.receive(['b', { type: 'pull' }]);
    node.receive(['b', { type: 'ask', dots: own }]);
    node.receive(['b', announced(own, true)]);
    node.sent();
    node.fire('rumor', T0 + 500);
    expect(node.sent()).toEqual([
      { to: 'b', message: { type: 'pull' } },
      { to: 'b', message: announced(own) },
    ]);
  });

  test('in push-pull, feedback on a pull counts by the cycle and feedback on a push at once', () => {
    const node = aNode({ direction: 'push-pull', eager: false, rounds: 1 });
    node.write('x', 'v');
    const known = feedback({ known: dots(node.replica.origin, 1, 1) });
    node.receive(['b', { type: 'pull' }]);
    node.receive(['b', known]);
    expect(node.infective()).toBe(1);
    node.receive(['b', known]);
    expect(node.infective()).toBe(0);
  });
});

describe('what is asked for', () => {
  test('is gone when it was superseded here, and enters no context', () => {
    const node = aNode();
    node.write('x', 'old');
    const update = node.write('x', 'new');
    node.sent();
    node.receive(['b', { type: 'ask', dots: dots(update.origin, 1, 2) }]);
    const sent = node.sent();
    expect(only(sent, 'updates')).toEqual([{ ...pushed(update), cause: 'answer' }]);
    expect(only(sent, 'gone').map((gone) => plain(gone.dots))).toEqual([{ a: [1, 1] }]);
    const other = aNode();
    other.receive(['b', announced(dots(far, 1, 1))], ['b', { type: 'gone', dots: dots(far, 1, 1) }]);
    expect(other.replica.context.has(far, 1)).toBe(false);
  });

  test('is served though a handler hid it, and is never pushed', () => {
    const node = aNode({}, { judged: true });
    node.receive(['b', pushed(anUpdate(1))]);
    node.machine.judged(1, { type: 'ignore' }, T0);
    node.sent();
    node.receive(['c', { type: 'ask', dots: dots(far, 1, 1) }]);
    expect(typesOf(node.sent())).toEqual(['updates']);
    expect(node.infective()).toBe(0);
  });

  test('is gone when it has expired here', () => {
    const node = aNode();
    const update = node.replica.write('x', 'v', T0 + 100, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    node.fire('expiry', T0 + 100);
    expect(node.infective()).toBe(0);
    node.sent();
    node.receive(['b', { type: 'ask', dots: dots(update.origin, 1, 1) }]);
    expect(typesOf(node.sent())).toEqual(['gone']);
  });
});

describe('garbage', () => {
  test('what was removed `ttl` ago is forgotten with its update, and its dot stays known', () => {
    const node = aNode({ rounds: 1, ttl: 1000 });
    const update = node.write('x', 'v');
    node.receive(['b', feedback({ known: dots(update.origin, 1, 1) })]);
    node.machine.collect(T0 + 999);
    expect(node.replica.get('x')).toBe('v');
    node.machine.collect(T0 + 1000);
    expect(node.replica.get('x')).toBe(undefined);
    expect(node.replica.context.has(update.origin, 1)).toBe(true);
    expect(node.removed()).toBe(0);
  });

  test('what is infective is never collected', () => {
    const node = aNode({ ttl: 1000 });
    node.write('x', 'v');
    node.machine.collect(T0 + 1e8);
    node.machine.collect(T0 + 2e8);
    expect(node.replica.get('x')).toBe('v');
  });

  test('is never collected with `gc: false`', () => {
    expect(rumor({ gc: false }).gcMs).toBe(false);
    expect(rumor().gcMs).toBe(1000);
  });

  test.each([
    ['ignored', { type: 'ignore' }],
    ['hidden by a reset', { type: 'reset', kept: new Map<string, string>([['id2', 'v']]), offeredArrival: 0 }],
  ] as const)('what was %s goes the same way, though it never was a rumor or is none any more', (_, verdict) => {
    const node = aNode({ ttl: 1000 }, { judged: true });
    node.receive(['b', pushed(anUpdate(1))]);
    node.machine.judged(1, verdict.type === 'reset' ? { type: 'keep-all' } : verdict, T0);
    node.receive(['b', pushed(anUpdate(2))]);
    node.machine.judged(2, verdict, T0);
    expect(node.replica.store.byDot(far, 1)).toBeDefined();
    node.machine.collect(T0);
    node.machine.collect(T0 + 1000);
    expect(node.replica.store.byDot(far, 1)).toBe(undefined);
  });

  test('what an instance held when it crashed is forgotten `ttl` after its restart', () => {
    const { replica } = aNode();
    replica.write('x', 'v', undefined, T0);
    replica.takeFresh();
    const node = aNode({ ttl: 1000 }, { replica });
    node.machine.collect(T0 + 10);
    node.machine.collect(T0 + 1009);
    expect(replica.get('x')).toBe('v');
    node.machine.collect(T0 + 1010);
    expect(replica.get('x')).toBe(undefined);
    expect(node.removed()).toBe(0);
  });

  test('what expires is gone at the next collection at the latest', () => {
    const node = aNode();
    node.replica.write('x', 'v', T0 + 100, T0);
    node.machine.add(node.replica.takeFresh(), T0);
    node.machine.collect(T0 + 99);
    expect(node.replica.get('x')).toBe('v');
    node.machine.collect(T0 + 100);
    expect(node.replica.get('x')).toBe(undefined);
  });

  test('gaps of the context that are older than `ttl` close, and younger ones stay', () => {
    const node = aNode({ ttl: 1000 });
    node.receive(['b', pushed(anUpdate(3))]);
    node.machine.collect(T0);
    node.receive(['b', pushed(anUpdate(5))]);
    node.machine.collect(T0 + 999);
    expect(plain(node.replica.context.dots())).toEqual({ far: [3, 3, 5, 5] });
    node.machine.collect(T0 + 1000);
    expect(plain(node.replica.context.dots())).toEqual({ far: [1, 3, 5, 5] });
  });

  test('no gap waits for a clock that was set back to catch up', () => {
    const node = aNode({ ttl: 1000 });
    node.receive(['b', pushed(anUpdate(3))]);
    node.machine.collect(T0 + 3_600_000);
    node.machine.collect(T0);
    node.machine.collect(T0 + 999);
    expect(plain(node.replica.context.dots())).toEqual({ far: [3, 3] });
    node.machine.collect(T0 + 1000);
    expect(plain(node.replica.context.dots())).toEqual({ far: [1, 3] });
  });

  test('no gap closes over what is under judgement', () => {
    const node = aNode({ ttl: 1000 }, { judged: true });
    node.receive(['b', pushed(anUpdate(3))]);
    node.machine.judged(1, { type: 'keep-all' }, T0);
    node.receive(['b', pushed(anUpdate(1))]);
    node.machine.collect(T0);
    node.machine.collect(T0 + 1000);
    expect(plain(node.replica.context.dots())).toEqual({ far: [2, 3] });
  });

  test('what was held back for its stamp becomes a rumor when its time comes', () => {
    const node = aNode();
    node.receive(['b', pushed(new Update('x', 'v', stampAt(T0 + 60_001), far, 1, undefined))]);
    expect([node.replica.get('x'), feedbackOf(node.sent())]).toEqual([undefined, []]);
    node.machine.collect(T0 + 1);
    expect(node.replica.get('x')).toBe('v');
    expect(node.infective()).toBe(1);
  });

  test('what is held back for its stamp counts as known when it is pushed again, but not as taken, so that its pusher stops', () => {
    const node = aNode();
    node.receive(['b', pushed(new Update('x', 'v', stampAt(T0 + 3_600_000), far, 1, undefined))]);
    node.sent();
    node.receive(['b', { type: 'announce', dots: dots(far, 1, 1), pulled: false }]);
    const held = dots(far, 1, 1);
    expect(node.sent()).toEqual([{ to: 'b', message: { type: 'feedback', known: held, news: [], untaken: held } }]);
  });

  test('what was held back for its stamp becomes a rumor when its time comes, also where garbage is never collected', () => {
    const node = aNode({ gc: false });
    node.receive(['b', pushed(new Update('x', 'v', stampAt(T0 + 61_500), far, 1, undefined))]);
    expect(node.timers.get('stamps')).toBe(1000);
    node.fire('stamps', T0 + 1000);
    expect(node.replica.get('x')).toBe(undefined);
    node.fire('stamps', T0 + 2000);
    expect([node.replica.get('x'), node.infective()]).toEqual(['v', 1]);
    expect(node.timers.has('stamps')).toBe(false);
  });

  test('what peers hold back is written again once the clock is right, also where garbage is never collected', () => {
    const node = aNode({ gc: false });
    const early = node.replica.write('x', 'v', undefined, T0 + 3_600_000);
    node.machine.add(node.replica.takeFresh(), T0 + 3_600_000);
    const said = { type: 'held-back', dots: dots(early.origin, 1, 1) } as const;
    node.machine.receive([{ from: 'b', message: said }], T0 + 3_600_000);
    node.fire('stamps', T0 + 3_601_000);
    expect(node.replica.store.get('x')?.sequence).toBe(1);
    node.fire('stamps', T0);
    expect(node.replica.store.get('x')?.stamp).toBe(stampAt(T0));
  });
});

describe('the protocol', () => {
  test('takes the messages of rumor mongering and no others', () => {
    const protocol = rumor();
    expect([announced([]), pushed(), feedback({}), { type: 'pull' } as const].every(protocol.accepts)).toBe(true);
    expect(protocol.accepts({ type: 'custom', body: 1 })).toBe(false);
    expect(protocol.accepts({ type: 'ack', invitation: 1, index: 1 })).toBe(false);
  });

  test('takes a higher epoch when a peer knows one of its name', () => {
    const node = aNode();
    node.machine.peersChanged([{ name: 'z', session: 1, epochOfUs: 90 }], T0);
    expect(node.replica.origin.epoch).toBeGreaterThan(90);
  });

  test('reports every wrong option at once', () => {
    const wrong = {
      delta: 0,
      rounds: 1.5,
      blind: true,
      removal: 'reset-counter',
      direction: 'pull',
      eager: true,
      mail: 3,
    };
    expect(() => rumor(wrong as Partial<RumorOptions>)).toThrow(
      /5 options are wrong: 'delta' .*'rounds' .*'mail' is no option here.*'blind' .*'eager' /,
    );
    expect(() => rumor({ blind: true, removal: 'reset-counter' })).toThrow(/'blind' means nothing with removal/);
  });
});

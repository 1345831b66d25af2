import { describe, expect, test } from '@jest/globals';
import type { Dots } from '../context.ts';
import { stampAt } from '../hlc.ts';
import { Intake } from '../intake.ts';
import type { Message } from '../messages.ts';
import { Origin } from '../origin.ts';
import type { Environment } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { Update } from '../update.ts';
import { answer, ANSWER_BYTES, ASK_DOTS, type AskOptions, Asks } from './asks.ts';
import { dotsOf } from './dots.ts';

const T0 = 1_800_000_000_000;
const far = new Origin('far', 7);
const near = new Origin('near', 7);

/** As it travels: with its updates as objects that no store has seen. */
function asData(message: Message): Message {
  if (!('updates' in message)) return message;
  const travelling = Array.from(
    message.updates,
    ({ id, value, stamp, origin, sequence, expiresAt }) => new Update(id, value, stamp, origin, sequence, expiresAt),
  );
  return { ...message, updates: travelling };
}

interface Asker {
  readonly replica: Replica;
  readonly intake: Intake;
  readonly environment: Environment;
  readonly asks: Asks;
  readonly timers: Map<string, number>;
  sent(): { to: string; message: Message }[];
  /** What was asked for since the last call. */
  asked(): [from: string, dots: Record<string, readonly number[]>][];
  announce(from: string, announced: Dots, nowMs?: number): void;
  /** An update comes in, as an answer or otherwise. */
  store(...stored: Update[]): void;
}

function anAsker(options: Partial<AskOptions> = {}, judged = false): Asker {
  const replica = new Replica({ name: 'a', epoch: 5, maxDriftMs: 6e4, maxUpdateBytes: 300, forgetAfterMs: 1e9 });
  let sent: { to: string; message: Message }[] = [];
  const timers = new Map<string, number>();
  const environment: Environment = {
    self: 'a',
    replica,
    random: seededRandom(1),
    judged,
    effects: {
      send: (to, message) => sent.push({ to: to as string, message: asData(message) }),
      offer: () => undefined,
      setTimer: (timer, delayMs) => timers.set(timer, delayMs),
      report: () => undefined,
    },
  };
  const intake = new Intake(environment);
  const asks = new Asks(environment, intake, { delta: 500, askDelay: 0, ...options });
  const take = (): { to: string; message: Message }[] => {
    const taken = sent;
    sent = [];
    return taken;
  };
  return {
    replica,
    intake,
    environment,
    asks,
    timers,
    sent: take,
    asked: () => take().flatMap(({ to, message }) => (message.type === 'ask' ? [[to, plain(message.dots)]] : [])),
    announce: (from, announced, nowMs = T0) => {
      asks.announced(from, asks.lacked(announced), false, nowMs);
      asks.proceed(nowMs);
    },
    store: (...stored) => intake.receive(stored, T0, () => undefined),
  };
}

function dots(origin: Origin, ...intervals: number[]): Dots {
  return [{ origin, intervals, newest: 0 }];
}

function plain(set: Dots): Record<string, readonly number[]> {
  return Object.fromEntries(set.map(({ origin, intervals }) => [origin.name, intervals]));
}

function updates(first: number, last: number, value = 'v'): Update[] {
  return Array.from(
    { length: last - first + 1 },
    (_, i) => new Update(`id${first + i}`, value, stampAt(T0) + first + i, far, first + i, undefined),
  );
}

describe('a lacked dot', () => {
  test('is asked of one announcer at a time', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 5));
    asker.announce('c', dots(far, 3, 8));
    expect(asker.asked()).toEqual([
      ['b', { far: [1, 5] }],
      ['c', { far: [6, 8] }],
    ]);
  });

  test('is not asked for when it is here, under judgement, or was refused', () => {
    const asker = anAsker({}, true);
    asker.replica.admit(updates(1, 1), { type: 'keep-all' }, T0);
    asker.store(...updates(2, 2));
    asker.store(...updates(3, 3, 'v'.repeat(400)));
    asker.announce('b', dots(far, 1, 4));
    expect(asker.asked()).toEqual([['b', { far: [4, 4] }]]);
  });

  test('is asked of the next announcer when the first does not answer within 500 ms, or a longer delta', () => {
    for (const [delta, patience] of [
      [100, 500],
      [2000, 2000],
    ] as const) {
      const asker = anAsker({ delta });
      asker.announce('b', dots(far, 1, 5));
      asker.announce('c', dots(far, 1, 5));
      asker.sent();
      expect(asker.timers.get('ask')).toBe(patience);
      asker.asks.tick('ask', T0 + patience - 1);
      expect(asker.asked()).toEqual([]);
      asker.asks.tick('ask', T0 + patience);
      expect(asker.asked()).toEqual([['c', { far: [1, 5] }]]);
    }
  });

  test('is asked of the next announcer when the first goes', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 5));
    asker.announce('c', dots(far, 1, 5));
    asker.sent();
    asker.asks.peerGone('b');
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([['c', { far: [1, 5] }]]);
  });

  test('is given up when no announcer is left, and wanted again when it is announced anew', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 5));
    asker.sent();
    asker.asks.tick('ask', T0 + 500);
    asker.asks.tick('ask', T0 + 1000);
    expect(asker.asked()).toEqual([]);
    asker.announce('b', dots(far, 1, 5));
    expect(asker.asked()).toEqual([['b', { far: [1, 5] }]]);
  });

  test('is asked of nobody else when one says that it is gone', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 2));
    asker.announce('c', dots(far, 1, 2));
    asker.sent();
    asker.asks.gone('b', dots(far, 1, 1));
    asker.asks.answered('b', dots(far, 2, 2), T0);
    asker.store(...updates(2, 2));
    asker.asks.proceed(T0);
    asker.asks.tick('ask', T0 + 500);
    expect(asker.asked()).toEqual([]);
  });

  test('is dropped when it arrives by another way', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 5));
    asker.announce('c', dots(far, 1, 5));
    asker.sent();
    asker.store(...updates(1, 5));
    asker.asks.tick('ask', T0 + 500);
    expect(asker.asked()).toEqual([]);
  });

  test('that is held back when it comes is not asked for again, however often it is announced, until its writer takes it back', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 1));
    asker.announce('c', dots(far, 1, 1));
    asker.sent();
    asker.store(new Update('x', 'v', stampAt(T0 + 1e6), far, 1, undefined));
    asker.asks.answered('b', dots(far, 1, 1), T0);
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([]);
    asker.announce('c', dots(far, 1, 1));
    expect(asker.asked()).toEqual([]);
    asker.replica.dropHeldBack('far', dots(far, 1, 1));
    asker.announce('c', dots(far, 1, 1));
    expect(asker.asked()).toEqual([['c', { far: [1, 1] }]]);
  });
});

describe('a large want', () => {
  test('is asked for in parts of at most 8,192 dots, the next when the one before is answered', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 20_000));
    expect(asker.asked()).toEqual([['b', { far: [1, ASK_DOTS] }]]);
    const first = updates(1, ASK_DOTS);
    asker.store(...first);
    asker.asks.answered('b', dotsOf(first), T0);
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([['b', { far: [ASK_DOTS + 1, 2 * ASK_DOTS] }]]);
  });

  test('is asked for again where an answer ended before all of it', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 10));
    asker.sent();
    asker.store(...updates(1, 4));
    asker.asks.answered('b', dots(far, 1, 4), T0);
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([]);
    asker.asks.gone('b', []);
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([['b', { far: [5, 10] }]]);
  });

  test('is not asked for for ever of a peer that ends every answer before it began', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 10));
    asker.sent();
    asker.asks.gone('b', []);
    asker.asks.proceed(T0);
    expect(asker.asked()).toEqual([]);
  });

  test('has as much patience after every part of an answer', () => {
    const asker = anAsker();
    asker.announce('b', dots(far, 1, 10));
    asker.announce('c', dots(far, 1, 10));
    asker.sent();
    asker.asks.answered('b', dots(far, 1, 4), T0 + 400);
    asker.asks.tick('ask', T0 + 500);
    expect(asker.asked()).toEqual([]);
    expect(asker.timers.get('ask')).toBe(400);
    asker.asks.tick('ask', T0 + 900);
    expect(asker.asked()).toEqual([['c', { far: [5, 10] }]]);
  });
});

describe('with `askDelay`', () => {
  test('a dot is asked for when it has not come by itself in that time', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', dots(far, 1, 5));
    expect(asker.asked()).toEqual([]);
    expect(asker.timers.get('ask')).toBe(20);
    asker.store(...updates(1, 3));
    asker.asks.tick('ask', T0 + 20);
    expect(asker.asked()).toEqual([['b', { far: [4, 5] }]]);
  });

  test('a dot is not asked for while mail of its origin keeps coming, but for ten times as long at most', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', [...dots(far, 1, 5), ...dots(near, 1, 1)]);
    for (let nowMs = T0 + 10; nowMs <= T0 + 190; nowMs += 10) {
      asker.asks.mailed(far, nowMs);
      asker.asks.tick('ask', nowMs);
    }
    expect(asker.asked()).toEqual([['b', { near: [1, 1] }]]);
    asker.asks.answered('b', dots(near, 1, 1), T0 + 190);
    asker.asks.mailed(far, T0 + 199);
    asker.asks.tick('ask', T0 + 200);
    expect(asker.asked()).toEqual([['b', { far: [1, 5] }]]);
  });

  test('mail of very many origins is not all remembered: the first to be heard are asked for early', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', [...dots(far, 1, 5), ...dots(near, 1, 1)]);
    asker.asks.mailed(far, T0 + 10);
    asker.asks.mailed(near, T0 + 10);
    for (let i = 0; i < 1022; i++) asker.asks.mailed(new Origin(`o${i}`, 1), T0 + 15);
    // Heard again, it is not the first any more.
    asker.asks.mailed(near, T0 + 15);
    asker.asks.mailed(new Origin('one more', 1), T0 + 15);
    asker.asks.tick('ask', T0 + 20);
    expect(asker.asked()).toEqual([['b', { far: [1, 5] }]]);
  });

  test('a dot is not asked of a peer that has gone meanwhile', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', dots(far, 1, 5));
    asker.asks.peerGone('b');
    asker.asks.tick('ask', T0 + 20);
    expect(asker.asked()).toEqual([]);
  });

  test('a dot is asked for `askDelay` after the last mail of its origin', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', dots(far, 1, 5));
    asker.asks.mailed(far, T0 + 15);
    asker.asks.tick('ask', T0 + 20);
    expect(asker.asked()).toEqual([]);
    expect(asker.timers.get('ask')).toBe(15);
    asker.asks.tick('ask', T0 + 35);
    expect(asker.asked()).toEqual([['b', { far: [1, 5] }]]);
  });
});

describe('an answer', () => {
  test('has what is held, in frames of at most 48 KiB, and says what is gone', () => {
    const asker = anAsker();
    asker.store(...updates(2, 3000, 'v'.repeat(60)));
    answer(asker.environment, 'b', dots(far, 1, 3000));
    const sent = asker.sent();
    const frames = sent.flatMap(({ message }) => (message.type === 'updates' ? [[...message.updates]] : []));
    expect(frames.flat().map(({ sequence }) => sequence)).toEqual(updates(2, 3000).map(({ sequence }) => sequence));
    expect(frames.length).toBeGreaterThan(3);
    expect(sent.at(-1)).toEqual({
      to: 'b',
      message: { type: 'gone', dots: [expect.objectContaining({ intervals: [1, 1] })] },
    });
  });

  test('stops after 1 MiB and says that it ended, so that the rest is asked for again', () => {
    const asker = anAsker();
    asker.store(...updates(1, ASK_DOTS, 'v'.repeat(250)));
    answer(asker.environment, 'b', dots(far, 1, ASK_DOTS));
    const sent = asker.sent();
    const count = sent.reduce((sum, { message }) => sum + (message.type === 'updates' ? message.updates.length : 0), 0);
    expect(count * 260).toBeLessThan(ANSWER_BYTES);
    expect(count * 280).toBeGreaterThan(ANSWER_BYTES);
    expect(sent.at(-1)?.message).toEqual({ type: 'gone', dots: [] });
  });

  test('has at least one update, however large, so that asking again gets on', () => {
    const asker = anAsker();
    const replica = new Replica({ name: 'a', epoch: 5, maxDriftMs: 6e4, maxUpdateBytes: 1e8, forgetAfterMs: 1e9 });
    replica.admit(updates(1, 2, 'v'.repeat(2 * ANSWER_BYTES)), { type: 'keep-all' }, T0);
    answer({ ...asker.environment, replica }, 'b', dots(far, 1, 2));
    const sent = asker.sent();
    expect(sent.map(({ message }) => message.type)).toEqual(['updates', 'gone']);
    expect(sent[0]?.message).toMatchObject({ updates: [{ sequence: 1 }] });
  });

  test('is no longer because it is asked for in many messages: what goes beyond is for the next ask', () => {
    const asker = anAsker();
    asker.store(...updates(1, ASK_DOTS, 'v'.repeat(250)));
    let answered = 0;
    for (let i = 1; i <= ASK_DOTS; i++) answered = answer(asker.environment, 'b', dots(far, i, i), answered);
    const sent = asker.sent();
    const count = sent.reduce((sum, { message }) => sum + (message.type === 'updates' ? message.updates.length : 0), 0);
    expect(count * 260).toBeLessThan(ANSWER_BYTES);
    expect(count * 280).toBeGreaterThan(ANSWER_BYTES);
    expect(sent.slice(count).every(({ message }) => message.type === 'gone' && message.dots.length === 0)).toBe(true);
  });

  test('to an absurd ask costs no more than to the largest good one', () => {
    const asker = anAsker();
    answer(asker.environment, 'b', dots(far, 1, Number.MAX_SAFE_INTEGER - 1));
    expect(asker.sent()).toEqual([
      { to: 'b', message: { type: 'gone', dots: [expect.objectContaining({ intervals: [1, ASK_DOTS] })] } },
    ]);
  });
});

describe('announcements without bound', () => {
  const gappy = (count: number, from = 1): number[] =>
    Array.from({ length: 2 * count }, (_, i) => from + 4 * (i >> 1) + (i & 1));

  test('wait no longer for their delay once their intervals are too many', () => {
    const asker = anAsker({ askDelay: 20 });
    asker.announce('b', dots(far, ...gappy(40_000)));
    expect(asker.asked()).toEqual([]);
    asker.announce('c', dots(near, ...gappy(40_000)));
    expect(asker.asked().map(([from]) => from)).toEqual(['c']);
    // Who goes makes room for others.
    asker.asks.peerGone('b');
    asker.announce('d', dots(far, 3, 3));
    expect(asker.asked()).toEqual([]);
  });

  test('are remembered as far as the limit, however many origins they are of, in no time', () => {
    const asker = anAsker();
    const crowd = Array.from({ length: 70_000 }, (_, i) => ({
      origin: new Origin(`o${i}`, 1),
      intervals: [1, 1],
      newest: 0,
    }));
    const before = process.cpuUsage().user;
    asker.asks.announced('b', crowd, false, T0);
    // A walk through all that is remembered for each of them takes minutes.
    expect(process.cpuUsage().user - before).toBeLessThan(5e6);
    asker.asks.proceed(T0);
    expect(asker.asked()).not.toEqual([]);
  });
});

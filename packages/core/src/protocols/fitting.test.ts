import { describe, expect, test } from '@jest/globals';

import { Context, countDots, type Dots } from '../context.ts';
import type { Message } from '../messages.ts';
import { Origin } from '../origin.ts';
import type { Effects } from '../protocol.ts';
import { Replica } from '../replica.ts';
import { Update } from '../update.ts';
import { fits, fitted } from './fitting.ts';

const origin = new Origin('a', 1);
const update = (sequence: number, bytes: number): Update =>
  new Update(`id${sequence}`, 'x'.repeat(bytes), sequence, origin, sequence, undefined);
const gaps = (count: number): Dots => [
  { origin, intervals: Array.from({ length: count }, (_, i) => [3 * i + 1, 3 * i + 2]).flat(), newest: 0 },
];

/** What reaches each peer of a message, where `small` takes frames of 16 KiB and `usual` of 2 MiB. */
function sentOf(message: Message, to: string | readonly string[] = ['small', 'usual']): [string, Message][] {
  const sent: [string, Message][] = [];
  const replica = new Replica({ name: 'a', epoch: 1, maxDriftMs: 6e4, maxUpdateBytes: 2 ** 20, forgetAfterMs: 1e9 });
  const effects: Effects = {
    send: (names, one) => void sent.push([[names].flat().join(' '), one]),
    offer: () => undefined,
    setTimer: () => undefined,
    report: () => undefined,
  };
  const given = { self: 'a', replica, effects, random: Math.random, judged: false };
  fitted(given, (peer) => (peer === 'small' ? 2 ** 14 : 2 ** 21)).effects.send(to, message);
  const withheld = sent.filter(([, { type }]) => type === 'withheld').length;
  expect(replica.withheld).toBe(withheld);
  return sent;
}

describe('what is sent to peers of unequal frames', () => {
  test('is one message for all where it fits all', () => {
    const message: Message = { type: 'ack', invitation: 1, index: 1 };
    expect(sentOf(message, ['usual', 'usual too'])).toEqual([['usual usual too', message]]);
    const mail: Message = { type: 'updates', cause: 'mail', updates: [update(1, 500_000)] };
    expect(sentOf(mail, ['usual', 'usual too'])).toEqual([['usual usual too', mail]]);
  });

  test('is cut for the one that takes less, and what fits into no frame of it is named', () => {
    const updates = [update(1, 9000), update(2, 9000), update(3, 20_000), update(4, 100)];
    const sent = sentOf({ type: 'updates', cause: 'push', updates });
    expect(sent.filter(([to]) => to === 'usual').map(([, message]) => message)).toEqual([
      { type: 'updates', cause: 'push', updates },
    ]);
    const toSmall = sent.filter(([to]) => to === 'small').map(([, message]) => message);
    expect(
      toSmall.map((message) => ('updates' in message ? [...message.updates].map(({ sequence }) => sequence) : message)),
    ).toEqual([[1], [2], { type: 'withheld', origin, sequence: 3, id: 'id3', bytes: 20_003 }, [4]]);
  });

  test.each(['announce', 'ask', 'refused', 'gone', 'room'] as const)('cuts the dots of %s, and loses none', (type) => {
    const dots = gaps(4000);
    const message = (type === 'announce' ? { type, dots, pulled: false } : { type, dots }) as Message;
    const all = new Context();
    const sent = sentOf(message, 'small') as [string, { readonly dots: Dots }][];
    for (const [, part] of sent) all.addAll(part.dots);
    expect(sent.length).toBeGreaterThan(1);
    expect(all.dots()).toEqual(dots);
  });

  test('cuts feedback, and says of nothing that it is both', () => {
    const [known, news] = [
      gaps(1000),
      [{ origin: new Origin('b', 1), intervals: gaps(1000)[0]?.intervals ?? [], newest: 0 }],
    ];
    const untaken: Dots = [{ origin, intervals: [1, 2], newest: 0 }];
    const sent = sentOf({ type: 'feedback', known, news, untaken }, 'small').map(
      ([, message]) => message as Extract<Message, { type: 'feedback' }>,
    );
    const sum = (pick: (message: (typeof sent)[number]) => Dots): number =>
      sent.reduce((count, message) => count + countDots(pick(message)), 0);
    expect([sum((one) => one.known), sum((one) => one.news), sum((one) => one.untaken ?? [])]).toEqual([2000, 2000, 2]);
  });

  test('an empty set of dots has a meaning, and goes as it is', () => {
    expect(sentOf({ type: 'room', dots: [] }, 'small')).toEqual([['small', { type: 'room', dots: [] }]]);
  });

  test('an id counts by its bytes in UTF-8', () => {
    const of = (id: string, bytes: number): boolean =>
      fits(new Update(id, 'x'.repeat(bytes), 1, origin, 1, undefined), 2 ** 14);
    expect([of('a'.repeat(4096), 11_900), of('語'.repeat(4096), 3700), of('語'.repeat(4096), 5000)]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

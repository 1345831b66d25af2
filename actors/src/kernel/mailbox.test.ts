import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';

import { Mailbox, type MailboxOptions } from './mailbox.ts';

const aMailbox = (options?: MailboxOptions): { mailbox: Mailbox<number>; lost: number[] } => {
  const lost: number[] = [];
  return { mailbox: new Mailbox<number>(options, (message) => lost.push(message)), lost };
};

const emptied = (mailbox: Mailbox<number>): number[] => {
  const taken: number[] = [];
  while (mailbox.size > 0) taken.push(mailbox.take());
  return taken;
};

describe('a mailbox', () => {
  test('behaves as a plain queue does, however it is filled and emptied', () => {
    const steps = fc.array(fc.record({ offers: fc.nat(40), takes: fc.nat(40) }), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (history) => {
        const { mailbox } = aMailbox();
        const model: number[] = [];
        let next = 0;
        for (const { offers, takes } of history) {
          for (let count = 0; count < offers; count += 1) {
            mailbox.offer(next);
            model.push(next);
            next += 1;
          }
          for (let count = 0; count < takes && model.length > 0; count += 1) {
            expect(mailbox.take()).toBe(model.shift());
          }
          expect(mailbox.size).toBe(model.length);
        }
        expect(emptied(mailbox)).toEqual(model);
      }),
    );
  });

  test('is whole again after a burst that it gave back the memory of', () => {
    const { mailbox } = aMailbox();
    for (let message = 0; message < 10_000; message += 1) mailbox.offer(message);
    expect(emptied(mailbox)).toHaveLength(10_000);
    mailbox.offer(1);
    mailbox.offer(2);
    expect(emptied(mailbox)).toEqual([1, 2]);
  });

  test('that rejects refuses what is over its limit, and says so', () => {
    const { mailbox, lost } = aMailbox({ limit: 2, overflow: 'reject' });
    expect([1, 2, 3].map((message) => mailbox.offer(message))).toEqual([true, true, false]);
    expect({ lost, dropped: mailbox.dropped, left: emptied(mailbox) }).toEqual({ lost: [3], dropped: 1, left: [1, 2] });
  });

  test('that drops the oldest makes room with it', () => {
    const { mailbox, lost } = aMailbox({ limit: 2, overflow: 'drop-oldest' });
    expect([1, 2, 3, 4].map((message) => mailbox.offer(message))).toEqual([true, true, true, true]);
    expect({ lost, dropped: mailbox.dropped, left: emptied(mailbox) }).toEqual({
      lost: [1, 2],
      dropped: 2,
      left: [3, 4],
    });
  });

  test('that drops the newest takes it and loses it', () => {
    const { mailbox, lost } = aMailbox({ limit: 2, overflow: 'drop-newest' });
    expect([1, 2, 3].map((message) => mailbox.offer(message))).toEqual([true, true, true]);
    expect({ lost, dropped: mailbox.dropped, left: emptied(mailbox) }).toEqual({ lost: [3], dropped: 1, left: [1, 2] });
  });

  test('forgets everything when it is cleared, and goes on', () => {
    const { mailbox } = aMailbox();
    mailbox.offer(1);
    mailbox.offer(2);
    expect(mailbox.clear()).toBe(2);
    mailbox.offer(3);
    expect(emptied(mailbox)).toEqual([3]);
  });
});

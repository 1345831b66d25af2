import { describe, expect, test } from '@jest/globals';
import { STAMP_EPOCH_MS } from '../hlc.ts';
import type { Environment } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { LEASE_MS } from '../replica/leases.ts';
import { EPHEMERAL } from '../update.ts';
import { Expiry } from './expiry.ts';

/** On a whole second. */
const NOW = STAMP_EPOCH_MS + 1_000_000;

function aBench(): { expiry: Expiry; replica: Replica; timers: number[]; add(id: string, inMs: number): void } {
  const timers: number[] = [];
  const replica = new Replica({
    name: 'self',
    epoch: 1,
    maxDriftMs: 60000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86400000,
  });
  const effects = {
    send: () => {
      throw new Error('Expiry makes no message.');
    },
    offer: () => {},
    setTimer: (timer: string, delayMs: number) => {
      expect(timer).toBe('expiry');
      timers.push(delayMs);
    },
    report: () => {},
  };
  const environment: Environment = { self: 'self', replica, effects, random: seededRandom(1), judged: false };
  const expiry = new Expiry(environment);
  const add = (id: string, inMs: number): void => {
    replica.write(id, 'v', NOW + inMs, NOW);
    expiry.schedule(NOW);
  };
  return { expiry, replica, timers, add };
}

describe('expiry', () => {
  test('sets no timer while nothing expires', () => {
    const { expiry, replica, timers } = aBench();
    replica.write('x', 'v', undefined, NOW);
    expiry.schedule(NOW);
    expect(timers).toEqual([]);
  });

  test('wakes for the earliest, and sets the timer anew only when that moves', () => {
    const { timers, add } = aBench();
    add('a', 5500);
    add('b', 9000);
    add('c', 5700);
    add('d', 5200);
    add('e', 300);
    expect(timers).toEqual([5500, 5200, 300]);
  });

  test('wakes to renew what is tied to this node, which is a write', () => {
    const { expiry, replica, timers, add } = aBench();
    replica.write('tied', `${EPHEMERAL}v`, undefined, NOW);
    expiry.schedule(NOW);
    add('later', LEASE_MS);
    expect(timers).toEqual([LEASE_MS / 2]);
    replica.takeFresh();
    expiry.tick(NOW + LEASE_MS / 2);
    expect(Array.from(replica.takeFresh(), ({ id }) => id)).toEqual(['tied']);
    expect(timers).toEqual([LEASE_MS / 2, LEASE_MS / 2]);
  });

  test('lets go of all whose time has come, and wakes for the next', () => {
    const { expiry, replica, timers, add } = aBench();
    for (const [id, inMs] of [
      ['a', 100],
      ['b', 200],
      ['c', 5000],
    ] as const)
      add(id, inMs);
    expiry.tick(NOW + 250);
    expect([...replica.visible()].map(({ id }) => id)).toEqual(['c']);
    expect(timers).toEqual([100, 4750]);
    expiry.tick(NOW + 5000);
    expect([...replica.visible()]).toEqual([]);
    expect(timers).toHaveLength(2);
  });

  test('waits in steps for what is further off than a timer reaches', () => {
    const { expiry, replica, timers, add } = aBench();
    add('a', 2 ** 32);
    expect(timers).toEqual([2 ** 31 - 1]);
    expiry.tick(NOW + 2 ** 31 - 1);
    expect(timers).toEqual([2 ** 31 - 1, 2 ** 31 - 1]);
    expect([...replica.visible()]).toHaveLength(1);
  });
});

import { describe, expect, test } from '@jest/globals';
import { Neighbours } from './neighbours.ts';

function neighbours(
  most: number,
  ties: Readonly<Record<string, { ours?: boolean; sinceMs?: number }>> = {},
): Neighbours {
  const made = new Neighbours(most);
  for (const [name, { ours = true, sinceMs = 0 }] of Object.entries(ties))
    made.ties.set(name, { epoch: 1, ours, sinceMs });
  return made;
}

describe('neighbours', () => {
  test('in a cluster of no more than twice as many others everybody is connected with everybody', () => {
    expect(neighbours(8).isMesh(16)).toBe(true);
    expect(neighbours(8).isMesh(17)).toBe(false);
  });

  test('so many are wanted as are not chosen yet', () => {
    const some = neighbours(2);
    some.choose('a');
    some.choose('a');
    expect(some.wanting).toBe(1);
    some.unchoose('a');
    expect(some.wanting).toBe(2);
  });

  test('the oldest choice gives way', () => {
    const some = neighbours(2, { a: {}, b: {}, c: {} });
    for (const name of ['a', 'b', 'c']) some.choose(name);
    some.trim();
    expect(some.wanting).toBe(0);
    expect([...some.spare()]).toEqual(['a']);
    expect(some.idle(100_000)).toBe('a');
  });

  test('connections that end at once are made again after ever longer pauses, whatever ended them', () => {
    const some = neighbours(2);
    const pauses = [1000, 2000, 4000, 8000];
    let nowMs = 0;
    for (const pauseMs of pauses) {
      some.tie('a', 1, nowMs);
      nowMs += 10;
      expect(some.untie('a', false, nowMs)).toBe(true);
      expect([some.isDue('a', nowMs + pauseMs - 1), some.isDue('a', nowMs + pauseMs)]).toEqual([false, true]);
      nowMs += pauseMs;
    }
  });

  test('a probe dials at once after the first that did not last, and after a second from then on', () => {
    const some = neighbours(2);
    for (let times = 0; times < 6; times++) {
      const nowMs = 100_000 * times;
      some.tie('a', 1, nowMs);
      some.untie('a', false, nowMs);
      const isPaused = times > 0;
      expect([some.isPaused('a', nowMs + 999), some.isPaused('a', nowMs + 1000)]).toEqual([isPaused, false]);
    }
  });

  test('one that lasted is made again at once, and starts the pauses anew', () => {
    const some = neighbours(2);
    some.failed('a', 0);
    some.failed('a', 1000);
    // A dial in vain keeps no probe from dialling.
    expect(some.isPaused('a', 1001)).toBe(false);
    some.tie('a', 1, 4000);
    expect(some.untie('a', false, 9000)).toBe(true);
    expect(some.isDue('a', 9000)).toBe(true);
    some.tie('a', 1, 9000);
    some.untie('a', false, 9001);
    expect(some.isDue('a', 10_001)).toBe(true);
  });

  test('one that was released is no failure, and one that did not count is none', () => {
    const some = neighbours(2);
    some.tie('a', 1, 0);
    expect([some.untie('a', true, 1), some.isDue('a', 1)]).toEqual([true, true]);
    expect([some.untie('b', false, 1), some.isDue('b', 1)]).toEqual([false, true]);
  });

  test('only who dialled lets a connection go, and never one of its choice', () => {
    const some = neighbours(2, { theirs: { ours: false }, chosen: {}, other: {} });
    some.choose('chosen');
    expect(some.idle(100_000)).toBe('other');
    expect([...some.spare()]).toEqual(['other']);
    some.ties.delete('other');
    expect(some.idle(100_000)).toBeUndefined();
  });

  test('a connection is kept for 10 s at least, and the oldest goes first', () => {
    const some = neighbours(2, { a: { sinceMs: 500 }, b: { sinceMs: 0 }, c: { sinceMs: 700 } });
    expect(some.idle(9999)).toBeUndefined();
    expect(some.idle(10_000)).toBe('b');
    expect(some.idle(100_000)).toBe('b');
  });

  test('who cannot be dialled is tried ever more seldom, at most a minute apart', () => {
    const some = neighbours(2);
    const pauses: number[] = [];
    for (let i = 0, nowMs = 0; i < 9; i++) {
      some.failed('a', nowMs);
      const failedMs = nowMs;
      while (!some.isDue('a', nowMs)) nowMs += 500;
      pauses.push(nowMs - failedMs);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    some.forgive('a');
    expect(some.isDue('a', 0)).toBe(true);
  });

  test('it is left to the other side to dial once, not for ever', () => {
    const some = neighbours(2);
    expect(some.isDue('a', 0)).toBe(true);
    expect(some.putOff('a', 1000)).toBe(true);
    expect(some.isDue('a', 999)).toBe(false);
    expect(some.isDue('a', 1000)).toBe(true);
    expect(some.putOff('a', 2000)).toBe(false);
  });
});

import { describe, expect, test } from '@jest/globals';
import { closeCodes } from './close-codes.ts';
import { judge, mayBeAnother, type Rival, settle } from './pairing.ts';

const self = { name: 'm', epoch: 5 };
const judged = (
  step: 'hello' | 'welcome' | 'commit',
  name: string,
  epoch: number,
  rivals: readonly Rival[] = [],
): number | undefined => judge(step, { self, peer: { name, epoch }, rivals })?.code;

describe('of the connections of a pair', () => {
  test('a lone one goes on', () => {
    expect(judged('hello', 'a', 1)).toBeUndefined();
    expect(judged('welcome', 'a', 1)).toBeUndefined();
    expect(judged('commit', 'a', 1)).toBeUndefined();
  });

  test('one with ourselves ends as SELF, one with our name and another epoch as NAME_TAKEN', () => {
    expect(judged('hello', 'm', 5)).toBe(closeCodes.SELF);
    expect(judged('hello', 'm', 6)).toBe(closeCodes.NAME_TAKEN);
    expect(judged('welcome', 'm', 4)).toBe(closeCodes.NAME_TAKEN);
  });

  test('a dial of ours gives way to an open session, whoever dialled that', () => {
    expect(judged('welcome', 'a', 1, [{ epoch: 1, state: 'open' }])).toBe(closeCodes.DUPLICATE);
    expect(judged('welcome', 'z', 1, [{ epoch: 1, state: 'open' }])).toBe(closeCodes.DUPLICATE);
  });

  test('of crossing dials the lower name wins', () => {
    expect(judged('welcome', 'a', 1, [{ epoch: 1, state: 'reserved' }])).toBe(closeCodes.DUPLICATE);
    expect(judged('welcome', 'z', 1, [{ epoch: 1, state: 'reserved' }])).toBeUndefined();
  });

  test('a peer that dials although we think it connected is welcome: it may have lost the connection', () => {
    expect(judged('hello', 'a', 1, [{ epoch: 1, state: 'open' }])).toBeUndefined();
    expect(judged('commit', 'a', 1, [{ epoch: 1, state: 'open' }])).toBeUndefined();
    expect(settle('commit', { name: 'a', epoch: 1 }, { epoch: 1, state: 'open' })?.code).toBe(closeCodes.DUPLICATE);
  });

  test('the higher epoch stays, at every step', () => {
    for (const step of ['hello', 'welcome', 'commit'] as const) {
      for (const state of ['open', 'reserved'] as const) {
        expect(judged(step, 'a', 1, [{ epoch: 2, state }])).toBe(closeCodes.NAME_TAKEN);
        expect(judged(step, 'a', 2, [{ epoch: 1, state }])).toBeUndefined();
      }
    }
    expect(settle('welcome', { name: 'a', epoch: 2 }, { epoch: 1, state: 'open' })?.code).toBe(closeCodes.REPLACED);
    expect(settle('commit', { name: 'a', epoch: 2 }, { epoch: 1, state: 'reserved' })?.code).toBe(closeCodes.REPLACED);
  });

  test('a newcomer of a higher epoch may be another node, unless it has the URL of the former', () => {
    const former = { epoch: 1, url: 'ws://x' };
    expect(mayBeAnother({ epoch: 2, url: 'ws://y' }, former)).toBe(true);
    expect(mayBeAnother({ epoch: 2, url: null }, former)).toBe(true);
    expect(mayBeAnother({ epoch: 2, url: null }, { epoch: 1, url: null })).toBe(true);
    expect(mayBeAnother({ epoch: 2, url: 'ws://x' }, former)).toBe(false);
    expect(mayBeAnother({ epoch: 1, url: 'ws://y' }, former)).toBe(false);
  });

  test('a commit leaves a second dial of the same peer to that peer', () => {
    expect(settle('commit', { name: 'a', epoch: 1 }, { epoch: 1, state: 'reserved' })).toBeNull();
    expect(settle('welcome', { name: 'z', epoch: 1 }, { epoch: 1, state: 'reserved' })?.code).toBe(
      closeCodes.DUPLICATE,
    );
  });
});

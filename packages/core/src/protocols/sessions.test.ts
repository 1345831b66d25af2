import { describe, expect, test } from '@jest/globals';
import { EPOCH_LIMIT } from '../origin.ts';
import type { Environment, Peer } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { Sessions } from './sessions.ts';

function aBench(seed = 1): { sessions: Sessions; replica: Replica } {
  const replica = new Replica({
    name: 'self',
    epoch: 10,
    maxDriftMs: 60000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86400000,
  });
  const effects = { send: () => {}, offer: () => {}, setTimer: () => {}, report: () => {} };
  const environment: Environment = { self: 'self', replica, effects, random: seededRandom(seed), judged: false };
  return { sessions: new Sessions(environment), replica };
}

const peer = (name: string, session: number, epochOfUs = 0): Peer => ({ name, session, epochOfUs });

describe('a new list of peers', () => {
  test('says who arrived and who is gone', () => {
    const { sessions } = aBench();
    expect(sessions.change([peer('a', 1), peer('b', 2)])).toEqual({ arrived: ['a', 'b'], gone: [] });
    expect(sessions.change([peer('b', 2), peer('c', 3)])).toEqual({ arrived: ['c'], gone: ['a'] });
    expect(sessions.names).toEqual(['b', 'c']);
    expect([sessions.has('a'), sessions.has('c')]).toEqual([false, true]);
  });

  test('takes who came back on another connection for gone and arrived', () => {
    const { sessions } = aBench();
    sessions.change([peer('a', 1)]);
    expect(sessions.change([peer('a', 2)])).toEqual({ arrived: ['a'], gone: ['a'] });
    expect(sessions.change([peer('a', 2)])).toEqual({ arrived: [], gone: [] });
  });

  test('heeds what epoch of ours a new peer knows, and only then', () => {
    const { sessions, replica } = aBench();
    sessions.change([peer('a', 1, 50)]);
    const { epoch } = replica.origin;
    expect(epoch).toBeGreaterThan(50);
    sessions.change([peer('a', 1, epoch + 40)]);
    expect(replica.origin.epoch).toBe(epoch);
    sessions.change([peer('a', 2, epoch + 40)]);
    expect(replica.origin.epoch).toBeGreaterThan(epoch + 40);
  });

  test('does not heed an epoch that leaves no higher one to take', () => {
    const { sessions, replica } = aBench();
    sessions.change([peer('liar', 1, Number.MAX_SAFE_INTEGER), peer('other', 2, EPOCH_LIMIT)]);
    expect(replica.origin.epoch).toBe(10);
    sessions.change([peer('liar', 3, EPOCH_LIMIT - 1)]);
    expect(replica.origin.epoch).toBeGreaterThanOrEqual(EPOCH_LIMIT);
    expect(Number.isSafeInteger(replica.origin.epoch)).toBe(true);
  });

  test('takes another epoch than a former life that heard the same', () => {
    const epochs = [1, 2, 3].map((seed) => {
      const { sessions, replica } = aBench(seed);
      sessions.change([peer('a', 1, 50)]);
      return replica.origin.epoch;
    });
    expect(new Set(epochs).size).toBe(3);
  });
});

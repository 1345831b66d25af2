import { describe, expect, test } from '@jest/globals';
import { GossipError } from '@grapevine/core';

import { type Refused, Refusals } from './refusals.ts';

const refused = (peer: string): Refused => ({
  error: new GossipError('WRONG_CLUSTER', `${peer} is of another cluster`),
  by: 'us',
  peer,
  url: null,
  address: null,
});

describe('refusals', () => {
  test('are counted where they are the same again, and stand last then', () => {
    let nowMs = 1;
    const refusals = new Refusals(() => nowMs++);
    for (const peer of ['a', 'b', 'a']) refusals.note(refused(peer));
    expect(refusals.list.map(({ peer, times, atMs }) => [peer, times, atMs])).toEqual([
      ['b', 1, 2],
      ['a', 2, 3],
    ]);
    expect(refusals.latest?.message).toContain('a is of');
  });

  test('are kept to the last few, however many come', () => {
    const refusals = new Refusals(() => 0);
    for (let i = 0; i < 1000; i++) refusals.note(refused(`peer ${i}`));
    expect(refusals.list.map(({ peer }) => peer)).toEqual(Array.from({ length: 16 }, (_, i) => `peer ${984 + i}`));
  });
});

import { describe, expect, jest, test } from '@jest/globals';
import { Origin, Update } from '@grapevine/core';
import { Encoder, Told } from '@grapevine/wire';

import { Allowance, Allowances } from './allowance.ts';
import { weightOf, workOf, workOfControl } from './weight.ts';

const anAllowance = (): Allowance => new Allowance({ updatesPerSecond: 1000, bytesPerSecond: 10_000 }, 0);

describe('an allowance', () => {
  test('lets two seconds of updates, or of bytes, come at once, and then as many as the time that passes', () => {
    const allowance = anAllowance();
    expect(allowance.take(2000, 0, 0)).toBe(0);
    expect(allowance.take(100, 0, 0)).toBe(100);
    expect(allowance.take(0, 0, 50)).toBe(50);
    expect(allowance.take(0, 0, 100)).toBe(0);
    expect(anAllowance().take(0, 20_000, 0)).toBe(0);
    expect(anAllowance().take(0, 20_001, 0)).toBe(1);
  });

  test('does not add up for longer than two seconds', () => {
    const allowance = anAllowance();
    allowance.take(2000, 0, 0);
    expect(allowance.take(2001, 0, 1_000_000)).toBe(1);
  });

  test('holds nobody for longer than five seconds, whatever is owed', () => {
    expect(anAllowance().take(1e9, 1e9, 0)).toBe(5000);
  });

  test('is not confused by a clock that does not move', () => {
    const allowance = anAllowance();
    expect([allowance.take(2500, 0, 10), allowance.take(0, 0, 5)]).toEqual([500, 500]);
  });
});

describe('the allowances of a node', () => {
  const someAllowances = (): Allowances => new Allowances({ updatesPerSecond: 1000, bytesPerSecond: 10_000 });

  test('are taken up by the next connection of a peer of the same name, and by nobody else', () => {
    const allowances = someAllowances();
    expect(allowances.begun('liar', 0).take(2500, 0, 0)).toBe(500);
    allowances.ended('liar', 0);
    expect(allowances.begun('liar', 100).take(0, 0, 100)).toBe(400);
    expect(allowances.begun('honest', 100).take(2000, 0, 100)).toBe(0);
  });

  test('are one for two connections of a name, of which one takes the place of the other', () => {
    const allowances = someAllowances();
    const former = allowances.begun('a', 0);
    expect(allowances.begun('a', 0)).toBe(former);
    allowances.ended('a', 0);
    expect(allowances.begun('a', 0)).toBe(former);
  });

  test('are forgotten once they must be whole again, and of too many the longest gone', () => {
    const allowances = someAllowances();
    allowances.begun('early', 0).take(2500, 0, 0);
    allowances.ended('early', 0);
    allowances.begun('late', 6900);
    allowances.ended('late', 6900);
    expect(allowances.kept).toBe(2);
    allowances.begun('latest', 7000);
    allowances.ended('latest', 7000);
    expect(allowances.kept).toBe(2);
    // The one gone longest is found without a walk over those that were dropped before: a new iterator over a Map does that.
    const iterators = ([Symbol.iterator, 'entries', 'keys'] as const).map((of) => jest.spyOn(Map.prototype, of));
    for (let i = 0; i < 10_000; i++) {
      allowances.begun(`peer ${i}`, 7001);
      allowances.ended(`peer ${i}`, 7001);
    }
    const made = iterators.map(({ mock }) => mock.calls.length);
    for (const spy of iterators) spy.mockRestore();
    expect(allowances.kept).toBe(4096);
    expect(Math.max(...made)).toBeLessThan(100);
  });
});

describe('what counts', () => {
  const origin = new Origin('a', 1);
  const dots = [{ origin, intervals: [1, 10, 20, 29], newest: 0 }];

  test('as work are the updates of a message, and those that it asks for, up to what is answered', () => {
    const update = new Update('x', '1', 1, origin, 1, undefined);
    expect(workOf({ type: 'updates', cause: 'mail', updates: [update, update] }, 0)).toBe(3);
    expect(workOf({ type: 'chunk', invitation: 1, index: 0, updates: [update] }, 0)).toBe(2);
    expect(workOf({ type: 'ask', dots }, 0)).toBe(21);
    expect(workOf({ type: 'ask', dots: [{ origin, intervals: [1, 1e12], newest: 0 }] }, 0)).toBe(8193);
    expect(workOf({ type: 'pull' }, 0)).toBe(1);
  });

  test('as work are the parts of a set of dots, four as much as an update, in every message that has one', () => {
    const many = [{ origin, intervals: Array.from({ length: 38 }, (_, i) => 2 * i + 1), newest: 0 }];
    for (const type of ['announce', 'gone', 'refused', 'room', 'held-back', 'disowned'] as const)
      expect(workOf({ type, dots: many, pulled: false }, 0)).toBe(1 + 5);
    expect(workOf({ type: 'feedback', known: many, news: many }, 0)).toBe(1 + 10);
    expect(workOf({ type: 'feedback', known: many, news: many, untaken: many }, 0)).toBe(1 + 15);
    expect(workOf({ type: 'contexts', buckets: 'all', dots: many, invitation: 1, answer: true }, 0)).toBe(1 + 5);
    const sum = new Int32Array(4);
    const end = { type: 'end', invitation: 1, index: 0, buckets: 'all', claim: many } as const;
    expect(workOf({ ...end, context: sum, live: sum, horizonMs: 0 }, 0)).toBe(1 + 5);
    const live = { type: 'live-dots', buckets: 'all', dots: many, context: many, horizonMs: 0, answer: true } as const;
    expect(workOf(live, 0)).toBe(1 + 10);
  });

  test('as work are the bytes of a message whose parts nobody counts: what members say of each other, and sums', () => {
    expect(workOf({ type: 'custom', body: null }, 64_000)).toBe(2001);
    expect(workOf({ type: 'live-sums', sums: new Int32Array(4096), horizonMs: 0 }, 16_384)).toBe(513);
    expect(workOf({ type: 'bucket-sums', sums: new Int32Array(1024), direction: 'push-pull' }, 4096)).toBe(129);
  });

  test('as work are origins and their numbers, however short they are', () => {
    const encoder = new Encoder();
    const many = Array.from({ length: 1000 }, (_, i) => ({
      origin: new Origin(`${i}`, 1),
      intervals: [1, 1],
      newest: 0,
    }));
    const frames = new Told().missing(encoder.encode(1, { type: 'announce', dots: many, pulled: false }));
    const work = frames.reduce((sum, { length }) => sum + workOfControl(length), 0);
    expect(work).toBeGreaterThan(700);
    expect(work).toBeLessThan(2000);
  });

  test('as weight are the parts of a set of dots, in every message that has one', () => {
    const plain = weightOf({ type: 'pull' }, 3);
    const parts = 160 + 2 * 16;
    expect(plain).toBe(259);
    for (const type of ['announce', 'ask', 'gone', 'refused', 'room', 'held-back', 'disowned'] as const)
      expect(weightOf({ type, dots, pulled: false }, 3)).toBe(plain + parts);
    expect(weightOf({ type: 'feedback', known: dots, news: dots }, 3)).toBe(plain + 2 * parts);
    expect(weightOf({ type: 'feedback', known: dots, news: dots, untaken: dots }, 3)).toBe(plain + 3 * parts);
    const updates = Array.from({ length: 10 }, () => new Update('x', undefined, 1, origin, 1, undefined));
    expect(weightOf({ type: 'updates', cause: 'mail', updates }, 3)).toBe(plain + 1600);
    expect(weightOf({ type: 'chunk', invitation: 1, index: 0, updates }, 3)).toBe(plain + 1600);
    const sum = new Int32Array(4);
    expect(weightOf({ type: 'contexts', buckets: 'all', dots, invitation: 1, answer: true }, 3)).toBe(plain + parts);
    const end = { type: 'end', invitation: 1, index: 0, buckets: 'all', claim: dots } as const;
    expect(weightOf({ ...end, context: sum, live: sum, horizonMs: 0 }, 3)).toBe(plain + parts);
    const live = { type: 'live-dots', buckets: 'all', dots, context: dots, horizonMs: 0, answer: true } as const;
    expect(weightOf(live, 3)).toBe(plain + 2 * parts);
  });
});

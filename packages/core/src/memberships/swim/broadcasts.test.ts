import { describe, expect, test } from '@jest/globals';
import { Broadcasts, MOST_SERVED, retransmitLimit } from './broadcasts.ts';

function newsOf(...names: string[]): Broadcasts {
  const broadcasts = new Broadcasts();
  for (const name of names) broadcasts.add(name);
  return broadcasts;
}

describe('news that is passed on', () => {
  test.each([
    [1, 4],
    [9, 4],
    [10, 8],
    [99, 8],
    [999, 12],
    [1000, 16],
  ])('in a cluster of %i goes out %i times (SWIM, section 4.1: λ log n)', (nodes, times) => {
    expect(retransmitLimit(4, nodes)).toBe(times);
  });

  test('leaves after so many times', () => {
    const broadcasts = newsOf('a');
    expect([1, 2, 3, 4].map(() => broadcasts.take(3))).toEqual([['a'], ['a'], ['a'], []]);
    expect(broadcasts.isEmpty).toBe(true);
  });

  test('counts each receiver of a message', () => {
    const broadcasts = newsOf('a');
    expect(broadcasts.take(4, 3)).toEqual(['a']);
    expect(broadcasts.take(4, 3)).toEqual(['a']);
    expect(broadcasts.isEmpty).toBe(true);
  });

  test('is not counted where nobody receives it', () => {
    const broadcasts = newsOf('a');
    expect(broadcasts.take(1, 0)).toEqual([]);
    expect(broadcasts.isEmpty).toBe(false);
  });

  test('of one node is the latest only, and counts anew', () => {
    const broadcasts = newsOf('a', 'b');
    broadcasts.take(2);
    broadcasts.add('a');
    expect(broadcasts.take(2)).toEqual(['a', 'b']);
    expect(broadcasts.take(2)).toEqual(['a']);
    expect(broadcasts.isEmpty).toBe(true);
  });

  test('goes first where it was passed on least, and of those the latest (SWIM, section 4.1)', () => {
    const broadcasts = newsOf('a', 'b');
    broadcasts.take(9);
    broadcasts.add('c');
    broadcasts.take(9);
    broadcasts.add('d');
    expect(broadcasts.take(9)).toEqual(['d', 'c', 'b', 'a']);
  });

  test('that did not fit a message waits behind what was passed on less', () => {
    const broadcasts = newsOf(...Array.from({ length: 64 }, (_, i) => `n${i}`));
    broadcasts.take(99, 3);
    broadcasts.add('a');
    broadcasts.take(99);
    expect(broadcasts.take(99)[0]).toBe('a');
  });

  test('fits one message, and the rest goes with the next', () => {
    const names = Array.from({ length: 100 }, (_, i) => `n${i}`);
    const broadcasts = newsOf(...names);
    const first = broadcasts.take(2);
    const second = broadcasts.take(2);
    expect(first).toHaveLength(64);
    expect(new Set([...first, ...second]).size).toBe(100);
    const all = [...first, ...second, ...broadcasts.take(2), ...broadcasts.take(2)];
    expect(all).toHaveLength(200);
    expect(broadcasts.isEmpty).toBe(true);
  });

  test('is told to dependents three times, which counts for none of the other times', () => {
    const broadcasts = newsOf('a', 'b');
    expect([broadcasts.serve(), broadcasts.isServed]).toEqual([['a', 'b'], false]);
    broadcasts.add('a');
    expect(broadcasts.serve()).toEqual(['b', 'a']);
    expect([broadcasts.serve(), broadcasts.isServed]).toEqual([['b', 'a'], false]);
    expect([broadcasts.serve(), broadcasts.isServed, broadcasts.serve()]).toEqual([['a'], true, []]);
    expect(broadcasts.take(1)).toEqual(['a', 'b']);
  });

  test('is told to dependents a bounded part at a time, and first what was told least', () => {
    const names = Array.from({ length: MOST_SERVED + 100 }, (_, i) => `n${i}`);
    const broadcasts = newsOf(...names);
    expect(broadcasts.serve()).toEqual(names.slice(0, MOST_SERVED));
    broadcasts.add('late');
    const second = broadcasts.serve();
    expect(second.slice(0, 100)).toEqual(names.slice(MOST_SERVED));
    expect(second).toHaveLength(MOST_SERVED);
    expect(broadcasts.serve()).toContain('late');
    let told = 0;
    while (!broadcasts.isServed) told += broadcasts.serve().length;
    expect(told).toBe(3 * (names.length + 1) - 3 * MOST_SERVED);
  });

  test('of a hundred thousand nodes, each told of twice, is taken in and passed on as that of a few', () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `n${i}`);
    const broadcasts = new Broadcasts();
    for (const name of [...names, ...names]) broadcasts.add(name);
    let taken = 0;
    while (!broadcasts.isEmpty) taken += broadcasts.take(4).length;
    expect(taken).toBe(4 * names.length);
  });

  test('that is superseded before anybody was told is not kept', () => {
    const broadcasts = new Broadcasts();
    for (let i = 0; i < 1000; i++) broadcasts.add('a');
    broadcasts.add('b');
    expect(broadcasts.take(1)).toEqual(['b', 'a']);
    expect(broadcasts.isEmpty).toBe(true);
  });
});

import { expect, test } from '@jest/globals';

import { Context, type Dots } from '../../context.ts';
import { Origin } from '../../origin.ts';
import { PutOff } from './put-off.ts';

const a = new Origin('a', 1);
const dots = (...intervals: number[]): Dots => [{ origin: a, intervals, newest: 0 }];
const due = (putOff: PutOff, lacked: Dots, atMs: number): unknown[] =>
  putOff.due(lacked, atMs).map(({ intervals }) => intervals);

test('what was lacked all the while is due, and what others brought or came later is not', () => {
  const putOff = new PutOff(100);
  expect(due(putOff, dots(1, 4), 1000)).toEqual([]);
  expect(due(putOff, dots(1, 4), 1099)).toEqual([]);
  expect(due(putOff, dots(3, 6), 1100)).toEqual([[3, 4]]);
  expect(due(putOff, dots(5, 6), 1200)).toEqual([[5, 6]]);
});

test('a clock that was set back begins anew', () => {
  const putOff = new PutOff(100);
  putOff.due(dots(1, 1), 1000);
  expect(due(putOff, dots(1, 1), 500)).toEqual([]);
  expect(due(putOff, dots(1, 1), 600)).toEqual([[1, 1]]);
});

test('for a store that is no more nothing is due', () => {
  const putOff = new PutOff(100);
  putOff.due(dots(1, 1), 1000);
  putOff.clear();
  expect(due(putOff, dots(1, 1), 1100)).toEqual([]);
  expect(due(putOff, dots(1, 1), 1200)).toEqual([[1, 1]]);
});

test('what one peer claims does not keep waiting what another claims, whoever comes first', () => {
  const putOff = new PutOff(100);
  const [ones, fives] = [dots(1, 1), dots(5, 5)];
  expect([due(putOff, ones, 1000), due(putOff, fives, 1001)]).toEqual([[], []]);
  expect([due(putOff, fives, 1100), due(putOff, ones, 1101)]).toEqual([[], [[1, 1]]]);
  expect([due(putOff, ones, 1200), due(putOff, fives, 1201)]).toEqual([[], [[5, 5]]]);
});

test('of an origin with more gaps than there is room for, a part is due after the other', () => {
  const putOff = new PutOff(100);
  const intervals = Array.from({ length: 70_000 }, (_, i) => [2 * i + 1, 2 * i + 1]).flat();
  let lacked: Dots = [{ origin: a, intervals, newest: 0 }];
  for (let atMs = 1000; lacked.length > 0 && atMs < 2000; atMs += 100)
    lacked = Context.of(putOff.due(lacked, atMs)).lacking(lacked);
  expect(lacked).toEqual([]);
});

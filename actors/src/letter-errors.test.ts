import { expect, jest, test } from '@jest/globals';
import { Origin, Update } from '@grapevine/core';

import { LetterErrors } from './letter-errors.ts';

test('of dead letters the errors of the latest thousand are kept, however many come', () => {
  const errors = new LetterErrors();
  const origin = new Origin('one', 1);
  const updates = Array.from({ length: 5000 }, (_, i) => new Update(`id ${i}`, 'v', i + 1, origin, i + 1, undefined));
  // The oldest is found without a walk over those that were dropped before: a new iterator over a Map does that.
  const iterators = ([Symbol.iterator, 'entries', 'keys'] as const).map((of) => jest.spyOn(Map.prototype, of));
  for (const [i, update] of updates.entries()) errors.set(update, i);
  const made = iterators.map(({ mock }) => mock.calls.length);
  for (const spy of iterators) spy.mockRestore();
  expect(Math.max(...made)).toBeLessThan(100);
  const kept = updates.map((update) => errors.of(update)).filter((error) => error !== undefined);
  expect(kept).toEqual(Array.from({ length: 1000 }, (_, i) => 4000 + i));
});

import { expect, test } from '@jest/globals';

test('the house stands', () => {
  expect(1 + 1).toBe(2);
});

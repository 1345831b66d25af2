import { describe, expect, test } from '@jest/globals';

import { parseDuration, showDuration } from './duration.ts';

describe('a duration', () => {
  test('is a number with its unit', () => {
    expect(['20s', '1m', '500ms', '1.5s', ' 2 h '].map(parseDuration)).toEqual([20_000, 60_000, 500, 1500, 7_200_000]);
  });

  test('is nothing else', () => {
    expect(['20', 's', '', '-1s', '0s', '1 week', '1000h'].map(parseDuration)).toEqual(Array(7).fill(undefined));
  });

  test('is shown in few letters', () => {
    expect([0.123, 4.56, 78.9, 1234].map(showDuration)).toEqual(['0.12 ms', '4.6 ms', '79 ms', '1.2 s']);
  });
});

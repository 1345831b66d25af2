import { describe, expect, test } from '@jest/globals';

import { LineSplitter } from './lines.ts';

describe('lines', () => {
  test('are put together across chunks and numbered, the empty ones too', () => {
    const splitter = new LineSplitter();
    expect(splitter.push('a\n\nb')).toEqual([{ number: 1, text: 'a' }]);
    expect(splitter.push('c')).toEqual([]);
    expect(splitter.push('d\r\n  \ne\n')).toEqual([
      { number: 3, text: 'bcd\r' },
      { number: 5, text: 'e' },
    ]);
    expect(splitter.end()).toEqual([]);
  });

  test('need no end at the end', () => {
    const splitter = new LineSplitter();
    splitter.push('a\nb');
    expect(splitter.end()).toEqual([{ number: 2, text: 'b' }]);
    expect(splitter.end()).toEqual([]);
  });

  test('that are too long are told as such, and the next one is fine', () => {
    const splitter = new LineSplitter(5);
    expect(splitter.push('abc')).toEqual([]);
    expect(splitter.push('defg')).toEqual([]);
    expect(splitter.push('hijklmnop')).toEqual([]);
    expect(splitter.push('q\nrst\n')).toEqual([
      { number: 1, text: null },
      { number: 2, text: 'rst' },
    ]);
    splitter.push('abcdefgh');
    expect(splitter.end()).toEqual([{ number: 3, text: null }]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { hasControl, printable } from './printable.ts';

describe('a text of others', () => {
  test.each([
    ['\u001b[2J', '\\u001b[2J'],
    ['a\r\nb\tc', 'a\\u000d\\u000ab\\u0009c'],
    ['\u007f\u009b', '\\u007f\\u009b'],
    ['a\u202eb\u2066c\u2028d', 'a\\u202eb\\u2066c\\u2028d'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(printable(shown)).toBe(shown);
  });

  test.each(['', 'node-1', 'ws://[::1]:7001', 'Grüße 你好 👩‍🚀', '\u200d\ufeff'])('%j is shown as it is', (text) => {
    expect(printable(text)).toBe(text);
    expect(hasControl(text)).toBe(false);
  });

  test('has a control character, or has none', () => {
    expect(['\0', 'a\n', '\u007f', '\u0085'].filter((text) => !hasControl(text))).toEqual([]);
  });
});

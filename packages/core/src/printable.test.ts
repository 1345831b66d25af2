import { describe, expect, test } from '@jest/globals';
import { hasHidden, printable, shownId } from './printable.ts';

describe('a text of others', () => {
  test.each([
    ['\u001b[2J', '\\u001b[2J'],
    ['a\r\nb\tc', 'a\\u000d\\u000ab\\u0009c'],
    ['\u007f\u009b', '\\u007f\\u009b'],
    ['a\u202eb\u2066c\u2028d', 'a\\u202eb\\u2066c\\u2028d'],
    ['a\u200eb\u200fc\u061cd', 'a\\u200eb\\u200fc\\u061cd'],
    ['a\u200bb\u200dc\ufeffd\u2060e', 'a\\u200bb\\u200dc\\ufeffd\\u2060e'],
    ['a\u{e0041}\ud800', 'a\\u{e0041}\\ud800'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(printable(shown)).toBe(shown);
  });

  test.each(['', 'node-1', 'ws://[::1]:7001', 'Grüße 你好 🚀'])('%j is shown as it is', (text) => {
    expect(printable(text)).toBe(text);
    expect(hasHidden(text)).toBe(false);
  });

  test('that is an id is shown by its first 80 characters, of which none moves a cursor', () => {
    expect(shownId(`x\u001b[2J\u009b\u202e${'y'.repeat(100)}`)).toBe(`x\\u001b[2J\\u009b\\u202e${'y'.repeat(73)}`);
    expect(shownId(`${'y'.repeat(79)}🚀`)).toBe(`${'y'.repeat(79)}\\ud83d`);
  });

  test('has a character that no name may have, or has none', () => {
    const hidden = [
      '\u2028',
      '\u2029',
      '\u200b',
      '\u200d',
      '\u202e',
      '\u200e',
      '\u061c',
      '\u2066',
      '\ufeff',
      '\u00ad',
      '\u3164',
      '\ufe00',
      '\u034f',
      '\u{e0041}',
      '\ud800',
      '\ufffd',
    ];
    expect(['\0', 'a\n', '\u007f', '\u0085', ...hidden].filter((text) => !hasHidden(text))).toEqual([]);
  });
});

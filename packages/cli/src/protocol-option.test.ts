import { describe, expect, test } from '@jest/globals';

import { noOptions, parseScalar, withOption } from './protocol-option.ts';

describe('an option', () => {
  test('is a number, a boolean or a text', () => {
    expect(['4', '-1', '0.5', '1e3', 'true', 'false', 'push', '', '4ms', '0x10', 'Infinity'].map(parseScalar)).toEqual([
      4,
      -1,
      0.5,
      1000,
      true,
      false,
      'push',
      '',
      '4ms',
      '0x10',
      'Infinity',
    ]);
  });

  test('may be one of a part, beside others', () => {
    const options = noOptions();
    withOption('delta=100', options);
    withOption('rumor.rounds=4', options);
    withOption('rumor.removal=coin', options);
    withOption('text=a=b', options);
    expect(JSON.parse(JSON.stringify(options))).toEqual({
      delta: 100,
      rumor: { rounds: 4, removal: 'coin' },
      text: 'a=b',
    });
  });

  test('is refused without a key and a sign', () => {
    expect(withOption('rounds', noOptions())).toBeUndefined();
    expect(withOption('=4', noOptions())).toBeUndefined();
  });

  test('reaches nothing but the options, whatever its name', () => {
    const options = withOption('__proto__.polluted=1', noOptions());
    expect(Object.keys(options ?? {})).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

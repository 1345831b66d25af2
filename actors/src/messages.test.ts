import { describe, expect, test } from '@jest/globals';
import { decodeValue } from '@grapevine/wire';

import { add, addMany, remove, subscribe } from './messages.ts';

describe('add', () => {
  test('encodes the value at once, so that later changes of it are not gossiped', () => {
    const value = { on: true };
    const message = add('dark-mode', value);
    value.on = false;
    expect(decodeValue(message.bytes)).toEqual({ on: true });
  });

  test('throws at the caller what cannot be gossiped', () => {
    expect(() => add('a', () => 1)).toThrow(expect.objectContaining({ code: 'VALUE_NOT_SERIALISABLE' }));
    expect(() => addMany([['a', undefined]])).toThrow(expect.objectContaining({ code: 'VALUE_NOT_SERIALISABLE' }));
    expect(() => add('a', 1, { expiresIn: 0.5 })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  });

  test.each([[''], ['x'.repeat(4097)], ['half \ud800 a character'], [7 as never]])('refuses the id %j', (id) => {
    for (const make of [() => add(id, 1), () => remove(id), () => addMany([[id, 1]])])
      expect(make).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
  });

  test('is as strict as subscribe, which takes references only', () => {
    expect(() => subscribe(undefined as never)).toThrow(expect.objectContaining({ code: 'ACTOR_GONE' }));
  });

  test('takes ids of other scripts', () => {
    expect(add('rebe 🍇', 1).id).toBe('rebe 🍇');
  });
});

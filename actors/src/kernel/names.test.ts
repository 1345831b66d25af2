import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';

import { nameFor } from './names.ts';

describe('a name for nact', () => {
  test('keeps what nact allows', () => {
    expect(nameFor("node-1_a.b+!*'(),Z")).toBe("node-1_a.b+!*'(),Z");
  });

  test('escapes what nact forbids, its own escape included', () => {
    expect(nameFor('ws://10.0.0.2:7001/é€$')).toBe('ws$3a$2f$2f10.0.0.2$3a7001$2f$e9$u20ac$24');
  });

  test('of any text is one that nact allows', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => /^[a-z0-9-$_.+!*'(),]+$/i.test(nameFor(text))));
  });

  test('of two texts is never the same', () => {
    const tricky = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('$', 'u', '2', '4', 'é', '€', '\ud800') }),
    );
    fc.assert(fc.property(tricky, tricky, (one, other) => (nameFor(one) === nameFor(other)) === (one === other)));
    expect(nameFor('\ud800')).not.toBe(nameFor('\ud801'));
    expect(nameFor('')).not.toBe(nameFor('$'));
  });
});

/** The ledger finds what is planted, and takes what may be for well. */
import { describe, expect, test } from '@jest/globals';

import { Ledger } from './ledger.ts';

const clean = { lost: [], returned: [], died: 0 };

/** `x` is 1, written by a, held by all three. */
function settled(): Ledger<string> {
  const ledger = new Ledger<string>();
  ledger.write('x', '1');
  for (const holder of ['a', 'b', 'c']) ledger.told(holder, 'x', '1');
  expect(ledger.check(['a', 'b', 'c'], new Map([['x', '1']]))).toEqual(clean);
  return ledger;
}

describe('what was settled', () => {
  test('is lost when it is gone while a holder lives', () => {
    expect(settled().check(['c', 'd'], new Map()).lost).toEqual(['x is gone, and must be 1']);
  });

  test('may be gone, and may be there, when no holder lives', () => {
    expect(settled().check(['d', 'e'], new Map())).toEqual({ ...clean, died: 1 });
    expect(settled().check(['d', 'e'], new Map([['x', '1']]))).toEqual(clean);
  });

  test('has been handed on when somebody who was started since told of it', () => {
    const ledger = settled();
    ledger.told('d', 'x', '1');
    expect(ledger.check(['d'], new Map()).lost).toHaveLength(1);
  });

  test('must not be gone for a moment', () => {
    const ledger = settled();
    ledger.told('b', 'x', null);
    expect(ledger.check(['a', 'b', 'c'], new Map([['x', '1']])).returned).toEqual(['x was gone for a moment']);
  });
});

describe('a newer write', () => {
  test('is lost when the former is there and who acknowledged it lives', () => {
    const ledger = settled();
    ledger.write('x', '2');
    ledger.told('a', 'x', '2');
    expect(ledger.acknowledged).toBe(2);
    expect(ledger.check(['a', 'b', 'c'], new Map([['x', '1']])).lost).toEqual(['x is 1, and must be 2']);
  });

  test('is lost when its writer was killed and one who told of it lives', () => {
    const ledger = settled();
    ledger.write('x', '2');
    ledger.told('a', 'x', '2');
    ledger.told('b', 'x', '2');
    expect(ledger.check(['b', 'c'], new Map([['x', '1']])).lost).toHaveLength(1);
  });

  test('may have died with its writer, and then still appear', () => {
    const ledger = settled();
    ledger.write('x', '2');
    ledger.told('a', 'x', '2');
    expect(ledger.check(['b', 'c'], new Map([['x', '1']]))).toEqual({ ...clean, died: 1 });
    expect(ledger.mayWrite('b', 'x')).toBe(false);
    expect(ledger.check(['b', 'c'], new Map([['x', '1']]))).toEqual(clean);
    ledger.told('b', 'x', '2');
    ledger.told('c', 'x', '2');
    expect(ledger.check(['b', 'c'], new Map([['x', '2']]))).toEqual(clean);
    expect(ledger.check(['b', 'c'], new Map([['x', '1']])).lost).toHaveLength(1);
  });

  test('does not give way to the former, not even for a moment', () => {
    const ledger = settled();
    ledger.write('x', '2');
    for (const holder of ['a', 'b', 'c']) ledger.told(holder, 'x', '2');
    const content = new Map([['x', '2']]);
    expect(ledger.check(['a', 'b', 'c'], content)).toEqual(clean);
    ledger.told('b', 'x', '1');
    expect(ledger.check(['a', 'b', 'c'], content).returned).toEqual(['x was 1 for a moment']);
  });
});

describe('a removed id', () => {
  test('does not come back', () => {
    const ledger = settled();
    ledger.write('x', null);
    for (const holder of ['a', 'b', 'c']) ledger.told(holder, 'x', null);
    expect(ledger.isLive('x')).toBe(true);
    expect(ledger.check(['a', 'b', 'c'], new Map())).toEqual(clean);
    expect(ledger.isLive('x')).toBe(false);
    expect(ledger.check(['a', 'b', 'c'], new Map([['x', '1']])).returned).toHaveLength(1);
  });

  test('stays when who removed it was killed before anybody heard of it', () => {
    const ledger = settled();
    ledger.write('x', null);
    ledger.told('a', 'x', null);
    expect(ledger.check(['b', 'c'], new Map([['x', '1']]))).toEqual({ ...clean, died: 1 });
  });

  test('can be written again, by who knows that it is gone', () => {
    const ledger = settled();
    ledger.write('x', null);
    ledger.told('a', 'x', null);
    ledger.check(['a', 'b'], new Map());
    expect(ledger.mayWrite('b', 'x')).toBe(true);
    expect(ledger.mayWrite('d', 'x')).toBe(false);
    ledger.write('x', '3');
    expect(ledger.isOpen('x')).toBe(true);
    ledger.told('b', 'x', '3');
    expect(ledger.isOpen('x')).toBe(false);
    expect(ledger.check(['a', 'b'], new Map()).lost).toHaveLength(1);
  });
});

test('what nobody wrote is told', () => {
  const ledger = settled();
  const content = new Map([
    ['x', '1'],
    ['y', '1'],
  ]);
  expect(ledger.check(['a', 'b', 'c'], content).returned).toEqual(['y is there, which nobody wrote']);
});

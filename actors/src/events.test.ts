import { inspect } from 'node:util';

import { describe, expect, test } from '@jest/globals';
import { Origin, stampAt, Update } from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';

import { Change, DeadLetter, Entry } from './events.ts';

const stamp = stampAt(1_800_000_000_000);

function anUpdate(value: unknown, expiresAt?: number): Update {
  const bytes = value === undefined ? undefined : encodeValue(value);
  return new Update('flag', bytes, stamp, new Origin('a', 7), 3, expiresAt);
}

const version = { stamp, node: 'a', epoch: 7, sequence: 3 };

describe('what readers are given', () => {
  test('shows id and value on the console', () => {
    expect(inspect(new Entry(anUpdate({ on: true })))).toMatch(/^Entry \{\s+id: 'flag',\s+value: \{ on: true \}/);
    expect(inspect(new Change(anUpdate({ on: true })))).toMatch(
      /^Change \{\s+type: 'update',\s+id: 'flag',\s+value: \{ on: true \}/,
    );
    expect(inspect({ changes: [new Change(anUpdate(undefined))] }, { depth: 3 })).toMatch(
      /type: 'removed',\s+id: 'flag'/,
    );
    const letter = new DeadLetter(anUpdate(5), new Error('bad'));
    expect(inspect(letter)).toMatch(/^DeadLetter \{.*id: 'flag'.*value: 5.*Error: bad/s);
  });

  test('is a plain object by toJSON, which can be spread, cloned and printed', () => {
    const plain = { type: 'update', id: 'flag', value: { on: true }, version };
    const change = new Change(anUpdate({ on: true }));
    expect({ ...change.toJSON() }).toEqual(plain);
    expect(structuredClone(change.toJSON())).toEqual(plain);
    expect(JSON.parse(JSON.stringify(change))).toEqual(plain);
    expect(new Entry(anUpdate(1, 99)).toJSON()).toEqual({ id: 'flag', value: 1, version, expiresAt: 99 });
    expect(new DeadLetter(anUpdate(1), new Error('bad')).toJSON()).toEqual({
      id: 'flag',
      value: 1,
      version,
      error: 'Error: bad',
    });
  });

  test('reads a value when it is first asked for, and not before', () => {
    const broken = new Change(new Update('flag', '\xc1', stamp, new Origin('a', 7), 3, undefined));
    expect(broken.type).toBe('update');
    expect(() => broken.value).toThrow('0xc1');
  });
});

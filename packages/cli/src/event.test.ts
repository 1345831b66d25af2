import { describe, expect, test } from '@jest/globals';

import { type AgentEvent, showJson, showText } from './event.ts';

const update = (value: unknown): AgentEvent => ({
  event: 'update',
  at: Date.UTC(2026, 0, 1, 12, 30, 15, 250),
  node: 'a',
  gossip: 'flags',
  id: 'x',
  value,
  origin: 'b',
});

describe('an event', () => {
  test('is one line of JSON, whatever its value holds', () => {
    const value = {
      big: 2n ** 64n,
      bytes: new Uint8Array([1, 2, 3]),
      buffer: Buffer.from([1, 2, 3]),
      map: new Map([['k', [new Date(0)]]]),
      text: 'two\nlines',
    };
    const line = showJson(update(value));
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toMatchObject({
      event: 'update',
      value: {
        big: '18446744073709551616',
        bytes: 'AQID',
        buffer: 'AQID',
        map: { k: ['1970-01-01T00:00:00.000Z'] },
        text: 'two\nlines',
      },
    });
  });

  test('is a sentence for people', () => {
    expect(showText(update({ on: true }))).toBe('12:30:15.250 update     flags: x = {"on":true} (b)');
    expect(showText({ event: 'nodedown', at: 0, node: 'a', id: 'b', value: { url: null } })).toBe(
      '00:00:00.000 nodedown   b',
    );
  });
});

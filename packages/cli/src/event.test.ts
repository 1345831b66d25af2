import { describe, expect, test } from '@jest/globals';

import { type AgentEvent, type PrintedEntry, showJson, showText } from './event.ts';

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

  test('calls and converts nothing of what a peer has written', () => {
    const hostile = { toString: 1, valueOf: 1, toJSON: 1 };
    const value = {
      data: { type: 'Buffer', data: [2n, hostile] },
      keys: new Map([[hostile, 1]]),
      nested: new Map([[[hostile], 2]]),
      numbers: new Map<unknown, unknown>([
        [1, 'a'],
        [2n, 'b'],
      ]),
    };
    const shown = {
      data: { type: 'Buffer', data: ['2', hostile] },
      keys: [[hostile, 1]],
      nested: [[[hostile], 2]],
      numbers: { 1: 'a', 2: 'b' },
    };
    expect(JSON.parse(showJson(update(value)))).toMatchObject({ value: shown });
    expect(showText(update(value))).toContain(JSON.stringify(shown));
  });

  test('is a sentence for people', () => {
    expect(showText(update({ on: true }))).toBe('12:30:15.250 update     flags: x = {"on":true} (b)');
    expect(showText({ event: 'nodedown', at: 0, node: 'a', id: 'b', value: { url: null } })).toBe(
      '00:00:00.000 nodedown   b',
    );
  });

  test('moves no cursor of the people who read it, whatever a peer has written', () => {
    const written = { ...(update('\u009b2J') as object), id: 'x\u001b[2J\r', origin: 'b\n' } as AgentEvent;
    expect(showText(written)).toBe('12:30:15.250 update     flags: x\\u001b[2J\\u000d = "\\u009b2J" (b\\u000a)');
    const two = [update(1), update(2)] as unknown as PrintedEntry[];
    const snapshot = showText({ event: 'snapshot', at: 0, node: 'a', gossip: 'flags', entries: two });
    expect(snapshot.split('\n')).toEqual(['00:00:00.000 snapshot   flags: 2 ids', '  x = 1 (b)', '  x = 2 (b)']);
  });
});

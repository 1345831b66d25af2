import { describe, expect, test } from '@jest/globals';

import { parseCommand } from './command.ts';

describe('a line', () => {
  test('adds a value, for ever or for a while, here or in a named gossip', () => {
    expect(parseCommand('{"id": "x", "value": null}')).toEqual({ type: 'add', id: 'x', value: null });
    expect(parseCommand('{"id": "x", "value": [1], "expiresIn": 5, "gossip": "flags"}')).toEqual({
      type: 'add',
      id: 'x',
      value: [1],
      expiresIn: 5,
      gossip: 'flags',
    });
  });

  test('ties a value to the node', () => {
    expect(parseCommand('{"id": "x", "value": 1, "ephemeral": true}')).toMatchObject({ type: 'add', ephemeral: true });
  });

  test('removes an id', () => {
    expect(parseCommand('{"id": "x", "remove": true}')).toEqual({ type: 'remove', id: 'x' });
  });

  test('asks for the status', () => {
    expect(parseCommand('{"status": true}')).toEqual({ type: 'status' });
  });

  test.each([
    ['{', 'not JSON'],
    ['7', 'expected an object'],
    ['null', 'expected an object'],
    ['[]', 'expected an object'],
    ['{"value": 1}', '"id" must be a text'],
    ['{"id": 1, "value": 1}', '"id" must be a text'],
    ['{"id": "x"}', 'needs a "value"'],
    ['{"id": "x", "remove": false}', '"remove" must be true'],
    ['{"id": "x", "remove": true, "value": 1}', '"value" means nothing here'],
    ['{"id": "x", "value": 1, "expiresin": 5}', '"expiresin" means nothing here'],
    ['{"id": "x", "value": 1, "expiresIn": "5"}', '"expiresIn" must be milliseconds'],
    ['{"id": "x", "value": 1, "ephemeral": "yes"}', '"ephemeral" must be true or false'],
    ['{"id": "x", "value": 1, "gossip": 5}', '"gossip" must be the name'],
  ])('%s is refused', (text, problem) => {
    expect(() => parseCommand(text)).toThrow(problem);
  });
});

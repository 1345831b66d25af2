import { describe, expect, test } from '@jest/globals';

import type { Violation } from '@grapevine/core';

import { gossipRules, nodeRules } from '../../../actors/src/options.ts';
import { limits, limitsOf } from './limits.ts';

describe('limits', () => {
  test('are sorted by whether the node or its gossips have them, whatever they are worth', () => {
    expect(limitsOf({ maxIds: 1000, maxConnections: 20, stallTimeout: 'soon' }, [])).toEqual({
      node: { maxConnections: 20, stallTimeout: 'soon' },
      gossip: { maxIds: 1000 },
    });
    expect(limitsOf({}, [])).toEqual({ node: {}, gossip: {} });
  });

  test('are options that the library has, each of one kind', () => {
    const { node, gossip } = limitsOf(Object.fromEntries(limits.map((name) => [name, 1])), []);
    expect(Object.keys(nodeRules)).toEqual(expect.arrayContaining(Object.keys(node)));
    expect(Object.keys(gossipRules)).toEqual(expect.arrayContaining(Object.keys(gossip)));
    expect([...Object.keys(node), ...Object.keys(gossip)].toSorted()).toEqual(limits.toSorted());
  });

  test('that are unknown are all named', () => {
    const violations: Violation[] = [];
    expect(limitsOf({ maxIds: 1, most: 2, name: 'x' }, violations)).toEqual({ node: {}, gossip: { maxIds: 1 } });
    expect(violations.map(({ path }) => path)).toEqual(['most', 'name']);
  });
});

import type { MemberState, MemberStatus } from '@grapevine/core';
import { describe, expect, test } from '@jest/globals';

import { SharedAddresses } from './shared-addresses.ts';

const a = { name: 'a', url: 'ws://a:1' };
const member = (name: string, url: string | null, state?: MemberState): MemberStatus => ({
  name,
  epoch: 1,
  url,
  ...(state === undefined ? {} : { state }),
});

describe('addresses that nodes share', () => {
  test('are those that two advertise who are there, this node included', () => {
    const roster = [member('c', 'ws://a:1'), member('d', 'ws://d:1'), member('b', 'ws://a:1', 'alive')];
    expect(new SharedAddresses().news(a, roster)).toEqual([{ url: 'ws://a:1', names: ['a', 'b', 'c'] }]);
  });

  test.each(['suspect', 'down', 'left'] as const)(
    'are not those of one that is %s: another may have taken them over',
    (state) => {
      expect(new SharedAddresses().news(a, [member('b', 'ws://a:1', state)])).toEqual([]);
    },
  );

  test('are none of nodes that only dial', () => {
    expect(new SharedAddresses().news({ name: 'a', url: null }, [member('b', null), member('c', null)])).toEqual([]);
  });

  test('are news once for as long as they are shared, whoever joins in', () => {
    const addresses = new SharedAddresses();
    const roster = [member('b', 'ws://a:1')];
    expect(addresses.news(a, roster)).toHaveLength(1);
    expect(addresses.news(a, [...roster, member('c', 'ws://a:1')])).toEqual([]);
    expect(addresses.news(a, [])).toEqual([]);
    expect(addresses.news(a, roster)).toHaveLength(1);
  });
});

import { expect, test } from '@jest/globals';

import { table } from './members.ts';

test('a member is a line for people, in which nothing that it says of itself moves a cursor', () => {
  const meta = { note: 'a\u001b[2J\nb' };
  expect(
    table([
      { name: 'b', epoch: 1, url: null, state: 'down' },
      { name: 'a', epoch: 1, url: 'ws://a', meta },
    ]),
  ).toBe(['a  alive  ws://a             note=a\\u001b[2J\\u000ab', 'b  down   (does not listen)', ''].join('\n'));
});

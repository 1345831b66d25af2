/**
 * Places where nobody known lives are tried one at a time, and waiting for one costs nothing.
 */
import { expect, test } from '@jest/globals';
import { seededRandom } from '../../random.ts';
import { swim } from '../swim.ts';

const member = (name: string, state: 'alive' | 'down') => ({
  name,
  epoch: 1,
  url: `ws://${name}:7001`,
  meta: {},
  state,
  incarnation: 1,
  sinceMs: 0,
});

test('while a dial is under way, a node with many lost members sleeps until its next probe', () => {
  let delayMs = 0;
  let dials: string[] = [];
  const machine = swim().create({
    self: { name: 'a', epoch: 1, url: 'ws://a:7001' },
    random: seededRandom(1),
    inherited: [member('b', 'alive'), ...['c', 'd', 'e', 'f'].map((name) => member(name, 'down'))],
    effects: {
      dial: () => undefined,
      connect: (url) => void dials.push(url),
      hangUp: () => undefined,
      expel: () => undefined,
      view: () => undefined,
      send: () => undefined,
      discover: () => undefined,
      remember: () => undefined,
      outlive: () => undefined,
      setTimer: (_timer, ms) => {
        delayMs = ms;
      },
      report: () => undefined,
    },
  });
  machine.start(1000);
  machine.connected({ name: 'b', epoch: 1, url: 'ws://b:7001' }, 1001);
  const lost = /^ws:\/\/[c-f]:/;
  expect(dials.filter((url) => lost.test(url))).toHaveLength(1);
  let wakes = 0;
  for (let nowMs = 1001 + delayMs; nowMs < 4000; nowMs += Math.ceil(delayMs)) {
    machine.tick('swim', nowMs);
    wakes += 1;
  }
  expect(dials.filter((url) => lost.test(url))).toHaveLength(1);
  // A probe a second with its deadlines, gossip five times a second: without news, far fewer than ten a second.
  expect(wakes).toBeLessThan(25);
  const [first = ''] = dials.filter((url) => lost.test(url));
  dials = [];
  machine.dialEnded?.({ url: first, outcome: 'failed', peer: null }, 4000);
  machine.tick('swim', 4101);
  expect(dials.filter((url) => lost.test(url))).toHaveLength(1);
  expect(dials).not.toContain(first);
});

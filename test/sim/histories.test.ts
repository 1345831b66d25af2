/** A small set of hostile histories, on every push. `npm run simulate:seeds` runs them by the thousand. */
import { describe, expect, test } from '@jest/globals';
import { type ProtocolName, replayCommand, runHistory } from '@grapevine/sim';

const seeds = [1, 2, 3, 4, 5];

describe.each(['rumor', 'entropy', 'hybrid'] satisfies ProtocolName[])('%s', (protocol) => {
  test.each(seeds)('keeps its promises in the history of seed %d', (seed) => {
    const options = { seed, nodes: 5, minutes: 1.5, protocol };
    const { violation, quietTimes, writes } = runHistory(options);
    expect({ violation, replay: replayCommand(options) }).toEqual({ violation: null, replay: expect.any(String) });
    expect(quietTimes).toBeGreaterThan(0);
    expect(writes).toBeGreaterThan(0);
  });
});

describe.each([1, 2])('with %d that can be dialled among nodes that only dial', (hubs) => {
  test.each(
    (['rumor', 'entropy', 'hybrid'] satisfies ProtocolName[]).flatMap((protocol) =>
      [1, 2, 3].map((seed) => ({ protocol, seed })),
    ),
  )('$protocol keeps its promises in the history of seed $seed', ({ protocol, seed }) => {
    const options = { seed, nodes: 6, minutes: 1.5, protocol, hubs };
    const { violation, quietTimes } = runHistory(options);
    expect({ violation, replay: replayCommand(options) }).toEqual({
      violation: null,
      replay: expect.stringContaining(`--hubs ${hubs}`),
    });
    expect(quietTimes).toBeGreaterThan(0);
  });
});

describe('with nodes of unequal frames', () => {
  test.each([
    ['rumor', 19],
    ['entropy', 58],
    ['hybrid', 58],
  ] as const)('%s keeps its promises in the history of seed %d, and withholds what does not fit', (protocol, seed) => {
    const { violation, messages } = runHistory({ seed, nodes: 5, minutes: 0.5, protocol });
    expect(violation).toBeNull();
    expect(messages['withheld']).toBeGreaterThan(0);
  });
});

test('a larger world with everything in it comes to rest', () => {
  const { violation, cyclesToEqual } = runHistory({ seed: 7, nodes: 12, minutes: 1, protocol: 'hybrid' });
  expect(violation).toBeNull();
  expect(cyclesToEqual).toBeGreaterThan(0);
});

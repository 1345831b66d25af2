/** Hostile histories of nodes that find each other by SWIM, on every push. `--membership swim` runs them by the thousand. */
import { describe, expect, test } from '@jest/globals';
import { type HistoryOptions, replayCommand, runHistory } from '@grapevine/sim';

describe.each([5, 8])('%d nodes with SWIM', (nodes) => {
  test.each([1, 2, 3, 4])(
    'keep the promises of their protocol, and agree who is there, in the history of seed %d',
    (seed) => {
      const options: HistoryOptions = { seed, nodes, minutes: 1.5, membership: 'swim' };
      const { violation, quietTimes, writes } = runHistory(options);
      expect({ violation, replay: replayCommand(options) }).toEqual({ violation: null, replay: expect.any(String) });
      expect(quietTimes).toBeGreaterThan(0);
      expect(writes).toBeGreaterThan(0);
    },
  );
});

describe.each([1, 2])('with SWIM, %d that can be dialled among nodes that only dial', (hubs) => {
  test.each([1, 2, 3])(
    'keep the promises of their protocol, and agree who is there, in the history of seed %d',
    (seed) => {
      const options: HistoryOptions = { seed, nodes: 7, minutes: 1.5, membership: 'swim', hubs };
      const { violation, quietTimes } = runHistory(options);
      expect({ violation, replay: replayCommand(options) }).toEqual({
        violation: null,
        replay: expect.stringContaining(`--membership swim --hubs ${hubs}`),
      });
      expect(quietTimes).toBeGreaterThan(0);
    },
  );
});

describe('a history with SWIM', () => {
  const options: HistoryOptions = { seed: 4242, nodes: 5, minutes: 1, membership: 'swim' };

  test('is the same every time, whether or not its lines are read', () => {
    const lines: string[] = [];
    const printed = runHistory({ ...options, print: (line) => lines.push(line) });
    expect(printed.trace).toBe(runHistory(options).trace);
    expect(lines.some((line) => line.includes('says ['))).toBe(true);
  });

  test('is another than with a list', () => {
    const { membership: _, ...list } = options;
    expect(runHistory(options).trace).not.toBe(runHistory(list).trace);
    expect(runHistory({ ...list, membership: 'list' }).trace).toBe(runHistory(list).trace);
  });

  test('is replayed by a command that says so', () => {
    expect(replayCommand(options)).toBe(
      'npm run simulate:seeds -- --seed 4242 --nodes 5 --minutes 1 --membership swim --trace',
    );
  });
});

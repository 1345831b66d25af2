/** Failures are shrunk: here that of a world whose every write is a violation. */
import { describe, expect, test } from '@jest/globals';
import { type HistoryOptions, type HistoryReport, replayCommand, shrinkWith } from '@grapevine/sim';

const options: HistoryOptions = { seed: 3, nodes: 9, minutes: 4 };

/** Fails if the operations 7 and 13 are both carried out, and at least four nodes are there. */
function fake({ only, nodes }: HistoryOptions): HistoryReport {
  const operations = Array.from({ length: 20 }, (_, i) => i).filter((i) => only?.has(i) ?? true);
  const fails = operations.includes(7) && operations.includes(13) && nodes >= 4;
  return {
    seed: 3,
    violation: fails ? { rule: 2, oracle: 'fake', text: 'it happened', atMs: 1 } : null,
    trace: '',
    happenings: 0,
    virtualMs: 0,
    cyclesToEqual: 0,
    msToSettle: 0,
    quietTimes: 0,
    writes: 0,
    operations,
    messages: {},
  };
}

describe('a failure', () => {
  test('is shrunk to the operations, the nodes and the faults that it needs', () => {
    const { options: left, report } = shrinkWith(fake, options, fake(options));
    expect(left.nodes).toBe(4);
    expect(report.operations).toEqual([7, 13]);
    expect(left.without?.length).toBeGreaterThan(10);
  });

  test('is replayed by the command that is printed', () => {
    const { options: left } = shrinkWith(fake, options, fake(options));
    expect(replayCommand(left)).toMatch(
      /^npm run simulate:seeds -- --seed 3 --nodes 4 --minutes 4 --without .* --only 7,13 --trace$/,
    );
  });

  test('costs a bounded number of histories', () => {
    let runs = 0;
    const { tries } = shrinkWith(
      (each) => {
        runs++;
        return fake(each);
      },
      options,
      fake(options),
      10,
    );
    expect(tries).toBe(10);
    expect(runs).toBe(10);
  });
});

/**
 * The golden traces: a seed's history to the last byte, on every machine and Node version.
 *
 * They change with every change of a protocol, of the wire or of the simulator: look at the change, then `jest -u`.
 */
import { describe, expect, test } from '@jest/globals';
import { type ProtocolName, runHistory } from '@grapevine/sim';

describe.each(['rumor', 'entropy', 'hybrid'] satisfies ProtocolName[])('a history of %s', (protocol) => {
  const run = (print?: (line: string) => void): ReturnType<typeof runHistory> =>
    runHistory({ seed: 4242, nodes: 5, minutes: 1, protocol, print });

  test('has the trace that it had when it was written down, with all faults on', () => {
    const { trace, happenings, violation } = run();
    expect(violation).toBeNull();
    expect({ trace, happenings }).toMatchSnapshot();
  });

  test('is the same whether or not its lines are read', () => {
    const lines: string[] = [];
    expect(run((line) => lines.push(line)).trace).toBe(run().trace);
    expect(lines.length).toBeGreaterThan(100);
  });
});

test('another seed has another trace', () => {
  const traces = [1, 2].map((seed) => runHistory({ seed, nodes: 3, minutes: 0.1, protocol: 'entropy' }).trace);
  expect(traces[0]).not.toBe(traces[1]);
});

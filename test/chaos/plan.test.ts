/** A plan is what its seed makes of it. */
import { expect, test } from '@jest/globals';

import { type FaultKind, faultKinds, planOf } from './plan.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'];
const plan = (seed: number, faults: number, without: readonly FaultKind[] = []) => [
  ...planOf({ seed, faults, nodes, without }),
];

test('the same seed makes the same plan, and another makes another', () => {
  expect(plan(7, 100)).toEqual(plan(7, 100));
  expect(plan(7, 100)).not.toEqual(plan(8, 100));
});

test('there are as many faults as were asked for, each kind once before any comes again', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const kinds = plan(seed, 12).flatMap(({ faults }) => faults.map(({ kind }) => kind));
    expect(kinds).toHaveLength(12);
    expect(new Set(kinds.slice(0, 11))).toEqual(new Set(Object.keys(faultKinds)));
  }
});

test('what is left out does not come', () => {
  const kinds = plan(1, 300, ['disk', 'kill']).flatMap(({ faults }) => faults.map(({ kind }) => kind));
  expect(new Set(kinds).size).toBe(9);
  expect(kinds).not.toContain('disk');
});

test('no two faults of a round want one process, and a restart of all is not cut in two', () => {
  for (const { faults } of plan(3, 1000)) {
    const wanted = faults.flatMap((fault) =>
      ['kill', 'leave', 'stop', 'disk'].includes(fault.kind) && 'node' in fault ? [fault.node] : [],
    );
    expect(new Set(wanted).size).toBe(wanted.length);
    if (!faults.some(({ kind }) => kind === 'rolling' || kind === 'blackout')) continue;
    expect(wanted).toEqual([]);
    expect(faults.filter(({ kind }) => kind === 'partition' || kind === 'clock')).toEqual([]);
  }
});

import { describe, expect, test } from '@jest/globals';

import type { GossipError } from '../errors.ts';
import { wallOf } from '../hlc.ts';
import { type Machine } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { entropy } from './entropy.ts';
import { hybrid } from './hybrid.ts';
import { rumor } from './rumor.ts';

const start = Date.UTC(2026, 0, 1);
const hour = 3_600_000;

function aNode(create: typeof hybrid | typeof entropy | typeof rumor): {
  replica: Replica;
  machine: Machine;
  reports: GossipError[];
} {
  const replica = new Replica({
    name: 'a',
    epoch: start,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 24 * hour,
  });
  const reports: GossipError[] = [];
  const machine = create().create({
    self: 'a',
    replica,
    random: seededRandom(1),
    judged: false,
    effects: { send() {}, offer() {}, setTimer() {}, report: (error) => void reports.push(error) },
  });
  machine.start(start);
  return { replica, machine, reports };
}

describe.each([
  ['hybrid', hybrid],
  ['entropy', entropy],
  ['rumor', rumor],
])('a node that runs %s and whose clock was ahead', (_name, create) => {
  test.each([
    ['by more than a minute', 70_000],
    ['by an hour', hour],
    ['by 23 hours', 23 * hour],
  ])('%s says so once, and writes again what nobody has taken, by its clock', (_far, byMs) => {
    const { replica, machine, reports } = aNode(create);
    replica.write('far', '\xc3', undefined, start + byMs);
    machine.add(replica.takeFresh(), start + byMs);
    machine.collect(start + byMs);
    expect(reports).toEqual([]);
    expect(replica.countAhead(start + byMs)).toBe(0);
    for (let i = 0; i < 3; i++) machine.collect(start + i * 1000);
    expect(reports).toMatchObject([{ code: 'CLOCK_WAS_AHEAD', context: { aheadMs: byMs, writes: 1, rewritten: 1 } }]);
    expect(wallOf(replica.write('near', '\xc3', undefined, start + 3000).stamp)).toBe(start + 3000);
    const again = replica.write('far', undefined, undefined, start + 3000);
    expect(wallOf(again.stamp)).toBe(start + 3000);
    expect(replica.countAhead(start + 3000)).toBe(0);
    expect(wallOf(replica.write('near', '\xc2', undefined, start + 3000).stamp)).toBe(start + 3000);
    machine.collect(start + byMs);
    expect(replica.countAhead(start + byMs)).toBe(0);
    expect(replica.aheadMs(start + byMs)).toBe(0);
    machine.collect(start + 4000);
    expect(reports).toHaveLength(1);
  });

  test('takes back what it holds no more, also where its clock comes right in steps', () => {
    const { replica, machine } = aNode(create);
    const write = (id: string, atMs: number): void => {
      replica.write(id, undefined, undefined, atMs);
      machine.add(replica.takeFresh(), atMs);
      // As a tombstone that is collected.
      for (const update of replica.store) replica.store.drop(update);
    };
    write('x', start + hour);
    write('y', start + 2 * hour);
    machine.collect(start + hour);
    expect(replica.disowned).toMatchObject([{ intervals: [2, 2] }]);
    machine.collect(start);
    expect(replica.disowned).toMatchObject([{ intervals: [1, 2] }]);
    expect(replica.context.isEmpty).toBe(true);
  });

  test('takes back what has expired while it was ahead: others hold it back, and would for as long', () => {
    const { replica, machine } = aNode(create);
    replica.write('x', '\xc3', start + hour + 1000, start + hour);
    machine.add(replica.takeFresh(), start + hour);
    machine.collect(start + hour + 1000);
    expect(replica.store.get('x')).toMatchObject({ value: undefined, sequence: 1 });
    machine.collect(start);
    expect(replica.disowned).toMatchObject([{ intervals: [1, 1] }]);
    expect([replica.store.size, replica.context.isEmpty]).toEqual([0, true]);
  });

  test('by no more than maxDriftMs says nothing', () => {
    const { replica, machine, reports } = aNode(create);
    replica.write('far', '\xc3', undefined, start + 60_000);
    machine.collect(start);
    expect(reports).toEqual([]);
  });
});

import { describe, expect, test } from '@jest/globals';

import type { GossipError } from '../errors.ts';
import type { Machine } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { entropy } from './entropy.ts';
import { hybrid } from './hybrid.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 1);

function aNode(protocol: ReturnType<typeof entropy>): { replica: Replica; machine: Machine; reports: GossipError[] } {
  const replica = new Replica({
    name: 'a',
    epoch: start,
    maxDriftMs: 60_000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 24 * hour,
  });
  const reports: GossipError[] = [];
  const machine = protocol.create({
    self: 'a',
    replica,
    random: seededRandom(1),
    judged: false,
    effects: { send() {}, offer() {}, setTimer() {}, report: (error) => void reports.push(error) },
  });
  machine.start(start);
  replica.write('flag', '\xc3', undefined, start);
  machine.add(replica.takeFresh(), start);
  machine.collect(start + 1000);
  return { replica, machine, reports };
}

describe.each([
  ['entropy', entropy],
  ['hybrid', hybrid],
])('a node that runs %s', (_name, protocol) => {
  test('keeps everything over a sleep shorter than forgetAfter', () => {
    const { replica, machine, reports } = aNode(protocol());
    machine.collect(start + 23 * hour);
    expect(replica.get('flag')).toBe('\xc3');
    expect(reports).toEqual([]);
  });

  test('rejoins empty and under a new epoch after a longer one, and says so', () => {
    const { replica, machine, reports } = aNode(protocol());
    replica.observed = true;
    const former = replica.origin.epoch;
    machine.collect(start + 26 * hour);
    expect(replica.store.size).toBe(0);
    expect(replica.context.size).toBe(0);
    expect(replica.context.sum).toEqual({ low: 0, high: 0 });
    expect(replica.origin.epoch).toBeGreaterThan(former);
    expect(replica.changes.map(({ id, value }) => [id, value])).toEqual([['flag', undefined]]);
    expect(reports.map(({ code }) => code)).toEqual(['SLEPT_TOO_LONG']);
    expect(replica.write('flag', '\xc2', undefined, start + 26 * hour).sequence).toBe(1);
  });
});

import { describe, expect, test } from '@jest/globals';

import type { GossipError } from '../errors.ts';
import { stampAt } from '../hlc.ts';
import { Origin } from '../origin.ts';
import type { Machine, Offer, Received } from '../protocol.ts';
import { seededRandom } from '../random.ts';
import { Replica } from '../replica.ts';
import { keepAll } from '../replica/verdict.ts';
import { Update } from '../update.ts';
import { entropy } from './entropy.ts';
import { hybrid } from './hybrid.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 1);

/** @param offers gets what is offered to its handler; without it, it has none */
function aNode(
  protocol: ReturnType<typeof entropy>,
  offers?: Offer[],
): { replica: Replica; machine: Machine; reports: GossipError[] } {
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
    judged: offers !== undefined,
    effects: {
      send() {},
      offer: (offer) => void offers?.push(offer),
      setTimer() {},
      report: (error) => void reports.push(error),
    },
  });
  machine.start(start);
  replica.write('flag', '\xc3', undefined, start);
  machine.add(replica.takeFresh(), start);
  machine.peersChanged([{ name: 'b', session: 1, epochOfUs: 0 }], start);
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
    expect(replica.context.sum).toEqual(new Int32Array(4));
    expect(replica.origin.epoch).toBeGreaterThan(former);
    expect(Array.from(replica.changes, ({ id, value }) => [id, value])).toEqual([['flag', undefined]]);
    expect(reports.map(({ code }) => code)).toEqual(['SLEPT_TOO_LONG']);
    expect(replica.write('flag', '\xc2', undefined, start + 26 * hour).sequence).toBe(1);
  });

  test('takes a clock that was set for no sleep', () => {
    const { replica, machine, reports } = aNode(protocol());
    const { epoch } = replica.origin;
    replica.clockSet(26 * hour);
    machine.collect(start + 26 * hour + 1000);
    replica.clockSet(-26 * hour);
    machine.collect(start + 2000);
    expect(replica.get('flag')).toBe('\xc3');
    expect(replica.origin.epoch).toBe(epoch);
    expect(reports.map(({ code }) => code)).not.toContain('SLEPT_TOO_LONG');
  });

  test('takes a sleep for one although its clock was set back', () => {
    const { replica, machine, reports } = aNode(protocol());
    machine.peersChanged([{ name: 'b', session: 1, epochOfUs: 0 }], start + 2000);
    replica.clockSet(-48 * hour);
    machine.collect(start - 22 * hour);
    expect(replica.get('flag')).toBeUndefined();
    expect(reports.map(({ code }) => code)).toContain('SLEPT_TOO_LONG');
  });

  test('keeps over a long sleep what was never sent to anybody, under its new epoch', () => {
    const { replica, machine, reports } = aNode(protocol());
    const former = replica.origin.epoch;
    const peer = { name: 'b', session: 1, epochOfUs: 0 };
    machine.peersChanged([peer], start + 2000);
    replica.write('sent', '\xc3', undefined, start + 3000);
    machine.add(replica.takeFresh(), start + 3000);
    machine.peersChanged([], start + 4000);
    replica.write('unsent', '\xc2', start + 50 * hour, start + 5000);
    replica.write('removed', undefined, undefined, start + 5000);
    machine.add(replica.takeFresh(), start + 5000);
    machine.collect(start + 30 * hour);
    expect(reports.map(({ code }) => code)).toEqual(['SLEPT_TOO_LONG']);
    expect([...replica.store].map(({ id }) => id)).toEqual(['unsent']);
    const unsent = replica.store.get('unsent');
    expect(unsent).toMatchObject({ value: '\xc2', sequence: 1, expiresAt: start + 50 * hour });
    expect(unsent?.origin.epoch).toBeGreaterThan(former);
    expect([...replica.takeFresh()]).toMatchObject([
      { id: 'unsent', value: '\xc2', sequence: 1, origin: unsent?.origin, stamp: unsent?.stamp },
    ]);
    // By now it may have been sent.
    machine.peersChanged([peer], start + 30 * hour);
    machine.collect(start + 60 * hour);
    expect(replica.store.size).toBe(0);
  });

  test('keeps what it writes first after it, before it has heard anything', () => {
    const { replica, machine, reports } = aNode(protocol());
    const former = replica.origin.epoch;
    replica.write('other', '\xc2', undefined, start + 26 * hour);
    machine.add(replica.takeFresh(), start + 26 * hour);
    machine.collect(start + 26 * hour + 1);
    expect(replica.get('flag')).toBeUndefined();
    expect(replica.get('other')).toBe('\xc2');
    expect(replica.store.get('other')?.origin.epoch).toBeGreaterThan(former);
    expect(reports.map(({ code }) => code)).toEqual(['SLEPT_TOO_LONG']);
    machine.collect(start + 27 * hour);
    expect(reports).toHaveLength(1);
  });

  test('takes nothing that its handler had before the sleep and judges after it', () => {
    const offers: Offer[] = [];
    const { replica, machine } = aNode(protocol(), offers);
    const origin = new Origin('b', start);
    const update = (sequence: number, atMs: number): Update =>
      new Update(`id${sequence}`, '\xc3', stampAt(atMs) + sequence, origin, sequence, undefined);
    const chunk = (at: Update): Received => ({
      from: 'b',
      message: { type: 'chunk', invitation: 1, index: 0, updates: [at] },
    });
    machine.receive([chunk(update(1, start))], start + 2000);
    expect(machine.backlog).toBe(1);
    machine.collect(start + 26 * hour);
    expect(machine.backlog).toBe(0);
    // At most one offer is open, so the next one waits for the verdict on what is no more.
    machine.receive([chunk(update(2, start + 26 * hour))], start + 26 * hour);
    expect(offers.map(({ number }) => number)).toEqual([1]);
    machine.judged(1, keepAll, start + 26 * hour + 1);
    expect(replica.context.size).toBe(0);
    expect(offers.map(({ updates }) => updates.map(({ id }) => id))).toEqual([['id1'], ['id2']]);
    machine.judged(2, keepAll, start + 26 * hour + 2);
    expect([...replica.store].map(({ id }) => id)).toEqual(['id2']);
  });
});

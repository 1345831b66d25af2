/**
 * Who is asked to ask says what came of it, and leaves the judgement to its asker.
 */
import { expect, test } from '@jest/globals';
import type { MembershipMachine } from '../../membership.ts';
import { seededRandom } from '../../random.ts';
import { swim } from '../swim.ts';

const ASK = 2;
const NACK = 3;

function aHelper(): { readonly machine: MembershipMachine; readonly sent: unknown[]; readonly dials: string[] } {
  const sent: unknown[] = [];
  const dials: string[] = [];
  const others = Array.from({ length: 30 }, (_, index) => `n${index}`);
  const machine = swim().create({
    self: { name: 'helper', epoch: 1, url: 'ws://helper:7001' },
    random: seededRandom(1),
    inherited: others.map((name) => ({ name, epoch: 1, url: urlOf(name), incarnation: 1 })),
    effects: {
      dial: () => undefined,
      connect: (url) => void dials.push(url),
      hangUp: () => undefined,
      expel: () => undefined,
      view: () => undefined,
      send: (to, body) => void sent.push([to, (body as readonly unknown[]).slice(0, 3)]),
      discover: () => undefined,
      remember: () => undefined,
      outlive: () => undefined,
      setTimer: () => undefined,
      report: () => undefined,
    },
  });
  machine.start(0);
  for (const name of others.slice(0, 10)) machine.connected({ name, epoch: 1, url: urlOf(name) }, 1);
  return { machine, sent, dials };
}

const urlOf = (name: string): string => `ws://${name}:7001`;

test('a helper whose dial is in vain tells its asker, and asks nobody itself', () => {
  const { machine, sent, dials } = aHelper();
  machine.receive('n0', [ASK, 7, 'n29'], 2);
  expect(dials).toContain(urlOf('n29'));
  sent.length = 0;
  machine.dialEnded?.({ url: urlOf('n29'), outcome: 'failed', peer: null }, 3);
  expect(sent).toEqual([['n0', [NACK, 7]]]);
});

test('nor does one whose dial ends when its asker has long given up', () => {
  const { machine, sent, dials } = aHelper();
  machine.receive('n0', [ASK, 7, 'n29'], 2);
  expect(dials).toContain(urlOf('n29'));
  for (let nowMs = 100; nowMs < 1500; nowMs += 100) machine.tick('swim', nowMs);
  expect(sent).toContainEqual(['n0', [NACK, 7]]);
  sent.length = 0;
  machine.dialEnded?.({ url: urlOf('n29'), outcome: 'failed', peer: null }, 1500);
  for (let nowMs = 1501; nowMs < 1600; nowMs += 10) machine.tick('swim', nowMs);
  expect(sent.filter((one) => JSON.stringify(one).includes('n29'))).toEqual([]);
});

/**
 * Who is asked to ask says what came of it, and leaves the judgement to its asker.
 */
import { expect, test } from '@jest/globals';
import type { MembershipMachine } from '../../membership.ts';
import { seededRandom } from '../../random.ts';
import { swim } from '../swim.ts';

const PING = 0;
const ACK = 1;
const ASK = 2;
const NACK = 3;

type Sent = readonly [to: string | readonly string[], body: readonly unknown[]];

const pinged = (sent: readonly Sent[], name: string): readonly unknown[][] =>
  sent.flatMap(([to, body]) => (to === name && body[0] === PING ? [[...body]] : []));

function aHelper(): { readonly machine: MembershipMachine; readonly sent: Sent[]; readonly dials: string[] } {
  const sent: Sent[] = [];
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

test('of one node one question of an asker is open at a time, however often it asks', () => {
  const { machine, sent } = aHelper();
  for (let i = 1; i <= 1000; i++) machine.receive('n0', [ASK, i, 'n9'], 2);
  const pings = pinged(sent, 'n9');
  expect(pings).toHaveLength(1);
  sent.length = 0;
  machine.receive('n9', [ACK, pings[0]?.[1], []], 3);
  // The latest question is answered, and for a moment the same answer stands.
  machine.receive('n0', [ASK, 1001, 'n9'], 4);
  expect(sent).toEqual([
    ['n0', [ACK, 1000, []]],
    ['n0', [ACK, 1001, []]],
  ]);
  machine.tick('swim', 200);
  machine.receive('n0', [ASK, 1002, 'n9'], 201);
  expect(pinged(sent, 'n9')).toHaveLength(1);
});

test('a node that has not answered is asked again after `probeTimeout`, since the question may have been lost', () => {
  const { machine, sent } = aHelper();
  machine.receive('n0', [ASK, 1, 'n9'], 2);
  machine.receive('n0', [ASK, 2, 'n9'], 400);
  expect(pinged(sent, 'n9')).toHaveLength(1);
  machine.receive('n0', [ASK, 3, 'n9'], 503);
  expect(pinged(sent, 'n9')).toHaveLength(2);
});

/**
 * Who is asked to ask says what came of it, and leaves the judgement to its asker.
 */
import { expect, test } from '@jest/globals';
import { seededRandom } from '../random.ts';
import { swim } from './swim.ts';

const ASK = 2;
const NACK = 3;

test('a helper whose dial is in vain tells its asker, and asks nobody itself', () => {
  const sent: unknown[] = [];
  const dials: string[] = [];
  const others = Array.from({ length: 30 }, (_, index) => `n${index}`);
  const urlOf = (name: string): string => `ws://${name}:7001`;
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
  machine.receive('n0', [ASK, 7, 'n29'], 2);
  expect(dials).toContain(urlOf('n29'));
  sent.length = 0;
  machine.dialEnded?.({ url: urlOf('n29'), outcome: 'failed', peer: null }, 3);
  expect(sent).toEqual([['n0', [NACK, 7]]]);
});

/**
 * Agents under real faults of the network: each in a network namespace of its own, with links that lose, delay and end.
 *
 * They mostly wait, so they play side by side. GRAPEVINE_NETNS=full plays them for the times of the figures
 * (README.md here). Options of the membership are the defaults.
 */
import { expect, test } from '@jest/globals';

import { NameServer } from '../../../actors/src/discovery/testing/name-server.ts';
import { until } from '../agents.ts';
import { pass } from '../../bench/clock.ts';
import { expectAgreement, returned } from '../stage.ts';
import {
  downs,
  expectNoFalseDown,
  isFull,
  lists,
  measured,
  memberEventsOf,
  inNetwork,
  expectPlayed,
  print,
  type Scene,
  writeFor,
} from './scene.ts';

const limitMs = isFull ? 600_000 : 150_000;

/** Tombstones are collected while the others are away, so that it is not they that keep the removed removed. */
const options = { tombstoneTtl: 1000 };

async function loss(scene: Scene): Promise<void> {
  const forMs = isFull ? 300_000 : 30_000;
  const { network } = scene;
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await network.node(name);
  await network.link('*', '*', { delayMs: 100, loss: 0.2 });
  const agents = await scene.cluster(names);
  const expected = await writeFor(forMs, agents);
  expectNoFalseDown(agents);
  print(`20 % loss, 100 ms delay each way, ${forMs / 1000} s: no false down of 5`);
  await expectAgreement(agents, expected);
  expectNoFalseDown(agents);
  expect(agents.flatMap(returned)).toEqual([]);
  const { taken, lost } = await network.counts('a', 'b');
  expect(lost / taken).toBeGreaterThan(0.1);
}

async function partition(scene: Scene): Promise<void> {
  const { network } = scene;
  // Two alone wait longer before they believe that three are gone; among other tests there is no time for that.
  const args = isFull ? [] : ['--swim', 'suspicionMaxMult=1'];
  const agents = await scene.cluster(['a', 'b', 'c', 'd', 'e'], { args, options });
  const [three, two] = [agents.slice(0, 3), agents.slice(3)];
  const expected = new Map<string, unknown>();
  for (let i = 0; i < 100; i += 1) {
    agents[i % 5]?.add(`early ${i}`, i);
    expected.set(`early ${i}`, i);
  }
  await expectAgreement(agents, expected);

  await network.cut(namesOf(three), namesOf(two));
  const cutFor = pass(isFull ? 60_000 : 12_000);
  // Each side removes what all have, whoever wrote it, and what it has written itself meanwhile.
  for (let i = 0; i < 100; i += 1) {
    if (i % 10 >= 4) continue;
    (i % 2 === 0 ? three : two)[i % 20 < 10 ? 0 : 1]?.remove(`early ${i}`);
    expected.delete(`early ${i}`);
  }
  const [ofThree, ofTwo] = await Promise.all([
    writeFor(isFull ? 50_000 : 8000, three),
    writeFor(isFull ? 50_000 : 8000, two),
    measured('a cut of 3 from 2: both views are split', 60, () =>
      [three, two].every((side) => side.every((agent) => lists(agent, side))),
    ),
  ]);
  for (const [id, value] of [...ofThree, ...ofTwo]) expected.set(id, value);
  await cutFor;
  expect([three, two].every((side) => side.every((agent) => lists(agent, side)))).toBe(true);

  await network.heal();
  await measured('a cut of 3 from 2: healed', 70, () => agents.every((agent) => lists(agent, agents)));
  await expectAgreement(agents, expected);
  // Whom one side could not hear, the other heard all the time.
  for (const side of [three, two]) expectNoFalseDown(side);
  expect(agents.flatMap(returned)).toEqual([]);
}

async function movedNode(scene: Scene): Promise<void> {
  const { network } = scene;
  const [a, b, former] = await scene.cluster(['a', 'b', 'c']);
  if (a === undefined || b === undefined || former === undefined) throw new Error('three were started');
  await network.link('c', '*', { loss: 1 });
  await network.link('*', 'c', { loss: 1 });
  await former.kill();
  const moved = await scene.start('c', { at: 'elsewhere', seeds: [a] });
  expect(moved.url).not.toBe(former.url);
  await measured('a node that is back at another address: taken up by all', 10, () =>
    [a, b].every((agent) => {
      const last = memberEventsOf(agent).findLast(({ id }) => id === 'c');
      return last?.event !== 'nodedown' && last?.value.url === moved.url;
    }),
  );
  moved.add('moved', true);
  await expectAgreement([a, b, moved], new Map([['moved', true]]));
}

async function oneWay(scene: Scene): Promise<void> {
  const { network } = scene;
  const agents = await scene.cluster(['a', 'b', 'c', 'd']);
  const [a, ...others] = agents;
  await network.link('a', 'b', { loss: 1 });
  const forMs = isFull ? 120_000 : 12_000;
  const expected = await writeFor(forMs, agents);
  expectNoFalseDown(agents);
  print(`all from one to another is lost, ${forMs / 1000} s: no false down of 4`);
  // Whatever they write reaches them by way of the others.
  await expectAgreement(agents, expected);

  await network.link('a', '*', { loss: 1 });
  await measured('nobody hears one: it is down for all others', 40, () =>
    others.every((agent) => lists(agent, others)),
  );
  expectNoFalseDown(others);
  await network.heal();
  await measured('nobody heard one, who is heard again: all know all', 70, () =>
    agents.every((agent) => lists(agent, agents)),
  );
  expectNoFalseDown(others);
  a?.add('heard', true);
  await expectAgreement(agents, expected.set('heard', true));
}

async function halfOpen(scene: Scene): Promise<void> {
  const { network } = scene;
  const agents = await scene.cluster(['a', 'b', 'c']);
  const [a, b, c] = agents;
  if (a === undefined || b === undefined || c === undefined) throw new Error('three were started');
  await network.device('c', 'down');
  await measured('a link that goes down without a word: declared down', 40, () =>
    [a, b].every((agent) => downs(agent).includes('c')),
  );
  c.add('written alone', true);
  a.add('written by the others', true);
  await until('it is alone', () => c.members.length === 0);
  // Connections do not outlive this.
  if (isFull) await pass(45_000);
  await network.device('c', 'up');
  await measured('a link that comes back: all know all, nobody started anew', 70, () =>
    agents.every((agent) => lists(agent, agents)),
  );
  expectNoFalseDown([a, b]);
  await expectAgreement(
    agents,
    new Map([
      ['written alone', true],
      ['written by the others', true],
    ]),
  );
}

async function lateName(scene: Scene): Promise<void> {
  const { network } = scene;
  const host = await network.host();
  const server = await new NameServer().open({ host, port: 53 });
  try {
    const a = await scene.start('a', { seeds: [] });
    await network.node('b');
    await network.setNameServer('b', host);
    const name = 'grapevine.example';
    const args = ['--discover', `dns:${name}:7001`];
    const b = await scene.start('b', { seeds: [], args });
    await pass(isFull ? 15_000 : 3000);
    server.zone.set(name, {});
    await pass(isFull ? 15_000 : 3000);
    expect([b.members, server.asked.filter((asked) => asked === `A ${name}`).length > 2]).toEqual([[], true]);
    server.zone.set(name, { A: [new URL(a.url).hostname] });
    await measured(
      'a name that led nowhere, and then to a node: joined',
      10,
      () => lists(a, [a, b]) && lists(b, [a, b]),
    );
  } finally {
    await server.close();
  }
}

function namesOf(agents: readonly { readonly name: string }[]): string[] {
  return agents.map(({ name }) => name);
}

inNetwork('agents', () => {
  test.concurrent.each([
    ['a fifth of all packets lost and all late: no false down, and all replicas are equal', loss],
    ['three cut off from two: views split and heal, and no removed id comes back', partition],
    ['a node killed out of sight, and back at another address: taken up at once', movedNode],
    ['one way lost between two, then all from one: nobody else is blamed', oneWay],
    ['a link that goes down without a word and comes back: so does the node', halfOpen],
    ['a name that leads nowhere, and then to a node', lateName],
  ])('%s', (_fact, play) => expectPlayed(play), limitMs);
});

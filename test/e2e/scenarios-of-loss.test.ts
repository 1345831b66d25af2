/**
 * Scenarios of processes that are lost for a while: frozen for 20 seconds, or killed hard and started again.
 */
import { performance } from 'node:perf_hooks';
import { describe, expect, test } from '@jest/globals';

import { type Agent, until } from './agents.ts';
import { pass } from '../bench/clock.ts';
import { differences, expectAgreement, onStage, portOf, returned, type Stage } from './stage.ts';

const limitMs = 150_000;

const FROZEN_MS = 20_000;
const TOMBSTONE_TTL_MS = 1000;

/** One of three agents is frozen while the others write and remove. */
async function expectAgreementAfterFrost(
  stage: Stage,
  protocol: 'hybrid' | 'entropy',
  connections: 'kept' | 'cut',
): Promise<void> {
  const pingIntervalMs = connections === 'kept' ? 60_000 : 1000;
  const agents = await stage.mesh(3, {
    protocol,
    options: { tombstoneTtl: TOMBSTONE_TTL_MS },
    args: ['--ping-interval-ms', String(pingIntervalMs)],
  });
  const [a, b, frozen] = agents as [Agent, Agent, Agent];
  const expected = new Map<string, unknown>();
  for (let i = 0; i < 300; i += 1) {
    (agents[i % 3] as Agent).add(`early ${i}`, i);
    expected.set(`early ${i}`, i);
  }
  await expectAgreement(agents, expected);

  frozen.signal('SIGSTOP');
  const thawsAt = performance.now() + FROZEN_MS;
  const brief = new Set<string>();
  for (let i = 0; i < 100 || performance.now() < thawsAt; i += 1) {
    a.addMany([
      [`late ${i}`, i],
      [`brief ${i}`, i],
    ]);
    expected.set(`late ${i}`, i);
    brief.add(`brief ${i}`);
    // Every third of the early ones goes, whoever of the three wrote it.
    if (i < 100) b.remove(`early ${3 * i + (i % 3)}`);
    expected.delete(`early ${3 * i + (i % 3)}`);
    removeArrived(b, brief);
    await pass(100);
  }
  await until('what is brief came and went', () => {
    removeArrived(b, brief);
    return brief.size === 0;
  });
  await expectAgreement([a, b], expected);
  // Those who are awake forget that anything was removed: what the frozen one still holds, nobody knows to be gone.
  await forgotten([a, b]);
  expect(a.members.includes(frozen.name)).toBe(connections === 'kept');

  frozen.add('written in the ice', true);
  expected.set('written in the ice', true);
  frozen.signal('SIGCONT');
  await expectAgreement(agents, expected);
  expect(agents.flatMap(returned)).toEqual([]);
}

/** Removes those that have come to an agent, and strikes them off. */
function removeArrived(agent: Agent, ids: Set<string>): void {
  for (const id of ids) {
    if (!agent.replica().has(id)) continue;
    agent.remove(id);
    ids.delete(id);
  }
}

/** Waits until their tombstones are collected. */
async function forgotten(agents: readonly Agent[]): Promise<void> {
  for (const agent of agents) while ((await agent.status()).tombstones > 0) await pass(20);
}

// Side by side: they mostly wait.
test.concurrent.each([
  ['hybrid', 'kept'],
  ['hybrid', 'cut'],
  ['entropy', 'kept'],
  ['entropy', 'cut'],
] as const)(
  'in %s, with connections %s, an agent that is frozen for 20 s converges afterwards, and no removed id comes back',
  (protocol, connections) => onStage((stage) => expectAgreementAfterFrost(stage, protocol, connections))(),
  limitMs,
);

describe.each(['hybrid', 'entropy'] as const)('%s', (protocol) => {
  test(
    'an agent that is killed and started again, ten times in a row under writes, agrees with all in the end, and its new writes are taken',
    onStage(async (stage) => {
      const [first, ...others] = (await stage.mesh(4, { protocol })) as [Agent, Agent, Agent, Agent];
      const expected = new Map<string, unknown>();
      const done = new AbortController();
      const writing = (async () => {
        for (let i = 0; !done.signal.aborted; i += 1) {
          const id = `steady ${i % 500}`;
          (others[i % 3] as Agent).add(id, i);
          await pass(1);
        }
      })();
      let victim = first;
      for (let life = 1; life <= 10; life += 1) {
        victim.add(`last words ${life}`, life);
        await victim.kill();
        victim = await stage.start({ name: first.name, listen: portOf(first), peers: others, protocol });
        victim.addMany([
          ['alive', life],
          [`reborn ${life}`, life],
        ]);
        expected.set('alive', life).set(`reborn ${life}`, life);
        await until(`life ${life} has reached the others`, () =>
          others.every((other) => other.replica().get('alive') === life && other.replica().has(`reborn ${life}`)),
        );
      }
      done.abort();
      await writing;
      const agents = [victim, ...others];
      await expectAgreement(agents);
      const unsure = /^(last words|steady) /;
      const held = new Map([...victim.replica()].filter(([id]) => !unsure.test(id)));
      expect(differences(held, expected)).toEqual([]);
      expect(agents.flatMap(returned)).toEqual([]);
    }),
    limitMs,
  );
});

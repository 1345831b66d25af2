/**
 * Scenarios between real processes: what is written at different nodes is, in the end, the same on all.
 */
import { describe, expect, test } from '@jest/globals';

import { type Agent, expectAgreement, onStage, until } from './processes.ts';

const limitMs = 120_000;
/** A cycle short enough that many rounds of agreement fit into a test. */
const quick = ['--option', 'delta=50'];

describe.each(['hybrid', 'entropy'] as const)('%s', (protocol) => {
  test.each(['line', 'mesh'] as const)(
    'five agents in a %s end with the same ids and values, after 1,000 updates, 100 removals and 100 expiries',
    (shape) =>
      onStage(async (stage) => {
        const agents = await stage[shape](5, { protocol });
        const agentAt = (i: number): Agent => agents[i % 5] as Agent;
        const kept = new Map<string, unknown>();
        const expiring: string[] = [];
        const removed: { readonly id: string; readonly by: Agent }[] = [];
        for (let i = 0; i < 1000; i += 1) {
          const id = `id ${i}`;
          const value = { i, by: agentAt(i).name, list: [i / 3, null, `text ${i}`] };
          const expiresIn = i % 10 === 3 ? 500 + i : undefined;
          agentAt(i).write({ id, value, expiresIn });
          if (expiresIn !== undefined) expiring.push(id);
          // Another node than the one that wrote it, each time the next.
          else if (i % 10 === 7) removed.push({ id, by: agentAt(i + 1 + (Math.floor(i / 10) % 4)) });
          else kept.set(id, value);
        }
        for (const { id, by } of removed) {
          await until(
            () => by.replica.has(id),
            () => `${id} at ${by.name}: ${by.stderr}`,
          );
          by.write({ id, remove: true });
        }
        await expectAgreement(agents, kept);
        expect([kept.size, removed.length, expiring.length]).toEqual([800, 100, 100]);
        expect(agents.flatMap(({ returned }) => [...returned])).toEqual([]);
        const expired = new Set(agents.flatMap((agent) => [...agent.expired]));
        expect([...expired].sort()).toEqual(expiring.sort());
        expect(agents.map(({ stderr }) => stderr)).toEqual(agents.map(() => ''));
      })(),
    limitMs,
  );

  test(
    'two agents write one id at the same moment, 200 times, and all replicas agree every time',
    onStage(async (stage) => {
      const agents = await stage.mesh(3, { protocol, args: quick });
      const [a, b] = agents as [Agent, Agent];
      let contested = 0;
      for (let round = 0; round < 200; round += 1) {
        const written = [`a ${round}`, `b ${round}`];
        const before = [a.updates, b.updates] as const;
        a.write({ id: 'contested', value: written[0] });
        b.write({ id: 'contested', value: written[1] });
        await until(() => agents.every(({ replica }) => written.includes(replica.get('contested') as string)));
        await expectAgreement(agents);
        // Had one write been seen where the other was made, both would have told of both.
        if (a.updates - before[0] + b.updates - before[1] < 4) contested += 1;
      }
      expect(contested).toBeGreaterThan(100);
    }),
    limitMs,
  );

  test(
    'one agent writes an id and another removes it at the same moment, 50 times, and all replicas agree every time',
    onStage(async (stage) => {
      const agents = await stage.line(3, { protocol, args: quick });
      const [a, b, c] = agents as [Agent, Agent, Agent];
      for (let round = 0; round < 50; round += 1) {
        const id = `contested ${round}`;
        b.write({ id, value: 'before' });
        await until(() => agents.every(({ replica }) => replica.has(id)));
        a.write({ id, value: 'after' });
        c.write({ id, remove: true });
        await until(() => agents.every(({ replica }) => replica.get(id) !== 'before'));
        await expectAgreement(agents);
      }
    }),
    limitMs,
  );
});

describe.each(['line', 'mesh'] as const)('rumor in a %s', (shape) => {
  const level = ['--option', 'level=0', '--option', 'ttl=600000'];

  test(
    'brings an update to all five agents at once, without waiting for a cycle to end',
    onStage(async (stage) => {
      const agents = await stage[shape](5, { protocol: 'rumor', args: [...level, '--option', 'delta=600000'] });
      await until(() => agents.every(({ members }) => members.size > 0));
      agents[2]?.write({ id: 'news', value: [1, 2, 3] });
      await expectAgreement(agents, new Map([['news', [1, 2, 3]]]));
    }),
    limitMs,
  );

  test(
    'brings what each writes and removes to all five agents',
    onStage(async (stage) => {
      const agents = await stage[shape](5, { protocol: 'rumor', args: level });
      const expected = new Map<string, unknown>();
      for (const [i, agent] of agents.entries()) {
        agent.write({ id: `id ${i}`, value: i }, { id: `brief ${i}`, value: i });
        await until(() => agents.every(({ replica }) => replica.has(`brief ${i}`)));
        agent.write({ id: `brief ${i}`, remove: true });
        expected.set(`id ${i}`, i);
        await expectAgreement(agents, expected);
      }
    }),
    limitMs,
  );
});

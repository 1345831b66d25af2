/**
 * Scenarios between real processes: what is written at different nodes is, in the end, the same on all.
 */
import { describe, expect, test } from '@jest/globals';

import { type Agent, until } from './agents.ts';
import { expectAgreement, idsOf, onStage, returned } from './stage.ts';

const limitMs = 120_000;
/** A cycle short enough that many rounds of agreement fit into a test. */
const quick = { delta: 50 };

/** How many new values these have told of. */
const told = (...agents: readonly Agent[]): number =>
  agents.reduce((count, agent) => count + idsOf(agent, 'update').length, 0);

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
          agentAt(i).add(id, value, expiresIn === undefined ? {} : { expiresIn });
          if (expiresIn !== undefined) expiring.push(id);
          // Another node than the one that wrote it, each time the next.
          else if (i % 10 === 7) removed.push({ id, by: agentAt(i + 1 + (Math.floor(i / 10) % 4)) });
          else kept.set(id, value);
        }
        for (const { id, by } of removed) {
          await until(`${id} is at ${by.name}`, () => by.replica().has(id));
          by.remove(id);
        }
        await expectAgreement(agents, kept);
        expect([kept.size, removed.length, expiring.length]).toEqual([800, 100, 100]);
        expect(agents.flatMap(returned)).toEqual([]);
        const expired = new Set(agents.flatMap((agent) => idsOf(agent, 'expired')));
        expect([...expired].sort()).toEqual(expiring.sort());
        expect(agents.map(({ complaints }) => complaints)).toEqual(agents.map(() => ''));
      })(),
    limitMs,
  );

  test(
    'two agents write one id at the same moment, 200 times, and all replicas agree every time',
    onStage(async (stage) => {
      const agents = await stage.mesh(3, { protocol, options: quick });
      const [a, b] = agents as [Agent, Agent];
      let contested = 0;
      for (let round = 0; round < 200; round += 1) {
        const written = [`a ${round}`, `b ${round}`];
        const before = told(a, b);
        a.add('contested', written[0]);
        b.add('contested', written[1]);
        await until(`round ${round} is everywhere`, () =>
          agents.every((agent) => written.includes(agent.replica().get('contested') as string)),
        );
        await expectAgreement(agents);
        // Had one write been seen where the other was made, both would have told of both.
        if (told(a, b) - before < 4) contested += 1;
      }
      expect(contested).toBeGreaterThan(100);
    }),
    limitMs,
  );

  test(
    'one agent writes an id and another removes it at the same moment, 50 times, and all replicas agree every time',
    onStage(async (stage) => {
      const agents = await stage.line(3, { protocol, options: quick });
      const [a, b, c] = agents as [Agent, Agent, Agent];
      for (let round = 0; round < 50; round += 1) {
        const id = `contested ${round}`;
        b.add(id, 'before');
        await until(`${id} is everywhere`, () => agents.every((agent) => agent.replica().has(id)));
        a.add(id, 'after');
        c.remove(id);
        await until(`${id} has changed`, () => agents.every((agent) => agent.replica().get(id) !== 'before'));
        await expectAgreement(agents);
      }
    }),
    limitMs,
  );
});

describe.each(['line', 'mesh'] as const)('rumor in a %s', (shape) => {
  const options = { level: 0, ttl: 600_000 };

  test(
    'brings an update to all five agents at once, without waiting for a cycle to end',
    onStage(async (stage) => {
      const agents = await stage[shape](5, { protocol: 'rumor', options: { ...options, delta: 600_000 } });
      agents[2]?.add('news', [1, 2, 3]);
      await expectAgreement(agents, new Map([['news', [1, 2, 3]]]));
    }),
    limitMs,
  );

  test(
    'brings what each writes and removes to all five agents',
    onStage(async (stage) => {
      const agents = await stage[shape](5, { protocol: 'rumor', options });
      const expected = new Map<string, unknown>();
      for (const [i, agent] of agents.entries()) {
        agent.addMany([
          [`id ${i}`, i],
          [`brief ${i}`, i],
        ]);
        await until(`brief ${i} is everywhere`, () => agents.every((other) => other.replica().has(`brief ${i}`)));
        agent.remove(`brief ${i}`);
        expected.set(`id ${i}`, i);
        await expectAgreement(agents, expected);
      }
    }),
    limitMs,
  );
});

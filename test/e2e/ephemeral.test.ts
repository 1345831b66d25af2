/** What is tied to a node, among real processes: it goes with a process that is killed or leaves, and comes back with one that was only thought to be gone. */
import { describe, expect, test } from '@jest/globals';

import { agreed, type Agent, type AgentEvent, until } from './agents.ts';
import { onStage, type Stage } from './stage.ts';

const limitMs = 120_000;
const args = ['--swim', 'profile=local'];

async function cluster(stage: Stage): Promise<[Agent, Agent, Agent]> {
  const a = await stage.start({ name: 'a', seeds: [], args });
  const b = await stage.start({ name: 'b', seeds: [a], args });
  const c = await stage.start({ name: 'c', seeds: [a], args });
  for (const agent of [a, b, c]) agent.add(`at ${agent.name}`, agent.name, { ephemeral: true });
  c.add('plain', 1);
  await until('all see all', () => [a, b, c].every((agent) => idsAt(agent) === 'at a,at b,at c,plain'));
  return [a, b, c];
}

const idsAt = (agent: Agent): string => [...agent.replica().keys()].toSorted().join();

/** What an agent said of an id. */
const saidOf = (agent: Agent, id: string): AgentEvent['event'][] =>
  agent.events.flatMap((event) => ('id' in event && event.id === id ? [event.event] : []));

describe('what is tied to a node', () => {
  test(
    'goes with the nodedown of a process that is killed, is nothing to the next one of its name, and goes with its nodeleft',
    onStage(async (stage) => {
      const [a, b, c] = await cluster(stage);
      await c.kill();
      await until('it is gone', () => [a, b].every((agent) => idsAt(agent) === 'at a,at b,plain'));
      for (const agent of [a, b]) {
        expect(saidOf(agent, 'at c')).toEqual(['update', 'removed']);
        await until('and the node', () => saidOf(agent, 'c').includes('nodedown'));
      }
      const again = await stage.start({ name: 'c', seeds: [b], args });
      const nodes = [a, b, again];
      await until('it has joined', () => nodes.every(({ members }) => members.length === 2));
      await agreed(nodes);
      expect(nodes.map(idsAt)).toEqual(nodes.map(() => 'at a,at b,plain'));
      again.add('at c', 'again', { ephemeral: true });
      await until('all see it', () => nodes.every((agent) => agent.replica().get('at c') === 'again'));
      await again.leave();
      await until('it has left', () => [a, b].every((agent) => idsAt(agent) === 'at a,at b,plain'));
      for (const agent of [a, b]) await until('and the node', () => saidOf(agent, 'c').includes('nodeleft'));
    }),
    limitMs,
  );

  test(
    'comes back with a process that stood still for longer than others waited, which writes nothing for it',
    onStage(async (stage) => {
      const [a, b, c] = await cluster(stage);
      c.signal('SIGSTOP');
      await until('it is gone', () => [a, b].every((agent) => idsAt(agent) === 'at a,at b,plain'));
      c.signal('SIGCONT');
      await until('it is back', () => [a, b, c].every((agent) => idsAt(agent) === 'at a,at b,at c,plain'));
      expect([a, b].map((agent) => saidOf(agent, 'at c'))).toEqual([
        ['update', 'removed', 'update'],
        ['update', 'removed', 'update'],
      ]);
      expect(saidOf(c, 'at c')).toEqual(['update']);
      expect((await c.status()).written).toBe(2);
    }),
    limitMs,
  );
});

/**
 * Membership among real processes: joining through one address, dying, standing still, leaving, coming back.
 *
 * Bounds in seconds are held by the benchmark `membership`; here it is what happens that counts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { type Agent, type AgentEvent, type AgentOptions, until } from './agents.ts';
import { onStage, type Stage } from './stage.ts';

const limitMs = 120_000;
/** Three seconds to refute, so that a pause of three seconds is one that must be survived. */
const swim = ['--swim', 'suspicionMult=3'];

const isWhole = (agents: readonly Agent[]): boolean =>
  agents.every((agent) => agents.every((other) => other === agent || agent.members.includes(other.name)));

/** Those who join through the first, all at once. */
async function cluster(stage: Stage, count: number, args: readonly string[] = swim): Promise<Agent[]> {
  const seed = await stage.start({ name: 'n0', seeds: [], args });
  const others = Array.from({ length: count - 1 }, (_, i) => stage.start({ name: `n${i + 1}`, seeds: [seed], args }));
  const agents = [seed, ...(await Promise.all(others))];
  await until('all know all', () => isWhole(agents));
  return agents;
}

const said = (agents: readonly Agent[], event: AgentEvent['event']): string[] =>
  agents.flatMap((agent) =>
    agent.events.flatMap((one) => (one.event === event && 'id' in one ? [`${agent.name} says ${one.id}`] : [])),
  );

const portOf = (agent: Agent): number => Number(new URL(agent.url).port);

describe('agents that join through one address', () => {
  test(
    'know each other, miss who is killed, bear with who is stopped, and say who left',
    onStage(async (stage) => {
      const agents = await cluster(stage, 8);
      const [first, second, third, paused, ...rest] = agents as [Agent, Agent, Agent, Agent];

      paused.signal('SIGSTOP');
      // Three seconds are what is to be survived, so they have to pass.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      paused.signal('SIGCONT');
      first.add('after the pause', 1);
      await until('who was stopped has it', () => paused.replica().has('after the pause'));

      await second.kill();
      const living = [first, third, paused, ...rest];
      await until('all miss who was killed', () => living.every(({ members }) => !members.includes('n1')));
      // Whoever had been accused by or because of the pause would be down by now, too.
      expect(new Set(said(living, 'nodedown').map((text) => text.split(' ').at(-1)))).toEqual(new Set(['n1']));

      await third.leave();
      const stayed = [first, paused, ...rest];
      await until('all know who left', () => stayed.every((agent) => said([agent], 'nodeleft').length === 1));
      expect(isWhole(stayed)).toBe(true);
    }),
    limitMs,
  );

  test(
    'are restarted one by one, at other ports, and keep every update and every name',
    onStage(async (stage) => {
      const agents = await cluster(stage, 6);
      agents.forEach((agent, i) => agent.add(`by ${agent.name}`, i));
      const holdAll = (): boolean => agents.every((agent) => agent.replica().size === agents.length);
      await until('all hold all', holdAll);
      for (let i = 0; i < agents.length; i += 1) {
        const { name } = agents[i] as Agent;
        await agents[i]?.leave();
        const through = agents[(i + 1) % agents.length] as Agent;
        agents[i] = await stage.start({ name, seeds: [through], args: swim });
        await until(`${name} is back`, () => isWhole(agents));
      }
      await until('all hold all again', holdAll);
    }),
    limitMs,
  );

  test(
    'find each other when all are killed and started at once, by seeds of which most are dead, or themselves',
    onStage(async (stage) => {
      const agents = await cluster(stage, 4);
      const ports = agents.map(portOf);
      await Promise.all(agents.map((agent) => agent.kill()));
      // Each has its own address and two where nobody listens; one alone has that of another.
      const dead = ['ws://127.0.0.1:1', 'ws://localhost:2'];
      const again = await Promise.all(
        agents.map(({ name, url }, i) => {
          const live = agents[i === 0 ? 1 : 0] as Agent;
          const options: AgentOptions = { name, seeds: [...dead, url, live], listen: ports[i] as number, args: swim };
          return stage.start(options);
        }),
      );
      await until('all know all again', () => isWhole(again));
    }),
    limitMs,
  );

  test(
    'find each other without a seed, by what they remembered',
    onStage(async (stage) => {
      const folder = await mkdtemp(join(tmpdir(), 'grapevine-'));
      try {
        const remembering = (name: string): string[] => [...swim, '--state-file', join(folder, name)];
        const seed = await stage.start({ name: 'n0', seeds: [], args: remembering('n0') });
        const others = ['n1', 'n2'].map((name) => stage.start({ name, seeds: [seed], args: remembering(name) }));
        const agents = [seed, ...(await Promise.all(others))];
        await until('all know all', () => isWhole(agents));
        const ports = agents.map(portOf);
        await Promise.all(agents.map((agent) => agent.leave()));
        const again = await Promise.all(
          agents.map(({ name }, i) =>
            stage.start({ name, seeds: [], listen: ports[i] as number, args: remembering(name) }),
          ),
        );
        await until('all know all again', () => isWhole(again));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
    limitMs,
  );
});

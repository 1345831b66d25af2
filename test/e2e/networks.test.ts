/**
 * Nodes that only dial, behind one hub or three, over real sockets: what a mesh gives, they have too.
 *
 * How fast is held by the benchmark `networks`; here it is what happens that counts. The hub whose death matters is an agent: a
 * process that is killed.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createGrapevine, type Gossip, type Grapevine, rumor } from '@grapevine/node';

import { pass } from '../bench/clock.ts';
import { type Agent, until as agentsUntil } from './agents.ts';
import { onStage } from './stage.ts';

const LEAVES = 10;
const limitMs = 60_000;
const PATIENCE_MS = 30_000;

/** A node, and what it has been told of the others. */
interface Told {
  readonly node: Grapevine;
  readonly said: Map<string, string[]>;
}

const started: Grapevine[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((node) => node.close()));
});

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${PATIENCE_MS} ms for this: ${what}`);
    await pass(10);
  }
}

async function aNode(name: string, listens: boolean, seeds: readonly string[]): Promise<Told> {
  const node = await createGrapevine({ name, listen: listens ? { port: 0 } : null, seeds, logger: false });
  started.push(node);
  const said = new Map<string, string[]>();
  void (async () => {
    for await (const change of node.memberChanges())
      if (change.type === 'nodedown' || change.type === 'nodeleft')
        said.set(change.member.name, [...(said.get(change.member.name) ?? []), change.type]);
  })();
  return { node, said };
}

/** One hub, and leaves that only dial it, once all know all. */
async function aStar(): Promise<{ hub: Told; leaves: Told[]; all: Told[] }> {
  const hub = await aNode('hub', true, []);
  const seeds = [hub.node.url as string];
  const leaves = await Promise.all(Array.from({ length: LEAVES }, (_, i) => aNode(`leaf-${i}`, false, seeds)));
  const all = [hub, ...leaves];
  await until('all know all', () => all.every(({ node }) => node.members().length === LEAVES));
  return { hub, leaves, all };
}

describe('one hub, and ten nodes that only dial', () => {
  test(
    'know each other, and tell a goodbye as a goodbye and a closed node as down',
    async () => {
      const { leaves, all } = await aStar();
      for (const { node } of all)
        expect(node.members().map(({ name }) => name)).toEqual(
          expect.arrayContaining(all.filter((other) => other.node !== node).map((other) => other.node.name)),
        );
      const [leaving, closing] = leaves as [Told, Told];

      await leaving.node.leave();
      const left = all.filter((one) => one !== leaving);
      await until('all know who left', () => left.every(({ said }) => said.has(leaving.node.name)));
      expect(left.map(({ said }) => said.get(leaving.node.name))).toEqual(left.map(() => ['nodeleft']));

      await closing.node.close();
      const stayed = left.filter((one) => one !== closing);
      await until('all miss who was closed', () => stayed.every(({ said }) => said.has(closing.node.name)));
      expect(stayed.map(({ said }) => said.get(closing.node.name))).toEqual(stayed.map(() => ['nodedown']));
      expect(stayed.flatMap(({ said }) => [...said.keys()]).toSorted()).toEqual(
        stayed.flatMap(() => [leaving.node.name, closing.node.name]).toSorted(),
      );
    },
    limitMs,
  );

  test.each(['hybrid', 'rumor'] as const)(
    '%s: what each of them writes is everywhere',
    async (name) => {
      const { all } = await aStar();
      const gossips = all.map(({ node }) => node.gossip(name, name === 'rumor' ? { protocol: rumor() } : undefined));
      // A rumor is for those who are there: each instance has met those that it has a connection with.
      const [hub] = gossips as [Gossip];
      await until(
        'the hub has met all',
        () => hub.status().peers === LEAVES && gossips.every((gossip) => gossip.status().peers > 0),
      );
      await Promise.all(gossips.map((gossip, i) => gossip.add(`of ${i}`, i)));
      const ids = gossips.map((_, i) => `of ${i}`);
      await until('all have all', () => gossips.every((gossip) => ids.every((id) => gossip.has(id))));
      expect(gossips.map((gossip) => [...gossip.entries()].length)).toEqual(gossips.map(() => ids.length));
    },
    limitMs,
  );
});

describe('three hubs, and leaves that only dial', () => {
  test(
    'a hub that is killed hands its leaves to the others',
    onStage(async (stage) => {
      const hubs: Agent[] = [];
      for (let i = 0; i < 3; i += 1) hubs.push(await stage.start({ name: `hub-${i}`, seeds: [...hubs] }));
      const [doomed, ...living] = hubs as [Agent, Agent, Agent];
      // Each leaf is given one hub alone; of the others it hears.
      const leaves = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          stage.start({ name: `leaf-${i}`, listen: null, seeds: [hubs[i % 3] as Agent] }),
        ),
      );
      const all = [...hubs, ...leaves];
      await agentsUntil('all know all', () => all.every(({ members }) => members.length === all.length - 1));

      await doomed.kill();
      const stayed = [...living, ...leaves];
      await agentsUntil('all miss the hub', () => stayed.every(({ members }) => !members.includes(doomed.name)));
      leaves.forEach((leaf) => leaf.add(`of ${leaf.name}`, 1));
      await agentsUntil('all have what the leaves write', () =>
        stayed.every((agent) => leaves.every((leaf) => agent.replica().has(`of ${leaf.name}`))),
      );
      expect(stayed.map(({ members }) => members)).toEqual(
        stayed.map(({ name }) =>
          stayed
            .map((other) => other.name)
            .filter((other) => other !== name)
            .toSorted(),
        ),
      );
      const wrong = stayed.flatMap(({ events }) =>
        events.filter((event) => event.event === 'nodedown' && event.id !== doomed.name),
      );
      expect(wrong).toEqual([]);
    }),
    limitMs,
  );
});

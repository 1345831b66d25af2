/** What is tied to a node, over real trees of actors: it goes with the node, on every replica, and comes back with it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type MembershipEffects, staticMembership } from '@grapevine/core';
import { dispatch, start, stop } from 'nact';

import { actorAt, leaveGrapevine, ready, spawnGossip } from './grapevine.ts';
import { injectFault, statsOf, stopTree } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { add, addMany, type GossipMessage, type NodeMessage, remove, type WriteReply } from './messages.ts';
import type { Handler } from './push.ts';
import { swim } from './swim.ts';
import { type Audience, Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

/** As fast as a test likes it: half a second to be declared down. */
const fast = { probeInterval: 100, probeTimeout: 50, gossipInterval: 20, suspicionMult: 3, suspicionMaxMult: 2 };

let system: Ref<never>;
let cluster: Cluster;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

interface Joined {
  readonly node: Ref<NodeMessage>;
  readonly gossip: Ref<GossipMessage>;
  readonly audience: Audience;
}

/** A node with SWIM over a network in memory. */
function joining(name: string, ...seeds: readonly string[]): Joined {
  const membership = swim({ ...fast, seeds: seeds.map((seed) => `memory://${seed}`) });
  const node = cluster.node(name, { membership });
  const gossip = spawnGossip(node);
  return { node, gossip, audience: cluster.audience(gossip) };
}

const members = ({ node }: Joined): string =>
  nodeView(node)
    .members.map(({ name }) => name)
    .toSorted()
    .join();

const idsAt = ({ gossip }: Joined): string => [...gossipView(gossip).keys()].toSorted().join();

/** What a subscriber was told of an id, in words. */
const toldOf = ({ audience }: Joined, id: string): string[] =>
  audience.changes.filter((change) => change.id === id).map(({ type, ephemeral }) => `${type} ${String(ephemeral)}`);

async function threeNodes(): Promise<[Joined, Joined, Joined]> {
  const nodes: [Joined, Joined, Joined] = [joining('a'), joining('b', 'a'), joining('c', 'a')];
  await until(() => nodes.map(members).join(' ') === 'b,c a,c a,b');
  for (const [index, { gossip }] of nodes.entries())
    dispatch(gossip, addMany([[`at ${'abc'[index]}`, { index }]], { ephemeral: true }));
  dispatch(nodes[2].gossip, add('plain', 1));
  await until(() => nodes.every((one) => idsAt(one) === 'at a,at b,at c,plain'));
  return nodes;
}

describe('what is tied to a node', () => {
  test('goes when the node is killed, and when it leaves, and is held by all as before', async () => {
    const [a, b, c] = await threeNodes();
    const { hash } = gossipView(a.gossip);
    await stopTree(c.node);
    await until(() => [a, b].every((one) => idsAt(one) === 'at a,at b,plain'));
    expect(nodeView(a.node).roster.find(({ name }) => name === 'c')?.state).toBe('down');
    expect([toldOf(a, 'at c'), toldOf(b, 'at c')]).toEqual([
      ['update true', 'removed true'],
      ['update true', 'removed true'],
    ]);
    const { gossip } = a;
    expect(gossipView(gossip).hidden()).toMatchObject([
      { id: 'at c', value: { index: 2 }, why: 'gone', error: undefined },
    ]);
    expect(gossipView(gossip).status()).toMatchObject({ ids: 4, hidden: 1, hash });
    await leaveGrapevine(b.node);
    await until(() => idsAt(a) === 'at a,plain');
    expect(nodeView(a.node).roster.find(({ name }) => name === 'b')?.state).toBe('left');
  }, 30_000);

  test('comes back when a cut network heals, on both sides, and no node was told that its own had gone', async () => {
    const nodes = await threeNodes();
    const [a, b, c] = nodes;
    cluster.network.cut('a', 'c');
    cluster.network.cut('b', 'c');
    await until(() => idsAt(a) === 'at a,at b,plain' && idsAt(b) === idsAt(a) && idsAt(c) === 'at c,plain');
    dispatch(c.gossip, add('at c', 'meanwhile', { ephemeral: true }));
    cluster.network.heal();
    await until(() => nodes.every((one) => idsAt(one) === 'at a,at b,at c,plain'));
    await until(() => [a, b].every(({ gossip }) => gossipView(gossip).get('at c') === 'meanwhile'));
    expect(toldOf(c, 'at c')).toEqual(['update true', 'update true']);
    expect(toldOf(c, 'at a')).toEqual(['update true', 'removed true', 'update true']);
  }, 30_000);

  test('is not taken over by a new process of the name, which may write the same ids', async () => {
    const [a, b, c] = await threeNodes();
    await stopTree(c.node);
    const again = joining('c', 'a');
    await until(() => [a, b, again].every((one) => idsAt(one) === 'at a,at b,plain'));
    await until(() => members(again) === 'a,b');
    expect(gossipView(again.gossip).hidden()).toMatchObject([{ id: 'at c', why: 'gone' }]);
    dispatch(again.gossip, add('at c', 'again', { ephemeral: true }));
    await until(() => [a, b, again].every(({ gossip }) => gossipView(gossip).get('at c') === 'again'));
    expect([a, b, again].map(({ gossip }) => gossipView(gossip).hidden())).toEqual([[], [], []]);
  }, 30_000);

  test('is tied no more once anybody writes its id without', async () => {
    const [a, b, c] = await threeNodes();
    dispatch(a.gossip, add('at c', 'kept'));
    await until(() => [b, c].every(({ gossip }) => gossipView(gossip).get('at c') === 'kept'));
    expect(gossipView(b.gossip).entry('at c')).toMatchObject({ ephemeral: false, expiresAt: undefined });
    await stopTree(c.node);
    await until(() => members(b) === 'a');
    expect(idsAt(b)).toBe('at a,at b,at c,plain');
  }, 30_000);
});

describe('with a list of peers, what is tied to a node', () => {
  test('is there while a connection is, also where it came by another', async () => {
    // A line: the first and the last do not know each other.
    const one = cluster.node('one', { membership: staticMembership() });
    const two = cluster.node('two', { membership: staticMembership({ peers: ['memory://one'] }) });
    const three = cluster.node('three', { membership: staticMembership({ peers: ['memory://two'] }) });
    const [first, , last] = [one, two, three].map((node) => spawnGossip(node)) as [
      Ref<GossipMessage>,
      Ref<GossipMessage>,
      Ref<GossipMessage>,
    ];
    dispatch(last, add('x', 1, { ephemeral: true }));
    await until(() => gossipView(first).hidden().length === 1);
    expect(gossipView(first).has('x')).toBe(false);
    expect(gossipView(nodeView(two).gossip('grapevine') as Ref<GossipMessage>).get('x')).toBe(1);
  });

  test('is written again where its node takes a later epoch: nobody takes it for a former process', async () => {
    let effects: MembershipEffects | undefined;
    const list = staticMembership();
    const membership: typeof list = {
      ...list,
      create: (environment) => {
        ({ effects } = environment);
        return list.create(environment);
      },
    };
    const one = cluster.node('one', { membership });
    const two = cluster.node('two');
    const ours = spawnGossip(one);
    const theirs = spawnGossip(two);
    dispatch(ours, add('x', 1, { ephemeral: true }));
    await until(() => gossipView(theirs).get('x') === 1);
    const before = nodeView(one).epoch;
    await ready(one);
    effects?.outlive(before + 2 ** 30);
    await until(() => nodeView(two).members.some(({ epoch }) => epoch > before));
    await until(() => gossipView(theirs).get('x') === 1);
    expect(gossipView(theirs).entry('x')?.origin.epoch).toBeGreaterThanOrEqual(nodeView(one).epoch);
  });
});

describe('an instance', () => {
  const written = (
    gossip: Ref<GossipMessage>,
    message: (replyTo: Ref<WriteReply>) => GossipMessage,
  ): Promise<WriteReply> => ask<GossipMessage, WriteReply>(gossip, message, { timeoutMs: 5000 });

  test('that crashes keeps what is tied, and hears of members that went meanwhile', async () => {
    const [a, b, c] = await threeNodes();
    const actor = actorAt(a.node, ['gossip grapevine', 'instance']) as Ref<never>;
    injectFault(actor, new Error('injected'));
    await until(() => statsOf(actor)?.restarts === 1);
    await until(() => idsAt(a) === 'at a,at b,at c,plain');
    await stopTree(c.node);
    injectFault(actor, new Error('injected'));
    await until(() => statsOf(actor)?.restarts === 2 && idsAt(a) === 'at a,at b,plain');
    expect(idsAt(b)).toContain('at b');
  }, 30_000);

  test('shows a handler the value itself, and ties what the handler makes of it, of others and of its own', async () => {
    const seen: unknown[] = [];
    const handler: Handler = {
      push: (received) => {
        seen.push(...received.values());
        return { ok: new Map([...received].map(([id, value]) => [id, `${String(value)}!`])) };
      },
    };
    const one = cluster.node('one');
    const two = cluster.node('two');
    const ours = spawnGossip(one, { handler, judgeWrites: true });
    const theirs = spawnGossip(two);
    dispatch(theirs, add('theirs', 'v', { ephemeral: true }));
    await until(() => gossipView(ours).get('theirs') === 'v!');
    await written(ours, (replyTo) => add('ours', 'w', { ephemeral: true, replyTo }));
    await until(() => gossipView(theirs).get('ours') === 'w!');
    expect(seen).toEqual(['v', 'w']);
    expect([gossipView(theirs).entry('ours'), gossipView(ours).entry('theirs')]).toMatchObject([
      { ephemeral: true },
      { ephemeral: true },
    ]);
    await stopTree(two);
    await until(() => !gossipView(ours).has('theirs'));
    expect(gossipView(ours).get('ours')).toBe('w!');
  });

  test('gives what is tied a lease, unless it has a life of its own', async () => {
    const one = cluster.node('one');
    const ours = spawnGossip(one);
    const nowMs = Date.now();
    await written(ours, (replyTo) => add('lease', 1, { ephemeral: true, replyTo }));
    await written(ours, (replyTo) => add('own', 1, { ephemeral: true, expiresIn: 60_000, replyTo }));
    await written(ours, (replyTo) => add('plain', 1, { ephemeral: false, replyTo }));
    const [lease, own, plain] = gossipView(ours).entries();
    expect(lease?.expiresAt).toBeGreaterThanOrEqual(nowMs + 3_600_000);
    expect(own?.expiresAt).toBeLessThan(nowMs + 3_600_000);
    expect([lease, own, plain].map((entry) => entry?.toJSON())).toEqual([
      expect.objectContaining({ id: 'lease', value: 1, ephemeral: true }),
      expect.objectContaining({ id: 'own', value: 1, ephemeral: true }),
      { id: 'plain', value: 1, version: expect.anything() },
    ]);
    await written(ours, (replyTo) => remove('lease', { replyTo }));
    expect(gossipView(ours).has('lease')).toBe(false);
  });

  test('is not sent what is no option', () => {
    for (const ephemeral of [1, 'yes', null])
      expect(() => add('x', 1, { ephemeral } as never)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
    expect(() => addMany([], { ephemeral: 0 } as never)).toThrow(/ephemeral/u);
    expect(() => add('x', 1, { ephemral: true } as never)).toThrow(/ephemeral/u);
  });
});

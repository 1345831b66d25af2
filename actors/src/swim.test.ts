import { afterEach, beforeEach, describe as group, expect, test } from '@jest/globals';
import { createWebSocketTransport } from '@grapevine/transport';
import { dispatch, start, stop } from 'nact';

import type { NodeEvent } from './events.ts';
import { actorAt, leaveGrapevine, ready, spawnGossip } from './grapevine.ts';
import { injectFault, spawnChild, statsOf, stopTree, tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { add, describe, type NodeMessage, subscribe } from './messages.ts';
import { observeMembers } from './observe.ts';
import type { NodeOptions } from './options.ts';
import { swim, type SwimOptions } from './swim.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

/** As fast as a test likes it: half a second to be declared down. */
const fast: Partial<SwimOptions> = {
  probeInterval: 100,
  probeTimeout: 50,
  gossipInterval: 20,
  suspicionMult: 3,
  suspicionMaxMult: 2,
};

let system: Ref<never>;
let cluster: Cluster;
const watchers: Ref<never>[] = [];
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
const clusters: { readonly system: Ref<never>; readonly cluster: Cluster }[] = [];
afterEach(async () => {
  for (const other of clusters.splice(0)) {
    await other.cluster.stop();
    stop(other.system);
  }
  await cluster.stop();
  await Promise.all(watchers.splice(0).map((watcher) => stopTree(watcher)));
  stop(system);
});

async function aNode(
  name: string,
  seeds: SwimOptions['seeds'],
  options: Partial<NodeOptions> = {},
  swimOptions: Partial<SwimOptions> = {},
): Promise<{ readonly node: Ref<NodeMessage>; readonly url: string }> {
  const node = cluster.node(name, {
    transport: createWebSocketTransport,
    membership: swim({ ...fast, ...swimOptions, seeds }),
    ...options,
  });
  const { url } = await ready(node);
  return { node, url: url as string };
}

const namesAt = (node: Ref<NodeMessage>): string[] =>
  nodeView(node)
    .members.map(({ name }) => name)
    .toSorted();

const knows = (node: Ref<NodeMessage>, ...names: readonly string[]): Promise<void> =>
  until(() => namesAt(node).join() === names.join());

/** What a node tells of its members, in words. */
function heard(node: Ref<NodeMessage>): string[] {
  const words: string[] = [];
  const watcher = spawnChild<NodeEvent>(system, {
    name: `watcher ${watchers.length}`,
    start: () => ({
      receive: (event) =>
        void words.push(
          event.type === 'members'
            ? `members ${event.members.length}`
            : `${event.type} ${event.type === 'refused' ? event.refusal.code : event.member.name}`,
        ),
    }),
  });
  watchers.push(watcher);
  tell(node, subscribe(watcher));
  return words;
}

group('nodes that advertise one address', () => {
  const sharing = (): string[] =>
    cluster.log.lines.filter(({ message }) => message.includes('all advertise')).map(({ message }) => message);

  test('are named once by each node, with the cure', async () => {
    const { url: seed } = await aNode('seed', []);
    const a = await aNode('a', [seed]);
    const b = await aNode('b', [seed], { advertise: a.url });
    await knows(b.node, 'a', 'seed');
    await until(() => sharing().length === 3);
    const c = await aNode('c', [seed]);
    await knows(c.node, 'a', 'b', 'seed');
    await until(() => sharing().length === 4);
    for (const message of sharing())
      expect(message).toBe(
        `"a", "b" all advertise ${a.url}, where a dial reaches one of them alone: give each node a URL of its own (advertise, --advertise)`,
      );
  }, 30_000);
});

group('swim', () => {
  test('one address is enough for all to know all, and gossip reaches them', async () => {
    const { node: one, url } = await aNode('one', []);
    const { node: two } = await aNode('two', [url]);
    const { node: three } = await aNode('three', ['ws://127.0.0.1:1', url]);
    await knows(one, 'three', 'two');
    await knows(two, 'one', 'three');
    await knows(three, 'one', 'two');
    const [ours, theirs] = [spawnGossip(one), spawnGossip(three)];
    dispatch(ours, add('a', 1));
    await until(() => gossipView(theirs).has('a'));
    expect(gossipView(theirs).get('a')).toBe(1);
  });

  test('a function is a seed, asked until it knows somebody; itself among the seeds does no harm', async () => {
    const { node: one, url } = await aNode('one', []);
    let asked = 0;
    const urls: string[] = [];
    const find = (): readonly string[] => {
      asked += 1;
      if (asked === 1) throw new Error('not yet');
      return asked === 2 ? [] : [...urls, url];
    };
    const two = await aNode('two', [find]);
    urls.push(two.url);
    await knows(two.node, 'one');
    await knows(one, 'two');
    expect(asked).toBeGreaterThan(2);
    expect(cluster.log.codes).toContain('DISCOVERY_FAILED');
  });

  test('who leaves has left, who falls silent is down, who comes back is there at once', async () => {
    const { node: one, url } = await aNode('one', []);
    const words = heard(one);
    const two = await aNode('two', [url]);
    const three = await aNode('three', [url]);
    await knows(one, 'three', 'two');
    await leaveGrapevine(two.node);
    await knows(one, 'three');
    await stopTree(three.node);
    await knows(one);
    const again = await aNode('three', [url], {}, { meta: { second: true } });
    await until(() => nodeView(one).members.some(({ name, url: at }) => name === 'three' && at === again.url));
    await until(() => words.filter((word) => word === 'nodeup three').length === 2);
    expect(words.filter((word) => !word.startsWith('nodechanged'))).toEqual([
      'members 0',
      ...['nodeup two', 'nodeup three'].toSorted((a, b) => words.indexOf(a) - words.indexOf(b)),
      'nodeleft two',
      'nodedown three',
      'nodeup three',
    ]);
    expect(nodeView(one).roster.find(({ name }) => name === 'two')).toMatchObject({ state: 'left' });
  });

  test('what a node says of itself reaches all, and so does a change', async () => {
    const { node: one, url } = await aNode('one', [], {}, { meta: { zone: 'a' } });
    const { node: two } = await aNode('two', [url]);
    await until(() => nodeView(two).members[0]?.meta?.['zone'] === 'a');
    const words = heard(two);
    dispatch(one, describe({ zone: 'b', load: 0.5 }));
    await until(() => nodeView(two).members[0]?.meta?.['load'] === 0.5);
    await until(() => words.includes('nodechanged one'));
    injectFault(actorAt(one, ['membership']) as Ref<never>, new Error('injected'));
    dispatch(one, describe({ zone: 'c' }));
    await until(() => nodeView(two).members[0]?.meta?.['zone'] === 'c');
    expect(nodeView(two).members[0]?.meta).toEqual({ zone: 'c' });
  });

  test('a crash of the membership is no news to anybody', async () => {
    const { node: one, url } = await aNode('one', []);
    const { node: two } = await aNode('two', [url]);
    const { node: three } = await aNode('three', [url]);
    await Promise.all([knows(one, 'three', 'two'), knows(two, 'one', 'three'), knows(three, 'one', 'two')]);
    const words = [one, two, three].map(heard);
    await until(() => words.every(({ length }) => length === 1));
    for (const node of [one, two]) {
      const tracker = actorAt(node, ['membership']) as Ref<never>;
      injectFault(tracker, new Error('injected'));
      await until(() => (statsOf(tracker)?.restarts ?? 0) > 0);
    }
    // A fourth, so that there is something to wait for.
    await aNode('four', [url]);
    await Promise.all([one, two, three].map((node) => until(() => namesAt(node).includes('four'))));
    for (const said of words) expect(said.filter((word) => !word.includes('four'))).toEqual(['members 2']);
  });

  test('a second living node of one name is refused, wherever it asks, and both sides say so', async () => {
    const { node: one, url } = await aNode('one', []);
    const two = await aNode('two', [url]);
    const three = await aNode('three', [url]);
    await knows(one, 'three', 'two');
    await knows(three.node, 'one', 'two');
    const elsewhere = start();
    const others = new Cluster(elsewhere);
    clusters.push({ system: elsewhere, cluster: others });
    const impostor = others.node('two', {
      transport: createWebSocketTransport,
      membership: swim({ ...fast, seeds: [three.url, url] }),
    });
    await ready(impostor);
    await until(() => [cluster, others].every(({ log }) => log.codes.includes('NAME_TAKEN')));
    for (const node of [one, three.node])
      expect(nodeView(node).members.find(({ name }) => name === 'two')?.url).toBe(two.url);
  });

  test('nodes of two clusters that share seeds never mix, and say so', async () => {
    const { node: one, url } = await aNode('one', [], { cluster: 'blue' });
    const { node: two } = await aNode('two', [url], { cluster: 'blue' });
    const { node: three, url: red } = await aNode('three', [url], { cluster: 'red' });
    const { node: four } = await aNode('four', [url, red], { cluster: 'red' });
    await Promise.all([knows(one, 'two'), knows(two, 'one'), knows(three, 'four'), knows(four, 'three')]);
    await until(() => cluster.log.codes.includes('WRONG_CLUSTER'));
    expect([namesAt(one), namesAt(two), namesAt(three), namesAt(four)]).toEqual([
      ['two'],
      ['one'],
      ['four'],
      ['three'],
    ]);
  });

  test('an observer hears who is there, and is nobody’s member', async () => {
    const { node: one, url } = await aNode('one', [], {}, { meta: { zone: 'a' } });
    const { node: two } = await aNode('two', [url]);
    await knows(one, 'two');
    await until(() => nodeView(two).members[0]?.meta?.['zone'] === 'a');
    const words = heard(one);
    await until(() => words.length === 1);
    const { name, members } = await observeMembers(url);
    expect(name).toBe('one');
    expect(members.map((member) => [member.name, member.state])).toEqual([
      ['one', 'alive'],
      ['two', 'alive'],
    ]);
    expect(members[0]).toMatchObject({ url, meta: { zone: 'a' } });
    await until(() => nodeView(one).links.length === 1);
    expect(words).toEqual(['members 1']);
    await expect(observeMembers(url, { cluster: 'other' })).rejects.toMatchObject({ code: 'WRONG_CLUSTER' });
    await expect(observeMembers('ws://127.0.0.1:1')).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });

  test('in a large cluster a node keeps connections to some, and updates reach all', async () => {
    const few: Partial<SwimOptions> = { neighbours: 2 };
    const { node: one, url } = await aNode('one', [], {}, few);
    const nodes = [one];
    for (let i = 0; i < 14; i++) nodes.push((await aNode(`n${i}`, [url], {}, few)).node);
    await until(() => nodes.every((node) => nodeView(node).members.length === nodes.length - 1));
    const gossips = nodes.map((node) => spawnGossip(node));
    gossips.forEach((gossip, i) => dispatch(gossip, add(`id ${i}`, i)));
    await until(() => gossips.every((gossip) => gossipView(gossip).size === gossips.length));
    const pairs = nodes.reduce<number>((sum, node) => sum + nodeView(node).links.length, 0) / 2;
    expect(pairs).toBeLessThan((nodes.length * (nodes.length - 1)) / 2);
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, start, stop } from 'nact';

import { actorAt, spawnGossip } from './grapevine.ts';
import { injectFault, statsOf, tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { turns, until } from './kernel/testing/event-loop.ts';
import { add, type GossipMessage, type NodeMessage } from './messages.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

let system: Ref<never>;
let cluster: Cluster;
let one: Ref<NodeMessage>;
let two: Ref<NodeMessage>;
let ours: Ref<GossipMessage>;
let theirs: Ref<GossipMessage>;
beforeEach(async () => {
  system = start();
  cluster = new Cluster(system);
  one = cluster.node('one');
  two = cluster.node('two');
  ours = spawnGossip(one);
  theirs = spawnGossip(two);
  await until(() => gossipView(ours).peers.length === 1 && gossipView(theirs).peers.length === 1);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

const contentOf = (gossip: Ref<GossipMessage>): Map<string, unknown> =>
  new Map([...gossipView(gossip).entries()].map(({ id, value }) => [id, value]));

const crash = async (node: Ref<NodeMessage>, ...path: string[]): Promise<void> => {
  const actor = actorAt(node, path) as Ref<never>;
  const before = statsOf(actor)?.restarts as number;
  expect(injectFault(actor, new Error('injected'))).toBe(true);
  await until(() => (statsOf(actor)?.restarts ?? 0) > before);
};

/** Whether gossip goes both ways, and everything from before is there. */
const expectToGoOn = async (): Promise<void> => {
  dispatch(ours, add('after by one', 1));
  dispatch(theirs, add('after by two', 2));
  await until(() => gossipView(theirs).has('after by one') && gossipView(ours).has('after by two'));
  expect(contentOf(ours).get('before')).toBe(0);
  expect(contentOf(theirs).get('before')).toBe(0);
};

describe('a crash', () => {
  beforeEach(async () => {
    dispatch(ours, add('before', 0));
    await until(() => gossipView(theirs).has('before'));
  });

  test.each([['instance'], ['gc']])('of the %s loses nothing, and gossip goes on', async (actor) => {
    await crash(one, 'gossip grapevine', actor);
    await crash(two, 'gossip grapevine', actor);
    await expectToGoOn();
  });

  test('of the membership is no news to anybody, and gossip goes on', async () => {
    await crash(one, 'membership');
    await expectToGoOn();
    expect(nodeView(one).members.map(({ name }) => name)).toEqual(['two']);
    expect(cluster.log.lines.filter(({ message }) => message === 'nodedown')).toEqual([]);
    expect(nodeView(one).links).toHaveLength(1);
  });

  test('of a link closes its connection, which is dialled anew', async () => {
    const session = nodeView(one).links[0]?.session as number;
    injectFault(actorAt(one, ['transport', 'link two']) as Ref<never>, new Error('injected'));
    await until(() => nodeView(one).links.some((link) => link.session > session));
    await until(() => gossipView(ours).peers.length === 1 && gossipView(theirs).peers.length === 1);
    await expectToGoOn();
  });

  test('of the transport closes all connections, and it listens and is dialled again', async () => {
    await crash(one, 'transport');
    await until(() => nodeView(two).links.length === 0);
    await cluster.connected(two, 'one');
    await expectToGoOn();
    expect(statsOf(one)?.restarts).toBe(0);
  });

  test('of the root starts everything again, with all that was known', async () => {
    await crash(one);
    expect(contentOf(ours).get('before')).toBe(0);
    await cluster.connected(two, 'one');
    await expectToGoOn();
  });

  test('of an instance while it writes and its peer writes leaves subscribers without gap and double', async () => {
    const audiences = [cluster.audience(ours), cluster.audience(theirs)] as const;
    await until(() => audiences.every(({ snapshots }) => snapshots === 1));
    for (let i = 0; i < 2000; i += 1) {
      // More than a turn takes, so that the fault comes in the middle of it.
      tell(ours, add(`a ${i % 700}`, i));
      tell(theirs, add(`b ${i % 700}`, i));
      if (i === 1000 || i === 1500) {
        injectFault(ours, new Error('injected'));
        await turns(1);
      }
    }
    await until(() => gossipView(ours).hash === gossipView(theirs).hash && gossipView(ours).size === 1401);
    await until(() => gossipView(ours).status().queued === 0);
    await turns(5);
    for (const [i, audience] of audiences.entries()) {
      const gossip = i === 0 ? ours : theirs;
      expect(audience.snapshots).toBe(1);
      expect(audience.content).toEqual(contentOf(gossip));
      const dots = audience.changes.map(({ version }) => `${version.node} ${version.epoch} ${version.sequence}`);
      expect(new Set(dots).size).toBe(dots.length);
    }
    // Every write of one's own is a change to those who subscribe here, superseded at once or not.
    expect(audiences[0].changes.filter(({ origin }) => origin.name === 'one')).toHaveLength(2000);
    expect(statsOf(ours)?.restarts).toBeGreaterThan(0);
    // Those who subscribe now see the same.
    const late = cluster.audience(ours);
    await until(() => late.snapshots === 1);
    expect(late.content).toEqual(audiences[0].content);
  });
});

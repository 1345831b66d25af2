import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { staticMembership } from '@grapevine/core';
import { createWebSocketTransport } from '@grapevine/transport';
import { dispatch, start, stop } from 'nact';

import { actorAt, leaveGrapevine, ready, spawnGossip } from './grapevine.ts';
import { injectFault, isGone, statsOf } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { add, type NodeMessage } from './messages.ts';
import type { NodeOptions } from './options.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

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

async function listening(
  name: string,
  options: Partial<NodeOptions> = {},
): Promise<{ node: Ref<NodeMessage>; url: string }> {
  const node = cluster.node(name, { transport: createWebSocketTransport, membership: staticMembership(), ...options });
  const { url } = await ready(node);
  return { node, url: url as string };
}

describe('over WebSockets', () => {
  test('what is added on one is told to a subscriber of another', async () => {
    const { node: one, url } = await listening('one');
    const { node: two } = await listening('two', { listen: null, membership: staticMembership({ peers: [url] }) });
    const ours = spawnGossip(one);
    const theirs = spawnGossip(two);
    const audience = cluster.audience(theirs);
    dispatch(ours, add('dark-mode', { on: true }));
    await audience.has('dark-mode');
    await leaveGrapevine(one);
    await until(() => nodeView(two).links.length === 0);
    expect(gossipView(theirs).get('dark-mode')).toEqual({ on: true });
  });

  test('a transport that crashed listens on the same port again, and its peers come back', async () => {
    const { node: one, url } = await listening('one');
    const { node: two } = await listening('two', { membership: staticMembership({ peers: [url] }) });
    const ours = spawnGossip(one);
    const theirs = spawnGossip(two);
    await cluster.connected(one, 'two');
    injectFault(actorAt(one, ['transport']) as Ref<never>, new Error('injected'));
    await until(() => nodeView(one).links.length === 0);
    await cluster.connected(one, 'two');
    expect(nodeView(one).url).toBe(url);
    dispatch(ours, add('a', 1));
    await until(() => gossipView(theirs).has('a'));
    expect(statsOf(one)?.restarts).toBe(0);
  });

  const saidAloud = (): string[] =>
    cluster.log.lines.filter(({ level }) => level === 'error').map(({ message }) => message);

  test('a port that another has is told by ready, and the node stops', async () => {
    const { url } = await listening('one');
    const late = cluster.node('two', {
      membership: staticMembership({ peers: [] }),
      transport: createWebSocketTransport,
      listen: { port: Number(new URL(url).port) },
    });
    await expect(ready(late)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await until(() => isGone(late));
    // Once is enough: whoever asked has been told.
    expect(saidAloud()).toEqual([]);
  });

  test('and by the log, where nobody asks', async () => {
    const { url } = await listening('one');
    const late = cluster.node('two', {
      membership: staticMembership({ peers: [] }),
      transport: createWebSocketTransport,
      listen: { port: Number(new URL(url).port) },
    });
    await until(() => isGone(late));
    expect(saidAloud()).toEqual([expect.stringContaining('cannot listen and stops')]);
  });
});

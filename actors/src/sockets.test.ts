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

  const keys = (name: string): { readonly security: { readonly keys: string[] } } => ({
    security: { keys: [`a key for tests alone: ${name}`] },
  });
  test.each<[code: string, theirs: Partial<NodeOptions>, ours: Partial<NodeOptions>, sentence: string]>([
    [
      'WRONG_CLUSTER',
      { cluster: 'production' },
      { cluster: 'staging' },
      '"two" is of cluster "staging", "one" of "production": give both one cluster (--cluster)',
    ],
    [
      'KEY_MISMATCH',
      keys('one'),
      keys('two'),
      '"two" proves no key that "one" lists: compare security.keys (--key-file)',
    ],
    ['KEY_REQUIRED', keys('one'), {}, '"one" has keys, "two" has none: give both the same security.keys (--key-file)'],
    ['NAME_TAKEN', {}, { name: 'one' }, 'both nodes are named "one": give each its own name (--name)'],
  ])(
    'who is refused as %s is told why, and who refuses says from where it came',
    async (code, theirs, ours, sentence) => {
      const { node: one, url } = await listening('one', theirs);
      // Another process, as far as nact is concerned: one of its systems has each name once.
      const own = start();
      const elsewhere = new Cluster(own);
      try {
        const two = elsewhere.node('two', {
          transport: createWebSocketTransport,
          listen: null,
          membership: staticMembership({ peers: [url] }),
          ...ours,
        });
        await until(() => nodeView(two).refusals.length > 0 && nodeView(one).refusals.length > 0);
        const refused = nodeView(two).refusals[0];
        expect(refused).toMatchObject({ code, message: sentence, by: 'peer', url, atMs: expect.any(Number) });
        const refusing = nodeView(one).refusals[0];
        expect(refusing).toMatchObject({ code, message: sentence, by: 'us', url: null, address: '127.0.0.1' });
        for (const [{ lines }, fields] of [
          [elsewhere.log, { node: ours.name ?? 'two', url, by: 'peer' }],
          [cluster.log, { node: 'one', by: 'us', address: '127.0.0.1' }],
        ] as const)
          expect(lines).toContainEqual({
            level: 'warn',
            message: `connection refused: ${sentence}`,
            fields: expect.objectContaining(fields),
          });
      } finally {
        await elsewhere.stop();
        stop(own);
      }
    },
  );

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

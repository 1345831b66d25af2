import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, start, stop } from 'nact';

import type { GossipEvent } from './events.ts';
import { spawnGossip } from './grapevine.ts';
import { ask } from './kernel/ask.ts';
import { spawnChild, stopTree } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { add, type GossipMessage, refresh, remove, subscribe, unsubscribe, type WriteReply } from './messages.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

let system: Ref<never>;
let cluster: Cluster;
let gossip: Ref<GossipMessage>;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
  gossip = spawnGossip(cluster.node('a'));
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

let listeners = 0;
function listener(): { readonly ref: Ref<GossipEvent>; readonly words: string[] } {
  const words: string[] = [];
  const ref = spawnChild<GossipEvent>(system, {
    name: `listener ${++listeners}`,
    start: () => ({
      receive: (event) => {
        if (event.type === 'snapshot') words.push(`snapshot ${event.entries.map(({ id }) => id).join()}`);
        if (event.type === 'changes') words.push(...event.changes.map(({ type, id }) => `${type} ${id}`));
      },
    }),
  });
  return { ref, words };
}

describe('a refresh', () => {
  test('by a message is silent, in its turn behind writes that the handler judges, and answered', async () => {
    const judged = spawnGossip(cluster.node('b'), { judgeWrites: true, handler: { push: () => 'ok' } });
    const one = listener();
    dispatch(judged, subscribe(one.ref));
    dispatch(judged, add('x', 1, { expiresIn: 60_000 }));
    const version = await ask<GossipMessage, WriteReply>(
      judged,
      (replyTo) => refresh('x', { expiresIn: 120_000, replyTo }),
      { timeoutMs: 5000 },
    );
    expect(version).toMatchObject({ ok: true, versions: [{ node: 'b', sequence: 2 }] });
    dispatch(judged, add('y', 1));
    await until(() => one.words.includes('update y'));
    expect(one.words).toEqual(['snapshot ', 'update x', 'update y']);
    expect(
      await ask<GossipMessage, WriteReply>(judged, (replyTo) => refresh('z', { expiresIn: 1, replyTo }), {
        timeoutMs: 5000,
      }),
    ).toMatchObject({ ok: false, error: { code: 'ID_UNKNOWN' } });
  });
});

describe('events in bulk', () => {
  test('have an id and a value for each of their items, and none for what readers see no more', async () => {
    const events: GossipEvent[] = [];
    const ref = spawnChild<GossipEvent>(system, {
      name: 'reader',
      start: () => ({ receive: (event) => void events.push(event) }),
    });
    dispatch(gossip, add('before', { text: 'x'.repeat(100) }));
    dispatch(gossip, subscribe(ref));
    dispatch(gossip, add('a', { on: true }));
    dispatch(gossip, add('b', [1, 'é'.repeat(40), null]));
    dispatch(gossip, remove('a'));
    dispatch(gossip, add('c', 'ü'));
    await until(() => events.some((event) => event.type === 'changes' && event.ids.includes('c')));
    const [snapshot, ...rest] = events;
    expect(snapshot).toMatchObject({ ids: ['before'], values: [{ text: 'x'.repeat(100) }] });
    const changes = rest.filter((event) => event.type === 'changes');
    expect(changes.flatMap(({ ids }) => ids)).toEqual(['a', 'b', 'a', 'c']);
    expect(changes.flatMap(({ values }) => values)).toEqual([{ on: true }, [1, 'é'.repeat(40), null], undefined, 'ü']);
    expect(changes.flatMap((event) => event.changes.map(({ value }) => value))).toEqual(
      changes.flatMap(({ values }) => values),
    );
    for (const { changes: items, ids } of changes) expect(items.map(({ id }) => id)).toEqual(ids);
  });
});

describe('subscribers by prefix', () => {
  test('hear of ids alone that begin so, and in their order', async () => {
    dispatch(gossip, add('user:1', 1));
    dispatch(gossip, add('room:1', 1));
    const [users, all] = [listener(), listener()];
    dispatch(gossip, subscribe(users.ref, { prefix: 'user:' }));
    dispatch(gossip, subscribe(all.ref));
    dispatch(gossip, add('room:2', 1));
    dispatch(gossip, add('user:2', 1));
    dispatch(gossip, remove('user:1'));
    await until(() => users.words.includes('removed user:1') && all.words.includes('removed user:1'));
    expect(users.words).toEqual(['snapshot user:1', 'update user:2', 'removed user:1']);
    expect(all.words).toEqual(['snapshot user:1,room:1', 'update room:2', 'update user:2', 'removed user:1']);
    expect(gossipView(gossip).status().subscribers).toBe(2);
  });

  test('have one subscription: another prefix takes the place of the former', async () => {
    const one = listener();
    dispatch(gossip, subscribe(one.ref, { prefix: 'a' }));
    dispatch(gossip, subscribe(one.ref, { prefix: 'b' }));
    dispatch(gossip, add('a', 1));
    dispatch(gossip, add('b', 1));
    await until(() => one.words.includes('update b'));
    expect(one.words).toEqual(['snapshot ', 'snapshot ', 'update b']);
    expect(gossipView(gossip).status().subscribers).toBe(1);
    dispatch(gossip, unsubscribe(one.ref));
    await until(() => gossipView(gossip).status().subscribers === 0);
  });

  test('that have ended are forgotten, although nothing is told under their prefix', async () => {
    for (let i = 0; i < 200; i += 1) {
      const { ref } = listener();
      dispatch(gossip, subscribe(ref, { prefix: `user:${i}:` }));
      await until(() => gossipView(gossip).status().subscribers > 0);
      await stopTree(ref);
    }
    expect(gossipView(gossip).status().subscribers).toBeLessThanOrEqual(40);
  });

  test.each([{ prefix: 5 }, { prefix: null }, { prefx: 'a' }])('with wrong options are refused: %p', (options) => {
    expect(() => subscribe(listener().ref, options as never)).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
  });

  test('of a node are refused, with a word in the log: a node has no ids', async () => {
    const node = cluster.node('b');
    dispatch(node, subscribe(listener().ref as never, { prefix: 'a' }));
    await until(() => cluster.log.lines.some(({ level }) => level === 'warn'));
    expect(cluster.log.lines.map(({ message }) => message)).toContain(
      'a node was sent something that is no message to it',
    );
    expect(nodeView(node).subscribers).toBe(0);
  });
});

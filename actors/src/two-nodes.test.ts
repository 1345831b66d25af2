import { afterEach, describe, expect, test } from '@jest/globals';
import { hybrid, staticMembership } from '@grapevine/core';
import { dispatch, start, stop } from 'nact';

import type { GossipEvent } from './events.ts';
import { leaveGrapevine, ready, spawnGossip, spawnGrapevine } from './grapevine.ts';
import { spawnChild } from './kernel/actor.ts';
import { add, subscribe } from './messages.ts';
import { gossipView } from './views.ts';

const system = start();
afterEach(() => {});

describe('two nodes over WebSockets', () => {
  test('what is added on one is told to a subscriber of the other', async () => {
    const logger = { debug() {}, info: (f: object, m: string) => void f ?? m, warn: (f: object, m: string) => console.log(m, f), error: (f: object, m: string) => console.log(m, f) };
    const one = spawnGrapevine(system as never, { name: 'one', listen: { port: 0 }, logger });
    const { url } = await ready(one);
    const two = spawnGrapevine(system as never, { name: 'two', membership: staticMembership({ peers: [url as string] }), logger });
    const a = spawnGossip(one, { protocol: hybrid() });
    const b = spawnGossip(two, { protocol: hybrid() });
    const seen: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      const sub = spawnChild<GossipEvent>(system as never, {
        name: 'sub',
        start: () => ({
          receive(event) {
            if (event.type === 'snapshot') seen.push(...event.entries.map((e) => [e.id, e.value]));
            if (event.type === 'changes') seen.push(...event.changes.map((e) => [e.type, e.id, e.value]));
            if (seen.length > 0) resolve();
          },
        }),
      });
      dispatch(b, subscribe(sub));
    });
    dispatch(a, add('dark-mode', { on: true }));
    await done;
    expect(seen).toEqual([['update', 'dark-mode', { on: true }]]);
    expect(gossipView(b).get('dark-mode')).toEqual({ on: true });
    await leaveGrapevine(two);
    await leaveGrapevine(one);
    stop(system);
  });
});

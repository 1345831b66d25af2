import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, start, stop } from 'nact';

import { injectFault, spawnChild, statsOf, stopTree } from './actor.ts';
import type { ActorSpec } from './behaviour.ts';
import type { Ref } from './nact.ts';
import { turns, until } from './testing/event-loop.ts';
import { watch, type Terminated } from './watch.ts';

let system: Ref<never>;
let elsewhere: Ref<never>;
let heard: Terminated[];
let watcher: Ref<Terminated>;
beforeEach(() => {
  system = start();
  elsewhere = start();
  const messages: Terminated[] = [];
  heard = messages;
  watcher = spawnChild<Terminated>(elsewhere, {
    name: 'watcher',
    start: () => ({ receive: (message) => void messages.push(message) }),
  });
});
afterEach(() => {
  stop(elsewhere);
  stop(system);
});

const anActor = (more: Partial<ActorSpec<string>> = {}): Ref<string> =>
  spawnChild<string>(system, { name: 'watched', start: () => ({ receive: () => {} }), ...more });

describe('a watcher', () => {
  test('hears that an actor has stopped, when it is gone, and once', async () => {
    const ref = anActor();
    watch(ref, watcher);
    const stopping = stopTree(ref);
    expect(heard).toEqual([]);
    await stopping;
    await until(() => heard.length > 0);
    stop(ref);
    await turns();
    await turns();
    expect(heard).toEqual([{ type: 'terminated', ref, reason: 'stopped' }]);
  });

  test('hears at once of one that is gone already', async () => {
    const ref = anActor();
    await stopTree(ref);
    watch(ref, watcher);
    await until(() => heard.length > 0);
    expect(heard).toEqual([{ type: 'terminated', ref, reason: 'gone' }]);
  });

  test('hears nothing of a restart', async () => {
    const ref = anActor();
    watch(ref, watcher);
    injectFault(ref, new Error('injected'));
    await until(() => statsOf(ref)?.restarts === 1);
    await turns();
    expect(heard).toEqual([]);
  });

  test('hears why an actor ended that is not restarted', async () => {
    const ref = anActor({ restart: 'temporary' });
    watch(ref, watcher);
    injectFault(ref, new Error('injected'));
    await until(() => heard.length > 0);
    expect(heard).toEqual([{ type: 'terminated', ref, reason: 'crashed' }]);
  });

  test('hears no more once the watch is cancelled', async () => {
    const ref = anActor();
    watch(ref, watcher)();
    await stopTree(ref);
    await turns();
    expect(heard).toEqual([]);
  });

  test('is forgotten by whom it watched when it is gone, and forgets whom it outlives', async () => {
    const ref = anActor();
    const other = anActor({ name: 'other' });
    watch(ref, watcher);
    watch(other, watcher);
    expect(statsOf(ref)?.watchers).toBe(1);
    expect(statsOf(watcher)?.watchers).toBe(2);
    await stopTree(other);
    expect(statsOf(watcher)?.watchers).toBe(1);
    await until(() => heard.length > 0);
    await stopTree(watcher);
    expect(statsOf(ref)?.watchers).toBe(0);
    await stopTree(ref);
    expect(heard.map((terminated) => terminated.ref)).toEqual([other]);
  });

  test('that is gone already watches nobody', async () => {
    const ref = anActor();
    await stopTree(watcher);
    watch(ref, watcher);
    expect(statsOf(ref)?.watchers).toBe(0);
  });

  test('may be a user’s plain nact actor', async () => {
    const plain = spawn(system, (_: unknown, message: Terminated) => void heard.push(message), 'plain');
    const ref = anActor();
    watch(ref, plain);
    await stopTree(ref);
    await until(() => heard.length > 0);
    expect(heard).toEqual([{ type: 'terminated', ref, reason: 'stopped' }]);
  });

  test('hears of a user’s plain nact actor once, though its ancestor is stopped after it', async () => {
    const parent = spawn(system, (state: unknown) => state, 'parent');
    const plain = spawn(parent, (state: unknown) => state, 'plain');
    watch(plain, watcher);
    stop(plain);
    stop(parent);
    await until(() => heard.length > 0);
    await turns(3);
    expect(heard).toHaveLength(1);
  });

  test('may watch a user’s plain nact actor, and hears also when only an ancestor of it is stopped', async () => {
    const grandparent = spawn(system, (state: unknown) => state, 'grandparent');
    const parent = spawn(grandparent, (state: unknown) => state, 'parent');
    const plain = spawn(parent, (state: unknown) => state, 'plain');
    watch(plain, watcher);
    stop(grandparent);
    await until(() => heard.length > 0);
    watch(plain, watcher);
    await until(() => heard.length > 1);
    expect(heard.map(({ reason }) => reason)).toEqual(['stopped', 'gone']);
  });
});

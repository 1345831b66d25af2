/**
 * Programs that are tested with fake timers, and programs that replace globals for a moment.
 */
import { afterEach, describe, expect, jest, test } from '@jest/globals';

import { hybrid } from '@grapevine/core';

import { createGrapevine, type Grapevine } from './grapevine.ts';

const realSetImmediate = globalThis.setImmediate;
const turn = (): Promise<void> => new Promise((resolve) => realSetImmediate(resolve));

let node: Grapevine | null = null;

async function aNode(
  options: { readonly clock?: () => number; readonly seeds?: readonly string[] } = {},
): Promise<Grapevine> {
  node = await createGrapevine({ name: 'a', logger: false, ...options });
  return node;
}

afterEach(async () => {
  globalThis.setImmediate = realSetImmediate;
  jest.useRealTimers();
  await node?.close();
});

describe('a node', () => {
  test('goes on while setImmediate is replaced for a moment, and after it', async () => {
    const gossip = (await aNode()).gossip();
    globalThis.setImmediate = (() => undefined) as unknown as typeof setImmediate;
    await gossip.add('while', 1);
    globalThis.setImmediate = realSetImmediate;
    await gossip.add('after', 2);
    expect([...gossip.entries()]).toEqual([
      ['while', 1],
      ['after', 2],
    ]);
  });

  test('starts, takes writes and stops under fake timers', async () => {
    jest.useFakeTimers();
    const gossip = (await aNode()).gossip();
    await gossip.add('id', 1);
    const changes = gossip.changes();
    expect((await changes.next()).value).toMatchObject({ type: 'snapshot' });
    await gossip.remove('id');
    expect((await changes.next()).value).toMatchObject({ type: 'removed', id: 'id' });
    await node?.close();
  });

  test('waits for others in real time under fake timers', async () => {
    jest.useFakeTimers();
    const alone = await aNode({ seeds: ['ws://127.0.0.1:1'] });
    await expect(alone.joined({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'JOIN_TIMEOUT' });
    const gossip = alone.gossip();
    await expect(gossip.synced({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'SYNC_TIMEOUT' });
    await gossip.add('id', 1);
    expect(await alone.leave({ deadlineMs: 20 })).toMatchObject({ undelivered: 1 });
  }, 10_000);

  test.each([
    ['that is set', (ms: number) => jest.setSystemTime(Date.now() + ms)],
    ['whose timers are advanced', (ms: number) => jest.advanceTimersByTime(ms)],
  ])(
    'expires by a fake clock %s',
    async (_how, move) => {
      jest.useFakeTimers();
      const gossip = (await aNode()).gossip('fast', { protocol: hybrid({ gc: 10 }) });
      await gossip.add('id', 1, { expiresIn: 60_000 });
      move(59_000);
      await turn();
      expect(gossip.has('id')).toBe(true);
      move(1000);
      while (gossip.has('id')) await turn();
      expect(gossip.size).toBe(0);
    },
    10_000,
  );

  test('expires by a clock of its own, whatever the fake one says', async () => {
    jest.useFakeTimers();
    let nowMs = 1_800_000_000_000;
    const gossip = (await aNode({ clock: () => nowMs })).gossip('fast', { protocol: hybrid({ gc: 10 }) });
    await gossip.add('soon', 1, { expiresIn: 1000 });
    await gossip.add('later', 1, { expiresIn: 60_000 });
    jest.advanceTimersByTime(3_600_000);
    nowMs += 1000;
    while (gossip.has('soon')) await turn();
    expect(gossip.has('later')).toBe(true);
  }, 10_000);
});

/** An audience forgets who is gone, also where nothing happens that it could be told. */
import { expect, test } from '@jest/globals';
import { spawn, start, stop } from 'nact';

import { Audience } from './audience.ts';
import { isGone, spawnChild, stopTree } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';

test('holds on to no more of those who came and went than to those who are there', async () => {
  const system: Ref<never> = start();
  const audience = new Audience<string>(() => 'all');
  const stays: Ref<string> = spawn(system, () => {});
  audience.add(stays);
  for (let i = 0; i < 200; i++) {
    const ours = spawnChild<string>(system, { name: `ours ${i}`, start: () => ({ receive: () => {} }) });
    const plain: Ref<string> = spawn(system, () => {});
    audience.add(ours);
    audience.add(plain);
    await stopTree(ours);
    stop(plain);
    expect(isGone(ours) && isGone(plain)).toBe(true);
  }
  expect(audience.size).toBeLessThan(50);
  audience.tell('something');
  expect(audience.size).toBe(1);
  stop(system);
});

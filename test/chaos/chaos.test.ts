/**
 * A short run of chaos: each kind of fault once, against five real agents. `npm run chaos` is the long one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Network } from './network.ts';
import { faultKinds } from './plan.ts';
import { run } from './run.ts';

let folder = '';
let network = new Network();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grapevine-chaos-'));
  network = new Network();
});

afterEach(async () => {
  await network.close();
  await rm(folder, { recursive: true, force: true });
});

test('five agents bear each kind of fault: nothing is lost, nothing comes back, all end equal', async () => {
  const notes: string[] = [];
  const { rounds, tails } = await run({
    root: join(__dirname, '../..'),
    folder,
    network,
    // Packs them into five rounds.
    seed: 14,
    faults: 12,
    nodes: ['n1', 'n2', 'n3', 'n4', 'n5'],
    without: [],
    onNote: (text) => notes.push(text),
  });
  const problems = rounds.flatMap(({ lost, returned, unequal, troubles }) =>
    [lost, returned, unequal, troubles].flat(),
  );
  expect([...problems, ...(problems.length > 0 ? tails : [])]).toEqual([]);
  const faults = rounds.flatMap((result) => result.round.faults);
  expect(faults).toHaveLength(12);
  // Without the right to mount there is no disk to fill.
  expect(new Set(faults.map(({ kind }) => kind)).size).toBe(Object.keys(faultKinds).length - notes.length);
}, 180_000);

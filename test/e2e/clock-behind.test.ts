/**
 * A node that comes back with its clock behind its former life: another process gave a later epoch under its name.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { afterEach, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine } from '@grapevine/node';

const open: (Grapevine | Worker)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => ('close' in one ? one.close() : one.terminate())));
});

/** A node of its own process memory, which alone knows what epochs it gave. */
async function elsewhere(name: string, byMs: number, seeds: readonly string[]): Promise<Worker> {
  const worker = new Worker(join(__dirname, 'clock-behind-node.mjs'), { workerData: { name, byMs, seeds } });
  open.push(worker);
  await once(worker, 'message');
  return worker;
}

async function leave(worker: Worker): Promise<readonly string[]> {
  worker.postMessage('leave');
  const [{ lines }] = (await once(worker, 'message')) as [{ lines: readonly string[] }];
  await worker.terminate();
  return lines;
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('takes a higher epoch and is a member again, with what it had written meanwhile', async () => {
  const one = await createGrapevine({ name: 'one', listen: { port: 0 }, logger: false, maxDriftMs: 86_400_000 });
  open.push(one);
  const gossip = one.gossip();
  const seeds = [String(one.url)];
  const names = (): string[] => one.members().map(({ name }) => name);
  const ahead = await elsewhere('two', 3_600_000, seeds);
  await until(() => names().includes('two') && gossip.has('by two'));
  const formerEpoch = one.members()[0]?.epoch ?? 0;
  await leave(ahead);
  await until(() => names().length === 0);
  const behind = await elsewhere('two', -3_600_000, seeds);
  await until(() => names().includes('two'));
  expect(one.members()[0]?.epoch).toBeGreaterThan(formerEpoch);
  await gossip.add('after', 1);
  const lines = await leave(behind);
  expect(lines.filter((line) => line.includes('its clock is behind'))).toHaveLength(1);
}, 60_000);

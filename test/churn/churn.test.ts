/** The churn itself runs, and everything that came and went is forgotten. Whether memory is flat only a long run can say. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type { Course } from './churn.ts';

const root = join(__dirname, '../..');
const main = join(root, 'node_modules/.cache/grapevine-churn/churn/main.js');

test('those who stay become equal, and forget all ids, names and connections that came and went', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--quick', '--seed', '7'], { cwd: root });
  const { guests, end } = JSON.parse(stdout) as Pick<Course, 'guests' | 'end'>;
  expect(guests.left).toBeGreaterThan(0);
  expect(guests.closed).toBeGreaterThan(0);
  expect(guests.killed).toBeGreaterThan(0);
  expect(guests.joined).toBe(guests.left + guests.closed + guests.killed);

  const names = ['resident 1', 'resident 2', 'resident 3'];
  expect(end.rosters.map((roster) => roster.toSorted())).toEqual(
    names.map((own) => names.filter((name) => name !== own).map((name) => `${name} alive`)),
  );
  for (const { counts, deeds, hashes } of end.residents) {
    expect(deeds.added).toBeGreaterThan(0);
    expect(deeds.broken).toBeGreaterThan(0);
    expect(counts).toMatchObject({ ids: 0, tombstones: 0, members: 2, roster: 2, subscribers: 2, restarts: 0 });
    // Of two instances, each of which knows the three that stayed.
    expect(counts.origins).toBe(6);
    expect(hashes).toEqual(end.residents[0]?.hashes);
  }
}, 450_000);

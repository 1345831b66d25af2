/**
 * Node.js as people run it: workers of node:cluster, and the permission model.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';

const run = promisify(execFile);

async function told(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, args, { timeout: 50_000 });
  return JSON.parse(stdout);
}

describe('workers of node:cluster', () => {
  const script = join(__dirname, 'cluster-workers.mjs');

  test('that ask for port 0 get a port each, and meet', async () => {
    const workers = (await told(script, 'free')) as { url: string; members: string[] }[];
    expect(new Set(workers.map(({ url }) => url)).size).toBe(2);
    expect(workers[1]?.members).toEqual(['worker 1']);
  }, 60_000);

  test('that ask for one port do not share it: the second is told that it is in use', async () => {
    const workers = await told(script, 'same');
    expect(workers).toMatchObject([
      { url: expect.stringMatching(/^ws:/) },
      { code: 'PORT_IN_USE', message: expect.stringContaining('another worker of node:cluster') },
    ]);
  }, 60_000);
});

describe('a process under --permission', () => {
  const has = process.allowedNodeEnvironmentFlags.has('--allow-net');
  const fact = has ? test : test.skip;

  fact(
    `without --allow-net cannot start a node, and lives on${has ? '' : ` (skipped: ${process.version} has no such permission)`}`,
    async () => {
      const refused = { code: 'ADDRESS_UNAVAILABLE', message: expect.stringContaining('start it with --allow-net') };
      const script = join(__dirname, 'without-network.mjs');
      expect(await told('--permission', '--allow-fs-read=*', script)).toEqual([refused, refused]);
    },
    60_000,
  );
});

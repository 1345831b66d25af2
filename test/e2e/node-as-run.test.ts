/**
 * Node.js as people run it: workers of node:cluster, and the permission model.
 */
import { execFile, spawn } from 'node:child_process';
import { constants, mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';

import { obtained } from '../runtimes/obtained.ts';
import type { Runtime } from '../runtimes/runtimes.ts';
import { script as command } from './agents.ts';

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

// Node.js has a permission for the network from 25 on.
const newest = obtained(join(__dirname, '../..'), 'node-26')['node-26'];
const hasPermission = typeof newest === 'object';
const describeWithPermission = hasPermission ? describe : describe.skip;

describeWithPermission(`a process under --permission${hasPermission ? '' : ` (skipped: ${newest})`}`, () => {
  test('without --allow-net cannot start a node, and lives on', async () => {
    const refused = { code: 'ADDRESS_UNAVAILABLE', message: expect.stringContaining('start it with --allow-net') };
    const script = join(__dirname, 'without-network.mjs');
    const [program] = (newest as Runtime).command as readonly [string];
    const { stdout } = await run(program, ['--permission', '--allow-fs-read=*', script], { timeout: 50_000 });
    expect(JSON.parse(stdout)).toEqual([refused, refused]);
  }, 60_000);
});

/** Opens a FIFO once somebody reads it. Opening it without `O_NONBLOCK` would wait for ever where nobody does. */
async function opened(fifo: string): Promise<FileHandle> {
  for (const endMs = performance.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 20)))
    try {
      return await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO' || performance.now() > endMs) throw error;
    }
}

const isLinux = process.platform === 'linux';
const describeOnLinux = isLinux ? describe : describe.skip;

describeOnLinux(`an agent whose standard input is a FIFO${isLinux ? '' : ' (only Linux keeps one open)'}`, () => {
  test('hears one writer after the other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'grapevine-fifo-'));
    const fifo = join(folder, 'input');
    await run('mkfifo', [fifo]);
    const shell = `exec "${process.execPath}" "${command}" agent --name a --json < "${fifo}"`;
    const agent = spawn('sh', ['-c', shell], { stdio: ['ignore', 'pipe', 'inherit'] });
    // Ends the wait for a line that never comes.
    const limit = setTimeout(() => agent.kill(), 30_000);
    try {
      const heard: string[] = [];
      const lines = createInterface({ input: agent.stdout })[Symbol.asyncIterator]();
      for (const id of ['first', 'second', 'third']) {
        const writer = await opened(fifo);
        await writer.writeFile(`${JSON.stringify({ id, value: 1 })}\n`);
        await writer.close();
        while (heard.at(-1) !== id) {
          const { value, done } = await lines.next();
          if (done === true) throw new Error('the agent ended');
          const event = JSON.parse(value) as { readonly event: string; readonly id?: string };
          if (event.event === 'update') heard.push(String(event.id));
        }
      }
      expect(heard).toEqual(['first', 'second', 'third']);
    } finally {
      clearTimeout(limit);
      agent.kill();
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

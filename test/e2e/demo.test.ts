import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

import { script } from './agents.ts';

function startDemo(...args: readonly string[]): {
  child: ReturnType<typeof spawn>;
  out: () => string;
  err: () => string;
} {
  const child = spawn(process.execPath, [script, 'demo', ...args], { stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return { child, out: () => out, err: () => err };
}

/** Child processes of a process, on Linux; elsewhere none are known. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Whether it runs; one that has ended and that nobody has taken note of yet does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the demo', () => {
  test('loses nothing, and the killed node catches up', async () => {
    const { child, out, err } = startDemo('--for', '5s', '--nodes', '3', '--json');
    const [code] = (await once(child, 'close')) as [number];
    expect([code, err()]).toEqual([0, expect.stringContaining('caught up')]);
    expect(out().trim().split('\n')).toHaveLength(1);
    const summary = JSON.parse(out()) as Record<string, number>;
    expect(summary).toMatchObject({
      nodes: 3,
      lost: 0,
      equal: true,
      crashed: 0,
      p50Ms: expect.any(Number),
      p99Ms: expect.any(Number),
      noticedMs: expect.any(Number),
      caughtUpMs: expect.any(Number),
    });
    expect(summary['updates']).toBeGreaterThan(2000);
    expect(summary['delivered']).toBe((summary['updates'] as number) * 3);
    expect(summary['p99Ms']).toBeGreaterThanOrEqual(summary['p50Ms'] as number);
  }, 60_000);

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'takes its processes with it when it is ended by %s',
    async (signal) => {
      const { child, err } = startDemo('--for', '1m', '--nodes', '2');
      while (!err().includes('all connected')) await once(child.stderr as NodeJS.ReadableStream, 'data');
      const children = childrenOf(child.pid as number);
      expect(children).toHaveLength(process.platform === 'linux' ? 2 : 0);
      child.kill(signal);
      await once(child, 'close');
      // Nobody tells when the child of another ends: it can only be looked at.
      while (children.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(children.filter(isRunning)).toEqual([]);
    },
    30_000,
  );
});

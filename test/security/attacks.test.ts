/** The measurement of attacks works: processes meet, are attacked and go on; what is counted is right. How fast is not asked. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

import type { Finding } from '../attacks/measure.ts';

const root = join(__dirname, '../..');
const script = join(root, 'node_modules/.cache/grapevine-attacks/attacks/main.js');

function run(...args: readonly string[]): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { cwd: root, timeout: 100_000 }, (error, output, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output, errors });
    });
  });
}

test('a row before the proof, one after it, and one under TLS are as the catalogue says', async () => {
  const only = ['wrong-key', 'huge-array', 'wrong-authority'];
  const { code, output, errors } = await run('--only', only.join(), '--seconds', '0.3', '--rounds', '1', '--json');
  expect([code, errors]).toEqual([0, '']);
  const lines = output.trim().split('\n');
  const findings = new Map(lines.map((line) => JSON.parse(line) as Finding).map((finding) => [finding.id, finding]));
  expect([...findings.keys()].sort()).toEqual([...only].sort());
  for (const { problems, logLines } of findings.values()) {
    expect(problems).toEqual([]);
    // However often it came; one more where the attacker let go in the middle of it.
    expect([1, 2]).toContain(logLines);
  }
  // The answer of HTTP, a hello of some 100 bytes, and a close with its sentence; what was said is as plain.
  const { saw, bytesIn, bytesOut } = findings.get('wrong-key') as Finding;
  expect(saw['4406']).toBeGreaterThan(0);
  expect(bytesIn).toBeGreaterThan(129 + 90 + 65);
  expect(bytesIn).toBeLessThan(500);
  expect(bytesOut).toBeGreaterThan(200);
  expect(bytesOut).toBeLessThan(600);
  expect(findings.get('huge-array')?.saw['4400']).toBeGreaterThan(0);
}, 120_000);

test('an attack that there is not is said, with those that there are to choose from', async () => {
  const { code, errors } = await run('--only', 'none-such');
  expect([code, errors]).toEqual([2, expect.stringContaining('No attack is called none-such')]);
  expect(errors).toContain('wrong-key');
  expect(errors).not.toMatch(/^ +at /m);
});

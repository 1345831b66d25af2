/** The log of a node, as pino writes it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const program = `
import { loggerOf } from ${JSON.stringify(join(__dirname, '../dist/logger.js'))};
const logger = loggerOf({ level: 'info' }, 'a');
logger.info({ node: 'a', x: 1 }, 'said by who names it');
logger.warn({ x: 2 }, 'said by who does not');
`;

test('every line names its node once, and goes to standard error', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  const lines = stderr.trim().split('\n');
  expect(lines.map((line) => line.match(/"node":"a"/g)?.length)).toEqual([1, 1]);
  expect(stdout).toBe('');
});

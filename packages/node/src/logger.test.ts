/** The log of a node, as pino writes it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** Runs a program that has `logger`, of node 'a'. @returns its lines, and what it wrote to standard output */
function run(program: string): { readonly lines: readonly string[]; readonly stdout: string } {
  const preamble = `
    import { loggerOf } from ${JSON.stringify(join(__dirname, '../dist/logger.js'))};
    import { GossipError } from ${JSON.stringify(join(__dirname, '../../core/dist/index.js'))};
    const logger = loggerOf({ level: 'info' }, 'a');
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', preamble + program], { encoding: 'utf8' });
  return { lines: child.stderr.trim().split('\n'), stdout: child.stdout };
}

test('every line names its node once, and goes to standard error', () => {
  const { lines, stdout } = run(`
    logger.info({ node: 'a', x: 1 }, 'a line that names its node');
    logger.warn({ x: 2 }, 'a line that does not');
  `);
  expect(lines.map((line) => line.match(/"node":"a"/g)?.length)).toEqual([1, 1]);
  expect(stdout).toBe('');
});

describe('an error in the log', () => {
  test('a GossipError is one line that says message and cause once, with its code and context, without a stack', () => {
    const { lines } = run(`
      const cause = new Error('connect ECONNREFUSED', { cause: new Error('connect ECONNREFUSED') });
      const refused = new GossipError('PEER_UNREACHABLE', 'a cannot be reached', { cause, context: { url: 'ws://a' } });
      logger.warn({ err: refused }, refused.message + '; it is dialled again');
    `);
    expect(lines).toHaveLength(1);
    const { err, msg } = JSON.parse(lines[0] as string) as { readonly err: object; readonly msg: string };
    expect(msg).toBe('a cannot be reached; it is dialled again');
    expect(err).toEqual({
      code: 'PEER_UNREACHABLE',
      fault: 'world',
      cause: 'connect ECONNREFUSED',
      context: { url: 'ws://a' },
    });
  });

  test('a message that the text of the line does not say is a field', () => {
    const { lines } = run(`logger.warn({ err: new GossipError('STORE_FULL', 'no room') }, 'a write was refused');`);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ msg: 'a write was refused', err: { message: 'no room' } });
  });

  test('a cause that is its own cause ends', () => {
    const { lines } = run(`
      const cause = new Error('round');
      cause.cause = cause;
      logger.warn({ err: new GossipError('STORE_FULL', 'no room', { cause }) }, 'a write was refused');
    `);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ err: { message: 'no room', cause: 'round' } });
  });

  test("an error of somebody's code keeps its stack", () => {
    const { lines } = run(`logger.error({ err: new TypeError('x is undefined') }, 'actor crashed');`);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      err: { type: 'TypeError', message: 'x is undefined', stack: expect.stringContaining('at ') },
    });
  });
});

/**
 * No string becomes code, least of all one of a peer: nodes run, gossip and refuse where Node.js forbids it, and nothing of
 * theirs even tries.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';

import { script } from '../e2e/agents.ts';
import { obtained } from '../runtimes/obtained.ts';

const run = promisify(execFile);
const flags = ['--disallow-code-generation-from-strings', '--disable-proto=throw'];

// 20.19 finds no names in a CommonJS module then, where 20.20 and later do.
const oldest = obtained(join(__dirname, '../..'), 'node-20.19')['node-20.19'];
const programs: readonly (readonly [title: string, program: string])[] = [
  [process.version, process.execPath],
  ...(typeof oldest === 'object' ? [[`v${oldest.version}`, oldest.command[0] as string] as const] : []),
];
const skipped = typeof oldest === 'object' ? '' : ` (not on 20.19: ${oldest})`;

const title = 'where no string may become code, and __proto__ may not be used';
describe.each(programs)(`${title}, on Node.js %s${skipped}`, (_version, program) => {
  test('nodes gossip, and hang up on who sends records, without a function made of a string', async () => {
    const { stdout } = await run(program, [...flags, join(__dirname, 'code-from-strings.mjs')]);
    expect(JSON.parse(stdout)).toEqual({
      // Node forbids both; and with these very records the main build of msgpackr does try, so an attempt would be noticed.
      trap: { thrown: ['EvalError', 'Error'], noticed: 1 },
      views: [
        [true, 50],
        [true, 50],
      ],
      refused: {
        'in place of a hello': 4401,
        'in the frame': 4400,
        'in a value': 4400,
        'in the body of a message of a module': 4400,
      },
      attempts: [],
    });
  }, 60_000);

  test('processes of the command lose nothing, and one that was killed catches up', async () => {
    const { stdout } = await run(program, [script, 'demo', '--for', '5s', '--nodes', '3', '--json'], {
      env: { ...process.env, NODE_OPTIONS: flags.join(' ') },
    });
    expect(JSON.parse(stdout)).toMatchObject({ nodes: 3, lost: 0, equal: true, crashed: 0 });
  }, 60_000);
});

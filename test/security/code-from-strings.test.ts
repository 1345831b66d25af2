/**
 * No string becomes code, least of all one of a peer: nodes run, gossip and refuse where Node.js forbids it, and nothing of
 * theirs even tries.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';

import { script } from '../e2e/agents.ts';

const run = promisify(execFile);
const flags = ['--disallow-code-generation-from-strings', '--disable-proto=throw'];

describe('where no string may become code, and __proto__ may not be used', () => {
  test('nodes gossip, and hang up on who sends records, without a function made of a string', async () => {
    const { stdout } = await run(process.execPath, [...flags, join(__dirname, 'code-from-strings.mjs')]);
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
    const { stdout } = await run(process.execPath, [script, 'demo', '--for', '5s', '--nodes', '3', '--json'], {
      env: { ...process.env, NODE_OPTIONS: flags.join(' ') },
    });
    expect(JSON.parse(stdout)).toMatchObject({ nodes: 3, lost: 0, equal: true, crashed: 0 });
  }, 60_000);
});

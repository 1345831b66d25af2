/**
 * Grapevine from a shell, as an operator uses it from the packed packages: three agents under one key, in a script.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, jest, test } from '@jest/globals';
import { makeProject, removeProject } from '../packages/project.ts';
import { endPrograms, Program } from './program.ts';

jest.setTimeout(300_000);

const project = makeProject({ ours: ['@grapevine/cli'] });
const { folder, hindrance } = project;
if (folder !== null) cpSync(join(__dirname, 'operator/operator.sh'), join(folder, 'operator.sh'));
afterAll(() => removeProject(project));
afterEach(endPrograms);

const describeOrSkip = hindrance === null ? describe : describe.skip;
const title = 'a shell operator with three agents and keys';

describeOrSkip(hindrance === null ? title : `${title} (skipped: ${hindrance})`, () => {
  test('starts, writes, looks, rotates the key, keeps a stranger out, and ends in good order', async () => {
    const script = new Program(folder as string, ['bash', 'operator.sh']);
    const exit = await script.exited;
    expect(script.errors).toBe('');
    expect(script.lines).toEqual([
      'members: a b c',
      'written at b, read at a b c',
      'another key: KEY_MISMATCH, at both ends',
      'members without a key: refused, and told the cure',
      'rotated; removed at c, gone at a b c',
      'written by a command that ends: read at a b c',
      'written under another key: an error',
      'ended in good order: a b c',
    ]);
    expect(exit).toEqual({ code: 0, signal: null });
  });
});

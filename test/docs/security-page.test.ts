/** SECURITY.md, "What is defended": every claim stands beside the tests that hold it, and these are there. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
/** A test, without its comments: what only a comment says is no test. */
const codeOf = (path: string): string => read(path).replace(/^ *(?:\/\/|\/?\*).*$/gm, '');
const section = read('SECURITY.md').split('## What is defended')[1]?.split('\n## ')[0] ?? '';
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:claim|---) \|/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

describe('the claims', () => {
  test('stand in tables, and none beside them', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(section).not.toMatch(/^- /m);
  });

  test.each(rows.map(([claim = '', tests = '']) => [claim, tests]))('%s', (_claim, tests) => {
    const named = tests.split('<br>').map((one) => /^`([^`]+)` · (.+)$/.exec(one));
    expect(named.length).toBeGreaterThan(0);
    for (const one of named) {
      expect(one).not.toBeNull();
      const [, file = '', name = ''] = one ?? [];
      expect([file, existsSync(join(root, file))]).toEqual([file, true]);
      expect(file).toMatch(/\.test\.ts$/);
      expect(codeOf(file)).toContain(name);
    }
  });
});

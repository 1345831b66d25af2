/** docs/operations.md, "What an attacker meets": the tables have the rows of the catalogue, and every row has a test behind it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

import { afterProof as attacksAfter } from '../attacks/after-proof.ts';
import { beforeProof as attacksBefore } from '../attacks/before-proof.ts';
import { afterProof, beforeProof } from '../attacks/catalogue.ts';

const root = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const rows = [...beforeProof, ...afterProof];

/** The cells of the rows of all tables of a text. */
function cellsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  const cells = lines.map((line) => line.slice(2, -2).split(' | '));
  return cells.filter(([first]) => first !== 'who comes' && first !== '---');
}

describe('the attacks', () => {
  const written = read('docs/operations.md').split('<!-- attacks: ')[1]?.split('<!-- end of attacks -->')[0] ?? '';

  test('on the page are those of the catalogue, with what is said there of each', () => {
    expect(cellsOf(written).map(([who, sees, logged]) => [who, sees, logged])).toEqual(
      rows.map(({ who, sees, logs }) => [
        who,
        sees,
        logs.length === 0 ? 'nothing' : logs.map((code) => `\`${code}\``).join(', '),
      ]),
    );
  });

  test('on the page that leave an honest node behind twice the quiet figure are in bold, and no others', () => {
    for (const [who, , , , , , , , honest = ''] of cellsOf(written)) {
      // A row that is new in the catalogue, until all rows are measured again.
      if (honest === 'not yet measured') continue;
      const times = Number(/× ([\d.]+)/.exec(honest)?.[1]);
      expect([who, times > 0, honest.startsWith('**')]).toEqual([who, true, times > 2]);
    }
  });

  test('that can be run are those of the catalogue', () => {
    expect(Object.keys(attacksBefore)).toEqual(beforeProof.map(({ id }) => id));
    expect(Object.keys(attacksAfter)).toEqual(afterProof.map(({ id }) => id));
  });

  test.each(rows.map(({ id, test: [file, name] }) => [id, file, name]))(
    '%s has a test behind it',
    (_id, file, name) => {
      expect(read(file)).toContain(name);
    },
  );
});

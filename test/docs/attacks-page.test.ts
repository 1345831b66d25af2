/** docs/operations.md, "What an attacker meets": the tables have the rows of the catalogue, and every row has a test behind it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

import { afterProof as attacksAfter } from '../attacks/after-proof.ts';
import { beforeProof as attacksBefore } from '../attacks/before-proof.ts';
import { afterProof, beforeProof, type Row } from '../attacks/catalogue.ts';
import type { Finding } from '../attacks/measure.ts';
import { cellsOf as cellsOfRow, missedBounds, render } from '../attacks/page.ts';

const root = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const rows = [...beforeProof, ...afterProof];

/** The cells of the rows of all tables of a text. */
function cellsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  const cells = lines.map((line) => line.slice(2, -2).split(' | '));
  return cells.filter(([first]) => first !== 'who comes' && first !== '---');
}

/** Quiet windows of 150 updates with 1 ms at p50 and 4 ms at p99, the noisiest with 6 ms. */
function aFinding(attacked: Finding['attacked']): Finding {
  const quiet = { p50: 1, p99: 4, count: 150 };
  return {
    id: 'an-attack',
    saw: {},
    sentence: '',
    logged: [],
    logLines: 0,
    perSecond: 1,
    bytesIn: 1,
    bytesOut: 1,
    heldMs: 1,
    cpuMs: 1,
    quiet,
    attacked,
    quietP99s: [4, 6, 5],
    quietAtVictim: quiet,
    attackedAtVictim: quiet,
    problems: [],
  };
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

  test('on the page that leave an honest node behind twice the quiet figure, at p50 or at p99, are in bold, and no others', () => {
    for (const [who, ...cells] of cellsOf(written))
      for (const honest of cells.slice(7, 9)) {
        // A row that is new in the catalogue, until all rows are measured again.
        if (honest === 'not yet measured') continue;
        const times = Number(/× ([\d.,]+)/.exec(honest)?.[1]?.replaceAll(',', ''));
        expect([who, times > 0, honest.startsWith('**')]).toEqual([who, true, times > 2]);
      }
  });

  test.each([
    { p50: 2, p99: 8, bold: [false, false], missed: [] },
    { p50: 2.0001, p99: 8, bold: [true, false], missed: ['2.01 times as slow as in peace at p50'] },
    { p50: 2, p99: 8.001, bold: [false, true], missed: ['2.01 times as slow as in peace at p99'] },
    { p50: 3, p99: 4444, bold: [true, true], missed: ['3 times as slow', '1,120 times as slow'] },
    { p50: NaN, p99: 4, bold: [true, false], missed: ['– times as slow as in peace at p50'] },
  ])('miss the bound at p50 and at p99, each by itself: $p50 and $p99 beside 1 and 4', ({ p50, p99, bold, missed }) => {
    const finding = aFinding({ p50, p99, count: 300 });
    const cells = cellsOfRow(rows[0] as Row, finding).slice(8, 10);
    expect(cells.map((cell) => cell.startsWith('**') && cell.endsWith('**'))).toEqual(bold);
    expect(missedBounds(finding)).toEqual(missed.map((sentence) => expect.stringContaining(sentence)));
  });

  test('have below their tables how many updates a p99 rests on, and how far it differs in peace', () => {
    const [first, second] = rows as [Row, Row];
    const findings = new Map([
      [first.id, aFinding({ p50: 1, p99: 4, count: 300 })],
      [second.id, { ...aFinding({ p50: 1, p99: 4, count: 350 }), quietP99s: [4, 5] }],
    ]);
    const text = render([{ title: 'All', rows }], findings, 'a machine');
    expect(text).toContain('honest p99 of 300 to 350 updates under attack and of 150 in the calmest quiet window');
    expect(text).toContain('greatest p99 of the quiet windows of a row ÷ smallest: 1.38 (1.25–1.5)');
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

/**
 * The table of docs/runtimes.md: what works where, between two marks.
 *
 * Invariant: only the matrix writes between the marks, and nothing outside them.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { table } from '../bench/page.ts';
import type { Row } from './scenarios.ts';

const marks = {
  begin: '<!-- runtimes: written by `npm run runtimes`; do not edit -->',
  end: '<!-- end of runtimes -->',
};

/** A cast of the matrix, and what came of each row. */
export interface Column {
  readonly title: string;
  readonly outcomes: ReadonlyMap<string, string>;
}

/** What was not run, and why. */
export interface Skipped {
  readonly title: string;
  readonly reason: string;
}

/** For a row that is not played with a cast. */
const notPlayed = '–';

export interface Table {
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
}

export interface Findings {
  readonly tables: readonly Table[];
  readonly skipped: readonly Skipped[];
  readonly provenance: string;
}

export function render({ tables, skipped, provenance }: Findings): string {
  const texts = tables.map(({ rows, columns }) => {
    const head = ['', ...columns.map(({ title }) => title)];
    const lines = rows.map(({ id, title }) => [title, ...columns.map(({ outcomes }) => outcomes.get(id) ?? notPlayed)]);
    return table(head, lines).replaceAll('---:', '---');
  });
  const left = skipped.map(({ title, reason }) => `${title}: ${reason}.`);
  const skips = left.length === 0 ? 'Nothing was skipped.' : `Skipped: ${left.join(' ')}`;
  return [...texts, skips, `<sub>${provenance}</sub>`].join('\n\n');
}

export function writePage(path: string, text: string): void {
  const [before, , after] = partsOf(path);
  writeFileSync(path, `${before}${marks.begin}\n\n${text}\n\n${marks.end}${after}`);
}

/** @returns the cells of the table on the page, its head first */
export function readTable(path: string): string[][] {
  const lines = partsOf(path)[1]
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
  return lines.map((line) =>
    line
      .slice(2, -2)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

function partsOf(path: string): [before: string, between: string, after: string] {
  const page = readFileSync(path, 'utf8');
  const [before, rest] = page.split(marks.begin);
  const [between, after] = rest?.split(marks.end) ?? [];
  if (before === undefined || between === undefined || after === undefined)
    throw new Error(`${path} has no place for the runtimes.`);
  return [before, between, after];
}

/**
 * docs/runtimes.md holds: Node.js, Bun and Deno in one cluster do what the page says of them together, and the page has the
 * rows and runtimes of the matrix.
 */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';

import { bundleRows } from './bundles.ts';
import { removeProject } from '../packages/project.ts';
import { makePlace, type Place, play } from './matrix.ts';
import { obtained } from './obtained.ts';
import { readTable } from './page.ts';
import { mixed, mixedTitle, type Runtime, specs, titleOf } from './runtimes.ts';
import { rows, scenarios } from './scenarios.ts';

const root = join(__dirname, '../..');
const page = readTable(join(root, 'docs/runtimes.md'));

const had = obtained(root, 'mixed');
const missing = mixed.flatMap((id) => {
  const runtime = had[id];
  return typeof runtime === 'object' ? [] : [`${id}: ${runtime ?? 'nothing is known of it'}`];
});

describe('docs/runtimes.md', () => {
  test('has the runtimes of the matrix, its rows, and no failure', () => {
    const [head, ...lines] = page;
    expect(head).toEqual(['', ...specs.map(titleOf), mixedTitle]);
    const titles = lines.map(([title]) => title);
    expect(titles).toEqual([...rows.map(({ title }) => title), '', ...bundleRows.map(({ title }) => title)]);
    for (const cells of lines.slice(0, rows.length))
      for (const cell of cells.slice(1))
        expect(cell).toMatch(/^(works|refused at the start|bounded by bytes alone|not logged|–$)/);
  });
});

const cluster = 'Node.js, Bun and Deno in one cluster';
const describeOrSkip = missing.length === 0 ? describe : describe.skip;
describeOrSkip(missing.length === 0 ? cluster : `${cluster} (skipped: ${missing.join('; ')})`, () => {
  test('do what the page says', playTogether, 600_000);
});

let place: Place | null = null;
afterAll(() => {
  if (place !== null) removeProject(place);
});

async function playTogether(): Promise<void> {
  place = makePlace(root);
  const cast = mixed.map((id) => had[id] as Runtime);
  const { outcomes, failures } = await play({ project: place.folder, cast, scenarios });
  expect(failures).toEqual([]);
  const column = (page[0] as string[]).indexOf(mixedTitle);
  const said = rows.map((row, index) => [row.title, page[index + 1]?.[column]]);
  expect(rows.map((row) => [row.title, outcomes.get(row.id) ?? '–'])).toEqual(said);
}

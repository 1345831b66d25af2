import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RowTable } from './row-table.ts';

/** Hashes that fall into one place, begin alike, are equal, or lie at the ends. */
const hashes = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: 7 }),
  fc.constantFrom(-1, -(2 ** 31), 2 ** 31 - 1, 0x40000000),
);

function rowsOf(table: RowTable, hash: number): Set<number> {
  const rows = new Set<number>();
  for (let row = table.first(hash); row !== -1; row = table.next(hash)) rows.add(row);
  return rows;
}

describe('a table of rows', () => {
  test('has under each hash the rows that were added, and not deleted or renumbered since', () => {
    const steps = fc.array(
      fc.record({ step: fc.constantFrom('add', 'add', 'add', 'delete', 'renumber'), hash: hashes, pick: fc.nat() }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (taken) => {
        const table = new RowTable();
        const model = new Map<number, number[]>();
        let rows = 0;
        for (const { step, hash, pick } of taken) {
          const held = model.get(hash) ?? [];
          model.set(hash, held);
          if (step === 'add') {
            table.add(hash, rows);
            held.push(rows++);
          } else if (held.length > 0) {
            const [row] = held.splice(pick % held.length, 1) as [number];
            if (step === 'delete') table.delete(hash, row);
            else {
              table.renumber(hash, row, rows);
              held.push(rows++);
            }
          }
        }
        for (const [hash, held] of model) expect(rowsOf(table, hash)).toEqual(new Set(held));
      }),
      { numRuns: 300 },
    );
  });

  test('keeps a hundred thousand rows through growth, splits and the deletion of most of them', () => {
    const table = new RowTable();
    const hashOf = (row: number): number => Math.imul(row ^ 0x5bd1e995, 0x9e3779b1) ^ (row >>> 3);
    const count = 100_000;
    for (let row = 0; row < count; row++) table.add(hashOf(row), row);
    for (let row = 0; row < count; row++) if (row % 17 !== 0) table.delete(hashOf(row), row);
    let wrong = 0;
    for (let row = 0; row < count; row++) if (rowsOf(table, hashOf(row)).has(row) !== (row % 17 === 0)) wrong++;
    expect(wrong).toBe(0);
  });

  test('holds thousands of rows of one hash, which no split tells apart', () => {
    const table = new RowTable();
    for (let row = 0; row < 6000; row++) table.add(12345, row);
    table.add(54321, 6000);
    for (let row = 0; row < 6000; row += 2) table.delete(12345, row);
    expect(rowsOf(table, 12345).size).toBe(3000);
    expect(rowsOf(table, 54321)).toEqual(new Set([6000]));
  });
});

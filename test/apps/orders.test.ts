/**
 * An app with nact, as a user would build it from the packed packages: a shop takes orders, and a ledger's handler throws on
 * every value that is no order.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, jest, test } from '@jest/globals';
import { makeProject, removeProject } from '../packages/project.ts';
import { endPrograms, Program, until } from './program.ts';

jest.setTimeout(120_000);

const project = makeProject({ ours: ['@grapevine/actors'], others: { nact: '7.6.2' } });
const { folder, hindrance } = project;
if (folder !== null) cpSync(join(__dirname, 'orders/orders.mjs'), join(folder, 'orders.mjs'));
afterAll(() => removeProject(project));
afterEach(endPrograms);

const describeOrSkip = hindrance === null ? describe : describe.skip;
const title = 'orders that a handler checks';

interface Line {
  readonly event: string;
  readonly url?: string;
  readonly id?: string;
  readonly error?: string;
  readonly orders?: number;
}

const linesOf = (program: Program): readonly Line[] => program.lines.map((line) => JSON.parse(line) as Line);
const lettersOf = (program: Program): readonly Line[] =>
  linesOf(program).filter(({ event }) => event === 'dead letter');
const ordersOf = (program: Program): number =>
  linesOf(program).findLast(({ orders }) => orders !== undefined)?.orders ?? 0;

async function start(...words: readonly string[]): Promise<{ readonly program: Program; readonly url: string }> {
  const program = new Program(folder as string, [process.execPath, 'orders.mjs', ...words]);
  let url: string | undefined;
  await until(
    `${words[0]} is ready`,
    () => (url = linesOf(program).find((line) => line.event === 'ready')?.url) !== undefined,
  );
  return { program, url: url as string };
}

describeOrSkip(hindrance === null ? title : `${title} (skipped: ${hindrance})`, () => {
  test('of 1,000 values with 100 bad ones, 900 are readable and each bad one is a dead letter with its own error', async () => {
    const shop = await start('shop');
    shop.program.write('take 1 1000\n');
    await until('the shop has all', () => ordersOf(shop.program) === 1000);
    const ledger = await start('ledger', shop.url);
    await until('the ledger is through', () => ordersOf(ledger.program) + lettersOf(ledger.program).length >= 1000);
    expect(ordersOf(ledger.program)).toBe(900);
    const letters = lettersOf(ledger.program).map(({ id, error }) => ({ id, error }));
    const bad = Array.from({ length: 100 }, (_, index) => `order ${(index + 1) * 10}`);
    expect(new Set(letters)).toEqual(new Set(bad.map((id) => ({ id, error: `${id} has no amount` }))));
    expect(letters).toHaveLength(100);

    // It goes on judging.
    shop.program.write('take 1001 1\n');
    await until('the ledger has a later order', () => ordersOf(ledger.program) === 901);
  });

  test('what was dispatched before the end reaches the others', async () => {
    const shop = await start('shop');
    const ledger = await start('ledger', shop.url);
    shop.program.write('take 1 1\n');
    await until('they know each other', () => ordersOf(ledger.program) === 1);

    shop.program.write('take 101 909\n');
    await until(
      'the orders are dispatched',
      () => linesOf(shop.program).filter(({ event }) => event === 'taken').length === 2,
    );
    shop.program.signal('SIGTERM');
    expect(await shop.program.exited).toEqual({ code: 0, signal: null });
    expect(linesOf(shop.program).at(-1)).toEqual({ event: 'left' });
    expect(shop.program.errors).toBe('');

    await until('the ledger has all good ones', () => ordersOf(ledger.program) === 1 + 909 - 90);
    ledger.program.signal('SIGTERM');
    expect(await ledger.program.exited).toEqual({ code: 0, signal: null });
  });
});

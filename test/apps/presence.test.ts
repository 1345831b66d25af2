/**
 * An app with promises, as a user would build it from the packed packages: four copies of an HTTP service with fastify that
 * share who is online, flags, and where each copy is.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { makeProject, removeProject } from '../packages/project.ts';
import { endPrograms, Program, until } from './program.ts';

jest.setTimeout(120_000);

const project = makeProject({ ours: ['@grapevine/node'], others: { fastify: '5.12.8' } });
const { folder, hindrance } = project;
if (folder !== null) cpSync(join(__dirname, 'presence/service.mjs'), join(folder, 'service.mjs'));
afterAll(() => removeProject(project));

const describeOrSkip = hindrance === null ? describe : describe.skip;

interface Copy {
  readonly program: Program;
  readonly http: string;
  readonly gossip: string;
}

/** Starts a copy. @returns once it serves */
async function start(name: string, seeds: readonly string[]): Promise<Copy> {
  const program = new Program(folder as string, [process.execPath, 'service.mjs', name, ...seeds]);
  await until(`${name} serves`, () => program.lines.length > 0);
  return { program, ...(JSON.parse(program.lines[0] as string) as { readonly http: string; readonly gossip: string }) };
}

const get = async (copy: Copy, path: string): Promise<unknown> => (await fetch(`${copy.http}${path}`)).json();

async function put(copy: Copy, id: string, value: unknown): Promise<void> {
  const body = JSON.stringify(value);
  const response = await fetch(`${copy.http}/flags/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(200);
}

/** Waits until all these copies answer alike. */
const expectAnswer = (copies: readonly Copy[], path: string, expected: unknown): Promise<void> =>
  until(`all answer ${path} with ${JSON.stringify(expected)}`, async () => {
    const answers = await Promise.all(copies.map((copy) => get(copy, path)));
    return answers.every((one) => sameJson(one, expected));
  });

/** By content: the order of keys is no part of it. */
function sameJson(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}

describeOrSkip(
  hindrance === null ? 'an HTTP service of four copies' : `an HTTP service of four copies (skipped: ${hindrance})`,
  () => {
    let a: Copy;
    let b: Copy;
    let c: Copy;
    let d: Copy;

    const routesOf = (...copies: readonly (readonly [string, Copy])[]): Record<string, string> =>
      Object.fromEntries(copies.map(([name, { http }]) => [name, http]));

    beforeEach(async () => {
      a = await start('a', []);
      [b, c, d] = await Promise.all([start('b', [a.gossip]), start('c', [a.gossip]), start('d', [a.gossip])]);
      await expectAnswer([a, b, c, d], '/online', ['a', 'b', 'c', 'd']);
      await expectAnswer([a, b, c, d], '/routes', routesOf(['a', a], ['b', b], ['c', c], ['d', d]));
    });

    afterEach(endPrograms);

    test('shares flags, and finds each copy by name', async () => {
      await put(a, 'dark-mode', { percent: 25 });
      await put(c, 'banner', 'soon');
      await expectAnswer([a, b, c, d], '/flags', { 'dark-mode': { percent: 25 }, banner: 'soon' });
      expect(await get(b, '/at/d/flags')).toEqual({ 'dark-mode': { percent: 25 }, banner: 'soon' });

      expect((await fetch(`${d.http}/flags/banner`, { method: 'DELETE' })).status).toBe(200);
      await expectAnswer([a, b, c, d], '/flags', { 'dark-mode': { percent: 25 } });
    });

    test('a killed copy is noticed, and has everything again after its restart under the same name', async () => {
      await put(a, 'before', 1);
      await expectAnswer([d], '/flags', { before: 1 });
      d.program.signal('SIGKILL');
      await d.program.exited;
      await put(b, 'meanwhile', 2);
      await expectAnswer([a, b, c], '/online', ['a', 'b', 'c']);
      await expectAnswer([a, b, c], '/routes', routesOf(['a', a], ['b', b], ['c', c]));

      const again = await start('d', [b.gossip]);
      expect(await get(again, '/flags')).toEqual({ before: 1, meanwhile: 2 }); // at its first request
      await expectAnswer([a, b, c, again], '/online', ['a', 'b', 'c', 'd']);
      await expectAnswer([a, b, c, again], '/flags', { before: 1, meanwhile: 2 });
      await expectAnswer([a, b, c, again], '/routes', routesOf(['a', a], ['b', b], ['c', c], ['d', again]));
    });

    test('a copy that is asked to end hands over what it has just taken, says goodbye and ends with 0', async () => {
      await put(d, 'last', { word: true });
      d.program.signal('SIGTERM');
      expect(await d.program.exited).toEqual({ code: 0, signal: null });
      await expectAnswer([a, b, c], '/flags', { last: { word: true } });
      await expectAnswer([a, b, c], '/online', ['a', 'b', 'c']);
      await expectAnswer([a, b, c], '/routes', routesOf(['a', a], ['b', b], ['c', c]));

      // One after the other, as a roll-out does: what the last one writes while it ends has nobody to go to.
      for (const { program } of [c, b]) {
        program.signal('SIGTERM');
        expect(await program.exited).toEqual({ code: 0, signal: null });
      }
      for (const { program } of [b, c, d]) expect(program.errors).toBe('');
    });
  },
);

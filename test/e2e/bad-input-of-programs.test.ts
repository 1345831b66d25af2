/**
 * Bad input by programs, to the promise API and to the actors: every mistake is a `GossipError` that names its cure.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { spawnGrapevine } from '@grapevine/actors';
import type * as nact from 'nact';
import { createGrapevine, type GossipError, type Grapevine } from '@grapevine/node';

const nodes: Grapevine[] = [];

async function aNode(options: Partial<Parameters<typeof createGrapevine>[0]> = {}): Promise<Grapevine> {
  const node = await createGrapevine({ name: `node ${nodes.length}`, listen: { port: 0 }, logger: false, ...options });
  nodes.push(node);
  return node;
}

afterAll(() => Promise.all(nodes.map((node) => node.close())));

/** What it fails with. */
async function failureOf(attempt: () => unknown): Promise<GossipError> {
  try {
    await attempt();
  } catch (error) {
    return error as GossipError;
  }
  throw new Error('it did not fail');
}

describe('a value', () => {
  const cycle: unknown[] = [];
  cycle.push({ cycle });
  test.each([
    ['undefined', undefined, '$'],
    ['a function', { deep: [() => 1] }, '$.deep[0]'],
    ['a symbol', { mark: Symbol('mark') }, '$.mark'],
    ['a cycle', cycle, '$ contains itself'],
    ['an instance of a class', { of: new URL('http://a') }, '$.of'],
    ['a promise', Promise.resolve(1), '$'],
  ])('that is %s is refused, its place named, and nothing is written', async (_what, value, path) => {
    const gossip = (await aNode()).gossip();
    const error = await failureOf(() => gossip.add('id', value));
    expect(error).toMatchObject({
      name: 'GossipError',
      code: 'VALUE_NOT_SERIALISABLE',
      fault: 'caller',
      stateChanged: false,
    });
    expect(error.message).toContain(path);
    const many = await failureOf(() =>
      gossip.addMany([
        ['good', 1],
        ['bad', value],
      ]),
    );
    expect(many.code).toBe('VALUE_NOT_SERIALISABLE');
    expect(gossip.size).toBe(0);
  });

  test('that is too large is refused with both sizes, and nothing is written; a smaller one goes on', async () => {
    const gossip = (await aNode()).gossip('small', { maxUpdateBytes: 1000 });
    const error = await failureOf(() => gossip.add('id', 'x'.repeat(1001)));
    expect(error).toMatchObject({ code: 'UPDATE_TOO_LARGE', fault: 'caller', stateChanged: false });
    expect(error.message).toMatch(/1006 bytes.*1000.*maxUpdateBytes on every node/s);
    expect(gossip.size).toBe(0);
    await gossip.add('id', 'x'.repeat(900));
    expect(gossip.size).toBe(1);
  });
});

describe('an id', () => {
  test.each([
    ['empty', ''],
    ['too long', 'x'.repeat(5000)],
    ['half a character', '\uD800'],
    ['a number', 7],
  ])('that is %s is refused, and nothing is written or removed', async (_what, id) => {
    const gossip = (await aNode()).gossip();
    for (const attempt of [() => gossip.add(id as string, 1), () => gossip.remove(id as string)])
      expect(await failureOf(attempt)).toMatchObject({ code: 'ID_INVALID', stateChanged: false });
    expect(gossip.size).toBe(0);
  });
});

describe('a node', () => {
  test('whose port is in use does not start, and says which port', async () => {
    const { url } = await aNode();
    const port = Number(new URL(String(url)).port);
    const error = await failureOf(() => aNode({ listen: { port } }));
    expect(error).toMatchObject({ code: 'PORT_IN_USE', fault: 'world' });
    expect(error.message).toContain(String(port));
  });

  test('is refused with every violation of its options at once', async () => {
    const wrong: object = { name: '', listen: { port: -1 }, maxDriftMs: 0.5, redialMaxMs: 1, peer: [] };
    const error = await failureOf(() => createGrapevine(wrong as never));
    expect(error.code).toBe('OPTIONS_INVALID');
    for (const path of ['name', 'listen', 'maxDriftMs', 'redialMaxMs', 'peer'])
      expect(error.message).toContain(`'${path}'`);
  });

  test('that was closed refuses everything by name', async () => {
    const node = await aNode();
    const gossip = node.gossip();
    await node.close();
    const attempts = [() => gossip.add('a', 1), () => gossip.get('a'), () => gossip.changes(), () => node.gossip('b')];
    for (const attempt of attempts) expect(await failureOf(attempt)).toMatchObject({ code: 'CLOSED', fault: 'caller' });
  });
});

describe('a second copy of nact', () => {
  const folder = mkdtempSync(join(tmpdir(), 'second-nact-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('whose system is given as parent is refused with cause and cure', async () => {
    const { resolve } = createRequire(__filename);
    const modules = join(folder, 'node_modules');
    for (const name of ['nact', 'denque'])
      cpSync(dirname(resolve(`${name}/package.json`)), join(modules, name), { recursive: true });
    // oxlint-disable-next-line import/no-dynamic-require -- a copy of nact that this test has made
    const second = (await import(join(modules, 'nact'))) as typeof nact;
    const error = await failureOf(() => spawnGrapevine(second.start(), { name: 'a' }));
    expect(error).toMatchObject({ code: 'NACT_MISMATCH', fault: 'caller', stateChanged: false });
    expect(error.message).toMatch(/two copies of nact.*npm ls nact/s);
  });
});

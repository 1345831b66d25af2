/**
 * Wrong options of a node that is started with promises: each attempt is told everything that is wrong at once.
 */
import { afterAll, describe, expect, test } from '@jest/globals';

import type { GossipError } from '@grapevine/core';

import { createGrapevine, type Grapevine } from './grapevine.ts';

async function failureOf(attempt: () => unknown): Promise<GossipError> {
  try {
    await attempt();
  } catch (error) {
    return error as GossipError;
  }
  throw new Error('it did not fail');
}

const starting = (options?: unknown): Promise<GossipError> => failureOf(() => createGrapevine(options as never));

const named = (error: GossipError): string[] =>
  (error.context['violations'] as { path: string }[]).map(({ path }) => path).toSorted();

describe('createGrapevine', () => {
  test.each([
    ['no options', undefined, ['name'], /'name' is required: a text of 1 to 128 bytes/],
    ['null', null, ['name', 'options'], /'options' must be an object of .*, not null/],
    ['a text', 'node', ['name', 'options'], /'options' must be an object of .*, not 'node'/],
    ['a misspelt option', { name: 'a', seed: [] }, ['seed'], /'seed' is no option here \(did you mean 'seeds'\?\)/],
    ['an unknown option', { name: 'a', xyzzy: 1 }, ['xyzzy'], /'xyzzy' is no option here \(the options are name, /],
    [
      'a seed of another scheme',
      { name: 'a', seeds: ['ws://127.0.0.1:1', 'http://10.0.0.1:7001'] },
      ['seeds[1]'],
      /'seeds\[1\]' must begin with ws:\/\/ or wss:\/\/, not 'http:\/\/10.0.0.1:7001'/,
    ],
    ['a seed with a bare IPv6 address', { name: 'a', seeds: ['ws://::1:7001'] }, ['seeds[0]'], /is no URL: .*\[2001/],
    ['a peer of another scheme', { name: 'a', peers: ['tcp://10.0.0.1:1'] }, ['peers[0]'], /must begin with ws:/],
    ['seeds beside peers', { name: 'a', seeds: [], peers: [] }, ['seeds'], /'seeds' does not apply beside 'peers'/],
    ['logger: true', { name: 'a', logger: true }, ['logger'], /'logger' must be options of pino .*, not true/],
    ['logger: null', { name: 'a', logger: null }, ['logger'], /'logger' must be options of pino .*, not null/],
    ['an unknown level', { name: 'a', logger: { level: 'loud' } }, ['logger'], /'logger' is refused by pino: .*loud/],
    ['half a logger', { name: 'a', logger: { warn() {} } }, ['logger'], /is a logger without debug, info, error/],
    ['membership: null', { name: 'a', membership: null }, ['membership'], /'membership' must be a membership/],
  ])('with %s says what is wrong', async (_what, options, paths, sentence) => {
    const error = await starting(options);
    expect(error).toMatchObject({ name: 'GossipError', code: 'OPTIONS_INVALID' });
    expect(named(error)).toEqual(paths);
    expect(error.message).toMatch(sentence);
  });

  test('with wrong options of every owner lists all of them', async () => {
    const error = await starting({
      listen: 7001,
      logger: 'quiet',
      seeds: ['http://a'],
      maxFrameBytes: 1,
      clusterr: 'x',
      security: { key: 'k' },
    });
    expect(named(error)).toEqual(
      ['clusterr', 'listen', 'logger', 'maxFrameBytes', 'name', 'security.key', 'seeds[0]'].toSorted(),
    );
  });
});

describe('a write', () => {
  let node: Grapevine;
  const open = async (): Promise<Grapevine> => (node ??= await createGrapevine({ name: 'writer', logger: false }));

  test.each([
    ['ttl', { ttl: 100 }, /'ttl' is no option here \(the options are expiresIn/],
    ['expireIn', { expireIn: 100 }, /'expireIn' is no option here \(did you mean 'expiresIn'\?\)/],
    ['a number', 100, /'options' must be an object of expiresIn.*, not 100/],
    ['null', null, /'options' must be an object of expiresIn.*, not null/],
    ['half a millisecond', { expiresIn: 0.5 }, /'expiresIn' must be a whole number of milliseconds.*, not 0.5/],
  ])('with %s as options is refused, and nothing is written', async (_what, options, sentence) => {
    const gossip = (await open()).gossip();
    for (const attempt of [
      () => gossip.add('x', 1, options as never),
      () => gossip.addMany([['x', 1]], options as never),
    ]) {
      const error = await failureOf(attempt);
      expect(error.code).toBe('OPTIONS_INVALID');
      expect(error.message).toMatch(sentence);
    }
    expect(gossip.size).toBe(0);
  });

  test('a reader with misspelt or wrong options is refused', async () => {
    await open();
    const wrong: unknown[] = [{ limt: 5 }, { limit: 0 }, { signal: 'stop' }, 5];
    for (const options of wrong)
      expect((await failureOf(() => node.gossip().changes(options as never))).code).toBe('OPTIONS_INVALID');
    expect((await failureOf(() => node.memberChanges({ sgnal: 1 } as never))).message).toMatch(
      /'sgnal' is no option here \(did you mean 'signal'\?\)/,
    );
    expect((await failureOf(() => node.gossip('other', null as never))).code).toBe('OPTIONS_INVALID');
  });

  afterAll(() => node.close());
});

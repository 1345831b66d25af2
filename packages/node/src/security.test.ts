import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';

import { createGrapevine } from './grapevine.ts';
import type { GrapevineOptions } from './options.ts';

const listen = { port: 0 };
const options = (name: string, more: Partial<GrapevineOptions>): GrapevineOptions => ({
  name,
  listen,
  logger: false,
  ...more,
});

describe('the keys of a grapevine', () => {
  test('let nodes meet over sockets, and are rotated while they run', async () => {
    const [older, current] = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')];
    const one = await createGrapevine(options('one', { security: { keys: [older] } }));
    const two = await createGrapevine(options('two', { security: { keys: [older] }, seeds: [one.url as string] }));
    try {
      const [here, there] = [one.gossip('flags'), two.gossip('flags')];
      const changes = there.changes();
      await here.add('a', 1);
      for await (const change of changes) if (there.get('a') === 1 || change.type === 'update') break;
      for (const keys of [
        [older, current],
        [current, older],
      ])
        for (const node of [one, two]) expect(await node.rotateKeys(keys)).toEqual({ closed: 0 });
      expect(await one.rotateKeys([current], { keepSessions: true })).toEqual({ closed: 0 });
      expect(await two.rotateKeys([current])).toEqual({ closed: 1 });
      await expect(one.rotateKeys(['short'])).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
      await expect(one.renewTls({})).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
    await expect(one.rotateKeys([current])).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(one.renewTls({})).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('are in no status, also after they were rotated', async () => {
    const [older, current] = ['an older key of enough bytes', 'the current key of enough bytes'];
    const node = await createGrapevine(options('one', { security: { keys: [older] } }));
    try {
      node.gossip('flags');
      const shown = [inspect(node.status(), { depth: 20, showHidden: true })];
      await node.rotateKeys([current, older]);
      shown.push(inspect(node.status(), { depth: 20, showHidden: true }), JSON.stringify(node.status()));
      expect(shown.filter((text) => !text.includes('one') || text.includes('key of enough'))).toEqual([]);
    } finally {
      await node.close();
    }
  });

  test('or a word are wanted of who listens for other machines; nothing is left running without', async () => {
    await expect(createGrapevine(options('one', { listen: { port: 0, host: '0.0.0.0' } }))).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringContaining('insecure: true'),
    });
    const open = await createGrapevine(
      options('one', { listen: { port: 0, host: '0.0.0.0' }, security: { insecure: true } }),
    );
    await open.close();
  });
});

/** Keys and certificates on the command line: files alone, read again at SIGHUP, and complaints that show no secret. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';

import { script, until } from '../e2e/agents.ts';
import { complained, onStage } from '../e2e/stage.ts';
import { Authority } from './authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'grapevine-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** A key as bytes: no text, as 0xff is in no UTF-8. */
const raw = Buffer.concat([Buffer.of(0xff), randomBytes(31)]);

const [key, other] = [randomBytes(32).toString('base64'), randomBytes(32).toString('hex')];
const keys = file('keys', `# of the cluster\n\n  ${key}  \n`);
const others = file('others', `${other}\r\n${key}\r\n`);
const limitMs = 60_000;

function run(...args: readonly string[]): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { timeout: 30_000 }, (error, output, errors) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, output, errors });
    });
    child.stdin?.end();
  });
}

describe('the command', () => {
  test.each([
    [['--key-file', join(folder, 'nowhere')], 'cannot be read: ENOENT'],
    [['--key-file', file('empty', '# nothing\n')], 'holds no key: one a line'],
    [['--key-file', file('short', 'my short key')], "'security.keys[0]' must have 16 to 1024 bytes"],
    [['--key-file', keys, '--key-file', keys], "'security.keys[1]' is listed before"],
    [['--key-file', file('raw', raw)], 'is no text (UTF-8): write keys as text, such as `openssl rand -hex 32` makes'],
    [
      ['--key-file', file('spoilt', raw.toString())],
      "'security.keys[0]' is no text: it was read from bytes that are not UTF-8",
    ],
    [['--key-file', file('zeros', '00'.repeat(32))], "'security.keys[0]' must be random, and this one is a pattern"],
    [
      ['--key-file', keys, '--key-file', file('longer', `${Buffer.from(key, 'base64').toString('hex')}0000`)],
      "'security.keys[1]' is the same key for HMAC",
    ],
    [
      ['--peer-addresses', 'private'],
      "--peer-addresses: 'security.peerAddresses' must be 'any' or 'public', not 'private'",
    ],
    [['--tls-cert', keys], '--tls-cert belongs together with --tls-key'],
    [['--tls-names'], '--tls-names does not apply without --tls-cert'],
    [['--tls-cert', keys, '--tls-key', keys], "'security.tls' does not serve"],
    [['--listen', '0', '--host', '0.0.0.0'], "'listen.host' is open to other machines without keys or TLS"],
  ])('refuses %p', async (args, sentence) => {
    const { code, output, errors } = await run('agent', '--name', 'a', '--exit-on-end', ...args);
    expect([code, output]).toEqual([2, '']);
    expect(errors).toContain(sentence);
    for (const secret of [key, other, 'my short key']) expect(errors).not.toContain(secret);
  });

  test.each([
    ['--key-file', 0o644, true],
    ['--key-file', 0o602, true],
    ['--key-file', 0o640, false],
    ['--key-file', 0o600, false],
    ['--tls-key', 0o604, true],
    ['--tls-key', 0o640, false],
  ])('warns of %s of mode %d where everybody may read or write it: %p', async (flag, mode, warns) => {
    const { key: privateKey, cert } = new Authority('any').issue({ name: 'a', dns: ['a'] });
    const path = file('secret', flag === '--key-file' ? key : privateKey, mode);
    const args = flag === '--key-file' ? [flag, path] : [flag, path, '--tls-cert', file('cert', cert)];
    // It is taken all the same: with nothing on standard input the agent ends.
    const { code, errors } = await run('agent', '--name', 'a', '--exit-on-end', ...args);
    expect(code).toBe(0);
    const warning = `warning: everybody on this machine may read or write ${flag} ${path}: chmod 600 ${path}`;
    // Windows has no such modes.
    expect(errors.includes(warning)).toBe(warns && process.platform !== 'win32');
    for (const secret of [key, privateKey]) expect(errors).not.toContain(secret);
  });

  test(
    'has agents prove themselves, and whoever asks them',
    onStage(async (stage) => {
      const one = await stage.start({ name: 'one', seeds: [], args: ['--key-file', keys] });
      const two = await stage.start({
        name: 'two',
        seeds: [one],
        args: ['--key-file', keys, '--key-file', file('more', other)],
      });
      await until('they meet', () => one.members.length === 1 && two.members.length === 1);
      const asked = await run('members', one.url, '--json', '--key-file', keys);
      expect(JSON.parse(asked.output)).toMatchObject({ node: 'one', members: [{ name: 'one' }, { name: 'two' }] });
      expect(await run('members', one.url)).toMatchObject({ code: 1, errors: expect.stringContaining('has keys') });
      // The first is the one to prove with.
      expect(await run('members', one.url, '--key-file', others)).toMatchObject({
        code: 1,
        errors: expect.stringContaining('proves no key that "one" lists: compare security.keys (--key-file)'),
      });
      expect((await run('members', two.url, '--key-file', others)).code).toBe(0);
      expect(`${one.complaints}${two.complaints}`).not.toContain(key);
    }),
    limitMs,
  );

  test(
    'warns once of an agent that is open',
    onStage(async (stage) => {
      const one = await stage.start({ name: 'one', seeds: [], args: ['--host', '0.0.0.0', '--insecure'] });
      await complained(one, 'insecure: whoever reaches this node');
      expect(one.complaints.split('insecure: ')).toHaveLength(2);
    }),
    limitMs,
  );

  test(
    'reads certificates again at SIGHUP, under which agents meet who would not before',
    onStage(async (stage) => {
      const [before, after] = [new Authority('before'), new Authority('after')];
      const certify = (name: string, authority: Authority): string[] => {
        const { key: privateKey, cert } = authority.issue({ name, dns: ['localhost', name] });
        return [
          '--tls-key',
          file(`${name}.key`, privateKey),
          '--tls-cert',
          file(`${name}.crt`, cert),
          '--tls-ca',
          file(`${name}.ca`, authority.ca),
          '--tls-names',
        ];
      };
      const one = await stage.start({ name: 'one', seeds: [], args: certify('one', before) });
      expect(one.url).toMatch(/^wss:/);
      const two = await stage.start({ name: 'two', seeds: [one], args: certify('two', after) });
      await complained(two, 'CERTIFICATE_REFUSED');
      expect([one.members, two.members]).toEqual([[], []]);
      certify('one', after);
      one.signal('SIGHUP');
      await complained(one, 'certificates were read again');
      await until('they meet', () => one.members.length === 1 && two.members.length === 1);
      expect(one.complaints).not.toContain('PRIVATE');
    }),
    limitMs,
  );
});

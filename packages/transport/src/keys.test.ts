import { createHash, createHmac, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import type { Violation } from '@grapevine/core';
import { readKeys } from './keys.ts';
import { resolveOptions } from './options.ts';
import { createWebSocketTransport } from './websocket.ts';

const problemsOf = (given: unknown): string[] => {
  const violations: Violation[] = [];
  readKeys(given, 'keys', violations);
  return violations.map(({ path, problem }) => `${path} ${problem}`);
};
const bytesOf = (given: unknown): string | undefined => readKeys([given], 'keys', [])[0]?.export().toString('hex');

describe('keys', () => {
  test('are hexadecimal, base64, bytes or any other text, and one text means one key', () => {
    const random = randomBytes(32);
    expect(bytesOf(random.toString('hex'))).toBe(random.toString('hex'));
    expect(bytesOf(random.toString('hex').toUpperCase())).toBe(random.toString('hex'));
    expect(bytesOf(random.toString('base64'))).toBe(random.toString('hex'));
    expect(bytesOf(` ${random.toString('base64')}\n`)).toBe(random.toString('hex'));
    expect(bytesOf(random)).toBe(random.toString('hex'));
    expect(bytesOf(createSecretKey(random))).toBe(random.toString('hex'));
    expect(bytesOf('correct horse battery staple')).toBe(Buffer.from('correct horse battery staple').toString('hex'));
  });

  test('given as bytes may be overwritten by who gave them', () => {
    const random = randomBytes(16);
    const before = random.toString('hex');
    const [key] = readKeys([random], 'keys', []);
    expect(random.toString('hex')).toBe(before);
    random.fill(0);
    expect(key?.export().toString('hex')).toBe(before);
  });

  test.each([
    ['15 bytes', [randomBytes(15)], 'keys[0] must have 16 to 1024 bytes'],
    ['15 bytes in hexadecimal', [randomBytes(15).toString('hex')], 'keys[0] must have 16'],
    ['a short text', ['too short'], 'keys[0] must have 16'],
    ['more than anybody needs', [randomBytes(1025)], 'keys[0] must have 16'],
    ['a pattern', ['a'.repeat(32)], 'keys[0] must be random'],
    ['zeroes', [new Uint8Array(32)], 'keys[0] must be random'],
    ['a number', [7], 'keys[0] must be a text or bytes'],
    ['a short secret key', [createSecretKey(randomBytes(8))], 'keys[0] must have 16'],
    ['a secret key of zeros', [createSecretKey(new Uint8Array(32))], 'keys[0] must be random'],
    ['bytes with zeros behind them', [Buffer.concat([randomBytes(8), Buffer.alloc(24)])], 'keys[0] must be random'],
    ['bytes read as a text', [Buffer.from([0xff, ...randomBytes(31)]).toString('utf8')], 'keys[0] is no text'],
    ['half of a pair', ['random text of enough bytes\ud800'], 'keys[0] is no text'],
    ['a public key', [generateKeyPairSync('ed25519').publicKey], 'keys[0] must be a secret key'],
    ['one text, and no list', 'a text of enough bytes', 'keys must be a list of 1 to 16 keys'],
    ['an empty list', [], 'keys must be a list of 1 to 16 keys'],
    ['more than 16', Array.from({ length: 17 }, () => randomBytes(16)), 'keys must be a list of 1 to 16 keys'],
  ])('that are %s are refused', (_what, given, problem) => {
    const problems = problemsOf(given);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${problem.replace(/[[\]]/g, '\\$&')}`));
  });

  test('that are listed twice, in whatever form, are refused', () => {
    const random = randomBytes(16);
    expect(problemsOf([random, random.toString('hex')])).toEqual(['keys[1] is listed before']);
  });

  test('that are one for HMAC are refused: with zeros behind it, or hashed', () => {
    const short = randomBytes(16).fill(1, 15);
    const long = randomBytes(65);
    const hashed = createHash('sha256').update(long).digest();
    for (const [one, other] of [
      [short, Buffer.concat([short, Buffer.alloc(20)])],
      [short, createSecretKey(Buffer.concat([short, Buffer.of(0)]))],
      [long, hashed],
    ] as const) {
      const digest = (key: Buffer | KeyObject): string => createHmac('sha256', key).update('x').digest('hex');
      expect(digest(one)).toBe(digest(other));
      expect(problemsOf([one, other])).toEqual([expect.stringContaining('keys[1] is the same key for HMAC')]);
    }
  });

  test('are never shown: not in what is thrown, not in resolved options, not by inspect or JSON', () => {
    const secret = 'my secret key of enough bytes';
    const shown: string[] = [];
    const wrong: unknown[] = [secret, { key: secret }, { keys: secret }, { keys: { secret } }, { keys: [[secret]] }];
    wrong.push({ keys: [secret, secret] }, { keys: [secret], tls: secret }, { tls: { key: secret, cert: secret } });
    wrong.push({ keys: [secret], insecure: secret }, { keys: [secret.slice(0, 15)] }, { [secret.slice(0, 2)]: secret });
    const thrownBy = (security: unknown): unknown => {
      try {
        return createWebSocketTransport({ name: 'a', epoch: 1, security: security as object });
      } catch (error) {
        return error;
      }
    };
    for (const security of wrong) {
      const error = thrownBy(security);
      expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
      shown.push(inspect(error, { depth: 10 }), JSON.stringify(error), (error as Error).message);
    }
    const resolved = resolveOptions({ name: 'a', epoch: 1, security: { keys: [secret] } });
    shown.push(inspect(resolved, { depth: 10, showHidden: true }), JSON.stringify(resolved));
    expect(shown.filter((text) => text.includes('secret key of') || text.includes('my secret'))).toEqual([]);
  });
});

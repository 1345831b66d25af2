import { createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { encodeHello } from '@grapevine/wire';
import { digestOf, type Exchange, prove, recognise, type Role } from './proof.ts';

const key = createSecretKey(randomBytes(32));
const other = createSecretKey(randomBytes(32));
const exchange: Exchange = {
  dialler: digestOf(Buffer.from('what the dialler said')),
  acceptor: digestOf(Buffer.from('what the acceptor said')),
  version: 3,
  binding: Buffer.alloc(32, 7),
};

describe('a proof', () => {
  test('is recognised as that of its key, wherever the key stands in the list', () => {
    for (const keys of [[key], [other, key], [key, other]])
      expect(recognise(keys, 'dialler', exchange, prove(key, 'dialler', exchange))?.equals(key)).toBe(true);
  });

  test('of a key that is not listed is none', () => {
    expect(recognise([key], 'dialler', exchange, prove(other, 'dialler', exchange))).toBeNull();
    expect(recognise([], 'dialler', exchange, prove(key, 'dialler', exchange))).toBeNull();
  });

  test('of the one role is none of the other', () => {
    expect(recognise([key], 'acceptor', exchange, prove(key, 'dialler', exchange))).toBeNull();
    expect(recognise([key], 'dialler', exchange, prove(key, 'acceptor', exchange))).toBeNull();
  });

  const changes: [string, Partial<Exchange>][] = [
    ['another hello of the dialler', { dialler: digestOf(Buffer.from('what somebody made of it')) }],
    ['another hello of the acceptor', { acceptor: digestOf(Buffer.from('what somebody made of it')) }],
    ['the hellos exchanged', { dialler: exchange.acceptor, acceptor: exchange.dialler }],
    ['another version', { version: 2 }],
    ['another TLS connection', { binding: Buffer.alloc(32, 8) }],
    ['no TLS connection', { binding: null }],
  ];

  test.each(changes)('does not fit %s', (_what, change) => {
    for (const role of ['dialler', 'acceptor'] as const)
      expect(recognise([key], role, { ...exchange, ...change }, prove(key, role, exchange))).toBeNull();
  });

  test('that is too short, too long or wrong in one bit is none', () => {
    const proof = prove(key, 'dialler', exchange);
    const wrong = [proof.subarray(1), Buffer.concat([proof, Buffer.of(0)]), new Uint8Array()];
    for (let bit = 0; bit < 256; bit++) {
      const flipped = Uint8Array.from(proof);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      wrong.push(flipped);
    }
    for (const each of wrong) expect(recognise([key], 'dialler', exchange, each)).toBeNull();
  });

  test('is that which docs/wire.md shows', () => {
    const page = readFileSync(join(__dirname, '../../../docs/wire.md'), 'utf8');
    const hello = {
      versions: { min: 1, max: 1 },
      cluster: 'default',
      name: 'node-a',
      epoch: 1_763_866_838_000,
      url: 'ws://10.0.0.1:7001',
      capabilities: [],
    };
    const withNonceOf = (byte: number): Uint8Array =>
      digestOf(encodeHello({ ...hello, nonce: new Uint8Array(32).fill(byte) }));
    const shown = { dialler: withNonceOf(0), acceptor: withNonceOf(1), version: 1, binding: null };
    const keyShown = createSecretKey(Uint8Array.from({ length: 32 }, (_, index) => index));
    const proofs: Role[] = ['dialler', 'acceptor'];
    for (const role of proofs)
      expect(page).toContain(`| of the ${role} | \`${Buffer.from(prove(keyShown, role, shown)).toString('hex')}\` |`);
  });
});

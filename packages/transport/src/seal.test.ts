import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { encodeHello } from '@grapevine/wire';
import { digestOf, type Exchange } from './proof.ts';
import { Seal, sealBytes, sealKey } from './seal.ts';

const key = createSecretKey(Uint8Array.from({ length: 32 }, (_, index) => index));
const exchange: Exchange = {
  dialler: digestOf(Buffer.from('what the dialler said')),
  acceptor: digestOf(Buffer.from('what the acceptor said')),
  version: 2,
  binding: null,
};
const frames = ['', 'a', 'b', 'c', 'longer than a block of sixteen bytes'].map((text) => Buffer.from(text));
const ends = (perKey?: number): [Seal, Seal] => {
  const made = sealKey(key, 'dialler', exchange);
  return [new Seal(made, perKey), new Seal(made, perKey)];
};

describe('a seal', () => {
  test('opens what was sealed, in its order, and costs sixteen bytes', () => {
    const [out, into] = ends();
    for (const frame of frames) {
      const sealed = out.seal(frame);
      expect(sealed.length).toBe(frame.length + sealBytes);
      expect(Buffer.from(into.open(sealed) as Uint8Array)).toEqual(frame);
    }
  });

  test('goes on under the next key after so many frames, at both ends', () => {
    const [out, into] = ends(3);
    const [same] = ends();
    const sealed = Array.from({ length: 10 }, () => out.seal(frames[4] as Buffer));
    for (const each of sealed) expect(Buffer.from(into.open(each) as Uint8Array)).toEqual(frames[4]);
    const withoutChange = Array.from({ length: 10 }, () => same.seal(frames[4] as Buffer));
    expect(sealed.map((each, index) => Buffer.compare(each, withoutChange[index] as Uint8Array) === 0)).toEqual(
      Array.from({ length: 10 }, (_, index) => index < 3),
    );
    expect(new Set(sealed.map((each) => Buffer.from(each).toString('hex'))).size).toBe(10);
  });

  test.each([
    ['changed in one bit', (sealed: Uint8Array[]) => flipped(sealed[0] as Uint8Array)],
    ['cut short', (sealed: Uint8Array[]) => (sealed[0] as Uint8Array).subarray(1)],
    ['shorter than its tag', () => new Uint8Array(15)],
    ['made without the key', () => new Uint8Array(40)],
    ['not the next one', (sealed: Uint8Array[]) => sealed[1] as Uint8Array],
  ])('does not open a frame that was %s', (_what, of) => {
    const [out, into] = ends();
    const sealed = frames.slice(1).map((frame) => out.seal(frame));
    expect(into.open(of(sealed))).toBeNull();
  });

  test('does not open a frame a second time, nor in the other direction', () => {
    const [out, into] = ends();
    const sealed = out.seal(frames[1] as Buffer);
    expect(into.open(sealed)).not.toBeNull();
    expect(into.open(sealed)).toBeNull();
    expect(new Seal(sealKey(key, 'acceptor', exchange)).open(sealed)).toBeNull();
  });

  test.each([
    ['hello of the dialler', { dialler: digestOf(Buffer.from('another')) }],
    ['hello of the acceptor', { acceptor: digestOf(Buffer.from('another')) }],
    ['version', { version: 3 }],
  ])('has another key for another %s', (_what, change) => {
    const sealed = new Seal(sealKey(key, 'dialler', { ...exchange, ...change })).seal(frames[1] as Buffer);
    expect(ends()[1].open(sealed)).toBeNull();
  });

  test('is that which docs/wire.md shows', () => {
    const page = readFileSync(join(__dirname, '../../../docs/wire.md'), 'utf8');
    const hello = {
      versions: { min: 1, max: 2 },
      cluster: 'default',
      name: 'node-a',
      epoch: 1_763_866_838_000,
      url: 'ws://10.0.0.1:7001',
      capabilities: [],
    };
    const withNonceOf = (byte: number): Uint8Array =>
      digestOf(encodeHello({ ...hello, nonce: new Uint8Array(32).fill(byte) }));
    const shown: Exchange = { dialler: withNonceOf(0), acceptor: withNonceOf(1), version: 2, binding: null };
    for (const role of ['dialler', 'acceptor'] as const) {
      const seal = new Seal(sealKey(key, role, shown));
      const [commit, ack] = [new Uint8Array(), Buffer.from('9415012c00', 'hex')].map((frame) =>
        Buffer.from(seal.seal(frame)).toString('hex'),
      );
      expect(page).toContain(`| of the ${role} | \`${commit}\` | \`${ack}\` |`);
    }
  });
});

function flipped(sealed: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(sealed);
  changed[0] = (changed[0] as number) ^ 1;
  return changed;
}

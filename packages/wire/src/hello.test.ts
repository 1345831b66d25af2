import { describe, expect, test } from '@jest/globals';
import { pack } from 'msgpackr';
import {
  chooseVersion,
  decodeHello,
  encodeHello,
  type Hello,
  helloProblems,
  maxHelloBytes,
  nonceBytes,
} from './hello.ts';

const hello: Hello = {
  versions: { min: 1, max: 3 },
  cluster: 'default',
  name: 'node-ä',
  epoch: 1_763_866_839_000,
  url: 'ws://[::1]:7001',
  capabilities: ['zstd'],
};
const fields = [0, 1, 3, 'default', 'node-ä', 7, null, []];
const withField = (index: number, value: unknown): Uint8Array =>
  pack(fields.map((field, at) => (at === index ? value : field)));

describe('the hello', () => {
  test('reads back as it was written', () => {
    expect(decodeHello(encodeHello(hello))).toEqual({ hello });
    expect(decodeHello(encodeHello({ ...hello, url: null, capabilities: [] }))).toEqual({
      hello: { ...hello, url: null, capabilities: [] },
    });
  });

  test('is in memory of its own, so a later one does not overwrite it', () => {
    const first = encodeHello(hello);
    const copy = first.slice();
    encodeHello({ ...hello, name: 'another' });
    expect(first).toEqual(copy);
    expect(first.byteLength).toBe(first.buffer.byteLength);
  });

  test('may have more fields than we know', () => {
    expect(decodeHello(pack([...fields, null, null, { zone: 1 }, 'more']))).toMatchObject({
      hello: { name: 'node-ä', epoch: 7, url: null },
    });
  });

  test('says the largest frame that the node takes, or nothing', () => {
    const said = { ...hello, maxFrameBytes: 65_536 };
    expect(decodeHello(encodeHello(said))).toEqual({ hello: said });
    const nonce = new Uint8Array(nonceBytes);
    expect(decodeHello(encodeHello({ ...said, nonce }))).toEqual({ hello: { ...said, nonce } });
    expect(decodeHello(encodeHello(hello))).not.toHaveProperty('hello.maxFrameBytes');
    for (const wrong of [0, 16_383, 1.5, '65536', true])
      expect(decodeHello(pack([...fields, null, wrong]))).toEqual({
        problem: 'maxFrameBytes must be a whole number of bytes from 16384, or nothing',
      });
  });

  test('of a node with keys bears a nonce, in memory of its own', () => {
    const nonce = Uint8Array.from({ length: nonceBytes }, (_, index) => index);
    const frame = encodeHello({ ...hello, nonce });
    const decoded = decodeHello(frame);
    expect(decoded).toEqual({ hello: { ...hello, nonce } });
    frame.fill(0);
    expect(decoded).toMatchObject({ hello: { nonce } });
    expect(decodeHello(encodeHello(hello))).not.toHaveProperty('hello.nonce');
  });

  test.each([['text'], [new Uint8Array(31)], [new Uint8Array(33)], [7], [[]]])(
    'with a nonce that is none (%p) is refused',
    (nonce: unknown) => {
      expect(decodeHello(pack([...fields, nonce]))).toEqual({ problem: expect.stringMatching(/^nonce must be /) });
    },
  );

  test('may say its epoch as a 64-bit integer, as other languages do', () => {
    expect(decodeHello(withField(5, 1_763_866_839_000n))).toMatchObject({ hello: { epoch: 1_763_866_839_000 } });
  });

  test.each([
    ['versions', 1, 0],
    ['versions', 1, 4],
    ['versions', 2, 1.5],
    ['versions', 2, '3'],
    ['cluster', 3, ''],
    ['name', 4, 42],
    ['name', 4, 'x'.repeat(129)],
    ['name', 4, 'a\u001b[2J'],
    ['epoch', 5, -1],
    ['epoch', 5, 2n ** 60n],
    ['url', 6, 'no url'],
    ['url', 6, false],
    ['url', 6, 'ws://user:password@a:1/'],
    ['url', 6, 'ws://a:1/grapevine?x=1'],
    ['url', 6, 'ws://a:1/admin/delete'],
    ['url', 6, 'ws://a:1/grapevine#x'],
    ['url', 6, 'ws:a'],
    ['cluster', 3, 'a\u2028b'],
    ['name', 4, 'a\u202eb'],
    ['capabilities', 7, ['\u200b']],
    ['capabilities', 7, 'zstd'],
    ['capabilities', 7, ['']],
    ['capabilities', 7, Array.from({ length: 65 }, () => 'x')],
  ])('with a wrong %s is named so (case %#)', (path: string, index: number, value: unknown) => {
    expect(decodeHello(withField(index, value))).toEqual({
      problem: expect.stringMatching(new RegExp(`^${path} must be `)),
    });
  });

  test.each(['ws://a:1', 'ws://a:1/', 'wss://[::1]:7001/grapevine', 'memory://a'])('may bear the URL %s', (url) => {
    expect(decodeHello(withField(6, url))).toMatchObject({ hello: { url } });
  });

  test('with a text that is not UTF-8 is refused, wherever it stands', () => {
    const frame = Buffer.from(encodeHello({ ...hello, cluster: 'prod', name: 'abcd', capabilities: ['zstd'] }));
    for (const [text, bytes] of [
      ['prod', [0xff, 0x6f, 0x6f, 0x64]],
      ['abcd', [0xc0, 0xae, 0x63, 0x64]],
      ['zstd', [0xed, 0xa0, 0x80, 0x64]],
    ] as const) {
      const broken = Buffer.from(frame);
      broken.set(bytes, frame.indexOf(text));
      expect(decodeHello(broken)).toEqual({ problem: expect.stringContaining('not UTF-8') });
    }
  });

  test('of garbage is a problem, not a throw', () => {
    const whole = encodeHello(hello);
    const garbage: Uint8Array[] = [
      new Uint8Array(),
      Uint8Array.of(0xc1),
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
      pack([1, 1, 1]),
      // A msgpackr record, which would define a structure in the decoder.
      Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01),
      pack('hello'),
      pack({}),
    ];
    for (let cut = 1; cut < whole.length; cut++) garbage.push(whole.subarray(0, cut));
    for (const frame of garbage) expect(decodeHello(frame)).toEqual({ problem: expect.any(String) });
  });

  test('that is too long is not decoded', () => {
    const long = pack([...fields, 'x'.repeat(maxHelloBytes)]);
    expect(decodeHello(long)).toEqual({ problem: expect.stringContaining('bytes') });
  });

  test('names every wrong field at once', () => {
    const problems = helloProblems({ ...hello, name: '', epoch: Number.NaN, capabilities: null });
    expect(problems.map(({ path }) => path)).toEqual(['name', 'epoch', 'capabilities']);
  });
});

describe('the version of a pair', () => {
  test('is the highest that both speak', () => {
    expect(chooseVersion({ min: 1, max: 3 }, { min: 2, max: 5 })).toBe(3);
    expect(chooseVersion({ min: 2, max: 5 }, { min: 1, max: 3 })).toBe(3);
    expect(chooseVersion({ min: 1, max: 1 }, { min: 1, max: 1 })).toBe(1);
  });

  test('does not exist when the ranges do not meet', () => {
    expect(chooseVersion({ min: 1, max: 2 }, { min: 3, max: 4 })).toBeNull();
    expect(chooseVersion({ min: 3, max: 4 }, { min: 1, max: 2 })).toBeNull();
  });
});

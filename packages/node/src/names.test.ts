/** Any id and any value that may be written reaches another node over real sockets as it is; anything else is refused at `add`. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Gossip } from './gossip.ts';
import { createGrapevine, type Grapevine } from './grapevine.ts';

let nodes: Grapevine[];
let ours: Gossip;
let theirs: Gossip;

beforeAll(async () => {
  const a = await createGrapevine({ name: '__proto__', listen: { port: 0 }, peers: [], logger: false });
  const b = await createGrapevine({ name: 'constructor', peers: [a.status().url as string], logger: false });
  nodes = [a, b];
  ours = a.gossip('toString');
  theirs = b.gossip('toString');
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
});

async function arrived(): Promise<void> {
  while (ours.status().hash !== theirs.status().hash) await new Promise((resolve) => void setTimeout(resolve, 2));
}

const odd = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  ' ',
  '\0',
  '\ufeff',
  '$',
  '.',
  '..',
  '/',
  '\u202e',
  '\u{1f469}\u200d\u{1f680}',
  'NaN',
  'null',
  '0',
  '-0',
];

const id = fc.oneof(
  fc.constantFrom(...odd),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.string({ unit: 'grapheme-ascii', minLength: 4000, maxLength: 4096 }),
);

const key = fc.oneof(fc.constantFrom(...odd), fc.string({ unit: 'grapheme', maxLength: 8 }));

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 31), 1.5),
    fc.double(),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.date({ noInvalidDate: true, min: new Date('1900-01-01'), max: new Date('2500-01-01') }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map(ownEntries),
    // A Map whose keys are all texts comes back as an object: one key at least is none.
    fc
      .array(fc.tuple(fc.oneof(key, fc.integer(), fc.double({ noNaN: true }), fc.boolean()), tie('value')), {
        maxLength: 4,
      })
      .map((entries) => new Map<unknown, unknown>([[1.25, 0], ...entries])),
  ),
}));

/** As a literal would: `object['__proto__'] = …` changes the prototype. */
function ownEntries(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

/** -0 is read as 0, as docs/wire.md says. */
function withoutNegativeZero(held: unknown): unknown {
  if (held === 0) return 0;
  if (Array.isArray(held)) return held.map(withoutNegativeZero);
  if (held instanceof Map) return new Map([...held].map(([name, item]) => [name, withoutNegativeZero(item)]));
  if (held instanceof Uint8Array || held instanceof Date || typeof held !== 'object' || held === null) return held;
  return ownEntries(Object.entries(held).map(([name, item]) => [name, withoutNegativeZero(item)] as const));
}

describe('any id with any value', () => {
  test('reaches the other node as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(id, value), { minLength: 1, maxLength: 10 }), async (entries) => {
        for (const [name, held] of entries) await ours.add(name, held);
        await arrived();
        for (const [name, held] of new Map(entries)) {
          expect(theirs.has(name)).toBe(true);
          expect(theirs.get(name)).toEqual(withoutNegativeZero(held));
          expect(theirs.entry(name)?.origin.name).toBe('__proto__');
        }
      }),
      { numRuns: 120 },
    );
    expect(Object.prototype).not.toHaveProperty('polluted');
  }, 60_000);

  test('is listed, told to subscribers and removed under that very id', async () => {
    for (const name of odd) await ours.add(name, { [name]: name });
    await arrived();
    const changes = theirs.changes();
    const first = await changes.next();
    const told = new Set(
      first.value?.type === 'snapshot' ? first.value.entries.map((entry: { readonly id: string }) => entry.id) : [],
    );
    for (const name of odd) expect(told).toContain(name);
    expect(
      [...theirs.entries()]
        .filter(([name]) => odd.includes(name))
        .map(([name]) => name)
        .sort(),
    ).toEqual([...odd].sort());
    await changes.return?.();
    for (const name of odd) await theirs.remove(name);
    await arrived();
    for (const name of odd) expect([ours.has(name), ours.get(name)]).toEqual([false, undefined]);
  });

  test('is never found where it was not written, whatever objects have by nature', () => {
    for (const name of odd)
      expect([theirs.has(name), theirs.get(name), theirs.entry(name)]).toEqual([false, undefined, undefined]);
  });

  test('may be nested as deep as 64 containers, and no deeper', async () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? 1 : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) };
    await ours.add('deep', nested(64));
    await arrived();
    expect(theirs.get('deep')).toEqual(nested(64));
    await expect(ours.add('deep', nested(65))).rejects.toMatchObject({ code: 'VALUE_NOT_SERIALISABLE' });
    expect(ours.get('deep')).toEqual(nested(64));
  });

  test('with a date that only the widest form can carry comes back to the millisecond', async () => {
    for (const ms of [0, -1, -62_135_596_800_000, 253_402_300_799_999, 8.64e15, -8.64e15, 1_763_866_839_123]) {
      await ours.add('date', new Date(ms));
      await arrived();
      expect((theirs.get('date') as Date).getTime()).toBe(ms);
    }
  });
});

describe('what is refused at add, with the state as it was', () => {
  class Point {
    readonly x = 1;
  }
  const cycle: Record<string, unknown> = {};
  cycle['self'] = [cycle];
  const inMap = new Map<unknown, unknown>();
  inMap.set(inMap, 1);

  test.each([
    ['a function', (): number => 1],
    ['a symbol', Symbol('x')],
    ['undefined', undefined],
    ['undefined inside', { a: [undefined] }],
    ['a cycle', cycle],
    ['a Map that is its own key', inMap],
    ['a Set', new Set([1])],
    ['an instance of a class', new Point()],
    ['a promise', Promise.resolve(1)],
    ['a regular expression', /x/],
    ['a date that is none', new Date(NaN)],
    ['a bigint of more than 64 bits', 2n ** 64n],
    ['another typed array', new Float64Array(1)],
    ['an error', new Error('x')],
    ['a weak map', new WeakMap()],
    ['a proxy for a function', new Proxy(() => 1, {})],
    ['half of a surrogate pair', { a: '\ud800' }],
    ['half of a surrogate pair in a key', { 'a\ud800': 1 }],
    [
      'half of a surrogate pair in a key of a Map',
      new Map<unknown, unknown>([
        ['\ud800', 1],
        [1, 1],
      ]),
    ],
  ] as const)('%s', async (_name, held) => {
    const before = ours.status().hash;
    await expect(ours.add('refused', held)).rejects.toMatchObject({
      code: 'VALUE_NOT_SERIALISABLE',
      stateChanged: false,
    });
    expect(ours.status().hash).toBe(before);
    expect(ours.has('refused')).toBe(false);
  });

  test.each([
    ['an empty id', ''],
    ['an id of 4,097 characters', 'x'.repeat(4097)],
    ['half of a surrogate pair as id', 'a\udc00'],
    ['a number', 5],
    ['null', null],
    ['an object', { toString: () => 'x' }],
  ])('%s', async (_name, wrong) => {
    const before = ours.status().hash;
    await expect(ours.add(wrong as string, 1)).rejects.toMatchObject({ code: 'ID_INVALID', stateChanged: false });
    expect(ours.status().hash).toBe(before);
  });
});

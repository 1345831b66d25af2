import { describe, expect, test } from '@jest/globals';
import type { Violation } from '../../options.ts';
import { swim } from '../swim.ts';
import { resolveSwim, type SwimOptions } from './options.ts';

/** What is wrong, by path. */
function violationsOf(given: Record<string, unknown>): Record<string, string> {
  const violations: Violation[] = [];
  resolveSwim(given, violations);
  return Object.fromEntries(violations.map(({ path, problem }) => [path, problem]));
}

describe('the profiles', () => {
  // DefaultLANConfig, DefaultWANConfig and DefaultLocalConfig of memberlist: config.go.
  const memberlist = {
    lan: {
      probeInterval: 1000,
      probeTimeout: 500,
      indirectProbes: 3,
      suspicionMult: 4,
      suspicionMaxMult: 6,
      awarenessMax: 8,
      gossipInterval: 200,
      gossipNodes: 3,
      retransmitMult: 4,
      syncInterval: 30_000,
    },
    wan: {
      probeInterval: 5000,
      probeTimeout: 3000,
      indirectProbes: 3,
      suspicionMult: 6,
      suspicionMaxMult: 6,
      awarenessMax: 8,
      gossipInterval: 500,
      gossipNodes: 4,
      retransmitMult: 4,
      syncInterval: 60_000,
    },
    local: {
      probeInterval: 1000,
      probeTimeout: 200,
      indirectProbes: 1,
      suspicionMult: 3,
      suspicionMaxMult: 6,
      awarenessMax: 8,
      gossipInterval: 100,
      gossipNodes: 3,
      retransmitMult: 2,
      syncInterval: 15_000,
    },
  };

  test.each(['lan', 'wan', 'local'] as const)('%s has the numbers of memberlist', (profile) => {
    expect(resolveSwim({ profile }, [])).toEqual({
      ...memberlist[profile],
      profile,
      seeds: [],
      tellSuspects: true,
      neighbours: 8,
      meta: {},
    });
  });

  test('lan is what is taken where nothing is said', () => {
    expect(resolveSwim({}, [])).toEqual(resolveSwim({ profile: 'lan' }, []));
  });

  test('an option that is given stands, whatever the profile says, and undefined is none', () => {
    const options = resolveSwim({ profile: 'wan', gossipNodes: 2, probeInterval: undefined as unknown as number }, []);
    expect(options).toMatchObject({ gossipNodes: 2, probeInterval: 5000 });
  });
});

describe('the options', () => {
  test('all that is wrong is said at once, each with its path, what would be right, and the value', () => {
    const given = {
      seeds: ['10.0.0.2:7001'],
      profile: 'lab',
      probeInterval: 0,
      probeTimeout: 1.5,
      indirectProbes: -1,
      suspicionMult: 0,
      suspicionMaxMult: 'x',
      awarenessMax: 0,
      tellSuspects: 1,
      gossipInterval: 2 ** 31,
      gossipNodes: 0,
      retransmitMult: null,
      syncInterval: Number.NaN,
      neighbours: 1001,
      meta: { a: {} },
      fanout: 3,
    };
    expect(Object.keys(violationsOf(given)).toSorted()).toEqual(Object.keys(given).toSorted());
    expect(() => swim(given as unknown as Partial<SwimOptions>)).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        message: expect.stringMatching(
          /'seeds' must be an array of URLs.*'neighbours' must be.*'fanout' is no option here/,
        ),
      }),
    );
  });

  test('an answer may take less than a period, not as long', () => {
    expect(violationsOf({ probeInterval: 500 })).toEqual({
      probeTimeout: 'must be less than probeInterval (500), not 500',
    });
    expect(violationsOf({ probeInterval: 501 })).toEqual({});
  });

  test.each([['toString'], ['__proto__'], [null], [7]])('%p is no profile', (profile) => {
    expect(Object.keys(violationsOf({ profile }))).toEqual(['profile']);
  });

  test.each([
    [[], true],
    [['ws://a', 'wss://[::1]:7001'], true],
    [[{ name: 'dns a', find: () => [] }], true],
    [[{ name: 'dns a' }], false],
    [['ws://'], false],
    ['ws://a', false],
    [[7], false],
  ])('%p as seeds is right: %p', (seeds, isRight) => {
    expect(Object.keys(violationsOf({ seeds }))).toEqual(isRight ? [] : ['seeds']);
  });

  test('sources are those among the seeds that are no URLs, in their order', () => {
    const [first, second] = ['one', 'two'].map((name) => ({ name, find: () => Promise.resolve([]) }));
    if (first === undefined || second === undefined) throw new Error('never');
    expect(swim({ seeds: [first, 'ws://a', second] }).sources).toEqual([first, second]);
  });
});

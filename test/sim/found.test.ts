/** Bugs that the simulator found in the protocols, each as the shortest history that shows it. */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, type Protocol } from '@grapevine/core';
import {
  areEqual,
  type HistoryOptions,
  noFaults,
  runHistory,
  type SimNode,
  StepOracles,
  Trace,
  type Violation,
  World,
} from '@grapevine/sim';

const FORGET_AFTER_MS = 20_000;
const VALUE = '\xa1v';

interface Scene {
  readonly world: World;
  readonly a: SimNode;
  readonly b: SimNode;
  readonly c: SimNode;
  readonly violations: Violation[];
  readonly oracles: StepOracles;
}

/** Three nodes on a good network, that forget soon. */
function aScene(protocol: Protocol, tombstoneTtlMs: number): Scene {
  const violations: Violation[] = [];
  const oracles = new StepOracles({
    object: (rule, oracle, text) => violations.push({ rule, oracle, text, atMs: world.nowMs }),
    repairs: true,
    tombstoneTtlMs,
    forgetAfterMs: FORGET_AFTER_MS,
    rumorTtlMs: 30_000,
  });
  const world: World = new World({
    seed: 1,
    nodes: 3,
    edges: [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
    protocol,
    faults: noFaults,
    replica: { maxDriftMs: 1000, maxUpdateBytes: 2 ** 20, forgetAfterMs: FORGET_AFTER_MS },
    observer: oracles,
    trace: new Trace(),
  });
  world.start();
  world.run(5000);
  const [a, b, c] = world.nodes as unknown as [SimNode, SimNode, SimNode];
  return { world, a, b, c, violations, oracles };
}

function restart(world: World, node: SimNode): void {
  node.die(false);
  world.run(1000);
  node.boot();
  world.run(5000);
}

describe('found by the simulator:', () => {
  test('a node that is started again long after its former life wrote becomes equal, and silent', () => {
    // Garbage is collected while all are there: who is away at that moment is forgotten, and that is another story.
    const { world, a, b, oracles, violations } = aScene(entropy({ tombstoneTtl: 0, gc: 10_000 }), 0);
    b.write('x', VALUE);
    world.run(1000);
    a.write('x', VALUE);
    world.run(35_000);
    const former = b.replica.origin;
    restart(world, b);
    expect(a.replica.context.has(former, 1)).toBe(true);
    expect(areEqual(world.nodes)).toBe(true);
    oracles.isQuiet = true;
    world.run(5000);
    expect(violations).toEqual([]);
  });

  test('what was removed does not come back from a node that was away, however old it was when it was removed', () => {
    const { world, a, b, c, violations } = aScene(entropy({ tombstoneTtl: 0 }), 0);
    b.write('x', VALUE);
    world.run(2000);
    restart(world, b);
    b.write('y', VALUE);
    world.run(2 * FORGET_AFTER_MS);
    world.block(new Set([c.index]), 'both', 1);
    a.write('x', undefined);
    world.run(FORGET_AFTER_MS / 2);
    expect(c.replica.get('x')).toBe(VALUE);
    world.block(new Set([c.index]), 'both', -1);
    world.run(FORGET_AFTER_MS / 4);
    expect(world.nodes.map(({ replica }) => replica.get('x'))).toEqual([undefined, undefined, undefined]);
    expect(violations).toEqual([]);
  });

  test('what is held back takes nothing away from readers before its time', () => {
    const { world, a, b, c, violations } = aScene(entropy({ delta: 250 }), 3_600_000);
    world.block(new Set([c.index]), 'both', 1);
    b.write('x', VALUE);
    world.run(1000);
    expect(a.replica.get('x')).toBe(VALUE);
    // The first node hears of what its clock takes, and the second holds it back; the third has neither of the two.
    // Less ahead than what it forgets after: else it would take itself for one that slept. Its clock stays ahead: set right, it
    // would write this again under a stamp of the present.
    a.skewMs = 15_000;
    a.write('x', '\xa1w');
    world.run(1000);
    expect(b.replica.get('x')).toBe(VALUE);
    world.block(new Set([c.index]), 'both', -1);
    world.run(10_000);
    expect([b, c].map(({ replica }) => replica.get('x'))).toEqual([VALUE, VALUE]);
    world.run(30_000);
    expect(world.nodes.map(({ replica }) => replica.get('x'))).toEqual(['\xa1w', '\xa1w', '\xa1w']);
    expect(violations).toEqual([]);
  });

  test('an origin is not forgotten under a tombstone that is still kept', () => {
    const tombstoneTtl = 3 * FORGET_AFTER_MS;
    const { world, a, b, violations } = aScene(entropy({ tombstoneTtl }), tombstoneTtl);
    b.write('x', undefined);
    world.run(2000);
    restart(world, b);
    b.write('y', VALUE);
    world.run(FORGET_AFTER_MS + 2000);
    const tombstone = a.replica.store.get('x');
    expect(tombstone).toBeDefined();
    expect(a.replica.context.has(tombstone?.origin as never, 1)).toBe(true);
    expect(a.replica.store.byDot(tombstone?.origin as never, 1)).toEqual(tombstone);
    expect(violations).toEqual([]);
  });

  test('a tombstone is no rumor any more when it is collected', () => {
    const protocol = hybrid({ mail: 0, tombstoneTtl: 0, gc: 100, rumor: { removal: 'coin', rounds: 50 } });
    const { world, a, violations } = aScene(protocol, 0);
    a.write('x', undefined);
    world.run(10_000);
    expect(violations).toEqual([]);
  });
});

describe('found by the simulator, where a node refuses what is large:', () => {
  test.each<HistoryOptions & { readonly what: string }>([
    {
      what: 'others do not drop for it what is only over for something that it has refused',
      seed: 33,
      nodes: 5,
      minutes: 5,
      without: ['delayMs', 'skewMs', 'slowLinks', 'sleeps'],
      only: new Set([2002, 2003, 2004, 4012, 4013, 4016]),
    },
    {
      what: 'among many origins it learns what is over, though claims leave out what it has refused',
      seed: 267,
      nodes: 5,
      minutes: 4,
      without: [
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'breaks',
        'crashes',
        'restarts',
        'pauses',
        'slowLinks',
        'sleeps',
      ],
      only: new Set([2, 5, 8, 1017]),
    },
    {
      what: 'it learns that this is over when it expires, however long others keep its tombstone',
      seed: 2103,
      nodes: 4,
      minutes: 5,
      without: [
        'delayMs',
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'breaks',
        'partitions',
        'restarts',
        'sleeps',
      ],
      only: new Set([4014]),
    },
  ])('$what', ({ what: _, ...options }) => {
    const { violation, messages } = runHistory(options);
    expect(violation).toBeNull();
    expect(messages['refused']).toBeGreaterThan(0);
  });
});

describe('found by the simulator, where a clock is set back:', () => {
  test('no transfer that was under way claims a write that its writer has written again meanwhile', () => {
    const { violation, messages } = runHistory({
      seed: 55,
      nodes: 5,
      minutes: 6,
      hubs: 1,
      without: [
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'gatherMs',
        'partitions',
        'pauses',
        'sleeps',
        'twins',
        'refusals',
        'frames',
      ],
      only: new Set([1009, 1024, 1025]),
    });
    expect(violation).toBeNull();
    expect(messages['disowned']).toBeGreaterThan(0);
  });
});

describe('found by the simulator, where a removal by a clock that was ahead is collected before it is taken back:', () => {
  test.each<HistoryOptions & { readonly what: string }>([
    {
      what: 'others drop by the sweep what it removed',
      seed: 82,
      nodes: 6,
      minutes: 6,
      without: [
        'delayMs',
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'restarts',
        'pauses',
        'courses',
        'slowLinks',
        'sleeps',
        'twins',
        'ephemeral',
        'refusals',
        'frames',
      ],
      only: new Set([2002, 3001, 3002]),
    },
    {
      what: 'so does the node that wrote it, a value that is tied to it',
      seed: 191,
      nodes: 6,
      minutes: 6,
      without: [
        'delayMs',
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'crashes',
        'courses',
        'slowLinks',
        'sleeps',
        'twins',
        'refusals',
        'frames',
      ],
      only: new Set([6014, 6015, 6018]),
    },
  ])('$what', ({ what: _, ...options }) => {
    const { violation, messages } = runHistory(options);
    expect(violation).toBeNull();
    expect(messages['disowned']).toBeGreaterThan(0);
  });
});

describe('found by the simulator in rings with chords, where its oracles demanded more than rules 1 and 9 say:', () => {
  test.each<HistoryOptions & { readonly what: string }>([
    {
      what: 'a clock that is ahead by years has its node forget what is newer than an update that is over',
      seed: 89,
      nodes: 20,
      minutes: 8,
    },
    {
      what: 'a tombstone is as old as a clock that was set back shows from the next collection on, which a stopped process has late',
      seed: 148,
      nodes: 20,
      minutes: 4,
    },
  ])('$what', ({ what: _, ...options }) => {
    expect(runHistory(options).violation).toBeNull();
  });
});

describe('found by the simulator, where a clock was ahead by hours in a ring with chords:', () => {
  test('its node lives until its writes are taken back', () => {
    const { violation, messages } = runHistory({
      seed: 30,
      nodes: 20,
      minutes: 4,
      without: [
        'delayMs',
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'crashes',
        'jumps',
        'sleeps',
        'twins',
        'refusals',
        'frames',
      ],
      only: new Set([2044, 3013, 3040]),
    });
    expect(violation).toBeNull();
    expect(messages['disowned']).toBeGreaterThan(0);
  });
});

describe('found by the simulator, where a clock was ahead by ten years:', () => {
  test('its node takes back what has expired meanwhile, which others hold back', () => {
    const { violation, messages } = runHistory({
      seed: 88,
      nodes: 2,
      minutes: 1,
      without: [
        'delayMs',
        'jitterMs',
        'drops',
        'corruption',
        'skewMs',
        'handlers',
        'gatherMs',
        'restarts',
        'pauses',
        'jumps',
        'slowLinks',
        'sleeps',
        'twins',
        'refusals',
        'frames',
      ],
      only: new Set([23, 27]),
    });
    expect(violation).toBeNull();
    expect(messages['disowned']).toBeGreaterThan(0);
  });
});

describe('found by the simulator, where its oracles demanded more than the documentation says:', () => {
  test('a node that takes small frames, and has refused nothing, may forget an origin before others do', () => {
    const { violation, messages } = runHistory({
      seed: 11,
      nodes: 8,
      minutes: 4,
      without: ['crashes', 'restarts', 'pauses', 'slowLinks', 'twins', 'refusals'],
      only: new Set([28, 0, 12, 20]),
    });
    expect(violation).toBeNull();
    expect(messages['refused']).toBeUndefined();
  });

  test('a node that refuses an update says so to every peer that holds it before they are silent', () => {
    const { violation, messages } = runHistory({
      seed: 70,
      nodes: 4,
      minutes: 2,
      without: [
        'delayMs',
        'corruption',
        'skewMs',
        'breaks',
        'partitions',
        'jumps',
        'slowLinks',
        'sleeps',
        'twins',
        'frames',
      ],
      only: new Set([4, 2016, 2017, 2021]),
    });
    expect(violation).toBeNull();
    expect(messages['refused']).toBeGreaterThan(0);
  });
});

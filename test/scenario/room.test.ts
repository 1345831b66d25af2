/** Replicas that are full: they refuse, others converge beside them, and they catch up when there is room. */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, keepAll, Origin, type Protocol, rumor, seededRandom, stampAt, Update } from '@grapevine/core';
import { Network, type NetworkOptions, type Node, START_MS } from './network.ts';

const protocols: readonly (readonly [string, () => Protocol])[] = [
  ['entropy', () => entropy({ level: 0, gc: 200, tombstoneTtl: 1000 })],
  ['hybrid', () => hybrid({ gc: 200, tombstoneTtl: 1000 })],
];

function aNetwork(protocol: Protocol, options: Partial<NetworkOptions> = {}): Network {
  return new Network({ protocol, seed: 1, latencyMs: () => 10, ...options });
}

/** How often each id was sent to a node, with its value, by each of its peers. */
function sendings(network: Network, to: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { from, to: receiver, message } of network.sent)
    if (receiver === to && (message.type === 'chunk' || message.type === 'updates'))
      for (const { id } of message.updates) counts.set(`${from} ${id}`, (counts.get(`${from} ${id}`) ?? 0) + 1);
  return counts;
}

const idsOf = (node: Node): string[] => Object.keys(node.live);

/** Wide nodes a and b, and c that is small; all are connected. */
function aTrio(
  protocol: Protocol,
  small: { maxIds?: number; maxBytes?: number; maxOrigins?: number },
): [Network, Node, Node, Node] {
  const network = aNetwork(protocol);
  const [a, b] = [network.node('a'), network.node('b')];
  const c = network.node('c', { replica: small });
  network.connectAll();
  return [network, a, b, c];
}

describe.each(protocols)('with %s, a node that has room for ten of thirty ids', (_name, protocol) => {
  const full = (): [Network, Node, Node, Node] => {
    const trio = aTrio(protocol(), { maxIds: 10 });
    const [network, a, b] = trio;
    for (let i = 0; i < 30; i++) a.add(`id${i}`, `v${i}`);
    network.run(10_000);
    expect(idsOf(a)).toHaveLength(30);
    expect(b.live).toEqual(a.live);
    return trio;
  };

  test('holds ten, claims no more, and says once that it is full', () => {
    const [, a, , c] = full();
    expect(idsOf(c)).toHaveLength(10);
    expect(c.replica.context.dots().flatMap(({ intervals }) => intervals)).toEqual([1, 10]);
    expect(c.errors.map(({ code, fault }) => [code, fault])).toEqual([['STORE_FULL', 'peer']]);
    expect(c.replica.refusals).toBe(20);
    expect(a.errors).toEqual([]);
  });

  test('is sent no value again while it is full', () => {
    const [network] = full();
    for (const [, count] of sendings(network, 'c')) expect(count).toBe(1);
    network.sent.length = 0;
    network.run(60_000);
    // As those who are equal: hashes once in twenty cycles, one from each.
    expect(new Set(network.sent.map(({ message }) => message.type))).toEqual(new Set(['hashes']));
    expect(network.sent.length).toBeLessThanOrEqual(3 * 2 * (60_000 / (20 * 500) + 1));
  });

  test('refuses its own write beyond them, and takes what replaces an id or removes one', () => {
    const [network, a, , c] = full();
    const before = [c.replica.version, c.replica.store.liveBytes];
    expect(() => c.add('more', 'x')).toThrow(expect.objectContaining({ code: 'STORE_FULL', stateChanged: false }));
    expect([c.replica.version, c.replica.store.liveBytes]).toEqual(before);
    c.add('id3', 'other');
    c.remove('id4');
    network.until(() => a.visible['id3'] === 'other' && a.visible['id4'] === undefined);
  });

  test('takes in as many as are removed, and each is sent for it about once', () => {
    const [network, a, b, c] = full();
    network.sent.length = 0;
    for (let i = 0; i < 5; i++) c.remove(`id${i}`);
    network.until(() => idsOf(c).length === 10 && idsOf(a).length === 25 && idsOf(b).length === 25);
    network.run(20_000);
    expect(idsOf(c)).toHaveLength(10);
    // A peer that had not been told yet offers once what c refuses; who had, only what c has room for.
    const counts = [...sendings(network, 'c').values()];
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(20 + 2 * 5 + 5);
  });

  test('is equal to the others once all has room', () => {
    const [network, a, , c] = full();
    for (let i = 5; i < 25; i++) a.remove(`id${i}`);
    network.until(() => network.isEqual);
    expect(idsOf(c)).toHaveLength(10);
    expect(c.visible).toEqual(a.visible);
  });

  test('catches up as what it holds expires', () => {
    const [network, a, b, c] = aTrio(protocol(), { maxIds: 10 });
    for (let i = 0; i < 10; i++) a.step(() => a.replica.write(`short${i}`, '\x01', a.nowMs + 8000, a.nowMs));
    network.until(() => idsOf(c).length === 10);
    for (let i = 0; i < 10; i++) a.add(`long${i}`, 'x');
    network.until(() => idsOf(b).length === 20);
    network.run(2000);
    expect(idsOf(c).every((id) => id.startsWith('short'))).toBe(true);
    network.until(() => network.isEqual);
    expect(idsOf(c).filter((id) => id.startsWith('long'))).toHaveLength(10);
  });

  test('has room as soon as it knows that what it holds is over, though no timer has said so', () => {
    const network = aNetwork(protocol());
    const { replica } = network.node('a', { replica: { maxIds: 1 } });
    const now = network.nowMs;
    replica.write('x', '1', now + 1000, now);
    expect(() => replica.write('y', '1', undefined, now + 999)).toThrow(
      expect.objectContaining({ code: 'STORE_FULL' }),
    );
    replica.write('y', '1', undefined, now + 1000);
    expect(replica.store.liveCount).toBe(1);
  });
});

describe.each([...protocols, ['rumor', (): Protocol => rumor()] as const])(
  'with %s, updates that are too large',
  (_, protocol) => {
    test('for one node are said once there and once by the node that sent them', () => {
      const network = aNetwork(protocol());
      const [a, b, small] = [
        network.node('a'),
        network.node('b'),
        network.node('small', { replica: { maxUpdateBytes: 30 } }),
      ];
      network.connectAll();
      a.add('large', 'x'.repeat(31));
      a.add('wide1', 'x'.repeat(31));
      network.run(10_000);
      b.add('later', 'x'.repeat(31));
      network.run(10_000);
      const said = (node: Node): unknown => node.errors.map(({ code, fault, context }) => [code, fault, context]);
      expect(said(small)).toEqual([
        [
          'UPDATE_TOO_LARGE',
          'peer',
          { id: expect.stringMatching(/^(large|wide1)$/), origin: 'a', bytes: 37, maxUpdateBytes: 30 },
        ],
        ['UPDATE_TOO_LARGE', 'peer', { id: 'later', origin: 'b', bytes: 37, maxUpdateBytes: 30 }],
      ]);
      for (const node of [a, b])
        expect(said(node)).toEqual([
          ['UPDATE_TOO_LARGE', 'peer', expect.objectContaining({ peer: 'small', bytes: 37 })],
        ]);
      expect(a.errors[0]?.message).toMatch(
        /^'small' refuses the update of '(large|wide1)', which takes 37 bytes: .*maxUpdateBytes/,
      );
    });
  },
);

describe.each(protocols)('with %s, a node that has room for few bytes', (_name, protocol) => {
  test('takes small updates beside a large one that it refuses, and the large one when there is room', () => {
    const [network, a, b, c] = aTrio(protocol(), { maxBytes: 60 });
    for (let i = 0; i < 5; i++) a.add(`id${i}`, 'x');
    a.add('large', 'x'.repeat(31));
    a.add('last', 'x');
    network.until(() => idsOf(b).length === 7 && idsOf(c).length === 6);
    network.run(5000);
    expect(idsOf(c)).not.toContain('large');
    a.remove('id0');
    a.remove('id1');
    a.remove('last');
    network.until(() => network.isEqual);
    expect(idsOf(c)).toContain('large');
    expect(c.replica.store.liveBytes).toBeLessThanOrEqual(60);
  });

  test('counts for a write that replaces a value only the difference', () => {
    const [network, a, , c] = aTrio(protocol(), { maxBytes: 40 });
    a.add('x', 'x'.repeat(30));
    network.until(() => network.isEqual);
    a.add('x', 'y'.repeat(31));
    network.until(() => network.isEqual);
    expect(c.visible).toEqual({ x: 'y'.repeat(31) });
    expect(c.replica.store.liveBytes).toBe(33);
  });

  test('says once that it is full, though a few bytes are left all the while', () => {
    const [network, a, b, c] = aTrio(protocol(), { maxBytes: 60 });
    c.add('own', 'x'.repeat(30));
    for (let i = 0; i < 10; i++) {
      a.add(`id${i}`, 'x'.repeat(30));
      network.run(3000);
    }
    expect(idsOf(b)).toHaveLength(11);
    expect(c.errors.map(({ code }) => code)).toEqual(['STORE_FULL']);
    c.remove('own');
    network.until(() => idsOf(c).length === 1 && c.replica.get('own') === undefined);
    a.add('more', 'x'.repeat(30));
    network.until(() => c.errors.length === 2);
  });

  test('never asks again for what would not fit into it empty', () => {
    const [network, a, b, c] = aTrio(protocol(), { maxBytes: 20 });
    a.add('large', 'x'.repeat(31));
    network.until(() => idsOf(b).length === 1);
    network.run(5000);
    network.sent.length = 0;
    network.run(30_000);
    expect(sendings(network, 'c').size).toBe(0);
    expect(idsOf(c)).toEqual([]);
  });
});

describe.each(protocols)('with %s, what a full node refused is offered again when it has room', (_name, protocol) => {
  const full = (): [Network, Node, Node] => {
    const network = aNetwork(protocol(), { replica: { forgetAfterMs: 60_000 } });
    const a = network.node('a');
    const c = network.node('c', { replica: { maxIds: 5 } });
    network.connectAll();
    for (let i = 0; i < 10; i++) a.add(`id${i}`, 'v');
    network.run(10_000);
    expect(idsOf(c)).toHaveLength(5);
    return [network, a, c];
  };
  const makeRoom = (a: Node, c: Node): void => {
    for (const id of idsOf(c)) a.remove(id);
  };

  test('though its instance has crashed meanwhile', () => {
    const [network, a, c] = full();
    c.crash();
    network.run(1000);
    makeRoom(a, c);
    network.run(30_000);
    expect(c.live).toEqual(a.live);
    expect(idsOf(c)).toHaveLength(5);
  });

  test('though it has slept so long that it rejoined empty', () => {
    const [network, a, c] = full();
    c.stop();
    network.run(1000);
    makeRoom(a, c);
    network.run(100_000);
    c.continue();
    network.run(30_000);
    expect(c.live).toEqual(a.live);
    expect(idsOf(c)).toHaveLength(5);
  });
});

describe('tombstones', () => {
  test('beyond the bound are collected early, and no removed id comes back', () => {
    const network = aNetwork(entropy({ level: 0, gc: 200, tombstoneTtl: 3_600_000 }), { replica: { maxIds: 10 } });
    const [a, b] = [network.node('a'), network.node('b')];
    network.connectAll();
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 10; i++) a.add(`id${round}.${i}`, 'x');
      network.until(() => network.isEqual);
      if (round === 5) network.cut(a, b);
      for (let i = 0; i < 10; i++) a.remove(`id${round}.${i}`);
      expect(a.replica.store.tombstoneCount).toBeLessThanOrEqual(10);
      if (round === 5) network.connect(a, b);
    }
    network.until(() => network.isEqual);
    expect([a.visible, b.visible]).toEqual([{}, {}]);
    expect(b.replica.store.tombstoneCount).toBeLessThanOrEqual(10);
  });
});

describe('origins', () => {
  test('beyond the bound are refused with their updates, and taken when others are forgotten', () => {
    const network = aNetwork(entropy({ level: 0, gc: 200, tombstoneTtl: 1000 }), {
      replica: { forgetAfterMs: 60_000 },
    });
    const a = network.node('a');
    const c = network.node('c', { replica: { maxOrigins: 20 } });
    const write = (name: string, id: string, value: string | undefined): void =>
      a.step(() => {
        const { nowMs } = a;
        a.replica.admit(
          [new Update(id, value, stampAt(nowMs), new Origin(name, START_MS), value === undefined ? 2 : 1, undefined)],
          keepAll,
          nowMs,
        );
      });
    for (let i = 0; i < 50; i++) write(`gone${i}`, `id${i}`, '\x01');
    network.connect(a, c);
    network.run(5000);
    expect(c.replica.context.size).toBe(20);
    expect(idsOf(c)).toHaveLength(20);
    network.sent.length = 0;
    network.run(10_000);
    expect(sendings(network, 'c').size).toBe(0);
    for (let i = 0; i < 40; i++) write(`gone${i}`, `id${i}`, undefined);
    network.run(180_000);
    expect(a.replica.context.size).toBeLessThanOrEqual(12);
    network.until(() => network.isEqual);
    expect(idsOf(c)).toHaveLength(10);
  });

  test('that are forgotten leave nothing behind that peers keep for refused', () => {
    const network = aNetwork(entropy({ level: 0, gc: 200, tombstoneTtl: 1000 }), {
      replica: { forgetAfterMs: 60_000 },
    });
    const a = network.node('a');
    const c = network.node('c', { replica: { maxIds: 1 } });
    const gone = new Origin('gone', START_MS);
    const write = (sequence: number, id: string): void =>
      a.step(() => {
        const { nowMs } = a;
        a.replica.admit([new Update(id, '\x01', stampAt(nowMs), gone, sequence, undefined)], keepAll, nowMs);
      });
    write(1, 'held');
    network.connect(a, c);
    network.run(2000);
    write(2, 'refused');
    network.run(2000);
    a.add('held', 'by a');
    network.run(120_000);
    expect(c.replica.context.find(gone)).toBeUndefined();
    a.remove('held');
    network.run(20_000);
    expect(c.live).toEqual(a.live);
    expect(idsOf(c)).toEqual(['refused']);
  });

  test('of a claim are not taken up beyond the bound, and the count says so', () => {
    const network = aNetwork(entropy({ level: 0 }));
    const { replica } = network.node('a', { replica: { maxOrigins: 100 } });
    const dots = Array.from({ length: 1000 }, (_, i) => ({
      origin: new Origin(`made up ${i}`, START_MS),
      intervals: [1, 5],
      newest: stampAt(START_MS),
    }));
    replica.claim(dots, network.node('b').replica.context, network.nowMs);
    expect(replica.context.size).toBe(100);
    expect(replica.refusedOrigins).toBe(900);
  });

  test('with a gap before every dot fill no more than the intervals that there is room for', () => {
    const network = aNetwork(entropy({ level: 0 }));
    const { replica, nowMs } = network.node('a', { replica: { maxOrigins: 10 } });
    const origin = new Origin('b', START_MS);
    const updates = Array.from(
      { length: 100_000 },
      (_, i) => new Update('x', '\x01', stampAt(nowMs) + i, origin, 2 * i + 1, undefined),
    );
    replica.admit(updates, keepAll, nowMs);
    // One more than the bound is in work when it is met.
    expect(replica.context.intervalCount).toBe(65_537);
    replica.admit([new Update('x', '\x02', stampAt(nowMs) + 200_000, origin, 2, undefined)], keepAll, nowMs);
    expect(replica.context.has(origin, 2)).toBe(true);
    expect(replica.context.intervalCount).toBe(65_536);
  });
});

test('what comes from an origin of which much is refused, with a gap before every dot, costs no pass over all of it', () => {
  const network = aNetwork(entropy({ level: 0 }));
  const { replica, nowMs } = network.node('a', { replica: { maxIds: 1 } });
  const origin = new Origin('b', START_MS);
  const sparse = (count: number, first: number, id: (i: number) => string, value: string | undefined): Update[] =>
    Array.from({ length: count }, (_, i) => {
      return new Update(id(i), value, stampAt(nowMs) + first + i, origin, first + 2 * i, undefined);
    });
  replica.write('own', '1', undefined, nowMs);
  replica.admit(
    sparse(60_000, 1, (i) => `id${i}`, '1'),
    keepAll,
    nowMs,
  );
  expect(replica.refusals).toBe(60_000);
  replica.admit(
    sparse(2000, 1_000_000, () => 'removed', undefined),
    keepAll,
    nowMs,
  );
  expect(replica.context.intervalCount).toBe(2001);
});

describe('a transfer under way when room is made', () => {
  test('brings what was lifted before it claims it', () => {
    const network = aNetwork(entropy({ level: 0, gc: 100, delta: 300 }));
    const a = network.node('a');
    const c = network.node('c', { replica: { maxBytes: 5000 } });
    for (let i = 0; i < 200; i++) a.step(() => a.replica.write(`id${i}`, 'x'.repeat(1000), undefined, a.nowMs));
    network.connect(a, c);
    for (let round = 0; round < 400; round++) {
      network.run(37);
      const [held] = idsOf(c);
      if (held !== undefined) c.remove(held);
    }
    network.until(() => network.isEqual);
    expect(idsOf(a)).toEqual([]);
  });
});

test('what a full node still judges while another peer brings it too is not claimed, nor lost by anybody', () => {
  const network = aNetwork(hybrid({ gc: 200, tombstoneTtl: 1000 }));
  const [a, b] = [network.node('a'), network.node('b')];
  const c = network.node('c', { replica: { maxIds: 1 }, judge: () => ({ verdict: keepAll, delayMs: 4000 }) });
  network.connectAll();
  c.add('own', '1');
  network.run(10_000);
  a.add('x', '1');
  network.run(30_000);
  expect(c.replica.context.has(a.replica.origin, 1)).toBe(false);
  for (const node of [a, b]) expect(node.visible).toEqual({ own: '1', x: '1' });
});

test('a node that has room again for what a peer had, and is no longer connected with it, makes nobody drop the older', () => {
  const network = aNetwork(entropy({ level: 0, gc: 200, tombstoneTtl: 1000 }));
  const [b, d, e] = ['b', 'd', 'e'].map((name) => network.node(name)) as [Node, Node, Node];
  const c = network.node('c', { replica: { maxIds: 1 } });
  e.add('x', 'old');
  network.connect(b, e);
  network.until(() => b.visible['x'] === 'old');
  network.cut(b, e);
  b.add('x', 'new');
  c.add('own', '1');
  network.connect(b, c);
  network.run(5000);
  expect([c.visible, c.replica.context.has(e.replica.origin, 1)]).toEqual([{ own: '1' }, true]);
  network.cut(b, c);
  c.remove('own');
  network.run(5000);
  network.connect(c, d);
  network.connect(d, e);
  network.run(10_000);
  expect(e.visible['x']).toBe('old');
  network.connect(b, c);
  network.until(() => network.isEqual);
  expect(e.visible).toEqual({ x: 'new' });
});

describe('random histories with small nodes', () => {
  test.each(Array.from({ length: 30 }, (_, seed) => seed))('converge once there is room, with seed %i', (seed) => {
    const random = seededRandom(seed);
    const below = (n: number): number => Math.floor(random() * n);
    const protocol =
      seed % 2 === 0
        ? entropy({ delta: 300, gc: 200, tombstoneTtl: seed % 3 === 0 ? 0 : 2000 })
        : hybrid({ delta: 300, gc: 200, tombstoneTtl: seed % 3 === 0 ? 0 : 2000 });
    const network = new Network({ protocol, seed });
    const [a, b] = [network.node('a'), network.node('b')];
    const c = network.node('c', {
      replica: { maxIds: 6, maxBytes: 150 },
      ...(seed % 5 === 0 ? { judge: () => ({ verdict: keepAll, delayMs: below(300) }) } : {}),
    });
    const nodes = [a, b, c];
    network.connectAll();
    const newest = new Map<string, string | undefined>();
    for (let step = 0; step < 250; step++) {
      const node = nodes[below(3)] as Node;
      const id = `id${below(25)}`;
      const dice = random();
      try {
        if (dice < 0.5) node.add(id, 'x'.repeat(below(31)));
        else if (dice < 0.8) node.remove(id);
        else if (dice < 0.9) node.step(() => node.replica.write(id, '\x01', node.nowMs + below(5000), node.nowMs));
        else {
          const other = nodes[below(3)] as Node;
          if (other !== node) {
            network.cut(node, other);
            network.run(below(500));
            network.connect(node, other);
          }
        }
      } catch (error) {
        if (node !== c || (error as { code?: unknown }).code !== 'STORE_FULL') throw error;
      }
      network.run(below(400));
      expect(c.replica.store.liveCount).toBeLessThanOrEqual(6);
      expect(c.replica.store.liveBytes).toBeLessThanOrEqual(150);
    }
    network.run(10_000);
    expect(b.live).toEqual(a.live);
    // What a and b hold is what nobody lost: now it shall come down to what c can hold.
    for (const id of idsOf(a).slice(3)) a.remove(id);
    for (const id of idsOf(a)) newest.set(id, a.visible[id]);
    network.until(() => network.isEqual);
    expect(c.live).toEqual(a.live);
  });
});

describe.each(protocols)('with %s, what a full node refused of one peer and took of another', (_name, protocol) => {
  /** b refuses x of a, has a little more room then, and takes x of c. */
  const taken = (): [Network, Node, Node, Node] => {
    const network = aNetwork(protocol());
    const [a, c] = [network.node('a'), network.node('c')];
    const b = network.node('b', { replica: { maxBytes: 40 } });
    b.add('own', 'y'.repeat(30));
    network.connect(a, b);
    network.until(() => network.isConnected(a, b) && a.visible['own'] !== undefined);
    a.add('w', 'x'.repeat(28));
    a.add('x', 'x'.repeat(16));
    network.run(5000);
    expect(idsOf(b)).toEqual(['own']);
    // Enough for x, and not for w, which counts for all of its class of sizes.
    b.add('own', 'y'.repeat(16));
    network.run(5000);
    expect(idsOf(b)).toEqual(['own']);
    network.connect(a, c);
    network.until(() => c.visible['x'] !== undefined);
    network.cut(a, c);
    network.connect(b, c);
    network.until(() => b.visible['x'] !== undefined);
    return [network, a, b, c];
  };

  test('is a difference from the first no more', () => {
    const [network] = taken();
    network.run(5000);
    network.sent.length = 0;
    network.run(30_000);
    expect(new Set(network.sent.map(({ message }) => message.type))).toEqual(new Set(['hashes']));
  });

  test('goes at the first when it is over, though no tombstone is left', () => {
    const [network, a, b, c] = taken();
    a.stop();
    c.remove('x');
    network.run(10_000);
    network.cut(b, c);
    expect(b.replica.store.tombstoneCount).toBe(0);
    a.continue();
    network.until(() => a.visible['x'] === undefined);
  });
});

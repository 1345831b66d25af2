/**
 * The histories in which plausible shortcuts lose data, message by message.
 *
 * Each is arranged so that one rule of docs/algorithm.md alone saves it: without that rule the test fails.
 */
import { describe, expect, test } from '@jest/globals';
import {
  entropy,
  type EntropyOptions,
  hybrid,
  keepAll,
  type Message,
  type Offer,
  Origin,
  stampAt,
  Update,
  type Verdict,
} from '@grapevine/core';
import { type Judgement, Network, type NetworkOptions, type Node, START_MS, text } from './network.ts';

/** A network whose messages take 10 ms each way. */
function aNetwork(entropyOptions: Partial<EntropyOptions> = {}, options: Partial<NetworkOptions> = {}): Network {
  return new Network({ protocol: entropy({ level: 0, ...entropyOptions }), seed: 1, latencyMs: () => 10, ...options });
}

function sentBy(network: Network, from: string, type: Message['type']): Message[] {
  return network.sent.filter((sent) => sent.from === from && sent.message.type === type).map(({ message }) => message);
}

function receivedBy(network: Network, to: string, type: Message['type']): Message[] {
  return network.received
    .filter((received) => received.to === to && received.message.type === type)
    .map(({ message }) => message);
}

/** So large that it has a chunk to itself. */
const large = (content: string): string => `\xc5\x75\x30${content.padEnd(30000, '.')}`;

function addLarge(node: Node, id: string, content = id): void {
  node.step(() => node.replica.write(id, large(content), undefined, node.nowMs));
}

const always =
  (verdict: Verdict, delayMs = 0): ((offer: Offer) => Judgement) =>
  () => ({ verdict, delayMs });

/** Two nodes that have never met and then do. */
function met(network: Network, a: Node, b: Node): void {
  network.connect(a, b);
  network.until(() => network.isEqual);
}

describe('a transfer', () => {
  test('that is cut after its first chunk claims nothing but what arrived', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    for (let i = 0; i < 20; i++) addLarge(a, `id${i}`);
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'chunk').length === 1);
    network.cut(a, b);
    network.run(10000);

    expect(b.replica.store.size).toBe(1);
    expect(b.replica.context.dots()).toMatchObject([{ intervals: [1, 1] }]);
    network.connect(a, b);
    network.until(() => network.isEqual);
    expect(b.live).toEqual(a.live);
    expect(Object.keys(b.live)).toHaveLength(20);
  });

  test('that is cut never leaves what was superseded in place of what supersedes it', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    addLarge(a, 'x', 'old');
    for (let i = 0; i < 20; i++) addLarge(a, `id${i}`);
    a.add('x', 'new');
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'chunk').length === 2);
    network.cut(a, b);
    // The dot of the newer write is not claimed by the chunks before it.
    expect(b.replica.context.has(a.replica.origin, 22)).toBe(false);
    network.connect(a, b);
    network.until(() => network.isEqual);
    expect(b.visible['x']).toBe('new');
  });

  test('brings what arrives at its sender while it runs, before its claim', () => {
    const network = aNetwork();
    const [a, b, c] = [network.node('a'), network.node('b'), network.node('c')];
    for (let i = 0; i < 40; i++) addLarge(a, `id${i}`);
    c.add('late', '1');
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'chunk').length === 3);
    network.connect(a, c);
    network.until(() => a.visible['late'] === '1');
    a.add('id0', 'newer');
    expect(sentBy(network, 'a', 'end').filter((end) => end.type === 'end' && end.buckets.length > 0)).toHaveLength(
      network.sent.filter(({ from, to, message }) => from === 'a' && to === 'c' && message.type === 'end').length,
    );
    network.until(() => receivedBy(network, 'b', 'end').length > 0);
    network.cut(a, b);
    network.cut(a, c);

    expect(b.live).toEqual(a.live);
    expect(b.visible).toMatchObject({ late: '1', id0: 'newer' });
  });

  test('larger than the window waits for acknowledgements and comes whole', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    for (let i = 0; i < 50; i++) addLarge(a, `id${i}`);
    network.connect(a, b);
    network.until(() => sentBy(network, 'a', 'chunk').length > 0);
    expect(sentBy(network, 'a', 'chunk')).toHaveLength(8);
    network.until(() => network.isEqual);

    expect(Object.keys(b.live)).toHaveLength(50);
    const indexes = sentBy(network, 'a', 'chunk').map((chunk) => (chunk.type === 'chunk' ? chunk.index : -1));
    expect(indexes).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test('is the only one that a node takes: whoever comes meanwhile is not invited', () => {
    const network = aNetwork();
    const [a, b, c] = [network.node('a'), network.node('b'), network.node('c')];
    for (let i = 0; i < 50; i++) {
      addLarge(a, `a${i}`);
      addLarge(c, `c${i}`);
    }
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'chunk').length === 1);
    network.connect(b, c);
    network.until(() => receivedBy(network, 'b', 'end').length === 1);
    expect(receivedBy(network, 'b', 'chunk')).toHaveLength(50);
    // The other told its context meanwhile, and has much to give.
    expect(sentBy(network, 'c', 'contexts')).not.toEqual([]);
    expect(sentBy(network, 'c', 'chunk')).toEqual([]);
    network.until(() => network.isEqual);
  });

  test('claims nothing while a handler still has what it brought', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { judge: always(keepAll, 3000) });
    a.add('x', '1');
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'end').length > 0);
    network.run(100);
    expect(b.replica.context.dots()).toEqual([]);

    // The instance dies with the offer: what nobody had judged comes again.
    b.crash();
    network.until(() => network.isEqual);
    expect(b.visible).toEqual({ x: '1' });
  });

  test('of a stale invitation brings news and claims nothing', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    const other = new Origin('z', START_MS);
    const inject = (message: Message): void => b.step(() => b.machine.receive([{ from: 'a', message }], b.nowMs));
    network.connect(a, b);
    network.run(2000);
    const update = new Update('x', text('1'), stampAt(START_MS), other, 1, undefined);
    inject({ type: 'chunk', invitation: 7, index: 0, updates: [update] });
    const sum = new Int32Array(4);
    const claim = [{ origin: other, intervals: [1, 5], newest: stampAt(START_MS) }];
    inject({
      type: 'end',
      invitation: 7,
      index: 1,
      buckets: 'all',
      claim,
      context: sum,
      live: sum,
      horizonMs: b.nowMs,
    });

    expect(b.visible).toEqual({ x: '1' });
    expect(b.replica.context.dots()).toMatchObject([{ intervals: [1, 1] }]);
    expect(sentBy(network, 'b', 'ack')).toEqual([]);
  });

  test('with a frame missing claims nothing', () => {
    const lost = new Set<number>([2]);
    const network = aNetwork({}, { carry: (_from, _to, message) => message });
    const [a, b] = [network.node('a'), network.node('b')];
    const { receive } = b.machine;
    b.machine.receive = (batch, nowMs) => {
      const kept = batch.filter(({ message }) => !(message.type === 'chunk' && lost.delete(message.index)));
      receive.call(b.machine, kept, nowMs);
    };
    for (let i = 0; i < 5; i++) addLarge(a, `id${i}`);
    network.connect(a, b);
    network.until(() => receivedBy(network, 'b', 'end').length > 0);
    expect(b.replica.context.has(a.replica.origin, 3)).toBe(false);
    network.until(() => network.isEqual);
    expect(Object.keys(b.live)).toHaveLength(5);
  });

  test.each([entropy({ level: 0 }), hybrid()])(
    'that ends after a sleep so long that the node rejoined empty claims nothing ($name)',
    (protocol) => {
      const network = new Network({ protocol, seed: 1, latencyMs: () => 10, replica: { forgetAfterMs: 60000 } });
      const [a, b] = [network.node('a'), network.node('b')];
      for (let i = 0; i < 6; i++) addLarge(a, `id${i}`);
      network.run(2000);
      network.connect(a, b);
      network.until(() => receivedBy(network, 'b', 'chunk').length === 3);
      b.stop();
      network.run(100000);
      b.continue();
      network.run(10000);
      expect(Object.keys(b.live)).toHaveLength(6);
      expect(b.live).toEqual(a.live);
    },
  );

  test('that stands still is given up, and another peer is invited', () => {
    const network = aNetwork();
    const [a, b, c] = [network.node('a'), network.node('b'), network.node('c')];
    for (const node of [a, c]) node.add(node.name, '1');
    network.connect(a, b);
    network.until(() => sentBy(network, 'b', 'contexts').length > 0);
    a.stop();
    network.connect(b, c);
    network.until(() => b.visible['c'] === '1', 10000);
    a.continue();
    network.until(() => network.isEqual);
    expect(b.visible).toEqual({ a: '1', c: '1' });
  });
});

describe('what a handler hides', () => {
  test('is relayed by the node that hides it', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { judge: always({ type: 'ignore' }) });
    const c = network.node('c');
    a.add('x', '1');
    network.connect(a, b);
    network.connect(b, c);
    network.until(() => network.isEqual);

    expect(b.visible).toEqual({});
    expect(c.visible).toEqual({ x: '1' });
  });

  test('is not swept from others, even where its only holder hides it', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { judge: always({ type: 'reset', kept: new Map(), offeredArrival: 0 }) });
    a.add('x', '1');
    met(network, a, b);
    network.cut(a, b);
    a.loseStore();
    expect(a.visible).toEqual({});
    met(network, a, b);

    expect(a.visible).toEqual({ x: '1' });
    expect(b.visible).toEqual({});
  });

  test('does not override what others see by what readers here go on seeing', () => {
    const network = aNetwork();
    let verdict: Verdict = keepAll;
    const a = network.node('a');
    const b = network.node('b', { judge: () => ({ verdict, delayMs: 0 }) });
    const c = network.node('c');
    a.add('x', 'old');
    network.connect(a, b);
    network.connect(b, c);
    network.until(() => network.isEqual);
    verdict = { type: 'ignore' };
    a.add('x', 'new');
    network.until(() => network.isEqual && c.visible['x'] === 'new');
    expect(b.visible).toEqual({ x: 'old' });
    expect(a.visible).toEqual({ x: 'new' });
  });

  test('in the dead letters is served like any other', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { judge: always({ type: 'dead' }) });
    const c = network.node('c');
    a.add('x', '1');
    network.connect(a, b);
    network.connect(b, c);
    network.until(() => network.isEqual);
    expect(c.visible).toEqual({ x: '1' });
  });
});

describe('a store that is lost', () => {
  test('while its node lives on comes back from others, and its new writes are accepted', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    a.add('x', '1');
    a.add('y', '1');
    met(network, a, b);
    const former = a.replica.origin;
    network.run(1000);
    a.loseStore();
    a.add('y', '2');
    a.add('z', '2');
    network.until(() => network.isEqual);

    expect(a.replica.origin.epoch).toBeGreaterThan(former.epoch);
    for (const node of [a, b]) expect(node.visible).toEqual({ x: '1', y: '2', z: '2' });
  });

  test('and made anew under a low epoch takes one above what a peer reports', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    a.add('x', '1');
    met(network, a, b);
    const former = a.replica.origin.epoch;
    network.cut(a, b);
    a.loseStore(former);
    network.connect(a, b);
    a.add('y', '2');
    network.until(() => network.isEqual);

    expect(a.replica.origin.epoch).toBeGreaterThan(former);
    for (const node of [a, b]) expect(node.visible).toEqual({ x: '1', y: '2' });
  });

  test('leaves no former life that beats a live write of this one', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a', { skewMs: 5000 }), network.node('b')];
    a.add('x', 'former');
    met(network, a, b);
    network.cut(a, b);
    // The clock is set right, and so the new life stamps earlier than the former one.
    (a.options as { skewMs: number }).skewMs = 0;
    a.loseStore(a.replica.origin.epoch + 1);
    a.add('x', 'present');
    met(network, a, b);

    for (const node of [a, b]) expect(node.visible).toEqual({ x: 'present' });
  });

  test('leaves no former life that beats a live write, even one made before a peer reported its epoch', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a', { skewMs: 5000 }), network.node('b')];
    a.add('x', 'former');
    met(network, a, b);
    network.cut(a, b);
    (a.options as { skewMs: number }).skewMs = 0;
    a.loseStore(a.nowMs);
    expect(a.replica.origin.epoch).toBeLessThan(START_MS + 5000);
    a.add('x', 'present');
    met(network, a, b);

    expect(a.replica.origin.epoch).toBeGreaterThan(START_MS + 5000);
    for (const node of [a, b]) expect(node.visible).toEqual({ x: 'present' });
  });
});

test('two writes with the same clock reading end as one and the same everywhere: that of the higher name', () => {
  const network = aNetwork();
  const nodes = ['b', 'c', 'a'].map((name) => network.node(name));
  for (let round = 0; round < 10; round++) {
    network.run(10);
    const stamps = nodes.map((node) => node.add('x', `${node.name}${round}`).stamp);
    expect(new Set(stamps).size).toBe(1);
    network.connectAll();
    network.until(() => network.isEqual);
    expect(nodes.map((node) => node.visible)).toEqual(nodes.map(() => ({ x: `c${round}` })));
    for (const node of nodes) network.isolate(node);
  }
});

describe('a removal', () => {
  test('seen during a busy exchange whose contexts are never equal takes effect', () => {
    const network = aNetwork({ tombstoneTtl: 0, gc: 100 });
    const [a, b] = [network.node('a'), network.node('b')];
    a.add('x', '1');
    met(network, a, b);
    network.cut(a, b);
    a.remove('x');
    network.run(1000);
    expect(a.replica.store.size).toBe(0);
    // Both write faster than any message travels: neither context ever covers the other's for long.
    let writes = 0;
    let unequal = true;
    const busy = (): void => {
      a.add('busy a', String(++writes));
      unequal &&= !network.isEqual;
      if (writes < 2000) network.after(3, busy);
    };
    network.after(0, busy);
    network.connect(a, b);
    network.until(() => b.visible['x'] === undefined, 5900);
    expect(unequal).toBe(true);
    expect(writes).toBeLessThan(2000);
  });

  test('gets through in hybrid, where something young always differs', () => {
    const stuck: number[] = [];
    for (let seed = 1; seed <= 12; seed++) {
      const network = new Network({
        protocol: hybrid({ delta: 500, gc: 100, tombstoneTtl: 0 }),
        seed,
        latencyMs: (random) => 1 + Math.floor(random() * 50),
      });
      network.recording = false;
      const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => network.node(name));
      const [a, b] = nodes as [Node, Node];
      network.connectAll();
      a.add('x', '1');
      network.until(() => network.isEqual);
      network.isolate(b);
      a.remove('x');
      network.run(1000);
      let writes = 0;
      const busy = (): void => {
        nodes[writes % nodes.length]?.add(`busy${writes % 5}`, String(++writes));
        network.after(3, busy);
      };
      busy();
      network.connectAll();
      network.run(5000);
      if (b.visible['x'] !== undefined) stuck.push(seed);
    }
    expect(stuck).toEqual([]);
  });

  test.each([0, 1000])(
    'survives a pause longer than tombstoneTtl (%i ms): no removed id comes back',
    (tombstoneTtl) => {
      const network = aNetwork({ tombstoneTtl, gc: 100 });
      const [a, b, c] = [network.node('a'), network.node('b'), network.node('c')];
      network.connectAll();
      for (let i = 0; i < 50; i++) a.add(`id${i}`, '1');
      network.until(() => network.isEqual);
      c.stop();
      for (let i = 0; i < 25; i++) b.remove(`id${i}`);
      for (let i = 50; i < 60; i++) a.add(`id${i}`, '1');
      network.run(20000);
      expect(a.replica.store.size).toBe(35);

      let returned: string[] = [];
      c.continue();
      const watch = (): void => {
        const gone = (id: string): boolean => Number(id.slice(2)) < 25;
        returned = returned.concat(...[a, b].map((node) => Object.keys(node.live).filter(gone)));
        network.after(5, watch);
      };
      watch();
      network.until(() => network.isEqual);
      network.run(10000);
      expect(returned).toEqual([]);
      for (const node of [a, b, c]) expect(Object.keys(node.live)).toHaveLength(35);
    },
  );

  test('does not keep an id from being added again, by whomever, with its tombstone kept or collected', () => {
    for (const tombstoneTtl of [0, 3600000]) {
      const network = aNetwork({ tombstoneTtl, gc: 100 });
      const [a, b] = [network.node('a'), network.node('b')];
      network.connect(a, b);
      for (const [remover, adder] of [
        [a, a],
        [a, b],
        [b, a],
      ] as const) {
        remover.add('x', '1');
        network.until(() => network.isEqual && a.visible['x'] === '1' && b.visible['x'] === '1');
        remover.remove('x');
        network.until(() => network.isEqual && b.visible['x'] === undefined && a.visible['x'] === undefined);
        network.run(500);
        adder.add('x', 'again');
        network.until(() => network.isEqual);
        expect([a.visible, b.visible]).toEqual([{ x: 'again' }, { x: 'again' }]);
      }
    }
  });

  test('beats an older write that it had not seen while its tombstone is kept', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    b.add('x', 'unseen');
    network.run(10);
    a.remove('x');
    met(network, a, b);
    expect([a.visible, b.visible]).toEqual([{}, {}]);
  });

  test('loses to a newer write that it had not seen', () => {
    const network = aNetwork({ tombstoneTtl: 0, gc: 100 });
    const [a, b] = [network.node('a'), network.node('b')];
    a.remove('x');
    network.run(10);
    b.add('x', 'newer');
    met(network, a, b);
    expect([a.visible, b.visible]).toEqual([{ x: 'newer' }, { x: 'newer' }]);
  });
});

describe('expiry', () => {
  test('under skewed clocks ends everywhere, each by its own clock, and nobody sends or sweeps for it', () => {
    const network = aNetwork({ gc: 100, tombstoneTtl: 1000 });
    const [early, late] = [network.node('a', { skewMs: 20000 }), network.node('b', { skewMs: -20000 })];
    network.connect(early, late);
    const { expiresAt } = late.add('x', '1', 45000);
    network.until(() => early.visible['x'] === '1');
    const isOver = (node: Node): boolean => node.nowMs >= (expiresAt as number);
    let wrong = 0;
    let ahead = 0;
    const watch = (): void => {
      for (const node of [early, late]) if ((node.visible['x'] === undefined) !== isOver(node)) wrong++;
      if (isOver(early) && !isOver(late)) ahead++;
      network.after(100.5, watch);
    };
    network.after(0.25, watch);
    network.sent.length = 0;
    network.run(60000);

    expect(ahead).toBeGreaterThan(300);
    expect(wrong).toBe(0);
    expect([...new Set(network.sent.map(({ message }) => message.type))]).toEqual(['hashes']);
    expect(network.isEqual).toBe(true);
  });

  test('is never sent on', () => {
    const network = aNetwork({ gc: false });
    const [a, b] = [network.node('a'), network.node('b')];
    a.add('x', 'brief', 1000);
    a.add('y', '1');
    network.run(2000);
    expect(a.replica.store.size).toBe(2);
    met(network, a, b);
    expect(b.replica.store.size).toBe(1);
  });

  test('does not bring back what an expiring write had superseded', () => {
    const network = aNetwork({ gc: 100, tombstoneTtl: 0 });
    const [a, b] = [network.node('a'), network.node('b')];
    a.add('x', 'old');
    met(network, a, b);
    network.cut(a, b);
    a.add('x', 'brief', 1000);
    network.run(5000);
    expect(a.replica.store.size).toBe(0);
    network.connect(a, b);
    network.until(() => b.visible['x'] === undefined);
    network.run(5000);
    expect([a.live, b.live]).toEqual([{}, {}]);
  });
});

describe('many', () => {
  test('origins are compared by buckets, and only those that differ are told', () => {
    const network = aNetwork();
    const [a, b] = [network.node('a'), network.node('b')];
    for (let o = 0; o < 100; o++) {
      const make = (): Update =>
        new Update(`id${o}`, text('1'), stampAt(START_MS) - 1, new Origin(`n${o}`, START_MS), 1, undefined);
      for (const node of [a, b]) node.step(() => node.replica.admit([make()], keepAll, node.nowMs));
    }
    a.add('x', '1');
    b.add('y', '1');
    met(network, a, b);

    expect([...sentBy(network, 'a', 'bucket-sums'), ...sentBy(network, 'b', 'bucket-sums')]).toHaveLength(1);
    const told = network.sent.flatMap(({ message }) => (message.type === 'contexts' ? [message] : []));
    expect(told.length).toBeGreaterThan(0);
    for (const { buckets, dots } of told) {
      expect(buckets.length).toBeLessThanOrEqual(2);
      expect(dots.length).toBeLessThan(10);
    }
    expect(a.live).toEqual(b.live);
    expect(Object.keys(a.live)).toHaveLength(102);
  });

  test.each(['push', 'pull', 'push-pull'] as const)('origins end equal where exchanges go by %s', (direction) => {
    const network = aNetwork({ direction });
    const nodes = ['a', 'b', 'c'].map((name) => network.node(name));
    nodes.forEach((node, n) => {
      for (let o = 0; o < 80; o++) {
        const origin = new Origin(`n${n}.${o % 70}`, START_MS);
        const update = new Update(
          `id${n}.${o}`,
          text('1'),
          stampAt(START_MS) - 1,
          origin,
          1 + Math.floor(o / 70),
          undefined,
        );
        node.step(() => node.replica.admit([update], keepAll, node.nowMs));
      }
    });
    network.connectAll();
    network.until(() => network.isEqual);
    for (const node of nodes) expect(Object.keys(node.live)).toHaveLength(240);
  });

  test('live ids are swept by buckets of ids, and only those that differ are listed', () => {
    const network = aNetwork({ tombstoneTtl: 0, gc: 100 });
    const [a, b] = [network.node('a'), network.node('b')];
    for (let i = 0; i < 2000; i++) a.add(`id${i}`, '1');
    met(network, a, b);
    network.cut(a, b);
    for (const i of [3, 300, 1500]) a.remove(`id${i}`);
    network.run(1000);
    network.sent.length = 0;
    network.connect(a, b);
    network.until(() => network.isEqual);

    expect(network.sent.some(({ message }) => message.type === 'live-sums')).toBe(true);
    const listed = network.sent.flatMap(({ message }) => (message.type === 'live-dots' ? [message] : []));
    expect(listed.length).toBeGreaterThan(0);
    for (const { buckets } of listed) expect(buckets.length).toBeLessThanOrEqual(3);
    expect(Object.keys(b.live)).toHaveLength(1997);
    expect(b.live).toEqual(a.live);
  });
});

describe('an update that a replica does not take', () => {
  test('for its size stays out of its context, is said once, and comes again only on a new connection', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { replica: { maxUpdateBytes: 1000 } });
    a.add('x', '1');
    addLarge(a, 'large');
    a.add('y', '1');
    network.connect(a, b);
    network.run(10000);
    expect(b.visible).toEqual({ x: '1', y: '1' });
    expect(b.replica.context.has(a.replica.origin, 2)).toBe(false);
    const sendings = (): number =>
      sentBy(network, 'a', 'chunk').filter(
        (chunk) => chunk.type === 'chunk' && [...chunk.updates].some(({ id }) => id === 'large'),
      ).length;
    expect(sendings()).toBe(1);
    expect(sentBy(network, 'b', 'refused')).toHaveLength(1);

    network.cut(a, b);
    network.connect(a, b);
    network.run(10000);
    expect(sendings()).toBe(2);
  });

  test('for its size does not keep removals from it', () => {
    const network = aNetwork({ tombstoneTtl: 0, gc: 100 });
    const a = network.node('a');
    const b = network.node('b', { replica: { maxUpdateBytes: 1000 } });
    addLarge(a, 'large');
    a.add('x', '1');
    network.connect(a, b);
    network.until(() => b.visible['x'] === '1');
    network.cut(a, b);
    a.remove('x');
    network.run(1000);
    network.connect(a, b);
    network.until(() => b.visible['x'] === undefined);
    expect(a.visible).toMatchObject({ large: expect.anything() });
  });

  test('for its size is forgotten once it is superseded: then all are equal and silent', () => {
    const network = aNetwork();
    const a = network.node('a');
    const b = network.node('b', { replica: { maxUpdateBytes: 1000 } });
    addLarge(a, 'large');
    network.connect(a, b);
    network.run(5000);
    a.add('large', 'small');
    network.until(() => network.isEqual);
    expect(b.visible).toEqual({ large: 'small' });
  });

  test('for its stamp is in no context until its time comes, and the report names its origin', () => {
    const network = aNetwork({ gc: 100 });
    const [a, b] = [network.node('a', { skewMs: 100000 }), network.node('b')];
    a.add('x', '1');
    network.connect(a, b);
    network.run(10000);
    expect(b.visible).toEqual({});
    expect(b.replica.context.isEmpty).toBe(true);
    expect(b.errors.map(({ code }) => code)).toEqual(['CLOCK_TOO_FAR']);
    expect(b.errors[0]?.message).toContain("'a'");
    network.run(20000);
    expect(b.visible).toEqual({});
    network.run(11000);
    expect(b.visible).toEqual({ x: '1' });
  });

  test.each([entropy({ level: 0, gc: false }), hybrid({ gc: false })])(
    'for its stamp is taken when its time comes where no garbage is collected either ($name)',
    (protocol) => {
      const network = new Network({ protocol, seed: 1, latencyMs: () => 10 });
      const [a, b] = [network.node('a', { skewMs: 100000 }), network.node('b')];
      a.add('x', '1');
      a.add('short', '1', 1000);
      network.connect(a, b);
      network.run(900);
      network.cut(a, b);
      expect(b.replica.idsHeldBack()).toEqual(new Set(['x', 'short']));
      network.run(60000);
      expect(b.visible).toEqual({ x: '1', short: '1' });
      network.run(60000);
      expect(b.visible).toEqual({ x: '1' });
    },
  );

  test('for its stamp does not keep removals out while more of it comes for ever', () => {
    const network = aNetwork({ tombstoneTtl: 0, gc: 100 });
    const [far, ahead, near] = [network.node('far'), network.node('ahead', { skewMs: 100000 }), network.node('near')];
    far.add('x', '1');
    far.add('y', '1');
    network.connect(far, ahead);
    network.connect(ahead, near);
    network.until(() => near.visible['x'] === '1');
    network.cut(ahead, near);
    far.remove('x');
    network.until(() => ahead.visible['x'] === undefined);
    network.run(1000);
    network.connect(ahead, near);
    // What supersedes `y` is held back, and until its time comes `y` stays.
    ahead.add('y', '2');
    const goOn = (seconds: number): void => {
      for (let i = 0; i < seconds; i++) {
        ahead.add(`new ${i}`, '1');
        network.run(1000);
      }
    };
    // Somebody else might still bring what is claimed.
    goOn(30);
    expect(near.visible).toEqual({ x: '1', y: '1' });
    goOn(100);
    expect(near.visible).not.toHaveProperty('x');
    network.until(() => network.isEqual);
    expect(near.visible).toMatchObject({ y: '2', 'new 0': '1' });
  });

  test('for lack of room among those from the future is in no context, and comes in the end', () => {
    const network = aNetwork({ gc: 100 });
    const [a, b] = [network.node('a', { skewMs: 100000 }), network.node('b')];
    for (let i = 0; i < 3000; i++) a.add(`id${i}`, '1');
    network.connect(a, b);
    network.run(10000);
    expect(b.replica.context.isEmpty).toBe(true);
    network.until(() => network.isEqual);
    expect(Object.keys(b.live)).toHaveLength(3000);
  });
});

/** A node whose clock is ahead writes more than others hold back: that keeps no removal out which another peer can tell of. */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, type Protocol } from '@grapevine/core';
import { Network } from './network.ts';

const HOUR_MS = 3_600_000;
/** As many as are held back. */
const HELD = 1024;

describe.each([
  ['entropy', (): Protocol => entropy({ tombstoneTtl: 0 })],
  ['hybrid', (): Protocol => hybrid({ entropy: { tombstoneTtl: 0 } })],
])('with %s, a node that hears from one whose clock is ahead, and holds back its writes', (_name, protocol) => {
  test.each([1, 3000])('learns of a removal from another meanwhile, with %d of them that keep coming', (count) => {
    const network = new Network({ protocol: protocol(), seed: 1 });
    network.recording = false;
    const clock = { skewMs: 0 };
    const [a, ahead, b] = [network.node('a'), network.node('ahead', clock), network.node('b')];
    network.connectAll();
    a.add('x', 'old');
    network.until(() => b.visible['x'] === 'old');
    network.isolate(b);
    a.remove('x');
    network.run(10_000);
    expect([a.replica.store.size, ahead.replica.store.size]).toEqual([0, 0]);
    clock.skewMs = HOUR_MS;
    for (let i = 0; i < count; i++) ahead.add(`early${i}`, '1');
    network.connect(ahead, b);
    network.until(() => b.replica.idsHeldBack().size === Math.min(count, HELD));
    network.connect(a, b);
    network.until(() => b.visible['x'] === undefined);
    expect(b.replica.idsHeldBack().size).toBe(Math.min(count, HELD));
    expect(b.visible).toEqual({});
    clock.skewMs = 0;
    network.until(() => network.isEqual);
    expect(Object.keys(b.visible)).toHaveLength(count);
  });

  test('learns that an id of these is removed, where the one whose clock was ahead is no more', () => {
    const network = new Network({ protocol: protocol(), seed: 1 });
    const [a, ahead, b] = [network.node('a'), network.node('ahead', { skewMs: HOUR_MS }), network.node('b')];
    network.connectAll();
    a.add('x', 'old');
    network.until(() => b.visible['x'] === 'old');
    ahead.add('x', 'early');
    network.until(() => b.replica.idsHeldBack().has('x'));
    network.isolate(ahead);
    network.isolate(b);
    a.remove('x');
    network.run(10_000);
    network.connect(a, b);
    network.until(() => b.visible['x'] === undefined);
    expect(b.replica.idsHeldBack().has('x')).toBe(true);
  });
});

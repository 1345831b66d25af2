import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Membership, MembershipMachine } from '@grapevine/core';
import { start, stop } from 'nact';

import { ready } from './grapevine.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { Cluster } from './testing/cluster.ts';

let system: Ref<never>;
let cluster: Cluster;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

describe('the tracker', () => {
  test('tells a module that the process stood still before it hears of what that delayed', async () => {
    const inputs: string[] = [];
    const stalls: number[] = [];
    const timers: ((delayMs: number) => void)[] = [];
    const nothing = (): void => undefined;
    const membership: Membership = {
      name: 'listening',
      accepts: () => false,
      create({ effects }): MembershipMachine {
        timers.push((delayMs) => effects.setTimer('timer', delayMs));
        return {
          start: nothing,
          connected: nothing,
          disconnected: nothing,
          receive: nothing,
          leave: nothing,
          tick: () => void inputs.push('tick'),
          stalled: (forMs) => {
            inputs.push('stalled');
            stalls.push(forMs);
          },
        };
      },
    };
    await ready(cluster.node('one', { membership }));
    await until(() => timers.length > 0);
    timers[0]?.(20);
    // Nothing else runs in this process meanwhile, as if it had been stopped.
    for (const endMs = performance.now() + 400; performance.now() < endMs;);
    await until(() => inputs.includes('tick'));
    expect(inputs).toEqual(['stalled', 'tick']);
    expect(stalls[0]).toBeGreaterThan(350);
  });
});

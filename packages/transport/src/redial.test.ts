import { describe, expect, test } from '@jest/globals';
import { Redial, type Target } from './redial.ts';

const target = (url: string): Target => ({
  url,
  canonicalUrl: url,
  source: 'configuration',
  leadsTo: null,
});

/** A redial whose timers wait until the test fires them. */
function aRedial({ random = () => 1 }: { random?: () => number } = {}) {
  const dials: string[] = [];
  const gaveUp: string[] = [];
  const connected = new Set<string>();
  const timers: { delayMs: number; run: () => void }[] = [];
  const redial = new Redial({
    minMs: 100,
    maxMs: 10_000,
    random,
    isConnected: (name) => connected.has(name),
    setTimer: (delayMs, run) => {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    dial: ({ url }) => {
      dials.push(url);
      return () => void gaveUp.push(url);
    },
  });
  const fire = (): void => timers.shift()?.run();
  return { redial, dials, gaveUp, connected, timers, fire };
}

describe('redialling', () => {
  test('doubles its ceiling with every failure up to the maximum, for ever', () => {
    const { redial, dials, fire } = aRedial();
    redial.replace([target('u')]);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 100; attempt++) {
      delays.push(redial.failed(target('u')));
      fire();
    }
    expect(delays.slice(0, 9)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect(delays[99]).toBe(10_000);
    expect(dials).toHaveLength(101);
  });

  test('jitters over the whole range', () => {
    const rolls = [0, 0.5];
    const { redial, fire } = aRedial({ random: () => rolls.shift() as number });
    redial.replace([target('u')]);
    expect(redial.failed(target('u'))).toBe(0);
    fire();
    expect(redial.failed(target('u'))).toBe(100);
  });

  test('starts anew after a stable session, and goes on backing off after a short one', () => {
    const { redial, timers, fire } = aRedial();
    redial.replace([target('u')]);
    redial.failed(target('u'));
    fire();
    redial.connected({ name: 'b', canonicalUrls: ['u'] }, target('u'));
    redial.lost('b', false);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([200]);
    fire();
    redial.connected({ name: 'b', canonicalUrls: ['u'] }, target('u'));
    redial.lost('b', true);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([100]);
  });

  test('rests while the node that the URL leads to is connected, and dials when it is lost', () => {
    const { redial, dials, connected, timers, fire } = aRedial();
    redial.replace([target('u'), target('v')]);
    connected.add('b');
    redial.connected({ name: 'b', canonicalUrls: ['u'] }, target('u'));
    redial.superfluous(target('v'), 'b');
    expect(timers).toEqual([]);
    connected.delete('b');
    redial.lost('b', true);
    fire();
    fire();
    expect(dials).toEqual(['u', 'v', 'u', 'v']);
  });

  test('tries again where the other connection of the pair came to nothing', () => {
    const { redial, dials, fire } = aRedial();
    redial.replace([target('u')]);
    redial.superfluous(target('u'), 'b');
    fire();
    expect(dials).toEqual(['u', 'u']);
  });

  test('gives up what is no longer wanted, and leaves what still is alone', () => {
    const { redial, dials, gaveUp, timers } = aRedial();
    redial.replace([target('u'), target('v')]);
    redial.failed(target('v'));
    redial.replace([target('w'), target('v')]);
    expect([dials, gaveUp, timers.length]).toEqual([['u', 'v', 'w'], ['u'], 1]);
    redial.stop();
    expect([gaveUp, timers.length]).toEqual([['u', 'w'], 0]);
    expect(redial.failed(target('w'))).toBe(Number.POSITIVE_INFINITY);
  });
});

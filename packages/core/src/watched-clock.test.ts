import { describe, expect, test } from '@jest/globals';

import { watched } from './watched-clock.ts';

const DAY_MS = 86_400_000;

/** A machine whose clock can be set and that can sleep. */
function aMachine(forgetAfterMs = DAY_MS): {
  steps: number[];
  read: () => number;
  pass: (ms: number) => void;
  set: (byMs: number) => void;
  reads: () => number;
} {
  let wallMs = 1e12;
  let upMs = 5000;
  let count = 0;
  const steps: number[] = [];
  const read = watched(
    () => wallMs,
    { forgetAfterMs, clockSet: (byMs) => void steps.push(Math.round(byMs)) },
    () => (count++, upMs / 1000),
  );
  return {
    steps,
    read,
    pass: (ms) => {
      wallMs += ms;
      upMs += ms;
    },
    set: (byMs) => void (wallMs += byMs),
    reads: () => count,
  };
}

describe('a watched clock', () => {
  test.each([2 * DAY_MS, 3650 * DAY_MS, -2 * DAY_MS])('tells that it was set by %d ms', (byMs) => {
    const { steps, read, pass, set } = aMachine();
    pass(10_000);
    set(byMs);
    expect(read()).toBe(1e12 + 10_000 + byMs);
    expect(steps).toEqual([byMs]);
    pass(120_000);
    read();
    set(-byMs);
    read();
    expect(steps).toEqual([byMs, -byMs]);
  });

  test('tells nothing of sleep, and of both the step alone', () => {
    const { steps, read, pass, set } = aMachine();
    pass(3 * DAY_MS);
    read();
    expect(steps).toEqual([]);
    pass(3 * DAY_MS);
    set(-DAY_MS);
    read();
    expect(steps).toEqual([-DAY_MS]);
  });

  test('tells small steps together', () => {
    const { steps, read, pass, set } = aMachine();
    for (let i = 0; i < 10; i++) {
      set(-1000);
      pass(61_000);
      read();
    }
    expect(steps).toEqual([-3000, -3000, -3000]);
  });

  test('asks for the uptime once a minute, or more often where a step within a minute matters', () => {
    const { read, pass, reads } = aMachine();
    for (let i = 0; i < 600; i++) {
      pass(1000);
      read();
    }
    expect(reads()).toBe(11);
    const quick = aMachine(20_000);
    quick.set(25_000);
    quick.read();
    expect(quick.steps).toEqual([25_000]);
  });

  test('tells nothing where the uptime cannot be read', () => {
    const refuse = (): number => {
      throw new Error('not permitted');
    };
    const steps: number[] = [];
    let wallMs = 0;
    const read = watched(() => wallMs, { forgetAfterMs: DAY_MS, clockSet: (byMs) => void steps.push(byMs) }, refuse);
    wallMs = 2 * DAY_MS;
    expect(read()).toBe(2 * DAY_MS);
    expect(steps).toEqual([]);
  });
});

import { describe, expect, test } from '@jest/globals';

import { systemClock } from './clock.ts';

/** How many timers keep this process alive. */
const holding = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

describe('the system’s clock', () => {
  test('keeps the process alive only for timers that are asked to', () => {
    const before = holding();
    const cancels = [systemClock.after(60_000, () => {}), systemClock.every(60_000, () => {})];
    expect(holding()).toBe(before);
    cancels.push(
      systemClock.after(60_000, () => {}, true),
      systemClock.every(60_000, () => {}, true),
    );
    expect(holding()).toBe(before + 2);
    for (const cancel of cancels) cancel();
    expect(holding()).toBe(before);
  });

  test('runs once, or again and again, until it is cancelled', async () => {
    await new Promise<void>((resolve) => systemClock.after(1, resolve));
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const cancel = systemClock.every(1, () => {
        ticks += 1;
        if (ticks === 3) cancel();
        if (ticks === 3) resolve();
      });
    });
    expect(ticks).toBe(3);
  });

  test('waits as long as a timer can when it is asked for longer', async () => {
    let fired = false;
    const cancels = [
      systemClock.after(2 ** 31, () => (fired = true)),
      systemClock.every(2 ** 31, () => (fired = true)),
    ];
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
    for (const cancel of cancels) cancel();
    expect(fired).toBe(false);
  });
});

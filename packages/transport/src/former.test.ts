import { describe, expect, test } from '@jest/globals';
import { askFormer } from './former.ts';
import type { Link } from './session.ts';

/** A session that was asked, with timers that wait until the test fires them. */
function aFormer({ reads = true }: { reads?: boolean } = {}) {
  const timers: { delayMs: number; run: () => void }[] = [];
  const askers = new Set<(lives: boolean) => void>();
  const answers: boolean[] = [];
  const counters = { framesIn: 5 };
  const former = {
    counters,
    reads,
    ask: (answered: (lives: boolean) => void) => {
      askers.add(answered);
      return () => void askers.delete(answered);
    },
  };
  const giveUp = askFormer(former as unknown as Link, {
    timeoutMs: 500,
    setTimer: (delayMs, run) => {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      };
    },
    answered: (lives) => void answers.push(lives),
  });
  const tell = (lives: boolean): void => askers.forEach((asker) => asker(lives));
  const fire = (): void => timers.shift()?.run();
  return { answers, askers, counters, fire, giveUp, tell, timers };
}

describe('a former self that is asked whether it lives', () => {
  test('lives when a ping or pong comes, at once, and nothing is left', () => {
    const { answers, askers, tell, timers } = aFormer();
    tell(true);
    expect([answers, askers.size, timers.length]).toEqual([[true], 0, 0]);
  });

  test('is gone when it ends, as soon as whoever ended it is done', async () => {
    const { answers, tell, timers } = aFormer();
    tell(false);
    expect(answers).toEqual([]);
    await Promise.resolve();
    expect([answers, timers.length]).toEqual([[false], 0]);
  });

  test('is gone when it stays silent for two turns, which are the time that was given', () => {
    const { answers, fire, timers } = aFormer();
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([250]);
    fire();
    expect([answers, timers.map(({ delayMs }) => delayMs)]).toEqual([[], [250]]);
    fire();
    expect([answers, timers.length]).toEqual([[false], 0]);
  });

  test('lives when the first turn came late and its pong was read after that', () => {
    const { answers, fire, tell } = aFormer();
    fire();
    tell(true);
    fire();
    expect(answers).toEqual([true]);
  });

  test('lives when frames came, but only once the time is up: its end may follow', async () => {
    const busy = aFormer();
    busy.counters.framesIn++;
    busy.fire();
    expect(busy.answers).toEqual([]);
    busy.fire();
    expect(busy.answers).toEqual([true]);
    const crashed = aFormer();
    crashed.counters.framesIn++;
    crashed.tell(false);
    await Promise.resolve();
    expect(crashed.answers).toEqual([false]);
  });

  test('counts as living when it is not read here', () => {
    const { answers, fire } = aFormer({ reads: false });
    fire();
    fire();
    expect(answers).toEqual([true]);
  });

  test('is asked no more once that is given up', async () => {
    const { answers, fire, giveUp, tell, timers } = aFormer();
    tell(false);
    giveUp();
    await Promise.resolve();
    fire();
    expect([answers, timers.length]).toEqual([[], 0]);
  });
});

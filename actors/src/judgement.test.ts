import { describe, expect, test } from '@jest/globals';
import { keepAll, Origin, type StoredView, Update } from '@grapevine/core';

import { Judgement } from './judgement.ts';
import type { Ruling } from './verdict.ts';

const origin = new Origin('one', 1);
const updates = (...ids: string[]): Update[] =>
  ids.map((id, i) => new Update(id, `bytes of ${id}`, i + 1, origin, i + 1, undefined));
const stored: StoredView = { arrival: 7, get: () => undefined, entries: () => [].values(), release: () => {} };
const aJudgement = (...ids: string[]): Judgement =>
  new Judgement({ offer: { number: 1, updates: updates(...ids), stored }, retries: 2, patienceMs: 1000 });
const keeping = (group: readonly Update[]): Ruling => ({
  reset: false,
  kept: new Map(group.map(({ id, value }) => [id, value as string])),
});

/** Runs it with a handler that fails where `fails` says so. @returns what it was offered */
function run(judgement: Judgement, fails: (ids: string[]) => boolean, nowMs: () => number = () => 0): string[] {
  const offered: string[] = [];
  for (;;) {
    const group = judgement.next(nowMs());
    if (group === null) return offered;
    const ids = group.map(({ id }) => id);
    offered.push(ids.join(''));
    if (fails(ids)) judgement.note(new Error(ids.join('')));
    else judgement.succeeded(keeping(group));
  }
}

describe('a judgement', () => {
  test('that succeeds at once keeps all', () => {
    const judgement = aJudgement('a', 'b');
    expect(run(judgement, () => false)).toEqual(['ab']);
    expect(judgement.verdict()).toBe(keepAll);
  });

  test('halves what fails, in order, down to what is poisonous', () => {
    const judgement = aJudgement('a', 'b', 'c', 'd');
    const offered = run(judgement, (ids) => ids.includes('c'));
    expect(offered).toEqual(['abcd', 'abcd', 'ab', 'cd', 'c', 'c', 'd']);
    expect(judgement.letters.map(({ id }) => id)).toEqual(['c']);
    expect(judgement.verdict()).toEqual({
      type: 'keep',
      kept: new Map(['a', 'b', 'd'].map((id) => [id, `bytes of ${id}`])),
    });
  });

  test('in which everything fails is dead', () => {
    const judgement = aJudgement('a', 'b');
    run(judgement, () => true);
    expect(judgement.verdict()).toEqual({ type: 'dead' });
    expect(judgement.letters.map(({ id, error }) => `${id}: ${(error as Error).message}`)).toEqual(['a: a', 'b: b']);
  });

  test('gives up what is left when its patience ends', () => {
    let nowMs = 0;
    const judgement = aJudgement('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const offered = run(
      judgement,
      () => true,
      () => (nowMs += 300),
    );
    expect(offered.length).toBeLessThan(8);
    expect(judgement.letters.map(({ id }) => id).join('')).toBe('abcdefgh');
    expect(judgement.verdict()).toEqual({ type: 'dead' });
  });

  test('that resets in one part forgets what was kept before, and keeps what comes after', () => {
    const judgement = aJudgement('a', 'b', 'c');
    for (let group = judgement.next(0); group !== null; group = judgement.next(0)) {
      const [first] = group as [Update];
      if (group.length > 1) judgement.note(new Error('too many'));
      else judgement.succeeded({ ...keeping(group), reset: first.id === 'b' });
    }
    expect(judgement.verdict()).toEqual({
      type: 'reset',
      kept: new Map([
        ['b', 'bytes of b'],
        ['c', 'bytes of c'],
      ]),
      offeredArrival: 7,
    });
  });
});

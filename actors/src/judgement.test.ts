import { describe, expect, test } from '@jest/globals';
import { keepAll, Origin, type StoredView, Update, type Verdict } from '@grapevine/core';

import type { DeadLetter } from './events.ts';
import { Judgement, Portions } from './judgement.ts';
import type { Ruling } from './verdict.ts';

const origin = new Origin('one', 1);
const updates = (...ids: string[]): Update[] =>
  ids.map((id, i) => new Update(id, `bytes of ${id}`, i + 1, origin, i + 1, undefined));
const stored: StoredView = { arrival: 7, get: () => undefined, entries: () => [].values(), release: () => {} };
const keeping = (group: readonly Update[]): Ruling => ({
  reset: false,
  kept: new Map(group.map(({ id, value }) => [id, value as string])),
});

interface Run {
  /** The ids of each try. */
  readonly tries: string[];
  readonly verdicts: Verdict[];
  readonly letters: DeadLetter[];
}

/** Offers these until all is settled, as an intake does, to a handler that fails where `fails` says so. */
function run(
  ids: readonly string[],
  fails: (ids: string[]) => boolean,
  { portions = new Portions(), isLate = false, retries = 2 } = {},
): Run {
  const tries: string[] = [];
  const verdicts: Verdict[] = [];
  const letters: DeadLetter[] = [];
  let left: readonly Update[] = updates(...ids);
  for (let number = 1; left.length > 0; number++) {
    const judgement = new Judgement({
      offer: { number, updates: left, isRest: number > 1, stored },
      portions,
      retries,
    });
    while (judgement.outcome === null) {
      const group = judgement.next();
      const tried = group.map(({ id }) => id);
      tries.push(tried.join(''));
      if (fails(tried)) judgement.failed(new Error(`cannot read ${tried.join('')}`), { isLate });
      else judgement.succeeded(keeping(group));
    }
    const { verdict, letter } = judgement.outcome;
    verdicts.push(verdict);
    if (letter !== null) letters.push(letter);
    left = left.slice(verdict.count ?? left.length);
  }
  return { tries, verdicts, letters };
}

describe('a judgement', () => {
  test('that succeeds at once keeps all', () => {
    const { tries, verdicts } = run(['a', 'b'], () => false);
    expect(tries).toEqual(['ab']);
    expect(verdicts).toEqual([keepAll]);
  });

  test('halves what fails, from the front, and settles each part as soon as it is judged', () => {
    const { tries, verdicts, letters } = run(['a', 'b', 'c', 'd'], (ids) => ids.includes('c'));
    expect(tries).toEqual(['abcd', 'ab', 'cd', 'c', 'c', 'd']);
    expect(verdicts).toEqual([{ type: 'keep-all', count: 2 }, { type: 'dead', count: 1 }, keepAll]);
    expect(letters.map(({ id, error }) => `${id}: ${(error as Error).message}`)).toEqual(['c: cannot read c']);
  });

  test('in which everything fails makes a dead letter of each, with an error of its own', () => {
    const { letters } = run(['a', 'b'], () => true);
    expect(letters.map(({ id, error }) => `${id}: ${(error as Error).message}`)).toEqual([
      'a: cannot read a',
      'b: cannot read b',
    ]);
  });

  test('asks little more than a thousand times over a thousand updates of which a hundred fail', () => {
    const ids = Array.from({ length: 1000 }, (_, i) => (i % 10 === 7 ? `bad ${i}` : `good ${i}`));
    const { tries, letters } = run(ids, (group) => group.some((id) => id.startsWith('bad')), { retries: 3 });
    expect(letters.map(({ id }) => id)).toEqual(ids.filter((id) => id.startsWith('bad')));
    expect(tries.length).toBeLessThan(1500);
  });

  test('offers a batch whole, whatever the one before it threw on', () => {
    const portions = new Portions();
    run(['a', 'b', 'c'], (ids) => ids.includes('c'), { portions });
    expect(run(['d', 'e', 'f'], () => false, { portions }).tries).toEqual(['def']);
  });

  test('tries each update alone as often as the others, whatever became of those before it', () => {
    const portions = new Portions();
    const failsOnce = new Set(['b', 'e']);
    const fails = (ids: string[]): boolean => ids.includes('a') || ids.length > 1 || failsOnce.delete(ids[0] as string);
    expect(run(['a', 'b', 'c'], fails, { portions }).letters.map(({ id }) => id)).toEqual(['a']);
    const unfinished = new Judgement({
      offer: { number: 1, updates: updates('d'), isRest: false, stored },
      portions,
      retries: 2,
    });
    unfinished.next();
    unfinished.failed(new Error('its instance crashes before the second try'), { isLate: false });
    expect(run(['e'], fails, { portions }).tries).toEqual(['e', 'e']);
  });

  test('gives a handler that was late no more than half of that, and more again bit by bit', () => {
    const portions = new Portions();
    const slow = (ids: string[]): boolean => ids.length > 3;
    const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
    const first = run(letters.slice(0, 8), slow, { portions, isLate: true });
    expect(first.tries.map(({ length }) => length)).toEqual([8, 4, 2, 3, 3]);
    expect(first.letters).toEqual([]);
    const next = run(letters, slow, { portions, isLate: true });
    expect(next.letters).toEqual([]);
    expect(Math.max(...next.tries.map(({ length }) => length))).toBe(4);
  });

  test('that resets says so of its own part', () => {
    const judgement = new Judgement({
      offer: { number: 1, updates: updates('a', 'b'), isRest: false, stored },
      portions: new Portions(),
      retries: 2,
    });
    judgement.next();
    judgement.failed(new Error('too many'), { isLate: false });
    judgement.succeeded({ ...keeping(judgement.next()), reset: true });
    expect(judgement.outcome?.verdict).toEqual({
      type: 'reset',
      kept: new Map([['a', 'bytes of a']]),
      offeredArrival: 7,
      count: 1,
    });
  });
});

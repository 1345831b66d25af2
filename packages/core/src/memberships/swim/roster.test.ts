import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { emptySum, type Sum } from '../../hash.ts';
import { isThere, type MemberState } from '../../membership.ts';
import { states, type SwimRecord } from './messages.ts';
import {
  addMember,
  aliveRecord,
  MAX_GONE,
  MAX_MEMBERS,
  type Outcome,
  recordOf,
  Roster,
  type Status,
} from './roster.ts';

const TIMES = { minMs: 1000, maxMs: 6000, wanted: 2 };
const at = (nowMs: number, awakeMs = nowMs): { nowMs: number; awakeMs: number } => ({ nowMs, awakeMs });

interface Said {
  readonly name?: string;
  readonly epoch?: number;
  readonly incarnation?: number;
  readonly accusers?: readonly string[];
}

const said = (state: MemberState, { name = 'a', epoch = 1, incarnation = 1, accusers = [] }: Said = {}): SwimRecord => [
  name,
  epoch,
  incarnation,
  states.indexOf(state),
  `ws://${name}:${epoch}`,
  { incarnation },
  accusers,
];

function aRoster(...records: SwimRecord[]): Roster {
  const roster = new Roster();
  for (const record of records) roster.take(record, TIMES, at(0));
  return roster;
}

const take = (roster: Roster, record: SwimRecord, nowMs = 0): Outcome => roster.take(record, TIMES, at(nowMs));

function sumOf(roster: Roster): Sum {
  const sum = emptySum();
  for (const status of roster.statuses()) if (isThere(status)) addMember(sum, status, 1);
  return sum;
}

/** What a roster believes, but for when it came to. */
const beliefs = (roster: Roster): Omit<Status, 'sinceMs'>[] =>
  roster
    .statuses()
    .map(({ sinceMs: _sinceMs, ...status }) => status)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

describe('of two reports about one node', () => {
  // SWIM, section 4.2: Alive i overrides Suspect j and Alive j, i > j; Suspect i overrides Suspect j, i > j, and Alive j,
  // i >= j; Confirm overrides Alive and Suspect. Ours: of the same incarnation or a lower one; left is final.
  test.each<[MemberState, number, MemberState, number, Outcome]>([
    ['alive', 1, 'alive', 1, 'old'],
    ['alive', 1, 'alive', 2, 'changed'],
    ['alive', 2, 'alive', 1, 'old'],
    ['suspect', 1, 'alive', 1, 'old'],
    ['suspect', 1, 'alive', 2, 'changed'],
    ['alive', 1, 'suspect', 1, 'changed'],
    ['alive', 2, 'suspect', 1, 'old'],
    ['suspect', 1, 'suspect', 2, 'changed'],
    ['suspect', 2, 'suspect', 1, 'old'],
    ['alive', 1, 'down', 1, 'changed'],
    ['suspect', 1, 'down', 1, 'changed'],
    ['alive', 2, 'down', 1, 'old'],
    ['down', 1, 'alive', 1, 'old'],
    ['down', 1, 'suspect', 1, 'old'],
    ['down', 1, 'alive', 2, 'changed'],
    ['down', 1, 'suspect', 2, 'changed'],
    ['alive', 9, 'left', 1, 'changed'],
    ['down', 9, 'left', 1, 'changed'],
    ['left', 1, 'alive', 9, 'old'],
    ['left', 1, 'down', 9, 'old'],
  ])('after %s %i, %s %i is %s', (believed, i, reported, j, outcome) => {
    const roster = aRoster(said('alive', { incarnation: 0 }), said(believed, { incarnation: i }));
    expect(take(roster, said(reported, { incarnation: j }))).toBe(outcome);
    const [state, incarnation] = outcome === 'old' ? [believed, i] : [reported, j];
    expect(roster.get('a')?.status).toMatchObject({ state, incarnation, meta: { incarnation } });
  });

  test.each<MemberState>(['alive', 'suspect', 'down', 'left'])(
    'a newer epoch beats whatever was said: %s',
    (believed) => {
      const roster = aRoster(said('alive'), said(believed, { incarnation: 9 }));
      expect(take(roster, said('alive', { epoch: 2, incarnation: 0 }))).toBe('reborn');
      expect(take(roster, said(believed, { incarnation: 10 }))).toBe('old');
      expect(roster.get('a')?.status).toMatchObject({ epoch: 2, state: 'alive', url: 'ws://a:2' });
    },
  );

  test('in any order they end as one belief, of any two rosters, with one sum', () => {
    const record = fc
      .record({
        name: fc.constantFrom('a', 'b'),
        epoch: fc.integer({ min: 1, max: 2 }),
        incarnation: fc.integer({ min: 0, max: 3 }),
        state: fc.constantFrom(...states),
      })
      .map(({ state, ...rest }) => said(state, rest));
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (records, chance) => {
        const known = ['a', 'b'].map((name) => said('alive', { name, epoch: 0, incarnation: 0 }));
        const shuffled = records
          .map((one) => [chance.next().value as number, one] as const)
          .toSorted(([a], [b]) => a - b)
          .map(([, one]) => one);
        const [first, second] = [aRoster(...known, ...records), aRoster(...known, ...shuffled, ...shuffled)];
        expect(beliefs(first)).toEqual(beliefs(second));
        expect(first.sum).toEqual(second.sum);
        expect(first.sum).toEqual(sumOf(first));
        expect(first.there).toBe(first.statuses().filter(isThere).length);
        expect([...first.suspects].toSorted()).toEqual(
          beliefs(first)
            .filter(({ state }) => state === 'suspect')
            .map(({ name }) => name),
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('the roster', () => {
  test.each<MemberState>(['down', 'left'])('does not take up who is %s and was not known', (state) => {
    const roster = aRoster();
    expect(take(roster, said(state))).toBe('old');
    expect(roster.statuses()).toEqual([]);
  });

  test('its sum is that of those who are there, whatever their state and address', () => {
    const alive = aRoster(said('alive'), said('alive', { name: 'b' }));
    const suspect = aRoster(said('alive', { name: 'b' }), said('suspect'), said('alive', { name: 'c' }));
    expect(suspect.sum).not.toEqual(alive.sum);
    take(suspect, said('down', { name: 'c' }));
    expect(suspect.sum).toEqual(alive.sum);
    for (const other of [{ name: 'c' }, { epoch: 2 }, { incarnation: 2 }]) {
      const one = aRoster(said('alive')).sum;
      for (const [lane, value] of aRoster(said('alive', other)).sum.entries()) expect(value).not.toBe(one[lane]);
    }
  });

  test('knows since when a state lasts, whatever is said meanwhile', () => {
    const roster = aRoster(said('alive'));
    take(roster, said('alive', { incarnation: 2 }), 5);
    expect(roster.get('a')?.status.sinceMs).toBe(0);
    take(roster, said('suspect', { incarnation: 2 }), 7);
    expect(roster.get('a')?.status.sinceMs).toBe(7);
  });

  test('a status that was given out is not changed afterwards', () => {
    const roster = aRoster(said('alive'));
    const [before] = roster.statuses();
    take(roster, said('suspect'), 5);
    expect(before).toMatchObject({ state: 'alive' });
  });

  test('who accuses is remembered while it is suspect, and who accuses as well confirms', () => {
    const roster = aRoster(said('suspect', { accusers: ['x'] }));
    expect(take(roster, said('suspect', { accusers: ['x'] }))).toBe('old');
    expect(take(roster, said('suspect', { accusers: ['y', 'x'] }))).toBe('confirmed');
    expect(take(roster, said('suspect', { incarnation: 0, accusers: ['z'] }))).toBe('old');
    const entry = roster.get('a');
    expect(entry && recordOf(entry)).toEqual(said('suspect', { accusers: ['x', 'y'] }));
    take(roster, said('alive', { incarnation: 2 }));
    expect(roster.get('a')?.suspicion).toBeNull();
  });

  test('suspicion is counted on the clock that stands still', () => {
    const roster = new Roster();
    roster.take(said('suspect'), TIMES, at(5000, 100));
    expect(roster.get('a')?.suspicion?.deadlineMs).toBe(6100);
    expect(roster.get('a')?.status.sinceMs).toBe(5000);
  });

  test('what is said of a node is what it says of itself', () => {
    const self = { name: 'a', epoch: 1, url: null };
    expect(aliveRecord(self, 3)).toEqual(['a', 1, 3, 0, null, {}, []]);
    expect(aliveRecord({ ...self, meta: { zone: 'x' } }, 3)[5]).toEqual({ zone: 'x' });
  });

  test('forgets who is gone for long, and nobody else', () => {
    const roster = aRoster(...['a', 'b', 'c', 'd'].map((name) => said('alive', { name })));
    take(roster, said('down'), 10);
    take(roster, said('left', { name: 'b' }), 20);
    take(roster, said('suspect', { name: 'c' }), 10);
    expect(roster.forget(10)).toEqual([]);
    expect(roster.forget(20).map(({ name }) => name)).toEqual(['a']);
    expect(roster.statuses().map(({ name }) => name)).toEqual(['c', 'd', 'b']);
  });

  test('keeps the latest of those who are gone', () => {
    const roster = new Roster();
    for (let i = 0; i < MAX_GONE + 2; i++) take(roster, said('alive', { name: `n${i}` }));
    for (let i = MAX_GONE + 1; i >= 0; i--) take(roster, said('down', { name: `n${i}` }), 10);
    expect(roster.forget(0).map(({ name }) => name)).toEqual([`n${MAX_GONE + 1}`, `n${MAX_GONE}`]);
    expect(roster.forget(0)).toEqual([]);
  });

  test('who is back is not forgotten, and not counted among those who are gone', () => {
    const roster = aRoster(said('alive'), said('down'), said('alive', { incarnation: 2 }));
    expect(roster.forget(1000)).toEqual([]);
    expect(roster.there).toBe(1);
  });

  test('knows no more than a bound, and goes on with those whom it knows', () => {
    const roster = new Roster();
    for (let i = 0; i < MAX_MEMBERS + 1; i++) take(roster, said('alive', { name: `n${i}` }));
    expect(roster.there).toBe(MAX_MEMBERS);
    expect(take(roster, said('down', { name: 'n0' }))).toBe('changed');
  });

  test('takes up what is inherited, as it was', () => {
    const roster = new Roster();
    const status: Status = { ...beliefsOf('down'), sinceMs: 77 };
    roster.inherit(status, TIMES, at(100));
    expect(roster.statuses()).toEqual([status]);
  });
});

const beliefsOf = (state: MemberState): Omit<Status, 'sinceMs'> => ({
  name: 'a',
  epoch: 1,
  incarnation: 4,
  state,
  url: null,
  meta: {},
});

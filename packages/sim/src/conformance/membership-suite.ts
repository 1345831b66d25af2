/**
 * What every membership module must do, as a suite that a test runner and a module are given to.
 *
 * Invariants
 *  1. All nodes, time and chance are virtual: the suite takes no time and fails the same way twice.
 *  2. Nothing is asked of how a module finds out; only of what it then says.
 */

import type { Membership } from '@grapevine/core';
import { Crowd, viewOf } from './crowd.ts';
import type { Runner } from './runner.ts';

export interface MembershipPromises {
  /** Who knows one node of a cluster comes to know all. @default false */
  readonly spreads?: boolean;
  /** Virtual milliseconds within which a view is right. @default 120000 */
  readonly withinMs?: number;
}

/**
 * Registers the suite with the runner.
 * @param makeMembership a module that starts with these URLs, as peers or as seeds
 */
export function membershipSuite(
  { describe, test, expect }: Runner,
  makeMembership: (urls: readonly string[]) => Membership,
  { spreads = false, withinMs = 120_000 }: MembershipPromises = {},
): void {
  describe(`membership ${makeMembership([]).name}`, () => {
    test('judges anything that a peer may send without throwing', () => {
      const membership = makeMembership([]);
      for (const body of [null, undefined, true, -1, '', 'text', [], [[]], {}, { type: 1 }, new Uint8Array(3)])
        expect(typeof membership.accepts(body)).toBe('boolean');
    });

    test('dials what it was given, and nobody else where there is nobody', () => {
      const crowd = new Crowd(makeMembership);
      const a = crowd.join('a', ['b', 'c']);
      crowd.pass(1000);
      expect([...a.dialled].toSorted()).toEqual(['ws://b:7001', 'ws://c:7001']);
      expect(viewOf(a)).toEqual([]);
    });

    test('two nodes of which one dials the other are in each other’s view', () => {
      const crowd = new Crowd(makeMembership);
      const a = crowd.join('a', []);
      const b = crowd.join('b', ['a']);
      expect(crowd.passUntil(() => viewOf(a).length > 0 && viewOf(b).length > 0, withinMs)).toBe(true);
      expect([viewOf(a), viewOf(b)]).toEqual([['b'], ['a']]);
      expect(b.views.at(-1)?.map(({ name, epoch, url }) => ({ name, epoch, url }))).toEqual([a.self]);
      expect(crowd.strangers).toEqual([]);
    });

    test('a view never holds the node itself, nor anybody twice', () => {
      const crowd = new Crowd(makeMembership);
      const nodes = ['a', 'b', 'c', 'd'].map((name) => crowd.join(name, ['a', 'b', 'c', 'd']));
      crowd.pass(withinMs);
      for (const { self, views } of nodes)
        for (const view of views) {
          const names = view.map(({ name }) => name);
          expect(names.includes(self.name)).toBe(false);
          expect(new Set(names).size).toBe(names.length);
        }
      expect(nodes.map(viewOf)).toEqual([
        ['b', 'c', 'd'],
        ['a', 'c', 'd'],
        ['a', 'b', 'd'],
        ['a', 'b', 'c'],
      ]);
    });

    test('who is gone leaves the view, and a quiet cluster keeps its own', () => {
      const crowd = new Crowd(makeMembership);
      const [a, b, c] = ['a', 'b', 'c'].map((name) => crowd.join(name, ['a', 'b', 'c']));
      if (a === undefined || b === undefined || c === undefined) return;
      crowd.pass(withinMs);
      expect([viewOf(a), viewOf(b)]).toEqual([
        ['b', 'c'],
        ['a', 'c'],
      ]);
      crowd.crash(c);
      expect(crowd.passUntil(() => !viewOf(a).includes('c') && !viewOf(b).includes('c'), withinMs)).toBe(true);
      expect([viewOf(a), viewOf(b)]).toEqual([['b'], ['a']]);
    });

    test('who comes back does so under its new epoch, once', () => {
      const crowd = new Crowd(makeMembership);
      const a = crowd.join('a', ['b']);
      const b = crowd.join('b', []);
      crowd.pass(withinMs);
      crowd.crash(b);
      crowd.passUntil(() => viewOf(a).length === 0, withinMs);
      crowd.join('b', [], 2000);
      expect(crowd.passUntil(() => a.views.at(-1)?.[0]?.epoch === 2000, withinMs)).toBe(true);
      expect(viewOf(a)).toEqual(['b']);
    });

    test('a published view is not changed afterwards', () => {
      const crowd = new Crowd(makeMembership);
      const a = crowd.join('a', ['b', 'c']);
      crowd.join('b', []);
      crowd.passUntil(() => viewOf(a).length === 1, withinMs);
      const published = a.views.at(-1);
      const before = JSON.stringify(published);
      crowd.join('c', []);
      crowd.passUntil(() => viewOf(a).length === 2, withinMs);
      expect(JSON.stringify(published)).toBe(before);
    });

    test('leaving, and what comes after it, throws nothing', () => {
      const crowd = new Crowd(makeMembership);
      const a = crowd.join('a', ['b']);
      const b = crowd.join('b', []);
      crowd.pass(withinMs);
      a.machine.leave(crowd.nowMs);
      a.machine.tick('a timer that nobody set', crowd.nowMs);
      a.machine.disconnected('a stranger', crowd.nowMs, false);
      crowd.crash(a);
      expect(crowd.passUntil(() => viewOf(b).length === 0, withinMs)).toBe(true);
    });

    if (spreads)
      test('who knows one node comes to know all, as it promises', () => {
        const crowd = new Crowd(makeMembership);
        const nodes = ['a', 'b', 'c', 'd', 'e'].map((name) => crowd.join(name, name === 'a' ? [] : ['a']));
        expect(crowd.passUntil(() => nodes.every((node) => viewOf(node).length === 4), withinMs)).toBe(true);
      });
  });
}

/**
 * What every protocol must do, as a suite that a test runner and a protocol are given to.
 *
 * Invariants
 *  1. All nodes, time and chance are virtual: a suite takes no time and fails the same way twice.
 *  2. A rule of docs/algorithm.md that a test holds is named in it by its number.
 *
 * What protocols may differ in is promised by who calls the suite, and then held too.
 */

import { type Message, Origin, type Protocol, Update } from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';
import type { Runner } from './runner.ts';
import { type Player, Stage, type StageOptions } from './stage.ts';

export interface ProtocolPromises {
  /** Every node in view gets every update, though nobody repairs: no chance, no loss. @default false */
  readonly reachesAll?: boolean;
  /** Who was away catches up, and what was removed meanwhile stays removed. @default false */
  readonly repairs?: boolean;
  /** Virtual milliseconds within which a promise comes true. @default 60000 */
  readonly withinMs?: number;
}

const WITHIN_MS = 60_000;

/** Registers the suite with the runner. @param makeProtocol called anew for every test */
export function protocolSuite(runner: Runner, makeProtocol: () => Protocol, promises: ProtocolPromises = {}): void {
  const { describe, test, expect } = runner;
  const { reachesAll = false, repairs = false, withinMs = WITHIN_MS } = promises;
  const stageOf = (options: StageOptions): Stage => new Stage(makeProtocol(), options);

  describe(`protocol ${makeProtocol().name}`, () => {
    test('has a name that a handshake can carry, and a period of collection or none', () => {
      const { name, gcMs } = makeProtocol();
      expect(name.length > 0 && name.length <= 255).toBe(true);
      expect(gcMs === false || gcMs > 0).toBe(true);
    });

    test('judges any message of another protocol without throwing', () => {
      const protocol = makeProtocol();
      for (const body of [null, 0, 'text', [], { type: 'updates' }])
        expect(typeof protocol.accepts({ type: 'custom', body })).toBe('boolean');
    });

    test('says nothing while it is alone', () => {
      const stage = stageOf({ nodes: 1 });
      stage.write(0, 'a', 'one');
      stage.pass(10_000);
      expect(stage.trace).toEqual([]);
    });

    test('brings a write to a peer, and accepts all that it says itself', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      stage.pass(3000);
      stage.write(0, 'a', 'one');
      expect(stage.passUntil(() => sees(stage.player(1), 'a', 'one'), withinMs)).toBe(true);
      expect(stage.strangers).toEqual([]);
    });

    test('brings a removal to a peer', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      stage.write(0, 'a', 'one');
      stage.passUntil(() => sees(stage.player(1), 'a', 'one'), withinMs);
      stage.write(0, 'a', undefined);
      expect(stage.passUntil(() => stage.player(1).replica.get('a') === undefined, withinMs)).toBe(true);
    });

    test('lets the higher version win on both sides of a concurrent write (rule 1)', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      stage.write(0, 'a', 'by node 0');
      stage.write(1, 'a', 'by node 1');
      expect(stage.passUntil(() => sees(stage.player(0), 'a', 'by node 1'), withinMs)).toBe(true);
      expect(sees(stage.player(1), 'a', 'by node 1')).toBe(true);
    });

    test('does not send a value to a peer twice, nor back to where it came from', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      for (let i = 0; i < 20; i++) stage.write(0, `id ${i}`, 'value');
      stage.pass(withinMs);
      expect(stage.values.length).toBe(new Set(stage.values).size);
      expect(stage.values.filter((sent) => sent.startsWith('node-1'))).toEqual([]);
    });

    test('sends no values when all is told', () => {
      const stage = stageOf({ nodes: 4 }).connectAll();
      for (let i = 0; i < 4; i++) stage.write(i, `id ${i}`, 'value');
      stage.pass(withinMs);
      const before = stage.values.length;
      stage.pass(withinMs);
      expect(stage.values.length).toBe(before);
    });

    test('keeps out of store and context what a handler has not judged (rule 2)', () => {
      const stage = stageOf({ nodes: 2, judged: 'by the test' }).connectAll();
      const { origin, sequence } = stage.write(0, 'a', 'one');
      const reader = stage.player(1);
      expect(stage.passUntil(() => reader.offers.length > 0, withinMs)).toBe(true);
      expect([reader.replica.context.has(origin, sequence), reader.replica.store.size]).toEqual([false, 0]);
      stage.judge(reader, { type: 'keep-all' });
      expect([reader.replica.context.has(origin, sequence), sees(reader, 'a', 'one')]).toEqual([true, true]);
    });

    test('hides what a handler ignores, and claims it all the same (rule 6)', () => {
      const stage = stageOf({ nodes: 2, judged: 'by the test' }).connectAll();
      const { origin, sequence } = stage.write(0, 'a', 'one');
      const reader = stage.player(1);
      stage.passUntil(() => reader.offers.length > 0, withinMs);
      stage.judge(reader, { type: 'ignore' });
      expect([reader.replica.context.has(origin, sequence), reader.visible]).toEqual([true, {}]);
    });

    test('ignores a verdict on an offer that is not open', () => {
      const stage = stageOf({ nodes: 2, judged: 'by the test' }).connectAll();
      stage.write(0, 'a', 'one');
      const reader = stage.player(1);
      stage.passUntil(() => reader.offers.length > 0, withinMs);
      reader.machine.judged((reader.offers[0]?.number ?? 0) + 1, { type: 'keep-all' }, stage.nowMs);
      expect([reader.replica.store.size, reader.machine.backlog > 0]).toEqual([0, true]);
    });

    test('survives whatever a peer may say, from whomever', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      const { machine } = stage.player(0);
      const protocol = makeProtocol();
      for (const from of ['node-1', 'a stranger'])
        for (const message of strangeMessages().filter((each) => protocol.accepts(each)))
          machine.receive([{ from, message }], stage.nowMs);
      machine.tick('a timer that nobody set', stage.nowMs);
      stage.pass(withinMs);
      stage.write(1, 'a', 'one');
      expect(stage.passUntil(() => sees(stage.player(0), 'a', 'one'), withinMs)).toBe(true);
    });

    test('goes on with a new machine on the replica of one that crashed', () => {
      const stage = stageOf({ nodes: 2 }).connectAll();
      stage.write(0, 'a', 'one');
      stage.passUntil(() => sees(stage.player(1), 'a', 'one'), withinMs);
      stage.restart(1);
      stage.write(1, 'b', 'two');
      expect(stage.passUntil(() => sees(stage.player(0), 'b', 'two'), withinMs)).toBe(true);
      expect(sees(stage.player(1), 'a', 'one')).toBe(true);
    });

    test('does the same again for the same seed', () => {
      const traces = [1, 2].map(() => {
        const stage = stageOf({ nodes: 5, seed: 7 }).connectAll();
        for (let i = 0; i < 5; i++) stage.write(i, `id ${i}`, 'value');
        stage.pass(5000);
        return stage.trace;
      });
      expect(traces[0]).toEqual(traces[1]);
    });

    if (reachesAll || repairs)
      test('brings every write to every node in view, as it promises', () => {
        const stage = stageOf({ nodes: 8, judged: 'all kept' }).connectAll();
        stage.pass(3000);
        for (let i = 0; i < 8; i++) stage.write(i, `id ${i}`, 'value');
        expect(stage.passUntil(() => areEqual(stage, 8), withinMs)).toBe(true);
      });

    if (repairs)
      test('lets who was away catch up, and removed ids stay removed, as it promises (rules 3 and 4)', () => {
        const stage = stageOf({ nodes: 4 }).connectAll();
        for (let i = 0; i < 10; i++) stage.write(0, `id ${i}`, 'value');
        stage.passUntil(() => areEqual(stage, 10), withinMs);
        stage.cutOff(3);
        for (let i = 0; i < 5; i++) stage.write(1, `id ${i}`, undefined);
        stage.write(3, 'from outside', 'value');
        stage.pass(withinMs);
        stage.connectAll();
        expect(stage.passUntil(() => areEqual(stage, 6), withinMs)).toBe(true);
        stage.pass(withinMs);
        expect(areEqual(stage, 6)).toBe(true);
      });
  });
}

function sees(player: Player, id: string, text: string): boolean {
  return player.replica.get(id) === encodeValue(text);
}

/** Whether readers see the same everywhere, so many ids. */
function areEqual({ players }: Stage, ids: number): boolean {
  const texts = players.map(({ visible }) => JSON.stringify(visible));
  return texts.every((text) => text === texts[0]) && Object.keys(players[0]?.visible ?? {}).length === ids;
}

/** Well-formed, and out of all order: what no peer that follows a protocol would say now. */
function strangeMessages(): Message[] {
  const origin = new Origin('nobody', 7);
  const dots = [{ origin, intervals: [1, 3, 9, 1000], newest: 0 }];
  const updates = [new Update('odd', undefined, 1, origin, 5, undefined)];
  const sum = Int32Array.of(1, -1, 2, -2);
  return [
    ...(['mail', 'push', 'answer'] as const).map((cause): Message => ({ type: 'updates', cause, updates: [] })),
    { type: 'updates', cause: 'answer', updates },
    { type: 'announce', dots, pulled: false },
    { type: 'announce', dots, pulled: true },
    { type: 'feedback', known: dots, news: dots },
    { type: 'ask', dots },
    { type: 'gone', dots },
    { type: 'pull' },
    { type: 'refused', dots },
    { type: 'room', dots },
    { type: 'hashes', context: sum, live: sum, horizonMs: 0, direction: 'push-pull' },
    { type: 'contexts', buckets: 'all', dots, invitation: 99, answer: true },
    { type: 'chunk', invitation: 98, index: 3, updates },
    { type: 'ack', invitation: 97, index: 3 },
    { type: 'end', invitation: 96, index: 3, buckets: [], claim: dots, context: sum, live: sum, horizonMs: 0 },
    { type: 'live-dots', buckets: [1], dots, context: dots, horizonMs: 0, answer: true },
    { type: 'bucket-sums', sums: new Int32Array(512), direction: 'push' },
    { type: 'live-sums', sums: new Int32Array(2048), horizonMs: 0 },
    { type: 'custom', body: { anything: 1 } },
  ];
}

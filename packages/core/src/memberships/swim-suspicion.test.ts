/** What becomes of suspects, and of those who suspect: refuting, confirming, doubting oneself. */
import { describe, expect, test } from '@jest/globals';
import { ACK, ASK, GOSSIP, PING } from './swim/messages.ts';
import { among, aRecord, ALIVE, connectedTo, DOWN, SUSPECT } from './testing/scene.ts';

describe('suspicion', () => {
  test('a suspect refutes with a higher incarnation, and whoever accused it hears so first (SWIM, section 4.2)', () => {
    const scene = connectedTo('b', 'c', 'd').forgetSent();
    scene.hear('b', [GOSSIP, [aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['c', 'stranger'] })]]);
    for (const name of ['b', 'c']) expect(scene.told('m', name)).toEqual(aRecord('m', ALIVE, 2, { epoch: 5 }));
    expect(scene.sentOf(GOSSIP, 'd')).toEqual([]);
    scene.pass(400);
    expect(scene.told('m', 'd')).toEqual(aRecord('m', ALIVE, 2, { epoch: 5 }));
  });

  test('who is down and lives is back with a higher incarnation', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', DOWN, 7, { epoch: 5 }));
    expect(scene.told('m', 'b')?.[2]).toBe(8);
  });

  test('an old accusation is answered by the truth, without a new incarnation', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }));
    scene.pass(5000).forgetSent();
    scene.hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }));
    expect(scene.sentOf(GOSSIP, 'b')).toEqual([[GOSSIP, [aRecord('m', ALIVE, 2, { epoch: 5 })]]]);
  });

  test('a storm of accusations is answered once in a while: it fills the queues of nobody', () => {
    const scene = connectedTo('b', 'c', 'd').pass(5000).forgetSent();
    const accusers = ['b', 'c', 'd'];
    for (let i = 1; i <= 50; i++)
      scene.hearOf(...Array.from({ length: 20 }, (_, j) => aRecord('m', SUSPECT, 20 * i + j, { epoch: 5, accusers })));
    expect(scene.sentOf(GOSSIP).length).toBe(3);
    // Gossip of its own comes beside what was put off.
    scene.pass(250);
    expect(scene.sentOf(GOSSIP).length).toBeLessThanOrEqual(9);
    for (const name of accusers) expect(scene.told('m', name)?.[2]).toBe(20 * 50 + 20);
  });

  test('no incarnation is so high that what follows it would cost the connection', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', SUSPECT, Number.MAX_SAFE_INTEGER, { epoch: 5 }));
    scene.machine.describe?.({ zone: 'x' }, scene.nowMs);
    expect(scene.pass(5000).told('m', 'b')?.[2]).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('an ack to a suspect bears the suspicion, so that it refutes at once (Lifeguard, section IV-C)', () => {
    const scene = connectedTo('b', 'c')
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['c'] }))
      .pass(3000);
    // What is passed on has worn off by now: only who is concerned is told.
    scene.forgetSent().hear('b', [PING, 9, []]).hear('c', [PING, 9, []]);
    expect(scene.sentOf(ACK, 'b')[0]?.[2]).toEqual([aRecord('b', SUSPECT, 1, { accusers: ['c'] })]);
    expect(scene.sentOf(ACK, 'c')[0]?.[2]).toEqual([]);
  });

  test('who is down and asks is told so, and back at once', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN)).pass(20_000);
    scene.forgetSent().hear('b', [PING, 9, []]);
    expect(scene.sentOf(ACK, 'b')[0]?.[2]).toEqual([aRecord('b', DOWN)]);
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 2)]]);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('each who confirms brings the end closer (Lifeguard, section IV-B)', () => {
    const names = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    const until = (accusers: string[]): number => {
      const scene = among(names).hearOf(aRecord('b', SUSPECT, 1, { accusers: ['x'] }));
      for (const accuser of accusers) scene.hearOf(aRecord('b', SUSPECT, 1, { accusers: [accuser] }));
      return scene.passUntil(() => scene.stateOf('b') === 'down');
    };
    expect(until([])).toBe(24_000);
    expect(until(['x', 'x'])).toBe(24_000);
    expect(until(['c'])).toBeLessThan(until([]));
    expect(until(['c', 'd'])).toBe(4000);
    expect(until(['c', 'd', 'e', 'f'])).toBe(4000);
  });

  test('who confirms is passed on, and is no change of what is published', () => {
    const scene = connectedTo('b', 'c', 'd', 'e')
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['c'] }))
      .pass(2000);
    const published = scene.views.length;
    scene
      .forgetSent()
      .hearOf(aRecord('b', SUSPECT, 1, { accusers: ['d'] }))
      .pass(300);
    expect(scene.told('b')?.[6]).toEqual(['c', 'd']);
    expect(scene.views).toHaveLength(published);
  });

  test('after a pause of its own a node accuses nobody, if it is told of the pause', () => {
    const downsAfterPause = (isTold: boolean): string[] => {
      const scene = connectedTo('b', 'c', 'd').pass(10_000);
      scene.hearOf(aRecord('c', SUSPECT, 1, { accusers: ['x'] }));
      scene.passUntil(() => scene.sentOf(PING).length > 0);
      scene.freeze(30_000);
      if (isTold) scene.machine.stalled?.(30_000, scene.nowMs);
      scene.pass(100);
      scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
      expect(scene.views.flat().filter(({ state, name }) => state !== 'alive' && name !== 'c')).toEqual([]);
      return scene.views.flatMap((view) => view.filter(({ state }) => state === 'down').map(({ name }) => name));
    };
    expect(downsAfterPause(true)).toEqual([]);
    expect(downsAfterPause(false)).toContain('c');
  });

  test('who is suspected doubts itself as well (Lifeguard, section IV-A)', () => {
    const scene = connectedTo('b', 'c').pass(10_000);
    scene.hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] })).answering.clear();
    scene.forgetSent().passUntil(() => scene.sentOf(ASK).length > 0);
    const asked = scene.sent.find(({ message }) => message[0] === PING);
    expect(Math.round((scene.nowMs - (asked?.atMs as number)) / 100)).toBe(10);
  });

  test('a pause of its own makes a node wait longer for answers', () => {
    const waited = (stallMs: number): number => {
      const scene = connectedTo('b', 'c').pass(10_000);
      scene.machine.stalled?.(stallMs, scene.freeze(stallMs).nowMs);
      scene.answering.clear();
      scene.forgetSent().passUntil(() => scene.sentOf(ASK).length > 0);
      return Math.round((scene.nowMs - (scene.sent[0]?.atMs as number)) / 100);
    };
    expect([0, 900, 1900].map(waited)).toEqual([5, 10, 15]);
  });
});

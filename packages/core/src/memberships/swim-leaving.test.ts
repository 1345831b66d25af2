/** Who has left, and stays gone. */
import { describe, expect, test } from '@jest/globals';
import { GOSSIP, PING } from './swim/messages.ts';
import { among, aRecord, ALIVE, connectedTo, crash, DOWN, LEFT } from './testing/scene.ts';

describe('who has left', () => {
  test('says so to all that are connected, and then nothing more', () => {
    const scene = connectedTo('b', 'c').pass(100).forgetSent();
    scene.machine.leave(scene.nowMs);
    expect(scene.sent.map(({ to, message }) => ({ to, message }))).toEqual(
      ['b', 'c'].map((to) => ({ to, message: [GOSSIP, [aRecord('m', LEFT, 1, { epoch: 5 })]] })),
    );
    scene.forgetSent().hear('b', [PING, 1, []]).disconnect('c').pass(60_000);
    expect(scene.sent).toEqual([]);
  });

  test('is not probed, not dialled and not suspected', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', LEFT)).pass(10);
    crash(scene, 'b').forgetSent().pass(120_000);
    expect(scene.stateOf('b')).toBe('left');
    expect(scene.sentOf(PING, 'b')).toEqual([]);
    expect(scene.dialsOf('b')).toEqual([]);
  });

  test('is not dialled either where it was down before', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN));
    crash(scene, 'b').pass(10_000).hearOf(aRecord('b', LEFT)).pass(2000);
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('b')).toEqual([]);
  });

  test('is final: nothing that is said of the same epoch brings it back', () => {
    const scene = connectedTo('b', 'c')
      .hearOf(aRecord('b', LEFT))
      .hearOf(aRecord('b', ALIVE, 9));
    expect(scene.stateOf('b')).toBe('left');
    expect(scene.hearOf(aRecord('b', ALIVE, 1, { epoch: 2 })).stateOf('b')).toBe('alive');
  });

  test('is forgotten after a while', () => {
    const scene = among(['b', 'c'], { forgetAfterMs: 60_000 }).hearOf(aRecord('b', LEFT));
    expect(scene.pass(59_000).stateOf('b')).toBe('left');
    expect(scene.pass(3000).statusOf('b')).toBeUndefined();
  });
});

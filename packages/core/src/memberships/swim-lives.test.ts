/** One name, several lives: restarts, namesakes, and clocks that are behind. */
import { describe, expect, test } from '@jest/globals';
import { EPOCH_LIMIT } from '../origin.ts';
import { ASK, GOSSIP, HASH, NACK, SYNC } from './swim/messages.ts';
import { aMachine, aMember, aRecord, ALIVE, connectedTo, crash, DOWN, LEFT, SUSPECT, urlOf } from './testing/scene.ts';

describe('what members believe', () => {
  test('a restarted node replaces its former self at once, where it was and elsewhere once nobody answers there', () => {
    const scene = connectedTo('b', 'c').connect('b', 2).introduce('b', 2);
    expect(scene.statusOf('b')).toMatchObject({ epoch: 2, state: 'alive' });
    crash(scene, 'c').connect('c', 2, 'ws://elsewhere:1').pass(1).introduce('c', 2, 'ws://elsewhere:1');
    expect(scene.statusOf('c')).toMatchObject({ epoch: 2, url: 'ws://elsewhere:1' });
  });

  test('who took over a name is compared with, although what it said meanwhile was not heard', () => {
    // The newcomer has the lower name: it began to compare when it was not listened to.
    const scene = connectedTo('b', 'c');
    crash(scene, 'b').forgetSent().connect('b', 2, 'ws://elsewhere:1').hear('b', [HASH, 1, 1]);
    expect(scene.sent.filter(({ to }) => to === 'b')).toEqual([]);
    expect(scene.pass(1).sentOf(HASH, 'b')).toHaveLength(1);
  });

  test('a second living node of one name is sent away, and nothing it says counts', () => {
    const scene = connectedTo('b', 'c');
    scene.disconnect('b').connect('b', 2, 'ws://elsewhere:1');
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 1, { epoch: 2, url: 'ws://elsewhere:1' })]]);
    scene.pass(1);
    expect(scene.expelled).toEqual([{ name: 'b', reason: expect.stringContaining(urlOf('b')), epoch: 2 }]);
    // Said before it heard that it is sent away.
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 1, { epoch: 2 })]]);
    expect(scene.statusOf('b')).toMatchObject({ epoch: 1, state: 'alive' });
  });

  test('who does not say within the time for an answer whether it lives has lost its name', () => {
    const scene = connectedTo('b', 'c');
    scene.black.add(urlOf('b'));
    scene.disconnect('b').connect('b', 2, 'ws://elsewhere:1').pass(490);
    expect(scene.statusOf('b')?.epoch).toBe(1);
    expect(scene.pass(20).introduce('b', 2, 'ws://elsewhere:1').statusOf('b')).toMatchObject({
      epoch: 2,
      state: 'alive',
    });
  });

  test('a newcomer that answers at the former place is who it says', () => {
    const scene = connectedTo('b', 'c');
    scene.disconnect('b').listening.set(urlOf('b'), aMember('b', 2, 'ws://elsewhere:1'));
    scene.connect('b', 2, 'ws://elsewhere:1').pass(1).introduce('b', 2, 'ws://elsewhere:1');
    expect(scene.statusOf('b')?.epoch).toBe(2);
    expect(scene.expelled).toEqual([]);
  });

  test('a former self of a living node is sent away', () => {
    const scene = connectedTo('b').connect('b', 2, 'ws://elsewhere:7001').pass(1000).disconnect('b');
    scene.listening.set('ws://elsewhere:7001', aMember('b', 2, 'ws://elsewhere:7001'));
    scene.connect('b', 1).pass(100);
    expect(scene.expelled).toHaveLength(1);
    expect(scene.statusOf('b')?.epoch).toBe(2);
  });

  test('a node that was started anew with its clock behind is told of the life that is over, and counts as soon as it has outlived it', () => {
    for (const end of [DOWN, LEFT]) {
      const scene = connectedTo('b', 'c').connect('b', 100).disconnect('b', true);
      scene.hearOf(aRecord('b', end, 1, { epoch: 100 }));
      scene.forgetSent().connect('b', 50);
      expect(scene.expelled).toEqual([]);
      expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 1, end]);
      expect(scene.statusOf('b')?.epoch).toBe(100);
      scene.disconnect('b').connect('b', 101).introduce('b', 101);
      expect(scene.statusOf('b')).toMatchObject({ epoch: 101, state: 'alive' });
    }
  });

  test('so it is where nobody has missed the former yet, at the same address at once, elsewhere when that is silent', () => {
    const scene = connectedTo('b', 'c').connect('b', 100).disconnect('b').forgetSent().connect('b', 50);
    expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 0, DOWN]);
    scene.disconnect('b').forgetSent().listening.delete(urlOf('b'));
    scene.connect('b', 50, 'ws://elsewhere:7001');
    expect(scene.told('b', 'b')).toBeUndefined();
    scene.pass(1000);
    expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([100, 0, DOWN]);
    expect(scene.expelled).toEqual([]);
  });

  test('an earlier life in place of one that nobody can dial is sent away, and others are asked whether the later one lives', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('d', ALIVE, 1, { epoch: 100, url: null }));
    scene.connect('d', 50, null);
    expect(scene.expelled.map(({ name, epoch }) => [name, epoch])).toEqual([['d', 50]]);
    scene.disconnect('d').pass(10);
    const asked = scene.sent.filter(({ message: [kind] }) => kind === ASK);
    expect(asked.map(({ message }) => message[2])).toEqual(asked.map(() => 'd'));
    expect(asked.length).toBeGreaterThan(0);
    for (const { to, message } of asked) scene.hear(to, [NACK, message[1] as number]);
    expect(scene.stateOf('d')).toBe('suspect');
    // Once that is clear it is let in, and told.
    scene.pass(60_000).forgetSent().connect('d', 50, null);
    expect(scene.expelled).toHaveLength(1);
    expect(scene.told('d', 'd')?.slice(1, 4)).toEqual([100, 1, DOWN]);
  });

  test('a node that hears of a later life of its own that is over, or was here, outlives it, once', () => {
    for (const [state, url] of [
      [DOWN, 'ws://elsewhere:7001'],
      [LEFT, 'ws://elsewhere:7001'],
      [ALIVE, urlOf('m')],
    ] as const) {
      const scene = connectedTo('b').hearOf(aRecord('m', state, 1, { epoch: 9, url }));
      scene.hearOf(aRecord('m', state, 2, { epoch: 9, url }));
      expect(scene.outlived).toEqual([9]);
      expect(scene.reports).toEqual([]);
    }
  });

  test("an epoch that leaves no higher one is nobody's life, and not outlived", () => {
    const scene = connectedTo('b');
    for (const epoch of [EPOCH_LIMIT, Number.MAX_SAFE_INTEGER])
      for (const state of [DOWN, LEFT]) scene.hearOf(aRecord('m', state, 1, { epoch }));
    expect(scene.outlived).toEqual([]);
    scene.hearOf(aRecord('m', DOWN, 1, { epoch: EPOCH_LIMIT - 1 }));
    expect(scene.outlived).toEqual([EPOCH_LIMIT - 1]);
  });

  test('another node of its own name that is taken for it is reported, once', () => {
    const elsewhere = { epoch: 6, url: 'ws://elsewhere:7001' };
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 1, elsewhere), aRecord('m', ALIVE, 2, elsewhere));
    expect(scene.reports.map(({ code }) => code)).toEqual(['NAME_TAKEN']);
    expect(scene.outlived).toEqual([]);
  });

  test('a later life of its own name that looked like another node is outlived when it turns out to be over', () => {
    const elsewhere = { epoch: 9, url: 'ws://elsewhere:7001' };
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 1, elsewhere));
    expect(scene.outlived).toEqual([]);
    scene.hearOf(aRecord('m', DOWN, 1, elsewhere), aRecord('m', DOWN, 2, elsewhere));
    expect(scene.outlived).toEqual([9]);
  });

  test('who is spoken of by a former life says that it has a new one', () => {
    const scene = connectedTo('b')
      .pass(5000)
      .forgetSent()
      .hearOf(aRecord('m', DOWN, 9, { epoch: 4 }))
      .pass(400);
    expect(scene.told('m', 'b')).toEqual(aRecord('m', ALIVE, 1, { epoch: 5 }));
  });
});

describe('twins: two nodes of one name that began at the same time', () => {
  const elsewhere = { epoch: 7, url: 'ws://elsewhere:7001' };

  test('the lower epoch is sent away by whoever is connected with it, as soon as that hears of the higher', () => {
    const scene = connectedTo('b', 'c').hear('c', [GOSSIP, [aRecord('b', ALIVE, 1, elsewhere)]]);
    expect(scene.expelled).toEqual([{ name: 'b', reason: expect.stringContaining(elsewhere.url), epoch: 1 }]);
    expect(scene.statusOf('b')).toMatchObject({ ...elsewhere, state: 'alive' });
  });

  test('of a later life that is said to be over, or is in doubt, nobody is sent away', () => {
    for (const state of [SUSPECT, DOWN, LEFT]) {
      const scene = connectedTo('b', 'c').hear('c', [
        GOSSIP,
        [aRecord('b', state, 1, { ...elsewhere, accusers: ['c'] })],
      ]);
      expect(scene.expelled).toEqual([]);
    }
  });

  test('one that nobody can dial is asked for by nobody: while it is believed alive, the lower epoch is sent away', () => {
    const later = { epoch: 9, url: null };
    const scene = connectedTo('c').hear('c', [GOSSIP, [aRecord('b', ALIVE, 1, later)]]);
    scene.connect('b', 5, null);
    expect(scene.expelled).toMatchObject([{ name: 'b', epoch: 5 }]);
    expect(scene.told('b', 'b')).toBeUndefined();
    // In doubt, it is taken for over: the newcomer may be its next life, with a clock that is behind.
    scene.disconnect('b').hear('c', [GOSSIP, [aRecord('b', SUSPECT, 1, { ...later, accusers: ['c'] })]]);
    scene.connect('b', 5, null);
    expect(scene.expelled).toHaveLength(1);
    expect(scene.told('b', 'b')?.slice(1, 4)).toEqual([9, 1, DOWN]);
  });

  test('of the same epoch, the one that connects hears of the other, which is at another place', () => {
    const scene = connectedTo('c')
      .hear('c', [GOSSIP, [aRecord('b', ALIVE, 1, elsewhere)]])
      .forgetSent();
    scene.connect('b', elsewhere.epoch, urlOf('b'));
    expect(scene.sentOf(SYNC, 'b').map(([, records]) => records)).toEqual([[aRecord('b', ALIVE, 1, elsewhere)]]);
  });

  test('of the same epoch, the one that is connected hears of the other', () => {
    const scene = connectedTo('b', 'c').forgetSent();
    scene.hear('c', [GOSSIP, [aRecord('b', ALIVE, 1, { url: elsewhere.url })]]);
    expect(scene.sentOf(SYNC, 'b').map(([, records]) => records[0]?.[4])).toEqual([elsewhere.url]);
    scene.forgetSent().hear('c', [GOSSIP, [aRecord('b')]]);
    expect(scene.sentOf(SYNC, 'b')).toEqual([]);
  });

  test('of the same epoch, the one that is connected hears of others once in a gossipInterval, however many are made up', () => {
    const scene = connectedTo('b', 'c').pass(5000).forgetSent();
    const madeUp = Array.from({ length: 1000 }, (_, i) => aRecord('b', ALIVE, 1, { url: `ws://made-up:${i + 1}` }));
    scene.hear('c', [GOSSIP, madeUp]).hear('c', [GOSSIP, madeUp]);
    expect(scene.sentOf(SYNC, 'b')).toHaveLength(1);
    scene.pass(250);
    expect(scene.sentOf(SYNC, 'b')).toHaveLength(2);
    expect(scene.pass(1000).sentOf(SYNC, 'b')).toHaveLength(2);
  });

  test('a node that hears of itself at another place, under its very epoch, says so and takes a higher one, once', () => {
    for (const state of [ALIVE, SUSPECT, DOWN]) {
      const twin = aRecord('m', state, 1, { epoch: 5, url: 'ws://elsewhere:7001' });
      const scene = connectedTo('b').hearOf(twin, twin);
      expect(scene.outlived).toEqual([5]);
      expect(scene.reports.map(({ code }) => code)).toEqual(['NAME_TAKEN']);
    }
  });

  test('that is no twin is told nothing of itself, when it comes and when it says more of itself', () => {
    const scene = aMachine()
      .connect('b')
      .hearOf(aRecord('b', ALIVE, 1), aRecord('b', ALIVE, 2));
    expect(scene.pass(10).sentOf(SYNC, 'b')).toEqual([]);
  });
});

/** Whom to be connected with: in small clusters everybody, in large ones a few. */
import { describe, expect, test } from '@jest/globals';
import type { DialEnd } from '../membership.ts';
import { ACK, ASK, GOSSIP, HASH, PING, SYNC } from './swim/messages.ts';
import { aMachine, aMember, among, aRecord, ALIVE, connectedTo, urlOf } from './testing/scene.ts';

describe('connections', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${String(i).padStart(3, '0')}`);

  test('everybody is connected in a small cluster: the lower name dials, the higher where that does not', () => {
    const scene = connectedTo('b');
    for (const name of ['a', 'z']) {
      scene.listening.set(urlOf(name), aMember(name));
      scene.hearOf(aRecord(name));
    }
    expect(scene.pass(1001).dialsOf('z')).toHaveLength(1);
    expect(scene.dialsOf('a')).toEqual([]);
    expect(scene.pass(2000).dialsOf('a')).toHaveLength(1);
    expect([...scene.connected].toSorted()).toEqual(['a', 'b', 'z']);
  });

  test('a member that cannot be dialled is tried ever more seldom, at most a minute apart', () => {
    const scene = connectedTo('b').hearOf(aRecord('z'));
    // It lives, says another.
    const pauses: number[] = [];
    for (let lastMs = scene.nowMs, i = 0; i < 40; i++) {
      const count = scene.dials.length;
      scene.passUntil(() => {
        for (const [, sequence] of scene.sentOf(ASK, 'b')) scene.hear('b', [ACK, sequence, []]);
        scene.forgetSent();
        return scene.dials.length > count;
      });
      pauses.push(scene.nowMs - lastMs);
      lastMs = scene.nowMs;
    }
    expect(scene.stateOf('z')).toBe('alive');
    expect(Math.max(...pauses)).toBeLessThanOrEqual(61_100);
  });

  test('in a large cluster a node chooses some, and lets go whom it chose no more', () => {
    const names = many(40);
    const scene = aMachine({ options: { neighbours: 4 } }).connect(names[0] as string);
    for (const name of names) {
      scene.listening.set(urlOf(name), aMember(name));
      scene.answering.add(name);
    }
    scene.hearOf(...names.map((name) => aRecord(name)));
    let most = 0;
    for (let i = 0; i < 300; i++) {
      scene.pass(1000);
      for (const name of scene.hungUp.splice(0)) if (scene.connected.has(name)) scene.disconnect(name, true);
      if (i > 20) most = Math.max(most, scene.connected.size);
    }
    expect(most).toBeLessThanOrEqual(7);
    expect(scene.connected.size).toBeGreaterThanOrEqual(4);
    expect(new Set(scene.dials.map(({ url }) => url)).size).toBeGreaterThan(20);
    expect(scene.views.at(-1)?.every(({ state }) => state === 'alive')).toBe(true);
  });

  test('a member that refuses the connection lives, and nobody is asked whether it does', () => {
    const scene = among(['b', 'c']);
    scene.hearOf(aRecord('z')).black.add(urlOf('z'));
    scene.pass(1500).forgetSent();
    expect(scene.dialsOf('z').length).toBeGreaterThan(0);
    const refused: DialEnd = { url: urlOf('z'), outcome: 'refused', peer: { name: 'z', epoch: 1 } };
    scene.machine.dialEnded?.(refused, scene.nowMs);
    expect(scene.sentOf(ASK)).toEqual([]);
  });

  test('the one through whom a node joined is not chosen for it, or all would choose the same', () => {
    const scene = aMachine({ options: { seeds: [urlOf('seed')], neighbours: 2 } });
    scene.listening.set(urlOf('seed'), aMember('seed'));
    const others = ['b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const name of others) scene.listening.set(urlOf(name), aMember(name));
    for (const name of ['seed', ...others]) scene.answering.add(name);
    scene.passUntil(() => scene.connected.has('seed'));
    scene.hear('seed', [SYNC, ['seed', ...others].map((name) => aRecord(name)), false]);
    scene.passUntil(() => scene.hungUp.length > 0, 30_000);
    expect(scene.hungUp[0]).toBe('seed');
  });

  test('a node that can dial fewer than it wants lets none of them go: of a star it would leave the hub', () => {
    const scene = aMachine({ self: { url: null }, options: { seeds: [urlOf('hub')], neighbours: 2 } });
    scene.listening.set(urlOf('hub'), aMember('hub'));
    scene.answering.add('hub');
    scene.passUntil(() => scene.connected.has('hub'));
    const leaves = ['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => aRecord(name, ALIVE, 1, { url: null }));
    scene.hear('hub', [SYNC, [aRecord('hub'), ...leaves], false]);
    expect(scene.pass(120_000).hungUp).toEqual([]);
  });

  test('where there is hardly room, those that nobody chose here are let go, whoever dialled, so that others may join', () => {
    const scene = aMachine({ maxConnections: 12, options: { neighbours: 2 } });
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
    for (const name of names) {
      scene.answering.add(name);
      scene.connect(name).hear(name, [GOSSIP, [aRecord(name)]]);
    }
    scene.pass(3500);
    const let1 = new Set(scene.hungUp);
    expect(let1.size).toBe(3);
    for (const name of let1) scene.disconnect(name, true);
    scene.hungUp.length = 0;
    scene.pass(3000);
    expect(scene.hungUp).toEqual([]);
  });

  test('who dialled us is not ours to let go', () => {
    const names = many(40);
    const scene = among(names, { options: { neighbours: 4 } }).pass(60_000);
    expect(scene.hungUp).toEqual([]);
  });

  test('a node that is alone, and one that has nothing to say, keep quiet', () => {
    const scene = connectedTo('b', 'c').pass(60_000).forgetSent();
    scene.pass(60_000);
    expect(scene.sent.filter(({ message }) => message[0] !== PING && message[0] !== HASH)).toEqual([]);
    expect(scene.sentOf(PING)).toHaveLength(60);
    expect(scene.sentOf(PING).every(([, , news]) => news.length === 0)).toBe(true);
    expect(scene.sentOf(HASH).length).toBeLessThanOrEqual(3);
  });
});

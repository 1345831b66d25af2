/** Where to dial: seeds, what discovery finds, and where lost members were. */
import { describe, expect, test } from '@jest/globals';
import { GOSSIP } from './swim/messages.ts';
import {
  aMachine,
  aMember,
  among,
  aRecord,
  ALIVE,
  connectedTo,
  crash,
  DOWN,
  LEFT,
  T0,
  urlOf,
} from './testing/scene.ts';

describe('places where somebody may be', () => {
  const gaps = (times: readonly number[]): number[] => times.slice(1).map((at, i) => at - (times[i] as number));

  test('who is alone tries all seeds, for ever, a few seconds apart', () => {
    const seeds = Array.from({ length: 12 }, (_, i) => urlOf(`s${i}`));
    const scene = aMachine({ options: { seeds } }).pass(1000);
    expect(new Set(scene.dials.map(({ url }) => url))).toEqual(new Set(seeds));
    scene.pass(3_600_000).dials.length = 0;
    scene.pass(10_000);
    expect(new Set(scene.dials.map(({ url }) => url))).toEqual(new Set(seeds));
  });

  test('seeds whose dials do not end hold up no other', () => {
    const scene = aMachine({ options: { seeds: [urlOf('s1'), urlOf('s2'), urlOf('s3')] } });
    scene.black.add(urlOf('s1')).add(urlOf('s2'));
    scene.listening.set(urlOf('s3'), aMember('s3'));
    expect(scene.pass(1000).introduce('s3').stateOf('s3')).toBe('alive');
    expect(scene.dialsOf('s1')).toHaveLength(1);
  });

  test('while a dial is under way nothing wakes a node that could do nothing', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('s1'), urlOf('s2')] } });
    scene.black.add(urlOf('s1')).add(urlOf('s2'));
    scene.pass(60_000).ticks = 0;
    // A question a second, the look whether it was answered, and the comparisons.
    expect(scene.pass(60_000).ticks).toBeLessThanOrEqual(125);
  });

  test('own URL among the seeds is dialled once, so that it is known to lead here, and said where it is the only one', () => {
    const self = { url: urlOf('m'), outcome: 'self', peer: null } as const;
    for (const [seeds, reports] of [
      [[urlOf('m'), urlOf('s')], 0],
      [[urlOf('m')], 1],
    ] as const) {
      const scene = aMachine({ options: { seeds } });
      scene.black.add(urlOf('m')).add(urlOf('s'));
      scene.pass(100).machine.dialEnded?.(self, scene.nowMs);
      expect(scene.pass(600_000).dialsOf('m')).toHaveLength(1);
      const ofItself = scene.reports.filter(({ message }) =>
        /^The only seed, .* leads to this node itself/.test(message),
      );
      expect(ofItself).toHaveLength(reports);
    }
  });

  test('own URL that a source finds first is dialled once, and no reason to complain', () => {
    const scene = aMachine();
    scene.black.add(urlOf('m'));
    for (let times = 0; times < 3; times++) scene.machine.discovered?.(0, [urlOf('m')], scene.nowMs);
    scene.machine.dialEnded?.({ url: urlOf('m'), outcome: 'self', peer: null }, scene.nowMs);
    expect(scene.pass(600_000).dialsOf('m')).toHaveLength(1);
    expect(scene.reports).toEqual([]);
  });

  test('a seed that leads to this node, as far as can be told, is tried again like one that answers nobody', () => {
    const scene = aMachine({ options: { seeds: ['ws://alias:1'] } });
    scene.black.add('ws://alias:1');
    scene.pass(100).machine.dialEnded?.({ url: 'ws://alias:1', outcome: 'self', peer: null }, scene.nowMs);
    expect(scene.pass(500).dials).toHaveLength(2);
  });

  test('a down member is dialled on, ever more seldom and at most a minute apart, while it is listed', () => {
    const scene = connectedTo('b', 'c').pass(100);
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    scene.dials.length = 0;
    const pauses = gaps(scene.pass(3_600_000).dialsOf('b'));
    expect(pauses[0]).toBeLessThan(2500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(61_000);
    expect(Math.min(...pauses.slice(10))).toBeGreaterThanOrEqual(30_000);
  });

  test('whoever loses its last connection after the peer was declared down hurries to its seeds', () => {
    const scene = aMachine({ self: { url: null }, options: { seeds: [urlOf('hub')] } });
    scene.listening.set(urlOf('hub'), aMember('hub'));
    scene.answering.add('hub');
    scene.passUntil(() => scene.connected.has('hub'));
    scene.introduce('hub').pass(70_000);
    // A machine without power: the connection seems open until nothing has been heard of it for long.
    scene.answering.delete('hub');
    scene.passUntil(() => scene.stateOf('hub') === 'down');
    scene.dials.length = 0;
    const pauses = gaps([scene.nowMs, ...scene.disconnect('hub').pass(1000).dialsOf('hub')]);
    expect(pauses[0]).toBeLessThanOrEqual(1000);
  });

  test('a member that is forgotten is dialled on, more seldom', () => {
    const scene = among(['b', 'c'], { forgetAfterMs: 60_000 }).pass(100);
    crash(scene, 'b').pass(180_000);
    expect(scene.statusOf('b')).toBeUndefined();
    scene.dials.length = 0;
    const pauses = gaps(scene.pass(7_200_000).dialsOf('b'));
    expect(pauses.length).toBeGreaterThan(10);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(601_000);
    expect(Math.max(...pauses)).toBeGreaterThan(300_000);
  });

  test('a place that was left for another is not dialled on', () => {
    const scene = connectedTo('b', 'c').hearOf(aRecord('b', DOWN));
    crash(scene, 'b').pass(10_000).connect('b', 2, 'ws://elsewhere:1').pass(2000);
    scene.dials.length = 0;
    expect(scene.pass(600_000).dialsOf('b')).toEqual([]);
  });

  test('after a crash of the machine a seed stays one, although who is there was down', () => {
    const inherited = [
      { ...aMember('s'), state: 'down' as const },
      { ...aMember('b'), state: 'alive' as const },
    ];
    const scene = among(['b'], { inherited, options: { seeds: [urlOf('s')] } }).pass(10_000);
    scene
      .connect('s')
      .hearOf(aRecord('s', ALIVE, 2))
      .pass(1000)
      .hearOf(aRecord('s', LEFT, 2))
      .disconnect('s');
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('s').length).toBeGreaterThan(0);
  });

  test('a place that no source names any more is dialled on while who is there is down', () => {
    const scene = aMachine();
    scene.machine.discovered?.(0, [urlOf('b'), urlOf('c')], scene.nowMs);
    scene
      .connect('b')
      .connect('c')
      .hear('b', [GOSSIP, [aRecord('b'), aRecord('c', DOWN)]]);
    scene.answering.add('b');
    scene.pass(1000).machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.dials.length = 0;
    expect(scene.pass(120_000).dialsOf('c').length).toBeGreaterThan(0);
  });

  test('a place that no source names any more, and where nobody was known, is given up', () => {
    const scene = aMachine();
    scene.machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.machine.discovered?.(1, [urlOf('b')], scene.nowMs);
    scene.machine.discovered?.(0, [], scene.nowMs);
    scene.pass(1000).dials.length = 0;
    expect(scene.pass(10_000).dialsOf('b').length).toBeGreaterThan(0);
    scene.machine.discovered?.(1, [], scene.nowMs);
    scene.pass(10).dials.length = 0;
    expect(scene.pass(60_000).dialsOf('b')).toEqual([]);
  });

  test('who is alone again is in a hurry', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('s')] } }).pass(600_000);
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    scene.dials.length = 0;
    scene.pass(400);
    expect(scene.dialsOf('s').length).toBeGreaterThan(0);
    expect(scene.pass(20_000).dialsOf('s').length).toBeGreaterThan(4);
  });

  test('a seed where a member is known to be is not dialled', () => {
    const scene = among(['b'], { options: { seeds: [urlOf('b')] } }).pass(1000);
    scene.dials.length = 0;
    expect(scene.pass(300_000).dials).toEqual([]);
  });

  test('a source that finds nothing at first is asked again, at once while alone', () => {
    const scene = aMachine().pass(30_000);
    expect(scene.discoveries[0]).toBe(T0);
    expect(gaps(scene.discoveries).slice(0, 5)).toEqual([500, 1000, 2000, 4000, 5000]);
    scene.machine.discovered?.(0, [urlOf('b')], scene.nowMs);
    scene.listening.set(urlOf('b'), aMember('b'));
    expect(scene.pass(100).introduce('b').stateOf('b')).toBe('alive');
  });

  test('who is among others asks the sources once a minute, and soon when it is alone again', () => {
    const scene = connectedTo('b').pass(310_000);
    expect(gaps(scene.discoveries).slice(2)).toEqual(scene.discoveries.slice(3).map(() => 60_000));
    crash(scene, 'b').passUntil(() => scene.stateOf('b') === 'down');
    const count = scene.discoveries.length;
    expect(scene.pass(1000).discoveries.length).toBeGreaterThan(count);
  });

  test('what a former process remembered is tried beside the seeds', () => {
    const scene = aMachine({ remembered: [urlOf('b')], options: { seeds: [urlOf('s')] } }).pass(100);
    expect([scene.dialsOf('b'), scene.dialsOf('s')].map(({ length }) => length)).toEqual([1, 1]);
  });

  test('whom it has just met is remembered at once, and so is who has left: all may be started anew together', () => {
    const scene = connectedTo('b', 'c');
    expect(scene.remembered).toEqual([urlOf('b'), urlOf('c')]);
    scene.hearOf(aRecord('c', LEFT));
    expect(scene.remembered).toEqual([urlOf('b'), urlOf('c')]);
    scene.hearOf(aRecord('b', LEFT)).machine.leave(scene.nowMs);
    expect(new Set(scene.remembered)).toEqual(new Set([urlOf('b'), urlOf('c')]));
  });

  test('members are remembered, the living first', () => {
    const scene = crash(connectedTo('b', 'c', 'd'), 'b')
      .hearOf(aRecord('b', DOWN))
      .pass(2000);
    expect(scene.remembered).toEqual([urlOf('c'), urlOf('d'), urlOf('b')]);
  });

  test('a seed that nobody answers at is reported once', () => {
    const scene = aMachine({ options: { seeds: [urlOf('s')] } }).pass(60_000);
    expect(scene.reports.map(({ code }) => code)).toEqual(['PEER_UNREACHABLE']);
  });
});

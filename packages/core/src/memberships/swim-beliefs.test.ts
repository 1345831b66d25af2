/** What is believed of what is told, what is told of it, and that in the end all believe the same. */
import { describe, expect, test } from '@jest/globals';
import { ASK, GOSSIP, HASH, NACK, PING, SYNC, WHO } from './swim/messages.ts';
import { aMachine, aMember, among, aRecord, ALIVE, connectedTo, DOWN, LEFT, SUSPECT, T0 } from './testing/scene.ts';

describe('what members believe', () => {
  test('who is connected is published with what it says of itself, in the first view that has it', () => {
    const scene = aMachine().connect('b').pass(10);
    expect(scene.views.flat()).toEqual([]);
    scene.hear('b', [GOSSIP, [aRecord('b', ALIVE, 1, { meta: { zone: 'eu' } })]]);
    expect(scene.views.flat().map(({ name, meta }) => [name, meta])).toEqual([['b', { zone: 'eu' }]]);
  });

  test('who is connected and says nothing is published after a second, and not before', () => {
    const scene = aMachine().connect('b').pass(990);
    expect(scene.views.flat()).toEqual([]);
    expect(scene.pass(20).statusOf('b')).toMatchObject({ name: 'b', meta: {} });
  });

  test('who is suspected before it has told of itself stays published until its time is over', () => {
    const scene = aMachine().connect('b').pass(1100);
    scene.answering.delete('b');
    scene.passUntil(() => scene.stateOf('b') === 'suspect');
    const published = scene.views.length;
    scene.passUntil(() => scene.stateOf('b') === 'down');
    const before = scene.views.slice(published - 1).filter((view) => !view.some(({ state }) => state === 'down'));
    expect(before.map((view) => view.map(({ name }) => name))).toEqual(before.map(() => ['b']));
    expect(before.length).toBeGreaterThan(0);
  });

  test('down is hearsay where all is compared: the accused may refute before it is believed', () => {
    // Whoever was cut off believes all on the other side of the cut to be down.
    const scene = connectedTo('b', 'c').hear('b', [SYNC, [aRecord('c', DOWN)], false]);
    expect(scene.statusOf('c')).toMatchObject({ state: 'suspect', incarnation: 1 });
    expect(scene.pass(400).told('c', 'c')).toEqual(aRecord('c', SUSPECT, 1, { accusers: ['b'] }));
    scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state === 'down')).toEqual([]);
  });

  test('down is believed where it is told as news', () => {
    expect(connectedTo('b').hearOf(aRecord('c'), aRecord('c', DOWN)).stateOf('c')).toBe('down');
    expect(
      connectedTo('b', 'c')
        .disconnect('c')
        .hear('b', [GOSSIP, [aRecord('c', DOWN)]])
        .stateOf('c'),
    ).toBe('down');
  });

  test('down is hearsay as news too where there is a connection: a node that was cut off tells late whom it could not hear', () => {
    const scene = connectedTo('b', 'c');
    // What it had to say while it was cut off comes in order, when it is back.
    scene
      .hear('b', [GOSSIP, [aRecord('c', SUSPECT, 1, { accusers: ['b'] })]])
      .hear('b', [GOSSIP, [aRecord('c', DOWN)]]);
    expect(scene.statusOf('c')).toMatchObject({ state: 'suspect', incarnation: 1 });
    expect(scene.pass(400).told('c', 'c')).toEqual(aRecord('c', SUSPECT, 1, { accusers: ['b'] }));
    scene.hear('c', [GOSSIP, [aRecord('c', ALIVE, 2)]]).pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state === 'down')).toEqual([]);
  });

  test('who is down for another and does not refute is down here no later than at the end of the suspicion', () => {
    const scene = connectedTo('b', 'c', 'd', 'e').hear('b', [GOSSIP, [aRecord('c', DOWN)]]);
    scene.answering.delete('c');
    scene.hear('d', [GOSSIP, [aRecord('c', DOWN)]]).hear('e', [GOSSIP, [aRecord('c', DOWN)]]);
    expect(scene.passUntil(() => scene.stateOf('c') === 'down')).toBeLessThanOrEqual(4000);
  });

  test('hearsay about the dead makes no member', () => {
    const scene = connectedTo('b').hearOf(aRecord('x', DOWN), aRecord('y', LEFT));
    expect(scene.views.at(-1)?.map(({ name }) => name)).toEqual(['b']);
  });

  test('who is sent away, or no member at all, may ask who is there', () => {
    const scene = connectedTo('b').forgetSent().hear('a program', [WHO]);
    expect(scene.sentOf(SYNC, 'a program')).toEqual([
      [SYNC, [aRecord('m', ALIVE, 1, { epoch: 5 }), aRecord('b')], false],
    ]);
  });

  test('meta of a member that changes is a change', () => {
    const scene = connectedTo('b').hearOf(aRecord('b', ALIVE, 2, { meta: { zone: 'a' } }));
    expect(scene.statusOf('b')?.meta).toEqual({ zone: 'a' });
    const published = scene.views.length;
    scene.hearOf(aRecord('b', ALIVE, 2, { meta: { zone: 'a' } }));
    expect(scene.views).toHaveLength(published);
  });

  test('own meta that changes is told with a new incarnation, and that it is the same is nothing new', () => {
    const scene = connectedTo('b').pass(5000).forgetSent();
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m', 'b')).toEqual(aRecord('m', ALIVE, 2, { epoch: 5, meta: { zone: 'a' } }));
    scene.pass(10_000).forgetSent().machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m')).toBeUndefined();
  });

  test('news waits for somebody to be told, where all connections end before it is', () => {
    const scene = connectedTo('p', 'q').pass(10_000).forgetSent();
    scene.machine.describe?.({ zone: 'b' }, scene.nowMs);
    scene.listening.clear();
    scene.disconnect('p').disconnect('q').pass(900);
    expect(scene.told('m')).toBeUndefined();
    scene.connect('p').pass(300);
    expect(scene.sentOf(GOSSIP, 'p').flatMap(([, records]) => records.map(([name]) => name))).toContain('m');
  });

  test('what it says next is newer than all that is known of it, whoever said that', () => {
    const scene = connectedTo('b').hearOf(aRecord('m', ALIVE, 7, { epoch: 5 }));
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    expect(scene.pass(400).told('m', 'b')?.[2]).toBe(8);
  });

  test('a new member is compared with by the lower name, and all is told where the hashes differ', () => {
    const scene = connectedTo('b', 'z');
    expect([scene.sentOf(HASH, 'b').length, scene.sentOf(HASH, 'z').length]).toEqual([0, 1]);
    const [, first, ...others] = scene.sentOf(HASH, 'z')[0] as readonly [number, number, ...number[]];
    scene
      .pass(100)
      .forgetSent()
      .hear('b', [HASH, first ^ 1, ...others]);
    expect(scene.sentOf(SYNC, 'b')).toEqual([
      [SYNC, [aRecord('m', ALIVE, 1, { epoch: 5 }), aRecord('b'), aRecord('z')], true],
    ]);
    scene.pass(300).forgetSent().hear('b', [SYNC, [], true]);
    expect(scene.sentOf(SYNC, 'b').map(([, , answer]) => answer)).toEqual([false]);
    scene.forgetSent().hear('b', [SYNC, [], false]);
    expect(scene.sentOf(SYNC, 'b')).toEqual([]);
  });

  test('all that it knows goes in messages that fit a frame; the last asks for the answer', () => {
    const scene = connectedTo('a');
    const others = Array.from({ length: 1100 }, (_, i) => aRecord(`n${i}`));
    scene.hearOf(...others).forgetSent();
    scene.hear('a', [HASH, 1, 2]);
    const syncs = scene.sentOf(SYNC, 'a');
    const names = syncs.flatMap(([, records]) => records.map(([name]) => name));
    expect([names.length, new Set(names).size]).toEqual([1102, 1102]);
    for (const [, records] of syncs) expect(JSON.stringify(records).length).toBeLessThan(10_000);
    expect(syncs.map(([, , answer]) => answer)).toEqual([...syncs.slice(1).map(() => false), true]);
    scene.pass(5000).forgetSent().hear('a', [WHO]);
    expect(scene.sent.map(({ message }) => message[0])).toEqual([...syncs.map(() => SYNC), HASH]);
    expect(scene.sentOf(SYNC).every(([, , answer]) => !answer)).toBe(true);
  });

  test('one view is published of all that is heard at one time', () => {
    const scene = connectedTo('b');
    const views = scene.views.length;
    for (let i = 1; i <= 1000; i++)
      scene.machine.receive('b', [GOSSIP, [aRecord('c', ALIVE, i)]], scene.nowMs, i < 1000);
    expect(scene.views).toHaveLength(views + 1);
    expect(scene.views.at(-1)).toContainEqual(expect.objectContaining({ name: 'c', incarnation: 1000 }));
  });

  test('who asks on and on is told all now and then, and in the end', () => {
    const scene = connectedTo('a', 'b').pass(5000).forgetSent();
    for (let i = 0; i < 100; i++) scene.hear('a', [WHO]).hear('a', [HASH, 1, i]).hear('a', [SYNC, [], true]);
    scene.hear('b', [WHO]);
    expect([scene.sentOf(SYNC, 'a').length, scene.sentOf(SYNC, 'b').length]).toEqual([1, 1]);
    scene.pass(250);
    expect(scene.sentOf(SYNC, 'a').map(([, , answer]) => answer)).toEqual([false, true]);
    expect(scene.sentOf(HASH, 'a').length).toBeGreaterThanOrEqual(2);
    scene.pass(250);
    expect(scene.sentOf(SYNC, 'a').length).toBe(2);
  });

  test('equal hashes are answered by silence', () => {
    const scene = connectedTo('b', 'z').pass(60_000);
    const lanes = (scene.sentOf(HASH).at(-1) as readonly number[]).slice(1);
    expect(lanes.length).toBe(4);
    scene.forgetSent().hear('b', [HASH, ...lanes]);
    expect(scene.sent).toEqual([]);
  });

  test('a hash in two lanes, as older nodes tell it, is answered with all that is known', () => {
    const scene = connectedTo('b', 'z').pass(60_000);
    const [first, second] = (scene.sentOf(HASH).at(-1) as readonly number[]).slice(1);
    scene.forgetSent().hear('b', [HASH, first as number, second as number]);
    expect(scene.sentOf(SYNC, 'b').length).toBe(1);
  });

  test('own meta that is too long is refused, and nothing changes', () => {
    const scene = connectedTo('b');
    expect(() => scene.machine.describe?.({ zone: 'x'.repeat(600) }, scene.nowMs)).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    expect(scene.pass(400).told('m', 'b')?.[5]).toEqual({});
  });

  test('a peer makes no more members than a bound, and none of them costs the known', () => {
    const scene = connectedTo('b');
    for (let i = 0; i < 12; i++)
      scene.hearOf(...Array.from({ length: 1000 }, (_, j) => aRecord(`invented-${i}-${j}`, ALIVE, 1, { url: null })));
    expect(scene.views.at(-1)).toHaveLength(10_000);
    expect(scene.hearOf(aRecord('b', ALIVE, 2)).statusOf('b')?.incarnation).toBe(2);
  });

  test('as many accusers as an option asks for are never more than a record can bear', () => {
    const names = Array.from({ length: 120 }, (_, i) => `n${i}`);
    const scene = among(names.slice(0, 110), { options: { suspicionMult: 100 } });
    for (let i = 0; i < 100; i += 20) scene.hearOf(aRecord('n1', SUSPECT, 1, { accusers: names.slice(i, i + 20) }));
    // What is sent is checked by the scene.
    expect(scene.pass(1000).told('n1')?.[6].length).toBeLessThanOrEqual(32);
  });

  test('those that only dial are asked about after a crash of the machine, by others alone', () => {
    const inherited = [{ ...aMember('d', 1, null), meta: {}, state: 'alive' as const, incarnation: 1, sinceMs: T0 }];
    const scene = aMachine({ inherited }).pass(60_000);
    // Of a node that is cut off nobody can say more than of those whom it cannot hear.
    expect(scene.stateOf('d')).toBe('alive');
    scene.answering.add('b');
    scene.connect('b').introduce('b').pass(2000);
    const asked = scene.sentOf(ASK, 'b').map(([, sequence, name]) => ({ sequence, name }));
    expect(asked.map(({ name }) => name)).toEqual(['d']);
    scene.hear('b', [NACK, asked[0]?.sequence as number]);
    expect(scene.stateOf('d')).toBe('suspect');
    expect(scene.pass(60_000).stateOf('d')).toBe('down');
  });

  test('one that only dials is asked again in every period while it is suspect, since nobody else can', () => {
    const scene = connectedTo('b', 'c', 'e', 'f', 'g', 'h', 'i').connect('d', 1, null).introduce('d', 1, null);
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    for (const { to, message } of scene.sent.filter(({ message: [kind] }) => kind === ASK))
      scene.hear(to, [NACK, message[1] as number]);
    expect(scene.stateOf('d')).toBe('suspect');
    scene.forgetSent().pass(3100);
    expect(scene.sentOf(PING, 'd').length).toBeGreaterThanOrEqual(2);
  });

  test('after a crash of the machine it outbids whatever the former said of this node', () => {
    const former = connectedTo('b')
      .hearOf(aRecord('m', SUSPECT, 1, { epoch: 5, accusers: ['b'] }))
      .pass(1000);
    const said = former.told('m', 'b');
    const scene = among(['b'], { inherited: former.views.at(-1) ?? [] });
    scene.machine.describe?.({ zone: 'a' }, scene.nowMs);
    const says = scene.pass(1000).told('m', 'b');
    expect(says?.[5]).toEqual({ zone: 'a' });
    expect(says?.[2]).toBeGreaterThan(said?.[2] as number);
  });

  test('what a former machine published is taken up as it was, and is no news', () => {
    const former = connectedTo('b', 'c', 'd')
      .hearOf(aRecord('c', SUSPECT, 3), aRecord('d', DOWN, 4))
      .pass(500);
    const view = former.views.at(-1);
    const scene = aMachine({ inherited: view ?? [] });
    expect(scene.views).toEqual([view]);
  });
});

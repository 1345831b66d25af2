/** Who is probed, by whom and when, and what becomes of one that does not answer. */
import { describe, expect, test } from '@jest/globals';
import { ACK, ASK, NACK, PING } from './swim/messages.ts';
import { among, aRecord, ALIVE, connectedTo, crash, type Sent, SUSPECT, urlOf } from './testing/scene.ts';

describe('the failure detector', () => {
  test('asks one member a period, everybody once in a round (SWIM, section 4.3)', () => {
    const scene = connectedTo('b', 'c', 'd').pass(3000);
    scene.forgetSent().pass(9000);
    const asked = scene.sent.filter(({ message }) => message[0] === PING).map(({ to }) => to);
    expect(asked).toHaveLength(9);
    for (const name of ['b', 'c', 'd']) expect(asked.filter((to) => to === name).length).toBeGreaterThanOrEqual(2);
  });

  test('has k others ask when the answer is late, and suspects at the end of the period (SWIM, section 3.1)', () => {
    const scene = among(['b', 'c', 'd', 'e', 'f'], { options: { indirectProbes: 3 } });
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const asks = scene.sent.filter(({ message }) => message[0] === ASK);
    expect(asks).toHaveLength(3);
    expect(asks.every(({ to, message }) => to !== 'b' && message[2] === 'b')).toBe(true);
    scene.pass(480);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(40);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('an answer through another is an answer', () => {
    const scene = connectedTo('b', 'c');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [ACK, sequence, []]).pass(600);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('suspects at once when all that were asked live and hear nothing either', () => {
    const scene = connectedTo('b', 'c', 'd');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('alive');
    scene.hear('d', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('one helper that says twice that it heard nothing speaks for itself alone', () => {
    const scene = connectedTo('b', 'c', 'd');
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const [, sequence] = scene.sentOf(ASK)[0] as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]).hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('alive');
  });

  test('a closed connection starts a probe at once and is no verdict', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    scene.forgetSent();
    const dialsBefore = scene.dialsOf('b').length;
    scene.disconnect('b');
    expect(scene.dialsOf('b')).toHaveLength(dialsBefore + 1);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(1);
    expect(scene.sentOf(PING, 'b')).toHaveLength(1);
    scene.pass(60_000);
    expect(scene.views.flat().filter(({ state }) => state !== 'alive')).toEqual([]);
  });

  test('who crashed is suspected as soon as all agree, and down after the suspicion', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    crash(scene, 'b').pass(1);
    const [, sequence] = scene.sentOf(ASK, 'c').at(-1) as readonly [number, number, string];
    scene.hear('c', [NACK, sequence]);
    expect(scene.stateOf('b')).toBe('suspect');
    // Three nodes: nobody can confirm, so it is the minimum of 4 × 1 × probeInterval.
    const takesMs = scene.passUntil(() => scene.stateOf('b') === 'down');
    expect(takesMs).toBeGreaterThanOrEqual(3990);
    expect(takesMs).toBeLessThanOrEqual(4010);
  });

  test('a tick that is late leaves those who are asked to ask their time', () => {
    const scene = connectedTo('b', 'c').pass(5000);
    scene.answering.delete('b');
    scene.forgetSent().passUntil(() => scene.sentOf(PING, 'b').length > 0);
    scene.freeze(1500).pass(0);
    expect(scene.sentOf(ASK, 'c')).toHaveLength(1);
    scene.pass(490);
    expect(scene.stateOf('b')).toBe('alive');
    scene.pass(20);
    expect(scene.stateOf('b')).toBe('suspect');
  });

  test('probes in vain make it slower, and answers make it as fast as before (Lifeguard, section IV-A)', () => {
    const scene = connectedTo('b');
    scene.answering.clear();
    scene.passUntil(() => scene.stateOf('b') === 'suspect');
    // The next probe begins as this one ends.
    const judgedAfterMs = (incarnation: number): number => {
      scene.hearOf(aRecord('b', ALIVE, incarnation));
      return scene.passUntil(() => scene.stateOf('b') === 'suspect');
    };
    expect([judgedAfterMs(2), judgedAfterMs(3)].map((ms) => Math.round(ms / 100))).toEqual([20, 30]);
    scene.answering.add('b');
    scene
      .pass(4500)
      .hearOf(aRecord('b', ALIVE, 4))
      .pass(30_000)
      .answering.clear();
    scene.passUntil(() => scene.stateOf('b') === 'suspect');
    expect(Math.round(judgedAfterMs(5) / 100)).toBe(20);
  });

  test.each([
    ['says that it heard nothing', 10],
    ['says nothing', 20],
  ])('a helper that %s: the next is judged after %i tenths (Lifeguard, section IV-A)', (kind, tenths) => {
    const scene = connectedTo('b', 'c');
    scene.answering.clear();
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    const { to, message } = scene.sent.find((one) => one.message[0] === ASK) as Sent;
    if (kind !== 'says nothing') scene.hear(to, [NACK, message[1] as number]);
    scene.passUntil(() => scene.stateOf(to) === 'suspect');
    const asked = scene.sent.findLast(
      (one) => one.message[0] === PING && one.to === to && one.atMs < scene.nowMs - 500,
    );
    expect(Math.round((scene.nowMs - (asked?.atMs as number)) / 100)).toBe(tenths);
  });

  test('a suspect is not asked to help', () => {
    const scene = connectedTo('b', 'c', 'd').hearOf(aRecord('c', SUSPECT, 1, { accusers: ['x'] }));
    scene.answering.delete('b');
    scene.passUntil(() => scene.sentOf(ASK).length > 0);
    expect(scene.sent.filter(({ message }) => message[0] === ASK).map(({ to }) => to)).toEqual(['d']);
  });

  test('a released connection starts no probe', () => {
    const scene = connectedTo('b', 'c').pass(100);
    const dialsBefore = scene.dials.length;
    scene.forgetSent().disconnect('b', true);
    expect(scene.dials).toHaveLength(dialsBefore);
    expect(scene.sentOf(ASK)).toEqual([]);
  });

  test('asks for another, and tells the answer; or in time that there is none', () => {
    const scene = connectedTo('b', 'c').pass(100);
    scene.forgetSent().hear('c', [ASK, 77, 'b']).pass(1);
    expect(scene.sentOf(ACK, 'c')).toEqual([[ACK, 77, []]]);
    // For a moment the answer stands.
    scene.pass(100).answering.delete('b');
    scene.forgetSent().hear('c', [ASK, 78, 'b']).pass(399);
    expect(scene.sentOf(NACK, 'c')).toEqual([]);
    scene.pass(1);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 78]]);
  });

  test('says no more than once to who asked that there is no answer', () => {
    const scene = connectedTo('b', 'c').pass(100);
    scene.black.add(urlOf('b'));
    scene.disconnect('b');
    scene.hear('c', [ASK, 78, 'b']).pass(450);
    scene.machine.dialEnded?.({ url: urlOf('b'), outcome: 'failed', peer: null }, scene.nowMs);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 78]]);
  });

  test('asks for another no more than a bound at once, and leaves room for the questions of others', () => {
    const scene = connectedTo('c', 'd').hearOf(...Array.from({ length: 100 }, (_, i) => aRecord(`n${i}`)));
    scene.forgetSent();
    for (let i = 0; i < 65; i++) scene.hear('c', [ASK, i, `n${i}`]);
    expect(scene.sentOf(NACK)).toEqual([[NACK, 64]]);
    scene.hear('d', [ASK, 7, 'n99']);
    expect(scene.sentOf(NACK)).toHaveLength(1);
  });

  test('a question about somebody unknown is answered at once', () => {
    const scene = connectedTo('c').forgetSent().hear('c', [ASK, 5, 'nobody']);
    expect(scene.sentOf(NACK, 'c')).toEqual([[NACK, 5]]);
  });
});

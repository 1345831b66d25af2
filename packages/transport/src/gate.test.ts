import { describe, expect, test } from '@jest/globals';
import { closeCodes } from './close-codes.ts';
import { Gate } from './gate.ts';
import type { Handshake } from './handshake.ts';
import { resolveOptions } from './options.ts';
import type { Refused } from './pairing.ts';
import type { Link, Peer } from './session.ts';

const aPeer = (name: string, epoch = 1): Peer => ({ name, epoch, url: null, capabilities: [], version: 1 });

/** A gate with sessions that answer when the test says so, and with reservations. */
function aGate({ maxConnections = 2, open = [] as readonly string[], reserved = [] as readonly string[] } = {}) {
  const askers: ((lives: boolean) => void)[] = [];
  const aLink = (peer: Peer): Link => {
    const ask = (answered: (lives: boolean) => void): (() => void) => {
      askers.push(answered);
      return () => {};
    };
    return { peer, ask, reads: true, counters: { framesIn: 0 } } as unknown as Link;
  };
  const links = new Map(open.map((name) => [name, aLink(aPeer(name))]));
  const reservation = (name: string): Handshake =>
    ({ dialled: false, isReservation: true, peer: aPeer(name), socket: { address: null } }) as unknown as Handshake;
  const handshakes = new Set(reserved.map(reservation));
  const options = resolveOptions({ name: 'm', epoch: 1, maxConnections, setTimer: () => () => {} });
  const gate = new Gate({ options, links, handshakes, canonical: (url) => url });
  const verdicts: (number | null)[] = [];
  const decide = (refused: Refused | null): void => void verdicts.push(refused?.code ?? null);
  const judged = (step: 'hello' | 'welcome' | 'commit', name: string): number | null => {
    gate.judge(step, aPeer(name), decide);
    return verdicts.at(-1) as number | null;
  };
  const answer = async (lives: boolean): Promise<void> => {
    for (const asker of askers.splice(0)) asker(lives);
    await Promise.resolve();
  };
  return { aLink, answer, decide, gate, judged, links, verdicts };
}

describe('at the gate', () => {
  const full = closeCodes.TOO_MANY_CONNECTIONS;

  test('sessions and reservations take room for hellos and welcomes, but not those of the peer itself', () => {
    const { judged } = aGate({ open: ['a'], reserved: ['b'] });
    expect([judged('hello', 'c'), judged('welcome', 'c')]).toEqual([full, full]);
    expect([judged('hello', 'a'), judged('welcome', 'n')]).toEqual([null, full]);
    // m is the higher name, so a dial of ours gives way to that of b; z gives way to ours.
    expect(judged('welcome', 'b')).toBe(closeCodes.DUPLICATE);
    expect(aGate({ open: ['a'], reserved: ['z'] }).judged('welcome', 'z')).toBe(null);
  });

  test('a commit whose reservation was for a session that is gone needs room like others', () => {
    expect(aGate({ open: ['a', 'b'], reserved: ['c'] }).judged('commit', 'c')).toBe(full);
    expect(aGate({ open: ['a'], reserved: ['c'] }).judged('commit', 'c')).toBe(null);
    expect(aGate({ open: ['a', 'b'], reserved: ['b'] }).judged('commit', 'b')).toBe(null);
  });

  test('who has not said its name is let in beyond the room, but not for ever', () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `s${index}`);
    expect(aGate({ open: ['a', 'b'], reserved: names(15) }).gate.atDoor(null)).toBe(null);
    expect(aGate({ open: ['a', 'b'], reserved: names(16) }).gate.atDoor(null)?.code).toBe(full);
  });

  test('a newcomer waits for its former self, and goes on when that has ended', async () => {
    const { answer, decide, gate, links, verdicts } = aGate({ open: ['a'] });
    gate.judge('hello', aPeer('a', 2), decide);
    expect(verdicts).toEqual([]);
    links.delete('a');
    await answer(false);
    expect(verdicts).toEqual([null]);
  });

  test('a newcomer is judged anew after the answer: a session that came meanwhile is asked as well', async () => {
    const { aLink, answer, decide, gate, links, verdicts } = aGate({ open: ['a'] });
    gate.judge('hello', aPeer('a', 2), decide);
    links.set('a', aLink(aPeer('a')));
    await answer(false);
    expect(verdicts).toEqual([]);
    await answer(true);
    expect(verdicts).toEqual([closeCodes.NAME_TAKEN]);
  });

  test('a newcomer is judged anew after the answer: a still higher epoch that came meanwhile stays', async () => {
    const { aLink, answer, decide, gate, links, verdicts } = aGate({ open: ['a'] });
    gate.judge('hello', aPeer('a', 2), decide);
    links.set('a', aLink(aPeer('a', 3)));
    await answer(false);
    expect(verdicts).toEqual([closeCodes.NAME_TAKEN]);
  });

  test('a judgement that is given up is told no more, even in its second question', async () => {
    const { aLink, answer, decide, gate, links, verdicts } = aGate({ open: ['a'] });
    const giveUp = gate.judge('hello', aPeer('a', 2), decide);
    links.set('a', aLink(aPeer('a')));
    await answer(false);
    giveUp();
    await answer(false);
    expect(verdicts).toEqual([]);
  });
});

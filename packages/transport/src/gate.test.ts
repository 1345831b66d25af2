import { describe, expect, test } from '@jest/globals';
import { closeCodes } from './close-codes.ts';
import { Gate } from './gate.ts';
import type { Handshake } from './handshake.ts';
import { resolveOptions, type TransportOptions } from './options.ts';
import type { Refused } from './pairing.ts';
import type { Link, Peer } from './session.ts';

const aPeer = (name: string, epoch = 1): Peer => ({ name, epoch, url: null, capabilities: [], version: 1 });

/** A gate with sessions that answer when the test says so, and with reservations. */
function aGate({
  maxConnections = 2,
  open = [],
  reserved = [],
  limits = {},
}: {
  readonly maxConnections?: number;
  readonly open?: readonly string[];
  readonly reserved?: readonly string[];
  readonly limits?: Partial<TransportOptions>;
} = {}) {
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
    ({
      dialled: false,
      isReservation: true,
      isOver: false,
      isUnproven: false,
      peer: aPeer(name),
      address: null,
    }) as unknown as Handshake;
  const handshakes = new Set(reserved.map(reservation));
  const closing = new Set<Link>();
  const options = resolveOptions({ name: 'm', epoch: 1, maxConnections, ...limits, setTimer: () => () => {} });
  const gaveWay: string[] = [];
  /** Somebody comes. @returns whether he is heard; `gaveWay` names those who had to give way */
  const comes = (who: string, address: string, fate: 'unproven' | 'proven' | 'closing' = 'unproven'): boolean => {
    if (gate.atDoor(address) !== null) return false;
    const one = {
      dialled: false,
      isOver: fate === 'closing',
      isUnproven: fate === 'unproven',
      isReservation: fate === 'proven',
      peer: fate === 'proven' ? aPeer(who) : null,
      address,
      refuse: () => {
        gaveWay.push(`${who} refused`);
        one.isOver = true;
        one.isUnproven = false;
      },
      cut: () => {
        gaveWay.push(`${who} cut`);
        handshakes.delete(one as unknown as Handshake);
      },
    };
    handshakes.add(one as unknown as Handshake);
    return true;
  };
  const gate = new Gate({ options, links, handshakes, closing, canonical: (url) => url });
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
  return { aLink, comes, gaveWay, answer, decide, gate, judged, links, verdicts };
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

  test('at a full door the oldest unproven one of the address with most gives way', () => {
    const { comes, gaveWay } = aGate({ maxConnections: 100, limits: { maxHandshakes: 4 } });
    for (const who of ['a1', 'a2', 'a3']) comes(who, 'a');
    comes('b1', 'b');
    expect([comes('b2', 'b'), comes('c1', 'c'), comes('a4', 'a')]).toEqual([true, true, true]);
    // Who was told why is closing, and is the next to be cut.
    expect(gaveWay).toEqual(['a1 refused', 'a1 cut', 'a2 refused']);
  });

  test('who has proven itself gives way to nobody', () => {
    const { comes, gaveWay } = aGate({ maxConnections: 100, limits: { maxHandshakes: 2 } });
    comes('a1', 'a', 'proven');
    comes('a2', 'a', 'proven');
    expect([comes('b1', 'b'), gaveWay]).toEqual([false, []]);
  });

  test('connections that are closing count, and are the first to be cut', () => {
    const { comes, gaveWay } = aGate({ maxConnections: 100, limits: { maxHandshakes: 2 } });
    comes('a1', 'a');
    comes('b1', 'b', 'closing');
    expect([comes('c1', 'c'), gaveWay]).toEqual([true, ['b1 cut']]);
  });

  test('of the connections that an address may have the oldest unproven one gives way', () => {
    const { comes, gaveWay } = aGate({ maxConnections: 100, limits: { maxConnectionsPerAddress: 2 } });
    comes('b1', 'b');
    comes('a1', 'a');
    comes('a2', 'a', 'proven');
    expect([comes('a3', 'a'), gaveWay]).toEqual([true, ['a1 refused']]);
  });

  test('where nearly all connections are taken, unproven ones give way to newcomers too', () => {
    const { comes, gaveWay } = aGate({ open: ['a', 'b'] });
    for (let i = 0; i < 16; i++) expect(comes(`s${i}`, 'x')).toBe(true);
    expect([comes('member', 'y'), gaveWay]).toEqual([true, ['s0 refused']]);
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

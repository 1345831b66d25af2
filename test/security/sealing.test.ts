/**
 * What a stranger without a key can do who stands between two nodes with keys on plain connections: nothing but to end them.
 *
 * It passes hellos and proofs on as they are, which nobody can prevent, and then speaks, listens or changes what it passes on.
 */
import { createSecretKey, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { WebSocket } from 'ws';

import { closeCodes, createWebSocketTransport } from '../../packages/transport/src/index.ts';
import { type Probe, Scene, until } from '../../packages/transport/src/conformance.ts';
import { aHello, bytesOf, Stranger, Strangers, type Way } from '../attacks/strangers.ts';

const key = createSecretKey(randomBytes(32));
const security = { keys: [key] };
const strangers = new Strangers();
let scene: Scene;

afterEach(async () => {
  await strangers.end();
  const violations = await scene.end();
  if (violations.length > 0) throw new Error(violations.join('; '));
});

/** Frames of the handshake that a stranger passes on: hello, proof, commit; hello, proof. */
const shaken = { to: 3, fro: 2 } as const;

interface Between {
  readonly dialler: Probe;
  readonly acceptor: Probe;
  /** The stranger's ends of its two connections. */
  readonly near: WebSocket;
  readonly far: WebSocket;
  /** All that went over the wire. */
  readonly overheard: { readonly way: Way; readonly frame: Buffer }[];
}

/** Two nodes that are connected through a stranger. @param change what it makes of a frame, counted from the first after the handshake */
async function between(
  change: (way: Way, index: number, frame: Buffer) => readonly Uint8Array[] = (_way, _index, frame) => [frame],
  versions: { readonly dialler?: number; readonly acceptor?: number } = {},
): Promise<Between> {
  scene = new Scene({
    create: (options) => createWebSocketTransport({ security, ...options }),
    listenAt: () => ({ port: 0 }),
    through: () => Promise.reject(new Error('not used')),
    dispose: async () => {},
  });
  const acceptor = await scene.node('acceptor', { versions: { min: 1, max: versions.acceptor ?? 2 } });
  const dialler = await scene.node('dialler', { listen: null, versions: { min: 1, max: versions.dialler ?? 2 } });
  const overheard: Between['overheard'] = [];
  let ends: Pick<Between, 'near' | 'far'> | undefined;
  const url = await strangers.serve((near) => {
    const { socket: far } = new Stranger(acceptor.url);
    const opened = new Promise((resolve) => void far.on('open', resolve));
    ends = { near, far };
    const pass = (from: WebSocket, to: WebSocket, way: Way): void => {
      let index = -shaken[way];
      from.on('message', (data) => {
        const frame = bytesOf(data);
        overheard.push({ way, frame });
        const frames = index < 0 ? [frame] : change(way, index, frame);
        index++;
        void opened.then(() => frames.forEach((each) => to.send(each)));
      });
      // Ends of connections pass through, as words of those who say them.
      from.on('close', (code, reason) => {
        if (code === 1000 || code === 1001 || code >= 4000) to.close(code, reason);
        else to.terminate();
      });
    };
    pass(near, far, 'to');
    pass(far, near, 'fro');
  });
  dialler.transport.connect(url);
  await until('a session', () => dialler.log.includes('connected acceptor') && acceptor.log.length === 1);
  expect([acceptor.session().isSealed, dialler.session().isSealed]).toEqual(
    versions.dialler === 1 || versions.acceptor === 1 ? [false, false] : [true, true],
  );
  return { dialler, acceptor, ...(ends as Pick<Between, 'near' | 'far'>), overheard };
}

const endOf = ({ log }: Probe): string | undefined => log.find((line) => line.startsWith('closed'));
const broken = (probe: Probe): boolean => endOf(probe)?.endsWith(` ${closeCodes.SEAL_BROKEN} SEAL_BROKEN`) === true;

describe('a stranger at an address that a node dials, who passes hello, proof and commit on to another node', () => {
  test('speaks as neither: what it says itself ends the connection, and nothing of it arrives', async () => {
    const { dialler, acceptor, near, far } = await between();
    far.send(Buffer.from('I am the dialler'));
    near.send(Buffer.from('I am the acceptor'));
    await until('both ends', () => broken(acceptor) && broken(dialler));
    expect([acceptor.received, dialler.received]).toEqual([[], []]);
  });

  test('takes part where one of the two speaks version 1 alone, which seals nothing', async () => {
    const { acceptor, far } = await between(undefined, { dialler: 1 });
    far.send(Buffer.from('I am the dialler'));
    await until('it arrives', () => acceptor.received.length === 1);
    expect(Buffer.from(acceptor.received[0] as Uint8Array).toString()).toBe('I am the dialler');
  });

  test('cannot have two nodes speak version 1 that both speak version 2', async () => {
    // The versions stand in the hellos, and the hellos in the proofs: strangers.test.ts changes every field of them.
    const { acceptor, dialler } = await between();
    expect([acceptor.session().peer.version, dialler.session().peer.version]).toEqual([2, 2]);
  });

  test('reads nothing: what nodes say is on no wire as they said it', async () => {
    const { dialler, acceptor, overheard } = await between();
    const secret = Buffer.from('nobody on the way may read this sentence');
    dialler.session().send(secret, 'reply');
    acceptor.session().send(secret, 'reply');
    await until('both arrive', () => acceptor.received.length === 1 && dialler.received.length === 1);
    expect(overheard.filter(({ frame }) => frame.includes(secret.subarray(0, 8)))).toEqual([]);
    const said = overheard.slice(-2).map(({ frame }) => frame);
    expect(said.map(({ length }) => length)).toEqual([secret.length + 16, secret.length + 16]);
    expect(Buffer.compare(said[0] as Buffer, said[1] as Buffer)).not.toBe(0);
  });
});

describe('a stranger who passes on what nodes say', () => {
  const numbered = Array.from({ length: 6 }, (_, index) => Buffer.from(`frame ${index}`));
  let kept: Buffer | undefined;

  test.each<[string, (way: Way, index: number, frame: Buffer) => readonly Uint8Array[], number]>([
    ['changes one bit', (_way, index, frame) => [index === 2 ? flipped(frame) : frame], 2],
    ['puts in a frame of its own', (_way, index, frame) => (index === 2 ? [randomBytes(40), frame] : [frame]), 2],
    ['repeats a frame', (_way, index, frame) => (index === 2 ? [frame, frame] : [frame]), 3],
    ['leaves a frame out', (_way, index, frame) => (index === 2 ? [] : [frame]), 2],
    ['changes the order of two', (_way, index, frame) => swapped(index, frame), 2],
    ['cuts a frame short', (_way, index, frame) => [index === 2 ? frame.subarray(0, -1) : frame], 2],
  ])('and %s is found out at that frame, and nothing behind it arrives', async (_what, change, intact) => {
    for (const from of ['dialler', 'acceptor'] as const) {
      kept = undefined;
      const way: Way = from === 'dialler' ? 'to' : 'fro';
      const pair = await between((direction, index, frame) =>
        direction === way ? change(direction, index, frame) : [frame],
      );
      const to = from === 'dialler' ? pair.acceptor : pair.dialler;
      for (const frame of numbered) pair[from].session().send(frame, 'reply');
      await until('the end', () => broken(to) && broken(pair[from]));
      const arrived = to.received.map((frame) => Buffer.from(frame).toString());
      // What came in one piece with the broken frame goes with it, as with every frame that ends a connection.
      expect(numbered.slice(0, intact).map(String).slice(0, arrived.length)).toEqual(arrived);
      await strangers.end();
      expect(await scene.end()).toEqual([]);
    }
  });

  function swapped(index: number, frame: Buffer): readonly Uint8Array[] {
    if (index === 2) {
      kept = frame;
      return [];
    }
    return index === 3 ? [frame, kept as Buffer] : [frame];
  }
});

describe('a close frame', () => {
  test.each([closeCodes.GOING_AWAY, closeCodes.RELEASED, closeCodes.REPLACED, closeCodes.NAME_TAKEN, 1000])(
    'with code %i that no node has sealed says nothing of the peer: the connection was lost',
    async (code) => {
      const { dialler, acceptor, near, far } = await between();
      near.removeAllListeners('close');
      far.removeAllListeners('close');
      near.close(code, 'the acceptor says so');
      far.close(code, 'the dialler says so');
      const lost = (peer: string): string => `closed ${peer} ${closeCodes.CONNECTION_LOST} CONNECTION_LOST`;
      await until('both ends', () => endOf(acceptor) !== undefined && endOf(dialler) !== undefined);
      expect([endOf(acceptor), endOf(dialler)]).toEqual([lost('dialler'), lost('acceptor')]);
    },
  );

  test('of a node is believed, by what it sealed and not by what arrives in the clear', async () => {
    const { dialler, acceptor, near, far } = await between();
    far.removeAllListeners('close');
    far.on('close', () => near.close(closeCodes.NAME_TAKEN, 'changed on the way'));
    acceptor.session().release();
    await until('both ends', () => endOf(acceptor) !== undefined && endOf(dialler) !== undefined);
    expect(endOf(dialler)).toBe(`closed acceptor ${closeCodes.RELEASED}`);
  });

  test.each([
    ['no code', Buffer.of(0xc1, 0x03)],
    ['a code that no close frame has', Buffer.of(0xc1, 0x01, 0x02)],
  ])('of a member with %s in its seal is malformed, and the member is cut off', async (_what, end) => {
    const { acceptor } = await between();
    const member = await strangers.speak(acceptor.url, aHello({ name: 'member', epoch: 1 }), key);
    await member.frames(2);
    member.say(new Uint8Array());
    await until('a session', () => acceptor.log.includes('opened member'));
    member.say(end);
    expect(await member.closed).toMatch(/^4400 /);
  });

  test('of a member that goes on after it is the last that is heard: the connection ends', async () => {
    const { acceptor } = await between();
    const member = await strangers.speak(acceptor.url, aHello({ name: 'member', epoch: 1 }), key);
    await member.frames(2);
    member.say(new Uint8Array());
    await until('a session', () => acceptor.log.includes('opened member'));
    member.say(Buffer.of(0xc1, 0x03, 0xe8));
    member.say(Buffer.from('more'));
    expect(await member.closed).toMatch(/^1000 /);
    await until('its end', () => acceptor.log.includes('closed member 1000'));
  });
});

function flipped(frame: Buffer): Buffer {
  const changed = Buffer.from(frame);
  changed[0] = (changed[0] as number) ^ 1;
  return changed;
}

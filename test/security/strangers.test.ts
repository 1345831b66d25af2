/**
 * What a stranger can do to a node that has keys, over real sockets: nothing but to be refused.
 *
 * Each test is a row of the table in docs/operations.md, "Keys and certificates". A stranger here speaks the protocol byte
 * by byte, or stands on the way between two nodes and changes what they say.
 */

import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Hello, encodeHello } from '@grapevine/wire';
import type { WebSocket } from 'ws';

import { closeCodes, createWebSocketTransport } from '../../packages/transport/src/index.ts';
import { type Probe, Scene, until } from '../../packages/transport/src/conformance.ts';
import { aHello, bytesOf, helloIn, Strangers, type Way } from '../attacks/strangers.ts';
import { digestOf, prove } from '../../packages/transport/src/proof.ts';

const key = createSecretKey(randomBytes(32));
const security = { keys: [key] };

const strangers = new Strangers();
let scene: Scene;
const aScene = (): Scene =>
  (scene = new Scene({
    create: (options) => createWebSocketTransport({ security, ...options }),
    listenAt: () => ({ port: 0 }),
    through: () => Promise.reject(new Error('not used')),
    dispose: async () => {},
  }));

afterEach(async () => {
  await strangers.end();
  const violations = await scene.end();
  if (violations.length > 0) throw new Error(violations.join('; '));
});

const mismatch = (name: string): string =>
  `${closeCodes.KEY_MISMATCH} "${name}" proves no key that "a" lists: compare security.keys (--key-file)`;

/** Two nodes with a session, of which nothing that the test does may be felt. */
async function aPair(): Promise<{ a: Probe; b: Probe }> {
  const stage = aScene();
  const a = await stage.node('a', { handshakeTimeoutMs: 300 });
  const b = await stage.node('b', { epoch: 7 });
  b.transport.dial([a.url]);
  await until('a session', () => a.log.length === 1 && b.log.length === 1);
  return { a, b };
}

function isUnharmed({ a, b }: { readonly a: Probe; readonly b: Probe }): void {
  expect([a.log, b.log]).toEqual([['opened b'], ['opened a']]);
  expect([[...a.transport.sessions()].length, a.session().peer.epoch]).toEqual([1, 7]);
}

describe('a stranger who dials', () => {
  test('and has the key is a node: so this test speaks as nodes do', async () => {
    const { a } = await aPair();
    const stranger = await strangers.speak(a.url, aHello(), key);
    await stranger.frames(2);
    stranger.say(new Uint8Array());
    await until('a session', () => a.log.includes('opened stranger'));
    stranger.close(1000);
    await until('its end', () => a.log.length === 3);
    expect(a.log[2]).toBe('closed stranger 1000');
  });

  test('with a wrong key is refused, and hears nothing that a key was used for', async () => {
    const pair = await aPair();
    const stranger = await strangers.speak(
      pair.a.url,
      aHello({ name: 'b', epoch: 9 }),
      createSecretKey(randomBytes(32)),
    );
    expect(await stranger.closed).toBe(mismatch('b'));
    expect(stranger.heard).toHaveLength(1);
    expect(helloIn(stranger.heard[0] as Buffer).name).toBe('a');
    expect(pair.a.refusals).toMatchObject([{ by: 'us', peer: null, url: null, error: { code: 'KEY_MISMATCH' } }]);
    isUnharmed(pair);
  });

  test('without a nonce is refused, and hears nothing at all', async () => {
    const pair = await aPair();
    const stranger = await strangers.dial(pair.a.url);
    const { nonce: _, ...bare } = aHello({ name: 'b', epoch: 9 });
    stranger.socket.send(encodeHello(bare));
    expect(await stranger.closed).toMatch(new RegExp(`^${closeCodes.KEY_REQUIRED} "a" has keys, "b" has none`));
    expect(stranger.heard).toEqual([]);
    isUnharmed(pair);
  });

  test.each([
    ['nothing', (): Uint8Array => new Uint8Array()],
    ['a shorter proof', (proof: Uint8Array): Uint8Array => proof.subarray(1)],
    ['a longer proof', (proof: Uint8Array): Uint8Array => Buffer.concat([proof, Buffer.of(0)])],
  ])('and proves itself with %s is refused as malformed', async (_what, of) => {
    const pair = await aPair();
    const stranger = await strangers.dial(pair.a.url);
    stranger.socket.send(encodeHello(aHello()));
    await stranger.frames(1);
    stranger.socket.send(of(randomBytes(32)));
    expect(await stranger.closed).toMatch(new RegExp(`^${closeCodes.HELLO_MALFORMED} a proof of 32 bytes`));
    isUnharmed(pair);
  });

  test('and hurries, with the commit before the answer, is refused', async () => {
    const pair = await aPair();
    const stranger = await strangers.dial(pair.a.url);
    stranger.socket.send(encodeHello(aHello({ name: 'b', epoch: 9 })));
    stranger.socket.send(new Uint8Array());
    stranger.socket.send(Buffer.from('gossip'));
    expect(await stranger.closed).toMatch(new RegExp(`^${closeCodes.HELLO_MALFORMED} `));
    expect(pair.a.received).toEqual([]);
    isUnharmed(pair);
  });

  test('and repeats what a node once said is refused: a hello and a proof are good for one connection', async () => {
    const { a } = await aPair();
    const said: Buffer[] = [];
    const way = await strangers.onTheWay(a.url, (direction, _index, frame) => {
      if (direction === 'to') said.push(frame);
      return [frame];
    });
    const c = await scene.node('c', { listen: null });
    c.transport.connect(way);
    await until('a session that was overheard', () => a.log.includes('opened c') && said.length >= 3);
    const replaying = await strangers.dial(a.url);
    for (const frame of said) replaying.socket.send(frame);
    expect(await replaying.closed).toBe(mismatch('c'));
    expect(a.log).toEqual(['opened b', 'opened c']);
  });

  test('and returns to the acceptor what that proves elsewhere is refused: a proof is good for one role', async () => {
    const pair = await aPair();
    // The node is made to dial, and says as dialler and hears as acceptor of what it just said itself.
    const there: WebSocket[] = [];
    const hellos: Buffer[] = [];
    const url = await strangers.serve((socket) => {
      there.push(socket);
      socket.on('message', (data) => hellos.push(bytesOf(data)));
    });
    const reflecting = await strangers.dial(pair.a.url);
    pair.a.transport.connect(url);
    await until('the dial', () => hellos.length === 1);
    // The stranger says as its own what the node said as dialler, and gives it what it answers.
    reflecting.socket.send(hellos[0] as Buffer);
    await reflecting.frames(1);
    there[0]?.send(reflecting.heard[0] as Buffer);
    await until('the end of the dial', () => pair.a.dialEnds.length === 1);
    // It has met itself, by way of the stranger, and proves nothing to itself.
    expect(pair.a.dialEnds).toMatchObject([{ outcome: 'self', error: { code: 'PEER_UNREACHABLE' } }]);
    expect([hellos.length, reflecting.heard.length]).toEqual([1, 1]);
    isUnharmed(pair);
  });

  test('of another cluster is refused by its label, with the right key or not', async () => {
    const pair = await aPair();
    const stranger = await strangers.dial(pair.a.url);
    stranger.socket.send(encodeHello(aHello({ cluster: 'another' })));
    expect(await stranger.closed).toMatch(
      new RegExp(`^${closeCodes.WRONG_CLUSTER} ".+" is of cluster "another", "a" of "default"`),
    );
    expect(stranger.heard).toEqual([]);
    isUnharmed(pair);
  });

  test('and never finishes is let go in time, whichever part it owes, and keeps nobody out meanwhile', async () => {
    const stage = aScene();
    const a = await stage.node('a', { handshakeTimeoutMs: 400 });
    const silent = await strangers.dial(a.url);
    const unproven = await strangers.dial(a.url);
    unproven.socket.send(encodeHello(aHello({ name: 'b', epoch: 9 })));
    await unproven.frames(1);
    const uncommitted = await strangers.speak(a.url, aHello({ name: 'c', epoch: 9 }), key);
    await uncommitted.frames(2);
    const b = await stage.node('b', { epoch: 7 });
    const all = Promise.all([silent.closed, unproven.closed, uncommitted.closed]);
    // Dials that cross, while one who claims the name holds its handshake open.
    b.transport.dial([a.url]);
    a.transport.dial([b.url]);
    await until('a session', () => [...a.transport.sessions()].length === 1 && b.log.length > 0);
    const late = `${closeCodes.HELLO_TIMEOUT} the hello was not complete within 400 ms`;
    expect(await all).toEqual([late, late, late]);
    expect([a.session().peer.epoch, b.session().peer.name]).toEqual([7, 'a']);
  });

  test('and bears the name of a living node, with the key of the cluster, is refused as today', async () => {
    const pair = await aPair();
    const older = await strangers.speak(pair.a.url, aHello({ name: 'b', epoch: 6 }), key);
    expect(await older.closed).toMatch(new RegExp(`^${closeCodes.NAME_TAKEN} `));
    const newer = await strangers.speak(pair.a.url, aHello({ name: 'b', epoch: 8 }), key);
    expect(await newer.closed).toMatch(new RegExp(`^${closeCodes.NAME_TAKEN} a living node is named "b"`));
    isUnharmed(pair);
  });
});

describe('a stranger who is dialled', () => {
  const dialled = async (say: (socket: WebSocket, heard: readonly Buffer[]) => void): Promise<Probe> => {
    const url = await strangers.serve((socket) => {
      const heard: Buffer[] = [];
      socket.on('message', (data) => {
        heard.push(bytesOf(data));
        say(socket, heard);
      });
      socket.on('error', () => {});
    });
    const a = await aScene().node('a', { handshakeTimeoutMs: 300 });
    a.transport.connect(url);
    await until('the end of the dial', () => a.dialEnds.length === 1);
    expect(a.log).toEqual([]);
    return a;
  };

  test('and returns the hello is refused: our own nonce proves nothing', async () => {
    const a = await dialled((socket, heard) => socket.send(heard.at(-1) as Buffer));
    expect(a.dialEnds).toMatchObject([{ outcome: 'refused', peer: null, error: { code: 'KEY_MISMATCH' } }]);
    expect(a.refusals[0]?.error.message).toMatch(/^our own nonce came back/);
  });

  test('and puts our nonce into a hello of its own is refused, and the URL is tried again like others', async () => {
    const url = await strangers.serve((socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => nonces.push(helloIn(bytesOf(data)).nonce as Uint8Array));
      sockets.push(socket);
    });
    const nonces: Uint8Array[] = [];
    const sockets: WebSocket[] = [];
    const a = await aScene().node('a', { handshakeTimeoutMs: 2000, redialMinMs: 1, redialMaxMs: 20 });
    a.transport.connect(url);
    a.transport.dial([`${url}/`]);
    await until('both dials', () => nonces.length === 2);
    // Each is said to the other.
    sockets[0]?.send(encodeHello(aHello({ nonce: nonces[1] as Uint8Array })));
    await until('the end of the dial', () => a.dialEnds.length === 1);
    expect(a.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'KEY_MISMATCH' } }]);
    sockets[1]?.terminate();
    await until('it is tried again', () => nonces.length > 3);
  });

  test('and returns the proof as its own is refused', async () => {
    const a = await dialled((socket, heard) => {
      socket.send(heard.length === 1 ? encodeHello(aHello()) : (heard[1] as Buffer));
    });
    expect(a.refusals).toMatchObject([{ by: 'us', peer: null, error: { code: 'KEY_MISMATCH' } }]);
    expect(a.refusals[0]?.error.message).toMatch(/^".+" proves no key that "a" lists/);
  });

  test('and proves a wrong key is refused, and no session is opened for a moment', async () => {
    const wrong = createSecretKey(randomBytes(32));
    const hello = encodeHello(aHello());
    const a = await dialled((socket, heard) => {
      if (heard.length === 1) socket.send(hello);
      else
        socket.send(
          prove(wrong, 'acceptor', {
            dialler: digestOf(heard[0] as Buffer),
            acceptor: digestOf(hello),
            version: 1,
            binding: null,
          }),
        );
    });
    expect(a.refusals).toMatchObject([{ by: 'us', peer: null, error: { code: 'KEY_MISMATCH' } }]);
  });

  test('and has no keys is refused', async () => {
    const { nonce: _, ...bare } = aHello();
    const a = await dialled((socket) => socket.send(encodeHello(bare)));
    expect(a.refusals).toMatchObject([{ by: 'us', peer: null, error: { code: 'KEY_REQUIRED' } }]);
  });

  test.each([
    ['SELF', closeCodes.SELF],
    ['DUPLICATE', closeCodes.DUPLICATE],
  ])('and closes as %s is not believed, before or after its hello', async (_name, code) => {
    for (const after of [1, 2]) {
      const a = await dialled((socket, heard) => {
        if (heard.length === after) socket.close(code, 'believe me');
        else socket.send(encodeHello(aHello({ name: 'b', epoch: 9 })));
      });
      expect(a.dialEnds).toMatchObject([{ outcome: 'failed', peer: null, error: { code: 'PEER_UNREACHABLE' } }]);
      expect(await scene.end()).toEqual([]);
    }
  });

  test('and hangs up with words that move a cursor is quoted without', async () => {
    const a = await dialled((socket) => socket.close(closeCodes.WRONG_CLUSTER, '\u001b[2Jgone\n'));
    const told = [a.refusals, a.dialEnds].flat().map(({ error }) => String(error?.message));
    expect(told.join()).toContain('\\u001b[2Jgone\\u000a');
    expect(told.join()).not.toMatch(/\p{Cc}/u);
  });
});

describe('a stranger on the way', () => {
  const rewrite =
    (way: Way, change: (hello: Hello) => Hello) =>
    (direction: Way, index: number, frame: Buffer): readonly Uint8Array[] =>
      direction === way && index === 0 ? [encodeHello(change(helloIn(frame)))] : [frame];

  const changes: [string, (hello: Hello) => Hello][] = [
    ['the version', (hello) => ({ ...hello, versions: { min: 1, max: 1 } })],
    ['the name', (hello) => ({ ...hello, name: 'mallory' })],
    ['the epoch', (hello) => ({ ...hello, epoch: hello.epoch + 1 })],
    ['the URL', (hello) => ({ ...hello, url: 'ws://192.0.2.1:7001' })],
    ['the capabilities', (hello) => ({ ...hello, capabilities: ['observer'] })],
    ['the nonce', (hello) => ({ ...hello, nonce: Uint8Array.from(randomBytes(32)) })],
  ];

  test.each(changes)('who changes %s that one side says of itself is found out', async (_what, change) => {
    for (const way of ['to', 'fro'] as const) {
      const stage = aScene();
      const versions = { min: 1, max: 2 };
      const a = await stage.node('a', { versions, handshakeTimeoutMs: 2000 });
      const b = await stage.node('b', { versions });
      b.transport.connect(await strangers.onTheWay(a.url, rewrite(way, change)));
      await until('both know', () => a.refusals.length === 1 && b.refusals.length === 1);
      expect(a.refusals).toMatchObject([{ by: 'us', peer: null, error: { code: 'KEY_MISMATCH' } }]);
      expect(b.refusals).toMatchObject([{ by: 'peer', peer: null, error: { code: 'KEY_MISMATCH' } }]);
      expect([a.log, b.log]).toEqual([[], []]);
      expect(await stage.end()).toEqual([]);
    }
  });

  test('who adds what only later releases know is found out too: hellos are proven as they were sent', async () => {
    const stage = aScene();
    const a = await stage.node('a');
    const b = await stage.node('b');
    // One field more, which `decodeHello` does not look at.
    const longer = (_direction: Way, index: number, frame: Buffer): readonly Uint8Array[] => {
      if (index !== 0) return [frame];
      const more = Buffer.concat([frame, Buffer.of(0xc0)]);
      more[0] = (more[0] as number) + 1;
      return [more];
    };
    b.transport.connect(await strangers.onTheWay(a.url, longer));
    await until('both know', () => a.refusals.length === 1 && b.refusals.length === 1);
    expect(a.refusals).toMatchObject([{ by: 'us', error: { code: 'KEY_MISMATCH' } }]);
  });

  test('who changes nothing is not found out: that takes TLS', async () => {
    const stage = aScene();
    const a = await stage.node('a');
    const b = await stage.node('b');
    b.transport.connect(await strangers.onTheWay(a.url, (_way, _index, frame) => [frame]));
    await until('a session', () => a.log.length === 1 && b.log.length === 2);
    expect(a.log).toEqual(['opened b']);
  });
});

describe('a key that is withdrawn', () => {
  test.each([
    ['its proof', 1],
    ['its commit', 2],
  ])('in the middle of a handshake, before %s, proves nobody', async (_what, held) => {
    const stage = aScene();
    const [old, next] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))];
    const a = await stage.node('a', { security: { keys: [next, old] } });
    const b = await stage.node('b', { security: { keys: [old, next] } });
    const waiting: Buffer[] = [];
    const way = await strangers.onTheWay(a.url, (direction, index, frame) => {
      if (direction !== 'to' || index !== held) return [frame];
      waiting.push(frame);
      expect(a.transport.rotateKeys([next])).toBe(0);
      return [frame];
    });
    b.transport.connect(way);
    // Who proves itself now is refused. Who had proven itself believes for a moment that it is connected.
    if (held === 1) await until('the refusal', () => b.dialEnds.length === 1 && a.refusals.length === 1);
    else await until('the end', () => b.log.includes(`closed a ${closeCodes.KEY_WITHDRAWN}`));
    expect([waiting.length, ...a.refusals.map(({ error }) => error.code)]).toEqual(
      held === 1 ? [1, 'KEY_MISMATCH'] : [1],
    );
    expect(a.log).toEqual([]);
  });
});

test('a proof can be made by whoever has read docs/wire.md', async () => {
  const { a } = await aPair();
  const stranger = await strangers.dial(a.url);
  const said = encodeHello(aHello());
  stranger.socket.send(said);
  await stranger.frames(1);
  const hash = (bytes: Uint8Array): Uint8Array => digestOf(bytes);
  const text = Buffer.concat([
    Buffer.from('grapevine proof 1'),
    Buffer.of(1, 0, 0, 0, 2, 0),
    hash(said),
    hash(stranger.heard[0] as Buffer),
  ]);
  stranger.socket.send(createHmac('sha256', key).update(text).digest());
  await stranger.frames(2);
  expect(stranger.heard[1]).toHaveLength(32);
});

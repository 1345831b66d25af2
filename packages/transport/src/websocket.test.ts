import { get } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { encodeHello, protocolVersions } from '@grapevine/wire';
import { WebSocket } from 'ws';
import { closeCodes } from './close-codes.ts';
import { type Harness, Scene, transportSuite, until } from './conformance.ts';
import type { SecurityOptions } from './security.ts';
import { createWebSocketTransport } from './websocket.ts';

/** Relays bytes to the port of `url` until it is cut: then it swallows them, both ways, and tells nobody. */
async function relayTo(url: string): Promise<{ url: string; cut: () => void; server: Server; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  let isCut = false;
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    sockets.push(near, far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => void (isCut || to.write(chunk)));
      from.on('close', () => void (isCut || to.destroy()));
      from.on('error', () => {});
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { url: `ws://127.0.0.1:${port}`, server, sockets, cut: () => void (isCut = true) };
}

function webSocketHarness(security?: SecurityOptions): Harness {
  const relays: Awaited<ReturnType<typeof relayTo>>[] = [];
  return {
    create: (options) => createWebSocketTransport(security === undefined ? options : { security, ...options }),
    listenAt: (url) => ({ port: url === null ? 0 : Number(new URL(url).port) }),
    through: async (url) => {
      const relay = await relayTo(url);
      relays.push(relay);
      return relay;
    },
    dispose: async () => {
      for (const { server, sockets } of relays) {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => void server.close(resolve));
      }
    },
  };
}

transportSuite({ describe, test, expect }, 'WebSocket', webSocketHarness);
transportSuite({ describe, test, expect }, 'WebSocket with keys', () =>
  webSocketHarness({ keys: ['a key for this test alone'] }),
);

let stage: Scene | undefined;
const aStage = (): Scene => (stage = new Scene(webSocketHarness()));

afterEach(async () => {
  const ended = stage;
  stage = undefined;
  const violations = (await ended?.end()) ?? [];
  if (violations.length > 0) throw new Error(violations.join('; '));
});

const helloOf = {
  versions: protocolVersions,
  cluster: 'default',
  name: 'stranger',
  epoch: 1,
  url: null,
  capabilities: [],
};
const hello = encodeHello(helloOf);

/** A stranger who speaks WebSocket, but not necessarily Grapevine. */
function aStranger(
  url: string,
  say: (stranger: WebSocket) => void,
): { readonly stranger: WebSocket; readonly closed: Promise<[number, string]> } {
  const stranger = new WebSocket(`${url}/grapevine`, 'grapevine.1', { perMessageDeflate: false });
  stranger.on('open', () => say(stranger));
  stranger.on('error', () => {});
  return {
    stranger,
    closed: new Promise((resolve) => void stranger.on('close', (code, reason) => resolve([code, reason.toString()]))),
  };
}

describe('garbage', () => {
  const cases: [string, (stranger: WebSocket) => void, number, string][] = [
    [
      'that is no MessagePack',
      (stranger) => stranger.send(Uint8Array.of(0xc1, 0xff)),
      closeCodes.HELLO_MALFORMED,
      'HELLO_MALFORMED',
    ],
    ['that is text', (stranger) => stranger.send('{"hello":"world"}'), closeCodes.HELLO_MALFORMED, 'HELLO_MALFORMED'],
    ['that is empty', (stranger) => stranger.send(new Uint8Array()), closeCodes.HELLO_MALFORMED, 'HELLO_MALFORMED'],
    [
      'in place of the commit',
      (stranger) => {
        stranger.send(hello);
        stranger.send(Uint8Array.of(1));
      },
      closeCodes.HELLO_MALFORMED,
      'HELLO_MALFORMED',
    ],
    ['that is silence', () => {}, closeCodes.HELLO_TIMEOUT, 'HELLO_TIMEOUT'],
    ['after half a handshake', (stranger) => stranger.send(hello), closeCodes.HELLO_TIMEOUT, 'HELLO_TIMEOUT'],
    [
      'that is too large',
      (stranger) => stranger.send(new Uint8Array(20_001)),
      closeCodes.FRAME_TOO_LARGE,
      'FRAME_TOO_LARGE',
    ],
  ];

  test.each(cases)('%s costs the stranger the connection, and the node nothing', async (_case, say, code, error) => {
    const scene = aStage();
    const a = await scene.node('a', { handshakeTimeoutMs: 100, maxFrameBytes: 20_000 });
    const { closed } = aStranger(a.url, say);
    expect((await closed)[0]).toBe(code);
    await until('the refusal', () => a.refusals.length > 0);
    expect(a.refusals).toMatchObject(
      [{ url: null, by: 'us', error: { code: error } }].map((refusal) =>
        code === 1009 ? { error: { code: error } } : refusal,
      ),
    );
    const b = await scene.node('b');
    b.transport.dial([a.url]);
    await until('a and b meet', () => a.log.length === 1 && b.log.length === 1);
  });

  const settle = (stranger: WebSocket): void => {
    stranger.send(hello);
    stranger.send(new Uint8Array());
  };

  test('has a code of the table, whatever breaks the framing', async () => {
    const a = await aStage().node('a');
    const closedBy = async (misbehave: (stranger: WebSocket) => void): Promise<unknown> =>
      (
        await aStranger(a.url, (stranger) => {
          settle(stranger);
          misbehave(stranger);
        }).closed
      )[0];
    const noUtf8 = Buffer.from([0xc3, 0x28]);
    expect(await closedBy((stranger) => stranger.send(noUtf8, { binary: false }))).toBe(closeCodes.FRAME_MALFORMED);
    const inPieces = (stranger: WebSocket): void => {
      for (let i = 0; i < 70; i++) stranger.send(new Uint8Array(1), { fin: false });
    };
    expect(await closedBy(inPieces)).toBe(closeCodes.TOO_MANY_PIECES);
  });

  test('in a session costs the peer its session: text is FRAME_MALFORMED, too much is FRAME_TOO_LARGE', async () => {
    const a = await aStage().node('a', { maxFrameBytes: 20_000 });
    const text = aStranger(a.url, (stranger) => {
      settle(stranger);
      stranger.send('text');
    });
    expect(await text.closed).toEqual([closeCodes.FRAME_MALFORMED, 'a text frame came, only binary frames are spoken']);
    const large = aStranger(a.url, (stranger) => {
      settle(stranger);
      stranger.send(new Uint8Array(20_001));
    });
    expect((await large.closed)[0]).toBe(closeCodes.FRAME_TOO_LARGE);
    await until('a knows', () => a.log.length === 4);
    const [opened, malformed, , tooLarge] = a.log;
    expect([opened, malformed, tooLarge]).toEqual([
      'opened stranger',
      'closed stranger 4400 FRAME_MALFORMED',
      'closed stranger 1009 FRAME_TOO_LARGE',
    ]);
  });

  test('below the frames is FRAME_MALFORMED, a connection that breaks is CONNECTION_LOST', async () => {
    const a = await aStage().node('a');
    aStranger(a.url, (stranger) => {
      settle(stranger);
      // An unmasked frame with reserved bits, written past the WebSocket layer.
      (stranger as unknown as { _socket: Socket })._socket.write(Uint8Array.of(0xff, 0x00));
    });
    await until('the first is lost', () => a.log.length === 2);
    const { stranger } = aStranger(a.url, settle);
    await until('the second is there', () => a.log.length === 3);
    stranger.terminate();
    await until('the second is lost', () => a.log.length === 4);
    expect(a.log).toEqual([
      'opened stranger',
      'closed stranger 1002 FRAME_MALFORMED',
      'opened stranger',
      'closed stranger 1006 CONNECTION_LOST',
    ]);
  });
});

describe('strangers', () => {
  test('who say nothing are let in up to the bound and a few more; then the oldest gives way to the next', async () => {
    const a = await aStage().node('a', { maxConnections: 2 });
    const silent = Array.from({ length: 18 }, () => aStranger(a.url, () => {}));
    await Promise.all(silent.map(({ stranger }) => new Promise((resolve) => void stranger.on('open', resolve))));
    const { stranger: next } = aStranger(a.url, (stranger) => stranger.send(hello));
    const heard = new Promise((resolve) => void next.once('message', resolve));
    expect(await Promise.race(silent.map(({ closed }) => closed))).toEqual([
      closeCodes.TOO_MANY_CONNECTIONS,
      'all 2 connections of "a" are taken: raise its maxConnections',
    ]);
    expect(a.refusals).toMatchObject([{ url: null, by: 'us', peer: null, error: { code: 'TOO_MANY_CONNECTIONS' } }]);
    await heard;
    for (const { stranger } of [...silent, { stranger: next }]) stranger.terminate();
    await Promise.all(silent.map((each) => each.closed));
    const b = await stage?.node('b');
    b?.transport.dial([a.url]);
    await until('room for b', () => a.log.length > 0);
  });

  test('who talk on while their former self is asked lose nothing, in order, up to what may come before the answer', async () => {
    const a = await aStage().node('a', { rivalTimeoutMs: 40 });
    const say = (epoch: number, frames: readonly number[]) => (stranger: WebSocket) => {
      stranger.send(encodeHello({ ...helloOf, epoch }));
      stranger.send(new Uint8Array());
      for (const frame of frames) stranger.send(new Uint8Array(1000).fill(frame));
    };
    const former = aStranger(a.url, say(1, []));
    await until('the former', () => a.log.length === 1);
    former.stranger.pause();
    const frames = Array.from({ length: 12 }, (_, index) => index);
    aStranger(a.url, say(2, frames));
    await until('all frames', () => a.received.length === frames.length);
    expect(a.received.map(([first]) => first)).toEqual(frames);
    expect(a.session().peer.epoch).toBe(2);
    former.stranger.terminate();
  });
});

describe('over HTTP', () => {
  const answer = (url: string, headers: Record<string, string> = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url.replace('ws:', 'http:'), { headers, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve(`${response.statusCode} ${body.trim()}`));
      }).on('error', reject);
    });
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };

  test('what is no upgrade to our path and subprotocol is answered with a sentence', async () => {
    const { url } = await aStage().node('a');
    expect(await answer(`${url}/`)).toBe('404 Grapevine listens at /grapevine');
    expect(await answer(`${url}/grapevine`)).toBe('426 this path speaks WebSocket only');
    expect(await answer(`${url}/other`, { ...upgrade, 'Sec-WebSocket-Protocol': 'grapevine.1' })).toBe(
      '404 Grapevine listens at /grapevine',
    );
    expect(await answer(`${url}/grapevine`, upgrade)).toBe('400 the WebSocket subprotocol must be grapevine.1');
    expect(await answer(`${url}/grapevine`, { ...upgrade, 'Sec-WebSocket-Protocol': 'chat, mqtt' })).toMatch(/^400 /);
  });

  test('a page in a browser, which always tells its origin, cannot join', async () => {
    const { url } = await aStage().node('a');
    const page = { ...upgrade, 'Sec-WebSocket-Protocol': 'grapevine.1', Origin: 'https://evil.example' };
    expect(await answer(`${url}/grapevine`, page)).toBe('403 Grapevine does not speak with pages in browsers');
  });

  test('a dial that ends at another server is told as PEER_UNREACHABLE, with the status', async () => {
    const scene = aStage();
    const a = await scene.node('a');
    const b = await scene.node('b');
    b.transport.dial([`${a.url}/somewhere/else`]);
    await until('the failure', () => b.dialFailures.length > 0);
    expect(b.dialFailures[0]).toBe(`${a.url}/somewhere/else PEER_UNREACHABLE`);
  });

  test('a dial that nobody answers ends after handshakeTimeoutMs, and is tried again', async () => {
    const accepted: Socket[] = [];
    const deaf = createServer((socket) => void accepted.push(socket));
    await new Promise<void>((resolve) => void deaf.listen(0, '127.0.0.1', resolve));
    const a = await aStage().node('a', { handshakeTimeoutMs: 50 });
    a.transport.dial([`ws://127.0.0.1:${(deaf.address() as { port: number }).port}`]);
    await until('two tries', () => accepted.length >= 2 && a.dialFailures.length > 0);
    expect(a.dialFailures[0]).toMatch(/PEER_UNREACHABLE$/);
    await a.transport.close();
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => void deaf.close(resolve));
  });
});

describe('addresses', () => {
  test('a port in use is PORT_IN_USE, an address of others is ADDRESS_UNAVAILABLE, and both leave nothing behind', async () => {
    const scene = aStage();
    const a = await scene.node('a');
    await expect(scene.node('b', { listen: { port: Number(new URL(a.url).port) } })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
    await expect(
      scene.node('b', { listen: { port: 0, host: '192.0.2.1' }, security: { insecure: true } }),
    ).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
    });
  });

  test('an IPv6 host is listened on, told and dialled', async () => {
    const scene = aStage();
    const a = await scene.node('a', { listen: { port: 0, host: '::1' } });
    expect(a.url).toMatch(/^ws:\/\/\[::1\]:\d+$/);
    const b = await scene.node('b');
    b.transport.dial([a.url]);
    await until('a and b meet', () => a.log.length === 1 && b.log.length === 1);
  });

  test('a URL means the same with and without the path, and a host is resolved', async () => {
    const scene = aStage();
    const a = await scene.node('a');
    const b = await scene.node('b');
    b.transport.dial([a.url, `${a.url}/grapevine`, a.url.replace('127.0.0.1', 'localhost')]);
    await until('a and b meet', () => a.log.length === 1 && b.log.length === 1);
    expect(b.session().peer.url).toBe(a.url);
  });

  test('what is advertised is what peers are told', async () => {
    const scene = aStage();
    const a = await scene.node('a', { advertise: 'wss://a.example/grapevine' });
    expect(a.url).toBe('wss://a.example/grapevine');
  });

  test('with TLS the node listens on wss, and who trusts its certificate meets it', async () => {
    const scene = aStage();
    const a = await scene.node('a', { security: { tls: { key: testKey, cert: testCertificate } } });
    expect(a.url).toMatch(/^wss:/);
    const distrustful = await scene.node('b');
    distrustful.transport.dial([a.url]);
    await until('distrust', () => distrustful.dialFailures.length > 0);
    const b = await scene.node('b', { security: { tls: { ca: testCertificate } }, listen: null });
    b.transport.dial([a.url]);
    await until('a and b meet', () => a.log.length === 1 && b.log.length === 1);
    const frame = new Uint8Array(100_000).fill(7);
    for (let count = 0; count < 50; count++) b.session().send(frame, 'reply');
    await until('the frames', () => a.received.length === 50);
    expect(a.received.every((received) => Buffer.compare(received, frame) === 0)).toBe(true);
  });
});

// Made for this test alone: a key that protects nothing, and its certificate for localhost and 127.0.0.1, valid to 2126.
const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4B0cIvDsFE10cSBB
nm+1MJl7ARcY6kdPaAsqTA5s0pChRANCAAQcga/syLzUBWTj2SuEmDpL7La+83Lt
xLlEvkOnMaHELZeW9149yKy3cZRacxUN8rUKlpXGrLF5Lb2SBeio/GR3
-----END PRIVATE KEY-----`;
const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUM92Gi8JxfBfnwHlkTk1pPp7UXjIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAzMjUyNFoYDzIxMjYxMDMw
MDMyNTI0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQcga/syLzUBWTj2SuEmDpL7La+83LtxLlEvkOnMaHELZeW9149yKy3
cZRacxUN8rUKlpXGrLF5Lb2SBeio/GR3o28wbTAdBgNVHQ4EFgQUyl0l7jePrSdx
ioWFwLa6GfbRKfkwHwYDVR0jBBgwFoAUyl0l7jePrSdxioWFwLa6GfbRKfkwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAIKXBrCYYpGU5WYAoj23cfk1sqAwErkQWtVH2VrcapRdAiAS
cdKEZNhDCEzcYKXkvkKLgMVZBzVoFDNfWxoedEdjsw==
-----END CERTIFICATE-----`;

/** What strangers and slow peers may occupy: connections of an address, handshakes, streams, and what waits for them. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { encodeHello, protocolVersions } from '@grapevine/wire';
import { WebSocket } from 'ws';
import { addressOf } from './address.ts';
import { closeCodes } from './close-codes.ts';
import type { TransportOptions } from './options.ts';
import type { Session } from './session.ts';
import type { Refusal, Transport } from './transport.ts';
import { createWebSocketTransport } from './websocket.ts';

/** Machines may be busy. */
jest.setTimeout(30_000);

interface Host {
  readonly url: string;
  readonly sessions: Session[];
  readonly refusals: Refusal[];
  readonly closes: number[];
}

let isBesieged = false;

const transports: Transport[] = [];
const clients: (WebSocket | Socket)[] = [];

async function aHost(options: Partial<TransportOptions> = {}): Promise<Host> {
  const transport = createWebSocketTransport({
    name: 'host',
    epoch: 1,
    listen: { port: 0 },
    closeTimeoutMs: 100,
    ...options,
  });
  transports.push(transport);
  const [sessions, refusals, closes]: [Session[], Refusal[], number[]] = [[], [], []];
  const { url } = await transport.start({
    opened: (session) => {
      session.onFrames = () => {};
      sessions.push(session);
    },
    closed: (_session, { code }) => void closes.push(code),
    refused: (refusal) => void refusals.push(refusal),
  });
  return { url: url as string, sessions, refusals, closes };
}

/** A client that says what it likes. */
function aClient({ url }: Host): WebSocket {
  const client = new WebSocket(`${url}/grapevine`, 'grapevine.1', { autoPong: false });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

const opened = (client: WebSocket): Promise<void> =>
  new Promise((resolve) => void client.once('open', () => resolve()));
const closed = (client: WebSocket): Promise<[code: number, reason: string]> =>
  new Promise((resolve) => void client.once('close', (code, reason) => resolve([code, reason.toString()])));

/** Says hello and commits. */
async function settled(client: WebSocket, host: Host, name: string): Promise<Session> {
  await opened(client);
  const hello = { versions: protocolVersions, cluster: 'default', name, epoch: 1, url: null, capabilities: [] };
  client.send(encodeHello(hello));
  await new Promise((resolve) => void client.once('message', resolve));
  client.send(new Uint8Array(0));
  await until(() => host.sessions.some(({ peer }) => peer.name === name));
  return host.sessions.find(({ peer }) => peer.name === name) as Session;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setTimeout(resolve, 5));
}

afterEach(async () => {
  isBesieged = false;
  for (const client of clients.splice(0))
    if (client instanceof WebSocket) client.terminate();
    else client.destroy();
  await Promise.all(transports.splice(0).map((transport) => transport.close()));
});

describe('connections', () => {
  test('of one address beyond maxConnectionsPerAddress are refused with code and sentence, and let in when there is room', async () => {
    const host = await aHost({ maxConnectionsPerAddress: 2 });
    const first = aClient(host);
    await settled(first, host, 'a');
    await settled(aClient(host), host, 'b');
    const [code, reason] = await closed(aClient(host));
    expect([code, reason]).toEqual([
      closeCodes.TOO_MANY_CONNECTIONS,
      expect.stringContaining('maxConnectionsPerAddress'),
    ]);
    expect(host.refusals.map(({ error }) => error.code)).toEqual(['TOO_MANY_CONNECTIONS']);
    first.close();
    await until(() => host.closes.length === 1);
    await settled(aClient(host), host, 'c');
  });

  test('that this node dialled do not count for their address', async () => {
    const other = await aHost({ name: 'other' });
    const host = await aHost({ maxConnectionsPerAddress: 1 });
    transports[1]?.dial([other.url]);
    await until(() => host.sessions.length === 1);
    expect((await settled(aClient(host), host, 'a')).dialled).toBe(false);
  });

  test('that say nothing are no more than maxHandshakes: the oldest gives way, or all when their time is up', async () => {
    const host = await aHost({ maxHandshakes: 1, handshakeTimeoutMs: 300 });
    const silent = aClient(host);
    const end = closed(silent);
    await opened(silent);
    const next = aClient(host);
    const nextEnd = closed(next);
    await opened(next);
    expect(await end).toEqual([closeCodes.TOO_MANY_CONNECTIONS, expect.stringMatching(/who they are.*maxHandshakes/)]);
    expect((await nextEnd)[0]).toBe(closeCodes.HELLO_TIMEOUT);
    await settled(aClient(host), host, 'a');
  });

  /**
   * Connections of one address that say nothing and come again as soon as they end, or that end as soon as they are open.
   * @returns how many came so far
   */
  function besiege(host: Host, count: number, from: string, isBrief: boolean): () => number {
    let came = 0;
    const come = (): void => {
      came++;
      const client = new WebSocket(`${host.url}/grapevine`, 'grapevine.1', { localAddress: from });
      client.on('error', () => {});
      if (isBrief) client.on('open', () => client.terminate());
      client.on('close', () => {
        if (clients.includes(client)) clients.splice(clients.indexOf(client), 1);
        if (isBesieged) setTimeout(() => void (isBesieged && come()), 5);
      });
      clients.push(client);
    };
    for (let i = 0; i < count; i++) come();
    return () => came;
  }

  test.each([
    ['127.0.0.9', 'say nothing', false],
    ['127.0.0.1', 'say nothing', false],
    ['127.0.0.9', 'end as soon as they are open', true],
    ['127.0.0.1', 'end as soon as they are open', true],
  ])('of one address (%s) that %s keep no member out, from that address or another', async (from, _how, isBrief) => {
    const security = { keys: ['a key for this test alone'] };
    const host = await aHost({ security });
    isBesieged = true;
    const came = besiege(host, 270, from, isBrief);
    const member = createWebSocketTransport({
      name: 'member',
      epoch: 1,
      security,
      redialMinMs: 20,
      redialMaxMs: 200,
    });
    transports.push(member);
    await member.start({ opened: (session) => void (session.onFrames = () => {}), closed: () => {} });
    await until(() => came() > (isBrief ? 1000 : 300));
    for (let round = 1; round <= 3; round++) {
      const since = performance.now();
      if (round === 1) member.dial([host.url]);
      else host.sessions.at(-1)?.close(closeCodes.NORMAL, 'the connection of a member is lost');
      await until(() => host.sessions.length === round);
      expect(performance.now() - since).toBeLessThan(2000);
    }
  });

  test('that are refused, and go on sending, are cut: they hold no memory and no place', async () => {
    const host = await aHost({ closeTimeoutMs: 60_000, handshakeTimeoutMs: 60_000 });
    const flood = Buffer.alloc(64 * 1024);
    for (const first of [Buffer.of(0xc1), null]) {
      const client = aClient(host);
      await opened(client);
      // It answers no close frame, and begins a frame of almost two megabytes.
      const { _socket: stream } = client as unknown as { readonly _socket: Socket };
      const gone = new Promise((resolve) => void stream.once('close', resolve));
      stream.removeAllListeners('data').on('data', () => {});
      if (first !== null) client.send(first);
      stream.write(Buffer.from('82ff00000000001fffff00000000', 'hex'));
      // Less than the frame has: no error of framing ends it.
      let waves = 0;
      const timer = setInterval(() => {
        if (!stream.destroyed && ++waves <= 20) stream.write(flood);
      }, 5);
      await gone;
      clearInterval(timer);
    }
    expect((await settled(aClient(host), host, 'a')).dialled).toBe(false);
  });

  test('that a member has replaced, and goes on sending over, count until they are closed, and give way first', async () => {
    const host = await aHost({ closeTimeoutMs: 60_000, maxHandshakes: 4 });
    let open = 0;
    for (let i = 0; i < 20; i++) {
      const client = aClient(host);
      await settled(client, host, 'member');
      await until(() => host.sessions.length === i + 1);
      const { _socket: stream } = client as unknown as { readonly _socket: Socket };
      open++;
      stream.once('close', () => void open--);
      // It answers no close frame, and has begun a frame of almost two megabytes.
      stream.removeAllListeners('data').on('data', () => {});
      stream.write(Buffer.from('82ff00000000001fffff00000000', 'hex'));
      stream.write(Buffer.alloc(256 * 1024));
    }
    // The session, those that are closing, and the one that has just made another give way.
    await until(() => open <= 6);
    expect(host.closes.every((code) => code === closeCodes.DUPLICATE)).toBe(true);
    await settled(aClient(host), host, 'another');
  });

  test('of strangers end at the first pong, which nobody asked for, and after so many pings as are a hello', async () => {
    const host = await aHost({ handshakeTimeoutMs: 60_000 });
    const one = aClient(host);
    const end = closed(one);
    await opened(one);
    one.pong();
    expect(await end).toEqual([closeCodes.HELLO_MALFORMED, expect.stringContaining('no ping had been sent')]);
    const other = aClient(host);
    const otherEnd = closed(other);
    await opened(other);
    for (let i = 0; i < 4000; i++) other.ping();
    await otherEnd;
    expect(host.sessions).toEqual([]);
  });

  test('of strangers bring 16 KiB, and end with the next byte', async () => {
    const host = await aHost({ handshakeTimeoutMs: 60_000 });
    const client = aClient(host);
    const end = closed(client);
    let isOpen = true;
    void end.then(() => (isOpen = false));
    await opened(client);
    // A ping has six bytes around what it says.
    const said = Buffer.alloc(122);
    let last = '';
    client.on('pong', (data: Buffer) => void (last = data.toString()));
    for (let i = 0; i < 126; i++) client.ping(said);
    client.ping('almost 16 KiB');
    await until(() => last === 'almost 16 KiB');
    expect(isOpen).toBe(true);
    for (let i = 0; i < 3; i++) client.ping(said);
    await end;
  });

  test('that are not yet WebSockets keep nobody of their address out either', async () => {
    const host = await aHost({ maxConnectionsPerAddress: 2, handshakeTimeoutMs: 60_000 });
    const port = Number(new URL(host.url).port);
    const streams = Array.from({ length: 200 }, () => connect({ host: '127.0.0.1', port }));
    for (const stream of streams) {
      stream.on('error', () => {}).resume();
      clients.push(stream);
    }
    await until(() => streams.filter(({ destroyed }) => destroyed).length === 200 - 66);
    expect((await settled(aClient(host), host, 'a')).dialled).toBe(false);
  });

  test('that never become WebSockets are cut at the doorstep beyond what an address may have', async () => {
    const host = await aHost({ maxConnectionsPerAddress: 1 });
    let ended = 0;
    const streams = Array.from({ length: 70 }, () => {
      const stream = connect({ host: '127.0.0.1', port: Number(new URL(host.url).port) });
      stream.on('error', () => {}).on('close', () => void ended++);
      stream.resume();
      clients.push(stream);
      return stream;
    });
    // 64 may be on their way to be told why.
    await until(() => ended === 70 - 65);
    streams.find((stream) => !stream.destroyed)?.destroy();
    await until(() => ended === 6);
    expect((await settled(aClient(host), host, 'a')).dialled).toBe(false);
  });
});

describe('pings and pongs of a peer', () => {
  test('are told by their number, and of many pings at once the last is answered', async () => {
    const host = await aHost();
    const client = aClient(host);
    const session = await settled(client, host, 'a');
    let told = 0;
    session.onControls = (count) => void (told += count);
    const pongs: string[] = [];
    client.on('pong', (data: Buffer) => void pongs.push(data.toString()));
    const { _socket: stream } = client as unknown as { readonly _socket: Socket };
    stream.cork();
    for (let i = 1; i <= 100; i++) client.ping(`${i}`);
    for (let i = 0; i < 100; i++) client.pong();
    stream.uncork();
    await until(() => told === 200 && pongs.length > 0);
    expect(pongs.at(-1)).toBe('100');
    expect(pongs.length).toBeLessThan(10);
  });
});

describe('a peer that does not read', () => {
  test('is cut off after stallTimeoutMs as TOO_SLOW, and until then what waits is told', async () => {
    const host = await aHost({ stallTimeoutMs: 300, hardQueueBytes: 2 ** 28 });
    const client = aClient(host);
    const session = await settled(client, host, 'a');
    expect([session.queuedBytes, session.queuedFrames]).toEqual([0, 0]);
    client.pause();
    const frame = new Uint8Array(256 * 1024);
    // More than the kernel takes.
    for (let i = 0; i < 128; i++) session.send(frame, 'reply');
    await until(() => session.queuedFrames > 0);
    expect(session.queuedBytes).toBeGreaterThan(1024 * 1024);
    await until(() => host.closes.length === 1);
    expect(host.closes).toEqual([closeCodes.TOO_SLOW]);
    expect([session.queuedBytes, session.queuedFrames]).toEqual([0, 0]);
  });

  test('but reads again in time stays', async () => {
    const host = await aHost({ stallTimeoutMs: 600, hardQueueBytes: 2 ** 28 });
    const client = aClient(host);
    const session = await settled(client, host, 'a');
    const other = aClient(host);
    const late = await settled(other, host, 'b');
    client.pause();
    other.pause();
    const frame = new Uint8Array(256 * 1024);
    for (const each of [session, late]) {
      for (let i = 0; i < 128; i++) each.send(frame, 'reply');
      await until(() => each.queuedFrames > 0);
    }
    client.resume();
    await until(() => session.queuedBytes === 0);
    // Who stalled after it is cut off, and so its own time is over too.
    await until(() => host.closes.length > 0);
    expect(host.closes).toEqual([closeCodes.TOO_SLOW]);
    expect([session.send(frame, 'reply'), late.send(frame, 'reply')]).toEqual([true, false]);
  });
});

describe('a peer that writes a byte now and then', () => {
  const trickle = (stream: Socket, bytes: Uint8Array): void => {
    let at = 0;
    const timer = setInterval(() => {
      if (stream.destroyed || at === bytes.length) clearInterval(timer);
      else stream.write(bytes.subarray(at, ++at));
    }, 20);
  };

  test('has the time of a handshake for its hello', async () => {
    const host = await aHost({ handshakeTimeoutMs: 300 });
    const client = aClient(host);
    await opened(client);
    // A masked binary frame of 100 bytes.
    trickle(
      (client as unknown as { _socket: Socket })._socket,
      new Uint8Array(106).fill(1).fill(0x82, 0, 1).fill(0xe4, 1, 2),
    );
    expect((await closed(client))[0]).toBe(closeCodes.HELLO_TIMEOUT);
  });

  test('has the time of an upgrade before that', async () => {
    const host = await aHost({ handshakeTimeoutMs: 200 });
    const stream = connect({ host: '127.0.0.1', port: Number(new URL(host.url).port) });
    clients.push(stream);
    stream.on('error', () => {}).resume();
    trickle(stream, Buffer.from(`GET /grapevine HTTP/1.1\r\nX: ${'x'.repeat(1000)}`));
    await new Promise((resolve) => void stream.once('close', resolve));
    expect(host.sessions).toEqual([]);
  });

  test('is silent, however long its frame is on its way', async () => {
    const host = await aHost({ pingIntervalMs: 60 });
    const client = aClient(host);
    await settled(client, host, 'a');
    trickle(
      (client as unknown as { _socket: Socket })._socket,
      new Uint8Array(106).fill(1).fill(0x82, 0, 1).fill(0xe4, 1, 2),
    );
    await until(() => host.closes.length === 1);
    expect(host.closes).toEqual([closeCodes.SILENT]);
  });
});

describe('addresses', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (remoteAddress, key) => {
    expect(addressOf({ remoteAddress })).toBe(key);
  });

  test('that are unknown count for none', () => {
    expect(addressOf({} as { remoteAddress: undefined })).toBeNull();
  });
});

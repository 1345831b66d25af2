/** Addresses that peers tell: which are public, and that no other is connected to, whatever a name resolves to. */
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { DialEnd } from '@grapevine/core';
import { isPublic, objectionToAddress } from './peer-addresses.ts';
import type { Transport } from './transport.ts';
import { createWebSocketTransport } from './websocket.ts';

/** Machines may be busy. */
jest.setTimeout(30_000);

describe('an address', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.19.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:a9fe:a9fe',
    '::7f00:1',
    '64:ff9b::10.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
  ])('%s is not public', (address) => expect(isPublic(address)).toBe(false));

  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.1.1',
    '198.17.0.1',
    '223.255.255.255',
    '::ffff:1.1.1.1',
    '64:ff9b::1.1.1.1',
    '2001:4860::8888',
    '2606:4700::1111',
    '2a00::1',
  ])('%s is public', (address) => expect(isPublic(address)).toBe(true));

  test.each([
    'ws://0x7f.1:1/grapevine',
    'ws://2130706433/',
    'ws://0177.0.0.1/',
    'ws://[::ffff:127.0.0.1]:7/',
    'wss://[::1]/',
  ])('is what a URL makes of it: %s', (url) =>
    expect(objectionToAddress(new URL(url).href)).toMatchObject({ code: 'ADDRESS_REFUSED' }),
  );
});

const transports: Transport[] = [];
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.close()));
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** A service that is no node, and counts who knocks. */
async function aService(): Promise<{ readonly port: number; readonly knocks: () => number }> {
  let knocks = 0;
  const server = createServer((stream) => {
    knocks++;
    stream.destroy();
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, resolve));
  return { port: (server.address() as { port: number }).port, knocks: () => knocks };
}

async function aDialler(peerAddresses?: 'any' | 'public') {
  const transport = createWebSocketTransport({ name: 'a', epoch: 1, security: { insecure: true, peerAddresses } });
  transports.push(transport);
  const ends: DialEnd[] = [];
  let told = (): void => {};
  await transport.start({
    opened: () => {},
    closed: () => {},
    dialEnded: (end) => {
      ends.push(end);
      told();
    },
  });
  /** How the dial of this URL ends. */
  const ended = async (url: string): Promise<DialEnd> => {
    const found = (): DialEnd | undefined => ends.find((end) => end.url === url);
    while (found() === undefined) await new Promise<void>((resolve) => void (told = resolve));
    return found() as DialEnd;
  };
  return { transport, ended };
}

const hosts = ['127.0.0.1', '[::ffff:127.0.0.1]', 'localhost', '0.0.0.0'];

describe('with peerAddresses: public, a URL that peers tell', () => {
  test.each(hosts)('leads nowhere where it leads to %s', async (host) => {
    const [{ port, knocks }, { transport, ended }] = [await aService(), await aDialler('public')];
    const url = `ws://${host}:${port}/grapevine`;
    transport.connect(url, 'peers');
    const { outcome, error } = await ended(url);
    expect([outcome, error?.code]).toEqual(['failed', 'ADDRESS_REFUSED']);
    expect(error?.message).toContain('--peer-addresses');
    // Without a word of where it comes from, it may come from a peer.
    transport.connect(`ws://${host}:${port}`);
    expect((await ended(`ws://${host}:${port}`)).error?.code).toBe('ADDRESS_REFUSED');
    expect(knocks()).toBe(0);
  });

  test.each(hosts)('is dialled where the configuration names %s', async (host) => {
    const [{ port, knocks }, { transport, ended }] = [await aService(), await aDialler('public')];
    const url = `ws://${host}:${port}`;
    transport.connect(url, 'configuration');
    expect((await ended(url)).error?.code).toBe('PEER_UNREACHABLE');
    expect(knocks()).toBeGreaterThan(0);
  });
});

test('without the option, a URL that peers tell is dialled wherever it leads', async () => {
  for (const peerAddresses of [undefined, 'any'] as const) {
    const [{ port, knocks }, { transport, ended }] = [await aService(), await aDialler(peerAddresses)];
    for (const host of ['127.0.0.1', 'localhost']) {
      transport.connect(`ws://${host}:${port}`, 'peers');
      expect((await ended(`ws://${host}:${port}`)).error?.code).toBe('PEER_UNREACHABLE');
    }
    expect(knocks()).toBeGreaterThanOrEqual(2);
  }
});

test('another word is refused, and names the words that are known', () => {
  const security = { peerAddresses: 'private' as 'public' };
  expect(() => createWebSocketTransport({ name: 'a', epoch: 1, security })).toThrow(
    "'security.peerAddresses' must be 'any' or 'public'",
  );
});

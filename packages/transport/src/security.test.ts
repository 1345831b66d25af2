import { randomBytes } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import type { Violation } from '@grapevine/core';
import type { TransportOptions } from './options.ts';
import { isExposed, isLoopback, readSecurity, renewedTls } from './security.ts';
import { type Runtime, thisRuntime } from './runtime.ts';
import { createWebSocketTransport } from './websocket.ts';

const keys = [randomBytes(32)];
/** Whatever OpenSSL reads. */
const [ca = ''] = rootCertificates;
const start = (options: Partial<TransportOptions>): void => {
  createWebSocketTransport({ name: 'a', epoch: 1, ...options });
};

describe('a loopback', () => {
  test.each(['127.0.0.1', '127.8.9.10', '::1', '[::1]', 'localhost', 'LOCALHOST', 'a.localhost', '::ffff:127.0.0.1'])(
    'is %s',
    (host) => expect(isLoopback(host)).toBe(true),
  );

  test('is what a URL makes of it', () => {
    expect(isLoopback(new URL('ws://[::ffff:127.0.0.1]:7001').hostname)).toBe(true);
    expect(isLoopback(new URL('ws://0x7f.1:7001').hostname)).toBe(true);
    expect(isLoopback(new URL('ws://[::ffff:10.0.0.1]:7001').hostname)).toBe(false);
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', '192.168.0.1', '128.0.0.1', '127.0.0.1.example', 'localhost.example', '::2'])(
    'is not %s',
    (host) => expect(isLoopback(host)).toBe(false),
  );
});

describe('plain WebSockets between machines', () => {
  test.each(['0.0.0.0', '::', '10.0.0.1', 'node.example'])('are not listened for at %s without a word', (host) => {
    const listen = { port: 0, host };
    expect(() => start({ listen })).toThrow("'listen.host' is open to other machines without keys or TLS");
    expect(() => start({ listen, security: { insecure: false } })).toThrow('listen.host');
    start({ listen, security: { insecure: true } });
    start({ listen, security: { keys } });
    start({ listen, security: { tls: {} } });
  });

  test('are nothing to who stays on this machine, or only dials', () => {
    for (const listen of [{ port: 0 }, { port: 0, host: 'localhost' }, null])
      expect(() => start({ listen })).not.toThrow();
  });

  test('are not dialled without a word', () => {
    const nothing = readSecurity(undefined, []);
    for (const url of ['ws://10.0.0.1:1/', 'ws://node.example/', 'ws://[2001:db8::1]/'])
      expect([isExposed(url, nothing), isExposed(url, { ...nothing, insecure: true })]).toEqual([true, false]);
    for (const url of ['wss://10.0.0.1/', 'ws://127.0.0.1:1/', 'ws://[::1]:1/', 'ws://localhost:1/'])
      expect(isExposed(url, nothing)).toBe(false);
    expect(isExposed('ws://10.0.0.1:1/', readSecurity({ keys }, []))).toBe(false);
  });

  test('are not dialled by a node with keys and TLS without a word of their own', () => {
    const url = 'ws://10.0.0.1:1/';
    const secured = readSecurity({ keys, tls: { ca } }, []);
    expect(isExposed(url, secured)).toBe(true);
    expect(isExposed('ws://127.0.0.1:1/', secured)).toBe(false);
    expect(isExposed(url, readSecurity({ keys, tls: { ca }, allowPlaintext: true }, []))).toBe(false);
    expect(() => start({ security: { keys, allowPlaintext: true } })).toThrow(
      "'security.allowPlaintext' does not apply without security.tls",
    );
  });

  test('include TLS whose certificates nobody checks', () => {
    const security = { tls: { rejectUnauthorized: false } };
    expect(() => start({ security })).toThrow("'security.tls.rejectUnauthorized' must not be false without keys");
    start({ security: { ...security, keys } });
  });
});

describe('the options of security', () => {
  test('are told wrong all at once', () => {
    const security = { key: 'x', keys: [], insecure: 1, channelBinding: 'no', tls: { cert: 'none', checkNames: true } };
    let thrown: unknown;
    try {
      start({ security: security as object });
    } catch (error) {
      thrown = error;
    }
    const paths = ['key', 'keys', 'tls', 'tls.checkNames', 'insecure', 'channelBinding'];
    expect(thrown).toMatchObject({
      context: { violations: paths.map((path) => ({ path: `security.${path}` })) },
    });
  });

  const bun: Runtime = {
    name: 'Bun 1',
    exportsKeyingMaterial: false,
    readsCertificates: false,
    takesLookup: false,
    hasStreams: false,
  };
  const deno: Runtime = { ...bun, name: 'Deno 2', readsCertificates: true, takesLookup: true, hasStreams: true };
  const tls = { requestCert: true, checkNames: true, ca };

  test.each([
    [
      bun,
      [
        'security.channelBinding cannot be had on Bun 1, which does not tell what is unique to a TLS connection: give channelBinding: false (--no-channel-binding) on all nodes, or run on Node.js',
        'security.tls.checkNames cannot be had on Bun 1, which does not show the certificate of a peer: leave it out (--tls-names), or run on Node.js',
      ],
    ],
    [
      deno,
      [
        'security.channelBinding cannot be had on Deno 2, which does not tell what is unique to a TLS connection: give channelBinding: false (--no-channel-binding) on all nodes, or run on Node.js',
      ],
    ],
    [thisRuntime, []],
  ])('are refused where the runtime cannot keep them: $name', (runtime, sentences) => {
    const violations: Violation[] = [];
    readSecurity({ keys, tls }, violations, runtime);
    expect(violations.map(({ path, problem }) => `${path} ${problem}`)).toEqual(sentences);
    for (const harmless of [{ keys, tls: {}, channelBinding: false }, { keys }, { tls: {} }]) {
      const none: Violation[] = [];
      readSecurity(harmless, none, runtime);
      expect(none).toEqual([]);
    }
  });

  test('are refused where the runtime resolves names by itself and addresses of peers are to be judged', () => {
    const violations: Violation[] = [];
    for (const runtime of [bun, deno, thisRuntime]) readSecurity({ peerAddresses: 'public' }, violations, runtime);
    expect(violations).toEqual([
      {
        path: 'security.peerAddresses',
        problem:
          "cannot be 'public' on Bun 1, which resolves names by itself: leave it out (--peer-addresses), or run on Node.js",
      },
    ]);
  });

  test('are refused where keys are to be bound and TLS 1.3 is not allowed', () => {
    const old = { maxVersion: 'TLSv1.2' } as const;
    expect(() => start({ security: { keys, tls: old } })).toThrow(
      "'security.tls.maxVersion' is TLSv1.2, and keys are bound to connections of TLSv1.3 alone: allow that, or give channelBinding: false (--no-channel-binding) on all nodes",
    );
    start({ security: { keys, tls: old, channelBinding: false } });
    start({ security: { tls: old } });
  });

  test('want authorities where they want certificates: otherwise every public authority would serve', () => {
    for (const none of [undefined, '', [], ['']])
      expect(() =>
        start({ security: { tls: { requestCert: true, ...(none === undefined ? {} : { ca: none }) } } }),
      ).toThrow(/'security.tls.requestCert' needs security.tls.ca \(--tls-ca with --tls-clients or --tls-names\)/);
    start({ security: { tls: { requestCert: true, ca } } });
  });

  test('of TLS that are not known are refused: they could bring tickets back', () => {
    for (const name of ['session', 'ticketKeys', 'secureOptions', 'secureContext', 'SNICallback'])
      expect(() => start({ security: { tls: { [name]: {} } } })).toThrow(`'security.tls.${name}' means nothing here`);
  });

  test('stay as they were where renewal does not give them', () => {
    const before = {
      cert: 'old',
      key: 'old',
      ca: 'old',
      requestCert: true,
      minVersion: 'TLSv1.3',
      ciphers: 'x',
    } as const;
    expect(renewedTls(before, { cert: 'new', key: 'new', ca: undefined })).toEqual({
      ...before,
      cert: 'new',
      key: 'new',
    });
    expect(renewedTls(before, { pfx: 'new', passphrase: 'new' })).toEqual({
      ca: 'old',
      requestCert: true,
      minVersion: 'TLSv1.3',
      ciphers: 'x',
      pfx: 'new',
      passphrase: 'new',
    });
    expect(renewedTls({ pfx: 'old', ca: 'old' }, { cert: 'new', key: 'new' })).toEqual({
      cert: 'new',
      key: 'new',
      ca: 'old',
    });
  });
});

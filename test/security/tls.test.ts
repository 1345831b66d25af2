/**
 * TLS between nodes over real sockets: whose certificates are taken, what is said of those that are not, and that they are
 * replaced without a restart. Each test is a row of the table in docs/operations.md, "Keys and certificates".
 */

import { randomBytes, X509Certificate } from 'node:crypto';
import { createServer, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import { encodeHello, protocolVersions } from '@grapevine/wire';
import { WebSocket } from 'ws';

import { closeCodes, createWebSocketTransport, type SecurityOptions } from '../../packages/transport/src/index.ts';
import { type Probe, Scene, until } from '../../packages/transport/src/conformance.ts';
import { type ShownCertificate, shownCertificate } from '../../packages/transport/src/certificates.ts';
import { Authority, type CertificateOptions } from './authority.ts';

const authority = new Authority();
const { ca } = authority;
const stranger = new Authority('another authority');

const ended: (() => Promise<void> | void)[] = [];
let scene: Scene;

const aNode = (name: string, security: SecurityOptions): Promise<Probe> =>
  scene.node(name, { security, handshakeTimeoutMs: 2000 });

const certified = (name: string): SecurityOptions => ({
  tls: { ...authority.issue({ name, dns: ['localhost', name] }), ca },
});
const mutual = (name: string): SecurityOptions => ({ tls: { ...certified(name).tls, requestCert: true } });

function beginScene(): void {
  scene = new Scene({
    create: createWebSocketTransport,
    listenAt: () => ({ port: 0 }),
    through: () => Promise.reject(new Error('not used')),
    dispose: async () => {},
  });
}
beginScene();

afterEach(async () => {
  for (const end of ended.splice(0)) await end();
  const violations = await scene.end();
  if (violations.length > 0) throw new Error(violations.join('; '));
  beginScene();
});

async function expectMeeting(a: Probe, b: Probe): Promise<void> {
  a.transport.connect(b.url);
  await until('a session', () => a.log.length > 0 && b.log.length > 0);
  expect([a.log[0], b.log[0]]).toEqual([`opened ${b.name}`, `opened ${a.name}`]);
}

/** Dials once, in vain. @returns what the dialler says of it */
async function failure(a: Probe, url: string): Promise<{ readonly code: string; readonly message: string }> {
  const before = a.dialEnds.length;
  a.transport.connect(url);
  await until('the end of the dial', () => a.dialEnds.length > before);
  const end = a.dialEnds[before];
  expect(end?.outcome).not.toBe('connected');
  return { code: end?.error?.code as string, message: end?.error?.message as string };
}

describe('the certificate of who is dialled', () => {
  test('is taken when it is of a known authority, in time, and for the address', async () => {
    await expectMeeting(await aNode('a', certified('a')), await aNode('b', certified('b')));
  });

  test.each([
    ['of another authority', stranger.issue({ name: 'b' }), 'is refused: its authority is not in security.tls.ca here'],
    ['that has expired', authority.issue({ name: 'b', days: [-30, -1] }), 'is refused: it has expired: renew it'],
    ['that is not valid yet', authority.issue({ name: 'b', days: [1, 30] }), 'is refused: it is not valid yet'],
    [
      'for another name',
      authority.issue({ name: 'b', addresses: ['192.0.2.1'] }),
      'is for another name: dial a name that it bears, or issue one for this',
    ],
  ])('%s is refused, with the cause and the cure', async (_what, credentials, sentence) => {
    const a = await aNode('a', certified('a'));
    const b = await aNode('b', { tls: { ...credentials, ca } });
    const { code, message } = await failure(a, b.url);
    expect(code).toBe('CERTIFICATE_REFUSED');
    expect(message).toContain(`the certificate of ${b.url}`);
    expect(message).toContain(sentence);
    expect([a.log, b.log]).toEqual([[], []]);
  });

  test('is refused again and again where the URL is dialled for ever, and said each time with its code', async () => {
    const a = await aNode('a', certified('a'));
    const b = await aNode('b', { tls: { ...stranger.issue({ name: 'b' }), ca } });
    a.transport.dial([b.url]);
    await until('two failures', () => a.dialFailures.length > 1);
    expect(a.dialFailures[0]).toBe(`${b.url} CERTIFICATE_REFUSED`);
  });

  test('signed by itself is refused unless it is listed', async () => {
    const self = stranger.issue({ name: 'another authority' });
    const b = await aNode('b', { tls: { ...self, ca } });
    const { code } = await failure(await aNode('a', certified('a')), b.url);
    expect(code).toBe('CERTIFICATE_REFUSED');
  });
});

describe('the certificate of who dials', () => {
  test('is asked for and taken', async () => {
    await expectMeeting(await aNode('a', mutual('a')), await aNode('b', mutual('b')));
  });

  test.each([
    ['that is not shown', {}, 'showed no certificate: give it security.tls.cert and key of its own'],
    ['of another authority', stranger.issue({ name: 'a' }), 'is refused: its authority is not in security.tls.ca here'],
    ['that has expired', authority.issue({ name: 'a', days: [-30, -1] }), 'is refused: it has expired'],
  ])('%s is refused, and the node says by whom and why', async (_what, credentials, sentence) => {
    const b = await aNode('b', mutual('b'));
    const a = await scene.node('a', { security: { tls: { ...credentials, ca } }, listen: null });
    const { code } = await failure(a, b.url);
    expect(code).toBe('CERTIFICATE_REFUSED');
    await until('the node says so', () => b.refusals.length > 0);
    expect(b.refusals).toMatchObject([{ url: null, by: 'us', peer: null, error: { code: 'CERTIFICATE_REFUSED' } }]);
    expect(b.refusals[0]?.error.message).toContain(sentence);
    expect(b.refusals[0]?.error.message).toContain('127.0.0.1');
    expect([a.log, b.log]).toEqual([[], []]);
  });

  test('bears the name of its node where checkNames is on, on both sides', async () => {
    const checked = (name: string): SecurityOptions => ({ tls: { ...mutual(name).tls, checkNames: true } });
    await expectMeeting(await aNode('a', checked('a')), await aNode('b', checked('b')));
    const [c, d] = [await aNode('c', checked('c')), await aNode('d', checked('d'))];
    const false_ = await aNode('mallory', certified('c'));
    // As who dials …
    expect(await failure(false_, c.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect(c.refusals).toMatchObject([{ by: 'us', error: { code: 'CERTIFICATE_REFUSED' } }]);
    expect(c.refusals[0]?.error.message).toMatch(/^no name of the certificate \(localhost, c, c\) is that of the node/);
    // … and as who is dialled.
    expect(await failure(d, false_.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect([c.log, d.log, false_.log]).toEqual([[], [], []]);
  });
});

describe('the names in a certificate', () => {
  const shownBy = (options: Partial<CertificateOptions>, printed: string): ShownCertificate => {
    const { raw } = new X509Certificate(authority.issue({ name: 'common', ...options }).cert);
    const shown = shownCertificate({ subject: { CN: 'common' }, subjectaltname: printed, raw } as PeerCertificate);
    return shown as ShownCertificate;
  };

  test('are those that it bears, whatever its names read like when a runtime prints them', () => {
    const shown = shownBy({ dns: ['a', 'Case'] }, 'DNS:a, DNS:other');
    expect(['a', 'common', 'Case'].map((name) => shown.bears(name))).toEqual([true, true, true]);
    expect(['other', 'case', 'A', '', '.a', '127.0.0.1'].map((name) => shown.bears(name))).not.toContain(true);
  });

  test('are no wildcards', () => {
    const shown = shownBy({ dns: ['*.example', 'b.test'] }, 'DNS:*.example, DNS:b.test');
    expect(['a.example', '.example', '.test', 'example'].map((name) => shown.bears(name))).not.toContain(true);
  });

  test('move no cursor of the people who read why one is refused', async () => {
    const b = await aNode('b', { tls: { ...mutual('b').tls, checkNames: true } });
    const odd = authority.issue({ name: 'x\n\u001b[2Jy\u202ez' });
    expect(await failure(await aNode('a', { tls: { ...odd, ca } }), b.url)).toMatchObject({
      code: 'CERTIFICATE_REFUSED',
    });
    await until('the node says so', () => b.refusals.length > 0);
    const message = b.refusals[0]?.error.message as string;
    expect(message).toContain('[2Jy');
    // eslint-disable-next-line no-control-regex
    expect(message).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});

describe('a port of the other kind', () => {
  test('is told by who dials it', async () => {
    const plain = await aNode('plain', {});
    const secure = await aNode('secure', certified('secure'));
    const wrong = await failure(secure, plain.url.replace('ws:', 'wss:'));
    expect(wrong.message).toContain('TLS');
    await failure(plain, secure.url.replace('wss:', 'ws:'));
    await until('the node says so', () => secure.refusals.length > 0);
    expect(secure.refusals[0]?.error.message).toContain('in plain ws: to a port of wss:');
  });
});

describe('certificates are replaced in a running node', () => {
  test('for who is dialled and who dials, at once, and sessions stay', async () => {
    const next = new Authority('the next authority');
    const both = `${ca}${next.ca}`;
    const a = await aNode('a', mutual('a'));
    const b = await aNode('b', mutual('b'));
    await expectMeeting(a, b);
    const renew = (probe: Probe, by: Authority, trusted: string): void =>
      probe.transport.renewTls({ ...by.issue({ name: probe.name }), ca: trusted });
    // Trust both, then show the new ones, then trust the new alone.
    for (const probe of [a, b]) renew(probe, authority, both);
    for (const probe of [a, b]) renew(probe, next, both);
    for (const probe of [a, b]) renew(probe, next, next.ca);
    expect([a.log, b.log]).toEqual([['opened b', 'connected b'], ['opened a']]);
    const c = await aNode('c', { tls: { ...next.issue({ name: 'c' }), ca: next.ca, requestCert: true } });
    c.transport.dial([a.url, b.url]);
    await until('the new one meets both', () => c.log.length === 2);
    const old = await aNode('old', mutual('old'));
    expect(await failure(old, a.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect(await failure(a, old.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    // Whether certificates are wanted is no part of what was replaced.
    const bare = await aNode('bare', { tls: { ca: next.ca } });
    expect(await failure(bare, a.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  });

  test('but what is not given stays as it was, and what only a start can change is refused', async () => {
    const a = await aNode('a', { tls: { ...mutual('a').tls, minVersion: 'TLSv1.3' } });
    const versionAt = (url: string, version: 'TLSv1.2' | 'TLSv1.3'): Promise<string> => {
      const { hostname: host, port } = new URL(url);
      const own = authority.issue({ name: 'client' });
      const stream = connectTls({ ...own, host, port: Number(port), ca, minVersion: version, maxVersion: version });
      return new Promise((resolve) => {
        stream.on('secureConnect', () => resolve(stream.getProtocol() as string));
        stream.on('error', () => resolve('refused')).on('close', () => resolve('refused'));
        ended.push(() => void stream.destroy());
      });
    };
    a.transport.renewTls({ ...authority.issue({ name: 'a' }), ca });
    expect(await versionAt(a.url, 'TLSv1.2')).toBe('refused');
    expect(await versionAt(a.url, 'TLSv1.3')).toBe('TLSv1.3');
    // A certificate is still wanted, of the same authority, where the new ones are given alone.
    a.transport.renewTls(authority.issue({ name: 'a' }));
    const bare = await aNode('bare', { tls: { ca } });
    expect(await failure(bare, a.url)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    await expectMeeting(await aNode('b', mutual('b')), a);
    for (const tls of [{ requestCert: false }, { rejectUnauthorized: false }, { checkNames: true }])
      expect(() => a.transport.renewTls(tls)).toThrow('cannot be changed in a running node');
    a.transport.renewTls({ requestCert: true, rejectUnauthorized: true, checkNames: false });
    expect(() => a.transport.renewTls(null as never)).toThrow("'tls' must be an object");
  });

  test('but not by those that do not serve, nor in a node without TLS: all stays as it was', async () => {
    const a = await aNode('a', certified('a'));
    const b = await aNode('b', certified('b'));
    const plain = await aNode('plain', {});
    const { key } = authority.issue({ name: 'x' });
    const wrong = [{ cert: 'none' }, { key, cert: certified('x').tls?.cert }] as object[];
    for (const tls of wrong) expect(() => b.transport.renewTls(tls)).toThrow("'security.tls' does not serve");
    expect(() => plain.transport.renewTls({})).toThrow('means nothing to a node that began without');
    await expectMeeting(a, b);
  });
});

describe('a TLS session', () => {
  /** Dials as TLS alone, perhaps with what an earlier connection left. @returns what it leaves, and whether it was resumed */
  function hold(
    url: string,
    version: 'TLSv1.2' | 'TLSv1.3',
    session?: Buffer,
  ): Promise<{ left: Buffer[]; resumed: boolean }> {
    const { hostname: host, port } = new URL(url);
    const left: Buffer[] = [];
    let resumed = false;
    return new Promise((resolve, reject) => {
      const stream = connectTls({
        ...authority.issue({ name: 'client' }),
        host,
        port: Number(port),
        ca,
        minVersion: version,
        maxVersion: version,
        session,
      });
      stream.on('session', (one: Buffer) => left.push(one)).on('error', reject);
      stream.on('secureConnect', () => {
        resumed = stream.isSessionReused();
        const got = stream.getSession();
        if (got !== undefined) left.push(got);
        // The answer stands behind all that the server sends of itself.
        stream.write('GET /none HTTP/1.1\r\nHost: a\r\n\r\n');
        stream.on('data', () => stream.end());
        stream.on('close', () => resolve({ left, resumed }));
      });
    });
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of %s is resumed by nothing that a node gives, also after renewTls',
    async (version) => {
      const a = await aNode('a', mutual('a'));
      let given = (await hold(a.url, version)).left;
      for (const renew of [false, true]) {
        if (renew) a.transport.renewTls(authority.issue({ name: 'a' }));
        expect(given.length).toBeGreaterThan(0);
        for (const session of given) expect((await hold(a.url, version, session)).resumed).toBe(false);
        given = (await hold(a.url, version)).left;
      }
      expect(a.refusals).toEqual([]);
    },
  );

  test('is never resumed by a node that dials', async () => {
    const offers: boolean[] = [];
    const server = createTlsServer({ ...authority.issue({ name: 'server' }), ca }, (stream) => {
      offers.push(stream.isSessionReused());
      stream.on('error', () => {}).end();
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    ended.push(() => new Promise((resolve) => void server.close(() => resolve())));
    const a = await aNode('a', certified('a'));
    const { port } = server.address() as { readonly port: number };
    for (let i = 0; i < 3; i++) await failure(a, `wss://127.0.0.1:${port}`);
    expect(offers).toEqual([false, false, false]);
  });
});

describe('keys over TLS', () => {
  const keys = [randomBytes(32)];

  /** Ends TLS on the way to `url`, with a certificate that is trusted, and passes on what is inside. */
  async function terminatorOf(url: string): Promise<string> {
    const sockets: (Socket | TLSSocket)[] = [];
    const inner = new URL(url);
    const server = createTlsServer(authority.issue({ name: 'on the way' }), (near) => {
      const to = { host: '127.0.0.1', port: Number(inner.port) };
      const far = inner.protocol === 'wss:' ? connectTls({ ...to, ca }) : connectTcp(to);
      sockets.push(near, far);
      near.pipe(far);
      far.pipe(near);
      for (const socket of [near, far]) socket.on('error', () => {});
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    ended.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => void server.close(() => resolve()));
    });
    return `wss://127.0.0.1:${(server.address() as { readonly port: number }).port}`;
  }

  test('do not let a node dial another machine in the clear, unless an option of its own says so', async () => {
    const secured = { ...certified('a'), keys };
    const { code, message } = await failure(await aNode('a', secured), 'ws://192.0.2.1:1');
    expect([code, message]).toEqual(['PLAINTEXT_REFUSED', expect.stringContaining('--allow-plaintext')]);
  });

  test('let nodes meet', async () => {
    await expectMeeting(await aNode('a', { ...certified('a'), keys }), await aNode('b', { ...certified('b'), keys }));
  });

  test('find out who ends TLS on the way and passes proofs on, even with a certificate that is trusted', async () => {
    const a = await aNode('a', { ...certified('a'), keys });
    const b = await aNode('b', { ...certified('b'), keys });
    expect(await failure(b, await terminatorOf(a.url))).toMatchObject({
      code: 'KEY_MISMATCH',
      message:
        '"b" proves no key that "a" lists: compare security.keys (--key-file), or a proxy ends TLS (channelBinding)',
    });
    expect([a.log, b.log]).toEqual([[], []]);
  });

  test('are bound to connections of TLS 1.3 alone: an older one is refused by whoever binds, with the cause and the cure', async () => {
    const old = await aNode('old', {
      tls: { ...certified('old').tls, maxVersion: 'TLSv1.2' },
      keys,
      channelBinding: false,
    });
    const a = await aNode('a', { ...certified('a'), keys });
    const refusal = {
      code: 'BINDING_UNAVAILABLE',
      message: 'no channel binding can be had: let both speak TLS 1.3, or give channelBinding: false on all nodes',
    };
    expect(await failure(a, old.url)).toMatchObject(refusal);
    expect(await failure(old, a.url)).toMatchObject(refusal);
    expect(a.refusals.map(({ by, error: { code, message } }) => ({ by, code, message }))).toEqual([
      { by: 'us', ...refusal },
      { by: 'us', ...refusal },
    ]);
    expect([a.log, old.log]).toEqual([[], []]);
    const b = await aNode('b', { ...certified('b'), keys, channelBinding: false });
    await expectMeeting(old, b);
  });

  test('let a proxy of ours end TLS where channelBinding is off on both sides', async () => {
    const a = await aNode('a', { keys, channelBinding: false });
    const b = await aNode('b', { ...certified('b'), keys, channelBinding: false });
    b.transport.connect(await terminatorOf(a.url));
    await until('a session', () => a.log.length === 1 && b.log.length === 2);
    const c = await aNode('c', { ...certified('c'), keys });
    expect(await failure(c, await terminatorOf(a.url))).toMatchObject({ code: 'KEY_MISMATCH' });
  });
});

test('a port scan, or a peer that goes away in the handshake, is nothing to tell of', async () => {
  const a = await aNode('a', certified('a'));
  const at = { host: '127.0.0.1', port: Number(new URL(a.url).port) };
  await new Promise<void>((resolve) => {
    const scan = connectTcp(at, () => scan.destroy());
    scan.on('close', () => resolve());
  });
  await new Promise<void>((resolve) => {
    const noise = connectTcp(at, () => noise.write(randomBytes(200)));
    noise.on('error', () => {});
    noise.on('close', () => resolve());
  });
  await expectMeeting(await aNode('b', certified('b')), a);
  expect(a.refusals).toEqual([]);
});

test('with TLS alone, without keys and requestCert, whoever trusts the certificate takes part: so the node warns', async () => {
  const a = await aNode('a', certified('a'));
  const nobody = new WebSocket(`${a.url}/grapevine`, 'grapevine.1', { ca });
  const hello = {
    versions: protocolVersions,
    cluster: 'default',
    name: 'nobody',
    epoch: 1,
    url: null,
    capabilities: [],
  };
  nobody.on('open', () => {
    nobody.send(encodeHello(hello));
    nobody.send(new Uint8Array());
  });
  await until('it takes part', () => a.log.length === 1);
  nobody.close(closeCodes.NORMAL);
  await until('it has gone', () => a.log.length === 2);
  expect(a.log).toEqual(['opened nobody', 'closed nobody 1000']);
});

test('a server that speaks something else under TLS is told apart from a wrong certificate', async () => {
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
  ended.push(() => new Promise((resolve) => void other.close(() => resolve())));
  const a = await aNode('a', certified('a'));
  const { port } = other.address() as { readonly port: number };
  expect((await failure(a, `wss://127.0.0.1:${port}`)).message).toMatch(
    /closed the connection in the TLS handshake: perhaps/,
  );
});

test('who begins TLS and does not go on is let go after handshakeTimeoutMs', async () => {
  const a = await aNode('a', certified('a'));
  const { hostname, port } = new URL(a.url);
  const silent = connectTcp({ host: hostname, port: Number(port) });
  ended.push(() => void silent.destroy());
  await new Promise(
    (resolve) =>
      void silent
        .on('error', () => {})
        .once('close', resolve)
        .resume(),
  );
  // TLS of Node.js itself would have waited for two minutes, which is more than a test has.
  expect(a.refusals).toEqual([]);
});

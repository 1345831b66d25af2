import dnsPromises, { Resolver } from 'node:dns/promises';

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { dns, type DnsOptions } from './dns.ts';
import { NameServer } from './testing/name-server.ts';

const service = 'grapevine.default.svc.cluster.local';

describe('dns', () => {
  let server: NameServer;

  beforeEach(async () => {
    server = await new NameServer().open();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await server.close();
  });

  const find = (options: Partial<DnsOptions> = {}): Promise<readonly string[]> =>
    dns({ name: service, server: server.address, ...options }).find();

  test('finds every address of a headless service', async () => {
    server.zone.set(service, { A: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] });
    expect(new Set(await find({ port: 7001 }))).toEqual(
      new Set(['ws://10.0.0.1:7001', 'ws://10.0.0.2:7001', 'ws://10.0.0.3:7001']),
    );
  });

  test('puts IPv6 addresses in brackets', async () => {
    server.zone.set(service, { AAAA: ['::1', '2001:db8::7'] });
    expect(new Set(await find({ type: 'AAAA', port: 7001 }))).toEqual(
      new Set(['ws://[::1]:7001', 'ws://[2001:db8::7]:7001']),
    );
  });

  test('takes scheme and path as it was told', async () => {
    server.zone.set(service, { A: ['10.0.0.1'] });
    expect(await find({ port: 443, tls: true, path: '/gossip' })).toEqual(['wss://10.0.0.1:443/gossip']);
  });

  describe('by SRV', () => {
    const records = [
      { target: 'b.example', port: 7002, priority: 20 },
      { target: 'a.example', port: 7001, priority: 10 },
    ];

    test('takes hosts and ports from the records, best first, resolved at the server that was named', async () => {
      server.zone.set('_g._tcp.example', { SRV: records });
      server.zone.set('a.example', { A: ['10.0.0.1'], AAAA: ['2001:db8::1'] });
      server.zone.set('b.example', { A: ['10.0.0.2'] });
      expect(await find({ name: '_g._tcp.example', type: 'SRV' })).toEqual([
        'ws://10.0.0.1:7001',
        'ws://[2001:db8::1]:7001',
        'ws://10.0.0.2:7002',
      ]);
    });

    test('keeps the names of hosts where certificates bear them', async () => {
      server.zone.set('_g._tcp.example', { SRV: records });
      expect(await find({ name: '_g._tcp.example', type: 'SRV', tls: true })).toEqual([
        'wss://a.example:7001',
        'wss://b.example:7002',
      ]);
    });

    test('leaves out a service that is not offered, and a host that does not exist', async () => {
      server.zone.set('_g._tcp.example', { SRV: [{ target: '.', port: 0 }, ...records] });
      server.zone.set('b.example', { A: ['10.0.0.2'] });
      expect(await find({ name: '_g._tcp.example', type: 'SRV' })).toEqual(['ws://10.0.0.2:7002']);
    });
  });

  test('finds nothing under a name that does not exist', async () => {
    expect(await find({ port: 7001 })).toEqual([]);
  });

  test('finds nothing under a name without such records', async () => {
    server.zone.set(service, { AAAA: ['::1'] });
    expect(await find({ port: 7001 })).toEqual([]);
  });

  test('asks anew at every find, whatever the time to live of the records says', async () => {
    const source = dns({ name: service, port: 7001, server: server.address });
    expect(await source.find()).toEqual([]);
    server.zone.set(service, { A: ['10.0.0.1'] });
    expect(await source.find()).toEqual(['ws://10.0.0.1:7001']);
    server.zone.set(service, { A: ['10.0.0.2'] });
    expect(await source.find()).toEqual(['ws://10.0.0.2:7001']);
    expect(server.asked).toEqual([`A ${service}`, `A ${service}`, `A ${service}`]);
  });

  test('rejects when the name server stays silent, in time', async () => {
    server.zone.set(service, 'silence');
    await expect(find({ port: 7001, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'DISCOVERY_FAILED',
      fault: 'world',
      message: expect.stringMatching(
        /^Resolving A grapevine\.default\.svc\.cluster\.local failed: no answer .*127\.0\.0\.1:\d+; it is asked again\.$/,
      ),
    });
  });

  test('asks again when a question got lost', async () => {
    server.zone.set(service, { A: ['10.0.0.1'] });
    server.losses = 1;
    expect(await find({ port: 7001, timeoutMs: 900 })).toEqual(['ws://10.0.0.1:7001']);
    expect(server.asked).toEqual([`A ${service}`, `A ${service}`]);
  });

  test.each([
    ['SERVFAIL', 'SERVFAIL'],
    ['REFUSED', 'REFUSED'],
  ] as const)('rejects when the name server answers %s', async (records, words) => {
    server.zone.set(service, records);
    await expect(find({ port: 7001 })).rejects.toMatchObject({
      code: 'DISCOVERY_FAILED',
      message: expect.stringContaining(words),
    });
  });

  test('rejects when a host of SRV cannot be resolved: nobody knows whether it is there', async () => {
    server.zone.set('_g._tcp.example', { SRV: [{ target: 'a.example', port: 7001 }] });
    server.zone.set('a.example', 'SERVFAIL');
    await expect(find({ name: '_g._tcp.example', type: 'SRV' })).rejects.toMatchObject({ code: 'DISCOVERY_FAILED' });
  });

  test('finds localhost, which only the system knows', async () => {
    expect(await dns({ name: 'localhost', port: 7001 }).find()).toEqual(['ws://127.0.0.1:7001']);
  });

  test('asks the system for what the name server does not know: hosts and search domains', async () => {
    const absent = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
    jest.spyOn(Resolver.prototype, 'resolve4').mockRejectedValue(absent);
    jest.spyOn(dnsPromises, 'lookup').mockResolvedValue([{ address: '10.0.0.9', family: 4 }] as never);
    expect(await dns({ name: 'grapevine.default.svc', port: 7001 }).find()).toEqual(['ws://10.0.0.9:7001']);
  });

  const refused = (code: string): Error => Object.assign(new Error(`queryA ${code}`), { code });

  test.each(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR', 'EBADRESP', 'ECONNREFUSED'])(
    'asks the system, which knows the hosts file, when the name server answers %s',
    async (code) => {
      jest.spyOn(Resolver.prototype, 'resolve4').mockRejectedValue(refused(code));
      jest.spyOn(dnsPromises, 'lookup').mockResolvedValue([{ address: '10.0.0.9', family: 4 }] as never);
      expect(await dns({ name: service, port: 7001 }).find()).toEqual(['ws://10.0.0.9:7001']);
    },
  );

  test.each(['ENOTFOUND', 'EAI_AGAIN'])(
    'rejects as the name server failed when the system does not know the name either (%s)',
    async (code) => {
      jest.spyOn(Resolver.prototype, 'resolve4').mockRejectedValue(refused('ESERVFAIL'));
      jest.spyOn(dnsPromises, 'lookup').mockRejectedValue(refused(code));
      await expect(dns({ name: service, port: 7001 }).find()).rejects.toMatchObject({
        code: 'DISCOVERY_FAILED',
        message: expect.stringContaining('SERVFAIL'),
      });
    },
  );

  test('asks nobody but the name server that was named, whatever it answers', async () => {
    server.zone.set(service, 'REFUSED');
    const lookup = jest.spyOn(dnsPromises, 'lookup');
    await expect(find({ port: 7001 })).rejects.toMatchObject({ code: 'DISCOVERY_FAILED' });
    expect(lookup).not.toHaveBeenCalled();
  });

  test('says what it is', () => {
    expect(dns({ name: service, port: 7001 }).name).toBe(`dns A ${service}`);
  });

  test.each<[string, object, string[]]>([
    ['a port with SRV', { name: service, type: 'SRV', port: 7001 }, ['port']],
    ['no port with A', { name: service }, ['port']],
    ['no port with AAAA', { name: service, type: 'AAAA' }, ['port']],
    ['an address in place of a name', { name: '10.0.0.1', port: 7001 }, ['name']],
    ['no name', { port: 7001 }, ['name']],
    [
      'everything at once',
      { name: 'a b', type: 'MX', port: 0, tls: 1, path: 'x', server: 'ns.example', timeoutMs: 0, ttl: 1 },
      ['name', 'type', 'port', 'path', 'tls', 'timeoutMs', 'server', 'ttl'],
    ],
  ])('refuses %s', (_what, options, paths) => {
    let violations: { path: string }[] = [];
    try {
      dns(options as DnsOptions);
    } catch (error) {
      violations = (error as { context: { violations: { path: string }[] } }).context.violations;
    }
    expect(violations.map(({ path }) => path)).toEqual(paths);
  });
});

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createWebSocketTransport } from '@grapevine/transport';
import { dispatch, start, stop } from 'nact';

import { actorAt, ready, spawnGrapevine } from './grapevine.ts';
import { injectFault } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { type NodeMessage, renewTls, rotateKeys, type SecurityReply } from './messages.ts';
import { observeMembers } from './observe.ts';
import type { NodeOptions } from './options.ts';
import { swim } from './swim.ts';
import { Cluster } from './testing/cluster.ts';
import { nodeView } from './views.ts';

let system: Ref<never>;
let cluster: Cluster;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

const [current, older, foreign] = Array.from({ length: 3 }, () => randomBytes(32)) as [Buffer, Buffer, Buffer];
const keyed = (...keys: Buffer[]): Partial<NodeOptions> => ({ security: { keys } });
const rotated = (node: Ref<NodeMessage>, keys: Buffer[], keepSessions = false): Promise<SecurityReply> =>
  ask(node, (replyTo: Ref<SecurityReply>) => rotateKeys(keys, { keepSessions, replyTo }), { timeoutMs: 5000 });
const warnings = (): string[] => cluster.log.lines.flatMap(({ level, message }) => (level === 'warn' ? [message] : []));

describe('keys of nodes', () => {
  test('that do not fit are refused, and both say so', async () => {
    const one = cluster.node('one', keyed(current));
    const two = cluster.node('two', keyed(foreign));
    const three = cluster.node('three', keyed(current));
    await cluster.connected(one, 'three');
    await until(() => cluster.log.codes.filter((code) => code === 'KEY_MISMATCH').length >= 2);
    for (const [node, links] of [
      [one, 1],
      [two, 0],
      [three, 1],
    ] as const)
      expect(nodeView(node).links).toHaveLength(links);
    expect(nodeView(two).members).toEqual([]);
  });

  test('are rotated by a message, and withdrawn ones end the connections that they proved', async () => {
    const one = cluster.node('one', keyed(older));
    const two = cluster.node('two', keyed(older));
    await cluster.connected(one, 'two');
    await cluster.connected(two, 'one');
    for (const keys of [
      [older, current],
      [current, older],
    ])
      for (const node of [one, two]) expect(await rotated(node, keys)).toEqual({ ok: true, closed: 0 });
    expect(await rotated(one, [current])).toEqual({ ok: true, closed: 1 });
    await until(() => nodeView(two).links.length === 0 || nodeView(one).links.length === 1);
    await cluster.connected(one, 'two');
    await cluster.connected(two, 'one');
    expect(await rotated(one, [foreign], true)).toEqual({ ok: true, closed: 0 });
    expect(nodeView(one).links).toHaveLength(1);
  });

  test('outlive a crash of the transport as they were last rotated', async () => {
    const one = cluster.node('one', keyed(older));
    await ready(one);
    expect(await rotated(one, [current])).toEqual({ ok: true, closed: 0 });
    cluster.node('two', keyed(current));
    await cluster.connected(one, 'two');
    injectFault(actorAt(one, ['transport']) as Ref<never>, new Error('injected'));
    await until(() => nodeView(one).links.length === 0);
    // The other may not yet know that the former connection has ended.
    await cluster.connected(one, 'two');
    expect(cluster.log.codes).not.toContain('KEY_MISMATCH');
  });

  test('are refused by who began without, who says so to the asker or in the log, and lives on', async () => {
    const one = cluster.node('one');
    cluster.node('two');
    await cluster.connected(one, 'two');
    expect(await rotated(one, [current])).toMatchObject({ ok: false, error: { code: 'OPTIONS_INVALID' } });
    dispatch(one, rotateKeys([current]));
    await until(() => cluster.log.codes.includes('OPTIONS_INVALID'));
    const reply = await ask(one, (replyTo: Ref<SecurityReply>) => renewTls({}, { replyTo }), { timeoutMs: 5000 });
    expect(reply).toMatchObject({ ok: false, error: { code: 'OPTIONS_INVALID' } });
    expect(nodeView(one).links).toHaveLength(1);
  });

  test('that are none throw where the message is made', () => {
    expect(() => rotateKeys([])).toThrow("'keys' must be a list of 1 to 16 keys");
    expect(() => rotateKeys(['short'])).toThrow("'keys[0]' must have 16 to 1024 bytes");
    expect(() => renewTls({ cert: 'none' })).toThrow("'security.tls' does not serve");
  });
});

describe('open doors', () => {
  const spawn = (options: Partial<NodeOptions>): Ref<NodeMessage> =>
    cluster.node('one', { transport: createWebSocketTransport, membership: swim(), ...options });

  test('are refused at the start', () => {
    const listen = { port: 0, host: '0.0.0.0' };
    for (const security of [undefined, {}, { insecure: false }])
      expect(() => spawnGrapevine(system, { name: 'one', listen, security })).toThrow(
        "'listen.host' is open to other machines without keys or TLS",
      );
    expect(() => spawnGrapevine(system, { name: 'one', security: { keys: ['short'] } })).toThrow("'security.keys[0]'");
  });

  test('that are asked for are warned of once, whatever crashes', async () => {
    const one = spawn({ listen: { port: 0, host: '0.0.0.0' }, security: { insecure: true } });
    await ready(one);
    injectFault(actorAt(one, ['transport']) as Ref<never>, new Error('injected'));
    await until(() => cluster.log.lines.filter(({ message }) => message.includes('node listens as')).length === 2);
    expect(warnings().filter((message) => message.startsWith('insecure: '))).toHaveLength(1);
  });

  test('that are closed by keys, or lead to this machine alone, are not warned of', async () => {
    await ready(spawn({ security: { keys: [current], insecure: true } }));
    await ready(cluster.node('two', { transport: createWebSocketTransport, membership: swim() }));
    expect(warnings()).toEqual([]);
  });

  test('of other machines are not dialled: that is said, and the node lives on', async () => {
    const one = spawn({ membership: swim({ seeds: ['ws://192.0.2.1:7001'] }) });
    await ready(one);
    await until(() => cluster.log.codes.includes('PLAINTEXT_REFUSED') || warnings().length > 0);
    expect(warnings().join()).toContain('leads in the clear to another machine');
  });
});

describe('who asks from outside', () => {
  test('proves itself as nodes do', async () => {
    const one = cluster.node('one', {
      transport: createWebSocketTransport,
      membership: swim(),
      ...keyed(current, older),
    });
    const { url } = await ready(one);
    await expect(observeMembers(url as string, { security: { keys: [current] } })).resolves.toMatchObject({
      name: 'one',
    });
    await expect(observeMembers(url as string, { security: { keys: [older, current] } })).resolves.toMatchObject({
      name: 'one',
    });
    await expect(observeMembers(url as string, { security: { keys: [foreign] } })).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
    await expect(observeMembers(url as string)).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
    expect(nodeView(one).roster).toEqual([]);
  });
});

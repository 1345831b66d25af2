import { afterEach, describe, expect, jest, test } from '@jest/globals';
import {
  actorAt,
  createMemoryTransport,
  injectFault,
  type MemoryNetwork,
  memoryNetwork,
  staticMembership,
  statsOf,
} from '@grapevine/actors';
import { entropy, type GossipError } from '@grapevine/core';

// @ts-expect-error: nact publishes no types for its register of systems.
import register from 'nact/lib/system-map.js';

import type { Gossip, GossipChange } from './gossip.ts';
import { createGrapevine, type Grapevine } from './grapevine.ts';
import type { GrapevineOptions } from './options.ts';

const open: Grapevine[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function aNode(options: GrapevineOptions): Promise<Grapevine> {
  const node = await createGrapevine({ logger: false, ...options });
  open.push(node);
  return node;
}

const inMemory = (network: MemoryNetwork): Pick<GrapevineOptions, 'transport' | 'listen'> => ({
  listen: { port: 0 },
  transport: (options) => createMemoryTransport(network, options),
});

/** Two nodes that are connected, over memory. */
async function aPair(): Promise<[Grapevine, Grapevine]> {
  const network = memoryNetwork();
  const a = await aNode({ name: 'a', ...inMemory(network) });
  const b = await aNode({ name: 'b', ...inMemory(network), seeds: [String(a.url)] });
  return [a, b];
}

/** Reads until the entries are as they should be. */
async function until(gossip: Gossip, isTrue: () => boolean): Promise<void> {
  for await (const _change of gossip.changes()) if (isTrue()) return;
  throw new Error('the changes ended first');
}

const codeOf = async (attempt: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
  } catch (error) {
    return (error as GossipError).code;
  }
  return 'no error';
};

/** What a change says, in short. */
function told(change: GossipChange): string {
  if (change.type === 'snapshot') return `snapshot ${change.entries.map(({ id }) => id).join(' ')}`.trim();
  if (change.type === 'deadletter') return `deadletter ${change.letter.id}`;
  return change.type === 'update' ? `${change.id}=${JSON.stringify(change.value)}` : `${change.type} ${change.id}`;
}

async function read(changes: AsyncIterableIterator<GossipChange>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const { done, value } = await changes.next();
    if (done === true) break;
    texts.push(told(value));
  }
  return texts;
}

describe('a gossip', () => {
  test('holds what was added as soon as the promise settles, with versions that grow', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip('flags');
    const first = await flags.add('dark-mode', { on: true });
    expect(flags.get('dark-mode')).toEqual({ on: true });
    expect(flags.has('dark-mode')).toBe(true);
    expect(first.version).toMatchObject({ node: 'a', sequence: 1 });
    const [second, third] = await flags.addMany([
      ['dark-mode', false],
      ['beta', 1],
    ]);
    expect(second?.version.stamp).toBeGreaterThan(first.version.stamp);
    expect(third?.version.sequence).toBe(3);
    expect([...flags.entries()]).toEqual([
      ['dark-mode', false],
      ['beta', 1],
    ]);
    expect(flags.size).toBe(2);
    await flags.remove('dark-mode');
    expect(flags.get('dark-mode')).toBeUndefined();
    expect(flags.has('dark-mode')).toBe(false);
  });

  test('forgets what expires', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    await flags.add('soon', 1, { expiresIn: 30 });
    expect(flags.entry('soon')?.expiresAt).toBeGreaterThan(Date.now() - 1000);
    await until(flags, () => !flags.has('soon'));
    expect(flags.size).toBe(0);
  });

  test('rejects what cannot be written, names why, and writes nothing of a batch', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    expect(await codeOf(flags.add('', 1))).toBe('ID_INVALID');
    expect(await codeOf(flags.add('id', () => 1))).toBe('VALUE_NOT_SERIALISABLE');
    expect(await codeOf(flags.add('id', 'x'.repeat(2 ** 20 + 1)))).toBe('UPDATE_TOO_LARGE');
    expect(await codeOf(flags.add('id', 1, { expiresIn: -1 }))).toBe('OPTIONS_INVALID');
    expect(
      await codeOf(
        flags.addMany([
          ['good', 1],
          ['', 2],
        ]),
      ),
    ).toBe('ID_INVALID');
    expect(flags.size).toBe(0);
  });

  test('is one per name, and given options only when it is made', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip('flags', { protocol: entropy() });
    expect(node.gossip('flags')).toBe(flags);
    expect(node.gossip('others')).not.toBe(flags);
    expect(await codeOf(() => node.gossip('flags', { protocol: entropy() }))).toBe('GOSSIP_NAME_TAKEN');
    expect(Object.keys(node.status().gossips)).toEqual(['flags', 'others']);
    expect(node.status().gossips['flags']).toMatchObject({ ids: 0, peers: 0 });
  });

  test('has its handler judge what others wrote', async () => {
    const [a, b] = await aPair();
    const seen: string[] = [];
    const filtered = b.gossip('flags', {
      handler: {
        push: (received) => {
          seen.push(...received.keys());
          return { ok: [...received.keys()].filter((id) => id !== 'secret') };
        },
      },
    });
    const all = a.gossip('flags');
    await all.addMany([
      ['secret', 1],
      ['public', 2],
    ]);
    await until(filtered, () => filtered.has('public'));
    expect(filtered.has('secret')).toBe(false);
    expect(seen).toEqual(expect.arrayContaining(['secret', 'public']));
    expect(all.has('secret')).toBe(true);
  });
});

describe('changes', () => {
  test('begin with a snapshot and go on with every change, in order', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    await flags.add('x', 1);
    const changes = flags.changes();
    expect(await read(changes, 1)).toEqual(['snapshot x']);
    await flags.add('x', 2);
    await flags.add('y', [3]);
    await flags.remove('x');
    expect(await read(changes, 3)).toEqual(['x=2', 'y=[3]', 'removed x']);
    await flags.add('z', 1, { expiresIn: 20 });
    expect(await read(changes, 2)).toEqual(['z=1', 'expired z']);
  });

  test('have no gap and no duplicate when the instance crashes under writes', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip('flags');
    const changes = flags.changes();
    expect(await read(changes, 1)).toEqual(['snapshot']);
    const instance = actorAt(node.ref, ['gossip flags', 'instance']);
    const expected: string[] = [];
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      writes.push(flags.add(`id-${i}`, i));
      expected.push(`id-${i}=${i}`);
      if (i % 20 === 10 && instance !== undefined) injectFault(instance, new Error('injected'));
      if (i % 7 === 0) await flags.add('pause', i).then(() => expected.push(`pause=${i}`));
    }
    await Promise.all(writes);
    expect(instance).toBeDefined();
    const texts = await read(changes, expected.length);
    expect([...texts].sort()).toEqual([...expected].sort());
    expect(node.status().gossips['flags']?.restarts).toBeGreaterThan(0);
    await flags.add('last', true);
    expect(await read(changes, 1)).toEqual(['last=true']);
  });

  test('unsubscribe with break, with return and with the signal', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    const subscribers = (): number => flags.status().subscribers;
    const controller = new AbortController();
    const aborted = flags.changes({ signal: controller.signal });
    const returned = flags.changes();
    await read(aborted, 1);
    await read(returned, 1);
    for await (const _change of flags.changes()) {
      expect(subscribers()).toBe(3);
      break;
    }
    controller.abort();
    await returned.return?.();
    await flags.add('after', 1);
    expect(subscribers()).toBe(0);
    expect((await aborted.next()).done).toBe(true);
  });

  test('leave nothing behind when their readers go', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip();
    const watchers = (): unknown[] => [flags.ref, node.ref].map((ref) => statsOf(ref)?.watchers);
    const before = watchers();
    const readers = [flags.changes(), node.memberChanges()];
    for (const reader of readers) await reader.next();
    expect(watchers()).not.toEqual(before);
    for (const reader of readers) await reader.return?.();
    await flags.add('after', 1);
    expect(watchers()).toEqual(before);
  });

  test('cost nothing before they are read', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    const changes = flags.changes();
    await flags.add('x', 1);
    expect(flags.status().subscribers).toBe(0);
    expect(await read(changes, 1)).toEqual(['snapshot x']);
  });

  test('give a reader that fell behind a fresh snapshot, and go on from there', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    const changes = flags.changes({ limit: 10 });
    await read(changes, 1);
    for (let i = 0; i < 50; i++) await flags.add(`id-${i % 3}`, i);
    expect(flags.status().subscribers).toBe(0);
    expect(await read(changes, 1)).toEqual(['snapshot id-2 id-0 id-1']);
    await flags.add('id-0', 'new');
    expect(await read(changes, 1)).toEqual(['id-0="new"']);
  });

  test('serve two readers alike, and each in its own time', async () => {
    const flags = (await aNode({ name: 'a' })).gossip();
    const [quick, slow] = [flags.changes(), flags.changes()];
    await read(quick, 1);
    await read(slow, 1);
    await flags.addMany([
      ['x', 1],
      ['y', 2],
    ]);
    expect(await read(quick, 2)).toEqual(['x=1', 'y=2']);
    expect(await read(slow, 2)).toEqual(['x=1', 'y=2']);
  });

  test('end with the node, after what waited was read', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip();
    const changes = flags.changes();
    await read(changes, 1);
    await flags.add('x', 1);
    const reading = read(changes, 2);
    await node.leave();
    expect(await reading).toEqual(['x=1']);
    expect((await changes.next()).done).toBe(true);
  });
});

describe('a grapevine', () => {
  test('spreads over memory and over WebSockets alike', async () => {
    const a = await aNode({ name: 'a', listen: { port: 0 } });
    const b = await aNode({ name: 'b', listen: { port: 0 }, seeds: [String(a.url)] });
    expect(a.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/);
    for (const [one, other] of [[a, b], await aPair()] as const) {
      const [from, to] = [one.gossip('flags'), other.gossip('flags')];
      await from.add('there', { and: 'back' });
      await until(to, () => to.has('there'));
      await to.add('here', 1);
      await until(from, () => from.has('here'));
      expect(from.get('here')).toBe(1);
      expect(to.get('there')).toEqual({ and: 'back' });
      expect(one.members().map(({ name }) => name)).toEqual(['b']);
      expect(other.members().map(({ name }) => name)).toEqual(['a']);
    }
  });

  test('tells who is there, who comes and who goes', async () => {
    const network = memoryNetwork();
    const a = await aNode({ name: 'a', ...inMemory(network) });
    const changes = a.memberChanges();
    expect((await changes.next()).value).toEqual({ type: 'members', members: [] });
    const b = await aNode({ name: 'b', ...inMemory(network), seeds: [String(a.url)], meta: { zone: 'east' } });
    expect((await changes.next()).value).toMatchObject({
      type: 'nodeup',
      member: { name: 'b', url: b.url, meta: { zone: 'east' } },
    });
    await b.describe({ zone: 'west' });
    const changed = { type: 'nodechanged', member: { name: 'b', meta: { zone: 'west' } } };
    expect((await changes.next()).value).toMatchObject(changed);
    await b.leave();
    expect((await changes.next()).value).toMatchObject({ type: 'nodeleft', member: { name: 'b' } });
    expect(a.members()).toEqual([]);
    expect(a.status().roster).toMatchObject([{ name: 'b', state: 'left' }]);
  });

  test('refuses to say of itself what is too long, and goes on', async () => {
    const a = await aNode({ name: 'a', meta: { zone: 'west' } });
    await expect(a.describe({ text: 'x'.repeat(600) })).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringContaining('512 bytes'),
    });
    await a.describe({ zone: 'east' });
  });

  test('takes seeds, peers or a membership, and says what means nothing beside another', async () => {
    const membership = staticMembership();
    for (const [options, option] of [
      [{ seeds: [], membership }, 'seeds'],
      [{ peers: [], membership }, 'peers'],
      [{ meta: {}, membership }, 'meta'],
      [{ seeds: [], peers: [] }, 'seeds'],
      [{ meta: {}, peers: [] }, 'meta'],
    ] as const)
      await expect(createGrapevine({ name: 'a', ...options })).rejects.toMatchObject({
        code: 'OPTIONS_INVALID',
        context: { violations: [{ path: option }] },
      });
  });

  test('hands over what was written before it leaves', async () => {
    const [a, b] = await aPair();
    const [from, to] = [a.gossip(), b.gossip()];
    await from.add('hello', 1);
    await until(to, () => to.has('hello'));
    await from.addMany(Array.from({ length: 500 }, (_, i) => [`id-${i}`, i]));
    await a.leave();
    await until(to, () => to.size === 501);
    expect(to.get('id-499')).toBe(499);
  });

  test('rejects wrong options all at once', async () => {
    const attempt = createGrapevine({
      name: '',
      listen: { port: 70_000 },
      maxDriftMs: -1,
    });
    await expect(attempt).rejects.toThrow(/^3 options are wrong: .*'name'.*'listen'.*'maxDriftMs'/);
    expect(await codeOf(createGrapevine({ name: 'a', peers: ['nonsense'] }))).toBe('OPTIONS_INVALID');
  });

  test('members are the others, and this node first where that is asked for', async () => {
    const [a, b] = await aPair();
    for await (const _ of a.memberChanges()) if (a.members().length === 1) break;
    expect(a.members().map(({ name }) => name)).toEqual(['b']);
    expect(a.members({ self: true }).map(({ name, url }) => [name, url])).toEqual([
      ['a', a.url],
      ['b', b.url],
    ]);
  });

  test('rejects a port in use with cause and cure, and leaves nothing running', async () => {
    const a = await aNode({ name: 'a', listen: { port: 0 } });
    const port = Number(new URL(String(a.url)).port);
    const attempt = createGrapevine({ name: 'b', listen: { port }, logger: false });
    await expect(attempt).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)),
    });
  });

  test.each([
    [{ name: 'a\n' }],
    [{ cluster: '\u009b' }],
    [{ advertise: '10.0.0.5:7001' }],
    [{ advertise: 'http://10.0.0.5:7001' }],
    [{ advertise: 'ws://a#b' }],
  ])('refuses a name, a label or a URL that no peer would take: %j', async (options) => {
    expect(await codeOf(createGrapevine({ name: 'a', logger: false, ...options }))).toBe('OPTIONS_INVALID');
  });

  test('may have a clock that tells parts of milliseconds', async () => {
    const clock = (): number => Date.now() + 0.25;
    const a = await aNode({ name: 'a', listen: { port: 0 }, clock });
    const b = await aNode({ name: 'b', peers: [a.url as string], clock });
    await a.gossip('flags').add('id', 1, { expiresIn: 60_000 });
    const flags = b.gossip('flags');
    await until(flags, () => flags.has('id'));
    expect(flags.get('id')).toBe(1);
  });

  test('may take frames larger than what else waits for a peer', async () => {
    const a = await aNode({ name: 'a', listen: { port: 0 }, maxFrameBytes: 2 ** 25 });
    expect(a.url).toMatch(/^ws:/);
  });

  test('counts what all connections have carried, closed ones among them', async () => {
    const a = await aNode({ name: 'a', listen: { port: 0 } });
    const before = a.status().totals;
    expect(before).toEqual({
      connections: 0,
      framesIn: 0,
      framesOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      dropped: 0,
      throttled: 0,
    });
    const met = async (): Promise<void> => {
      const b = await aNode({ name: 'b', seeds: [String(a.url)] });
      const members = b.memberChanges();
      for await (const change of members) if (change.type === 'nodeup' || b.members().length > 0) break;
      await b.leave();
    };
    const gone = async (): Promise<void> => {
      for await (const change of a.memberChanges())
        if (change.type === 'members' && a.status().links.length === 0) break;
      while (a.status().links.length > 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await met();
    await gone();
    const once = a.status();
    expect(once.links).toEqual([]);
    expect(once.totals).toMatchObject({ connections: 1, dropped: 0, throttled: 0 });
    for (const name of ['framesIn', 'framesOut', 'bytesIn', 'bytesOut'] as const)
      expect(once.totals[name]).toBeGreaterThan(0);
    await met();
    await gone();
    const { totals } = a.status();
    expect(totals.connections).toBe(2);
    for (const name of ['framesIn', 'framesOut', 'bytesIn', 'bytesOut'] as const)
      expect(totals[name]).toBeGreaterThan(once.totals[name]);
  });

  test('leaves no actor system behind, however it ends', async () => {
    const add = jest.spyOn(register as { add(system: { readonly name: string }): void }, 'add');
    const a = await aNode({ name: 'a', listen: { port: 0 } });
    const reading = a.memberChanges();
    await reading.next();
    const b = await aNode({ name: 'b' });
    const taken = { port: Number(new URL(String(a.url)).port) };
    expect(await codeOf(createGrapevine({ name: 'c', listen: taken, logger: false }))).toBe('PORT_IN_USE');
    expect(await codeOf(createGrapevine({ name: '', logger: false }))).toBe('OPTIONS_INVALID');
    const systems = add.mock.calls.map(([{ name }]) => name);
    add.mockRestore();
    const running = (): string[] =>
      systems.filter((name) => (register as { find(name: string): unknown }).find(name) !== undefined);
    // What is wrong with options is found out before there is a system.
    expect(systems).toHaveLength(3);
    expect(running()).toEqual(systems.slice(0, 2));
    await a.leave();
    await b.close();
    expect(running()).toEqual([]);
    expect((await reading.next()).done).toBe(true);
  });

  test.each(['close', 'leave'] as const)('says CLOSED to whoever waits while it is ended (%s)', async (how) => {
    const { url } = await aNode({ name: 'nobody', listen: { port: 0, host: '127.0.0.1' } });
    await open.at(-1)?.close();
    const node = await aNode({ name: 'a', seeds: [String(url)] });
    const gossip = node.gossip('g');
    const waiting = {
      joined: node.joined({ timeoutMs: Infinity }),
      synced: gossip.synced({ timeoutMs: Infinity }),
    };
    const ended = how === 'close' ? node.close() : node.leave({ deadlineMs: 0 });
    expect(await Promise.all(Object.values(waiting).map(codeOf))).toEqual(['CLOSED', 'CLOSED']);
    await ended;
  });

  test('says CLOSED to whoever asked for something just before it was closed', async () => {
    const node = await aNode({ name: 'a', security: { keys: ['0123456789abcdef0123456789abcdef'] } });
    const gossip = node.gossip('g');
    const asked = [
      node.describe({ zone: 'b' }),
      node.rotateKeys(['fedcba9876543210fedcba9876543210']),
      gossip.add('a', 1),
    ];
    const closed = node.close();
    expect(new Set(await Promise.all(asked.map(codeOf)))).toEqual(new Set(['CLOSED']));
    await closed;
  });

  test('says CLOSED to whoever uses it after it was closed, whatever they use', async () => {
    const node = await aNode({ name: 'a' });
    const flags = node.gossip('flags');
    const unread = flags.changes();
    await node.close();
    await node.close();
    await node.leave();
    await node[Symbol.asyncDispose]();
    for (const use of [
      () => flags.add('x', 1),
      () => flags.addMany([]),
      () => flags.remove('x'),
      () => flags.get('x'),
      () => [...flags.entries()],
      () => flags.changes(),
      () => flags.status(),
      () => node.gossip('other'),
      () => node.members(),
      () => node.memberChanges(),
      () => node.status(),
    ])
      expect([use.toString(), await codeOf(use)]).toEqual([use.toString(), 'CLOSED']);
    expect((await unread.next()).done).toBe(true);
  });

  test('writes its log to the logger it is given', async () => {
    const lines: string[] = [];
    const write = (_fields: object, message: string): void => void lines.push(message);
    const logger = { debug: write, info: write, warn: write, error: write };
    const node = await aNode({ name: 'a', peers: ['ws://127.0.0.1:1'], logger });
    const flags = node.gossip('flags');
    const instance = actorAt(node.ref, ['gossip flags', 'instance']);
    await flags.add('x', 1);
    if (instance !== undefined) injectFault(instance, new Error('injected'));
    await flags.add('y', 1);
    expect(lines).not.toEqual([]);
  });
});

/** One gossip of a node: closed and opened again over real sockets, and read by a prefix. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { gossipView } from '@grapevine/actors';

import type { Gossip, GossipChange } from './gossip.ts';
import { createGrapevine, type Grapevine } from './grapevine.ts';

const open: Grapevine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function aPair(): Promise<[Grapevine, Grapevine]> {
  const a = await createGrapevine({ name: 'a', listen: { port: 0 }, logger: false });
  const b = await createGrapevine({ name: 'b', seeds: [a.url as string], logger: false });
  open.push(a, b);
  await b.joined();
  return [a, b];
}

async function held(gossip: Gossip, id: string, value: unknown): Promise<void> {
  for await (const _change of gossip.changes()) if (gossip.get(id) === value) return;
}

const idsOf = (gossip: Gossip, prefix?: string): string[] =>
  [...gossip.entries(prefix === undefined ? {} : { prefix })].map(([id]) => id).toSorted();

/** What a reader is told, in words, until the word. */
async function told(changes: AsyncIterable<GossipChange>, last: string): Promise<string[]> {
  const words: string[] = [];
  for await (const change of changes) {
    if (change.type === 'snapshot')
      words.push(
        `snapshot ${change.entries
          .map(({ id }) => id)
          .toSorted()
          .join()}`,
      );
    else if (change.type !== 'deadletter') words.push(`${change.type} ${change.id}`);
    if (words.at(-1) === last) break;
  }
  return words;
}

describe('a gossip that is closed', () => {
  test('has brought its writes to another node, fails every call, ends its readers, and leaves other gossips alone', async () => {
    const [a, b] = await aPair();
    const theirs = a.gossip('flags');
    const ours = b.gossip('flags');
    const other = b.gossip('other');
    await other.add('kept', 1);
    await ours.synced();
    const reading = told(ours.changes(), 'never');
    const ofOther = told(other.changes(), 'update later');
    await ours.add('dark-mode', true);
    expect(await ours.close()).toEqual({ undelivered: 0, gossips: {}, unknown: [] });
    expect(await ours.close()).toEqual({ undelivered: 0, gossips: {}, unknown: [] });
    expect(theirs.get('dark-mode')).toBe(true);
    expect((await reading).at(-1)).toBe('update dark-mode');
    const closed = { code: 'CLOSED', message: expect.stringContaining("'flags'") };
    await expect(ours.add('y', 1)).rejects.toMatchObject(closed);
    await expect(ours.synced()).rejects.toMatchObject(closed);
    for (const read of [
      () => ours.get('x'),
      () => ours.size,
      () => ours.entries(),
      () => ours.status(),
      () => ours.changes(),
    ])
      expect(read).toThrow(expect.objectContaining(closed));
    expect(Object.keys(b.status().gossips)).toEqual(['other']);
    await other.add('later', 2);
    expect(await ofOther).toEqual(['snapshot kept', 'update later']);
    expect(other.get('kept')).toBe(1);
  }, 20_000);

  test('can be opened again: the other node brings what was, both write on, and what was removed meanwhile stays so', async () => {
    const [a, b] = await aPair();
    const theirs = a.gossip('flags');
    let ours = b.gossip('flags');
    for (let round = 1; round <= 3; round += 1) {
      await ours.synced();
      await ours.add('ours', round);
      await ours.add(`gone ${round}`, round);
      await ours.close();
      expect([theirs.get('ours'), theirs.get(`gone ${round}`)]).toEqual([round, round]);
      await theirs.remove(`gone ${round}`);
      ours = b.gossip('flags');
      expect(ours.size).toBe(0);
      const seen = told(ours.changes(), `update again ${round}`);
      await ours.synced();
      expect([ours.get('ours'), ours.has(`gone ${round}`)]).toEqual([round, false]);
      await theirs.add(`again ${round}`, round);
      expect((await seen).filter((word) => word.startsWith('snapshot'))).toHaveLength(1);
      await ours.add('ours', -round);
      await held(theirs, 'ours', -round);
    }
    expect(ours.status().hash).toBe(theirs.status().hash);
  }, 30_000);

  test('is told with a clear error while it is still closing, and refuses wrong options with nothing done', async () => {
    const [, b] = await aPair();
    const ours = b.gossip('flags');
    await expect(ours.close({ deadlineMs: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    await ours.add('x', 1);
    const closing = ours.close({ deadlineMs: 0 });
    expect(() => b.gossip('flags')).toThrow(expect.objectContaining({ code: 'GOSSIP_NAME_TAKEN' }));
    await closing;
    expect(b.gossip('flags').size).toBe(0);
  });
});

describe('events', () => {
  test('are what changes() yields, in batches, with ids and values in one order', async () => {
    const [a, b] = await aPair();
    const [theirs, ours] = [a.gossip('g'), b.gossip('g')];
    await theirs.addMany(Array.from({ length: 40 }, (_, n) => [`user:${n}`, { n }] as const));
    for await (const _change of ours.changes()) if (ours.size === 40) break;
    const seen = new Map<string, unknown>();
    const counts: number[] = [];
    const words: string[] = [];
    let isTold = (): void => {};
    const snapshotTold = new Promise<void>((resolve) => {
      isTold = resolve;
    });
    const reading = (async () => {
      for await (const event of ours.events({ prefix: 'user:' })) {
        if (event.type === 'deadletters') continue;
        expect(event.values).toHaveLength(event.ids.length);
        for (const [i, id] of event.ids.entries()) seen.set(id, event.values[i]);
        counts.push(event.ids.length);
        words.push(...(event.type === 'snapshot' ? event.entries : event.changes).map(({ id }) => id));
        isTold();
        if (event.ids.includes('user:last')) break;
      }
    })();
    await snapshotTold;
    await ours.addMany(Array.from({ length: 30 }, (_, n) => [`user:new ${n}`, n] as const));
    await ours.add('room', 1);
    await ours.remove('user:0');
    await ours.add('user:last', 'x');
    await reading;
    expect(counts).toEqual([40, 30, 1, 1]);
    expect(words.slice(40)).toEqual([...Array.from({ length: 30 }, (_, n) => `user:new ${n}`), 'user:0', 'user:last']);
    expect(seen.size).toBe(71);
    expect([seen.get('user:0'), seen.get('user:7'), seen.get('user:new 29')]).toEqual([undefined, { n: 7 }, 29]);
  });

  test('refuse wrong options, and end with their signal and with their node', async () => {
    const [, b] = await aPair();
    const gossip = b.gossip('g');
    expect(() => gossip.events({ limit: 0 })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
    const controller = new AbortController();
    const aborted = gossip.events({ signal: controller.signal });
    expect((await aborted.next()).value).toMatchObject({ type: 'snapshot', ids: [] });
    const [ended, reader] = [aborted.next(), gossip.events()];
    await reader.next();
    const last = reader.next();
    controller.abort();
    expect((await ended).done).toBe(true);
    await b.close();
    expect((await last).done).toBe(true);
    expect(() => gossip.events()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});

describe('a prefix of ids', () => {
  test('leaves all others out of entries, keys, changes and their snapshots', async () => {
    const [a, b] = await aPair();
    const [theirs, ours] = [a.gossip('g'), b.gossip('g')];
    await theirs.addMany([
      ['user:1', 1],
      ['user', 0],
      ['room:1', 1],
    ]);
    await held(ours, 'room:1', 1);
    expect(idsOf(ours, 'user:')).toEqual(['user:1']);
    expect(idsOf(ours, '')).toEqual(idsOf(ours));
    expect([...gossipView(ours.ref).keys({ prefix: 'room' })]).toEqual(['room:1']);
    const users = told(ours.changes({ prefix: 'user:' }), 'update user:last');
    const all = told(ours.changes(), 'update user:last');
    // Both have subscribed once the second has been told of a write.
    await ours.add('room:2', 2);
    await theirs.add('room:3', 3);
    await theirs.add('user:2', 2);
    await theirs.remove('room:1');
    await theirs.remove('user:1');
    await theirs.add('user:last', 1);
    expect(await users).toEqual(['snapshot user:1', 'update user:2', 'removed user:1', 'update user:last']);
    expect(await all).toContain('update room:3');
  });

  test.each([5, null, ['user:']])('that is no text (%p) is refused', async (prefix) => {
    const [, b] = await aPair();
    const wrong = { prefix } as never;
    const error = expect.objectContaining({ code: 'OPTIONS_INVALID', message: expect.stringContaining('prefix') });
    expect(() => b.gossip('g').entries(wrong)).toThrow(error);
    expect(() => b.gossip('g').changes(wrong)).toThrow(error);
  });
});

describe('a life that is renewed', () => {
  test('goes on at every replica, and no reader hears of it, until it ends', async () => {
    const [a, b] = await aPair();
    const [theirs, ours] = [a.gossip('g'), b.gossip('g')];
    await ours.add('ann', { at: 'b' }, { expiresIn: 60_000 });
    for await (const _change of theirs.changes()) if (theirs.has('ann')) break;
    const before = theirs.entry('ann')?.expiresAt as number;
    const here = told(ours.changes(), 'expired ann');
    const there = told(theirs.changes(), 'expired ann');
    for (let i = 1; i <= 5; i += 1) {
      const { version } = await ours.refresh('ann', { expiresIn: 60_000 + i * 1000 });
      expect(version.node).toBe('b');
    }
    await ours.add('second', 1);
    await held(theirs, 'second', 1);
    expect(theirs.get('ann')).toEqual({ at: 'b' });
    expect(theirs.entry('ann')?.expiresAt).toBe(ours.entry('ann')?.expiresAt);
    expect(theirs.entry('ann')?.expiresAt as number).toBeGreaterThanOrEqual(before + 5000);
    await theirs.refresh('ann', { expiresIn: 100 });
    const silent = ['snapshot ann', 'update second', 'expired ann'];
    expect([await here, await there]).toEqual([silent, silent]);
    while (theirs.status().hash !== ours.status().hash) await new Promise((resolve) => void setTimeout(resolve, 2));
  }, 20_000);

  test('is news where the value changes, or did not expire before', async () => {
    const [, b] = await aPair();
    const ours = b.gossip('g');
    const words = told(ours.changes(), 'update end');
    await ours.add('x', 1);
    await ours.refresh('x', { expiresIn: 60_000 });
    await ours.refresh('x', { expiresIn: 60_000 });
    await ours.add('x', 2, { expiresIn: 60_000 });
    await ours.add('x', 2, { expiresIn: 60_000 });
    await ours.add('x', 2);
    await ours.add('end', 1);
    expect(await words).toEqual(['snapshot ', 'update x', 'update x', 'update x', 'update x', 'update end']);
  });

  test('must be there: an id that was never written, was removed or has expired is refused, and nothing is written', async () => {
    const [, b] = await aPair();
    const ours = b.gossip('g');
    await ours.add('removed', 1, { expiresIn: 60_000 });
    await ours.remove('removed');
    await ours.add('expired', 1, { expiresIn: 0 });
    const { written } = ours.status();
    for (const id of ['never', 'removed', 'expired'])
      await expect(ours.refresh(id, { expiresIn: 1000 })).rejects.toMatchObject({
        code: 'ID_UNKNOWN',
        stateChanged: false,
        message: expect.stringContaining(`'${id}'`),
      });
    expect(ours.status().written).toBe(written);
    expect(ours.has('never')).toBe(false);
    for (const wrong of [undefined, {}, { expiresIn: -1 }, { expiresIn: 1, more: 1 }])
      await expect(ours.refresh('never', wrong as never)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  });
});

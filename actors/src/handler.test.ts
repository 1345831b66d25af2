import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { hybrid, type Message, Origin, stampAt, Update } from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';
import { dispatch, spawn, start, stop } from 'nact';

import { actorAt, spawnGossip } from './grapevine.ts';
import type { Handler, PushMessage } from './push.ts';
import type { Stored } from './received.ts';
import { injectFault, statsOf, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import { add, addMany, type GossipMessage, type NodeMessage, remove, type WriteReply } from './messages.ts';
import type { GossipOptions } from './options.ts';
import { type Audience, Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

let system: Ref<never>;
let cluster: Cluster;
let judging: Ref<NodeMessage>;
/** The instance that writes, and the one whose handler judges. */
let writer: Ref<GossipMessage>;
let reader: Ref<GossipMessage>;
let audience: Audience;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

async function judgedBy(handler: Handler['push'] | Ref<PushMessage>, options: GossipOptions = {}): Promise<void> {
  judging = cluster.node('reader');
  const push = typeof handler === 'function' ? { push: handler } : handler;
  reader = spawnGossip(judging, { handler: push, ...options });
  writer = spawnGossip(cluster.node('writer'));
  audience = cluster.audience(reader);
  await until(() => gossipView(writer).peers.length === 1 && gossipView(reader).peers.length === 1);
}

/** Whether both hold the same, whatever readers see. */
const converged = (): Promise<void> =>
  until(() => gossipView(reader).hash === gossipView(writer).hash && gossipView(reader).status().backlog === 0);

describe('a handler', () => {
  test('that says ok keeps all, and is shown what was received and what is stored', async () => {
    const shown: unknown[] = [];
    await judgedBy((received, stored) => {
      shown.push([[...received], [...stored.entries()], stored.has('a'), stored.get('a')]);
      return 'ok';
    });
    dispatch(writer, add('a', { n: 1 }));
    await audience.has('a');
    dispatch(
      writer,
      addMany([
        ['b', [2]],
        ['c', 3],
      ]),
    );
    await audience.has('b', 'c');
    expect(shown).toEqual([
      [[['a', { n: 1 }]], [], false, undefined],
      [
        [
          ['b', [2]],
          ['c', 3],
        ],
        [['a', { n: 1 }]],
        true,
        { n: 1 },
      ],
    ]);
  });

  test.each([
    ['a map', (received: ReadonlyMap<string, unknown>) => new Map([...received].filter(([id]) => id !== 'bad'))],
    ['an array of ids', () => ['good']],
    ['an object', () => ({ good: 1 })],
  ])('that keeps some, as %s, hides the rest from readers here only', async (_, kept) => {
    await judgedBy((received) => ({ ok: kept(received) }));
    dispatch(
      writer,
      addMany([
        ['good', 1],
        ['bad', 2],
      ]),
    );
    await audience.has('good');
    await converged();
    expect([...audience.content]).toEqual([['good', 1]]);
    expect(gossipView(reader).has('bad')).toBe(false);
    expect(gossipView(writer).get('bad')).toBe(2);
  });

  test.each([
    ['a set of ids', new Set(['good'])],
    ['an iterator of ids', ['good'].values()],
    ['a promise', Promise.resolve(['good'])],
    ['a date', new Date()],
  ])('that keeps what is neither a map, an object nor an array, as %s, has failed', async (_, kept) => {
    await judgedBy(() => ({ ok: kept }) as never);
    dispatch(writer, add('good', 1));
    await until(() => audience.letters.length === 1);
    expect(audience.letters.map(({ error }) => error)).toMatchObject([
      { code: 'VERDICT_INVALID', message: expect.stringContaining('neither a map, an object nor an array of ids') },
    ]);
    expect(gossipView(reader).has('good')).toBe(false);
  });

  test('that changes a value changes what readers here see, and nothing elsewhere', async () => {
    await judgedBy((received) => ({ ok: new Map([...received].map(([id, value]) => [id, (value as number) * 10])) }));
    dispatch(writer, add('a', 1));
    await audience.has('a');
    await converged();
    expect(audience.content.get('a')).toBe(10);
    expect(gossipView(writer).get('a')).toBe(1);
  });

  test('that resets drops what was stored here and is not kept', async () => {
    await judgedBy((received) => (received.has('reset') ? { reset: ['reset', 'b'] } : 'ok'));
    dispatch(
      writer,
      addMany([
        ['a', 1],
        ['b', 2],
      ]),
    );
    await audience.has('a', 'b');
    dispatch(writer, add('reset', 3));
    await audience.has('reset');
    await until(() => !audience.content.has('a'));
    expect([...gossipView(reader).keys()].sort()).toEqual(['b', 'reset']);
    expect(gossipView(writer).has('a')).toBe(true);
  });

  test('that ignores leaves readers with what they saw before', async () => {
    await judgedBy(async (received) => (received.get('a') === 2 ? 'ignore' : 'ok'));
    dispatch(writer, add('a', 1));
    await audience.has('a');
    dispatch(writer, add('a', 2));
    await until(() => gossipView(writer).get('a') === 2);
    await converged();
    expect(gossipView(reader).get('a')).toBe(1);
    dispatch(writer, add('a', 3));
    await until(() => audience.content.get('a') === 3);
    expect(audience.changes.map(({ value }) => value)).toEqual([1, 3]);
  });

  test('is not asked about removals', async () => {
    let asked = 0;
    await judgedBy(() => {
      asked += 1;
      return 'ok';
    });
    dispatch(writer, add('a', 1));
    await audience.has('a');
    dispatch(writer, remove('a'));
    await until(() => !audience.content.has('a'));
    expect(asked).toBe(1);
  });

  test('that throws once is given the same again in parts, and nobody notices', async () => {
    const offers: string[] = [];
    await judgedBy((received) => {
      offers.push([...received.keys()].join());
      if (offers.length === 1) throw new Error('once');
      return 'ok';
    });
    dispatch(
      writer,
      addMany([
        ['a', 1],
        ['b', 2],
      ]),
    );
    await audience.has('a', 'b');
    expect(offers).toEqual(['a,b', 'a', 'b']);
    expect(audience.letters).toEqual([]);
    expect(statsOf(reader)?.restarts).toBe(0);
  });

  test('that fails on one update makes that a dead letter, and all others arrive', async () => {
    let tries = 0;
    await judgedBy((received) => {
      if (received.has('poison')) {
        if (received.size === 1) tries += 1;
        throw new Error('it was poisoned');
      }
      return 'ok';
    });
    const entries = Array.from({ length: 40 }, (_, i) => [i === 17 ? 'poison' : `id ${i}`, i] as const);
    dispatch(writer, addMany(entries));
    await until(() => audience.letters.length > 0);
    await audience.has('id 0', 'id 39');
    expect(audience.letters.map(({ id, value, origin, error }) => [id, value, origin.name, String(error)])).toEqual([
      ['poison', 17, 'writer', 'Error: it was poisoned'],
    ]);
    expect(tries).toBe(3);
    expect(audience.content.size).toBe(39);
    expect(gossipView(reader).status().deadLetters).toBe(1);
    await converged();
    expect(statsOf(reader)?.restarts).toBe(0);
    expect(statsOf(actorAt(judging, ['gossip grapevine', 'handler', 'judge']) as Ref<never>)?.restarts).toBe(0);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    ['never answers', () => new Promise<never>(() => {})],
    ['answers no verdict', () => ({ fine: [] }) as never],
    ['keeps what was not received', () => ({ ok: ['another'] })],
  ])('that %s ends in dead letters, and the instance goes on', async (_, push) => {
    await judgedBy(push, { handlerTimeout: 5, handlerRetries: 2 });
    dispatch(writer, add('a', 1));
    await until(() => audience.letters.length === 1);
    dispatch(writer, add('b', 2));
    await until(() => audience.letters.length === 2);
    dispatch(reader, add('own', 3));
    await audience.has('own');
    await until(() => gossipView(writer).has('own'));
    await converged();
    expect([...audience.content.keys()]).toEqual(['own']);
  });

  test('that is an actor answers push messages', async () => {
    const actor = spawn(system as never, (_state: unknown, message: PushMessage) => {
      dispatch(message.replyTo, { ok: [...message.received.keys()].filter((id) => id !== 'bad') });
      return 0;
    });
    await judgedBy(actor);
    dispatch(
      writer,
      addMany([
        ['bad', 1],
        ['good', 2],
      ]),
    );
    await audience.has('good');
    expect([...audience.content.keys()]).toEqual(['good']);
  });

  test('that is an actor and throws, with an onCrash that goes on, has failed on those alone, with its own error', async () => {
    let tries = 0;
    const judge = (_state: unknown, { received, replyTo }: PushMessage): null => {
      tries += 1;
      if (received.has('bad')) throw new RangeError('it was bad');
      dispatch(replyTo, 'ok');
      return null;
    };
    await judgedBy(spawn(system as never, judge, 'judge', { onCrash: (_message, _error, context) => context.resume }));
    dispatch(
      writer,
      addMany([
        ['good', 1],
        ['bad', 2],
        ['fine', 3],
      ]),
    );
    await audience.has('good', 'fine');
    expect(audience.letters.map(({ id, error }) => `${id}: ${String(error)}`)).toEqual(['bad: RangeError: it was bad']);
    expect(tries).toBeLessThan(10);
    expect(gossipView(reader).status().handler).toBe('ready');
  });

  test('that is an actor may answer with an error in place of a verdict', async () => {
    const judge = (_state: unknown, { received, replyTo }: PushMessage): null => {
      dispatch(replyTo, received.has('bad') ? new RangeError('it was bad') : 'ok');
      return null;
    };
    await judgedBy(spawn(system as never, judge));
    dispatch(
      writer,
      addMany([
        ['bad', 1],
        ['good', 2],
      ]),
    );
    await audience.has('good');
    expect(audience.letters.map(({ id, error }) => `${id}: ${String(error)}`)).toEqual(['bad: RangeError: it was bad']);
  });

  test('that is an actor and ends says so once, with its own error, and judges on once it is there again', async () => {
    const judge =
      (fails: boolean) =>
      (_state: unknown, { replyTo }: PushMessage): null => {
        if (fails) throw new RangeError('no reason');
        dispatch(replyTo, 'ok');
        return null;
      };
    const says = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    const actor = spawn(system as never, judge(true), 'judge');
    await judgedBy(actor);
    dispatch(writer, add('a', 1));
    await until(() => gossipView(reader).status().handler === 'gone');
    says.mockRestore();
    dispatch(writer, add('b', 2));
    await until(() => gossipView(reader).status().backlog === 2);
    dispatch(reader, add('own', 3));
    await audience.has('own');
    const ends = (): readonly object[] =>
      cluster.log.lines.filter(({ level, fields }) => {
        const { err } = fields as { err?: { code?: unknown } };
        return level === 'error' && err?.code === 'HANDLER_GONE';
      });
    expect(ends()).toMatchObject([{ fields: { err: { cause: { message: 'no reason' } } } }]);
    expect(audience.letters).toEqual([]);

    spawn(system as never, judge(false), 'judge');
    await audience.has('a', 'b');
    await converged();
    expect(gossipView(reader).status()).toMatchObject({ handler: 'ready', hidden: 0, deadLetters: 0 });
    expect(ends()).toHaveLength(1);
  });

  test('that is gone makes no connection wait: what comes beyond what may wait is dropped, and comes again', async () => {
    const silent = spawn(system as never, () => null, 'judge');
    await judgedBy(silent, { protocol: hybrid({ delta: 20 }) });
    stop(silent);
    await until(() => gossipView(reader).status().handler === 'gone');
    const text = 'x'.repeat(1000);
    for (let i = 0; i < 20; i++) dispatch(writer, addMany(Array.from({ length: 1000 }, (_, n) => [`${i} ${n}`, text])));
    await until(() => gossipView(reader).status().dropped > 0);
    expect(gossipView(reader).status().backlog).toBeLessThan(20_000);
    expect(nodeView(judging).links.map(({ held }) => held)).toEqual([false]);
    spawn(
      system as never,
      (_state: unknown, { replyTo }: PushMessage) => {
        dispatch(replyTo, 'ok');
        return null;
      },
      'judge',
    );
    await until(() => gossipView(reader).size === 20_000);
  }, 30_000);

  test('that throws on a hundred of a thousand values costs those alone, at once, in a few lines of the log', async () => {
    await judgedBy((received) => {
      for (const [id, value] of received) if (typeof value !== 'number') throw new TypeError(`${id} is no number`);
      return 'ok';
    });
    const startMs = performance.now();
    for (let i = 0; i < 1000; i++) dispatch(writer, add(`id ${i}`, i % 10 === 7 ? 'text' : i));
    await until(() => audience.content.size === 900 && audience.letters.length === 100);
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(audience.letters.map(({ id, error }) => [id, String(error)])).toEqual(
      Array.from({ length: 100 }, (_, i) => [`id ${10 * i + 7}`, `TypeError: id ${10 * i + 7} is no number`]),
    );
    expect(gossipView(reader).size).toBe(900);
    expect(gossipView(reader).status()).toMatchObject({ ids: 1000, hidden: 100, deadLetters: 100, restarts: 0 });
    await until(() => cluster.log.lines.some(({ level }) => level === 'error'));
    expect(cluster.log.lines.length).toBeLessThanOrEqual(12);
  });

  test('has what a part of a batch came to shown while the rest is still judged', async () => {
    let answerLast = (_verdict: 'ok'): void => {};
    await judgedBy((received) => {
      if (received.has('bad')) throw new RangeError('it was bad');
      return received.has('last') ? new Promise((resolve) => (answerLast = resolve)) : 'ok';
    });
    dispatch(
      writer,
      addMany([
        ['first', 1],
        ['bad', 2],
        ['last', 3],
      ]),
    );
    await until(() => audience.letters.length === 1);
    expect([...audience.content.keys()]).toEqual(['first']);
    expect([...gossipView(reader).keys()]).toEqual(['first']);
    answerLast('ok');
    await audience.has('first', 'last');
  });

  test('that is too slow for a batch is given less of it, and loses nothing', async () => {
    await judgedBy(
      async (received) => {
        await new Promise((resolve) => setTimeout(resolve, received.size));
        return 'ok';
      },
      { handlerTimeout: 40 },
    );
    dispatch(writer, addMany(Array.from({ length: 200 }, (_, i) => [`id ${i}`, i])));
    await until(() => audience.content.size === 200);
    expect(gossipView(reader).status()).toMatchObject({ deadLetters: 0, hidden: 0 });
  });

  test('that hides has what it hides counted and listed, with why', async () => {
    await judgedBy((received) => {
      if (received.has('bad')) throw new RangeError('it was bad');
      return received.has('reset') ? { reset: ['reset'] } : { ok: [...received.keys()].filter((id) => id !== 'dull') };
    });
    dispatch(
      writer,
      addMany([
        ['good', 1],
        ['dull', 2],
        ['bad', 3],
      ]),
    );
    await until(() => gossipView(reader).status().hidden === 2);
    const told = (): unknown[] =>
      gossipView(reader)
        .hidden()
        .map(({ id, value, shown, why, error, origin }) => [id, value, shown, why, String(error), origin.name]);
    expect(told()).toEqual([
      ['dull', 2, undefined, 'ignored', 'undefined', 'writer'],
      ['bad', 3, undefined, 'deadletter', 'RangeError: it was bad', 'writer'],
    ]);
    expect(gossipView(reader).hidden({ limit: 1 })).toHaveLength(1);
    // Equal hashes: both hold the same. What their readers see is another matter.
    await converged();
    expect([gossipView(reader).size, gossipView(writer).size]).toEqual([1, 3]);
    expect(gossipView(reader).status().ids).toBe(3);
    dispatch(writer, add('reset', 4));
    await until(() => gossipView(reader).has('reset'));
    expect(told()[2]).toEqual(['good', 1, undefined, 'reset', 'undefined', 'writer']);
    dispatch(writer, remove('bad'));
    await until(() => gossipView(reader).status().hidden === 2);
  });

  test('whose actor crashes with an offer open is given it again', async () => {
    const answers: ((verdict: 'ok') => void)[] = [];
    await judgedBy(() => new Promise((resolve) => answers.push(resolve)));
    dispatch(writer, add('a', 1));
    await until(() => answers.length === 1);
    injectFault(actorAt(judging, ['gossip grapevine', 'handler', 'judge']) as Ref<never>, new Error('injected'));
    await until(() => answers.length === 2);
    answers[0]?.('ok');
    answers[1]?.('ok');
    await audience.has('a');
    expect(audience.changes).toHaveLength(1);
  });

  test('whose verdict meets a new incarnation of the instance does not judge what that one has offered', async () => {
    const origin = new Origin('writer', 1);
    const later = new Update('later', encodeValue(2), stampAt(Date.now()), origin, 1, undefined);
    await judgedBy((received) => {
      if (!received.has('a')) return 'ok';
      // The crash comes first, then what arrived, then this verdict, on an offer of the same number.
      injectFault(reader, new Error('injected'));
      const message: Message = { type: 'updates', cause: 'mail', updates: [later] };
      const session = nodeView(judging).links[0]?.session;
      tell(reader, {
        type: 'inbound',
        from: 'writer',
        session,
        batch: [{ from: 'writer', message }],
        bytes: 9,
        works: [2],
      } as never);
      return 'ignore';
    });
    dispatch(writer, add('a', 1));
    await audience.has('later');
    expect(audience.content.get('later')).toBe(2);
  });

  test('whose instance crashes with an offer open is asked anew, and its late answer is void', async () => {
    const answers: ((verdict: 'ok' | 'ignore') => void)[] = [];
    await judgedBy(() => new Promise((resolve) => answers.push(resolve)));
    dispatch(writer, add('a', 1));
    await until(() => answers.length === 1);
    injectFault(reader, new Error('injected'));
    await until(() => statsOf(reader)?.restarts === 1);
    await until(() => answers.length === 2);
    answers[0]?.('ignore');
    answers[1]?.('ok');
    await audience.has('a');
    await converged();
    expect(audience.changes).toHaveLength(1);
  });
});

describe('own writes', () => {
  const numbers: Handler['push'] = (received, _stored, { own }) => {
    for (const [id, value] of received)
      if (typeof value !== 'number') throw new TypeError(`${id} is no number${own ? ', by ourselves' : ''}`);
    return 'ok';
  };
  const write = (makeMessage: (replyTo: Ref<WriteReply>) => GossipMessage): Promise<WriteReply> =>
    ask(reader, makeMessage, { timeoutMs: 5000 });

  test('pass no handler, unless told so', async () => {
    await judgedBy(numbers);
    expect(await write((replyTo) => add('a', 'text', { replyTo }))).toMatchObject({ ok: true });
    expect(gossipView(reader).get('a')).toBe('text');
  });

  test('are judged with judgeWrites, and what is refused is an error to the writer and nothing else', async () => {
    await judgedBy(numbers, { judgeWrites: true });
    const refused = await write((replyTo) => add('a', 'text', { replyTo }));
    expect(refused).toMatchObject({
      ok: false,
      error: { code: 'WRITE_REFUSED', cause: { message: 'a is no number, by ourselves' } },
    });
    expect(String((refused as { error: unknown }).error)).toContain("write of 'a': a is no number, by ourselves");
    const many = await write((replyTo) =>
      addMany(
        [
          ['b', 1],
          ['c', 'text'],
        ],
        { replyTo },
      ),
    );
    expect(many).toMatchObject({ ok: false, error: { code: 'WRITE_REFUSED' } });
    expect(await write((replyTo) => add('d', 4, { replyTo }))).toMatchObject({ ok: true, versions: [{ sequence: 1 }] });
    await until(() => gossipView(writer).has('d'));
    expect([...gossipView(writer).keys()]).toEqual(['d']);
    expect(gossipView(reader).status()).toMatchObject({ deadLetters: 0, hidden: 0, written: 1 });
    dispatch(reader, add('e', 'text'));
    await until(() => cluster.log.codes.includes('WRITE_REFUSED'));
  });

  test.each([
    ['ignores', () => 'ignore' as const],
    ['keeps another', () => ({ ok: [] })],
    ['resets', () => ({ reset: ['a'] })],
    ['is late', () => new Promise<never>(() => {})],
    ['answers nothing that is a verdict', () => 7 as never],
  ])('that a handler %s are refused', async (_, push) => {
    await judgedBy(push, { judgeWrites: true, handlerTimeout: 20 });
    expect(await write((replyTo) => add('a', 1, { replyTo }))).toMatchObject({
      ok: false,
      error: { code: 'WRITE_REFUSED' },
    });
    expect(gossipView(reader).status().ids).toBe(0);
  });

  test('are stored as the handler changed them, on every node', async () => {
    await judgedBy((received, _, { own }) => (own ? { ok: { a: [received.get('a'), 'checked'] } } : 'ok'), {
      judgeWrites: true,
    });
    await write((replyTo) => add('a', 1, { replyTo }));
    await until(() => gossipView(writer).has('a'));
    expect(gossipView(writer).get('a')).toEqual([1, 'checked']);
  });

  test('keep their order, removals among them, however long the handler takes', async () => {
    await judgedBy(
      async (received) => {
        await new Promise((resolve) => setTimeout(resolve, received.get('a') === 1 ? 20 : 0));
        return 'ok';
      },
      { judgeWrites: true },
    );
    const replies = await Promise.all([
      write((replyTo) => add('a', 1, { replyTo })),
      write((replyTo) => remove('a', { replyTo })),
      write((replyTo) => add('a', 2, { replyTo })),
    ]);
    expect(replies.map((reply) => reply.ok && reply.versions[0]?.sequence)).toEqual([1, 2, 3]);
    await until(() => audience.changes.length === 3);
    await until(() => audience.changes.length === 3);
    expect(audience.changes.map(({ type, value }) => [type, value])).toEqual([
      ['update', 1],
      ['removed', undefined],
      ['update', 2],
    ]);
  });

  test('are judged though the handler or the instance crashes meanwhile, or are told that they were not', async () => {
    const answers: ((verdict: 'ok') => void)[] = [];
    await judgedBy(() => new Promise((resolve) => answers.push(resolve)), { judgeWrites: true });
    const first = write((replyTo) => add('a', 1, { replyTo }));
    await until(() => answers.length === 1);
    injectFault(reader, new Error('injected'));
    await until(() => statsOf(reader)?.restarts === 1);
    answers[0]?.('ok');
    expect(await first).toMatchObject({ ok: true });
    const second = write((replyTo) => add('b', 1, { replyTo }));
    await until(() => answers.length === 2);
    injectFault(actorAt(judging, ['gossip grapevine', 'handler', 'judge']) as Ref<never>, new Error('injected'));
    expect(await second).toMatchObject({ ok: false, error: { code: 'WRITE_REFUSED' } });
  });

  test('leave nothing behind where the handler crashes over one', async () => {
    let seen: Stored | undefined;
    await judgedBy(
      (received, stored) => {
        if (!received.has('a')) return 'ok';
        seen = stored;
        return new Promise<never>(() => {});
      },
      { judgeWrites: true },
    );
    const first = write((replyTo) => add('a', 1, { replyTo }));
    await until(() => seen !== undefined);
    injectFault(actorAt(judging, ['gossip grapevine', 'handler', 'judge']) as Ref<never>, new Error('injected'));
    expect(await first).toMatchObject({ ok: false });
    expect(await write((replyTo) => add('b', 2, { replyTo }))).toMatchObject({ ok: true });
    // A snapshot that is still open would have none of what came later, and would keep what that replaced.
    expect(seen?.get('b')).toBe(2);
  });

  test('that never cease hold up nothing that others wrote', async () => {
    let judged = 0;
    await judgedBy(
      async (_received, _stored, { own }) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (own) judged += 1;
        return 'ok';
      },
      { judgeWrites: true },
    );
    const writers = new AbortController();
    const writing = Array.from({ length: 5 }, async (_, number) => {
      while (!writers.signal.aborted) await write((replyTo) => add(`own ${number}`, number, { replyTo }));
    });
    await until(() => judged > 0);
    dispatch(writer, add('theirs', 1));
    await until(() => gossipView(writer).has('theirs'));
    const before = judged;
    await until(() => gossipView(reader).has('theirs') || judged > before + 100);
    writers.abort();
    await Promise.all(writing);
    expect(judged - before).toBeLessThan(100);
  });

  test('are refused at once while the actor that is the handler is gone, and removals are not', async () => {
    const silent = spawn(system as never, () => null, 'judge');
    await judgedBy(silent, { judgeWrites: true });
    stop(silent);
    const [added, removed] = await Promise.all([
      write((replyTo) => add('a', 1, { replyTo })),
      write((replyTo) => remove('b', { replyTo })),
    ]);
    expect(added).toMatchObject({ ok: false, error: { code: 'WRITE_REFUSED', cause: { code: 'HANDLER_GONE' } } });
    expect(removed).toMatchObject({ ok: true });
  });
});

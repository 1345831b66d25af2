import { type Discovery, GossipError } from '@grapevine/core';
import { beforeEach, describe, expect, test } from '@jest/globals';

import { turns } from '../kernel/testing/event-loop.ts';
import { ManualClock } from '../kernel/testing/manual-clock.ts';
import { Log } from '../testing/cluster.ts';
import { Seeker, type SeekerParts } from './seeker.ts';
import { asDiscovery, type ReportingDiscovery } from './source.ts';

/** A source whose questions the test answers itself, one by one. */
class Oracle implements Discovery {
  readonly name: string;
  readonly questions: { readonly answer: (urls: unknown) => void; readonly fail: (error: unknown) => void }[] = [];
  changed: (() => void) | null = null;
  watches = 0;

  constructor(name: string) {
    this.name = name;
  }

  find(): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.questions.push({ answer: resolve as (urls: unknown) => void, fail: reject });
    });
  }

  watch(changed: () => void): () => void {
    this.watches += 1;
    this.changed = changed;
    return () => (this.changed = null);
  }

  /** Answers the newest question. */
  async answer(urls: unknown): Promise<void> {
    this.questions.at(-1)?.answer(urls);
    await turns();
  }

  async fail(error: unknown): Promise<void> {
    this.questions.at(-1)?.fail(error);
    await turns();
  }
}

let clock: ManualClock;
let log: Log;
let found: [number, readonly string[]][];
let oracle: Oracle;

beforeEach(() => {
  clock = new ManualClock();
  log = new Log();
  found = [];
  oracle = new Oracle('oracle');
});

function seeking(sources: readonly Discovery[], parts: Partial<SeekerParts> = {}): Seeker {
  const note = (index: number, urls: readonly string[]): void => void found.push([index, urls]);
  return new Seeker({ sources, found: note, logger: log, clock, ...parts });
}

const levels = (): string[] => log.lines.map(({ level }) => level);
const messages = (): string[] => log.lines.map(({ message }) => message);

describe('the seeker', () => {
  test('asks nothing before it is told to', () => {
    seeking([oracle]);
    expect(oracle.questions).toHaveLength(0);
    expect(oracle.watches).toBe(0);
  });

  test('asks all sources side by side, and hands on what each finds by its index', async () => {
    const other = new Oracle('other');
    seeking([oracle, other]).seek();
    await turns();
    await other.answer(['ws://b:1']);
    await oracle.answer(['ws://a:1', 'wss://a:2']);
    expect(found).toEqual([
      [1, ['ws://b:1']],
      [0, ['ws://a:1', 'wss://a:2']],
    ]);
    expect(clock.waits).toEqual([]);
  });

  test('asks once more, and only once, when told to while a question is under way', async () => {
    const seeker = seeking([oracle]);
    seeker.seek();
    seeker.seek();
    seeker.seek();
    await turns();
    expect(oracle.questions).toHaveLength(1);
    await oracle.answer(['ws://a:1']);
    expect(oracle.questions).toHaveLength(2);
    await oracle.answer(['ws://b:1']);
    expect(oracle.questions).toHaveLength(2);
    expect(found.map(([, urls]) => urls)).toEqual([['ws://a:1'], ['ws://b:1']]);
  });

  test('asks again when a source says that it has changed', async () => {
    seeking([oracle]).seek();
    await turns();
    await oracle.answer([]);
    oracle.changed?.();
    await turns();
    await oracle.answer(['ws://a:1']);
    expect(found.at(-1)).toEqual([0, ['ws://a:1']]);
    expect(oracle.watches).toBe(1);
  });

  test('watches a source also when its first question failed', async () => {
    seeking([oracle]).seek();
    await turns();
    await oracle.fail(new Error('not yet'));
    expect(oracle.watches).toBe(1);
  });

  test('goes on without a watch that cannot be set', async () => {
    oracle.watch = () => {
      throw new Error('no watches left');
    };
    const seeker = seeking([oracle]);
    seeker.seek();
    await turns();
    await oracle.answer(['ws://a:1']);
    seeker.seek();
    await turns();
    await oracle.answer(['ws://b:1']);
    expect(found).toHaveLength(2);
    expect(messages()).toEqual(["'oracle' cannot be watched; it is asked now and then"]);
    seeker.stop();
  });

  test('gives a question up in time, and can ask anew', async () => {
    const seeker = seeking([oracle]);
    seeker.seek();
    await turns();
    expect(clock.waits).toEqual([5000]);
    clock.advance(5000);
    expect(messages()).toEqual(["'oracle' did not answer within 5000 ms; it is asked again."]);
    expect(log.codes).toEqual(['DISCOVERY_FAILED']);
    seeker.seek();
    await turns();
    await oracle.answer(['ws://a:1']);
    expect(found).toEqual([[0, ['ws://a:1']]]);
    expect(clock.waits).toEqual([]);
  });

  test('takes a late answer, unless a newer one came before it', async () => {
    const seeker = seeking([oracle]);
    seeker.seek();
    await turns();
    clock.advance(5000);
    seeker.seek();
    await turns();
    const [late, newer] = oracle.questions;
    late?.answer(['ws://late:1']);
    await turns();
    expect(found).toEqual([[0, ['ws://late:1']]]);
    // It ended nothing: the newer question is still bounded.
    expect(clock.waits).toEqual([5000]);
    clock.advance(5000);
    seeker.seek();
    await turns();
    await oracle.answer(['ws://newest:1']);
    newer?.answer(['ws://newer:1']);
    await turns();
    expect(found.map(([, urls]) => urls)).toEqual([['ws://late:1'], ['ws://newest:1']]);
  });

  test('says of one question once that it failed', async () => {
    seeking([oracle]).seek();
    await turns();
    clock.advance(5000);
    await oracle.fail(new Error('in the end'));
    expect(levels()).toEqual(['warn']);
  });

  test('warns of the first failure, then says so at level debug, and says when it is over', async () => {
    const seeker = seeking([oracle]);
    for (const end of ['down', 'down', null, 'down'] as const) {
      seeker.seek();
      await turns();
      if (end === null) await oracle.answer([]);
      else await oracle.fail(new Error(end));
    }
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', "'oracle' failed: down; it is asked again."],
      ['debug', "'oracle' failed: down; it is asked again."],
      ['info', "'oracle' answers again"],
      ['warn', "'oracle' failed: down; it is asked again."],
    ]);
    expect(found).toEqual([[0, []]]);
  });

  test('keeps the words of a source that fails with an error of ours', async () => {
    seeking([oracle]).seek();
    await turns();
    await oracle.fail(new GossipError('DISCOVERY_FAILED', 'No name server.'));
    expect(messages()).toEqual(['No name server.']);
  });

  test.each([['ws://a:1'], [undefined], [{ urls: [] }], [null]])('takes %p for a failure', async (answer) => {
    seeking([oracle]).seek();
    await turns();
    await oracle.answer(answer);
    expect(found).toEqual([]);
    expect(messages()[0]).toMatch(/^'oracle' must find an array of URLs, and found .*; it is asked again\.$/);
  });

  test('leaves out what is no URL of a node, and says so once for as long as it is found', async () => {
    const seeker = seeking([oracle]);
    for (const urls of [['ws://a:1', 'http://b:1', 7, 'ws://a:1'], ['http://b:1'], [], ['http://b:1']]) {
      seeker.seek();
      await turns();
      await oracle.answer(urls);
    }
    expect(found.map(([, urls]) => urls)).toEqual([['ws://a:1'], [], [], []]);
    const said = "'oracle' found what is left out: 'http://b:1' must begin with ws:// or wss://.";
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', said],
      ['warn', "'oracle' found what is left out: 7 must be a text."],
      ['debug', said],
      ['warn', said],
    ]);
  });

  test('says what a source has to say beside what it found', async () => {
    const reporting: ReportingDiscovery = {
      name: 'file peers',
      find: () => Promise.resolve(['ws://a:1']),
      problems: () => [new GossipError('DISCOVERY_FAILED', "'peers', line 2: wrong.")],
    };
    seeking([reporting]).seek();
    await turns();
    expect(found).toEqual([[0, ['ws://a:1']]]);
    expect(log.lines).toMatchObject([{ level: 'warn', message: "'peers', line 2: wrong." }]);
  });

  test('takes the URLs of another transport where it is told which', async () => {
    seeking([oracle], { urlProblem: () => undefined }).seek();
    await turns();
    await oracle.answer(['memory://a']);
    expect(found).toEqual([[0, ['memory://a']]]);
  });

  test.each(['throws', 'rejects'])('is unharmed by a function that %s', async (how) => {
    const source = asDiscovery(function registry() {
      if (how === 'throws') throw new Error('no such registry');
      return Promise.reject(new Error('no such registry'));
    });
    seeking([source]).seek();
    await turns();
    expect(messages()).toEqual(["'function registry' failed: no such registry; it is asked again."]);
  });

  test('is unharmed by a source that throws where it should reject', async () => {
    oracle.find = () => {
      throw new Error('at once');
    };
    seeking([oracle]).seek();
    await turns();
    expect(messages()).toEqual(["'oracle' failed: at once; it is asked again."]);
  });

  test('after its end calls nobody back, asks nothing, and leaves no timer and no watch', async () => {
    const seeker = seeking([oracle]);
    seeker.seek();
    await turns();
    await oracle.answer([]);
    const changed = oracle.changed;
    seeker.seek();
    seeker.seek();
    await turns();
    seeker.stop();
    expect(clock.waits).toEqual([]);
    expect(oracle.changed).toBeNull();
    await oracle.answer(['ws://a:1']);
    changed?.();
    seeker.seek();
    await turns();
    expect(oracle.questions).toHaveLength(2);
    expect(found).toEqual([[0, []]]);
    expect(log.lines).toEqual([]);
  });

  test('may be stopped and told to seek from its own callback', async () => {
    const seekers: Seeker[] = [];
    const one = seeking([oracle], { found: () => seekers[0]?.seek() });
    seekers.push(one);
    one.seek();
    await turns();
    await oracle.answer([]);
    expect(oracle.questions).toHaveLength(2);
    const other = new Oracle('other');
    const two = seeking([other], { found: () => seekers[1]?.stop() });
    seekers.push(two);
    two.seek();
    await turns();
    await other.answer([]);
    expect(other.watches).toBe(0);
    one.stop();
    expect(clock.waits).toEqual([]);
  });
});

describe('a function as a source', () => {
  test('is asked anew every time, and may answer at once or later', async () => {
    let count = 0;
    const source = asDiscovery(() => [`ws://a:${(count += 1)}`]);
    expect([await source.find(), await source.find()]).toEqual([['ws://a:1'], ['ws://a:2']]);
    expect(await asDiscovery(() => Promise.resolve(['ws://b:1'])).find()).toEqual(['ws://b:1']);
  });

  test('is called by its name, if it has one', () => {
    expect(
      asDiscovery(function registry() {
        return [];
      }).name,
    ).toBe('function registry');
    expect(asDiscovery(() => []).name).toBe('function');
  });

  test('leaves a source as it is', () => {
    expect(asDiscovery(oracle)).toBe(oracle);
  });
});

import { describe, expect, test } from '@jest/globals';

import { Feed, type Source } from './feed.ts';

/** A source that writes down what is asked of it. */
function aSource(): Source & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    open: () => void asked.push('open'),
    close: () => void asked.push('close'),
    ended: () => void asked.push('ended'),
  };
}

function aFeed(limit = 3, signal?: AbortSignal): { feed: Feed<string>; asked: string[] } {
  const source = aSource();
  return { feed: new Feed<string>(source, { limit, signal }), asked: source.asked };
}

const value = async (feed: Feed<string>): Promise<string | undefined> => (await feed.next()).value;

describe('a feed', () => {
  test('opens its source with the first read, and only once', async () => {
    const { feed, asked } = aFeed();
    expect(asked).toEqual([]);
    const first = feed.next();
    const second = feed.next();
    expect(asked).toEqual(['open']);
    feed.begin(() => 'all');
    feed.append(1, () => ['a']);
    expect([(await first).value, (await second).value]).toEqual(['all', 'a']);
  });

  test('takes nothing before the beginning', async () => {
    const { feed } = aFeed();
    const first = feed.next();
    feed.append(1, () => ['left over']);
    feed.begin(() => 'all');
    feed.append(1, () => ['a']);
    expect((await first).value).toBe('all');
    expect(await value(feed)).toBe('a');
  });

  test('begins anew where its source does by itself, in place of what waits', async () => {
    const { feed, asked } = aFeed();
    const first = feed.next();
    feed.begin(() => 'all');
    feed.append(1, () => ['a']);
    feed.begin(() => 'all anew');
    feed.append(1, () => ['b']);
    expect([(await first).value, await value(feed), await value(feed)]).toEqual(['all', 'all anew', 'b']);
    expect(asked).toEqual(['open']);
  });

  test('begins anew when more than the limit waits, once it is read again', async () => {
    const { feed, asked } = aFeed(3);
    const first = feed.next();
    feed.begin(() => 'all');
    await first;
    feed.append(4, () => ['a', 'b', 'c', 'd']);
    feed.append(1, () => ['e']);
    expect(asked).toEqual(['open', 'close']);
    feed.append(1, () => ['f']);
    const next = feed.next();
    expect(asked).toEqual(['open', 'close', 'open']);
    feed.append(1, () => ['of the old subscription']);
    feed.begin(() => 'all anew');
    feed.append(1, () => ['g']);
    expect((await next).value).toBe('all anew');
    expect(await value(feed)).toBe('g');
  });

  test('keeps one batch of any size for a reader that is not behind', async () => {
    const { feed, asked } = aFeed(3);
    const first = feed.next();
    feed.begin(() => 'all');
    await first;
    feed.append(6, () => ['a', 'b', 'c', 'd', 'e', 'f']);
    for (const expected of ['a', 'b', 'c', 'd', 'e', 'f']) expect(await value(feed)).toBe(expected);
    expect(asked).toEqual(['open']);
  });

  test('hands out what waits when its source has finished, and then is over', async () => {
    const { feed, asked } = aFeed();
    const first = feed.next();
    feed.begin(() => 'all');
    feed.append(1, () => ['a']);
    feed.finish();
    expect((await first).value).toBe('all');
    expect(await feed.next()).toEqual({ done: false, value: 'a' });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
    expect(asked).toEqual(['open', 'ended']);
  });

  test('makes nothing of a batch before the first of it is read, and never what is thrown away', async () => {
    const { feed } = aFeed(3);
    const made: string[] = [];
    const append = (...items: string[]): void =>
      feed.append(items.length, () => {
        made.push(...items);
        return items;
      });
    const first = feed.next();
    feed.begin(() => 'all');
    await first;
    append('a', 'b');
    append('c');
    expect(made).toEqual([]);
    expect([await value(feed), made.join('')]).toEqual(['a', 'ab']);
    append('d', 'e');
    append('f');
    const next = feed.next();
    feed.begin(() => 'all anew');
    append('g');
    expect([(await next).value, await value(feed)]).toEqual(['all anew', 'g']);
    expect(made).toEqual(['a', 'b', 'g']);
  });

  test('counts a batch as what it was said to count, until it is read', async () => {
    const { feed, asked } = aFeed(3);
    const first = feed.next();
    feed.begin(() => 'all');
    await first;
    feed.append(4, () => ['four']);
    expect(await value(feed)).toBe('four');
    feed.append(4, () => ['four more']);
    feed.append(1, () => ['one']);
    expect(asked).toEqual(['open', 'close']);
  });

  test('ends a read that waits when its source finishes', async () => {
    const { feed } = aFeed();
    const first = feed.next();
    feed.finish();
    expect(await first).toEqual({ done: true, value: undefined });
  });

  test('tells a failure once', async () => {
    const { feed } = aFeed();
    const first = feed.next();
    feed.finish({ error: new Error('given up') });
    await expect(first).rejects.toThrow('given up');
    expect((await feed.next()).done).toBe(true);
  });

  test('drops what waits when the reader leaves, and ends its source once', async () => {
    const { feed, asked } = aFeed();
    const first = feed.next();
    feed.begin(() => 'all');
    feed.append(1, () => ['a']);
    await first;
    await feed.return();
    feed.append(1, () => ['b']);
    feed.finish();
    expect(await feed.next()).toEqual({ done: true, value: undefined });
    expect(asked).toEqual(['open', 'ended']);
  });

  test('ends quietly with its signal, also one that was aborted before', async () => {
    const controller = new AbortController();
    const { feed, asked } = aFeed(3, controller.signal);
    const first = feed.next();
    controller.abort();
    expect((await first).done).toBe(true);
    expect(asked).toEqual(['open', 'ended']);

    const late = aFeed(3, controller.signal);
    expect((await late.feed.next()).done).toBe(true);
    expect(late.asked).toEqual(['ended']);
  });
});

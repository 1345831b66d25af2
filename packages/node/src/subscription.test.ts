import { afterEach, describe, expect, test } from '@jest/globals';
import { type Ref, spawnChild, stopTree, type Subscribe, type Unsubscribe } from '@grapevine/actors';
import { start } from 'nact';

import type { Feed } from './feed.ts';
import { subscribedFeed } from './subscription.ts';

interface News {
  readonly type: string;
}

const targets: Ref<never>[] = [];
let subscribers = 0;

afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => stopTree(target)));
});

/** A feed of what an actor of ours tells, and what became of it. */
function aFeedOf(
  system: Ref<never>,
  target: Ref<Subscribe<News> | Unsubscribe<News>>,
): { feed: Feed<News>; ended: Feed<News>[] } {
  const ended: Feed<News>[] = [];
  targets.push(target);
  const feed = subscribedFeed<News, News>({
    system,
    target,
    name: `subscriber ${++subscribers}`,
    limit: 10,
    deliver: (event, to) => (event.type === 'all' ? to.begin(() => event) : to.append(1, () => [event])),
    ended: (which) => void ended.push(which),
  });
  return { feed, ended };
}

describe('a subscription', () => {
  test('fails its feed when the actor is given up', async () => {
    const system: Ref<never> = start();
    const target = spawnChild<Subscribe<News> | Unsubscribe<News>>(system, {
      name: 'unlucky',
      start: () => {
        throw new Error('cannot start');
      },
    });
    const { feed, ended } = aFeedOf(system, target);
    await expect(feed.next()).rejects.toMatchObject({ code: 'ACTOR_GONE', context: { reason: 'escalated' } });
    expect((await feed.next()).done).toBe(true);
    expect(ended).toEqual([feed]);
  });

  test('ends its feed when the actor has stopped orderly, before or meanwhile', async () => {
    const system: Ref<never> = start();
    const target = spawnChild<Subscribe<News> | Unsubscribe<News>>(system, {
      name: 'orderly',
      start: () => ({ receive: () => undefined }),
    });
    const { feed } = aFeedOf(system, target);
    const reading = feed.next();
    await stopTree(target);
    expect((await reading).done).toBe(true);
    expect((await aFeedOf(system, target).feed.next()).done).toBe(true);
  });
});

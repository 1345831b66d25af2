/**
 * A subscription: an actor of ours that a node or a gossip instance tells its events, and the feed that hands them on.
 *
 * Invariants
 *  1. The actor lives from the first read to the end of the feed, so that one who never reads costs nothing.
 *  2. When the subscribed actor ends by itself the feed ends; when it was given up, the feed fails and says so.
 */
import {
  GossipError,
  type Ref,
  spawnChild,
  stopTree,
  subscribe,
  type Subscribe,
  tell,
  type Terminated,
  unsubscribe,
  type Unsubscribe,
  watch,
} from '@grapevine/actors';

import { Feed, type FeedOptions, type Source } from './feed.ts';

// As it was when this module was loaded: fake timers of a test replace it.
const { queueMicrotask } = globalThis;

export interface SubscriptionOptions<E, T> extends FeedOptions {
  /** The nact parent of the subscribing actor. */
  readonly system: Ref<never>;
  /** Whom to subscribe to. */
  readonly target: Ref<Subscribe<E> | Unsubscribe<E>>;
  /** Unique under the parent. */
  readonly name: string;
  /** Of a gossip instance: only ids that begin so. */
  readonly prefix?: string;
  /** Hands an event to the feed. */
  readonly deliver: (event: E, feed: Feed<T>) => void;
  /** The feed is over. */
  readonly ended: (feed: Feed<T>) => void;
}

/** A feed that subscribes when it is first read. */
export function subscribedFeed<E extends { readonly type: string }, T>(options: SubscriptionOptions<E, T>): Feed<T> {
  const subscription = new Subscription(options);
  return subscription.feed;
}

class Subscription<E extends { readonly type: string }, T> implements Source {
  readonly feed: Feed<T>;
  readonly #options: SubscriptionOptions<E, T>;
  #subscriber: Ref<E> | null = null;

  constructor(options: SubscriptionOptions<E, T>) {
    this.#options = options;
    this.feed = new Feed<T>(this, options);
  }

  open(): void {
    this.#subscriber ??= this.#spawn();
    const { target, prefix } = this.#options;
    tell(target, subscribe(this.#subscriber, prefix === undefined ? {} : { prefix }));
  }

  close(): void {
    if (this.#subscriber !== null) tell(this.#options.target, unsubscribe(this.#subscriber));
  }

  ended(): void {
    this.close();
    if (this.#subscriber !== null) void stopTree(this.#subscriber);
    // A feed whose signal was aborted before it began ends inside its own constructor.
    queueMicrotask(() => this.#options.ended(this.feed));
  }

  #spawn(): Ref<E> {
    const { system, target, name, deliver } = this.#options;
    const subscriber = spawnChild<E | Terminated>(system, {
      name,
      start: () => ({
        receive: (event) => {
          if (isTerminated(event)) this.#targetEnded(event);
          else deliver(event, this.feed);
        },
      }),
    });
    watch(target, subscriber);
    return subscriber;
  }

  #targetEnded({ reason }: Terminated): void {
    const orderly = reason === 'stopped' || reason === 'exited' || reason === 'gone';
    if (orderly) return this.feed.finish();
    this.feed.finish({
      error: new GossipError(
        'ACTOR_GONE',
        `What was subscribed to has ended (${reason}) and comes no more. The log names the cause; create it anew.`,
        { context: { reason } },
      ),
    });
  }
}

function isTerminated(event: { readonly type: string }): event is Terminated {
  return event.type === 'terminated';
}

/**
 * A feed: what one `for await` reads, and what waits for it.
 *
 * Whoever reads slowly must not make the node grow. So a feed that has fallen too far behind throws away what waits and
 * closes its source; the next read opens it again, and a source always begins with the whole.
 *
 * Invariants
 *  1. A source is open from the first read until the feed ends, except while nobody reads a feed that fell behind.
 *  2. What is read is one beginning and then every item after it, in order; after falling behind, here or at the source, a
 *     new beginning.
 *  3. What waits when the source ends can still be read. What waits when the reader ends is dropped.
 *  4. No more waits than the limit and one batch.
 *  5. Of a batch nothing is made before the first of it is read: what is thrown away was never made.
 */

/** Where the items come from. `open` begins, also again after `close`; both do no more than ask for it. */
export interface Source {
  open(): void;
  close(): void;
  /** Once, when nothing will be read any more. */
  ended(): void;
}

export interface FeedOptions {
  /** When more items than this wait and another batch comes, the feed begins anew. */
  readonly limit: number;
  /** Ends the feed, as `return` does. */
  readonly signal?: AbortSignal | undefined;
}

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** Items that came together, and that nobody has read of. */
interface Unread<T> {
  /** As how many they count towards the limit. */
  readonly count: number;
  readonly make: () => readonly T[];
}

type State =
  /** Nobody has read yet, or the reader fell behind. */
  | 'closed'
  /** Asked for, and the beginning has not come. */
  | 'opening'
  | 'open'
  | 'ended';

export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #source: Source;
  readonly #limit: number;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#leave();
  readonly #readers: Reader<T>[] = [];
  #state: State = 'closed';
  #unread: Unread<T>[] = [];
  /** The first of `#unread` of which nothing was read, and what it and those after it count. */
  #head = 0;
  #count = 0;
  /** The batch that is being read, and the next of it. */
  #items: readonly T[] = [];
  #next = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(source: Source, { limit, signal }: FeedOptions) {
    this.#source = source;
    this.#limit = limit;
    this.#signal = signal;
    if (signal?.aborted === true) this.#leave();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** The whole, from which what comes after it goes on, in place of what waits: a source may begin anew by itself. */
  begin(make: () => T): void {
    if (this.#state !== 'opening' && this.#state !== 'open') return;
    this.#forget();
    this.#state = 'open';
    this.#offer({ count: 1, make: () => [make()] });
  }

  /**
   * What comes after the beginning. Anything left over from before it is not taken.
   * @param count as how many the items count towards the limit
   * @param make them: called once, when the first of them is read
   */
  append(count: number, make: () => readonly T[]): void {
    if (this.#state !== 'open') return;
    if (this.#count + this.#items.length - this.#next <= this.#limit) return this.#offer({ count, make });
    this.#state = 'closed';
    this.#forget();
    this.#source.close();
  }

  /** The source has no more. */
  finish(failure?: { readonly error: unknown }): void {
    if (this.#state === 'ended') return;
    this.#failure = failure ?? null;
    this.#end();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#hasNext()) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#state === 'ended') return this.#over();
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      if (this.#state !== 'closed') return;
      this.#state = 'opening';
      this.#source.open();
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The reader wants no more. */
  #leave(): void {
    this.#forget();
    this.#failure = null;
    if (this.#state !== 'ended') this.#end();
  }

  #end(): void {
    this.#state = 'ended';
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#source.ended();
    for (const { resolve, reject } of this.#readers.splice(0)) void this.#over().then(resolve, reject);
  }

  /** A failure is told once; after it the feed is simply over. */
  #over(): Promise<IteratorResult<T, undefined>> {
    const failure = this.#failure;
    this.#failure = null;
    if (failure === null) return Promise.resolve({ done: true, value: undefined });
    return Promise.reject(failure.error);
  }

  #offer(batch: Unread<T>): void {
    this.#unread.push(batch);
    this.#count += batch.count;
    while (this.#readers.length > 0 && this.#hasNext())
      this.#readers.shift()?.resolve({ done: false, value: this.#take() });
  }

  /** Whether something waits. Begins with the next batch where the one before has been read. */
  #hasNext(): boolean {
    while (this.#next === this.#items.length) {
      const batch = this.#unread[this.#head];
      if (batch === undefined) return false;
      this.#head++;
      if (this.#head === this.#unread.length) this.#leaveUnread();
      this.#count -= batch.count;
      this.#items = batch.make();
      this.#next = 0;
    }
    return true;
  }

  #take(): T {
    const item = this.#items[this.#next++] as T;
    // What has been read is not held until more comes.
    if (this.#next === this.#items.length) this.#leaveItems();
    return item;
  }

  #forget(): void {
    this.#leaveUnread();
    this.#count = 0;
    this.#leaveItems();
  }

  #leaveUnread(): void {
    this.#unread = [];
    this.#head = 0;
  }

  #leaveItems(): void {
    this.#items = [];
    this.#next = 0;
  }
}

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
  #waiting: T[] = [];
  /** The first of `#waiting` that was not read. */
  #head = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(source: Source, { limit, signal }: FeedOptions) {
    this.#source = source;
    this.#limit = limit;
    this.#signal = signal;
    if (signal?.aborted === true) this.#leave();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** The whole, from which what comes after it goes on, in place of what waits: a source may begin anew by itself. */
  begin(item: T): void {
    if (this.#state !== 'opening' && this.#state !== 'open') return;
    this.#forget();
    this.#state = 'open';
    this.#offer([item]);
  }

  /** What comes after the beginning. Anything left over from before it is not taken. */
  append(items: readonly T[]): void {
    if (this.#state !== 'open') return;
    if (this.#waiting.length - this.#head <= this.#limit) return this.#offer(items);
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
    if (this.#head < this.#waiting.length) return Promise.resolve({ done: false, value: this.#take() });
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

  #offer(items: readonly T[]): void {
    for (const item of items) {
      const reader = this.#readers.shift();
      if (reader === undefined) this.#waiting.push(item);
      else reader.resolve({ done: false, value: item });
    }
  }

  #take(): T {
    const item = this.#waiting[this.#head++] as T;
    if (this.#head === this.#waiting.length) this.#forget();
    return item;
  }

  #forget(): void {
    this.#waiting = [];
    this.#head = 0;
  }
}

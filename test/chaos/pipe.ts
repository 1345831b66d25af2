/**
 * One direction of a connection that leads through the proxy.
 *
 * Invariants
 *  1. Bytes arrive in their order, or never.
 *  2. A pipe that has swallowed once swallows for ever: what is missing in the middle of a stream would be another fault.
 *     Neither end hears of the other's end then, as if a cable were cut.
 *  3. What is held comes later, as what TCP repeats after a network was away.
 */
import type { Socket } from 'node:net';

import { afterHead } from './first-frame.ts';

export class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  /** Runs in their order, each when its time has come and nothing holds it. */
  readonly #waiting: { readonly dueMs: number; readonly run: () => void; readonly bytes: Buffer | null }[] = [];
  #head: Buffer | null = Buffer.alloc(0);
  #swallows = false;
  #holds = true;
  #delayMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param waits told whenever something came that is held */
  constructor(from: Socket, to: Socket, waits: () => void = () => undefined) {
    this.#from = from;
    this.#to = to;
    from.on('data', (bytes: Buffer) => {
      this.#take(bytes);
      if (this.#holds) waits();
    });
    from.on('end', () => {
      if (!this.#swallows) this.#push(() => to.end(), null);
    });
    from.on('error', () => {
      if (!this.#swallows) this.#push(() => to.resetAndDestroy(), null);
    });
    from.on('close', () => {
      if (!this.#swallows) this.#push(() => to.destroySoon(), null);
    });
  }

  get swallows(): boolean {
    return this.#swallows;
  }

  /** What came after the head and is held. */
  get held(): Buffer {
    return Buffer.concat(this.#waiting.flatMap(({ bytes }) => bytes ?? []));
  }

  /** Holds all behind the head, or lets it go, as late as is said. */
  set({ holds, delayMs }: { readonly holds: boolean; readonly delayMs: number }): void {
    this.#holds = holds;
    this.#delayMs = delayMs;
    this.#flush();
  }

  swallow(): void {
    this.#swallows = true;
    this.#waiting.length = 0;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #take(bytes: Buffer): void {
    if (this.#swallows) return;
    if (this.#head === null) return this.#write(bytes);
    this.#head = Buffer.concat([this.#head, bytes]);
    const start = afterHead(this.#head);
    if (start === null) return;
    const [head, rest] = [this.#head.subarray(0, start), this.#head.subarray(start)];
    this.#head = null;
    this.#to.write(head);
    if (rest.length > 0) this.#write(rest);
  }

  #write(bytes: Buffer): void {
    this.#push(() => {
      if (this.#to.write(bytes) || this.#from.isPaused()) return;
      this.#from.pause();
      this.#to.once('drain', () => this.#from.resume());
    }, bytes);
  }

  #push(run: () => void, bytes: Buffer | null): void {
    this.#waiting.push({ dueMs: performance.now() + this.#delayMs, run, bytes });
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    if (this.#holds) return;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const inMs = next.dueMs - performance.now();
      if (inMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), Math.ceil(inMs));
        return;
      }
      this.#waiting.shift();
      next.run();
    }
  }
}

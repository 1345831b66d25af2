/**
 * Standard output of an agent: lines, in few writes, no faster than they are read.
 *
 * Invariants
 *  1. Lines leave in the order they were written, whole, at the latest at the end of the event-loop turn.
 *  2. Who writes waits for `room` in between, so that a slow reader holds up the writer and not the memory.
 *  3. A reader that went away is told once, by `broken`; what is written from then on goes nowhere.
 */
import type { Writable } from 'node:stream';

const FLUSH_CHARS = 64 * 1024;

export class Output {
  /** Rejects nothing; resolves when nobody reads any more. */
  readonly broken: Promise<void>;
  readonly #stream: Writable;
  #text = '';
  #scheduled = false;
  #isBroken = false;
  #room: Promise<void> | null = null;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.broken = new Promise((resolve) => {
      stream.on('error', () => {
        this.#isBroken = true;
        resolve();
      });
    });
  }

  write(line: string): void {
    this.#text += `${line}\n`;
    if (this.#text.length >= FLUSH_CHARS) return this.#flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Nothing when there is room now; otherwise resolves when there is. */
  room(): Promise<void> | null {
    return this.#room;
  }

  /** Resolves when all that was written has been handed over, or never will be. */
  async drained(): Promise<void> {
    this.#flush();
    if (this.#isBroken) return;
    await new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
  }

  #flush(): void {
    const text = this.#text;
    this.#text = '';
    if (text === '' || this.#isBroken) return;
    if (this.#stream.write(text) || this.#room !== null) return;
    this.#room = new Promise((resolve) => {
      const proceed = (): void => {
        this.#room = null;
        resolve();
      };
      this.#stream.once('drain', proceed);
      void this.broken.then(proceed);
    });
  }
}

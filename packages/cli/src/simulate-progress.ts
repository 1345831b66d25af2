/**
 * How far long work has come, on standard error, where that is a terminal.
 *
 * Invariants
 *  1. Nothing is written where nobody watches, and nothing of it remains in the end.
 *  2. Work that is done within half a second shows no bar.
 */
import type { WriteStream } from 'node:tty';

const WIDTH = 30;
const PATIENCE_MS = 500;
const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001B[K';

export class ProgressBar {
  readonly #stream: WriteStream;
  readonly #total: number;
  readonly #unit: string;
  readonly #beganMs = performance.now();
  #drawnMs = 0;

  constructor(stream: WriteStream, total: number, unit: string) {
    this.#stream = stream;
    this.#total = total;
    this.#unit = unit;
  }

  show(done: number): void {
    const nowMs = performance.now();
    if (!this.#stream.isTTY || nowMs - this.#beganMs < PATIENCE_MS || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    const filled = Math.round((WIDTH * done) / this.#total);
    const leftS = Math.ceil(((nowMs - this.#beganMs) * (this.#total - done)) / done / 1000);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
    this.#stream.write(`${CLEAR_LINE}${bar} ${done} of ${this.#total} ${this.#unit}, ${leftS} s left`);
  }

  close(): void {
    if (this.#drawnMs > 0) this.#stream.write(CLEAR_LINE);
  }
}

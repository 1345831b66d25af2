/**
 * Where the demo shows itself: a picture redrawn in place on a terminal, a line a second elsewhere.
 *
 * Invariant: however the demo ends, the cursor is there again.
 */
import type { WriteStream } from 'node:tty';

const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_REST_OF_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

export class Screen {
  readonly #stream: WriteStream;
  readonly #showCursor = (): void => void this.#stream.write(SHOW_CURSOR);
  #height = 0;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    stream.write(HIDE_CURSOR);
    process.once('exit', this.#showCursor);
  }

  /** Replaces what was drawn before. What a low terminal has no room for is left out at the end. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(1, this.#stream.rows - 1));
    const up = this.#height === 0 ? '' : `\u001B[${this.#height}A`;
    this.#stream.write(`${up}\r${shown.map((line) => `${line}${CLEAR_REST_OF_LINE}\n`).join('')}${CLEAR_BELOW}`);
    this.#height = shown.length;
  }

  close(): void {
    process.off('exit', this.#showCursor);
    this.#showCursor();
  }
}

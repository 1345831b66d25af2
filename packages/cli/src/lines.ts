/**
 * Lines out of chunks of text.
 *
 * Invariants
 *  1. Every line has its number, counted from 1, empty ones included.
 *  2. A line that never ends costs no more memory than its limit; it is given up, and told as too long.
 */

/** Far above what one update may hold. */
export const MAX_LINE_CHARS: number = 16 * 1024 * 1024;

export interface Line {
  readonly number: number;
  /** `null`: longer than the limit. */
  readonly text: string | null;
}

export class LineSplitter {
  readonly #maxChars: number;
  #rest = '';
  #number = 0;
  #skipping = false;

  constructor(maxChars: number = MAX_LINE_CHARS) {
    this.#maxChars = maxChars;
  }

  /** The lines that this chunk completes, without the empty ones. */
  push(chunk: string): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      this.#complete(this.#rest + chunk.slice(start, end), lines);
      this.#rest = '';
      start = end + 1;
    }
    if (!this.#skipping) this.#rest += chunk.slice(start);
    if (this.#rest.length > this.#maxChars) {
      this.#rest = '';
      this.#skipping = true;
    }
    return lines;
  }

  /** The last line, if it has no end. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#rest !== '' || this.#skipping) this.#complete(this.#rest, lines);
    this.#rest = '';
    return lines;
  }

  #complete(text: string, lines: Line[]): void {
    const number = ++this.#number;
    if (this.#skipping) lines.push({ number, text: null });
    else if (text.trim() !== '') lines.push({ number, text });
    this.#skipping = false;
  }
}

/**
 * The trace of a run: a rolling hash over everything that happens, and the same as lines for who wants to read it.
 *
 * Invariants
 *  1. Equal runs have equal hashes, on every machine and Node version: 32-bit integer arithmetic only.
 *  2. Every happening enters with its time and its node, every frame with each of its bytes.
 */

const { imul } = Math;

export class Trace {
  #low = 0x811c9dc5 | 0;
  #high = 0x01234567;
  readonly #write: ((line: string) => void) | null;
  /** Happenings so far. */
  count = 0;

  /** @param write gets every line; `null`: only the hash is kept */
  constructor(write: ((line: string) => void) | null = null) {
    this.#write = write;
  }

  /** Whether lines are wanted: making them costs. */
  get isPrinted(): boolean {
    return this.#write !== null;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hexadecimal(this.#low) + hexadecimal(this.#high);
  }

  /** Notes a happening. `kind` is a number of the caller's that stands for its name. */
  note(atMs: number, kind: number, node: number, detail: number): void {
    this.count++;
    this.#mix(atMs | 0);
    this.#mix(imul(kind, 0x01000193) ^ node);
    this.#mix(detail | 0);
  }

  bytes(bytes: Uint8Array): void {
    let low = this.#low;
    for (let i = 0; i < bytes.length; i++) low = imul(low ^ (bytes[i] as number), 0x01000193);
    this.#low = low;
    this.#mix(bytes.length);
  }

  line(atMs: number, text: string): void {
    this.#write?.(`${(atMs / 1000).toFixed(3).padStart(9)}  ${text}`);
  }

  #mix(value: number): void {
    this.#low = imul(this.#low ^ value, 0x01000193);
    const high = imul(this.#high ^ this.#low, 0x85ebca6b);
    this.#high = high ^ (high >>> 15);
  }
}

function hexadecimal(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

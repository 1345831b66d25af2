/**
 * The fields of a frame, each read with its check.
 *
 * Invariants
 *  1. Fields behind those that are asked for are ignored: a newer peer may say more.
 */

import { hasControl } from '@grapevine/core';
import { malformed } from './malformed.ts';

export class FrameFields {
  readonly #fields: readonly unknown[];
  readonly #frame: string;
  /** The kind stands at 0. */
  #at = 1;

  constructor(fields: readonly unknown[], frame: string) {
    this.#fields = fields;
    this.#frame = frame;
  }

  get left(): number {
    return this.#fields.length - this.#at;
  }

  integer(name: string, low: number = 0, high: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#next();
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low && value <= high) return value;
    throw this.#wrong(name, `a whole number from ${low} to ${high}`);
  }

  int32(name: string): number {
    return this.integer(name, -0x80000000, 0x7fffffff);
  }

  flag(name: string): boolean {
    const value = this.#next();
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name, 'true or false');
  }

  /** @param most bytes in UTF-8 */
  text(name: string, least: number, most: number): string {
    const value = this.#next();
    if (typeof value === 'string' && value.length >= least && Buffer.byteLength(value) <= most) return value;
    throw this.#wrong(name, `a text of ${least} to ${most} bytes`);
  }

  /** A text without control characters. @param most bytes in UTF-8 */
  label(name: string, least: number, most: number): string {
    const value = this.text(name, least, most);
    if (!hasControl(value)) return value;
    throw this.#wrong(name, 'a text without control characters');
  }

  binary(name: string): Buffer {
    const value = this.#next();
    if (Buffer.isBuffer(value)) return value;
    throw this.#wrong(name, 'binary');
  }

  binaryOrNil(name: string): Buffer | null {
    if (this.#fields[this.#at] === null) {
      this.#at++;
      return null;
    }
    return this.binary(name);
  }

  /** A word of a list, written as its index. */
  word<Word extends string>(name: string, words: readonly Word[]): Word {
    return words[this.integer(name, 0, words.length - 1)] as Word;
  }

  #next(): unknown {
    return this.#fields[this.#at++];
  }

  #wrong(name: string, right: string): Error {
    return malformed(`${name} of ${this.#frame} is not ${right}`);
  }
}

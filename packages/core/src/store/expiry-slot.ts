/**
 * The updates of a store that expire within one second.
 *
 * Invariant: it is small where it has one update, since peers choose the seconds: no array and no set is made for that.
 */

import type { Sum } from '../hash.ts';

export class ExpirySlot {
  /** The lanes of the sum of h(dot). */
  #lane0 = 0;
  #lane1 = 0;
  #lane2 = 0;
  #lane3 = 0;
  /** The number of its arrival where it has one; 0: none, or several. */
  #only = 0;
  #several: Set<number> | null = null;

  get isEmpty(): boolean {
    return this.#only === 0 && (this.#several === null || this.#several.size === 0);
  }

  /** The numbers of the arrivals. */
  arrivals(): Iterable<number> {
    return this.#several ?? (this.#only === 0 ? [] : [this.#only]);
  }

  add(arrival: number, term: Readonly<Sum>): void {
    this.#sumUp(term, 1);
    if (this.#several !== null) this.#several.add(arrival);
    else if (this.#only === 0) this.#only = arrival;
    else {
      this.#several = new Set([this.#only, arrival]);
      this.#only = 0;
    }
  }

  /** @param arrival that is in here */
  delete(arrival: number, term: Readonly<Sum>): void {
    this.#sumUp(term, -1);
    if (this.#several === null) this.#only = 0;
    else this.#several.delete(arrival);
  }

  /** Adds its sum to another. */
  addTo(sum: Sum): void {
    sum[0] = (sum[0] as number) + this.#lane0;
    sum[1] = (sum[1] as number) + this.#lane1;
    sum[2] = (sum[2] as number) + this.#lane2;
    sum[3] = (sum[3] as number) + this.#lane3;
  }

  #sumUp(term: Readonly<Sum>, sign: 1 | -1): void {
    this.#lane0 = (this.#lane0 + sign * (term[0] as number)) | 0;
    this.#lane1 = (this.#lane1 + sign * (term[1] as number)) | 0;
    this.#lane2 = (this.#lane2 + sign * (term[2] as number)) | 0;
    this.#lane3 = (this.#lane3 + sign * (term[3] as number)) | 0;
  }
}

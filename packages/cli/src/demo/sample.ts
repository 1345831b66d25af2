/** Measured durations, and what can be said of all of them. */
export class Sample {
  readonly #values: number[] = [];

  add(value: number): void {
    this.#values.push(value);
  }

  get size(): number {
    return this.#values.length;
  }

  /** The last ones, oldest first. */
  latest(count: number): readonly number[] {
    return this.#values.slice(-count);
  }

  /**
   * The smallest value that at least this share of all do not exceed.
   * @returns nothing while there is none
   */
  percentile(percent: number): number | undefined {
    const sorted = this.#values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  }
}

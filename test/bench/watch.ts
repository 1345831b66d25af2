/**
 * Conditions on what others do, looked at whenever one of them does something.
 */

export class Watch {
  readonly #looks = new Set<() => void>();

  /** To be called whenever a condition may have come true. */
  look(): void {
    for (const look of this.#looks) look();
  }

  /** @returns whether it came true in time */
  until(condition: () => boolean, patienceMs: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (isTrue: boolean): void => {
        this.#looks.delete(look);
        clearTimeout(timer);
        resolve(isTrue);
      };
      const look = (): void => {
        if (condition()) settle(true);
      };
      const timer = setTimeout(() => settle(condition()), patienceMs);
      this.#looks.add(look);
    });
  }
}

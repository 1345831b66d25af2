/**
 * What the conformance suites need of a test runner. Jest, Vitest and `node:test` with an `expect` have it.
 */

export interface Runner {
  readonly describe: (name: string, body: () => void) => void;
  readonly test: (name: string, body: () => void) => void;
  readonly expect: (actual: unknown) => {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
  };
}

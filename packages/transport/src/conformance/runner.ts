/** What the suite asks of a test runner, and how it registers its scenes there. */
import type { Scene } from './scene.ts';

/** What is needed of a test runner; Jest and Vitest have it. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => void;
  readonly test: (name: string, body: () => Promise<void>) => void;
  readonly expect: (actual: unknown) => {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
    toMatchObject(expected: object): void;
    toBeGreaterThan(expected: number): void;
    toBeLessThan(expected: number): void;
  };
}

/** Registers one test: a scene that is played, and then ended. */
export type RegisterScene = (title: string, play: (stage: Scene) => Promise<void>) => void;

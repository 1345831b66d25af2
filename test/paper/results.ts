/**
 * What `npm run papers` found, as it stands in docs/papers/results.json.
 *
 * Invariant: the page and its charts are made of this file alone, so they cannot differ from it.
 */
import type { CaughtUp, CatchingUp, Curves, Summary } from '@grapevine/sim';

export interface Results {
  readonly seed: number;
  readonly node: string;
  /** By the keys of the plan. */
  readonly summaries: Readonly<Record<string, Summary>>;
  /** The course of push with feedback and counter, k = 1 and k = 2. */
  readonly curves: Readonly<Record<string, Curves>>;
  readonly catchingUp: readonly (CatchingUp & CaughtUp)[];
}

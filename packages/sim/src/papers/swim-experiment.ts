/**
 * An experiment with SWIM as data, so that it can be sent to a worker, and what it finds.
 */

import { type CrashSetup, type Death, watchCrashes } from './swim-crashes.ts';
import { type CutSetup, type Healing, type JoinSetup, watchCut, watchJoin } from './swim-healing.ts';
import { type Load, type LoadSetup, steadyLoad } from './swim-load.ts';
import {
  type FalsePositives,
  type LossSetup,
  type QuietHours,
  type StallSetup,
  watchLoss,
  watchStalls,
} from './swim-stalls.ts';

export type SwimExperiment =
  | { readonly kind: 'crashes'; readonly setup: CrashSetup }
  | { readonly kind: 'load'; readonly setup: LoadSetup }
  | { readonly kind: 'stalls'; readonly setup: StallSetup }
  | { readonly kind: 'loss'; readonly setup: LossSetup }
  | { readonly kind: 'join'; readonly setup: JoinSetup }
  | { readonly kind: 'cut'; readonly setup: CutSetup };

/** What was found, beside what was asked. */
export type SwimFinding =
  | { readonly kind: 'crashes'; readonly setup: CrashSetup; readonly found: readonly Death[] }
  | { readonly kind: 'load'; readonly setup: LoadSetup; readonly found: Load }
  | { readonly kind: 'stalls'; readonly setup: StallSetup; readonly found: FalsePositives }
  | { readonly kind: 'loss'; readonly setup: LossSetup; readonly found: QuietHours }
  | { readonly kind: 'join'; readonly setup: JoinSetup; readonly found: number | null }
  | { readonly kind: 'cut'; readonly setup: CutSetup; readonly found: Healing };

export function runSwim(experiment: SwimExperiment): SwimFinding {
  switch (experiment.kind) {
    case 'crashes':
      return { ...experiment, found: watchCrashes(experiment.setup) };
    case 'load':
      return { ...experiment, found: steadyLoad(experiment.setup) };
    case 'stalls':
      return { ...experiment, found: watchStalls(experiment.setup) };
    case 'loss':
      return { ...experiment, found: watchLoss(experiment.setup) };
    case 'join':
      return { ...experiment, found: watchJoin(experiment.setup) };
    case 'cut':
      return { ...experiment, found: watchCut(experiment.setup) };
  }
}

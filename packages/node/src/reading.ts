/**
 * The options of `changes()` and `memberChanges()`.
 */
import { fillOptions, type OptionRules, throwViolations, type Violation } from '@grapevine/core';

interface ReadingOptions {
  readonly signal: AbortSignal | undefined;
}

/** Of everything that is read by an iteration. */
export const readingRules: OptionRules<ReadingOptions> = {
  signal: {
    check: (value) =>
      typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value
        ? undefined
        : 'must be an AbortSignal',
    default: undefined,
  },
};

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function resolveReading<T extends ReadingOptions>(given: unknown, rules: OptionRules<T>): T {
  const violations: Violation[] = [];
  const options = fillOptions('', given, rules, violations);
  throwViolations(violations);
  return options;
}

/**
 * The options of rumor mongering: the names of the original, and beyond them the paper's whole design space.
 *
 * Invariants
 *  1. The resolver is the one place that knows defaults and the rules between options.
 *  2. `hybrid` resolves its rumor half here too, under its own path.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4.
 */

import type { Direction } from '../messages.ts';
import {
  fillOptions,
  isBoolean,
  oneOf,
  type OptionRules,
  optionsObject,
  orFalse,
  type Violation,
  wholeNumber,
} from '../options.ts';

/** When an infective node loses interest in a rumor. */
export type Removal = 'counter' | 'reset-counter' | 'coin';

export interface RumorOptions {
  /**
   * One cycle, in milliseconds: the longest time between two pushes of a rumor. Shorter spreads sooner where pushes are
   * lost, and with `eager: false` everywhere; longer costs fewer messages.
   * @default 500
   */
  readonly delta: number;
  /**
   * After how many pushes to peers who already knew it a rumor is removed. More leaves fewer nodes without it (each
   * round about a fifth of the rest) and costs about one more push a node.
   * @default 3
   */
  readonly rounds: number;
  /**
   * How many peers each push goes to; 0: all. More is faster and costs that many times the messages. Each of them
   * counts towards `rounds`, so raise `rounds` with it.
   * @default 1
   */
  readonly level: number;
  /** Milliseconds between two collections of garbage; `false`: none, and removed rumors are kept for ever. @default 1000 */
  readonly gc: number | false;
  /**
   * How long a removed rumor is kept, in milliseconds; in pure rumor mongering its update goes with it, and gaps of the
   * context older than this close. Many times the time that a rumor takes, which is some `delta`.
   * @default 30000
   */
  readonly ttl: number;
  /**
   * Who calls: `push` tells, `pull` asks, `push-pull` does both. Push costs nothing while there is no news; pull reaches
   * the last nodes surely, and costs a message a cycle for ever.
   * @default 'push'
   */
  readonly direction: Direction;
  /**
   * Whether every push counts, known or not, and nobody answers what they knew. Saves the answers, and needs more
   * `rounds` for the same reach. Not with `removal: 'reset-counter'`, which needs the answers.
   * @default false
   */
  readonly blind: boolean;
  /**
   * How a rumor is removed: `counter` after `rounds` useless pushes altogether, as in the original; `reset-counter` after
   * `rounds` without a useful one between, as in the paper's tables, which reaches more and sends more; `coin` with
   * probability 1 / `rounds` at each, which needs no memory and reaches less.
   * @default 'counter'
   */
  readonly removal: Removal;
  /**
   * Whether news are pushed at once, and useful pushes are followed at once by the next, so that `delta` is only the
   * longest wait. `false`: one push a `delta`, as in the original and the paper. Not with `direction: 'pull'`.
   * @default true; false with direction 'pull'
   */
  readonly eager: boolean;
  /**
   * How long a rumor that is known by its dot alone is waited for before it is asked for, in milliseconds; 0: at once.
   * Longer saves payloads where they come by another way too (direct mail), shorter saves time where they do not.
   * @default 0; 20 with direct mail
   */
  readonly askDelay: number;
}

const milliseconds = (min: number): ReturnType<typeof wholeNumber> => wholeNumber('milliseconds', min, 2 ** 31 - 1);

/** What every option must be; that of `eager` stands for all directions but pull. */
export const rumorRules: OptionRules<RumorOptions> = {
  delta: { check: milliseconds(1), default: 500 },
  rounds: { check: wholeNumber('pushes', 1), default: 3 },
  level: { check: wholeNumber('peers', 0), default: 1 },
  gc: { check: orFalse(milliseconds(1)), default: 1000 },
  ttl: { check: wholeNumber('milliseconds', 0), default: 30000 },
  direction: { check: oneOf('push', 'pull', 'push-pull'), default: 'push' },
  blind: { check: isBoolean, default: false },
  removal: { check: oneOf('counter', 'reset-counter', 'coin'), default: 'counter' },
  eager: { check: isBoolean, default: true },
  askDelay: { check: milliseconds(0), default: 0 },
};

/**
 * Resolves the options of rumor mongering.
 * @param path where they stand: '' for `rumor` itself
 * @param askDelay the default of `askDelay`, in milliseconds
 * @returns the options, complete; violations are appended to `violations`
 */
export function resolveRumor(
  path: string,
  stated: Readonly<Partial<RumorOptions>>,
  violations: Violation[],
  askDelay: number = rumorRules.askDelay.default,
): RumorOptions {
  const given = optionsObject(path, stated, Object.keys(rumorRules), violations);
  const rules: OptionRules<RumorOptions> = {
    ...rumorRules,
    eager: { ...rumorRules.eager, default: given['direction'] !== 'pull' },
    askDelay: { ...rumorRules.askDelay, default: askDelay },
  };
  const options = fillOptions(path, given, rules, violations);
  const at = (name: keyof RumorOptions): string => (path === '' ? name : `${path}.${name}`);
  if (options.blind && options.removal === 'reset-counter')
    violations.push({
      path: at('blind'),
      problem: `means nothing with removal 'reset-counter', which lives on feedback; use removal 'counter' or 'coin', or blind: false`,
    });
  if (options.eager && options.direction === 'pull')
    violations.push({
      path: at('eager'),
      problem: `means nothing with direction 'pull', which waits to be asked; use eager: false, or direction 'push' or 'push-pull'`,
    });
  return options;
}

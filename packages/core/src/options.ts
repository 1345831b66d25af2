/**
 * Options are resolved in one place per module: defaults, then what was given, then the rules between them.
 *
 * Invariants
 *  1. Every violation is reported at once, each with the option's path, the value and what would be right.
 *  2. An option that means nothing here is an error, never ignored.
 */

import { GossipError } from './errors.ts';

/** Says what would be right, or nothing if the value is. */
export type OptionCheck = (value: unknown) => string | undefined;

/** One option: what it must be and what it is when nothing is given. */
export interface OptionRule<T> {
  readonly check: OptionCheck;
  readonly default: T;
}

/** What is wrong: `problem` reads on from the path. */
export interface Violation {
  readonly path: string;
  readonly problem: string;
}

export type OptionRules<T> = { readonly [K in keyof T]-?: OptionRule<T[K]> };

/** A whole number from `min` to `max`, of the named unit. */
export function wholeNumber(unit: string, min: number, max: number = Number.MAX_SAFE_INTEGER): OptionCheck {
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? undefined
      : `must be a whole number of ${unit}, ${max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`}`;
}

/** As another check, or `false` for off. */
export function orFalse(check: OptionCheck): OptionCheck {
  return (value) => {
    if (value === false) return undefined;
    const problem = check(value);
    return problem === undefined ? undefined : `${problem}, or false`;
  };
}

export const isBoolean: OptionCheck = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');

export const isText: OptionCheck = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 255
    ? undefined
    : 'must be a text of 1 to 255 characters';

export function oneOf(...allowed: readonly string[]): OptionCheck {
  return (value) =>
    typeof value === 'string' && allowed.includes(value)
      ? undefined
      : `must be one of ${allowed.map((option) => `'${option}'`).join(', ')}`;
}

/**
 * Fills in defaults and checks every value by its rule.
 * @returns the options, complete; violations are appended to `violations`, each under `path`
 */
export function fillOptions<T extends object>(
  path: string,
  given: Readonly<Partial<Record<keyof T, unknown>>>,
  rules: OptionRules<T>,
  violations: Violation[],
): T {
  const resolved: Partial<Record<string, unknown>> = {};
  for (const [name, rule] of Object.entries(rules) as [keyof T & string, OptionRule<unknown>][]) {
    const value = given[name];
    resolved[name] = value === undefined ? rule.default : value;
    if (value === undefined) continue;
    const problem = rule.check(value);
    if (problem !== undefined) violations.push({ path: join(path, name), problem: `${problem}, not ${show(value)}` });
  }
  for (const name of Object.keys(given))
    if (!Object.hasOwn(rules, name))
      violations.push({
        path: join(path, name),
        problem: `means nothing here; known are ${Object.keys(rules).join(', ')}`,
      });
  return resolved as T;
}

/** @throws GossipError OPTIONS_INVALID that lists every violation, if there is one */
export function throwViolations(violations: readonly Violation[]): void {
  if (violations.length === 0) return;
  throw new GossipError(
    'OPTIONS_INVALID',
    `${violations.length === 1 ? 'An option is' : `${violations.length} options are`} wrong: ${violations
      .map(({ path, problem }) => `'${path}' ${problem}`)
      .join('; ')}.`,
    { context: { violations } },
  );
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A value as a message names it: short, and never its secrets. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`;
  if (typeof value === 'object' && value !== null) {
    try {
      return JSON.stringify(value).slice(0, 80);
    } catch {
      return 'an object that cannot be shown';
    }
  }
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}

/**
 * Options are resolved in one place per module: defaults, then what was given, then the rules between them.
 *
 * Invariants
 *  1. Every violation is reported at once, each with the option's path, the value and what would be right.
 *  2. An unknown option is an error that names the nearest known one; it is never ignored.
 */

import { GossipError, isGossipError } from './errors.ts';

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
 * The options as an object. Nothing given is an empty one.
 * @returns the options, or an empty object and a violation where something else was given
 */
export function optionsObject(
  path: string,
  options: unknown,
  known: readonly string[],
  violations: Violation[],
): Readonly<Record<string, unknown>> {
  if (options === undefined) return {};
  if (typeof options === 'object' && options !== null && !Array.isArray(options))
    return options as Readonly<Record<string, unknown>>;
  violations.push({
    path: path === '' ? 'options' : path,
    problem: `must be an object of ${known.join(', ')}, not ${show(options)}`,
  });
  return {};
}

/**
 * Fills in defaults and checks every value by its rule.
 * @param also names that are known here and resolved elsewhere
 * @returns the options, complete; violations are appended to `violations`, each under `path`
 */
export function fillOptions<T extends object>(
  path: string,
  options: unknown,
  rules: OptionRules<T>,
  violations: Violation[],
  also: readonly string[] = [],
): T {
  const known = [...Object.keys(rules), ...also];
  const given = optionsObject(path, options, known, violations);
  const resolved: Partial<Record<string, unknown>> = {};
  for (const [name, rule] of Object.entries(rules) as [keyof T & string, OptionRule<unknown>][]) {
    const value = given[name];
    resolved[name] = value === undefined ? rule.default : value;
    if (value === undefined) continue;
    const problem = rule.check(value);
    if (problem !== undefined) violations.push({ path: join(path, name), problem: `${problem}, not ${show(value)}` });
  }
  for (const name of Object.keys(given))
    if (!known.includes(name)) violations.push({ path: join(path, name), problem: unknownOption(name, known) });
  return resolved as T;
}

/** The problem of a name that is no option: the nearest option, or all of them where none is near. */
export function unknownOption(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `is no option here (${near === undefined ? `the options are ${known.join(', ')}` : `did you mean '${near}'?`})`;
}

/**
 * The known word nearest to a misspelt one: by the fewest letters that are wrong, missing, too many or swapped, of which at
 * most a third of the word may be. Case and punctuation do not count.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const sought = plain(word.slice(0, 64));
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(sought.length / 3)) + 1;
  for (const candidate of known) {
    const distance = distanceOf(sought, plain(candidate));
    if (distance >= fewest) continue;
    fewest = distance;
    best = candidate;
  }
  return best;
}

/** The distance of Damerau and Levenshtein, where no part is edited twice (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      const [replaced, deleted, inserted] = [last[column - 1], last[column], current[column - 1]] as [
        number,
        number,
        number,
      ];
      let least = Math.min(replaced + cost, deleted + 1, inserted + 1);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        least = Math.min(least, (beforeLast[column - 2] as number) + 1);
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] as number;
}

/**
 * Runs what may throw OPTIONS_INVALID and gathers its violations in place of the throw, so that several parts are judged at once.
 * @param rename the path as the caller's options name it. @default the same
 * @returns what it returns; nothing where it threw
 */
export function gatherViolations<T>(
  violations: Violation[],
  resolve: () => T,
  rename: (path: string) => string = (path) => path,
): T | undefined {
  try {
    return resolve();
  } catch (error) {
    const gathered = isGossipError(error) ? error.context['violations'] : undefined;
    if (!Array.isArray(gathered)) throw error;
    for (const { path, problem } of gathered as Violation[]) violations.push({ path: rename(path), problem });
    return undefined;
  }
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

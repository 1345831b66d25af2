import { describe, expect, test } from '@jest/globals';
import {
  fillOptions,
  isBoolean,
  isText,
  oneOf,
  type OptionRules,
  orFalse,
  throwViolations,
  type Violation,
  wholeNumber,
} from './options.ts';

interface Sample {
  readonly delta: number;
  readonly gc: number | false;
  readonly eager: boolean;
  readonly name: string;
  readonly direction: string;
}

const rules: OptionRules<Sample> = {
  delta: { check: wholeNumber('milliseconds', 1, 1000), default: 500 },
  gc: { check: orFalse(wholeNumber('milliseconds', 1)), default: 1000 },
  eager: { check: isBoolean, default: true },
  name: { check: isText, default: 'grapevine' },
  direction: { check: oneOf('push', 'pull'), default: 'push' },
};

function resolved(given: Readonly<Record<string, unknown>>): { options: Sample; violations: Violation[] } {
  const violations: Violation[] = [];
  return { options: fillOptions('here', given, rules, violations), violations };
}

describe('options', () => {
  test('that are not given, or undefined, are the defaults', () => {
    const defaults = { delta: 500, gc: 1000, eager: true, name: 'grapevine', direction: 'push' };
    expect(resolved({})).toEqual({ options: defaults, violations: [] });
    expect(resolved({ delta: undefined })).toEqual({ options: defaults, violations: [] });
  });

  test('that are given go before them, false and the bounds among them', () => {
    const given = { delta: 1000, gc: false, eager: false, name: 'x'.repeat(255), direction: 'pull' } as const;
    expect(resolved(given)).toEqual({ options: given, violations: [] });
  });

  test('that are wrong are reported all at once, each with path, what would be right, and the value', () => {
    const { violations } = resolved({ delta: 0, gc: true, eager: 'yes', name: '', direction: 'up', detla: 5 });
    expect(violations).toEqual([
      { path: 'here.delta', problem: 'must be a whole number of milliseconds, from 1 to 1000, not 0' },
      { path: 'here.gc', problem: 'must be a whole number of milliseconds, at least 1, or false, not true' },
      { path: 'here.eager', problem: "must be true or false, not 'yes'" },
      { path: 'here.name', problem: "must be a text of 1 to 255 characters, not ''" },
      { path: 'here.direction', problem: "must be one of 'push', 'pull', not 'up'" },
      {
        path: 'here.detla',
        problem: "is no option here (did you mean 'delta'?)",
      },
    ]);
  });

  test.each([NaN, Infinity, 1.5, -1, 1001, '5', null, [], {}, 5n])('take no %p for a whole number', (delta) => {
    expect(resolved({ delta }).violations).toHaveLength(1);
  });

  test('are not fooled by names that every object has', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty'])
      expect(resolved({ [name]: 1 }).violations).toMatchObject([{ path: `here.${name}` }]);
  });
});

describe('violations', () => {
  test('are thrown as one error that lists them all, if there are any', () => {
    expect(() => throwViolations([])).not.toThrow();
    const violations = [
      { path: 'delta', problem: 'must be more, not 0' },
      { path: 'gc', problem: 'must be less, not 9' },
    ];
    expect(() => throwViolations(violations)).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        fault: 'caller',
        context: { violations },
        message: "2 options are wrong: 'delta' must be more, not 0; 'gc' must be less, not 9.",
      }),
    );
  });
});

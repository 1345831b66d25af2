/**
 * Arguments of `simulate` and `advise` that are no options of a protocol.
 *
 * Invariant: what cannot be meant is refused with a sentence that says what can.
 */
import { InvalidArgumentError } from 'commander';
import { withOption } from './protocol-option.ts';

/** A whole number, at least `least`. */
export function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least || value > 2 ** 31 - 1)
      throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
    return value;
  };
}

/** A number above a bound. */
export function above(bound: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value > bound) || value === Infinity)
      throw new InvalidArgumentError(`It must be a number above ${bound}.`);
    return value;
  };
}

/** From 0 to less than 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('It must be a number from 0 to less than 1, such as 0.1.');
  return value;
}

/** More than 0 and less than 1. */
export function target(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError(
      'It must be a number between 0 and 1, such as 0.999999; nothing short of anti-entropy reaches 1.',
    );
  return value;
}

export function fileName(text: string): string {
  if (!text.endsWith('.svg')) throw new InvalidArgumentError('It must be the name of an .svg file.');
  return text;
}

export function optionPair(text: string, before: Record<string, unknown>): Record<string, unknown> {
  const options = withOption(text, before);
  if (options === undefined) throw new InvalidArgumentError('It must be key=value, such as delta=100.');
  return options;
}

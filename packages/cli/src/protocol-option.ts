/**
 * `--protocol` and `--option key=value`, as the protocols take them.
 *
 * Invariant: nothing is judged here. The protocol's resolver knows what an option means and names everything that is
 * wrong, so that the command and the library say the same.
 */
import { entropy, hybrid, type Protocol, rumor } from '@grapevine/node';

type Options = { [key: string]: unknown };

/** Those that can be named on the command line. */
export const protocols: Readonly<Record<string, (options: Options) => Protocol>> = { rumor, entropy, hybrid };

/** `4` is a number, `true` and `false` are booleans, everything else is text. */
export function parseScalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

/**
 * `rounds=4` sets an option; `rumor.rounds=4` one of a part.
 * @returns the options so far with this one added, or nothing if the text has no `=`
 */
export function withOption(text: string, options: Options): Options | undefined {
  const at = text.indexOf('=');
  if (at < 1) return undefined;
  const path = text.slice(0, at).split('.');
  const last = path.pop() as string;
  let place = options;
  for (const part of path) {
    const inner = place[part];
    place = typeof inner === 'object' && inner !== null ? (inner as Options) : (place[part] = noOptions());
  }
  place[last] = parseScalar(text.slice(at + 1));
  return options;
}

/** Without a prototype: a key such as `__proto__` is then an option like any other, and unknown. */
export function noOptions(): Options {
  return Object.create(null) as Options;
}

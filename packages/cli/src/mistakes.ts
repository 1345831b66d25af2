/**
 * Wrong words of a command line, gathered so that all of them are told at once.
 *
 * Invariants
 *  1. Nothing is carried out while there is a mistake, and every mistake that can be found is in one complaint.
 *  2. A mistake names the flag, and the library's option where the two differ.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { gatherViolations, GossipError, nearest, type Violation } from '@grapevine/core';

/** The mistakes of one command. */
export class Mistakes {
  readonly #sentences: string[] = [];

  add(sentence: string): void {
    this.#sentences.push(sentence);
  }

  /**
   * Runs what may throw OPTIONS_INVALID, and takes its mistakes.
   * @param flagOf the flag behind the path of an option
   * @returns what it returns; nothing where it threw
   */
  gather<T>(resolve: () => T, flagOf: (path: string) => string): T | undefined {
    const violations: Violation[] = [];
    const resolved = gatherViolations(violations, resolve);
    this.addAll(violations, flagOf);
    return resolved;
  }

  addAll(violations: readonly Violation[], flagOf: (path: string) => string): void {
    for (const { path, problem } of violations) {
      const flag = flagOf(path);
      this.add(flag === path ? `${path} ${problem}` : `${flag}: '${path}' ${problem}`);
    }
  }

  /** @throws GossipError OPTIONS_INVALID that lists every mistake, if there is one */
  throwAll(): void {
    const sentences = [...new Set(this.#sentences)];
    const [only] = sentences;
    if (only === undefined) return;
    const list = sentences.map((sentence) => `\n  ${sentence}`).join('');
    throw new GossipError(
      'OPTIONS_INVALID',
      sentences.length === 1 ? `An option is wrong: ${only}` : `${sentences.length} options are wrong:${list}`,
      { context: { mistakes: sentences } },
    );
  }
}

/**
 * Has a command gather its mistakes in place of ending at the first one: words that cannot be read, unknown flags, missing
 * flags, arguments too many. To be called when all options of the command are known.
 * @returns the mistakes, complete when the action of the command runs
 */
export function gatherMistakes(command: Command): Mistakes {
  const mistakes = new Mistakes();
  const required = command.options.filter(({ mandatory }) => mandatory);
  for (const option of command.options) {
    option.mandatory = false;
    const { parseArg, long } = option;
    if (parseArg === undefined) continue;
    option.parseArg = <T>(text: string, before: T): T => {
      try {
        return (
          mistakes.gather(
            () => parseArg(text, before),
            () => `${long} ${text}`,
          ) ?? before
        );
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        mistakes.add(`${long} '${text}': ${error.message}`);
        return before;
      }
    };
  }
  command.allowUnknownOption().allowExcessArguments();
  command.hook('preAction', () => {
    for (const option of required)
      if (command.getOptionValue(option.attributeName()) === undefined) mistakes.add(`${option.flags} is required`);
    const words = command.args.slice(command.registeredArguments.length);
    // `-1` is a number, and the value of the flag before it.
    const flags = command.args.filter((word) => /^-[^\d.]/.test(word)).map((word) => word.replace(/=.*$/s, ''));
    for (const flag of flags) mistakes.add(unknownFlag(flag, command));
    // Words after an unknown flag may be its values.
    if (flags.length === 0) for (const word of words) mistakes.add(`'${word}' is an argument too many`);
  });
  return mistakes;
}

function unknownFlag(flag: string, command: Command): string {
  const known = command.options.flatMap(({ long }) => long ?? []);
  const near = nearest(flag, known);
  return `${flag} is no option of ${command.name()} (${near === undefined ? '--help lists them' : `did you mean ${near}?`})`;
}

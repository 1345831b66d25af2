/**
 * The command line of a tool: asking for help, and saying what is wrong.
 */

/**
 * What `read` makes of the arguments of this process. `--help` prints the usage and ends the process with 0; an argument
 * that `read` throws at is told on standard error, with the usage, and ends it with 2.
 */
export function readCommandLine<T>(usage: string, read: (args: readonly string[]) => T): T {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  try {
    return read(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}\n`);
    process.exit(2);
  }
}

/** A number above 0. @throws Error that says which option is wrong */
export function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${option} must be a number above 0, not '${text}'.`);
  return value;
}

/** A whole number. @throws Error that says which option is wrong */
export function whole(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${option} must be a whole number, at least ${least}, not '${text}'.`);
  return value;
}

/** Some of the known, with commas between them. @param what they are, one of them @throws Error that lists the known */
export function someOf<N extends string>(what: string, text: string, known: readonly N[]): N[] {
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !(known as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`No ${what} is called ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  return names as N[];
}

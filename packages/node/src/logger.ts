/**
 * The log of a node: pino, unless told otherwise.
 *
 * Invariant: nothing is written to standard output by default; that belongs to the program.
 */
import type { Logger } from '@grapevine/actors';
import { destination, type LoggerOptions, pino } from 'pino';

export type { LoggerOptions } from 'pino';

/** Options for a pino of our own, a logger that exists (pino's or one like it), or none. */
export type LoggerChoice = LoggerOptions | Logger | false;

/** @returns nothing when no log is wanted */
export function loggerOf(choice: LoggerChoice, node: string): Logger | undefined {
  if (choice === false) return undefined;
  if (isLogger(choice)) return choice;
  // Some lines name the node themselves: as `base` it would stand in these twice.
  const options: LoggerOptions = { level: 'warn', base: null, mixin: () => ({ node }), ...choice };
  // pino takes either a transport, which says where to write, or a stream.
  return options.transport === undefined ? pino(options, destination(2)) : pino(options);
}

function isLogger(choice: LoggerOptions | Logger): choice is Logger {
  return 'warn' in choice && typeof choice.warn === 'function';
}

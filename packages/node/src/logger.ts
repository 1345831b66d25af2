/**
 * The log of a node: pino, unless told otherwise.
 *
 * Invariants
 *  1. Nothing is written to standard output by default; that belongs to the program.
 *  2. One event is one line that says each thing once. An error that Grapevine raises on purpose (a `GossipError`) is logged
 *     with its code, its context and its cause, and without a stack: the stack would show our code, not the fault. Any other
 *     error keeps its stack, because it is a fault in somebody's code and the stack says where.
 */
import type { Logger } from '@grapevine/actors';
import { isGossipError, show } from '@grapevine/core';
import * as pinoModule from 'pino';
import type { LoggerOptions } from 'pino';

export type { LoggerOptions } from 'pino';

// Named imports of a CommonJS module need a lexer that Node.js 20.19 cannot run under --disallow-code-generation-from-strings.
const { default: pinoDefault = pinoModule } = pinoModule as { readonly default?: typeof pinoModule };
const { destination, pino } = pinoDefault;

/** Options for a pino of our own, a logger that exists (pino's or one like it), or none. */
export type LoggerChoice = LoggerOptions | Logger | false;

/** @returns nothing when no log is wanted */
export function loggerOf(choice: LoggerChoice, node: string): Logger | undefined {
  if (choice === false) return undefined;
  if (isLogger(choice)) return choice;
  const options: LoggerOptions = {
    level: 'warn',
    base: null,
    // Some lines name the node themselves: as `base` it would stand in these twice.
    mixin: () => ({ node }),
    hooks: {
      logMethod(this: unknown, args, method) {
        const [fields, message] = args as unknown as [object, string];
        method.call(this as never, withoutRepeats(fields, message), message);
      },
    },
    ...choice,
  };
  // pino takes either a transport, which says where to write, or a stream.
  return options.transport === undefined ? pino(options, destination(2)) : pino(options);
}

/** The fields with a `GossipError` in `err` as what the line's text does not say already. Other fields stay as they are. */
function withoutRepeats(fields: object, message: string): object {
  const { err: error } = fields as { readonly err?: unknown };
  if (!isGossipError(error)) return fields;
  const { code, fault, context } = error;
  const said = message.includes(error.message) ? message : `${message} ${error.message}`;
  const cause = causeOf(error, said);
  return {
    ...fields,
    err: {
      code,
      fault,
      ...(said === message ? {} : { message: error.message }),
      ...(cause === '' ? {} : { cause }),
      ...(Object.keys(context).length === 0 ? {} : { context }),
    },
  };
}

/** The messages of the chain of causes that the text does not hold already. */
function causeOf(error: { readonly cause?: unknown }, said: string): string {
  const causes: string[] = [];
  const met = new Set<unknown>([error]);
  for (let { cause } = error; cause !== undefined && cause !== null && !met.has(cause);) {
    met.add(cause);
    const { message, cause: next } = linkOf(cause);
    if (![said, ...causes].some((text) => text.includes(message))) causes.push(message);
    cause = next;
  }
  return causes.join(': ');
}

/** What a link of the chain says, and the next one. A cause can be anything that was thrown. */
function linkOf(thrown: unknown): { readonly message: string; readonly cause: unknown } {
  if (typeof thrown !== 'object' || thrown === null) return { message: String(thrown), cause: undefined };
  const { message, cause } = thrown as { readonly message?: unknown; readonly cause?: unknown };
  return { message: typeof message === 'string' ? message : 'an object without a message', cause };
}

/** What is wrong with the option `logger`; it reads on from the name. Nothing is started to find out. */
export function loggerProblem(choice: unknown): string | undefined {
  if (choice === false || choice === undefined) return undefined;
  const wanted = "must be options of pino such as { level: 'info' }, a logger, or false for none";
  if (typeof choice !== 'object' || choice === null || Array.isArray(choice)) return `${wanted}, not ${show(choice)}`;
  if (isLogger(choice)) {
    const missing = levels.filter((level) => typeof (choice as Partial<Logger>)[level] !== 'function');
    return missing.length === 0 ? undefined : `is a logger without ${missing.join(', ')}`;
  }
  try {
    const { transport: _transport, ...options } = choice as LoggerOptions;
    pino(options, { write: () => {} });
  } catch (error) {
    return `is refused by pino: ${(error as Error).message}`;
  }
  return undefined;
}

const levels = ['debug', 'info', 'warn', 'error'] as const;

function isLogger(choice: object): choice is Logger {
  return 'warn' in choice && typeof choice.warn === 'function';
}

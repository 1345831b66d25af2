/**
 * The logger that actors report to. It is injected, and silent unless it is: a library does not write to a console.
 *
 * Invariants
 *  1. A logger that throws cannot harm the actor that logs.
 *
 * Source: the call shape is pino's, so a pino logger fits as it is.
 */

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const nothing = (): void => {};

export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** The same logger, whose throws end here: there is nobody left to whom a failing logger could be reported. */
export function harmless(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // Invariant 1.
      }
    };
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') };
}
